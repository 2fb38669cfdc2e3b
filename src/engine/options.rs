//! What can be chosen. Every option has a default and a reason; there are at most 16.

use super::event::Listener;
use super::memory::Memory;
use crate::index::{Index, NewIndex};
use crate::vfs::Mode;
use crate::vfs::std::memory_limit;
use crate::vfs::{Clock, Vfs};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// When a write is acknowledged, and what it then survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// After it, and everything before it, is on stable storage. Survives a power cut. Writers that wait at the same
    /// time share one sync.
    #[default]
    Sync,
    /// After the operating system has it; synced in the background at least this often. Survives the end of the
    /// process; a power cut takes at most the last interval.
    Interval(Duration),
    /// After the operating system has it; synced when it pleases. Survives the end of the process; a power cut leaves
    /// a prefix of what was written.
    Os,
}

impl Durability {
    /// How the log is opened. A sync of a map writes all that is mapped, and every page of it faults again behind that: where
    /// each write is synced, that is dearer than the system calls it saves.
    pub(crate) fn log_mode(self) -> Mode {
        match self {
            Durability::Sync => Mode::Write,
            Durability::Interval(_) | Durability::Os => Mode::Log,
        }
    }
}

/// How the blocks of a table are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all: read straight from the mapped file.
    None,
    /// LZ4: about half the size, decoded at several gigabytes a second.
    Lz4,
    /// Zstandard at this level. Negative levels decode much faster for some more bytes.
    Zstd(i8),
}

/// Who runs flushes and compactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Background {
    /// Named threads of the database.
    #[default]
    Threads,
    /// Nobody but the caller: a write that needs room does the work itself, step by step. For tests that must run the
    /// same way every time.
    Stepped,
}

/// How to open a database.
///
/// ```no_run
/// # use siltstone::{Options, Durability};
/// let db = Options::default().memory_budget(256 << 20).durability(Durability::Os).open("data")?;
/// # Ok::<(), siltstone::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) durability: Durability,
    pub(crate) memory_budget: Option<usize>,
    pub(crate) memtable_bytes: usize,
    pub(crate) block_bytes: usize,
    pub(crate) compression: Compressions,
    pub(crate) filter_bits: u32,
    pub(crate) table_bytes: u64,
    pub(crate) level_ratio: u32,
    pub(crate) stall_deadline: Duration,
    pub(crate) expiry_lag: Duration,
    pub(crate) create_if_missing: bool,
    pub(crate) background: Background,
    pub(crate) listener: Option<Arc<dyn Listener>>,
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) memtable_index: Option<NewIndex>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            durability: Durability::Sync,
            memory_budget: None,
            memtable_bytes: 64 << 20,
            block_bytes: 4 << 10,
            compression: Compressions { upper: Compression::UPPER, bottom: Compression::BOTTOM },
            filter_bits: 10,
            table_bytes: 64 << 20,
            level_ratio: 10,
            stall_deadline: Duration::from_secs(30),
            expiry_lag: Duration::from_secs(3600),
            create_if_missing: true,
            background: Background::Threads,
            listener: None,
            vfs: Arc::new(crate::vfs::std::StdVfs),
            clock: Arc::new(crate::vfs::std::StdClock::default()),
            memtable_index: None,
        }
    }
}

impl Options {
    /// When a write is acknowledged. Default: [`Durability::Sync`].
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Options {
        self.durability = durability;
        self
    }

    /// One number for all memory that the database takes: write buffers, the indexes and filters of open tables, what flush and
    /// compaction need, the log's buffer, and the block cache, which gets what the others leave at the moment.
    ///
    /// It holds but for what is yours: values and iterators that you keep, and a batch while it is written. `docs/promises.md`
    /// says by how much, and what happens when a part needs more than its share. At least 1 MiB and 64 blocks.
    ///
    /// Default: a quarter of what the process may have, by its control groups (`memory.max`, `memory.limit_in_bytes`) or, where
    /// there are none, by the size of the machine's memory; at least 16 MiB, at most 448 MiB, which is also what is taken where the
    /// system does not tell.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("data");
    /// let db = siltstone::Options::default().memory_budget(32 << 20).open(path)?;
    /// let memory = db.stats().memory;
    /// assert!(memory.budget_bytes == 32 << 20 && memory.used_bytes() <= memory.budget_bytes);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    #[must_use]
    pub fn memory_budget(mut self, bytes: usize) -> Options {
        self.memory_budget = Some(bytes);
        self
    }

    /// How large a write buffer grows before it is written to a table, unless a seventh of the memory budget is less. Up to three
    /// exist at a time. Larger ones absorb more overwriting and make fewer, larger tables; smaller ones are read back sooner after
    /// a crash. Default: 64 MiB.
    #[must_use]
    pub fn memtable_bytes(mut self, bytes: usize) -> Options {
        self.memtable_bytes = bytes;
        self
    }

    /// The size a block of a table is filled to, before compression. Larger blocks compress and scan better, smaller ones
    /// cost less to read one entry from. Default: 4 KiB.
    #[must_use]
    pub fn block_bytes(mut self, bytes: usize) -> Options {
        self.block_bytes = bytes;
        self
    }

    /// Compression of the blocks of tables: one for all, or a pair, for the deepest level and for those above it. The deepest
    /// holds nine tenths of the data, so it should be small; the others are read hot and rewritten soon, so it should be fast.
    /// Default: LZ4 above and Zstandard level -1 below, where built in.
    ///
    /// ```
    /// # use siltstone::{Compression, Options};
    /// let none = Options::default().compression(Compression::None);
    /// let pair = Options::default().compression((Compression::UPPER, Compression::Zstd(3)));
    /// ```
    #[must_use]
    pub fn compression(mut self, compression: impl Into<Compressions>) -> Options {
        self.compression = compression.into();
        self
    }

    /// Bits per key of a table's filter; 10 let one in a hundred lookups of an absent key read a block in vain, 0 means no
    /// filter. Default: 10.
    #[must_use]
    pub fn filter_bits(mut self, bits: u32) -> Options {
        self.filter_bits = bits;
        self
    }

    /// The size compaction ends a table at. Default: 64 MiB.
    #[must_use]
    pub fn table_bytes(mut self, bytes: u64) -> Options {
        self.table_bytes = bytes;
        self
    }

    /// How many times larger each level is than the one above. Default: 10.
    #[must_use]
    pub fn level_ratio(mut self, ratio: u32) -> Options {
        self.level_ratio = ratio;
        self
    }

    /// How long a write may wait for room before it fails with [`Error::Stalled`]. Default: 30 s.
    #[must_use]
    pub fn stall_deadline(mut self, deadline: Duration) -> Options {
        self.stall_deadline = deadline;
        self
    }

    /// How long expired data may stay on disk before it is cleared away, without anybody reading it. A table is rewritten for
    /// this at most once in such a time, so less of it means more writing. Tables in which everything has expired go at once.
    /// At least a second. Default: an hour.
    #[must_use]
    pub fn expiry_lag(mut self, lag: Duration) -> Options {
        self.expiry_lag = lag;
        self
    }

    /// Whether a database is created where there is none. Default: yes.
    #[must_use]
    pub fn create_if_missing(mut self, create: bool) -> Options {
        self.create_if_missing = create;
        self
    }

    /// Who runs flushes and compactions. Default: threads of the database.
    #[must_use]
    pub fn background(mut self, background: Background) -> Options {
        self.background = background;
        self
    }

    /// Who is told of flushes, compactions, stalls, errors and what else happens. Default: nobody; `tracing` is told in any case.
    #[must_use]
    pub fn listener(mut self, listener: Arc<dyn Listener>) -> Options {
        self.listener = Some(listener);
        self
    }

    /// The file system to use. Default: the operating system's.
    #[must_use]
    pub fn vfs(mut self, vfs: Arc<dyn Vfs>) -> Options {
        self.vfs = vfs;
        self
    }

    /// The index that keeps what was written last in order, made anew for every few thousand entries; large batches are sorted
    /// without it. See [`index`](crate::index). Default: the engine's own, a lock-free skip list.
    #[must_use]
    pub fn memtable_index<I: Index>(mut self, make: impl Fn() -> I + Send + Sync + 'static) -> Options {
        self.memtable_index = Some(NewIndex::new(make));
        self
    }

    /// Where time and randomness come from. Default: the operating system.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Options {
        self.clock = clock;
        self
    }

    /// The budget of an open database, and who has how much of it.
    pub(crate) fn memory(&self) -> Arc<Memory> {
        let least = Memory::least(self.block_bytes);
        let chosen = self.memory_budget.unwrap_or_else(|| default_budget(memory_limit()).max(least));
        Memory::new(chosen, self.memtable_bytes)
    }

    /// Whether every choice makes sense.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::invalid(what));
        if self.memtable_bytes < 1 << 10 || self.memtable_bytes > 4 << 30 {
            return refuse("memtable_bytes must be between 1 KiB and 4 GiB");
        }
        if self.block_bytes == 0 || self.block_bytes > 16 << 20 {
            return refuse("block_bytes must be between 1 byte and 16 MiB");
        }
        let least = Memory::least(self.block_bytes);
        if self.memory_budget.is_some_and(|bytes| bytes < least) {
            let blocks = self.block_bytes;
            return refuse(&format!(
                "memory_budget must be at least {least} bytes with blocks of {blocks} bytes"
            ));
        }
        if self.filter_bits > 64 {
            return refuse("filter_bits must be at most 64");
        }
        if self.table_bytes == 0 || self.table_bytes > 4 << 30 {
            return refuse("table_bytes must be between 1 byte and 4 GiB");
        }
        if !(2..=1000).contains(&self.level_ratio) {
            return refuse("level_ratio must be between 2 and 1000");
        }
        if self.expiry_lag < Duration::from_secs(1) {
            return refuse("expiry_lag must be at least a second");
        }
        Ok(())
    }
}

/// What a database takes that was told nothing, where the system gives the process so much.
fn default_budget(limit: Option<u64>) -> usize {
    const LEAST: u64 = 16 << 20;
    const MOST: u64 = 448 << 20;
    limit.map_or(MOST, |bytes| (bytes / 4).clamp(LEAST, MOST)) as usize
}

/// How the blocks of tables are compressed, by level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compressions {
    /// In all levels but the deepest.
    pub upper: Compression,
    /// In the deepest level that holds data.
    pub bottom: Compression,
}

impl From<Compression> for Compressions {
    /// The same for all levels.
    fn from(all: Compression) -> Compressions {
        Compressions { upper: all, bottom: all }
    }
}

impl From<(Compression, Compression)> for Compressions {
    /// For the upper levels and for the deepest.
    fn from((upper, bottom): (Compression, Compression)) -> Compressions {
        Compressions { upper, bottom }
    }
}

impl Compression {
    /// What the upper levels use unless told otherwise.
    pub const UPPER: Compression = crate::BUILT_IN_FAST;
    /// What the deepest level uses unless told otherwise.
    pub const BOTTOM: Compression = crate::BUILT_IN_SMALL;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_budget_is_a_share_with_a_floor_and_a_ceiling() {
        let mib = |n: u64| n << 20;
        let cases = [(None, 448), (Some(0), 16), (Some(mib(63)), 16), (Some(mib(512)), 128)];
        for (limit, expected) in cases.into_iter().chain([(Some(mib(1792)), 448), (Some(u64::MAX), 448)]) {
            assert_eq!(default_budget(limit) as u64, mib(expected), "{limit:?}");
        }
        assert_eq!(Options::default().memory_budget(5 << 20).memory().budget(), 5 << 20);
        // Unasked, it is enough for the blocks that were asked for.
        let large = Options::default().block_bytes(16 << 20);
        assert!(large.check().is_ok() && large.memory().budget() >= Memory::least(16 << 20));
    }
}
