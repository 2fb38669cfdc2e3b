//! What changes nothing that can be seen: syncs, flushes, compactions, verification.

use super::answer::Answer;
use super::database::Database;
use super::map::{Durable, Model};
use super::op::Shape;
use super::walks::{END, Span, View, say_found, say_pair, step};
use crate::support::Random;
use siltstone::Result;
use std::ops::Bound;

#[derive(Debug, Clone, PartialEq)]
pub enum Upkeep {
    Sync,
    Flush,
    Compact {
        lower: Bound<u32>,
        upper: Bound<u32>,
    },
    Verify,
    /// Reads everything, forwards, backwards and key by key.
    Everything,
}

impl Upkeep {
    pub fn random(random: &mut Random, shape: &Shape) -> Upkeep {
        match random.below(20) {
            0..5 => Upkeep::Sync,
            5..13 => Upkeep::Flush,
            13..18 => match Span::random(random, shape) {
                Span::Between { lower, upper } => Upkeep::Compact { lower, upper },
                _ => Upkeep::Compact { lower: Bound::Unbounded, upper: Bound::Unbounded },
            },
            18 => Upkeep::Verify,
            _ => Upkeep::Everything,
        }
    }

    pub fn on_map(&self, map: &mut Model, answer: &mut Answer) {
        match self {
            Upkeep::Sync | Upkeep::Flush | Upkeep::Compact { .. } => map.durable(Durable::AllSoFar),
            Upkeep::Verify => {}
            Upkeep::Everything => {
                for end in [END, -END] {
                    let _ = step(&mut *Span::All.on_map(&map.map, &map.keys), &[end], |pair| {
                        say_pair(answer, pair)
                    });
                }
                (map.map.values()).for_each(|look| answer.value(Some(*look)));
            }
        }
    }

    pub fn on_db(&self, db: &Database, answer: &mut Answer) -> Result<()> {
        match self {
            Upkeep::Sync => db.db().sync(),
            Upkeep::Flush => db.db().flush(),
            Upkeep::Compact { lower, upper } => {
                let bounds = (lower.map(|n| db.keys.bytes(n)), upper.map(|n| db.keys.bytes(n)));
                db.db().compact_range::<&[u8]>(bounds)
            }
            Upkeep::Verify => {
                db.db().verify()?.problems.iter().for_each(|problem| answer.fact(problem));
                Ok(())
            }
            Upkeep::Everything => {
                let mut keys = Vec::new();
                step(&mut View::Now(db.db()).walk(&Span::All, &db.keys), &[END], |found| {
                    keys.extend(found.iter().flatten().map(|(key, _)| key.clone()));
                    say_found(answer, found)
                })?;
                step(&mut View::Now(db.db()).walk(&Span::All, &db.keys), &[-END], |found| {
                    say_found(answer, found)
                })?;
                keys.iter().try_for_each(|key| {
                    answer.found(db.db().get(key)?.as_ref());
                    Ok(())
                })
            }
        }
    }
}
