//! Where a walk finds nothing for long: the gaps that queues leave at their beginning.
//!
//! Who appends at one end and deletes at the other leaves a deletion for every key that ever was, until compaction has cleared
//! them away, and each search for the first key would step over all of them anew. So a walk that had to step over many keys
//! before it found one says so, and the next one begins where it ended.
//!
//! ```text
//! start ─────────── gone, gone, gone, gone ─────────── end ── the first key that is there
//!   a put below the end moves the end down to it; a walk that begins in the gap begins at its end
//! ```
//!
//! (G1) Nothing was there between `start` and `end` at the moment `as_of`, and nothing has been put there since. Writers see to
//!      it before a put is visible. So a reader at `as_of` or later, who looks here after he knows his number, finds nothing.
//! (G2) A walk at number `seq` may move the end up to where it found something, when its number is not below `since` and no
//!      put was noted below that: all puts after `since` are noted, and those before it the walk has seen.
//! (G3) Both hold for readers whose view has all writes up to their number. One that was replaced meanwhile may lack some.
//!
//! All of this is in memory, and costs writers nothing as long as nobody has met such a gap.

use super::snapshot_list::Moment;
use crate::engine::batch;
use crate::engine::key::Kind;
use crate::planted::{Bug, planted};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// How many keys a walk steps over at its beginning before that is worth a note. A search costs about as much.
pub const WORTH_A_NOTE: usize = 16;
/// How many gaps are known at a time.
const MOST: usize = 16;
/// A gap that no walk began in is forgotten after so many batches.
const FORGET_AFTER: u32 = 1 << 20;

/// The gaps that are known.
#[derive(Debug, Default)]
pub struct Gaps {
    /// Whether there are any.
    known: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The one that was used last comes last.
    gaps: Vec<Gap>,
    /// The number of the last batch whose puts were noted.
    noted: u64,
}

#[derive(Debug)]
struct Gap {
    start: Vec<u8>,
    end: Vec<u8>,
    as_of: Moment,
    since: u64,
    /// The lowest key at or above `start` that was put after `since`.
    lowest_put: Option<Vec<u8>>,
    /// Batches since a walk began in it.
    unused: u32,
}

impl Gap {
    fn holds(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && key <= self.end.as_slice()
    }

    /// A key was put.
    fn note(&mut self, key: &[u8]) {
        if key < self.start.as_slice() {
            return;
        }
        if key < self.end.as_slice() && !planted(Bug::GapSurvivesPut) {
            self.end = key.to_vec();
        }
        if self.lowest_put.as_ref().is_none_or(|lowest| key < lowest.as_slice()) {
            self.lowest_put = Some(key.to_vec());
        }
    }
}

impl Gaps {
    /// Whether there are any.
    #[inline]
    pub fn are_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }

    /// From now on puts are noted. The caller holds the commit lock, so no batch is on its way that does not know; `last` is the
    /// number of the last one.
    pub fn begin(&self, last: u64) {
        let mut state = self.state.lock();
        state.noted = state.noted.max(last);
        self.known.store(true, Ordering::Release);
    }

    /// Where a walk from `lower` on may begin; `None` where it was told to.
    pub fn behind(&self, lower: &[u8], moment: Moment) -> Option<Vec<u8>> {
        let mut state = self.state.lock();
        let is_later = |than: Moment| than.seq <= moment.seq && than.now <= moment.now;
        let at = state.gaps.iter().position(|gap| gap.holds(lower) && is_later(gap.as_of))?;
        let mut gap = state.gaps.remove(at);
        gap.unused = 0;
        let end = gap.end.clone();
        state.gaps.push(gap);
        Some(end)
    }

    /// A walk from `lower` on stepped over many keys, up to `end`, where it found the first that is there. `is_current` tells
    /// whether what it walked over has all writes; it is asked when none is noted (G3).
    pub fn note_gap(&self, (lower, end): (&[u8], &[u8]), moment: Moment, is_current: impl Fn() -> bool) {
        let mut state = self.state.lock();
        if !is_current() {
            return;
        }
        let noted = state.noted;
        let Some(gap) = state.gaps.iter_mut().find(|gap| gap.holds(lower)) else {
            if state.gaps.len() == MOST {
                state.gaps.remove(0);
            }
            let (start, end) = (lower.to_vec(), lower.to_vec());
            state.gaps.push(Gap { start, end, as_of: moment, since: noted, lowest_put: None, unused: 0 });
            return;
        };
        let free = gap.lowest_put.as_ref().is_none_or(|lowest| lowest.as_slice() >= end);
        if free && moment.seq >= gap.since {
            gap.as_of = Moment { seq: gap.as_of.seq.max(moment.seq), now: gap.as_of.now.max(moment.now) };
            if end > gap.end.as_slice() {
                gap.end = end.to_vec();
            }
        } else {
            // What was put so far, the next walk sees.
            (gap.since, gap.lowest_put) = (noted, None);
        }
    }

    /// Notes what a batch puts, before it is visible. `last`: its last number. The caller holds the commit lock.
    #[inline]
    pub fn note_puts(&self, payload: &[u8], last: u64) {
        if self.are_known() {
            self.note_known_puts(payload, last);
        }
    }

    fn note_known_puts(&self, payload: &[u8], last: u64) {
        let mut state = self.state.lock();
        state.noted = last;
        for entry in batch::entries(payload).flatten() {
            if !matches!(entry.kind, Kind::Delete | Kind::DeleteRange) {
                state.gaps.iter_mut().for_each(|gap| gap.note(entry.key));
            }
        }
        state.gaps.iter_mut().for_each(|gap| gap.unused += 1);
        state.gaps.retain(|gap| gap.unused < FORGET_AFTER);
        if state.gaps.is_empty() {
            self.known.store(false, Ordering::Release);
        }
    }
}
