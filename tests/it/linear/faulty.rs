//! Engines that do wrong, each in one way, and must be caught.

use super::checker::Pair;
use super::engine::{Engine, Form, KEYS, Look, Plan};
use super::run::run;
use siltstone::{Db, Durability, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What an engine does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A read gives at times what was there before the last write.
    StaleRead,
    /// A write is acknowledged at times and not done.
    LostWrite,
    /// The keys of a batch are written one after the other.
    TornBatch,
    /// A snapshot shows what is there when it is read.
    LiveSnapshot,
    /// A write is acknowledged before it is durable.
    LyingSync,
    /// A transaction writes whatever happened to what it read.
    Unvalidated,
}

/// An engine that does wrong once in so many times.
const SELDOM: u64 = 40;

struct Faulty {
    db: Db,
    fault: Fault,
    times: AtomicU64,
    /// The last value of each key and the one before.
    values: Mutex<[[Option<u64>; 2]; KEYS.len()]>,
}

impl Faulty {
    fn now(&self, fault: Fault) -> bool {
        self.fault == fault && self.times.fetch_add(1, Ordering::Relaxed) % SELDOM == SELDOM - 1
    }
}

impl Engine for Faulty {
    fn look(&self, form: Form, keys: &[u32]) -> Result<Look> {
        if self.fault == Fault::LiveSnapshot && form == Form::Snapshot {
            let (db, keys) = (self.db.clone(), keys.to_vec());
            return Ok(Box::new(move || db.look(Form::MultiGet, &keys)?()));
        }
        let look = self.db.look(form, keys)?;
        if !self.now(Fault::StaleRead) {
            return Ok(look);
        }
        let stale = keys.iter().map(|key| (*key, self.values.lock().unwrap()[*key as usize][1])).collect();
        Ok(Box::new(move || Ok(stale)))
    }

    fn write_pairs(&self, pairs: &[Pair], durability: Durability) -> Result<()> {
        if self.now(Fault::LostWrite) {
            return Ok(());
        }
        let durability = if self.fault == Fault::LyingSync { Durability::Os } else { durability };
        if self.fault == Fault::TornBatch {
            for pair in pairs {
                self.db.write_pairs(&[*pair], durability)?;
            }
        } else {
            self.db.write_pairs(pairs, durability)?;
        }
        let mut values = self.values.lock().unwrap();
        pairs.iter().for_each(|(key, value)| values[*key as usize] = [*value, values[*key as usize][0]]);
        Ok(())
    }

    fn try_transact(&self, plan: &Plan) -> Result<(Vec<Pair>, Result<bool>)> {
        if self.fault != Fault::Unvalidated {
            return self.db.try_transact(plan);
        }
        let (seen, end) = self.db.try_transact(&Plan { writes: Vec::new(), ..plan.clone() })?;
        Ok((seen, end.and_then(|_| self.write_pairs(&plan.writes, plan.durability)).map(|()| true)))
    }

    fn db(&self) -> &Db {
        &self.db
    }
}

#[track_caller]
fn is_caught(fault: Fault) {
    let wrap = |db| Faulty { db, fault, times: AtomicU64::new(0), values: Mutex::default() };
    let caught = (0..100).find_map(|seed| run(seed, 500, wrap).err());
    let why = caught.unwrap_or_else(|| panic!("{fault:?} was not caught in 100 histories"));
    assert!(why.contains("cannot come"), "{why}");
}

#[test]
fn a_stale_read_is_caught() {
    is_caught(Fault::StaleRead);
}

#[test]
fn a_lost_write_is_caught() {
    is_caught(Fault::LostWrite);
}

#[test]
fn a_batch_in_two_steps_is_caught() {
    is_caught(Fault::TornBatch);
}

#[test]
fn a_snapshot_that_moves_is_caught() {
    is_caught(Fault::LiveSnapshot);
}

#[test]
fn an_acknowledgement_before_the_sync_is_caught() {
    is_caught(Fault::LyingSync);
}

#[test]
fn a_transaction_that_is_not_validated_is_caught() {
    is_caught(Fault::Unvalidated);
}
