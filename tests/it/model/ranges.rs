//! Deletions of ranges: alone, and in batches between puts (`transactions` has those in transactions).
//!
//! They end all transactions: the deletion of keys that are not there may or may not be a conflict, depending on when it is flushed
//! (`it::transactions` has those that are).

use super::answer::Answer;
use super::data::V;
use super::database::Database;
use super::map::{Durable, Model};
use super::op::Shape;
use super::walks::{Bounds, Span};
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
        match self {
            Ranges::Delete { span } => map.write_ranges(&[], std::slice::from_ref(span), &[]),
            Ranges::Clear => map.write_ranges(&[], &[Span::All], &[]),
            Ranges::Replace { span, before, after } => {
                let after: Vec<_> = after.iter().map(|(key, value)| (*key, Some(*value))).collect();
                map.write_ranges(before, std::slice::from_ref(span), &after);
            }
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
            Ranges::Delete { span } => delete(db.db(), &span.bounds(&db.keys)),
            Ranges::Clear => db.db().clear(),
            Ranges::Replace { span, before, after } => {
                let mut batch = WriteBatch::new();
                before.iter().for_each(|(key, value)| batch.put(db.keys.bytes(*key), value.bytes()));
                let (lower, upper) = span.bounds(&db.keys);
                batch.delete_range::<&[u8]>((slice(&lower), slice(&upper)));
                after.iter().for_each(|(key, value)| batch.put(db.keys.bytes(*key), value.bytes()));
                db.db().write(batch)
            }
        }
    }
}

fn delete(db: &Db, (lower, upper): &Bounds) -> Result<()> {
    db.delete_range::<&[u8]>((slice(lower), slice(upper)))
}

pub fn slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}
