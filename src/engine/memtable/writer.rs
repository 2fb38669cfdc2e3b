//! The one handle that writes into a memtable.
//!
//! ```text
//! insert ── hash table: ask for the slot, which is seldom in the cache
//!        ── arena: append the entry
//!        ── list: the new entry, in order
//!        └─ hash table: link the entry to the version before, then let the slot lead to it
//! before it, when the list is full:  list ──seal──▶ run;  several runs ──merge──▶ one (`tiers`)
//!
//! batch, when it is large:  all its entries, and the list with them ──sort──▶ run (`bulk`)
//! ```
//!
//! The slot is asked for first and used last, because a search of the list takes as long as memory does: that was measured
//! to take a fifth off an insert.
//!
//! Sealing and merging happen inside the insert that finds the list full. A seal is of 16 Ki entries and takes half a
//! millisecond, the freeing of the list included; a merge is of 64 Ki entries at most, happens in one of 64 Ki inserts, and the pause
//! of both together is 1.6 ms (`tests::figures`, "longest insert"). Runs of that size are not merged again, so that no insert ever
//! pays more than about two milliseconds. A large batch pays for itself, in pieces of at most 64 Ki, and for such a merge.

use super::any_index::AnyIndex;
use super::arena::Bump;
use super::bulk::Bulk;
use super::hash_table::TableWriter;
use super::index::Index;
use super::prefix::Prefix;
use super::run::Run;
use super::tiers::{self, FAN_IN};
use super::{Memtable, Parts};
use crate::engine::key::{self, Kind, Trailer};
use crate::engine::memory::Memory;
use crate::engine::tombstones::Tombstone;
use std::sync::Arc;

/// How many entries the list gets before it is sealed: about what stays in the second-level cache.
const LIST_ENTRIES: usize = 16 << 10;
/// By how many bytes it changes before the number of what is held does.
const HELD_STEP: usize = 16 << 10;
/// A batch of so many entries becomes a run without going through the list. It pays from 16 on, but smaller runs are more, and are
/// merged more often: with 64, an entry takes two thirds of the time that it takes by the list, with 5,000 two fifths
/// (`tests::batches::figures_of_batches`).
pub(super) const LARGE_BATCH: usize = 64;

/// The right to write into a memtable. There is one per memtable and it cannot be cloned, so that there is one writer
/// at a time is a fact of the types.
pub struct Writer<I: Index = AnyIndex> {
    kind: I::Kind,
    memtable: Arc<Memtable<I>>,
    bump: Bump,
    table: TableWriter,
    list: Arc<I>,
    list_len: usize,
    list_limit: usize,
    /// The batch that is coming in, when it is a large one.
    bulk: Option<Bulk>,
    /// What all sealed keys begin with.
    prefix: Option<Prefix>,
    runs_bytes: usize,
    ranges_bytes: usize,
    entries: u64,
    max_seq: u64,
    /// What the arena was told last that the whole takes.
    held: usize,
}

impl<I: Index> Writer<I> {
    /// An empty memtable, with a hash table for `expected` keys.
    pub(super) fn new(kind: I::Kind, expected: usize, memory: &Arc<Memory>) -> Writer<I> {
        Writer::with_list_limit(kind, expected, LIST_ENTRIES, memory)
    }

    pub(super) fn with_list_limit(
        kind: I::Kind,
        expected: usize,
        list_limit: usize,
        memory: &Arc<Memory>,
    ) -> Writer<I> {
        let bump = Bump::new(memory);
        let table = TableWriter::new(bump.arena(), expected);
        let list = Arc::new(I::new(&kind, bump.arena(), Prefix::default(), list_limit));
        let parts = Parts { runs: Vec::new(), list: Arc::clone(&list) };
        let memtable = Arc::new(Memtable::of(bump.arena(), table.table(), parts));
        let held = memtable.bytes();
        bump.arena().hold(held);
        Writer {
            kind,
            memtable,
            bump,
            table,
            list,
            list_len: 0,
            list_limit,
            bulk: None,
            prefix: None,
            runs_bytes: 0,
            ranges_bytes: 0,
            entries: 0,
            max_seq: 0,
            held,
        }
    }

    /// What it writes into.
    pub fn memtable(&self) -> &Arc<Memtable<I>> {
        &self.memtable
    }

    /// Has `fill` add a batch of about `count` entries. It must not be visible before this returns: cursors may find none of
    /// it until then.
    pub fn batch<T>(&mut self, count: usize, fill: impl FnOnce(&mut Writer<I>) -> T) -> T {
        if count < self.large_batch() {
            return fill(self);
        }
        self.bulk = Some(Bulk::new(self.bump.arena()));
        let filled = fill(self);
        self.end_bulk();
        filled
    }

    /// Adds an entry. `hash` is the key's [`hash`](crate::engine::key::hash).
    ///
    /// # Panics
    /// When the sequence number is not higher than that of every entry before: readers that follow the versions of a
    /// key to their snapshot would be given the wrong one.
    pub fn insert(&mut self, key: &[u8], hash: u64, trailer: Trailer, value: &[u8]) {
        let seq = trailer.seq();
        self.check_newest(seq);
        self.make_room();
        self.table.table().prefetch(hash);
        let entry = self.bump.append(trailer, hash as u32, key, value);
        match &mut self.bulk {
            Some(bulk) => bulk.push(hash, entry, &mut self.table),
            None => {
                self.list.insert(entry);
                self.list_len += 1;
                self.table.publish(hash, entry);
            }
        }
        if trailer.kind() == Ok(Kind::PutExpiring) {
            self.memtable.counts.expires(key::expiry(value).unwrap_or(0));
        }
        self.count(seq);
    }

    /// Deletes all keys from `start` to `end`, which is not among them: all entries so far are hidden from readers at `seq` or
    /// later.
    ///
    /// # Panics
    /// As [`Writer::insert`].
    pub fn delete_range(&mut self, start: &[u8], end: &[u8], seq: u64) {
        self.check_newest(seq);
        let tombstone = Tombstone { seq, start: start.into(), end: end.into() };
        self.ranges_bytes += self.memtable.ranges.push(tombstone);
        self.count(seq);
    }

    fn check_newest(&self, seq: u64) {
        assert!(seq > self.max_seq || self.entries == 0, "sequence number {seq} follows {}", self.max_seq);
    }

    fn count(&mut self, seq: u64) {
        self.entries += 1;
        self.max_seq = seq;
        self.tell();
    }

    /// Has everybody know what there is and what it takes.
    fn tell(&mut self) {
        let bulk = self.bulk.as_ref().map_or(0, Bulk::bytes);
        let list = self.list_len * self.list.bytes_per_entry();
        let index_bytes = self.runs_bytes + self.ranges_bytes + list + bulk;
        self.memtable.counts.update(self.entries, self.max_seq, index_bytes);
        let bytes = self.memtable.bytes();
        if bytes.abs_diff(self.held) >= HELD_STEP {
            self.held = bytes;
            self.bump.arena().hold(bytes);
        }
    }

    /// The fewest entries that are worth a run.
    fn large_batch(&self) -> usize {
        LARGE_BATCH.min(self.list_limit)
    }

    /// The most entries that runs are merged to, or that become one run.
    fn most(&self) -> usize {
        FAN_IN * self.list_limit
    }

    /// Makes the list a run when it is full, or list and batch when both together are enough.
    fn make_room(&mut self) {
        match &self.bulk {
            None if self.list_len == self.list_limit => self.seal(),
            Some(bulk) if self.list_len + bulk.len() >= self.most() => {
                self.end_bulk();
                self.bulk = Some(Bulk::new(self.bump.arena()));
            }
            _ => {}
        }
    }

    /// Makes the batch a run, together with the list: so a few entries between large batches leave no small runs behind. What
    /// is not enough for a run, because ranges were deleted in the batch, goes into the list.
    fn end_bulk(&mut self) {
        let Some(bulk) = self.bulk.take() else { return };
        let mut entries = bulk.finish(&mut self.table);
        if entries.len() < self.large_batch() {
            for entry in entries.iter() {
                if self.list_len == self.list_limit {
                    self.seal();
                }
                self.list.insert(entry);
                self.list_len += 1;
            }
        } else {
            self.list.for_each(|_, entry| entries.push(entry));
            self.add(Run::sort(&entries, self.bump.arena(), self.max_seq));
        }
        self.tell();
    }

    /// Makes the list a run.
    fn seal(&mut self) {
        self.add(Run::seal(&*self.list, self.bump.arena(), self.list_len, self.max_seq));
    }

    /// Adds a run that holds all that the list does, and begins a new list, both in one step for readers (M1).
    fn add(&mut self, run: Run) {
        let arena = self.bump.arena();
        let prefix = self.prefix.take().map_or_else(|| run.prefix().clone(), |p| p.shared(run.prefix()));
        let mut runs = vec![Arc::new(run)];
        runs.extend(self.memtable.parts.load().runs.iter().cloned());
        let lens: Vec<usize> = runs.iter().map(|run| run.len()).collect();
        let merged = tiers::to_merge(&lens, self.most());
        if merged > 1 {
            let run = Run::merge(runs.get(..merged).unwrap_or_default(), arena);
            runs.splice(..merged, [Arc::new(run)]);
        }
        self.runs_bytes = runs.iter().map(|run| run.bytes()).sum();
        if self.list_len > 0 {
            // What the keys so far have in common is a guess at what the next ones have (prefix P1).
            self.list = Arc::new(I::new(&self.kind, arena, prefix.clone(), self.list_limit));
            self.list_len = 0;
        }
        self.prefix = Some(prefix);
        self.memtable.parts.store(Arc::new(Parts { runs, list: Arc::clone(&self.list) }));
    }
}
