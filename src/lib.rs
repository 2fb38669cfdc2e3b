//! A durable, ordered key-value store in one folder of files: a log-structured merge tree to embed.
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("data");
//! let db = siltstone::Db::open(path)?; // made if it is not there
//! db.put("user:1", "Ada")?; // on stable storage when this returns
//! let mut batch = siltstone::WriteBatch::new();
//! batch.put("user:2", "Grace");
//! batch.delete("user:1");
//! db.write(batch)?; // all or nothing
//! assert_eq!(db.get("user:2")?.unwrap(), b"Grace");
//! for entry in db.prefix("user:").rev() {
//!     let (key, value) = entry?;
//!     println!("{key:?} = {value:?}");
//! }
//! # Ok::<(), siltstone::Error>(())
//! ```
//!
//! # What to know first
//!
//! - **Durability.** A write is acknowledged when it is on stable storage, unless asked otherwise: for a whole database
//!   with [`Options::durability`], for one write with [`Db::write_with`]. Threads that write at the same time share a sync;
//!   a lone thread does well to collect its writes in a [`WriteBatch`].
//! - **Handles.** [`Db`] and [`Snapshot`] are cheap to clone and can be used from any thread. [`Range`], the iterator, owns what
//!   it reads. A folder is open in one process at a time.
//! - **Transactions.** [`Db::transact`] reads and writes as if nobody else did, and runs again when somebody did; a batch can
//!   require what it finds ([`WriteBatch::require_absent`]).
//! - **Errors** say what failed, on which file, where, and what to do next. An absent key is no error. [`Error::ReadOnly`]
//!   means that a sync or a write of the log failed: reads go on; open again to write.
//! - **No runtime.** The library is blocking and starts a few threads of its own. For tasks there are [`Db::write_async`],
//!   [`Db::sync_async`], [`Db::flush_async`], [`Keyspace::get_async`] and [`Range::page_async`], futures on any runtime; a read
//!   that needs no disk completes at once.
//!
//! `docs/promises.md` in the repository lists what may be relied upon, with its limits and the tests behind it.
//!
//! # Where to go on
//!
//! [`Db`] has the operations and [`Options`] the choices, sixteen of them, each with its default and its reason. [`store`] is
//! the seam for other engines, [`index`] that for an ordered index of your own, [`vfs`] that for other files: in memory, with power
//! cuts, or failing by rule, for your tests as for ours. [`protocol`] and, with the feature, `server` offer a database to the network; `client` asks one
//! there. [`document`] has exact JSON values and keys that sort as they do. [`inspect()`] shows any file as text.
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `lz4` | yes | LZ4 for the blocks of the upper levels |
//! | `zstd` | yes | Zstandard for those of the deepest level, and a C library to compile |
//! | `server` | no | the module `server`, and tokio |
//! | `client` | no | the module `client`: a blocking client for the server, or for Redis |
//! | `cli` | no | the `siltstone` program, with `server` and `client` |
//!
//! Tables that were written with a compression which a build lacks are refused with [`Error::Incompatible`].

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
mod dataset;
pub mod document;
mod engine;
pub mod error;
pub mod index;
mod planted;
pub mod protocol;
mod random;
#[cfg(feature = "server")]
pub mod server;
pub mod store;
mod sync;
pub mod vfs;

// A database, and how it is opened.
pub use engine::db::{Db, Keyspace, KeyspaceOptions, Snapshot};
pub use engine::options::{Background, Compression, Compressions, Durability, Options};

// What goes in, and what comes out.
pub use engine::batch::{Change, KeyspaceRef, Within, WriteBatch};
pub use engine::db::{Commit, Page, Range, RangeKeys, WriteOptions};
pub use engine::db::{FlushAsync, GetAsync, PageAsync, SyncAsync, WriteAsync};
pub use engine::db::{Transaction, TransactionCommit, TransactionRange, TransactionWithin};
pub use engine::slice::Slice;

// What it tells about itself.
pub use engine::cache::CacheStats;
pub use engine::check::report::{Finding, Progress, Unread, VerifyReport};
pub use engine::db::{
    Amplification, CheckpointReport, LevelStats, LogStats, MemoryStats, RecoveryReport, StallStats, Stats,
    Trouble,
};
pub use engine::event::{
    BackgroundError, BackgroundResumed, CompactionBegun, CompactionEnded, CompactionKind, DiskFull, Event,
    FlushBegun, FlushEnded, Listener, ReadOnly, Recovered, StallBegun, StallEnded, TableCreated,
    TableRemoved, Work,
};
pub use engine::repair::keys::{KeyBound, KeyRange};
pub use engine::repair::report::{Loss, RepairReport, TablesBy};
pub use error::{Error, Result};

/// Whether bugs can be switched on in this build, to see that the tests find them.
const PLANTED_BUGS: bool = cfg!(feature = "planted-bugs");
#[cfg(all(feature = "planted-bugs", not(debug_assertions)))]
compile_error!("the feature `planted-bugs` is for tests only: leave it out of a release");
#[cfg(feature = "planted-bugs")]
#[doc(hidden)]
pub use planted::NAMES as PLANTED_BUG_NAMES;

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

/// Reads every byte of the database in the folder `path`, which nobody has open and which need not open, and checks it and
/// every reference between its files. Nothing is written.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("data");
/// siltstone::Db::open(&path)?.put("k", "v")?;
/// let report = siltstone::verify(&path)?;
/// assert!(report.is_sound(), "{report}");
/// # Ok::<(), siltstone::Error>(())
/// ```
///
/// With other files than the operating system's, and for whoever wants to watch: [`Options::verify`].
///
/// # Errors
/// As [`Options::verify`].
pub fn verify(path: impl AsRef<std::path::Path>) -> Result<VerifyReport> {
    Options::default().verify(path, &|_| {})
}

/// Salvages what can be proved sound of the database in the folder `from`, which need not open, into a new database in the
/// folder `into`. The old one is only read; what was lost is in the report.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let (old, new) = (folder.path().join("old"), folder.path().join("new"));
/// siltstone::Db::open(&old)?.put("k", "v")?;
/// std::fs::remove_file(old.join("CURRENT")).unwrap();
/// let report = siltstone::repair(&old, &new)?;
/// assert!(report.lost.is_empty(), "{report}");
/// assert_eq!(siltstone::Db::open(&new)?.get("k")?.unwrap(), b"v");
/// # Ok::<(), siltstone::Error>(())
/// ```
///
/// # Errors
/// As [`Options::repair`].
pub fn repair(from: impl AsRef<std::path::Path>, into: impl AsRef<std::path::Path>) -> Result<RepairReport> {
    Options::default().repair(from, into, &|_| {})
}
