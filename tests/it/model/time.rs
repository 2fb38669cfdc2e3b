//! The clock: it goes on, and somebody sets it, forwards or back.

use super::database::Database;
use super::map::Model;
use crate::support::Random;
use siltstone::vfs::Clock;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub enum Time {
    /// Time passes.
    Pass { ms: u64 },
    /// The wall clock is set, by so much.
    Set { ms: i64 },
}

impl Time {
    pub fn random(random: &mut Random) -> Time {
        match random.below(3) {
            0 => Time::Set { ms: (random.below(20_000_000) as i64) - 10_000_000 },
            _ => Time::Pass { ms: random.below(100) as u64 },
        }
    }

    pub fn on_map(&self, map: &mut Model) {
        if let Time::Pass { ms } = self {
            map.now += Duration::from_millis(*ms);
        }
    }

    pub fn on_db(&self, db: &Database) {
        match self {
            Time::Pass { ms } => db.clock.advance(Duration::from_millis(*ms)),
            Time::Set { ms } => db.clock.set_wall_ms(db.clock.wall_ms().saturating_add_signed(*ms)),
        }
    }
}
