//! Snapshots: taken, kept, copied, read while everything else goes on.

use super::answer::Answer;
use super::database::Database;
use super::map::{Model, Then};
use super::op::Shape;
use super::walks::{Span, View, moves, say_found, say_pair, step};
use crate::support::Random;
use siltstone::{Error, Result};

/// How many can live at once.
pub const SLOTS: usize = 4;

#[derive(Debug, Clone, PartialEq)]
pub enum Snapshots {
    TakeSnapshot { slot: usize },
    CopySnapshot { from: usize, to: usize },
    DropSnapshot { slot: usize },
    SnapshotGet { slot: usize, key: u32 },
    SnapshotScan { slot: usize, span: Span, moves: Vec<i16> },
}

impl Snapshots {
    pub fn random(random: &mut Random, shape: &Shape) -> Snapshots {
        let slot = random.below(SLOTS);
        match random.below(12) {
            0 | 1 => Snapshots::TakeSnapshot { slot },
            2 => Snapshots::CopySnapshot { from: slot, to: random.below(SLOTS) },
            3 | 4 => Snapshots::DropSnapshot { slot },
            5..9 => Snapshots::SnapshotGet { slot, key: shape.space.any(random) },
            _ => {
                let span = Span::random(random, shape);
                Snapshots::SnapshotScan { slot, span, moves: moves(random) }
            }
        }
    }

    pub fn on_map(&self, map: &mut Model, answer: &mut Answer) {
        match self {
            Snapshots::TakeSnapshot { slot } => {
                map.snapshots[*slot] = Some(Then { map: Some(map.map.clone()), life: map.life });
            }
            Snapshots::CopySnapshot { from, to } => map.snapshots[*to] = map.snapshots[*from].clone(),
            Snapshots::DropSnapshot { slot } => map.snapshots[*slot] = None,
            Snapshots::SnapshotGet { slot, key } => match &map.snapshots[*slot] {
                Some(Then { map: Some(then), .. }) => answer.value(then.get(map.keys.bytes(*key)).copied()),
                Some(_) => answer.fact(Error::Closed),
                None => {}
            },
            Snapshots::SnapshotScan { slot, span, moves } => match &map.snapshots[*slot] {
                Some(Then { map: Some(then), .. }) => {
                    let _ = step(&mut *span.on_map(then, &map.keys), moves, |pair| say_pair(answer, pair));
                }
                Some(_) if moves.iter().any(|run| *run != 0) => answer.fact(Error::Closed),
                _ => {}
            },
        }
    }

    pub fn on_db(&self, db: &mut Database, answer: &mut Answer) -> Result<()> {
        match self {
            Snapshots::TakeSnapshot { slot } => db.snapshots[*slot] = Some(db.db().snapshot()),
            Snapshots::CopySnapshot { from, to } => db.snapshots[*to] = db.snapshots[*from].clone(),
            Snapshots::DropSnapshot { slot } => db.snapshots[*slot] = None,
            Snapshots::SnapshotGet { slot, key } => {
                if let Some(snapshot) = &db.snapshots[*slot] {
                    answer.found(snapshot.get(db.keys.bytes(*key))?.as_ref());
                }
            }
            Snapshots::SnapshotScan { slot, span, moves } => {
                if let Some(snapshot) = &db.snapshots[*slot] {
                    let mut range = View::Then(snapshot).walk(span, &db.keys);
                    step(&mut range, moves, |found| say_found(answer, found))?;
                }
            }
        }
        Ok(())
    }
}
