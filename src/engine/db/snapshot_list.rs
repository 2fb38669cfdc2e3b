//! The sequence numbers that live snapshots read at.
//!
//! (S1) A number is taken and entered under one lock, so a compaction that reads the list under it sees every snapshot whose
//!      number is below the visible one of that moment.
//! (S2) So is its time, and times ascend with numbers. What has expired at the time of the oldest snapshot has expired for all.
//! (S3) Taking one reads no clock for its age. Whoever looks at the list for other reasons notes the time for those that have
//!      come since: they are the last ones, since numbers ascend with time.
//!
//! By S2 a new snapshot is never older than those that are there, so the list is a queue in order: most come and go at its end,
//! and none costs memory of its own.

use crate::planted::{Bug, planted};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use std::collections::VecDeque;
use std::time::Duration;

/// Live snapshots, the oldest first.
#[derive(Debug, Default)]
pub struct SnapshotList {
    live: Mutex<VecDeque<Live>>,
}

/// Those of one moment.
#[derive(Debug)]
struct Live {
    moment: Moment,
    /// How many there are.
    count: usize,
    /// When they were noticed first (S3), on the monotonic clock.
    noticed: Option<Duration>,
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
        match live.back_mut() {
            Some(newest) if newest.moment == moment => newest.count += 1,
            _ => live.push_back(Live { moment, count: 1, noticed: None }),
        }
        moment
    }

    /// Enters one more at a moment that is already live.
    pub fn enter_again(&self, moment: Moment) {
        let mut live = self.live.lock();
        if let Some(here) = find(&live, moment).and_then(|at| live.get_mut(at)) {
            here.count += 1;
        }
    }

    /// Takes a snapshot off the list.
    pub fn leave(&self, moment: Moment) {
        let mut live = self.live.lock();
        let Some(at) = find(&live, moment) else { return };
        if let Some(here) = live.get_mut(at) {
            here.count -= 1;
            if here.count == 0 {
                live.remove(at);
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
        let mut all: Vec<u64> = live.iter().map(|here| here.moment.seq).collect();
        if planted(Bug::ForgetSnapshots) {
            all.clear();
        }
        all.push(last);
        all.dedup();
        // Those at time 0 see nothing that expires.
        let oldest = live.iter().map(|here| here.moment.now).filter(|now| *now > 0).min();
        (all, oldest.unwrap_or(u64::MAX).min(now()))
    }

    /// Notes that it is `now` for those that have come since the last time; gives how old the oldest is at least.
    pub fn note(&self, now: Duration) -> Option<Duration> {
        let mut live = self.live.lock();
        for here in live.iter_mut().rev().take_while(|here| here.noticed.is_none()) {
            here.noticed = Some(now);
        }
        live.front().map(|oldest| now.saturating_sub(oldest.noticed.unwrap_or(now)))
    }

    /// How many snapshots live, and the oldest one's number.
    #[must_use]
    pub fn summary(&self) -> (usize, Option<u64>) {
        let live = self.live.lock();
        (live.iter().map(|here| here.count).sum(), live.front().map(|here| here.moment.seq))
    }
}

/// Where a live moment stands; mostly it is the newest.
fn find(live: &VecDeque<Live>, moment: Moment) -> Option<usize> {
    match live.back() {
        Some(newest) if newest.moment == moment => Some(live.len() - 1),
        _ => live.binary_search_by_key(&moment, |here| here.moment).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_has_the_age_it_was_noticed_with() {
        let (list, visible) = (SnapshotList::default(), AtomicU64::new(1));
        let second = Duration::from_secs;
        assert_eq!(list.note(second(5)), None);
        let first = list.enter(&visible, || 0);
        assert_eq!(list.note(second(6)), Some(second(0)));
        visible.store(2, Ordering::Release);
        let next = list.enter(&visible, || 0);
        assert_eq!((list.note(second(8)), list.note(second(9))), (Some(second(2)), Some(second(3))));
        list.leave(first);
        assert_eq!(list.note(second(10)), Some(second(2)));
        list.leave(next);
        assert_eq!((list.note(second(11)), list.summary()), (None, (0, None)));
    }

    #[test]
    fn snapshots_come_and_go_in_any_order() {
        let (list, visible) = (SnapshotList::default(), AtomicU64::new(0));
        let mut live: Vec<Moment> = Vec::new();
        let mut random = 1u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let pick = (random >> 33) as usize;
            match pick % 5 {
                0 => _ = visible.fetch_add(1, Ordering::Relaxed),
                1 => live.push(list.enter(&visible, || 7)),
                2 if !live.is_empty() => {
                    let again = live[pick / 5 % live.len()];
                    list.enter_again(again);
                    live.push(again);
                }
                _ if !live.is_empty() => list.leave(live.swap_remove(pick / 5 % live.len())),
                _ => {}
            }
            assert_eq!(list.summary(), (live.len(), live.iter().min().map(|moment| moment.seq)));
            let mut expected: Vec<u64> = live.iter().map(|moment| moment.seq).collect();
            expected.push(visible.load(Ordering::Relaxed));
            expected.sort_unstable();
            expected.dedup();
            assert_eq!(list.boundaries(&visible, || 9), (expected, if live.is_empty() { 9 } else { 7 }));
        }
    }
}
