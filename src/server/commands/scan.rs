//! Walks over keys: all at once, or in steps with a cursor.
//!
//! A walk goes in the order of the keys, so a cursor is a place between two keys: each key that is there all the time comes
//! exactly once, whatever changes beside it. Clients take a cursor for a number, so the server notes which place a number
//! stands for.

use super::arguments::{integer, is, syntax};
use super::keys::type_of;
use super::{Answered, Call, Outcome, Refusal, error};
use crate::dataset::glob;
use crate::dataset::hash::Hash;
use crate::dataset::txn::Txn;
use crate::protocol::Reply;
use crate::protocol::resp::Args;
use crate::server::cursors::Cursors;
use crate::store::Scan;
use std::ops::Bound::{Excluded, Unbounded};

/// How many keys a step looks at when its client does not say.
const COUNT: usize = 10;
const MAX_COUNT: usize = 100_000;

/// The key behind which to go on; `None` is the beginning.
fn resolve(cursors: &Cursors, arg: &[u8]) -> Result<Option<Box<[u8]>>, Refusal> {
    let cursor = std::str::from_utf8(arg).ok().and_then(|text| text.parse().ok());
    match cursor {
        Some(0) => Ok(None),
        Some(cursor) => match cursors.place(cursor) {
            Some(place) => Ok(Some(place)),
            None => error("ERR this cursor is no longer known: begin again at 0"),
        },
        None => error("ERR invalid cursor"),
    }
}

/// What a walk is asked to show.
struct Filter<'a> {
    pattern: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    count: usize,
    values: bool,
}

impl<'a> Filter<'a> {
    /// The words from an argument on: MATCH, COUNT, TYPE and NOVALUES.
    fn parse(args: Args<'a>, from: usize) -> Result<Filter<'a>, Refusal> {
        let mut filter = Filter { pattern: None, kind: None, count: COUNT, values: true };
        let mut rest = args.from(from);
        while let Some(word) = rest.next() {
            if is(word, "novalues") {
                filter.values = false;
                continue;
            }
            let Some(argument) = rest.next() else { return syntax() };
            match word {
                word if is(word, "match") => filter.pattern = Some(argument),
                word if is(word, "type") => filter.kind = Some(argument),
                word if is(word, "count") => {
                    let count = integer(argument)?;
                    if count < 1 {
                        return syntax();
                    }
                    filter.count = usize::try_from(count).unwrap_or(MAX_COUNT).min(MAX_COUNT);
                }
                _ => return syntax(),
            }
        }
        Ok(filter)
    }

    fn shows(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }

    fn shows_value(&self, stored: &[u8]) -> bool {
        self.kind.is_none_or(|kind| is(kind, type_of(stored)))
    }
}

fn step(cursor: u64, found: Vec<Reply>) -> Reply {
    Reply::List(vec![Reply::bytes(cursor.to_string()), Reply::List(found)])
}

/// SCAN cursor [MATCH pattern] [COUNT n] [TYPE type]
pub(super) fn scan(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    call.elsewhere()?;
    let (args, service) = (call.args, call.service);
    let filter = Filter::parse(args, 2)?;
    let place = resolve(&service.cursors, args.at(1))?;
    let txn = call.txn();
    let lower = place.as_deref().map_or(Unbounded, Excluded);
    let mut walk = txn.walk(Scan { lower, ..Scan::all() })?;
    let (mut found, mut last) = (Vec::new(), None);
    for _ in 0..filter.count {
        let Some(entry) = walk.next() else {
            last = None;
            break;
        };
        let (key, stored) = entry?;
        if filter.shows(&key) && filter.shows_value(&stored) {
            found.push(Reply::Bytes(key.clone()));
        }
        last = Some(key);
    }
    let more = last.filter(|_| walk.next().is_some());
    Ok(step(more.map_or(0, |key| service.cursors.note(&key)), found).into())
}

/// HSCAN key cursor [MATCH pattern] [COUNT n] [NOVALUES]
pub(super) fn hscan(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    call.elsewhere()?;
    let (args, service) = (call.args, call.service);
    let filter = Filter::parse(args, 3)?;
    let place = resolve(&service.cursors, args.at(2))?;
    let mut txn = call.txn();
    let Some(hash) = txn.hash(args.at(1))? else { return Ok(step(0, Vec::new()).into()) };
    let (found, last) = fields(&txn, &hash, place.as_deref(), &filter)?;
    Ok(step(last.map_or(0, |field| service.cursors.note(&field)), found).into())
}

/// The fields behind a place, and where to go on.
fn fields(
    txn: &Txn<'_>,
    hash: &Hash,
    place: Option<&[u8]>,
    filter: &Filter<'_>,
) -> Result<(Vec<Reply>, Option<Vec<u8>>), Refusal> {
    let (mut found, mut last) = (Vec::new(), None);
    let mut left = filter.count;
    for pair in txn.fields(hash, place.unwrap_or_default())? {
        let (field, value) = pair?;
        if place == Some(&field[..]) {
            continue;
        }
        if left == 0 {
            return Ok((found, last));
        }
        left -= 1;
        if filter.shows(&field) {
            found.push(Reply::bytes(&field));
            if filter.values {
                found.push(Reply::Bytes(value));
            }
        }
        last = Some(field);
    }
    Ok((found, None))
}

/// KEYS pattern
pub(super) fn keys(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let (pattern, limit) = (args.at(1), txn.data().max_walk_bytes());
    let prefix = glob::prefix(pattern);
    let scan = Scan::between(std::ops::Bound::Included(&prefix[..]), Unbounded);
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    for entry in txn.walk(scan)? {
        let (key, _) = entry?;
        if !key.starts_with(&prefix) {
            break;
        }
        if glob::matches(pattern, &key) {
            bytes = bytes.saturating_add(key.len() + size_of::<Reply>());
            if bytes > limit {
                return error(format!("ERR the keys are more than {limit} bytes: use SCAN"));
            }
            found.push(Reply::Bytes(key));
        }
    }
    Ok(Reply::List(found))
}

/// RANDOMKEY: the first key behind a random place between the first and the last. Keys behind wide gaps come more often.
pub(super) fn randomkey(txn: &mut Txn<'_>, _args: Args<'_>) -> Answered {
    let mut ends = Vec::new();
    for scan in [Scan::all(), Scan::all().reversed()] {
        let Some(entry) = txn.walk(scan.limited(1))?.next() else { return Ok(Reply::Null) };
        ends.push(entry?.0);
    }
    let place = match &ends[..] {
        [first, last] => between(first, last, fraction()),
        _ => Vec::new(),
    };
    let behind = Scan::between(std::ops::Bound::Included(&place[..]), Unbounded);
    match txn.walk(behind.limited(1))?.next() {
        Some(entry) => Ok(Reply::Bytes(entry?.0)),
        None => Ok(ends.into_iter().next().map_or(Reply::Null, Reply::Bytes)),
    }
}

/// A number that nobody can foresee.
fn fraction() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(())
}

/// The bytes that lie the given part of the way, in 2^64ths, between two keys: behind what both begin with, eight bytes are
/// counted as a number.
fn between(first: &[u8], last: &[u8], part: u64) -> Vec<u8> {
    let common = first.iter().zip(last).take_while(|(a, b)| a == b).count();
    let number = |key: &[u8]| {
        let bytes = (0..8).map(|at| key.get(common + at).copied().unwrap_or(0));
        bytes.fold(0_u64, |number, byte| number << 8 | u64::from(byte))
    };
    let (low, high) = (number(first), number(last));
    let way = (u128::from(high.saturating_sub(low)) * u128::from(part)) >> 64;
    let mut place = first.get(..common).unwrap_or_default().to_vec();
    place.extend_from_slice(&low.saturating_add(way as u64).to_be_bytes());
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_between_keys() {
        assert_eq!(between(b"user:a", b"user:c", 0)[..6], *b"user:a");
        assert_eq!(between(b"user:a", b"user:c", 1 << 63)[..6], *b"user:b");
        assert!(between(b"a", b"a", u64::MAX).starts_with(b"a"));
    }
}
