//! Strings: reading them, and changing parts of them. What sets a whole one is in `set`.

use super::arguments::{NOT_FLOAT, NOT_INTEGER, count, flag, float, integer};
use super::decimal;
use super::{Answered, Refusal, error};
use crate::dataset::txn::{Entry, Txn};
use crate::protocol::Reply;
use crate::protocol::resp::Args;
use crate::protocol::resp::number::{format_f64, parse_f64, parse_i64, push_i64};
use crate::store::Value;
use std::borrow::Cow;

/// The most bytes that a string grows to.
const MAX_BYTES: usize = 512 << 20;
const TOO_LONG: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

/// GET key, in a transaction; alone it goes a shorter way (`Service::get`).
pub(super) fn get(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    // The reply's encoder says so of a hash.
    Ok(Reply::Value(txn.look_up(args.at(1))?.map(|entry| entry.stored)))
}

/// MGET key...
pub(super) fn mget(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let (mut values, mut bytes, most) = (Vec::new(), 0_usize, txn.data().max_walk_bytes());
    for key in args.from(1) {
        let entry = txn.look_up(key)?.filter(|entry| entry.hash().is_err());
        bytes = bytes.saturating_add(entry.as_ref().map_or(0, |entry| entry.stored.len()));
        if bytes > most {
            return error(format!("ERR the values are larger than {most} bytes: ask for fewer at a time"));
        }
        values.push(Reply::Value(entry.map(|entry| entry.stored)));
    }
    Ok(Reply::List(values))
}

/// GETDEL key
pub(super) fn getdel(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let Some(entry) = txn.look_up(args.at(1))? else { return Ok(Reply::Null) };
    let reply = Reply::bytes(entry.text()?);
    txn.delete(args.at(1))?;
    Ok(reply)
}

/// STRLEN key
pub(super) fn strlen(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let entry = txn.look_up(args.at(1))?;
    let len = entry.map_or(Ok(0), |entry| entry.text().map(|text| text.len()))?;
    Ok(count(len))
}

/// GETRANGE key start end, both inclusive, and counted from the end when negative
pub(super) fn getrange(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let (start, end) = (integer(args.at(2))?, integer(args.at(3))?);
    let Some(entry) = txn.look_up(args.at(1))? else { return Ok(Reply::bytes("")) };
    let text = entry.text()?;
    let part = part(text.len(), start, end).and_then(|part| text.get(part));
    Ok(Reply::bytes(part.unwrap_or_default()))
}

/// The part of `len` things from one to another, both inclusive and counted from the end when negative.
pub(super) fn part(len: usize, start: i64, end: i64) -> Option<std::ops::Range<usize>> {
    let len = i64::try_from(len).ok()?;
    let from_start = |at: i64| if at < 0 { (len + at).max(0) } else { at };
    // A range that lies before the beginning, as a whole.
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let (start, end) = (from_start(start), from_start(end).min(len - 1));
    (start <= end && len > 0).then_some(start as usize..end as usize + 1)
}

/// MSET key value...
pub(super) fn mset(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    check_pairs(args, "mset")?;
    put_pairs(txn, args)?;
    Ok(Reply::Done)
}

/// MSETNX key value...
pub(super) fn msetnx(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    check_pairs(args, "msetnx")?;
    for key in args.from(1).step_by(2) {
        if txn.find(key)?.is_some() {
            return flag(false);
        }
    }
    put_pairs(txn, args)?;
    flag(true)
}

fn check_pairs(args: Args<'_>, command: &str) -> Result<(), Refusal> {
    if args.len().is_multiple_of(2) {
        return error(format!("ERR wrong number of arguments for '{command}' command"));
    }
    Ok(())
}

fn put_pairs(txn: &mut Txn<'_>, args: Args<'_>) -> Result<(), Refusal> {
    let values = args.from(2).step_by(2);
    for (key, value) in args.from(1).step_by(2).zip(values) {
        txn.put(key, &Value::Bytes(Cow::Borrowed(value)), None)?;
    }
    Ok(())
}

/// APPEND key value
pub(super) fn append(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let (old, added) = (txn.find(args.at(1))?, args.at(2));
    let (mut text, expiry) = text_of(old.as_ref())?;
    if text.len() + added.len() > MAX_BYTES {
        return error(TOO_LONG);
    }
    text.extend_from_slice(added);
    let len = count(text.len());
    txn.put(args.at(1), &Value::Bytes(text.into()), expiry)?;
    Ok(len)
}

/// SETRANGE key offset value
pub(super) fn setrange(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let Ok(offset) = usize::try_from(integer(args.at(2))?) else {
        return error("ERR offset is out of range");
    };
    let (old, part) = (txn.find(args.at(1))?, args.at(3));
    let (mut text, expiry) = text_of(old.as_ref())?;
    if part.is_empty() {
        return Ok(count(text.len()));
    }
    let end = offset.saturating_add(part.len());
    if end > MAX_BYTES {
        return error(TOO_LONG);
    }
    text.resize(text.len().max(end), 0);
    if let Some(place) = text.get_mut(offset..end) {
        place.copy_from_slice(part);
    }
    let len = count(text.len());
    txn.put(args.at(1), &Value::Bytes(text.into()), expiry)?;
    Ok(len)
}

/// The text of what may be there, to be changed, and when that expires.
pub(super) fn text_of(entry: Option<&Entry>) -> Result<(Vec<u8>, Option<std::time::SystemTime>), Refusal> {
    match entry {
        Some(entry) => Ok((entry.text()?.into_owned(), entry.expiry)),
        None => Ok((Vec::new(), None)),
    }
}

/// INCR key
pub(super) fn incr(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    add(txn, args.at(1), 1)
}

/// DECR key
pub(super) fn decr(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    add(txn, args.at(1), -1)
}

/// INCRBY key increment
pub(super) fn incrby(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    add(txn, args.at(1), integer(args.at(2))?)
}

/// DECRBY key decrement
pub(super) fn decrby(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    match integer(args.at(2))?.checked_neg() {
        Some(increment) => add(txn, args.at(1), increment),
        None => error("ERR decrement would overflow"),
    }
}

fn add(txn: &mut Txn<'_>, key: &[u8], increment: i64) -> Answered {
    let old = txn.find(key)?;
    let number = match &old {
        Some(entry) => parse_i64(&entry.text()?).map_or_else(|| error(NOT_INTEGER), Ok)?,
        None => 0,
    };
    let Some(sum) = number.checked_add(increment) else {
        return error("ERR increment or decrement would overflow");
    };
    let mut text = Vec::with_capacity(20);
    push_i64(&mut text, sum);
    put_number(txn, key, old.as_ref(), text)?;
    Ok(Reply::Number(sum))
}

/// Puts a changed number in place of the one before: as JSON where that was JSON, so that the doors that speak it read a number
/// again.
fn put_number(txn: &mut Txn<'_>, key: &[u8], old: Option<&Entry>, text: Vec<u8>) -> Result<(), Refusal> {
    let was_json = old.is_some_and(|entry| matches!(Value::decode(&entry.stored), Value::Json(_)));
    let value = match String::from_utf8(text) {
        Ok(text) if was_json => Value::Json(text.into()),
        Ok(text) => Value::Bytes(text.into_bytes().into()),
        Err(error) => Value::Bytes(error.into_bytes().into()),
    };
    Ok(txn.put(key, &value, old.and_then(|entry| entry.expiry))?)
}

/// INCRBYFLOAT key increment
pub(super) fn incrbyfloat(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let old = txn.find(args.at(1))?;
    let text = match &old {
        Some(entry) => entry.text()?.into_owned(),
        None => b"0".to_vec(),
    };
    let sum = add_floats(&text, args.at(2), NOT_FLOAT)?;
    put_number(txn, args.at(1), old.as_ref(), sum.clone().into_bytes())?;
    Ok(Reply::bytes(sum))
}

/// The sum of two numbers in text, exact where both are decimals of ordinary length.
pub(super) fn add_floats(text: &[u8], increment: &[u8], not_float: &'static str) -> Result<String, Refusal> {
    let Some(number) = parse_f64(text) else { return error(not_float) };
    let sum = number + float(increment)?;
    if !sum.is_finite() {
        return error("ERR increment would produce NaN or Infinity");
    }
    Ok(decimal::add(text, increment).unwrap_or_else(|| format_f64(sum)))
}
