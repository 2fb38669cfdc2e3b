//! What can be chosen. Every option has a default and a reason; there are at most 16.

use crate::vfs::{Clock, Vfs};
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
    pub(crate) create_if_missing: bool,
    pub(crate) background: Background,
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) clock: Arc<dyn Clock>,
}
