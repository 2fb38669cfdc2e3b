//! From all entries to what a reader sees: of every key the newest version up to a sequence number, if it is a value.
//!
//! Versions that the reader does not see are stepped over; after [`STEPS`] of them for one key the cursor seeks past the
//! rest, so a key that was overwritten a million times costs a search and not a million steps.

use super::super_version::is_put;
use crate::Result;
use crate::engine::iter::Cursor;
use crate::engine::key::Trailer;
use crate::engine::slice::Slice;

/// Steps over versions of one key before a seek is cheaper.
const STEPS: usize = 8;

/// A key and its value.
pub type Pair = (Slice, Slice);

/// The visible entries of a cursor, walked in one direction: either only [`Visible::next`] or only [`Visible::prev`].
pub struct Visible<C> {
    cursor: C,
    seq: u64,
    /// The key that was answered last; its other versions are passed over.
    last: Vec<u8>,
    started: bool,
}

impl<C: Cursor> Visible<C> {
    /// What of `cursor` is visible at `seq`.
    #[must_use]
    pub fn new(cursor: C, seq: u64) -> Visible<C> {
        Visible { cursor, seq, last: Vec::new(), started: false }
    }

    /// The next visible key at or after `lower` (which only counts at the first call) and before `upper`.
    ///
    /// # Errors
    /// What reading gives, [`crate::Error::Incompatible`] for an unknown entry kind.
    pub fn next(&mut self, lower: &[u8], upper: Option<&[u8]>) -> Result<Option<Pair>> {
        if !self.started {
            self.started = true;
            self.cursor.seek(lower, Trailer(u64::MAX))?;
        } else if self.cursor.valid() {
            self.cursor.next()?;
            self.skip_versions_of_last()?;
        }
        while self.cursor.valid() && upper.is_none_or(|upper| self.cursor.key() < upper) {
            if self.skip_too_new()? {
                continue;
            }
            self.last.clear();
            self.last.extend_from_slice(self.cursor.key());
            if is_put(self.cursor.trailer())? {
                return Ok(Some((Slice::copy_of(&self.last), self.cursor.value_slice())));
            }
            self.cursor.next()?;
            self.skip_versions_of_last()?;
        }
        Ok(None)
    }

    /// The next visible key going down, before `upper` (which only counts at the first call) and not below `lower`.
    ///
    /// # Errors
    /// As [`Visible::next`].
    pub fn prev(&mut self, lower: &[u8], upper: Option<&[u8]>) -> Result<Option<Pair>> {
        if !self.started {
            self.started = true;
            match upper {
                Some(upper) => self.cursor.seek_before(upper, Trailer(u64::MAX))?,
                None => self.cursor.seek_last()?,
            }
        }
        while self.cursor.valid() && self.cursor.key() >= lower {
            self.last.clear();
            self.last.extend_from_slice(self.cursor.key());
            if let Some(value) = self.newest_going_down()? {
                return Ok(Some((Slice::copy_of(&self.last), value)));
            }
        }
        Ok(None)
    }

    /// Steps over a version that is newer than the reader; true when there was one.
    fn skip_too_new(&mut self) -> Result<bool> {
        if self.cursor.trailer().seq() <= self.seq {
            return Ok(false);
        }
        for _ in 0..STEPS {
            self.cursor.next()?;
            if !self.cursor.valid() || self.cursor.trailer().seq() <= self.seq {
                return Ok(true);
            }
        }
        let key = self.cursor.key().to_vec();
        self.cursor.seek(&key, Trailer::upper(self.seq))?;
        Ok(true)
    }

    fn skip_versions_of_last(&mut self) -> Result<()> {
        for _ in 0..STEPS {
            if !self.cursor.valid() || self.cursor.key() != self.last {
                return Ok(());
            }
            self.cursor.next()?;
        }
        if self.cursor.valid() && self.cursor.key() == self.last {
            // The successor of a key is the key with a zero byte behind it.
            self.last.push(0);
            self.cursor.seek(&self.last, Trailer(u64::MAX))?;
            self.last.pop();
        }
        Ok(())
    }

    /// The value of `last`, whose oldest version the cursor is at, as the reader sees it. Leaves the cursor before the key.
    fn newest_going_down(&mut self) -> Result<Option<Slice>> {
        for _ in 0..STEPS {
            let trailer = self.cursor.trailer();
            if trailer.seq() > self.seq {
                break;
            }
            let value = self.cursor.value_slice();
            self.cursor.prev()?;
            if !self.cursor.valid() || self.cursor.key() != self.last {
                return value_of(Some((trailer, value)));
            }
        }
        // Too many versions, or newer ones than the reader's: find the one by search, then the key before.
        self.cursor.seek(&self.last, Trailer::upper(self.seq))?;
        let here = self.cursor.valid() && self.cursor.key() == self.last;
        let found = here.then(|| (self.cursor.trailer(), self.cursor.value_slice()));
        self.cursor.seek_before(&self.last, Trailer(u64::MAX))?;
        value_of(found)
    }
}

fn value_of(newest: Option<(Trailer, Slice)>) -> Result<Option<Slice>> {
    match newest {
        Some((trailer, value)) if is_put(trailer)? => Ok(Some(value)),
        _ => Ok(None),
    }
}
