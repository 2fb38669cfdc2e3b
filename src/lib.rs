//! Siltstone: a durable, ordered key-value store in one folder of files.

#[allow(dead_code)]
mod engine;
pub mod error;
pub mod vfs;

pub use engine::batch::WriteBatch;
pub use engine::db::{Commit, Db, LevelStats, Range, RecoveryReport, Room, Snapshot, Stats, VerifyReport, WriteOptions};
pub use engine::options::{Background, Compression, Durability, Options};
pub use engine::slice::Slice;
pub use error::{Error, Result};

/// The fast compression of this build.
const BUILT_IN_FAST: Compression = if cfg!(feature = "lz4") { Compression::Lz4 } else { Compression::None };
/// The compression of this build that saves most.
const BUILT_IN_SMALL: Compression = if cfg!(feature = "zstd") { Compression::Zstd(-1) } else { BUILT_IN_FAST };
