//! The ranges that were deleted in a write buffer.
//!
//! A list of steps that only grows: each deletion of a range, and the set of all fragments after it, painted over. A reader
//! takes the set after the last step that it sees, so a set needs to be right only for readers between its own step and the
//! next.
//!
//! (A1) A step is published after it has been filled. A reader that first learns a sequence number is visible finds all steps
//!      up to it, for the writer publishes them before it stores that number.

use crate::engine::tombstones::{Fragments, Tombstone};
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

/// How many steps the first bucket has; each further one has twice as many as the one before.
const FIRST: usize = 8;
/// More are never needed: the write buffer is full long before.
const BUCKETS: usize = 24;

/// A deletion, and what is covered after it.
pub struct Step {
    /// The deletion.
    pub tombstone: Tombstone,
    /// Everything that this and all steps before it cover, for readers that see this step.
    pub covered: Arc<Fragments>,
}

/// The steps, for their one writer and any number of readers, which take no lock.
#[derive(Default)]
pub struct Ranges {
    len: AtomicUsize,
    buckets: [OnceLock<Box<[OnceLock<Step>]>>; BUCKETS],
}

impl Ranges {
    /// How many ranges were deleted.
    #[inline]
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// Adds a deletion, which is newer than all before. For the one writer. Gives how many bytes it takes.
    pub fn push(&self, tombstone: Tombstone) -> usize {
        let len = self.len();
        let covered = match len.checked_sub(1).and_then(|last| self.get(last)) {
            Some(last) => last.covered.painted(&tombstone),
            None => Fragments::default().painted(&tombstone),
        };
        let bytes = covered.own_bytes() + tombstone.start.len() + tombstone.end.len() + size_of::<Step>();
        let (bucket, at) = place(len);
        let empty = || (0..FIRST << bucket).map(|_| OnceLock::new()).collect();
        let slot = self.buckets.get(bucket).and_then(|slots| slots.get_or_init(empty).get(at));
        let filled =
            slot.is_some_and(|slot| slot.set(Step { tombstone, covered: Arc::new(covered) }).is_ok());
        assert!(filled, "there is a place for deletion {len}, and nobody else fills it");
        self.len.store(len + 1, Ordering::Release);
        bytes
    }

    /// All steps, oldest first.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = &Step> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// What a reader at `seq` finds covered; `None` when nothing is.
    pub fn covered(&self, seq: u64) -> Option<&Arc<Fragments>> {
        let (mut low, mut high) = (0, self.len());
        // Almost always the reader sees all of them.
        if self.get(high.checked_sub(1)?)?.tombstone.seq <= seq {
            low = high;
        }
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle) {
                Some(step) if step.tombstone.seq <= seq => low = middle + 1,
                _ => high = middle,
            }
        }
        Some(&self.get(low.checked_sub(1)?)?.covered)
    }

    fn get(&self, at: usize) -> Option<&Step> {
        let (bucket, at) = place(at);
        self.buckets.get(bucket)?.get()?.get(at)?.get()
    }
}

/// The bucket of a step, and its place there.
fn place(at: usize) -> (usize, usize) {
    let bucket = (at / FIRST + 1).ilog2() as usize;
    (bucket, at - FIRST * ((1 << bucket) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_find_what_they_see() {
        let ranges = Ranges::default();
        for n in 0..1000u16 {
            let (start, end) = (n.to_be_bytes()[..].into(), (n + 1).to_be_bytes()[..].into());
            ranges.push(Tombstone { seq: 10 + 2 * u64::from(n), start, end });
        }
        assert_eq!(ranges.len(), 1000);
        assert!(ranges.covered(9).is_none());
        for reader in 10..2100 {
            let covered = ranges.covered(reader).unwrap().iter().count() as u64;
            assert_eq!(covered, ((reader - 10) / 2 + 1).min(1000), "reader {reader}");
        }
        assert!(ranges.steps().map(|step| step.tombstone.seq).is_sorted());
    }
}
