//! The end of a database, and the next open.
//!
//! Iterators outlive every end but that of their handles: those of a database that was closed can be read to their end. Its
//! snapshots say that it is closed. A process that was killed leaves neither, but the test keeps the old database, on its
//! old files, so what was open on it goes on.

use super::answer::Answer;
use super::database::Database;
use super::map::{Durable, Model};
use super::op::Shape;
use crate::support::Random;
use siltstone::Result;
use siltstone::vfs::mem::CrashPolicy;

#[derive(Debug, Clone, PartialEq)]
pub enum Lives {
    /// `close`, with iterators and snapshots still there.
    Close,
    /// The last handle is dropped.
    Drop,
    /// As by `kill -9`: what was acknowledged in any way survives.
    Kill,
    /// Unless `lossy`, everything is synced just before, and so survives.
    PowerCut { policy: CrashPolicy, seed: u64, lossy: bool },
}

impl Lives {
    pub fn random(random: &mut Random, shape: &Shape) -> Lives {
        match random.below(7) {
            0 | 1 => Lives::Close,
            2 => Lives::Drop,
            3 => Lives::Kill,
            _ => {
                let policy = *random.pick(&CrashPolicy::EVERY);
                Lives::PowerCut { policy, seed: random.next() >> 40, lossy: shape.lossy }
            }
        }
    }

    pub fn on_map(&self, map: &mut Model, answer: &mut Answer) {
        map.transactions = Default::default();
        match self {
            Lives::Close => {
                let present = map.snapshots.iter_mut().flatten().filter(|then| then.life == map.life);
                present.for_each(|then| then.map = None);
                answer.fact("clean");
            }
            Lives::Drop => {
                (map.snapshots, map.ranges) = Default::default();
                answer.fact("clean");
            }
            Lives::Kill | Lives::PowerCut { lossy: false, .. } => {}
            Lives::PowerCut { lossy: true, .. } => map.recover(answer),
        }
        map.life += 1;
        map.durable(Durable::Reopened);
    }

    pub fn on_db(&self, db: &mut Database, answer: &mut Answer) -> Result<()> {
        db.left.clear();
        db.transactions = Default::default();
        match self {
            Lives::Close => {
                db.db().close()?;
                db.drop_handle();
                db.open()?;
                answer.fact(if db.db().recovery().clean { "clean" } else { "not clean" });
            }
            Lives::Drop => {
                db.let_go();
                db.drop_handle();
                db.open()?;
                answer.fact(if db.db().recovery().clean { "clean" } else { "not clean" });
            }
            Lives::Kill => db.crash(CrashPolicy::All, 0)?,
            Lives::PowerCut { policy, seed, lossy } => {
                if !lossy {
                    db.db().sync()?;
                }
                db.crash(*policy, *seed)?;
                if *lossy {
                    db.note_what_is_left()?;
                }
            }
        }
        Ok(())
    }
}
