//! A walk that leaves out what deletions of ranges hide.
//!
//! A stretch of keys that the same deletions cover is looked up once, when the walk enters it. In it an entry is hidden when its
//! number is below that of the newest deletion, and then the source that it came from passes over all that is hidden in the
//! stretch, at once where it can: so a hole costs about one search in each place that has something in it.

use crate::Result;
use crate::engine::iter::Cursor;
use crate::engine::key::Trailer;
use crate::engine::slice::Slice;
use crate::engine::tombstones::Fragments;
use std::sync::Arc;

/// The entries of a cursor that nothing hides from readers at a sequence number.
pub struct Covered<C> {
    cursor: C,
    /// `None` when no range was deleted.
    cover: Option<Box<Cover>>,
}

/// Which deletions there are, and what is known of where the walk is.
struct Cover {
    sets: Vec<Arc<Fragments>>,
    seq: u64,
    here: Stretch,
}

/// Keys that the same deletions cover.
#[derive(Default)]
struct Stretch {
    /// The first of them.
    start: Option<Arc<[u8]>>,
    /// The first behind them.
    end: Option<Arc<[u8]>>,
    /// The number of the newest deletion; 0 when there is none.
    deleted: u64,
    known: bool,
}

impl Stretch {
    fn holds(&self, key: &[u8]) -> bool {
        self.known
            && self.start.as_ref().is_none_or(|start| &**start <= key)
            && self.end.as_ref().is_none_or(|end| key < &**end)
    }
}

impl Cover {
    /// What is known of the stretch that `key` lies in.
    fn at(&mut self, key: &[u8]) -> &Stretch {
        if !self.here.holds(key) {
            self.here = self.look_up(key);
        }
        &self.here
    }

    #[cold]
    fn look_up(&self, key: &[u8]) -> Stretch {
        let mut found = Stretch { known: true, ..Stretch::default() };
        for set in &self.sets {
            let (start, end) = match (set.before(key), set.from(key)) {
                (_, Some(here)) if &*here.start <= key => {
                    found.deleted = found.deleted.max(here.newest_up_to(self.seq).unwrap_or(0));
                    (Some(&here.start), Some(&here.end))
                }
                (before, behind) => (before.map(|f| &f.end), behind.map(|f| &f.start)),
            };
            if let Some(start) = start.filter(|start| found.start.as_ref().is_none_or(|old| *start > old)) {
                found.start = Some(Arc::clone(start));
            }
            if let Some(end) = end.filter(|end| found.end.as_ref().is_none_or(|old| *end < old)) {
                found.end = Some(Arc::clone(end));
            }
        }
        found
    }
}

impl<C: Cursor> Covered<C> {
    /// What of `cursor` these sets do not hide from readers at `seq`.
    #[must_use]
    pub fn new(cursor: C, sets: Vec<Arc<Fragments>>, seq: u64) -> Covered<C> {
        let cover = Cover { sets, seq, here: Stretch::default() };
        Covered { cursor, cover: (!cover.sets.is_empty()).then(|| Box::new(cover)) }
    }

    #[inline]
    fn settle_forward(&mut self) -> Result<()> {
        if self.cover.is_some() { self.leave_hidden_forward() } else { Ok(()) }
    }

    #[inline]
    fn settle_backward(&mut self) -> Result<()> {
        if self.cover.is_some() { self.leave_hidden_backward() } else { Ok(()) }
    }

    #[inline(never)]
    fn leave_hidden_forward(&mut self) -> Result<()> {
        let Some(cover) = &mut self.cover else { return Ok(()) };
        while self.cursor.valid() {
            let stretch = cover.at(self.cursor.key());
            if self.cursor.trailer().seq() >= stretch.deleted {
                break;
            }
            match &stretch.end {
                Some(end) => self.cursor.pass(end, stretch.deleted)?,
                None => self.cursor.next()?,
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn leave_hidden_backward(&mut self) -> Result<()> {
        let Some(cover) = &mut self.cover else { return Ok(()) };
        while self.cursor.valid() {
            let stretch = cover.at(self.cursor.key());
            if self.cursor.trailer().seq() >= stretch.deleted {
                break;
            }
            match &stretch.start {
                Some(start) => self.cursor.pass_back(start, stretch.deleted)?,
                None => self.cursor.prev()?,
            }
        }
        Ok(())
    }
}

impl<C: Cursor> Cursor for Covered<C> {
    fn seek_first(&mut self) -> Result<()> {
        self.cursor.seek_first()?;
        self.settle_forward()
    }

    fn seek_last(&mut self) -> Result<()> {
        self.cursor.seek_last()?;
        self.settle_backward()
    }

    fn seek(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        self.cursor.seek(key, trailer)?;
        self.settle_forward()
    }

    fn seek_before(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        self.cursor.seek_before(key, trailer)?;
        self.settle_backward()
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        self.cursor.next()?;
        self.settle_forward()
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        self.cursor.prev()?;
        self.settle_backward()
    }

    /// Over deletions of ranges a step may be a leap, of which nothing is known.
    #[inline]
    fn steps_below(&self, upper: &[u8]) -> usize {
        if self.cover.is_some() { 0 } else { self.cursor.steps_below(upper) }
    }

    #[inline]
    fn steps_above(&self, lower: &[u8]) -> usize {
        if self.cover.is_some() { 0 } else { self.cursor.steps_above(lower) }
    }

    #[inline]
    fn valid(&self) -> bool {
        self.cursor.valid()
    }

    #[inline]
    fn key(&self) -> &[u8] {
        self.cursor.key()
    }

    #[inline]
    fn trailer(&self) -> Trailer {
        self.cursor.trailer()
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.cursor.value()
    }

    #[inline]
    fn value_slice(&self) -> Slice {
        self.cursor.value_slice()
    }
}
