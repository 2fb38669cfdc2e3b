//! The sequence numbers that live snapshots read at.
//!
//! (S1) A number is taken and entered under one lock, so a compaction that reads the list under it sees every snapshot whose
//!      number is below the visible one of that moment.
//! (S2) So is its time, and times ascend with numbers. What has expired at the time of the oldest snapshot has expired for all.

use crate::planted::{Bug, planted};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;

/// Live snapshots, by sequence number and time, and how many share these.
#[derive(Debug, Default)]
pub struct SnapshotList {
    live: Mutex<BTreeMap<Moment, usize>>,
}

/// What a reader sees: the writes up to a number, and of them what has not expired at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The sequence number of the last write it sees.
    pub seq: u64,
    /// Milliseconds since 1970; 0 when nothing that it sees expires.
    pub now: u64,
}

impl SnapshotList {
    /// Enters a snapshot at what is visible now, at the time that `now` tells after that.
    pub fn enter(&self, visible: &AtomicU64, now: impl FnOnce() -> u64) -> Moment {
        let mut live = self.live.lock();
        let seq = visible.load(Ordering::Acquire);
        let moment = Moment { seq, now: now() };
        *live.entry(moment).or_insert(0) += 1;
        moment
    }

    /// Enters one more at a moment that is already live.
    pub fn enter_again(&self, moment: Moment) {
        *self.live.lock().entry(moment).or_insert(0) += 1;
    }

    /// Takes a snapshot off the list.
    pub fn leave(&self, moment: Moment) {
        let mut live = self.live.lock();
        if let Some(count) = live.get_mut(&moment) {
            *count -= 1;
            if *count == 0 {
                live.remove(&moment);
            }
        }
    }

    /// The numbers at which versions must be kept, ascending: the live snapshots, and what is visible now, for the
    /// snapshots that will be taken while the caller works. With them the time up to which what expires has expired for
    /// all of these, given the time `now`.
    #[must_use]
    pub fn boundaries(&self, visible: &AtomicU64, now: impl FnOnce() -> u64) -> (Vec<u64>, u64) {
        let live = self.live.lock();
        let last = visible.load(Ordering::Acquire);
        let mut all: Vec<u64> = live.keys().map(|moment| moment.seq).collect();
        if planted(Bug::ForgetSnapshots) {
            all.clear();
        }
        all.push(last);
        all.dedup();
        // Those at time 0 see nothing that expires.
        let oldest = live.keys().map(|moment| moment.now).filter(|now| *now > 0).min();
        (all, oldest.unwrap_or(u64::MAX).min(now()))
    }

    /// How many snapshots live, and the oldest one's number.
    #[must_use]
    pub fn summary(&self) -> (usize, Option<u64>) {
        let live = self.live.lock();
        (live.values().sum(), live.keys().next().map(|moment| moment.seq))
    }
}
