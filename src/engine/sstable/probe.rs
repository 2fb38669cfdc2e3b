//! A point read of a table, cut into steps where it waits for memory.
//!
//! ```text
//! step     search          load               near              find           touch        take
//! needs    index           slot of the cache  the block itself  its tags, keys the value    what the steps before
//!                                                                                           have brought near
//! ```
//!
//! Each step leads to where the next one looks, so one read waits for each in turn. Whoever reads many keys takes a step for all
//! of them before the next: the waits of one step depend on nothing of it, and the processor has several under way.
//!
//! (P1) All steps are taken, in their order; `take` answers as [`Table::lookup`] would.
//! (P2) A block that is not cached is read by `take`: no step before it fails or waits for a disk.

use super::block::Block;
use super::table::{Keep, Table, entry};
use crate::Result;
use crate::engine::cache::Hit;
use crate::engine::key::Trailer;
use crate::engine::slice::Slice;
use std::hint::black_box;
use std::ops::Deref;
use std::sync::Arc;

/// A read of a key in a table that may contain it, on its way.
pub struct Probe<'k, T> {
    table: T,
    key: &'k [u8],
    hash: u64,
    at: Trailer,
    /// The block in question; the number of blocks when none is.
    ordinal: usize,
    hit: Option<Hit<Block>>,
    /// Where in the block, if it is there.
    found: Option<usize>,
}

impl<'k, T: Deref<Target = Arc<Table>>> Probe<'k, T> {
    /// A read that answers as [`Table::lookup`] with the same key, hash and number.
    #[inline]
    pub fn new(table: T, key: &'k [u8], hash: u64, snapshot: u64) -> Self {
        Probe { table, key, hash, at: Trailer::upper(snapshot), ordinal: 0, hit: None, found: None }
    }

    /// Finds the block, and looks at its slot.
    #[inline]
    pub fn search(&mut self) {
        self.ordinal = self.table.meta().index.search(self.key, self.at);
        self.table.slots().touch(self.ordinal);
    }

    /// Asks the slot.
    #[inline]
    pub fn load(&mut self) {
        if self.ordinal < self.table.meta().index.len() {
            self.hit = Some(self.table.slots().get(self.ordinal));
        }
    }

    /// Looks at the block.
    #[inline]
    pub fn touch_block(&self) {
        if let Some(block) = self.block() {
            block.touch_self();
        }
    }

    /// Looks at its tags and keys.
    #[inline]
    pub fn touch_keys(&self) {
        if let Some(block) = self.block() {
            block.touch_keys();
        }
    }

    /// Finds the entry, and looks at its value.
    #[inline]
    pub fn find(&mut self) {
        if let Some(block) = self.hit.as_ref().and_then(|hit| hit.as_ref()) {
            let view = block.view();
            self.found = view.find(self.key, self.hash, self.at);
            if let Some(i) = self.found {
                // What follows comes by itself, when someone reads on.
                black_box(view.value(i).first().copied());
            }
        }
    }

    /// The answer.
    ///
    /// # Errors
    /// As [`Table::lookup`].
    #[inline]
    pub fn take(self) -> Result<Option<(Trailer, Slice)>> {
        let Some(hit) = &self.hit else { return Ok(None) };
        match &**hit {
            Some(block) => Ok(self.found.map(|i| entry(block, i))),
            None => {
                // One of those beside may have read it meanwhile.
                let block = match &*self.table.slots().peek(self.ordinal) {
                    Some(block) => Arc::clone(block),
                    None => self.table.read(self.ordinal, Keep::Cached)?,
                };
                let found = block.view().find(self.key, self.hash, self.at);
                Ok(found.map(|i| entry(&block, i)))
            }
        }
    }

    #[inline]
    fn block(&self) -> Option<&Arc<Block>> {
        self.hit.as_ref().and_then(|hit| hit.as_ref())
    }
}
