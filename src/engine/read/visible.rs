//! From all entries to what a reader sees: of every key the newest version up to a sequence number, if it is a value, and has
//! not expired.
//!
//! Versions that the reader does not see are stepped over; after [`STEPS`] of them for one key the cursor seeks past the
//! rest, so a key that was overwritten a million times costs a search and not a million steps.
//!
//! What it stands at is looked at in place: a pair is large, and to hand it from call to call took more time than finding it.
//!
//! (V1) Each such search goes further on than the one before. Where entries are not in order, in a table that was not made by
//!      a builder but has right checksums, that is an error; a walk could otherwise come back to where it was, for ever.

use super::super_version::{Found, NEVER, prefix_len, standing};
use crate::Result;
use crate::engine::iter::{Cursor, unordered};
use crate::engine::key::{Kind, Trailer};
use crate::engine::slice::Slice;
use std::cmp::Ordering;

/// Steps over versions of one key before a seek is cheaper.
const STEPS: usize = 8;

/// The place that a walk searched last, if it has (V1).
#[derive(Default)]
struct Sought {
    key: Vec<u8>,
    trailer: Option<Trailer>,
}

impl Sought {
    /// Notes that the walk searches the place of `key` and `trailer`, which must lie on this side of the one before.
    fn advance(&mut self, key: &[u8], trailer: Trailer, side: Ordering) -> Result<()> {
        let before = self.trailer.replace(trailer);
        if before.is_some_and(|before| key.cmp(&self.key).then(before.cmp(&trailer)) != side) {
            return Err(unordered(key, &self.key));
        }
        self.key.clear();
        self.key.extend_from_slice(key);
        Ok(())
    }
}

/// The visible entries of a cursor, walked in one direction: either only [`Visible::next`] or only [`Visible::prev`].
pub struct Visible<C> {
    cursor: C,
    seq: u64,
    /// The time of the reader, in milliseconds since 1970.
    now: u64,
    /// The key that was looked at last; its other versions are passed over.
    last: Vec<u8>,
    /// It is what the walk stands at.
    stands: bool,
    /// The key that it stood at before, if it did.
    before: Vec<u8>,
    has_stood: bool,
    /// When the value ends; and the value, when the cursor has gone on.
    expiry: u64,
    held: Option<Slice>,
    /// The cursor, and as many steps as this less one, are known to keep to the bounds; 0 when nothing is known.
    within: usize,
    sought: Sought,
    started: bool,
    /// Nobody asks for the values.
    keys_only: bool,
    passed: usize,
}

impl<C: Cursor> Visible<C> {
    /// What of `cursor` is visible at `seq`, and has not expired at `now`.
    #[must_use]
    pub fn new(cursor: C, seq: u64, now: u64) -> Visible<C> {
        Visible {
            cursor,
            seq,
            now,
            last: Vec::new(),
            stands: false,
            before: Vec::new(),
            has_stood: false,
            expiry: NEVER,
            held: None,
            within: 0,
            sought: Sought::default(),
            started: false,
            keys_only: false,
            passed: 0,
        }
    }

    /// From now on values are empty: none is copied, nor kept.
    pub fn without_values(&mut self) {
        self.keys_only = true;
    }

    /// How many keys it has stepped over, going up, that are gone for the reader.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// The key that it stands at, or stood at last when it has come to its end; `None` before the first.
    #[must_use]
    #[inline]
    pub fn key(&self) -> Option<&[u8]> {
        if self.stands { Some(&self.last) } else { self.has_stood.then_some(&*self.before) }
    }

    /// The value of the key that it stands at, where it lies.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &[u8] {
        let stored = self.held.as_deref().unwrap_or_else(|| self.cursor.value());
        stored.get(prefix_len(self.expiry)..).unwrap_or_default()
    }

    /// The value of the key that it stands at; to be taken once.
    #[inline]
    pub fn take_value(&mut self) -> Slice {
        let stored = match self.held.take() {
            Some(held) => held,
            None => self.stored(),
        };
        Found::new(stored, self.expiry).value
    }

    /// The key that it stands at is not given out, so that [`Visible::key`] is the one before again.
    pub fn step_off(&mut self) {
        self.stands = false;
    }

    /// Stands at the next visible key at or after `lower` (which only counts at the first call) and before `upper`; false when there
    /// is none.
    ///
    /// # Errors
    /// What reading gives, [`crate::Error::Incompatible`] for an unknown entry kind.
    pub fn next(&mut self, lower: &[u8], upper: Option<&[u8]>) -> Result<bool> {
        if !self.started {
            self.started = true;
            self.cursor.seek(lower, Trailer(u64::MAX))?;
        } else if self.cursor.valid() {
            self.go_up()?;
            self.skip_versions_of_last()?;
        }
        while self.cursor.valid() && self.is_below(upper) {
            if self.skip_too_new()? {
                continue;
            }
            self.look_at_key();
            if let Some(expiry) = standing(self.cursor.trailer(), || self.cursor.value(), || self.now)? {
                (self.expiry, self.stands) = (expiry, true);
                return Ok(true);
            }
            self.passed += 1;
            self.go_up()?;
            self.skip_versions_of_last()?;
        }
        Ok(false)
    }

    /// Stands at the next visible key going down, before `upper` (which only counts at the first call) and not below `lower`; false
    /// when there is none.
    ///
    /// # Errors
    /// As [`Visible::next`].
    pub fn prev(&mut self, lower: &[u8], upper: Option<&[u8]>) -> Result<bool> {
        if !self.started {
            self.started = true;
            match upper {
                Some(upper) => self.cursor.seek_before(upper, Trailer(u64::MAX))?,
                None => self.cursor.seek_last()?,
            }
        }
        while self.cursor.valid() && self.is_above(lower) {
            self.look_at_key();
            if let Some(expiry) = self.newest_going_down()? {
                (self.expiry, self.stands) = (expiry, true);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the cursor is before `upper`, and what is known of its next steps.
    #[inline]
    fn is_below(&mut self, upper: Option<&[u8]>) -> bool {
        let Some(upper) = upper else { return true };
        if self.within == 0 && self.cursor.key() < upper {
            self.within = self.cursor.steps_below(upper).saturating_add(1);
        }
        self.within > 0
    }

    /// Whether the cursor is not below `lower`, and what is known of its next steps.
    #[inline]
    fn is_above(&mut self, lower: &[u8]) -> bool {
        if self.within == 0 && self.cursor.key() >= lower {
            self.within = self.cursor.steps_above(lower).saturating_add(1);
        }
        self.within > 0
    }

    #[inline]
    fn go_up(&mut self) -> Result<()> {
        self.within = self.within.saturating_sub(1);
        self.cursor.next()
    }

    #[inline]
    fn go_down(&mut self) -> Result<()> {
        self.within = self.within.saturating_sub(1);
        self.cursor.prev()
    }

    /// The cursor's key is the one that is looked at.
    #[inline]
    fn look_at_key(&mut self) {
        if self.stands {
            std::mem::swap(&mut self.last, &mut self.before);
            (self.stands, self.has_stood) = (false, true);
        }
        self.last.clear();
        self.last.extend_from_slice(self.cursor.key());
    }

    /// Steps over a version that is newer than the reader; true when there was one.
    fn skip_too_new(&mut self) -> Result<bool> {
        if self.cursor.trailer().seq() <= self.seq {
            return Ok(false);
        }
        for _ in 0..STEPS {
            self.go_up()?;
            if !self.cursor.valid() || self.cursor.trailer().seq() <= self.seq {
                return Ok(true);
            }
        }
        let key = self.cursor.key().to_vec();
        self.sought.advance(&key, Trailer::upper(self.seq), Ordering::Greater)?;
        self.within = 0;
        self.cursor.seek(&key, Trailer::upper(self.seq))?;
        Ok(true)
    }

    fn skip_versions_of_last(&mut self) -> Result<()> {
        for _ in 0..STEPS {
            if !self.cursor.valid() || self.cursor.key() != self.last {
                return Ok(());
            }
            self.go_up()?;
        }
        if self.cursor.valid() && self.cursor.key() == self.last {
            // The successor of a key is the key with a zero byte behind it.
            self.last.push(0);
            self.sought.advance(&self.last, Trailer(u64::MAX), Ordering::Greater)?;
            self.within = 0;
            self.cursor.seek(&self.last, Trailer(u64::MAX))?;
            self.last.pop();
        }
        Ok(())
    }

    /// Holds the value of `last`, whose oldest version the cursor is at, as the reader sees it, and gives its expiry. Leaves the
    /// cursor before the key.
    fn newest_going_down(&mut self) -> Result<Option<u64>> {
        for _ in 0..STEPS {
            let trailer = self.cursor.trailer();
            if trailer.seq() > self.seq {
                break;
            }
            self.held = Some(self.stored());
            self.go_down()?;
            if !self.cursor.valid() || self.cursor.key() != self.last {
                return self.expiry_of(trailer);
            }
        }
        // Too many versions, or newer ones than the reader's: find the one by search, then the key before.
        self.sought.advance(&self.last, Trailer(u64::MAX), Ordering::Less)?;
        self.within = 0;
        self.cursor.seek(&self.last, Trailer::upper(self.seq))?;
        let here = self.cursor.valid() && self.cursor.key() == self.last;
        let trailer = here.then(|| self.cursor.trailer());
        self.held = here.then(|| self.stored());
        self.cursor.seek_before(&self.last, Trailer(u64::MAX))?;
        trailer.map_or(Ok(None), |trailer| self.expiry_of(trailer))
    }

    /// The stored value of the entry that the cursor is at. Of one that expires it is needed for its time, also where nobody
    /// asks for the value.
    #[inline]
    fn stored(&self) -> Slice {
        match self.keys_only && self.cursor.trailer().kind() != Ok(Kind::PutExpiring) {
            true => Slice::copy_of(&[]),
            false => self.cursor.value_slice(),
        }
    }

    /// The expiry of what is held.
    #[inline]
    fn expiry_of(&self, trailer: Trailer) -> Result<Option<u64>> {
        standing(trailer, || self.held.as_deref().unwrap_or_default(), || self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entry = (Vec<u8>, Trailer);

    /// Entries in any order, searched as a block is: by halves, as if they were in order.
    struct Disorder {
        entries: Vec<Entry>,
        at: usize,
        steps: usize,
    }

    impl Disorder {
        fn place(&self, key: &[u8], trailer: Trailer) -> usize {
            let before = |(k, t): &Entry| k.as_slice().cmp(key).then(trailer.cmp(t)).is_lt();
            self.entries.partition_point(before)
        }
    }

    impl Cursor for Disorder {
        fn seek_first(&mut self) -> Result<()> {
            self.at = 0;
            Ok(())
        }

        fn seek_last(&mut self) -> Result<()> {
            self.at = self.entries.len().wrapping_sub(1);
            Ok(())
        }

        fn seek(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
            self.at = self.place(key, trailer);
            Ok(())
        }

        fn seek_before(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
            self.at = self.place(key, trailer).wrapping_sub(1);
            Ok(())
        }

        fn next(&mut self) -> Result<()> {
            self.steps += 1;
            assert!(self.steps < 100_000, "it goes on for ever: {:?}", self.entries);
            self.at += 1;
            Ok(())
        }

        fn prev(&mut self) -> Result<()> {
            self.steps += 1;
            assert!(self.steps < 100_000, "it goes on for ever: {:?}", self.entries);
            self.at = self.at.wrapping_sub(1);
            Ok(())
        }

        fn valid(&self) -> bool {
            self.at < self.entries.len()
        }

        fn key(&self) -> &[u8] {
            &self.entries[self.at].0
        }

        fn trailer(&self) -> Trailer {
            self.entries[self.at].1
        }

        fn value(&self) -> &[u8] {
            b""
        }
    }

    /// A key that was overwritten a hundred thousand times costs a few steps and searches, whichever of its versions the
    /// reader sees, and whichever way it walks; so do many such keys in a row.
    #[test]
    fn long_runs_of_versions_are_passed_over_by_a_search() {
        const VERSIONS: u64 = 100_000;
        let versions =
            |key: u8| (0..VERSIONS).rev().map(move |n| (vec![key], Trailer::new(10 + n, Kind::Put)));
        let single = |key: u8| std::iter::once((vec![key], Trailer::new(1, Kind::Put)));
        let deleted = |key: u8| {
            let delete = (vec![key], Trailer::new(10 + VERSIONS, Kind::Delete));
            std::iter::once(delete).chain(versions(key))
        };
        let entries: Vec<Entry> = single(b'a')
            .chain(versions(b'b'))
            .chain(deleted(b'c'))
            .chain(versions(b'd'))
            .chain(single(b'e'))
            .collect();
        // The reader is older than all of them, in the middle, at the newest version of each, or sees the deletion, too.
        for (seq, expected) in [(5, "ae"), (500, "abcde"), (9 + VERSIONS, "abcde"), (10 + VERSIONS, "abde")] {
            for forward in [true, false] {
                let cursor = Disorder { entries: entries.clone(), at: usize::MAX, steps: 0 };
                let mut visible = Visible::new(cursor, seq, 0);
                let mut found = String::new();
                loop {
                    let step = if forward { visible.next(b"", None) } else { visible.prev(b"", None) };
                    if !step.unwrap() {
                        break;
                    }
                    found.push(char::from(visible.key().unwrap()[0]));
                }
                if !forward {
                    found = found.chars().rev().collect();
                }
                assert_eq!(found, expected, "{seq}, forward: {forward}");
                let steps = visible.cursor.steps;
                assert!(steps < 100, "{seq}, forward: {forward}: {steps} steps");
            }
        }
    }

    /// Found by fuzzing: a reverse scan of a table whose checksums were right and whose entries were not in order came
    /// back to where it had been, for ever (V1).
    #[test]
    fn walks_over_entries_out_of_order_end() {
        let mut random = 1u64;
        let mut below = |n: u64| {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (random >> 33) % n
        };
        let (mut refused, mut walked) = (0, 0);
        for _ in 0..2000 {
            let count = 2 + below(60);
            let mut entry = |_| (vec![below(4) as u8], Trailer(below(6) << 8 | 1));
            let entries: Vec<Entry> = (0..count).map(&mut entry).collect();
            for forward in [true, false] {
                let cursor = Disorder { entries: entries.clone(), at: usize::MAX, steps: 0 };
                let mut visible = Visible::new(cursor, 2, 0);
                loop {
                    let step = if forward { visible.next(b"", None) } else { visible.prev(b"", None) };
                    match step {
                        Ok(true) => walked += 1,
                        Ok(false) => break,
                        Err(e) => {
                            assert!(e.to_string().contains("comes after"), "{e}");
                            refused += 1;
                            break;
                        }
                    }
                    assert!(visible.cursor.steps < 100_000);
                }
            }
        }
        assert!(refused > 100 && walked > 100, "{refused} {walked}");
    }
}
