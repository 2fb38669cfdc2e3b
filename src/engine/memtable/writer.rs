//! The one handle that writes into a memtable.
//!
//! ```text
//! insert ── hash table: ask for the slot, which is seldom in the cache
//!        ── arena: append the entry
//!        ── list: the new entry, in order
//!        └─ hash table: link the entry to the version before, then let the slot lead to it
//! before it, when the list is full:  list ──seal──▶ run of tier 0;  four of tier 0 ──merge──▶ one of tier 1
//! ```
//!
//! The slot is asked for first and used last, because a search of the list takes as long as memory does: that was measured
//! to take a fifth off an insert.
//!
//! Sealing and merging happen inside the insert that finds the list full. A seal is of 16 Ki entries and takes half a
//! millisecond, the freeing of the list included; a merge is of 64 Ki entries, happens in one of 64 Ki inserts and makes
//! that pause 1.6 ms (`tests::figures`, "longest insert"). Runs of tier 1 are not merged again, so that no insert ever
//! pays more than about two milliseconds.

use super::any_index::AnyIndex;
use super::arena::Bump;
use super::hash_table::TableWriter;
use super::index::Index;
use super::prefix::Prefix;
use super::run::Run;
use super::{Memtable, Parts};
use crate::engine::key::{self, Kind, Trailer};
use crate::engine::memory::Memory;
use crate::engine::tombstones::Tombstone;
use std::sync::Arc;

/// How many entries the list gets before it is sealed: about what stays in the second-level cache.
const LIST_ENTRIES: usize = 16 << 10;
/// By how many bytes it changes before the number of what is held does.
const HELD_STEP: usize = 16 << 10;
/// How many runs of tier 0 are merged into one.
const FAN_IN: usize = 4;

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
    /// How many of the newest runs are of tier 0.
    small_runs: usize,
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
            small_runs: 0,
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

    /// Adds an entry. `hash` is the key's [`hash`](crate::engine::key::hash).
    ///
    /// # Panics
    /// When the sequence number is not higher than that of every entry before: readers that follow the versions of a
    /// key to their snapshot would be given the wrong one.
    pub fn insert(&mut self, key: &[u8], hash: u64, trailer: Trailer, value: &[u8]) {
        let seq = trailer.seq();
        self.check_newest(seq);
        if self.list_len == self.list_limit {
            self.seal();
        }
        self.table.table().prefetch(hash);
        let entry = self.bump.append(trailer, hash as u32, key, value);
        self.list.insert(entry);
        self.table.publish(hash, entry);
        if trailer.kind() == Ok(Kind::PutExpiring) {
            self.memtable.counts.expires(key::expiry(value).unwrap_or(0));
        }
        self.list_len += 1;
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
        let index_bytes = self.runs_bytes + self.ranges_bytes + self.list_len * self.list.bytes_per_entry();
        self.memtable.counts.update(self.entries, seq, index_bytes);
        let bytes = self.memtable.bytes();
        if bytes.abs_diff(self.held) >= HELD_STEP {
            self.held = bytes;
            self.bump.arena().hold(bytes);
        }
    }

    /// Makes the list a run and begins a new list, both in one step for readers (M1).
    fn seal(&mut self) {
        let arena = self.bump.arena();
        let sealed = Run::seal(&*self.list, arena, self.list_len, self.max_seq);
        let prefix =
            self.prefix.take().map_or_else(|| sealed.prefix().clone(), |p| p.shared(sealed.prefix()));
        let mut runs = vec![Arc::new(sealed)];
        runs.extend(self.memtable.parts.load().runs.iter().cloned());
        self.small_runs += 1;
        if self.small_runs == FAN_IN {
            let merged = Run::merge(runs.get(..FAN_IN).unwrap_or_default(), arena);
            runs.splice(..FAN_IN, [Arc::new(merged)]);
            self.small_runs = 0;
        }
        self.runs_bytes = runs.iter().map(|run| run.bytes()).sum();
        // What the keys so far have in common is a guess at what the next ones have (prefix P1).
        self.list = Arc::new(I::new(&self.kind, arena, prefix.clone(), self.list_limit));
        self.list_len = 0;
        self.prefix = Some(prefix);
        self.memtable.parts.store(Arc::new(Parts { runs, list: Arc::clone(&self.list) }));
    }
}
