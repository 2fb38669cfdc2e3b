//! A large batch on its way in: its entries are in the arena, and become a run without going through the list.
//!
//! ```text
//! for each entry   arena: append it ── hash table: ask for its slot ── publish the entry of eight before
//! at the end       hash table: publish the rest ── sort all, those of the list with them: a run ── list and runs: replaced
//! ```
//!
//! (K1) Cursors find a batch from its end on, and nothing of it is visible before. So it does not matter that they find less than
//!      `get` meanwhile: whoever reads at a number that is visible wants neither, and whoever holds the list and runs of before has
//!      all up to its number. Of those who read whatever there is, a flush does so when nothing is written any more. What is checked before
//!      a commit looks without the lock first, but holds for what was visible by then only, and looks at the rest under the
//!      lock that batches are written under.
//! (K2) The hash table comes to lead to the entries in the order of the batch, so versions of one key hang one behind the
//!      other as ever. By the time the batch ends it leads to all of them.
//! (K3) The list goes into the same run, for it holds what was written just before: so runs are of disjoint times and in their
//!      order, by which parts without newer entries are left out, and a few entries between large batches make no small run.
//! (K4) Deletions of ranges lie beside the entries and hide by number, so one in the midst of a batch need not wait for
//!      what is before it.

use super::arena::{Arena, Entries, Entry};
use super::hash_table::TableWriter;
use std::sync::Arc;

/// How many entries ahead slots are asked for.
const AHEAD: usize = 8;

/// The entries of a batch, in its order.
pub struct Bulk {
    entries: Entries,
    /// The hashes of their keys.
    hashes: Vec<u64>,
    /// How many of them the hash table leads to.
    published: usize,
}

impl Bulk {
    /// None yet.
    pub fn new(arena: &Arc<Arena>) -> Bulk {
        Bulk { entries: Entries::with_capacity(arena, 0), hashes: Vec::new(), published: 0 }
    }

    /// Adds an entry whose slot has been asked for, and publishes an earlier one.
    pub fn push(&mut self, hash: u64, entry: Entry<'_>, table: &mut TableWriter) {
        self.entries.push(entry);
        self.hashes.push(hash);
        self.publish_up_to(self.hashes.len().saturating_sub(AHEAD), table);
    }

    /// Publishes all that are not yet; gives them all.
    pub fn finish(mut self, table: &mut TableWriter) -> Entries {
        self.publish_up_to(self.hashes.len(), table);
        self.entries
    }

    fn publish_up_to(&mut self, end: usize, table: &mut TableWriter) {
        while self.published < end {
            if let (Some(hash), Some(entry)) =
                (self.hashes.get(self.published), self.entries.get(self.published))
            {
                table.publish(*hash, entry);
            }
            self.published += 1;
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// How many bytes it has allocated.
    pub fn bytes(&self) -> usize {
        self.entries.bytes() + self.hashes.capacity() * size_of::<u64>()
    }
}
