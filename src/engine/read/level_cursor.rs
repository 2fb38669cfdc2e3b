//! Disjoint tables, one after the other, as one sorted run. A table is opened when the walk reaches it.
//!
//! What is to be passed over is passed table by table: one whose entries are all old enough is searched, and not even opened
//! when it ends before the goal.
//!
//! (V1) In one table, from one positioning to the next, each such search has another goal than the one before. Where entries are not in order, in a table that was
//!      not made by a builder but has right checksums, that is an error; a walk could otherwise go round for ever.

use super::lazy_table::TableRef;
use crate::Result;
use crate::engine::iter::{Cursor, unordered};
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
    /// The goal of the last search in this table that passed something (V1).
    passed: Option<Vec<u8>>,
    /// Whether scanned blocks may go to the cache where there is room.
    is_reader: bool,
}

impl LevelCursor {
    /// A cursor over `tables`, which are sorted and disjoint.
    #[must_use]
    pub fn new(tables: Vec<Arc<TableRef>>) -> LevelCursor {
        LevelCursor { tables, current: None, at: 0, passed: None, is_reader: true }
    }

    /// For who reads the tables to replace them.
    #[must_use]
    pub fn leaving_no_trace(mut self) -> LevelCursor {
        self.is_reader = false;
        self
    }

    /// Goes to table `at` (not positioned in it); false when there is none.
    fn enter(&mut self, at: usize) -> Result<bool> {
        if self.at == at && self.current.is_some() {
            return Ok(true);
        }
        self.current = None;
        self.passed = None;
        self.at = at;
        let Some(table) = self.tables.get(at) else { return Ok(false) };
        let cursor = table.handle.open()?.cursor();
        self.current = Some(if self.is_reader { cursor } else { cursor.leaving_no_trace() });
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

    /// Whether all entries of table `at` have numbers below `seq`.
    fn is_older(&self, at: usize, seq: u64) -> bool {
        self.tables.get(at).is_some_and(|table| table.summary.max_seq < seq)
    }

    /// Notes that the present table is searched for `key` (V1).
    fn note_passed(&mut self, key: &[u8]) -> Result<()> {
        match &self.passed {
            Some(before) if before == key => Err(unordered(self.key(), key)),
            _ => {
                self.passed = Some(key.to_vec());
                Ok(())
            }
        }
    }

    fn on_entry(&self) -> Option<&TableCursor> {
        debug_assert!(self.valid(), "cursor C2");
        self.current.as_ref()
    }
}

impl Cursor for LevelCursor {
    fn seek_first(&mut self) -> Result<()> {
        self.passed = None;
        if self.enter(0)?
            && let Some(c) = &mut self.current
        {
            c.seek_first()?;
        }
        self.settle_forward()
    }

    fn seek_last(&mut self) -> Result<()> {
        self.passed = None;
        let Some(last) = self.tables.len().checked_sub(1) else { return Ok(()) };
        if self.enter(last)?
            && let Some(c) = &mut self.current
        {
            c.seek_last()?;
        }
        self.settle_backward()
    }

    fn seek(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        self.passed = None;
        let at = self.tables.partition_point(|t| &*t.summary.largest < key);
        if self.enter(at)?
            && let Some(c) = &mut self.current
        {
            c.seek(key, trailer)?;
        }
        self.settle_forward()
    }

    fn seek_before(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        self.passed = None;
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

    fn pass(&mut self, key: &[u8], seq: u64) -> Result<()> {
        if !self.is_older(self.at, seq) {
            return self.next();
        }
        let ends_before = |at: usize| self.tables.get(at).is_some_and(|t| &*t.summary.largest < key);
        if !ends_before(self.at) {
            self.note_passed(key)?;
        } else {
            let mut at = self.at + 1;
            while self.is_older(at, seq) && ends_before(at) {
                at += 1;
            }
            if !self.enter(at)? {
                return Ok(());
            }
        }
        let is_older = self.is_older(self.at, seq);
        if let Some(c) = &mut self.current {
            if is_older { c.seek(key, Trailer(u64::MAX))? } else { c.seek_first()? }
        }
        self.settle_forward()
    }

    fn pass_back(&mut self, key: &[u8], seq: u64) -> Result<()> {
        if !self.is_older(self.at, seq) {
            return self.prev();
        }
        let begins_behind = |at: usize| self.tables.get(at).is_some_and(|t| &*t.summary.smallest >= key);
        if !begins_behind(self.at) {
            self.note_passed(key)?;
        } else {
            let mut at = self.at;
            loop {
                let Some(before) = at.checked_sub(1) else {
                    self.current = None;
                    return Ok(());
                };
                at = before;
                if !(self.is_older(at, seq) && begins_behind(at)) {
                    break;
                }
            }
            self.enter(at)?;
        }
        let is_older = self.is_older(self.at, seq);
        if let Some(c) = &mut self.current {
            if is_older { c.seek_before(key, Trailer(u64::MAX))? } else { c.seek_last()? }
        }
        self.settle_backward()
    }

    #[inline]
    fn steps_below(&self, upper: &[u8]) -> usize {
        self.current.as_ref().map_or(0, |table| table.steps_below(upper))
    }

    #[inline]
    fn steps_above(&self, lower: &[u8]) -> usize {
        self.current.as_ref().map_or(0, |table| table.steps_above(lower))
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
