//! A keyspace beside the one without a name: written to, cleared, dropped, and made again.

use super::answer::Answer;
use super::data::{Key, Look, V};
use super::database::Database;
use super::map::{Durable, Map, Model};
use super::op::Shape;
use super::walks::{END, Span, say_found, say_pair, step};
use crate::support::Random;
use siltstone::{Durability, Error, Keyspace, Result};

/// The name of it.
const NAME: &str = "side";

#[derive(Debug, Clone, PartialEq)]
pub enum Spaces {
    /// Makes it, if it is not there.
    Put {
        key: u32,
        value: V,
    },
    Clear,
    Drop,
    Scan,
}

impl Spaces {
    pub fn random(random: &mut Random, shape: &mut Shape) -> Spaces {
        match random.below(12) {
            0 => Spaces::Drop,
            1 => Spaces::Clear,
            2..5 => Spaces::Scan,
            _ => {
                shape.stamp += 1;
                Spaces::Put { key: shape.space.key(random), value: V::random(random, shape.stamp) }
            }
        }
    }

    pub fn on_map(&self, map: &mut Model, answer: &mut Answer) {
        match self {
            Spaces::Put { key, value } => {
                let key = map.keys.get(*key).clone();
                map.side.get_or_insert_default().insert(key, value.look());
            }
            Spaces::Clear => match &mut map.side {
                Some(side) => side.clear(),
                None => return answer.fact("there is none"),
            },
            Spaces::Drop if map.side.take().is_some() => {
                answer.fact("its handle says so");
                return map.durable(Durable::AllSoFar);
            }
            Spaces::Drop => return answer.fact("there is none"),
            Spaces::Scan => {
                let side = map.side.clone().unwrap_or_default();
                for end in [END, -END] {
                    let mut walk = Span::All.on_map(&side, &map.keys);
                    let _ = step(&mut *walk, &[end], |pair| say_pair(answer, pair));
                }
                return;
            }
        }
        match map.default {
            Durability::Sync => map.durable(Durable::AllSoFar),
            Durability::Interval(interval) => map.within(interval),
            Durability::Os => {}
        }
    }

    pub fn on_db(&self, db: &Database, answer: &mut Answer) -> Result<()> {
        let side = open(db)?;
        match (self, side) {
            (Spaces::Put { key, value }, _) => {
                db.db().keyspace(NAME)?.put(db.keys.bytes(*key), value.bytes())
            }
            (Spaces::Clear, Some(side)) => side.clear(),
            (Spaces::Drop, Some(side)) => {
                db.db().drop_keyspace(NAME)?;
                if matches!(side.get("any"), Err(Error::KeyspaceDropped { .. })) {
                    answer.fact("its handle says so");
                }
                Ok(())
            }
            (Spaces::Clear | Spaces::Drop, None) => {
                answer.fact("there is none");
                Ok(())
            }
            (Spaces::Scan, side) => [END, -END].into_iter().try_for_each(|end| match &side {
                Some(side) => step(&mut side.iter(), &[end], |found| say_found(answer, found)),
                None => step(&mut std::iter::empty(), &[end], |found| say_found(answer, found)),
            }),
        }
    }
}

fn open(db: &Database) -> Result<Option<Keyspace>> {
    match db.db().keyspaces()?.iter().any(|name| name == NAME) {
        true => db.db().keyspace(NAME).map(Some),
        false => Ok(None),
    }
}

/// What is in it.
pub fn contents(db: &Database) -> Result<Option<Map>> {
    let Some(side) = open(db)? else { return Ok(None) };
    let pairs = side.iter().map(|pair| pair.map(|(key, value)| (Key::new(&key), Look::of(&value))));
    pairs.collect::<Result<Map>>().map(Some)
}
