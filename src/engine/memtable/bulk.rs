//! A large batch on its way in: its entries are in the arena, and will be a run at once.
//!
//! The hash table leads to an entry a few entries after it was appended, when its slot, asked for meanwhile, has come
//! into the cache. The order is that of the batch, so that versions of one key hang one behind the other as ever.

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
