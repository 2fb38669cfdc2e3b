//! What can be chosen. Every option has a default and a reason; there are at most 16.

use crate::index::{Index, NewIndex};
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
    pub(crate) memtable_bytes: usize,
    pub(crate) memtable_entries: usize,
    pub(crate) cache_bytes: usize,
    pub(crate) block_bytes: usize,
    pub(crate) upper_compression: Compression,
    pub(crate) bottom_compression: Compression,
    pub(crate) filter_bits: u32,
    pub(crate) table_bytes: u64,
    pub(crate) level_ratio: u32,
    pub(crate) stall_deadline: Duration,
    pub(crate) expiry_lag: Duration,
    pub(crate) create_if_missing: bool,
    pub(crate) background: Background,
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) memtable_index: Option<NewIndex>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            durability: Durability::Sync,
            memtable_bytes: 64 << 20,
            memtable_entries: 4 << 20,
            cache_bytes: 256 << 20,
            block_bytes: 4 << 10,
            upper_compression: Compression::UPPER,
            bottom_compression: Compression::BOTTOM,
            filter_bits: 10,
            table_bytes: 64 << 20,
            level_ratio: 10,
            stall_deadline: Duration::from_secs(30),
            expiry_lag: Duration::from_secs(3600),
            create_if_missing: true,
            background: Background::Threads,
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

    /// One number for the memory of write buffers and block cache together: a fifth for each of the three buffers there
    /// can be at most (64 MiB at the most), the rest for the cache. Default: 448 MiB.
    #[must_use]
    pub fn memory_budget(mut self, bytes: usize) -> Options {
        self.memtable_bytes = (bytes / 5).clamp(64 << 10, 64 << 20);
        self.cache_bytes = bytes.saturating_sub(3 * self.memtable_bytes);
        self
    }

    /// How large a write buffer grows before it is written to a table. Up to three exist at a time. Larger ones absorb more
    /// overwriting and make fewer, larger tables; smaller ones are read back sooner after a crash. Default: 64 MiB.
    #[must_use]
    pub fn memtable_bytes(mut self, bytes: usize) -> Options {
        self.memtable_bytes = bytes;
        self
    }

    /// How many entries a write buffer takes, whatever their size. Bounds the work of a scan over a key that is overwritten
    /// all the time. Default: 4 million.
    #[must_use]
    pub fn memtable_entries(mut self, entries: usize) -> Options {
        self.memtable_entries = entries;
        self
    }

    /// The budget of the block cache. Blocks of uncompressed tables are read from the mapped file and cost next to nothing
    /// of it. Default: 256 MiB.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Options {
        self.cache_bytes = bytes;
        self
    }

    /// The size a block of a table is filled to, before compression. Larger blocks compress and scan better, smaller ones
    /// cost less to read one entry from. Default: 4 KiB.
    #[must_use]
    pub fn block_bytes(mut self, bytes: usize) -> Options {
        self.block_bytes = bytes;
        self
    }

    /// Compression of all levels but the deepest: these are read hot and rewritten soon, so it should be fast.
    /// Default: LZ4 where built in.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Options {
        self.upper_compression = compression;
        self
    }

    /// Compression of the deepest level, which holds nine tenths of the data. Default: Zstandard level -1 where built in.
    #[must_use]
    pub fn bottom_compression(mut self, compression: Compression) -> Options {
        self.bottom_compression = compression;
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

    /// The file system to use. Default: the operating system's.
    #[must_use]
    pub fn vfs(mut self, vfs: Arc<dyn Vfs>) -> Options {
        self.vfs = vfs;
        self
    }

    /// The index that keeps what was written last in order, made anew for every few thousand entries; see
    /// [`index`](crate::index). Default: the engine's own, a lock-free skip list.
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

    /// How many keys a full write buffer is expected to have: of some hundred bytes each, bookkeeping included.
    pub(crate) fn expected_keys(&self) -> usize {
        (self.memtable_bytes / 192).min(self.memtable_entries)
    }

    /// Whether every choice makes sense.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::invalid(what));
        if self.memtable_bytes < 1 << 10 || self.memtable_bytes > 4 << 30 {
            return refuse("memtable_bytes must be between 1 KiB and 4 GiB");
        }
        if self.memtable_entries == 0 {
            return refuse("memtable_entries must not be 0");
        }
        if self.block_bytes == 0 || self.block_bytes > 16 << 20 {
            return refuse("block_bytes must be between 1 byte and 16 MiB");
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

impl Compression {
    /// What the upper levels use unless told otherwise.
    pub const UPPER: Compression = crate::BUILT_IN_FAST;
    /// What the deepest level uses unless told otherwise.
    pub const BOTTOM: Compression = crate::BUILT_IN_SMALL;
}
