//! Point reads.

use super::answer::Answer;
use super::database::Database;
use super::map::Model;
use super::op::Shape;
use crate::support::{Random, block_on};
use siltstone::Result;

#[derive(Debug, Clone, PartialEq)]
pub enum Reads {
    Get {
        key: u32,
    },
    /// As a future.
    GetAsync {
        key: u32,
    },
    MultiGet {
        keys: Vec<u32>,
    },
}

impl Reads {
    pub fn random(random: &mut Random, shape: &Shape) -> Reads {
        match random.below(12) {
            0 => Reads::MultiGet { keys: (0..random.below(10)).map(|_| shape.space.any(random)).collect() },
            1 => Reads::GetAsync { key: shape.space.any(random) },
            _ => Reads::Get { key: shape.space.any(random) },
        }
    }

    pub fn on_map(&self, map: &Model, answer: &mut Answer) {
        let keys = match self {
            Reads::Get { key } | Reads::GetAsync { key } => std::slice::from_ref(key),
            Reads::MultiGet { keys } => keys,
        };
        keys.iter().for_each(|key| answer.value(map.get(*key)));
    }

    pub fn on_db(&self, db: &Database, answer: &mut Answer) -> Result<()> {
        match self {
            Reads::Get { key } => answer.found(db.db().get(db.keys.bytes(*key))?.as_ref()),
            Reads::GetAsync { key } => {
                answer.found(block_on(db.db().get_async(db.keys.bytes(*key)))?.as_ref());
            }
            Reads::MultiGet { keys } => {
                let found = db.db().multi_get(keys.iter().map(|key| db.keys.bytes(*key)))?;
                found.iter().for_each(|value| answer.found(value.as_ref()));
            }
        }
        Ok(())
    }
}
