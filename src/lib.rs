//! Siltstone: a durable, ordered key-value store in one folder of files.

#[allow(dead_code)]
mod engine;
pub mod error;
pub mod protocol;
#[cfg(feature = "server")]
pub mod server;
pub mod store;
pub mod vfs;

pub use engine::batch::WriteBatch;
pub use engine::db::{
    Commit, Db, LevelStats, Range, RecoveryReport, Snapshot, Stats, VerifyReport, WriteOptions,
};
pub use engine::options::{Background, Compression, Durability, Options};
pub use engine::slice::Slice;
pub use error::{Error, Result};

/// The fast compression of this build.
const BUILT_IN_FAST: Compression = if cfg!(feature = "lz4") { Compression::Lz4 } else { Compression::None };
/// The compression of this build that saves most.
const BUILT_IN_SMALL: Compression =
    if cfg!(feature = "zstd") { Compression::Zstd(-1) } else { BUILT_IN_FAST };

/// Writes what any file of a database holds to `out`, as text: header, records or blocks, checksums, entries.
///
/// The file is only read; the database may be open meanwhile.
///
/// # Errors
/// [`Error::Corruption`] with the offset where the file stops making sense, [`Error::Incompatible`] for a newer one,
/// [`Error::Io`].
pub fn inspect(path: impl AsRef<std::path::Path>, out: &mut dyn std::fmt::Write) -> Result<()> {
    engine::inspect::inspect(std::sync::Arc::new(vfs::std::StdVfs), path.as_ref(), out)
}
