//! What the workloads ask of an engine, and which engines there are.
//!
//! The trait is generic, not `dyn`: each workload is compiled once for each engine, so no engine pays for another's
//! shape. What an engine is asked for is what its users would write; see each adaptor for the settings.

#[cfg(feature = "fjall")]
mod fjall;
#[cfg(feature = "rocksdb")]
mod rocksdb;
#[cfg(feature = "siltstone")]
mod siltstone;

use crate::data::{Key, Value};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// An ordered key-value store under test.
pub trait Engine: Send + Sync + Sized {
    /// The version the numbers belong to.
    const VERSION: &'static str;

    /// Opens the database in `dir`, or creates it there.
    fn open(dir: &Path, settings: &Settings) -> Result<Self>;

    /// Writes one entry, at the durability the database was opened with.
    fn put(&self, key: &Key, value: &Value) -> Result<()>;

    /// Writes entries atomically, at the durability the database was opened with.
    fn put_batch(&self, entries: &[(Key, Value)]) -> Result<()>;

    /// Hands the value of `key` to `read`, without a copy where the engine can do without.
    fn get<R>(&self, key: &Key, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>>;

    /// Removes `key`, without asking whether it is there.
    fn delete(&self, key: &Key) -> Result<()>;

    /// Hands entries to `visit` in order, through a new iterator.
    fn scan(&self, scan: Scan, visit: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()>;

    /// Flushes what is in memory and returns when no flush or compaction is running or due. The answer is how long
    /// it had nothing to do but watch, which is not the engine's time.
    fn settle(&self) -> Result<Duration>;

    /// Closes the database: its files are complete and its threads gone when this returns.
    fn close(self) -> Result<()>;
}

/// Which entries, in which order.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    /// The first key at or beyond which to start, in the direction of the scan; all entries without.
    pub from: Option<&'a Key>,
    /// Which way to go.
    pub direction: Direction,
    /// How many entries to visit at most.
    pub limit: usize,
}

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From small keys to large ones.
    Forward,
    /// From large keys to small ones.
    Backward,
}

impl Scan<'_> {
    /// All entries.
    pub fn all(direction: Direction) -> Scan<'static> {
        Scan { from: None, direction, limit: usize::MAX }
    }
}

/// What is the same for every engine of a run.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// How blocks are compressed, on every level.
    pub compression: Compression,
    /// Bytes for cached blocks.
    pub cache_bytes: usize,
    /// Bytes of one memtable.
    pub memtable_bytes: usize,
}

/// Bits of the filter for each key.
pub const FILTER_BITS: u32 = 10;
/// Bytes of a block before compression.
pub const BLOCK_BYTES: u32 = 4096;
/// Threads for flushes and compactions, where that can be chosen.
#[cfg(any(feature = "fjall", feature = "rocksdb"))]
pub const BACKGROUND_THREADS: u32 = 2;

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process: the operating system has it.
    Os,
    /// A power cut: an fdatasync came after it.
    Sync,
}

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// LZ4.
    Lz4,
    /// Zstandard, level 1. Fjall cannot do it and is refused.
    Zstd,
}

/// The engines this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Siltstone.
    Siltstone,
    /// Fjall.
    Fjall,
    /// RocksDB through the rocksdb crate.
    Rocksdb,
}

impl EngineKind {
    /// Those that were compiled in.
    pub fn available() -> Vec<EngineKind> {
        let features = [
            (EngineKind::Siltstone, cfg!(feature = "siltstone")),
            (EngineKind::Fjall, cfg!(feature = "fjall")),
            (EngineKind::Rocksdb, cfg!(feature = "rocksdb")),
        ];
        features.into_iter().filter_map(|(kind, there)| there.then_some(kind)).collect()
    }

    /// Lets `visitor` work with the type that is this engine.
    pub fn visit<V: Visitor>(self, visitor: V) -> Result<()> {
        match self {
            #[cfg(feature = "siltstone")]
            EngineKind::Siltstone => visitor.visit::<siltstone::Siltstone>(),
            #[cfg(feature = "fjall")]
            EngineKind::Fjall => visitor.visit::<fjall::Fjall>(),
            #[cfg(feature = "rocksdb")]
            EngineKind::Rocksdb => visitor.visit::<rocksdb::RocksDb>(),
            #[allow(unreachable_patterns, reason = "reachable when a feature is off")]
            absent => anyhow::bail!("{absent} is not compiled in: build with its feature"),
        }
    }
}

/// Work that is the same for every engine.
pub trait Visitor {
    /// Does it with the engine `E`.
    fn visit<E: Engine>(self) -> Result<()>;
}

impl std::fmt::Display for EngineKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            EngineKind::Siltstone => "siltstone",
            EngineKind::Fjall => "fjall",
            EngineKind::Rocksdb => "rocksdb",
        })
    }
}
