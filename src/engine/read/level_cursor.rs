//! Disjoint tables, one after the other, as one sorted run. A table is opened when the walk reaches it.

use super::lazy_table::TableRef;
use crate::Result;
use crate::engine::iter::Cursor;
use crate::engine::key::Trailer;
use crate::engine::slice::Slice;
use crate::engine::sstable::TableCursor;
use std::sync::Arc;

/// A cursor over the tables of a level, in order of their keys.
pub struct LevelCursor {
    tables: Vec<Arc<TableRef>>,
    /// The table the cursor is in; its index is `at`.
    current: Option<TableCursor>,
    at: usize,
}

impl LevelCursor {
    /// A cursor over `tables`, which are sorted and disjoint.
    #[must_use]
    pub fn new(tables: Vec<Arc<TableRef>>) -> LevelCursor {
        LevelCursor { tables, current: None, at: 0 }
    }

    /// Goes to table `at` (not positioned in it); false when there is none.
    fn enter(&mut self, at: usize) -> Result<bool> {
        if self.at == at && self.current.is_some() {
            return Ok(true);
        }
        self.current = None;
        self.at = at;
        let Some(table) = self.tables.get(at) else { return Ok(false) };
        self.current = Some(table.handle.open()?.cursor());
        Ok(true)
    }

    /// Walks forward over tables until one has an entry.
    fn settle_forward(&mut self) -> Result<()> {
        while self.current.as_ref().is_some_and(|c| !c.valid()) {
            if self.enter(self.at + 1)?
                && let Some(c) = &mut self.current
            {
                c.seek_first()?;
            }
        }
        Ok(())
    }

    /// Walks backward over tables until one has an entry.
    fn settle_backward(&mut self) -> Result<()> {
        while self.current.as_ref().is_some_and(|c| !c.valid()) {
            let Some(before) = self.at.checked_sub(1) else {
                self.current = None;
                return Ok(());
            };
            if self.enter(before)?
                && let Some(c) = &mut self.current
            {
                c.seek_last()?;
            }
        }
        Ok(())
    }

    fn on_entry(&self) -> Option<&TableCursor> {
        debug_assert!(self.valid(), "cursor C2");
        self.current.as_ref()
    }
}

impl Cursor for LevelCursor {
    fn seek_first(&mut self) -> Result<()> {
        if self.enter(0)?
            && let Some(c) = &mut self.current
        {
            c.seek_first()?;
        }
        self.settle_forward()
    }

    fn seek_last(&mut self) -> Result<()> {
        let Some(last) = self.tables.len().checked_sub(1) else { return Ok(()) };
        if self.enter(last)?
            && let Some(c) = &mut self.current
        {
            c.seek_last()?;
        }
        self.settle_backward()
    }

    fn seek(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        let at = self.tables.partition_point(|t| &*t.summary.largest < key);
        if self.enter(at)?
            && let Some(c) = &mut self.current
        {
            c.seek(key, trailer)?;
        }
        self.settle_forward()
    }

    fn seek_before(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        // The first table that may hold an entry at or after the place; what is before it ends before the place.
        let at = self.tables.partition_point(|t| &*t.summary.largest < key);
        if at == self.tables.len() {
            return self.seek_last();
        }
        if self.enter(at)?
            && let Some(c) = &mut self.current
        {
            c.seek_before(key, trailer)?;
        }
        self.settle_backward()
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        if let Some(c) = &mut self.current {
            c.next()?;
            if !c.valid() {
                return self.settle_forward();
            }
        }
        Ok(())
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        if let Some(c) = &mut self.current {
            c.prev()?;
            if !c.valid() {
                return self.settle_backward();
            }
        }
        Ok(())
    }

    #[inline]
    fn valid(&self) -> bool {
        self.current.as_ref().is_some_and(TableCursor::valid)
    }

    #[inline]
    fn key(&self) -> &[u8] {
        self.on_entry().map_or(&[], TableCursor::key)
    }

    #[inline]
    fn trailer(&self) -> Trailer {
        self.on_entry().map_or(Trailer(0), TableCursor::trailer)
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.on_entry().map_or(&[], TableCursor::value)
    }

    #[inline]
    fn value_slice(&self) -> Slice {
        self.on_entry().map_or_else(|| Slice::copy_of(&[]), TableCursor::value_slice)
    }
}
