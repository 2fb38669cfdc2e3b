//! A range that is gathered in turns, within a limit of bytes.

use super::budget::{Budget, FREE_BYTES, Share};
use super::failure::{busy, describe};
use crate::Slice;
use crate::protocol::{Reply, entry_weight};
use crate::store::Entries;
use std::fmt;
use std::sync::Arc;

/// How many entries of a range are gathered at once, and of a longer one at each turn.
pub(super) const SHORT_RANGE: usize = 128;
const RANGE_TURN: usize = 16_384;

/// A range that is being gathered.
pub(super) struct LongRange {
    rest: Entries,
    entries: Vec<(Slice, Slice)>,
    bytes: usize,
    max_bytes: usize,
    held: Share,
}

impl fmt::Debug for LongRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LongRange").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl LongRange {
    /// None of it is gathered yet.
    pub(super) fn new(rest: Entries, max_bytes: usize, budget: &Arc<Budget>) -> LongRange {
        LongRange { rest, entries: Vec::new(), bytes: 0, max_bytes, held: budget.share() }
    }

    /// Gathers on for one turn; the reply when it is whole, or cannot be.
    pub(super) fn turn(&mut self) -> Option<Reply> {
        self.take(RANGE_TURN)
    }

    /// Gathers on for so many entries.
    pub(super) fn take(&mut self, count: usize) -> Option<Reply> {
        for _ in 0..count {
            let entry = match self.rest.next() {
                None => return Some(Reply::Entries(std::mem::take(&mut self.entries))),
                Some(Err(error)) => return Some(Reply::Failed(describe(&error))),
                Some(Ok(entry)) => entry,
            };
            self.bytes = self.bytes.saturating_add(entry_weight(&entry));
            if self.bytes > self.max_bytes {
                return Some(too_long(self.max_bytes));
            }
            // Taken in steps: each is a word that all connections share.
            if !self.held.hold(self.bytes.next_multiple_of(FREE_BYTES)) {
                return Some(busy());
            }
            self.entries.push(entry);
        }
        None
    }
}

fn too_long(limit: usize) -> Reply {
    let why = format!("the range is larger than {limit} bytes: ask for a narrower one, or set \"limit\"");
    Reply::Failed(why.into())
}
