//! The memtable: what was written and is not in a table yet, in memory, for readers that never wait.
//!
//! ```text
//!                       ┌ hash table: key ─▶ newest version ─▶ older ─▶ …        point reads
//! arena of entries ◀────┤
//!                       └ list (16 Ki at most) and sorted runs, each entry      ordered reads: one cursor a part,
//!                         in exactly one of them                                merged by whoever reads
//! deleted ranges: beside the entries, for whoever reads to hold entries against them
//! ```
//!
//! In reading order: [`arena`] holds the entries; [`hash_table`] finds one by its key; [`prefix`] says how keys are
//! compared by one number; [`index`] is the seam behind which the list lies, [`skiplist`] the list, [`any_index`] that or the
//! user's; [`run`] is a sealed list or a large batch, [`bulk`] such a batch on its way in, [`tiers`] says which runs become one;
//! [`ranges`] which ranges were deleted; [`writer`] writes; [`cursor`] walks.
//!
//! One writer at a time, a fact of the types ([`Writer`] is one and cannot be cloned); any number of readers, which take
//! no lock and write to nothing shared. Nothing is ever overwritten or removed: a write is a new entry with a higher
//! sequence number. The whole goes at once, when the last `Arc` does, and nothing is done per entry then but for the
//! list.
//!
//! (M1) A reader that first learns a sequence number is visible and then asks, finds every entry up to it: by `get`,
//!      because a hash table that replaces another is published after it has been filled; by cursors, because list
//!      and runs are replaced together, by one store, after the run holds what the list held. A large batch is not in the
//!      list: it is in a run before its numbers become visible (bulk K1).
//! (M2) What `get` returns, and every cursor, stays good for as long as the `Arc` it was got through, whatever is
//!      written meanwhile.
//!
//! Rejected: one large ordered index. A list of half a million entries takes twice the time for an insert and ten times
//! that for a point read, and is freed node by node. Not rejected, but later: appending and sorting on demand, which is
//! the second index the seam is for. `tests::figures` prints what this one does.

mod any_index;
mod arena;
mod bulk;
mod cursor;
mod hash_table;
mod index;
mod prefix;
mod ranges;
mod run;
mod skiplist;
mod tiers;
mod writer;

pub use any_index::AnyIndex;
pub use cursor::MemCursor;
pub use index::Index;
pub use writer::Writer;

use crate::engine::key::Trailer;
use crate::engine::memory::Memory;
use crate::engine::options::Options;
use crate::engine::tombstones::{Fragments, Tombstone};
use crate::index::NewIndex;
use crate::sync::ArcSwap;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use arena::Arena;
use hash_table::HashTable;
use ranges::Ranges;
use run::{Run, RunCursor};
use std::sync::Arc;

/// With so many entries a memtable counts as full, whatever their size: a walk over a key that is overwritten all the time meets
/// all of them.
pub const MAX_ENTRIES: u64 = 4 << 20;

/// What a memtable is made for.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// How many different keys are expected. The hash table has room for so many from the start; with more it grows,
    /// in pauses. Memory it does not come to use costs address space only.
    pub expected_keys: usize,
    /// The user's own index for what was written last.
    pub index: Option<NewIndex>,
}

/// Entries in memory: the readers' side. The writer's is [`Writer`].
pub struct Memtable<I: Index = AnyIndex> {
    table: Arc<HashTable>,
    parts: ArcSwap<Parts<I>>,
    arena: Arc<Arena>,
    counts: Counts,
    ranges: Ranges,
}

/// Where every entry lies, in order: in one run or in the list.
struct Parts<I> {
    /// The newest first.
    runs: Vec<Arc<Run>>,
    list: Arc<I>,
}

/// What the writer counts, on cache lines that point reads do not touch.
#[derive(Default)]
#[repr(align(128))]
struct Counts {
    entries: AtomicU64,
    min_seq: AtomicU64,
    max_seq: AtomicU64,
    index_bytes: AtomicUsize,
    /// The earliest expiry; 0 when nothing expires.
    min_expiry: AtomicU64,
}

impl Config {
    /// For a memtable that gets as full as `memory` has room for: with keys of some hundred bytes each, bookkeeping included.
    #[must_use]
    pub fn of(options: &Options, memory: &Memory) -> Config {
        let expected_keys = (memory.room_of_buffer(0) / 192).min(MAX_ENTRIES as usize);
        Config { expected_keys, index: options.memtable_index.clone() }
    }
}

impl Memtable {
    /// An empty memtable, which holds of `memory` what it takes: the right to write into it, and itself.
    #[must_use]
    pub fn new(config: Config, memory: &Arc<Memory>) -> (Writer, Arc<Memtable>) {
        let writer = Writer::new(config.index, config.expected_keys, memory);
        let memtable = Arc::clone(writer.memtable());
        (writer, memtable)
    }
}

impl<I: Index> Memtable<I> {
    fn of(arena: &Arc<Arena>, table: &Arc<HashTable>, parts: Parts<I>) -> Memtable<I> {
        Memtable {
            table: Arc::clone(table),
            parts: ArcSwap::from_pointee(parts),
            arena: Arc::clone(arena),
            counts: Counts::default(),
            ranges: Ranges::default(),
        }
    }

    /// How many ranges were deleted in it. Cheap enough to ask at every read.
    #[inline]
    #[must_use]
    pub fn range_tombstones(&self) -> usize {
        self.ranges.len()
    }

    /// The deletions of ranges, oldest first.
    pub fn deleted_ranges(&self) -> impl DoubleEndedIterator<Item = &Tombstone> {
        self.ranges.steps().map(|step| &step.tombstone)
    }

    /// Which keys are covered for a reader at `seq`, and by which deletion; `None` when none is.
    #[must_use]
    pub fn covered(&self, seq: u64) -> Option<&Arc<Fragments>> {
        self.ranges.covered(seq)
    }

    /// The newest version of `key` with a sequence number of at most `seq`, deletions included. `hash` is the key's
    /// [`hash`](crate::engine::key::hash).
    ///
    /// One probe of the hash table, then a step for each version that is too new.
    #[must_use]
    pub fn get(&self, key: &[u8], hash: u64, seq: u64) -> Option<(Trailer, &[u8])> {
        let mut version = self.table.find(key, hash)?;
        while version.trailer().seq() > seq {
            version = version.prev()?;
        }
        Some((version.trailer(), version.value()))
    }

    /// Says that a key with this hash will be asked for soon.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        self.table.prefetch(hash);
    }

    /// As [`Memtable::prefetch`], a step further: worth it when some time has passed since.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        self.table.prefetch_entry(hash);
    }

    /// Cursors that together meet every entry (M1), each in order, the newest part first.
    #[must_use]
    pub fn cursors(&self) -> Vec<MemCursor<I>> {
        self.cursors_from(0)
    }

    /// As [`Memtable::cursors`], but parts that have no key in `lower..upper` may be left out. `upper`: `None` for no limit.
    #[must_use]
    pub fn cursors_between(&self, lower: &[u8], upper: Option<&[u8]>) -> Vec<MemCursor<I>> {
        let parts = self.parts.load();
        let mut cursors = Vec::with_capacity(parts.runs.len() + 1);
        cursors.push(MemCursor::Recent(parts.list.cursor()));
        let runs = parts.runs.iter().filter(|run| run.may_overlap(lower, upper));
        cursors.extend(runs.map(|run| MemCursor::Run(RunCursor::new(run))));
        cursors
    }

    /// As [`Memtable::cursors`], but parts that have no sequence number from `seq` on may be left out.
    #[must_use]
    pub fn cursors_from(&self, seq: u64) -> Vec<MemCursor<I>> {
        let parts = self.parts.load();
        let mut cursors = Vec::with_capacity(parts.runs.len() + 1);
        cursors.push(MemCursor::Recent(parts.list.cursor()));
        // The newest first, and they hold the entries of disjoint times.
        let runs = parts.runs.iter().take_while(|run| run.max_seq() >= seq);
        cursors.extend(runs.map(|run| MemCursor::Run(RunCursor::new(run))));
        cursors
    }

    /// How many bytes it has allocated, the list by estimate. Cheap enough to ask after every write.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.bytes() + self.table.bytes() + self.counts.index_bytes.load(Ordering::Relaxed)
    }

    /// How many entries it has, all versions and deletions of ranges counted.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.counts.entries.load(Ordering::Acquire)
    }

    /// True when nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries() == 0
    }

    /// The earliest expiry of what is in it, in milliseconds since 1970; `None` when nothing expires.
    #[must_use]
    pub fn min_expiry(&self) -> Option<u64> {
        Some(self.counts.min_expiry.load(Ordering::Relaxed)).filter(|expiry| *expiry > 0)
    }

    /// The lowest sequence number in it; `None` when it is empty.
    #[must_use]
    pub fn min_seq(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.counts.min_seq.load(Ordering::Relaxed))
    }

    /// The highest sequence number in it; `None` when it is empty.
    #[must_use]
    pub fn max_seq(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.counts.max_seq.load(Ordering::Relaxed))
    }
}

impl Counts {
    /// Called by the writer for an entry that expires.
    fn expires(&self, expiry: u64) {
        let earliest = self.min_expiry.load(Ordering::Relaxed);
        if earliest == 0 || expiry < earliest {
            self.min_expiry.store(expiry.max(1), Ordering::Relaxed);
        }
    }

    /// Called by the writer, after the entry can be found; in a large batch before that, when nobody may look for it yet (bulk K1).
    fn update(&self, entries: u64, seq: u64, index_bytes: usize) {
        if entries == 1 {
            self.min_seq.store(seq, Ordering::Relaxed);
        }
        self.max_seq.store(seq, Ordering::Relaxed);
        self.index_bytes.store(index_bytes, Ordering::Relaxed);
        self.entries.store(entries, Ordering::Release);
    }
}

#[cfg(all(test, any(shuttle, loom)))]
mod models;
#[cfg(test)]
mod tests;
