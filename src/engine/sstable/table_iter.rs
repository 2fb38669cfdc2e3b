//! A cursor over the entries of one table.
//!
//! It stands at a position of a block it holds. The key is kept in a buffer of its own, because blocks store keys
//! without what they share; the buffer keeps that part from entry to entry and only the rest is copied.
//!
//! (S1) `block` is there exactly while the cursor is valid; then `at` is a position in it, and `key` and `trailer` are
//!      those of the entry there.
//! (S2) After [`SCAN_BLOCKS`] steps from block to block in one direction the cursor takes itself for a scan, and no longer
//!      displaces anything in the cache: what is read once must not push out what is read often. A reader's blocks still go
//!      where there is room; those of who reads a table to replace it do not. A seek begins anew.

use super::block::Block;
use super::table::{Keep, Table};
use crate::Result;
use crate::engine::iter::Cursor;
use crate::engine::key::Trailer;
use crate::engine::slice::Slice;
use crate::planted::{Bug, planted};
use std::sync::Arc;

impl Table {
    /// A cursor over all entries.
    #[must_use]
    pub fn cursor(self: &Arc<Self>) -> TableCursor {
        TableCursor::new(Arc::clone(self))
    }
}

/// How many steps from block to block make a scan.
const SCAN_BLOCKS: u32 = 8;

/// A position in a table.
pub struct TableCursor {
    table: Arc<Table>,
    block: Option<Arc<Block>>,
    ordinal: usize,
    at: usize,
    key: Vec<u8>,
    trailer: Trailer,
    direction: Direction,
    steps: u32,
    /// What a scan does with blocks (S2).
    of_scan: Keep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// Where to stand in a block that is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

impl TableCursor {
    /// A cursor that is not positioned yet.
    #[must_use]
    fn new(table: Arc<Table>) -> TableCursor {
        TableCursor {
            table,
            block: None,
            ordinal: 0,
            at: 0,
            key: Vec::new(),
            trailer: Trailer(0),
            direction: Direction::Forward,
            steps: 0,
            // Of 64 thousand documents that fit, which were scanned once, a find of a key takes 4.1 µs and not 7.0, and the next scan
            // 13.6 ms and not 21.4 (`benches/peers/documents`).
            of_scan: Keep::WhereRoomIs,
        }
    }

    /// For who reads the table to replace it.
    #[must_use]
    pub fn leaving_no_trace(mut self) -> TableCursor {
        self.of_scan = Keep::Once;
        self
    }

    fn blocks(&self) -> usize {
        self.table.meta().index.len()
    }

    /// Holds block `ordinal`, or becomes invalid when there is none or it cannot be read.
    fn load(&mut self, ordinal: usize, keep: Keep) -> Result<Option<&Arc<Block>>> {
        // The old block goes first, also when the new one cannot be read (C1 of the contract).
        let old = self.block.take();
        if ordinal >= self.blocks() {
            return Ok(None);
        }
        let block = match old.filter(|_| self.ordinal == ordinal) {
            Some(block) => block,
            None => self.table.block(ordinal, keep)?,
        };
        self.ordinal = ordinal;
        self.key.clear();
        self.key.extend_from_slice(block.view().prefix());
        Ok(Some(self.block.insert(block)))
    }

    /// Goes to one end of block `ordinal`.
    fn enter(&mut self, ordinal: usize, end: End, keep: Keep) -> Result<()> {
        if let Some(block) = self.load(ordinal, keep)? {
            let last = block.len() - 1;
            self.at = if end == End::First { 0 } else { last };
            self.read();
        }
        Ok(())
    }

    /// Goes to the block on one side of this one.
    fn step(&mut self, direction: Direction) -> Result<()> {
        self.steps = if self.direction == direction { self.steps + 1 } else { 1 };
        self.direction = direction;
        let is_scan = self.steps > SCAN_BLOCKS;
        let keep = if is_scan { self.of_scan } else { Keep::Cached };
        match direction {
            Direction::Forward => self.enter(self.ordinal + 1, End::First, keep)?,
            Direction::Backward => match self.ordinal.checked_sub(1) {
                Some(before) => self.enter(before, End::Last, keep)?,
                None => self.block = None,
            },
        }
        if let Some(block) = self.block.as_ref().filter(|_| is_scan) {
            block.touch();
        }
        Ok(())
    }

    /// Holds the block where `(key, trailer)` would be, and returns its position there: that of the first entry at or
    /// after it, which may lie behind the block's end. `None` when all entries are before it.
    fn search(&mut self, key: &[u8], trailer: Trailer) -> Result<Option<usize>> {
        self.steps = 0;
        let ordinal = self.table.meta().index.search(key, trailer);
        let block = self.load(ordinal, Keep::Cached)?;
        Ok(block.map(|block| block.view().seek(key, trailer)))
    }

    /// Takes key and trailer from the block.
    #[inline]
    fn read(&mut self) {
        let Some(block) = &self.block else { return };
        let view = block.view();
        self.key.truncate(block.prefix_len());
        self.key.extend_from_slice(view.suffix(self.at));
        self.trailer = view.trailer(self.at);
    }
}

impl Cursor for TableCursor {
    fn seek_first(&mut self) -> Result<()> {
        self.steps = 0;
        self.enter(0, End::First, Keep::Cached)
    }

    fn seek_last(&mut self) -> Result<()> {
        self.steps = 0;
        match self.blocks().checked_sub(1) {
            Some(last) => self.enter(last, End::Last, Keep::Cached),
            None => Ok(()),
        }
    }

    fn seek(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        let Some(at) = self.search(key, trailer)? else { return Ok(()) };
        let too_far = usize::from(planted(Bug::SeekMissesBlockEnd));
        if self.block.as_ref().is_some_and(|block| at + too_far >= block.len()) {
            // Between this block's last entry and its bound.
            return self.enter(self.ordinal + 1, End::First, Keep::Cached);
        }
        self.at = at;
        self.read();
        Ok(())
    }

    fn seek_before(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        match self.search(key, trailer)? {
            None => self.seek_last(),
            Some(0) => match self.ordinal.checked_sub(1) {
                Some(before) => self.enter(before, End::Last, Keep::Cached),
                None => {
                    self.block = None;
                    Ok(())
                }
            },
            Some(at) => {
                self.at = at - 1;
                self.read();
                Ok(())
            }
        }
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        debug_assert!(self.valid(), "C3: stepped while not valid");
        match &self.block {
            Some(block) if self.at + 1 < block.len() => {
                self.at += 1;
                self.read();
                Ok(())
            }
            Some(_) => self.step(Direction::Forward),
            None => Ok(()),
        }
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        debug_assert!(self.valid(), "C3: stepped while not valid");
        match &self.block {
            Some(_) if self.at > 0 => {
                self.at -= 1;
                self.read();
                Ok(())
            }
            Some(_) => self.step(Direction::Backward),
            None => Ok(()),
        }
    }

    /// To the end of the block, when its last key is below.
    fn steps_below(&self, upper: &[u8]) -> usize {
        let Some(block) = &self.block else { return 0 };
        let last = block.len() - 1;
        if block.view().cmp_key(last, upper).is_lt() { last.saturating_sub(self.at) } else { 0 }
    }

    /// To the beginning of the block, when its first key is not below.
    fn steps_above(&self, lower: &[u8]) -> usize {
        let Some(block) = &self.block else { return 0 };
        if block.view().cmp_key(0, lower).is_ge() { self.at } else { 0 }
    }

    #[inline]
    fn valid(&self) -> bool {
        self.block.is_some()
    }

    #[inline]
    fn key(&self) -> &[u8] {
        &self.key
    }

    #[inline]
    fn trailer(&self) -> Trailer {
        self.trailer
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.block.as_ref().map(|block| block.view().value(self.at)).unwrap_or_default()
    }

    fn value_slice(&self) -> Slice {
        match &self.block {
            Some(block) => {
                let (start, len) = block.value_span(self.at);
                Slice::share(block, start, len)
            }
            None => Slice::copy_of(&[]),
        }
    }
}
