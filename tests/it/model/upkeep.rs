//! What changes nothing that can be seen: syncs, flushes, compactions, verification.

use super::answer::Answer;
use super::database::{Database, PATH};
use super::map::{Durable, Model};
use super::op::Shape;
use super::walks::{END, Span, View, say_found, say_pair, step};
use crate::support::Random;
use siltstone::{Background, Db, Result};
use std::ops::Bound;

/// Where copies are made.
const COPY: &str = "/copy";

#[derive(Debug, Clone, PartialEq)]
pub enum Upkeep {
    Sync,
    Flush,
    Compact {
        lower: Bound<u32>,
        upper: Bound<u32>,
    },
    Verify,
    /// A copy is made, opened beside the first one, and read.
    Checkpoint,
    /// It is opened for reading only, as by another process, and read.
    Look,
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
            18 => match random.below(3) {
                0 => Upkeep::Verify,
                1 => Upkeep::Checkpoint,
                _ => Upkeep::Look,
            },
            _ => Upkeep::Everything,
        }
    }

    pub fn on_map(&self, map: &mut Model, answer: &mut Answer) {
        match self {
            Upkeep::Sync | Upkeep::Flush | Upkeep::Compact { .. } => map.durable(Durable::AllSoFar),
            Upkeep::Verify => {}
            Upkeep::Checkpoint => {
                map.durable(Durable::AllSoFar);
                say_all(map, answer);
                answer.fact(true);
            }
            Upkeep::Look => say_all(map, answer),
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

    pub fn on_db(&self, db: &mut Database, answer: &mut Answer) -> Result<()> {
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
            Upkeep::Checkpoint => {
                db.db().checkpoint(COPY)?;
                let copy =
                    db.options().background(Background::Stepped).create_if_missing(false).open(COPY)?;
                say_all_found(&copy, db, answer)?;
                answer.fact(copy.verify()?.is_sound());
                copy.close()?;
                let files = db.vfs.files().into_iter().filter(|file| file.starts_with(COPY));
                files.for_each(|file| db.vfs.remove_file(&file).unwrap());
                Ok(())
            }
            Upkeep::Look => {
                let look = db.options().open_read_only(PATH)?;
                say_all_found(&look, db, answer)?;
                look.close()
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

fn say_all(map: &Model, answer: &mut Answer) {
    let _ = step(&mut *Span::All.on_map(&map.map, &map.keys), &[END], |pair| say_pair(answer, pair));
}

fn say_all_found(db: &Db, database: &Database, answer: &mut Answer) -> Result<()> {
    step(&mut View::Now(db).walk(&Span::All, &database.keys), &[END], |found| say_found(answer, found))
}
