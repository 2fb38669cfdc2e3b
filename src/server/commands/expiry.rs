//! When keys expire.

use super::arguments::{flag, integer, is};
use super::{Answered, Refusal, error};
use crate::dataset::txn::{Txn, ms_of_time, time_from_ms};
use crate::protocol::Reply;
use crate::protocol::resp::Args;

/// What a time in an argument is counted from, and in what.
#[derive(Clone, Copy)]
struct Unit {
    name: &'static str,
    ms: i64,
    from_now: bool,
}

/// EXPIRE key seconds [NX | XX | GT | LT]
pub(super) fn expire(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    set(txn, args, Unit { name: "expire", ms: 1000, from_now: true })
}

/// PEXPIRE key milliseconds [...]
pub(super) fn pexpire(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    set(txn, args, Unit { name: "pexpire", ms: 1, from_now: true })
}

/// EXPIREAT key seconds-of-the-calendar [...]
pub(super) fn expireat(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    set(txn, args, Unit { name: "expireat", ms: 1000, from_now: false })
}

/// PEXPIREAT key milliseconds-of-the-calendar [...]
pub(super) fn pexpireat(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    set(txn, args, Unit { name: "pexpireat", ms: 1, from_now: false })
}

/// When a new time is taken.
#[derive(Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

fn conditions(args: Args<'_>) -> Result<Conditions, Refusal> {
    let mut found = Conditions::default();
    for word in args.from(3) {
        match word {
            word if is(word, "nx") => found.nx = true,
            word if is(word, "xx") => found.xx = true,
            word if is(word, "gt") => found.gt = true,
            word if is(word, "lt") => found.lt = true,
            other => {
                let other = String::from_utf8_lossy(other);
                return error(format!(
                    "ERR Unsupported option {}",
                    other.chars().take(64).collect::<String>()
                ));
            }
        }
    }
    if found.nx && (found.xx || found.gt || found.lt) {
        return error("ERR NX and XX, GT or LT options at the same time are not compatible");
    }
    if found.gt && found.lt {
        return error("ERR GT and LT options at the same time are not compatible");
    }
    Ok(found)
}

impl Conditions {
    /// Whether a key that expires at `old` may expire at `new` instead; never is later than any time.
    fn hold(&self, old: Option<i64>, new: i64) -> bool {
        let later = old.is_some_and(|old| new > old);
        let earlier = old.is_none_or(|old| new < old);
        !(self.nx && old.is_some() || self.xx && old.is_none() || self.gt && !later || self.lt && !earlier)
    }
}

fn set(txn: &mut Txn<'_>, args: Args<'_>, unit: Unit) -> Answered {
    let number = integer(args.at(2))?;
    let conditions = conditions(args)?;
    let base = if unit.from_now { ms_of_time(txn.now()) } else { 0 };
    let Some(at) = number.checked_mul(unit.ms).and_then(|ms| ms.checked_add(base)) else {
        return error(format!("ERR invalid expire time in '{}' command", unit.name));
    };
    let Some(entry) = txn.find(args.at(1))? else { return flag(false) };
    if !conditions.hold(entry.expiry.map(ms_of_time), at) {
        return flag(false);
    }
    txn.set_expiry(args.at(1), Some(time_from_ms(at)))?;
    flag(true)
}

/// PERSIST key
pub(super) fn persist(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let expires = txn.find(args.at(1))?.is_some_and(|entry| entry.expiry.is_some());
    if expires {
        txn.set_expiry(args.at(1), None)?;
    }
    flag(expires)
}

/// TTL key
pub(super) fn ttl(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let now = ms_of_time(txn.now());
    // Rounded, as Redis does.
    tell(txn, args, |at| (at - now).max(0).saturating_add(500) / 1000)
}

/// PTTL key
pub(super) fn pttl(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let now = ms_of_time(txn.now());
    tell(txn, args, |at| (at - now).max(0))
}

/// EXPIRETIME key
pub(super) fn expiretime(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    tell(txn, args, |at| at.saturating_add(500) / 1000)
}

/// PEXPIRETIME key
pub(super) fn pexpiretime(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    tell(txn, args, |at| at)
}

/// -2 for a key that is not there, -1 for one that does not expire, and what is shown of the time otherwise.
fn tell(txn: &mut Txn<'_>, args: Args<'_>, show: impl FnOnce(i64) -> i64) -> Answered {
    let entry = txn.look_up(args.at(1))?;
    Ok(Reply::Number(match entry.map(|entry| entry.expiry) {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => show(ms_of_time(at)),
    }))
}
