//! The sequence numbers that live snapshots read at.
//!
//! (S1) A number is taken and entered under one lock, so a compaction that reads the list under it sees every snapshot whose
//!      number is below the visible one of that moment.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Live snapshots, by sequence number and how many share it.
#[derive(Debug, Default)]
pub struct SnapshotList {
    live: Mutex<BTreeMap<u64, usize>>,
}

impl SnapshotList {
    /// Enters a snapshot at what is visible now, and returns its number.
    pub fn enter(&self, visible: &AtomicU64) -> u64 {
        let mut live = self.live.lock();
        let seq = visible.load(Ordering::Acquire);
        *live.entry(seq).or_insert(0) += 1;
        seq
    }

    /// Enters one more at a number that is already live.
    pub fn enter_again(&self, seq: u64) {
        *self.live.lock().entry(seq).or_insert(0) += 1;
    }

    /// Takes a snapshot off the list.
    pub fn leave(&self, seq: u64) {
        let mut live = self.live.lock();
        if let Some(count) = live.get_mut(&seq) {
            *count -= 1;
            if *count == 0 {
                live.remove(&seq);
            }
        }
    }

    /// The numbers at which versions must be kept, ascending: the live snapshots, and what is visible now, for the
    /// snapshots that will be taken while the caller works.
    #[must_use]
    pub fn boundaries(&self, visible: &AtomicU64) -> Vec<u64> {
        let live = self.live.lock();
        let now = visible.load(Ordering::Acquire);
        let mut all: Vec<u64> = live.keys().copied().collect();
        if all.last() != Some(&now) {
            all.push(now);
        }
        all
    }

    /// How many snapshots live, and the oldest one's number.
    #[must_use]
    pub fn summary(&self) -> (usize, Option<u64>) {
        let live = self.live.lock();
        (live.values().sum(), live.keys().next().copied())
    }
}
