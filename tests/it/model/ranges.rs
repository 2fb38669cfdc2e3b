//! Deletions of ranges: alone, and in batches between puts.
//!
//! They end all transactions: the deletion of keys that are not there may or may not be a conflict, depending on when it is flushed
//! (`it::transactions` has those that are).

use super::answer::Answer;
use super::data::{Keys, V};
use super::database::Database;
use super::map::{Durable, Model};
use super::op::Shape;
use super::walks::Span;
use crate::support::Random;
use siltstone::{Db, Durability, Result, WriteBatch};
use std::ops::Bound;

#[derive(Debug, Clone, PartialEq)]
pub enum Ranges {
    Delete {
        span: Span,
    },
    Clear,
    /// A batch that puts, deletes a range, and puts again.
    Replace {
        span: Span,
        before: Vec<(u32, V)>,
        after: Vec<(u32, V)>,
    },
}

impl Ranges {
    pub fn random(random: &mut Random, shape: &mut Shape) -> Ranges {
        let span = match random.below(4) {
            0 => Span::random(random, shape),
            _ => Span::Prefix { key: shape.space.any(random), len: 1 + random.below(9) },
        };
        let mut pairs = |random: &mut Random| {
            let pair = |_| {
                shape.stamp += 1;
                (shape.space.key(random), V::random(random, shape.stamp))
            };
            (0..2).map(pair).collect()
        };
        match random.below(20) {
            0 => Ranges::Clear,
            1..14 => Ranges::Delete { span },
            _ => {
                let (before, after) = (pairs(random), pairs(random));
                Ranges::Replace { span, before, after }
            }
        }
    }

    pub fn on_map(&self, map: &mut Model, _: &mut Answer) {
        map.transactions = Default::default();
        match self {
            Ranges::Delete { span } => map.write_range(&[], span, &[]),
            Ranges::Clear => map.write_range(&[], &Span::All, &[]),
            Ranges::Replace { span, before, after } => map.write_range(before, span, after),
        }
        match map.default {
            Durability::Sync => map.durable(Durable::AllSoFar),
            Durability::Interval(interval) => map.within(interval),
            Durability::Os => {}
        }
    }

    pub fn on_db(&self, db: &mut Database) -> Result<()> {
        db.transactions = Default::default();
        match self {
            Ranges::Delete { span } => delete(db.db(), &bounds(span, &db.keys)),
            Ranges::Clear => db.db().clear(),
            Ranges::Replace { span, before, after } => {
                let mut batch = WriteBatch::new();
                before.iter().for_each(|(key, value)| batch.put(db.keys.bytes(*key), value.bytes()));
                let (lower, upper) = bounds(span, &db.keys);
                batch.delete_range::<&[u8]>((slice(&lower), slice(&upper)));
                after.iter().for_each(|(key, value)| batch.put(db.keys.bytes(*key), value.bytes()));
                db.db().write(batch)
            }
        }
    }
}

type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

fn delete(db: &Db, (lower, upper): &Bounds) -> Result<()> {
    db.delete_range::<&[u8]>((slice(lower), slice(upper)))
}

fn slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

fn bounds(span: &Span, keys: &Keys) -> Bounds {
    match span {
        Span::All => (Bound::Unbounded, Bound::Unbounded),
        Span::Between { lower, upper } => {
            let bytes = |n: u32| keys.bytes(n).to_vec();
            (lower.map(bytes), upper.map(bytes))
        }
        Span::Prefix { key, len } => {
            let prefix = Span::prefix(keys, *key, *len).to_vec();
            let mut behind = prefix.clone();
            while behind.pop_if(|last| *last == 0xff).is_some() {}
            let upper = match behind.last_mut() {
                Some(last) => {
                    *last += 1;
                    Bound::Excluded(behind)
                }
                None => Bound::Unbounded,
            };
            (Bound::Included(prefix), upper)
        }
    }
}
