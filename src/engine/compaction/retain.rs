//! Which entries survive a flush or a compaction.
//!
//! Snapshots cut the sequence numbers into *stripes*. Two versions of a key in one stripe are seen by the same snapshots,
//! so the older is seen by none.
//!
//! ```text
//! snapshots              10        50                 the last is what is visible when the job starts
//! stripe         0 (..=10) | 1 (11..=50) | open (51..)
//! versions        3   5    |             |    60      60: not visible yet, kept
//!                 drop keep               keep         5: what both snapshots see, kept; 3: hidden by 5
//! ```
//!
//! The job gives the versions of each key newest first, and gets a verdict for each:
//!
//! (D1) The newest version in each stripe is kept, but for D3; older ones in it are dropped.
//! (D2) Everything above the last snapshot is kept: a snapshot may yet be taken between any two of these versions.
//! (D3) A `Delete` in stripe 0 is dropped when `bottom`: no older version of the key lies anywhere but in the job's inputs.
//!      What it hides in them goes with it.
//! (D4) A `Put` in stripe 0 that is kept gets sequence number 0 when `bottom`: nothing older is left to be ordered against,
//!      and numbers that are all alike cost no space. (K1) holds, for stripe 0 keeps one version of a key. A snapshot at 0
//!      sees an empty database: while there is one, nothing but what is 0 already is in stripe 0.
//! (D5) Kinds this build does not support neither hide nor change: they are kept. One that lies under a dropped `Delete`
//!      in stripe 0 goes with it if it concerns that key alone, or the key would come back.
//!
//! A job that writes to level 0 always says `bottom` is false: the tables of level 0 are ordered by sequence numbers.

use crate::engine::key::{Kind, Trailer};

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is written as it is.
    Keep,
    /// It is written with sequence number 0.
    KeepAtZero,
    /// It is not written.
    Drop,
}

/// Decides, one entry after the other. Borrows the snapshots, allocates nothing.
#[derive(Debug, Clone)]
pub struct Retain<'a> {
    /// Ascending; the last is what is visible when the job starts.
    snapshots: &'a [u64],
    /// The stripe of the newest `Put` or `Delete` of the key so far; older ones in it are hidden.
    hidden: Option<usize>,
    /// True when a `Delete` of the key was dropped.
    buried: bool,
}

impl<'a> Retain<'a> {
    /// Decides for a job that started with these snapshots live, ascending, the last of them the sequence number that was
    /// visible then, read after the job's inputs were fixed.
    #[must_use]
    pub fn new(snapshots: &'a [u64]) -> Retain<'a> {
        debug_assert!(snapshots.is_sorted(), "snapshots ascend");
        Retain { snapshots, hidden: None, buried: false }
    }

    /// The verdict for the next entry. `same_key`: the entry before had this key too. `bottom`: no older version of the
    /// key lies outside the job's inputs, and the output is not level 0.
    #[inline]
    pub fn next(&mut self, same_key: bool, trailer: Trailer, bottom: bool) -> Verdict {
        if !same_key {
            self.hidden = None;
            self.buried = false;
        }
        let stripe = self.stripe(trailer.seq());
        if stripe == self.snapshots.len() {
            return Verdict::Keep;
        }
        match trailer.kind() {
            Ok(kind @ (Kind::Put | Kind::Delete)) => self.decide(kind, stripe, bottom),
            Ok(Kind::Merge | Kind::Indirect | Kind::PutExpiring) if self.buried => Verdict::Drop,
            _ => Verdict::Keep,
        }
    }

    #[inline]
    fn decide(&mut self, kind: Kind, stripe: usize, bottom: bool) -> Verdict {
        if self.hidden == Some(stripe) {
            return Verdict::Drop;
        }
        self.hidden = Some(stripe);
        match kind {
            Kind::Delete if stripe == 0 && bottom => {
                self.buried = true;
                Verdict::Drop
            }
            Kind::Put if stripe == 0 && bottom => Verdict::KeepAtZero,
            _ => Verdict::Keep,
        }
    }

    /// The first snapshot that sees `seq`; how many there are when none does.
    #[inline]
    fn stripe(&self, seq: u64) -> usize {
        match self.snapshots {
            [visible] => usize::from(seq > *visible),
            many => many.partition_point(|s| *s < seq),
        }
    }
}
