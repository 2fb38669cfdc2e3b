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
//! (D4) A `Put` or `PutExpiring` in stripe 0 that is kept gets sequence number 0 when `bottom`: nothing older is left to be ordered against,
//!      and numbers that are all alike cost no space. (K1) holds, for stripe 0 keeps one version of a key. A snapshot at 0
//!      sees an empty database: while there is one, nothing but what is 0 already is in stripe 0.
//! (D5) A `PutExpiring` whose time has come for every snapshot counts as a `Delete`, and is kept as one where D1 keeps it:
//!      what it hides stays hidden, its value goes. Until then it counts as a `Put`.
//! (D6) Kinds this build does not support neither hide nor change: they are kept. One that concerns a single key and lies
//!      under a version that D3 or D4 has settled is dropped: no one sees it, and it would come back from under a dropped
//!      `Delete`, or stand behind a lower number.
//!
//! (D7) An entry that the deletion of a range hides from the first snapshot that sees the entry is dropped: from the others it
//!      hides it too, and what the entry hid it hides as well. D4 leaves a number as it is where a deletion covers the key,
//!      for the number 0 is older than any deletion.
//!
//! A job that writes to level 0 always says `bottom` is false: the tables of level 0 are ordered by sequence numbers.

use crate::engine::key::{Kind, Trailer};
use crate::engine::tombstones::{Fragment, Fragments, Tombstone};
use crate::planted::{Bug, planted};
use std::collections::BTreeSet;

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is written as it is.
    Keep,
    /// It is written with sequence number 0.
    KeepAtZero,
    /// It is written as a `Delete`.
    KeepAsDelete,
    /// It is not written.
    Drop,
}

/// Decides, one entry after the other. Borrows the snapshots, allocates nothing.
#[derive(Debug, Clone)]
pub struct Retain<'a> {
    /// Ascending; the last is what is visible when the job starts.
    snapshots: &'a [u64],
    /// What expires up to then has expired for every snapshot, live or to come.
    horizon: u64,
    /// The stripe of the newest `Put` (expiring or not) or `Delete` of the key so far; older ones in it are hidden.
    hidden: Option<usize>,
    /// True when D3 or D4 has settled a version of the key: nothing older can be seen.
    settled: bool,
}

impl<'a> Retain<'a> {
    /// Decides for a job that started with these snapshots live, ascending, the last of them the sequence number that was
    /// visible then, read after the job's inputs were fixed. What expires up to `horizon` has expired for all of them.
    #[must_use]
    pub fn new(snapshots: &'a [u64], horizon: u64) -> Retain<'a> {
        debug_assert!(snapshots.is_sorted(), "snapshots ascend");
        Retain { snapshots, horizon, hidden: None, settled: false }
    }

    /// The verdict for the next entry, with its expiry if it has one. `same_key`: the entry before had this key too.
    /// `bottom`: no older version of the key lies outside the job's inputs, and the output is not level 0. `deleted`: the
    /// deletions of ranges that cover the key, of those that were in tables or inputs when the job started.
    #[inline]
    pub fn next(
        &mut self,
        same_key: bool,
        trailer: Trailer,
        expiry: Option<u64>,
        bottom: bool,
        deleted: Option<&Fragment>,
    ) -> Verdict {
        if !same_key {
            self.hidden = None;
            self.settled = false;
        }
        let stripe = self.stripe(trailer.seq());
        let Some(first) = self.snapshots.get(stripe) else { return Verdict::Keep };
        let Some(deleted) = deleted else { return self.of_kept_range(trailer, expiry, stripe, bottom) };
        let by = deleted.newest_up_to(if planted(Bug::RangeIgnoresSnapshots) { u64::MAX } else { *first });
        if by.is_some_and(|by| by > trailer.seq()) {
            return Verdict::Drop;
        }
        match self.of_kept_range(trailer, expiry, stripe, bottom) {
            Verdict::KeepAtZero => Verdict::Keep,
            other => other,
        }
    }

    /// The verdict for an entry that the deletion of a range does not hide.
    #[inline]
    fn of_kept_range(
        &mut self,
        trailer: Trailer,
        expiry: Option<u64>,
        stripe: usize,
        bottom: bool,
    ) -> Verdict {
        match trailer.kind() {
            Ok(Kind::PutExpiring) if expiry.is_some_and(|at| at <= self.horizon) => {
                if planted(Bug::ExpiredUncoversOlder) {
                    return Verdict::Drop;
                }
                match self.decide(Kind::Delete, stripe, bottom) {
                    Verdict::Keep => Verdict::KeepAsDelete,
                    other => other,
                }
            }
            Ok(kind @ (Kind::Put | Kind::PutExpiring | Kind::Delete)) => self.decide(kind, stripe, bottom),
            Ok(Kind::Merge | Kind::Indirect) if self.settled => Verdict::Drop,
            _ => Verdict::Keep,
        }
    }

    #[inline]
    fn decide(&mut self, kind: Kind, stripe: usize, bottom: bool) -> Verdict {
        if self.hidden == Some(stripe) {
            return Verdict::Drop;
        }
        self.hidden = Some(stripe);
        if planted(Bug::DropTombstoneAboveBottom) && kind == Kind::Delete {
            return Verdict::Drop;
        }
        if stripe > 0 || !bottom {
            return Verdict::Keep;
        }
        self.settled = true;
        if kind == Kind::Delete { Verdict::Drop } else { Verdict::KeepAtZero }
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

/// The numbers of those deletions of ranges, given oldest first, that hide something that newer ones of them do not: one that
/// newer ones cover is not needed when no snapshot sees it and not all of these.
#[must_use]
pub fn still_needed<'t>(
    all: impl DoubleEndedIterator<Item = &'t Tombstone>,
    snapshots: &[u64],
) -> BTreeSet<u64> {
    let mut needed = BTreeSet::new();
    let (mut stripe, mut newer) = (usize::MAX, Fragments::default());
    for tombstone in all.rev() {
        let here = snapshots.partition_point(|s| *s < tombstone.seq);
        if here != stripe {
            (stripe, newer) = (here, Fragments::default());
        }
        if !newer.cover_range(&tombstone.start, &tombstone.end) {
            newer = newer.painted(tombstone);
            needed.insert(tombstone.seq);
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has expired, and what has not, at the horizon of these tests.
    const HORIZON: u64 = 100;

    /// `versions` newest first: a letter for the kind (Put, Delete, Expired, Lasting, Merge, Range, ?: unknown) and the
    /// sequence number. `expected`: k keep, z keep at zero, t keep as a tombstone, d drop.
    fn check(snapshots: &[u64], versions: &str, bottom: bool, expected: &str) {
        let mut retain = Retain::new(snapshots, HORIZON);
        let mut found = String::new();
        for (i, text) in versions.split_whitespace().enumerate() {
            let kind = match &text[..1] {
                "P" => Kind::Put as u64,
                "D" => Kind::Delete as u64,
                "M" => Kind::Merge as u64,
                "R" => Kind::DeleteRange as u64,
                "E" | "L" => Kind::PutExpiring as u64,
                _ => 99,
            };
            let expiry = match &text[..1] {
                "E" => Some(HORIZON),
                "L" => Some(HORIZON + 1),
                _ => None,
            };
            let trailer = Trailer(text[1..].parse::<u64>().unwrap() << 8 | kind);
            found.push(match retain.next(i > 0, trailer, expiry, bottom, None) {
                Verdict::Keep => 'k',
                Verdict::KeepAtZero => 'z',
                Verdict::KeepAsDelete => 't',
                Verdict::Drop => 'd',
            });
        }
        assert_eq!(found, expected, "{snapshots:?}, {versions}, bottom {bottom}");
    }

    #[test]
    fn cases() {
        // lsm-tree #321: dropping 5 would be wrong, the snapshot at 50 needs it.
        check(&[50, 60], "P60 P5 P3", false, "kkd");
        check(&[50, 60], "P60 P5 P3", true, "kzd");
        check(&[60], "P60 P5 P3", false, "kdd");
        check(&[60], "P60 P5 P3", true, "zdd");
        // Not visible yet: a snapshot may still be taken below any of them.
        check(&[4], "P7 D6 P5 P4 P3", true, "kkkzd");
        check(&[], "P2 P1", true, "kk");
        // A tombstone goes only at the bottom, and only when every snapshot sees it.
        check(&[9], "D9 P3", false, "kd");
        check(&[9], "D9 P3", true, "dd");
        check(&[5, 9], "D9 P3", true, "kz");
        check(&[5, 9], "D4 P3", true, "dd");
        check(&[5, 9], "P8 D4 P3", true, "kdd");
        check(&[2, 5, 9], "D9 D4 D1", true, "kkd");
        // A snapshot of the empty database sees nothing, and nothing gets its number.
        check(&[0, 9], "P5", true, "k");
        check(&[0], "P0", true, "z");
        check(&[9], "P0", true, "z");
        // What has expired is a tombstone, and goes as one; what lasts is a put.
        check(&[9], "E8 P7", false, "td");
        check(&[9], "E8 P7", true, "dd");
        check(&[5, 9], "E8 P4", true, "tz");
        check(&[9], "L8 P7", true, "zd");
        check(&[9], "P8 E7 L6", false, "kdd");
        check(&[4], "E8 E3", true, "kd");
        // Reserved kinds stay and hide nothing, but for what no one can see at the bottom.
        check(&[9], "M8 P7 M6 D5", true, "kzdd");
        check(&[9], "M8 P7 M6 D5", false, "kkkd");
        check(&[9], "D8 M7 P6 R5 ?4", true, "dddkk");
        check(&[9], "D8 M7 P6 R5 ?4", false, "kkdkk");
    }

    /// D7, with every history of up to three versions and two deletions of ranges over the key: whoever can look sees the same.
    #[test]
    fn what_ranges_hide_goes_and_nothing_else() {
        let key: std::sync::Arc<[u8]> = b"k"[..].into();
        let end: std::sync::Arc<[u8]> = b"l"[..].into();
        let mut dropped = 0;
        for case in 0..4u64.pow(5) {
            // What each number is: nothing, a put, a delete, or the deletion of a range.
            let kind = |seq: u64| case / 4u64.pow(seq as u32 - 1) % 4;
            let ranges: Vec<u64> = (1..=5).filter(|seq| kind(*seq) == 3).collect();
            let tombstone = |seq: &u64| Tombstone { seq: *seq, start: key.clone(), end: end.clone() };
            let all: Vec<Tombstone> = ranges.iter().map(tombstone).collect();
            let fragments: Fragments = all.iter().collect();
            let versions: Vec<u64> = (1..=5).rev().filter(|seq| matches!(kind(*seq), 1 | 2)).collect();
            for set in 1..32u64 {
                let mut snapshots: Vec<u64> = (1..5).filter(|s| set >> s & 1 == 1).collect();
                snapshots.push(5);
                let mut retain = Retain::new(&snapshots, 0);
                let mut after = Vec::new();
                for (i, seq) in versions.iter().enumerate() {
                    let kind = if kind(*seq) == 1 { Kind::Put } else { Kind::Delete };
                    let trailer = Trailer::new(*seq, kind);
                    match retain.next(i > 0, trailer, None, true, fragments.from(b"k").map(|f| &**f)) {
                        Verdict::Keep => after.push((*seq, *seq, kind)),
                        Verdict::KeepAtZero => after.push((0, *seq, kind)),
                        _ => dropped += 1,
                    }
                }
                let needed = still_needed(all.iter(), &snapshots);
                for reader in &snapshots {
                    let hidden_by = |ranges: &mut dyn Iterator<Item = u64>| {
                        ranges.filter(|seq| seq <= reader).max().unwrap_or(0)
                    };
                    let seen = |by: u64, found: Option<(u64, u64, Kind)>| {
                        found
                            .filter(|(at, _, kind)| *at >= by && *kind == Kind::Put)
                            .map(|(_, value, _)| value)
                    };
                    let before = versions.iter().find(|seq| *seq <= reader);
                    let before = before
                        .map(|seq| (*seq, *seq, if kind(*seq) == 1 { Kind::Put } else { Kind::Delete }));
                    let left = after.iter().copied().find(|(at, ..)| at <= reader);
                    let expected = seen(hidden_by(&mut ranges.iter().copied()), before);
                    let context =
                        format!("{versions:?}, ranges {ranges:?}, {snapshots:?}: {after:?}, {needed:?}");
                    assert_eq!(seen(hidden_by(&mut ranges.iter().copied()), left), expected, "{context}");
                    assert_eq!(seen(hidden_by(&mut needed.iter().copied()), left), expected, "{context}");
                }
            }
        }
        assert!(dropped > 10_000);
    }

    /// What a reader at `seq` sees whose time is the horizon: merge operands down to a value, or to nothing. Odd expiring
    /// versions have expired.
    fn read(versions: &[(u64, Kind, u64)], below: u64, seq: u64) -> Vec<u64> {
        let mut seen = Vec::new();
        for (_, kind, value) in versions.iter().filter(|(at, ..)| *at <= seq) {
            match kind {
                Kind::Delete => return seen,
                Kind::PutExpiring if value % 2 == 1 => return seen,
                Kind::Put | Kind::PutExpiring => {
                    seen.push(*value);
                    return seen;
                }
                _ => seen.push(100 + value),
            }
        }
        seen.extend((below > 0).then_some(below));
        seen
    }

    /// Every history of up to four versions, every set of snapshots, every visible sequence number: all who can ever look
    /// see what they saw before, and nothing is kept that no one needs.
    #[test]
    fn every_small_history() {
        let kinds = [None, Some(Kind::Put), Some(Kind::Delete), Some(Kind::PutExpiring), Some(Kind::Merge)];
        for history in 0..kinds.len().pow(4) {
            let kind = |seq: u64| kinds[history / kinds.len().pow(seq as u32 - 1) % kinds.len()];
            let before: Vec<_> = (1..=4).rev().filter_map(|seq| Some((seq, kind(seq)?, seq))).collect();
            for set in 0..32u64 {
                let snapshots: Vec<u64> = (0..5).filter(|s| set >> s & 1 == 1).collect();
                for bottom in [false, true] {
                    check_history(&before, &snapshots, bottom);
                }
            }
        }
    }

    fn check_history(before: &[(u64, Kind, u64)], snapshots: &[u64], bottom: bool) {
        let Some((earliest, visible)) = snapshots.first().zip(snapshots.last()) else { return };
        let mut retain = Retain::new(snapshots, HORIZON);
        let mut after = Vec::new();
        for (i, (seq, kind, value)) in before.iter().enumerate() {
            let expired = *kind == Kind::PutExpiring && value % 2 == 1;
            let expiry = (*kind == Kind::PutExpiring).then(|| HORIZON + 1 - value % 2);
            let verdict = retain.next(i > 0, Trailer::new(*seq, *kind), expiry, bottom, None);
            // The plain definition: someone sees it as the newest, and it is no tombstone over nothing.
            let seen = |s: &u64| {
                before.iter().find(|v| v.0 <= *s && v.1 != Kind::Merge).is_some_and(|v| v.0 == *seq)
            };
            let needed = snapshots.iter().any(seen) || (*visible..=4).any(|s| seen(&s));
            let settled = bottom && seq <= earliest;
            if *kind != Kind::Merge {
                let expected = match kind {
                    _ if !needed => Verdict::Drop,
                    Kind::Delete if settled => Verdict::Drop,
                    _ if expired && settled => Verdict::Drop,
                    _ if expired && seq <= visible => Verdict::KeepAsDelete,
                    Kind::Put | Kind::PutExpiring if settled => Verdict::KeepAtZero,
                    _ => Verdict::Keep,
                };
                assert_eq!(verdict, expected, "{before:?}, {snapshots:?}, bottom {bottom}, version {seq}");
            }
            match verdict {
                Verdict::Keep => after.push((*seq, *kind, *value)),
                Verdict::KeepAtZero => after.push((0, *kind, *value)),
                Verdict::KeepAsDelete => after.push((*seq, Kind::Delete, *value)),
                Verdict::Drop => {}
            }
        }
        let context = format!("{before:?} became {after:?}, {snapshots:?}, bottom {bottom}");
        assert!(after.is_sorted_by(|a, b| a.0 > b.0), "{context}: one version for each number, newest first");
        let below = if bottom { 0 } else { 50 };
        for s in snapshots.iter().copied().chain(*visible..=4) {
            // At 0 there is nothing to see, and nothing is at 0 while someone may look.
            assert_eq!(read(before, below, s), read(&after, below, s), "{context}: seen at {s}");
        }
    }
}
