//! Hashes: fields with values under one key.

use super::arguments::{NOT_INTEGER, count, flag, integer, is, syntax};
use super::strings::add_floats;
use super::{Answered, Refusal, error};
use crate::dataset::txn::Txn;
use crate::protocol::Reply;
use crate::protocol::resp::Args;
use crate::protocol::resp::number::parse_i64;
use crate::random::Random;
use std::hash::{BuildHasher, RandomState};

/// HSET key field value...
pub(super) fn hset(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    set_all(txn, args, "hset").map(count)
}

/// HMSET key field value...
pub(super) fn hmset(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    set_all(txn, args, "hmset").map(|_| Reply::Done)
}

fn set_all(txn: &mut Txn<'_>, args: Args<'_>, command: &str) -> Result<usize, Refusal> {
    if !args.len().is_multiple_of(2) {
        return error(format!("ERR wrong number of arguments for '{command}' command"));
    }
    let mut hash = txn.hash_or_new(args.at(1))?;
    let mut new = 0;
    let values = args.from(3).step_by(2);
    for (field, value) in args.from(2).step_by(2).zip(values) {
        new += usize::from(txn.set_field(&mut hash, field, value)?);
    }
    txn.store_hash(args.at(1), &hash)?;
    Ok(new)
}

/// HSETNX key field value
pub(super) fn hsetnx(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let mut hash = txn.hash_or_new(args.at(1))?;
    if txn.field(&hash, args.at(2))?.is_some() {
        return flag(false);
    }
    txn.set_field(&mut hash, args.at(2), args.at(3))?;
    txn.store_hash(args.at(1), &hash)?;
    flag(true)
}

/// HGET key field
pub(super) fn hget(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let Some(hash) = txn.hash(args.at(1))? else { return Ok(Reply::Null) };
    Ok(txn.field(&hash, args.at(2))?.map_or(Reply::Null, Reply::Bytes))
}

/// HMGET key field...
pub(super) fn hmget(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let hash = txn.hash(args.at(1))?;
    let value = |field| match &hash {
        Some(hash) => Ok(txn.field(hash, field)?.map_or(Reply::Null, Reply::Bytes)),
        None => Ok(Reply::Null),
    };
    args.from(2).map(value).collect::<Result<_, Refusal>>().map(Reply::List)
}

/// HGETALL key
pub(super) fn hgetall(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let all = all(txn, args.at(1))?;
    Ok(Reply::Map(all.into_iter().map(|(field, value)| (Reply::bytes(field), Reply::Bytes(value))).collect()))
}

/// HKEYS key
pub(super) fn hkeys(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let all = all(txn, args.at(1))?;
    Ok(Reply::List(all.into_iter().map(|(field, _)| Reply::bytes(field)).collect()))
}

/// HVALS key
pub(super) fn hvals(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let all = all(txn, args.at(1))?;
    Ok(Reply::List(all.into_iter().map(|(_, value)| Reply::Bytes(value)).collect()))
}

type Pair = (Vec<u8>, crate::Slice);

fn all(txn: &mut Txn<'_>, key: &[u8]) -> Result<Vec<Pair>, Refusal> {
    let Some(hash) = txn.hash(key)? else { return Ok(Vec::new()) };
    let (mut pairs, mut bytes, most) = (Vec::new(), 0_usize, txn.data().max_walk_bytes());
    for pair in txn.fields(&hash, b"")? {
        let (field, value) = pair?;
        bytes = bytes.saturating_add(field.len() + value.len() + 2 * size_of::<Reply>());
        if bytes > most {
            return error(format!(
                "ERR the hash is larger than {most} bytes: use HSCAN, or HMGET for some of it"
            ));
        }
        pairs.push((field, value));
    }
    Ok(pairs)
}

/// HDEL key field...
pub(super) fn hdel(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let Some(mut hash) = txn.hash(args.at(1))? else { return flag(false) };
    let mut removed = 0;
    for field in args.from(2) {
        removed += usize::from(txn.delete_field(&mut hash, field)?);
    }
    if removed > 0 {
        txn.store_hash(args.at(1), &hash)?;
    }
    Ok(count(removed))
}

/// HEXISTS key field
pub(super) fn hexists(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let Some(hash) = txn.hash(args.at(1))? else { return flag(false) };
    flag(txn.field(&hash, args.at(2))?.is_some())
}

/// HLEN key
pub(super) fn hlen(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    Ok(count(txn.hash(args.at(1))?.map_or(0, |hash| hash.len())))
}

/// HSTRLEN key field
pub(super) fn hstrlen(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let Some(hash) = txn.hash(args.at(1))? else { return flag(false) };
    Ok(count(txn.field(&hash, args.at(2))?.map_or(0, |value| value.len())))
}

/// HINCRBY key field increment
pub(super) fn hincrby(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let increment = integer(args.at(3))?;
    let mut hash = txn.hash_or_new(args.at(1))?;
    let number = match txn.field(&hash, args.at(2))? {
        Some(text) => parse_i64(&text).map_or_else(|| error("ERR hash value is not an integer"), Ok)?,
        None => 0,
    };
    let Some(sum) = number.checked_add(increment) else {
        return error("ERR increment or decrement would overflow");
    };
    txn.set_field(&mut hash, args.at(2), sum.to_string().as_bytes())?;
    txn.store_hash(args.at(1), &hash)?;
    Ok(Reply::Number(sum))
}

/// HINCRBYFLOAT key field increment
pub(super) fn hincrbyfloat(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let mut hash = txn.hash_or_new(args.at(1))?;
    let old = txn.field(&hash, args.at(2))?;
    let sum = add_floats(old.as_deref().unwrap_or(b"0"), args.at(3), "ERR hash value is not a float")?;
    txn.set_field(&mut hash, args.at(2), sum.as_bytes())?;
    txn.store_hash(args.at(1), &hash)?;
    Ok(Reply::bytes(sum))
}

/// HRANDFIELD key [count [WITHVALUES]]: a negative count may give a field more than once.
pub(super) fn hrandfield(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let with_values = match args.get(3) {
        None => false,
        Some(word) if is(word, "withvalues") && args.len() == 4 => true,
        Some(_) => return syntax(),
    };
    let wanted = args.get(2).map(integer).transpose()?;
    /// A reply that is longer makes no sense.
    const MOST: u64 = 1 << 20;
    if wanted.is_some_and(|wanted| wanted < 0 && wanted.unsigned_abs() > MOST) {
        return error(NOT_INTEGER);
    }
    let mut all = all(txn, args.at(1))?;
    let mut random = Random::new(RandomState::new().hash_one(()));
    let Some(wanted) = wanted else {
        let at = random.below(all.len());
        return Ok(all.get(at).map_or(Reply::Null, |(field, _)| Reply::bytes(field)));
    };
    let chosen: Vec<Pair> = if wanted < 0 && !all.is_empty() {
        let one = |_| all.get(random.below(all.len())).cloned();
        (0..wanted.unsigned_abs()).filter_map(one).collect()
    } else {
        let wanted = usize::try_from(wanted).unwrap_or(0).min(all.len());
        for at in 0..wanted {
            let other = at + random.below(all.len() - at);
            all.swap(at, other);
        }
        all.truncate(wanted);
        all
    };
    let field = |field: Vec<u8>| Reply::bytes(field);
    Ok(if with_values {
        Reply::Pairs(chosen.into_iter().map(|(name, value)| (field(name), Reply::Bytes(value))).collect())
    } else {
        Reply::List(chosen.into_iter().map(|(name, _)| field(name)).collect())
    })
}
