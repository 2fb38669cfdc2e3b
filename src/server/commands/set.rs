//! SET and its kin: one key gets a value. Where nothing has to be read for it, it is gathered with those before and behind.
//!
//! ```text
//! SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]
//! SETEX key s value · PSETEX key ms value · SETNX key value · GETSET key value
//! ```

use super::arguments::{SYNTAX, flag, integer, is, syntax};
use super::{Answered, Refusal, error};
use crate::dataset::gather::expiry_after;
use crate::dataset::txn::{Txn, time_from_ms};
use crate::protocol::Reply;
use crate::protocol::resp::Args;
use crate::store::Value;
use std::borrow::Cow;
use std::time::SystemTime;

/// Makes a [`Set`] of the arguments.
pub(in crate::server) type Parse = for<'a> fn(Args<'a>) -> Result<Set<'a>, Refusal>;

/// One key gets a value.
#[derive(Debug)]
pub(in crate::server) struct Set<'a> {
    pub(in crate::server) key: &'a [u8],
    pub(in crate::server) value: &'a [u8],
    life: Life,
    condition: Condition,
    reply: Wanted,
}

/// How long a value lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// For ever.
    Endless,
    /// So many milliseconds.
    Ms(i64),
    /// Until this millisecond of the calendar.
    UntilMs(i64),
    /// As long as the one before it would have.
    Kept,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    /// The key is not there.
    Absent,
    /// The key is there.
    Present,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// OK, or nothing when the condition does not hold.
    Status,
    /// The value before.
    Old,
    /// 1, or 0 when the condition does not hold.
    Flag,
}

impl<'a> Set<'a> {
    fn new(key: &'a [u8], value: &'a [u8]) -> Set<'a> {
        Set { key, value, life: Life::Endless, condition: Condition::Always, reply: Wanted::Status }
    }

    /// Whether nothing has to be read for it.
    pub(in crate::server) fn is_blind(&self) -> bool {
        (self.condition, self.reply) == (Condition::Always, Wanted::Status) && self.life != Life::Kept
    }

    /// When the value expires that is set now.
    pub(in crate::server) fn expiry(&self, now: impl FnOnce() -> SystemTime) -> Option<SystemTime> {
        match self.life {
            Life::Endless | Life::Kept => None,
            Life::Ms(ms) => Some(expiry_after(now(), ms)),
            Life::UntilMs(ms) => Some(time_from_ms(ms)),
        }
    }

    /// Carries it out.
    pub(in crate::server) fn run(&self, txn: &mut Txn<'_>) -> Answered {
        let old = txn.find(self.key)?;
        let reply = match (self.reply, &old) {
            (Wanted::Old, Some(entry)) => Reply::bytes(entry.text()?),
            (Wanted::Old, None) => Reply::Null,
            (Wanted::Status, _) => Reply::Done,
            (Wanted::Flag, _) => Reply::Number(1),
        };
        let holds = match self.condition {
            Condition::Always => true,
            Condition::Absent => old.is_none(),
            Condition::Present => old.is_some(),
        };
        if !holds {
            return match self.reply {
                Wanted::Old => Ok(reply),
                Wanted::Status => Ok(Reply::Null),
                Wanted::Flag => flag(false),
            };
        }
        let expiry = match self.life {
            Life::Kept => old.and_then(|entry| entry.expiry),
            _ => self.expiry(|| txn.now()),
        };
        txn.put(self.key, &Value::Bytes(Cow::Borrowed(self.value)), expiry)?;
        Ok(reply)
    }
}

/// SET.
pub(super) fn set(args: Args<'_>) -> Result<Set<'_>, Refusal> {
    let mut set = Set::new(args.at(1), args.at(2));
    let mut rest = args.from(3);
    while let Some(word) = rest.next() {
        let free = set.life == Life::Endless;
        if is(word, "nx") && set.condition != Condition::Present {
            set.condition = Condition::Absent;
        } else if is(word, "xx") && set.condition != Condition::Absent {
            set.condition = Condition::Present;
        } else if is(word, "get") {
            set.reply = Wanted::Old;
        } else if is(word, "keepttl") && free {
            set.life = Life::Kept;
        } else if free && let Some(life) = life(word, &mut rest, "set")? {
            set.life = life;
        } else {
            return syntax();
        }
    }
    Ok(set)
}

/// SETEX.
pub(super) fn setex(args: Args<'_>) -> Result<Set<'_>, Refusal> {
    let life = Life::Ms(lifetime(args.at(2), 1000, "setex")?);
    Ok(Set { life, ..Set::new(args.at(1), args.at(3)) })
}

/// PSETEX.
pub(super) fn psetex(args: Args<'_>) -> Result<Set<'_>, Refusal> {
    let life = Life::Ms(lifetime(args.at(2), 1, "psetex")?);
    Ok(Set { life, ..Set::new(args.at(1), args.at(3)) })
}

/// SETNX.
pub(super) fn setnx(args: Args<'_>) -> Result<Set<'_>, Refusal> {
    let set = Set::new(args.at(1), args.at(2));
    Ok(Set { condition: Condition::Absent, reply: Wanted::Flag, ..set })
}

/// GETSET.
pub(super) fn getset(args: Args<'_>) -> Result<Set<'_>, Refusal> {
    Ok(Set { reply: Wanted::Old, ..Set::new(args.at(1), args.at(2)) })
}

/// GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]
pub(super) fn getex(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let mut rest = args.from(2);
    let change = match rest.next() {
        None => None,
        Some(word) if is(word, "persist") => Some(Life::Endless),
        Some(word) => match life(word, &mut rest, "getex")? {
            Some(life) => Some(life),
            None => return syntax(),
        },
    };
    if rest.next().is_some() {
        return syntax();
    }
    let Some(entry) = txn.look_up(args.at(1))? else { return Ok(Reply::Null) };
    let reply = Reply::bytes(entry.text()?);
    if let Some(life) = change {
        let expiry = Set { life, ..Set::new(b"", b"") }.expiry(|| txn.now());
        if expiry != entry.expiry {
            txn.set_expiry(args.at(1), expiry)?;
        }
    }
    Ok(reply)
}

/// The life that a word and the argument behind it give; `None` for another word.
fn life<'a>(
    word: &[u8],
    rest: &mut impl Iterator<Item = &'a [u8]>,
    command: &'static str,
) -> Result<Option<Life>, Refusal> {
    let (factor, make): (i64, fn(i64) -> Life) = match () {
        () if is(word, "ex") => (1000, Life::Ms),
        () if is(word, "px") => (1, Life::Ms),
        () if is(word, "exat") => (1000, Life::UntilMs),
        () if is(word, "pxat") => (1, Life::UntilMs),
        () => return Ok(None),
    };
    let Some(number) = rest.next() else { return error(SYNTAX) };
    lifetime(number, factor, command).map(|ms| Some(make(ms)))
}

/// A time in milliseconds from one in units of `factor` milliseconds: a positive one that a calendar can hold.
fn lifetime(number: &[u8], factor: i64, command: &'static str) -> Result<i64, Refusal> {
    let ms = integer(number)?.checked_mul(factor).filter(|ms| (1..i64::MAX / 2).contains(ms));
    ms.map_or_else(|| error(format!("ERR invalid expire time in '{command}' command")), Ok)
}
