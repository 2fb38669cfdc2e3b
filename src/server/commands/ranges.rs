//! Our own commands, for what an ordered store can do and Redis has no command for.
//!
//! ```text
//! SS.RANGE start end [LIMIT n] [REV] [KEYSONLY]     both ends inclusive; `-` and `+` are the first and the last key
//! SS.PREFIX prefix [LIMIT n] [REV] [KEYSONLY]
//! SS.DELRANGE start end                             both ends inclusive; one write, however many keys there are
//! SS.SNAPSHOT OPEN | CLOSE id | GET id key | RANGE id start end ...
//! SS.COMPACT · SS.STATS
//! ```

use super::arguments::{integer, is, syntax};
use super::keys::unknown_subcommand;
use super::{Answered, Call, Outcome, Refusal, error};
use crate::dataset::spaces::Space;
use crate::dataset::txn::{Entry, Txn};
use crate::protocol::Reply;
use crate::protocol::resp::Args;
use crate::server::snapshots::MAX_SNAPSHOTS;
use crate::store::{Direction, Entries, Scan, Value, View, behind_prefix};
use crate::{KeyspaceRef, Slice};
use std::ops::Bound::{self, Excluded, Included, Unbounded};

/// The words behind the bounds.
struct Shape {
    limit: usize,
    direction: Direction,
    keys_only: bool,
}

impl Shape {
    fn parse(args: Args<'_>, from: usize) -> Result<Shape, Refusal> {
        let mut shape = Shape { limit: usize::MAX, direction: Direction::Forward, keys_only: false };
        let mut rest = args.from(from);
        while let Some(word) = rest.next() {
            if is(word, "rev") {
                shape.direction = Direction::Reverse;
            } else if is(word, "keysonly") {
                shape.keys_only = true;
            } else if is(word, "limit") {
                let Some(limit) = rest.next() else { return syntax() };
                let Ok(limit) = usize::try_from(integer(limit)?) else {
                    return error("ERR LIMIT must not be negative");
                };
                shape.limit = limit;
            } else {
                return syntax();
            }
        }
        Ok(shape)
    }

    fn scan<'a>(&self, (lower, upper): (Bound<&'a [u8]>, Bound<&'a [u8]>)) -> Scan<'a> {
        let scan = Scan { lower, upper, direction: self.direction, limit: None };
        if self.limit == usize::MAX { scan } else { scan.limited(self.limit) }
    }

    /// What a walk gives, as long as there are not more than so many bytes.
    fn gather<E: Into<Refusal>>(
        &self,
        walk: impl Iterator<Item = Result<(Slice, Slice), E>>,
        most: usize,
    ) -> Answered {
        let (mut keys, mut entries, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
        for entry in walk {
            let (key, value) = entry.map_err(Into::into)?;
            bytes = bytes.saturating_add(key.len() + size_of::<(Slice, Slice)>());
            if !self.keys_only {
                bytes = bytes.saturating_add(value.len());
            }
            if bytes > most {
                return error(format!(
                    "ERR the range is larger than {most} bytes: ask for a narrower one, or set LIMIT"
                ));
            }
            if self.keys_only {
                keys.push(Reply::Bytes(key));
            } else {
                entries.push((Reply::Bytes(key), value_of(&value)));
            }
        }
        Ok(if self.keys_only { Reply::List(keys) } else { Reply::Map(entries) })
    }
}

/// A value in a range; a hash is shown by its kind, since its fields are another walk.
fn value_of(stored: &Slice) -> Reply {
    match Value::decode(stored) {
        Value::Hash(_) => Reply::Status("hash".into()),
        Value::Bytes(_) | Value::Json(_) => Reply::Value(Some(stored.clone())),
    }
}

fn bounds<'a>(args: Args<'a>, from: usize) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
    let bound = |arg: &'a [u8], open: &[u8]| if arg == open { Unbounded } else { Included(arg) };
    (bound(args.at(from), b"-"), bound(args.at(from + 1), b"+"))
}

/// SS.RANGE
pub(super) fn range(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let shape = Shape::parse(args, 3)?;
    shape.gather(txn.walk(shape.scan(bounds(args, 1)))?, txn.data().max_walk_bytes())
}

/// SS.PREFIX
pub(super) fn prefix(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let shape = Shape::parse(args, 2)?;
    let end = behind_prefix(args.at(1));
    let upper = end.as_deref().map_or(Unbounded, Excluded);
    let walk = txn.walk(shape.scan((Included(args.at(1)), upper)))?;
    shape.gather(walk, txn.data().max_walk_bytes())
}

/// SS.DELRANGE. Fields of hashes in it go with the next sweep; nobody sees them.
pub(super) fn delrange(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    txn.clear_range(bounds(args, 1))?;
    Ok(Reply::Done)
}

/// SS.SNAPSHOT
pub(super) fn snapshot(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    let (args, service) = (call.args, call.service);
    let shape = match args.at(1) {
        what if is(what, "open") && args.len() == 2 => {
            let id = match service.snapshots.open(service.data.engine().view()?) {
                Some(id) => id,
                None => return error(format!("ERR there are {MAX_SNAPSHOTS} snapshots already: close one")),
            };
            return Ok(Reply::Number(i64::try_from(id).unwrap_or(i64::MAX)).into());
        }
        what if is(what, "close") && args.len() == 3 => {
            let closed = service.snapshots.close(id(args)?);
            return Ok(Reply::Number(i64::from(closed)).into());
        }
        what if is(what, "get") && args.len() == 4 => None,
        what if is(what, "range") && args.len() >= 5 => Some(Shape::parse(args, 5)?),
        _ => return unknown_subcommand(args),
    };
    let Some(view) = service.snapshots.get(id(args)?) else {
        return error("ERR no such snapshot: it was closed, or not asked for ten minutes");
    };
    call.elsewhere()?;
    let keyspace = service.data.spaces().get(Space(call.session.database))?;
    Ok(match shape {
        None => get(&*view, keyspace, args.at(3))?,
        Some(shape) => {
            let walk: Entries = view.range(keyspace, shape.scan(bounds(args, 3)))?;
            shape.gather(walk, service.config.max_range_bytes)?
        }
    }
    .into())
}

/// Which snapshot is meant.
fn id(args: Args<'_>) -> Result<u64, Refusal> {
    Ok(u64::try_from(integer(args.at(2))?).unwrap_or(0))
}

fn get(view: &dyn View, keyspace: KeyspaceRef, key: &[u8]) -> Answered {
    let Some(found) = view.find(keyspace, key)? else { return Ok(Reply::Null) };
    let entry = Entry { stored: found.value, expiry: found.expiry };
    Ok(Reply::bytes(entry.text()?))
}

/// SS.COMPACT
pub(super) fn compact(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    call.elsewhere()?;
    call.service.compact()?;
    call.service.audit(call.session, "COMPACT");
    Ok(Reply::Done.into())
}

/// SS.STATS: what the engine counts, as one JSON text.
pub(super) fn stats(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    Ok(Reply::bytes(call.service.data.engine().stats_json()).into())
}
