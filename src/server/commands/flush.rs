//! Whole databases: how many keys there are, and none any more.

use super::arguments::{count, is, syntax};
use super::keys::{BAD_DATABASE, database};
use super::{Answered, Call, Outcome, Refusal, error};
use crate::dataset::spaces::DATABASES;
use crate::dataset::txn::Txn;
use crate::protocol::Reply;
use crate::protocol::resp::Args;
use crate::store::Scan;

/// DBSIZE: exact, and so it counts.
pub(super) fn dbsize(txn: &mut Txn<'_>, _args: Args<'_>) -> Answered {
    let mut keys = 0_usize;
    for entry in txn.walk(Scan::all())? {
        entry?;
        keys += 1;
    }
    Ok(count(keys))
}

/// FLUSHDB [ASYNC | SYNC]
pub(super) fn flushdb(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    check(args)?;
    txn.clear()?;
    Ok(Reply::Done)
}

/// FLUSHALL [ASYNC | SYNC]
pub(super) fn flushall(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    check(args)?;
    let here = txn.database();
    for number in 0..DATABASES {
        txn.enter(number);
        txn.clear()?;
    }
    txn.enter(here);
    Ok(Reply::Done)
}

/// Either way it is one write, however much there is.
fn check(args: Args<'_>) -> Result<(), Refusal> {
    match args.get(1) {
        None => Ok(()),
        Some(word) if args.len() == 2 && (is(word, "async") || is(word, "sync")) => Ok(()),
        Some(_) => syntax(),
    }
}

/// SWAPDB one other
pub(super) fn swapdb(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    if let Some(queue) = &mut call.session.queue {
        queue.broken = true;
        return error("ERR SWAPDB is not possible inside a transaction");
    }
    let number = |arg, which: &str| match crate::protocol::resp::number::parse_i64(arg) {
        Some(_) => database(arg),
        None => error(format!("ERR invalid {which} DB index")),
    };
    let (one, other) = (number(call.args.at(1), "first")?, number(call.args.at(2), "second")?);
    if one >= DATABASES || other >= DATABASES {
        return error(BAD_DATABASE);
    }
    call.elsewhere()?;
    call.service.data.swap(one, other, call.place.reach())?;
    call.service.audit(call.session, &format!("SWAPDB {one} {other}"));
    Ok(Reply::Done.into())
}
