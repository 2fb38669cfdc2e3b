//! A copy of the database as it is at one moment, while it goes on.
//!
//! 1. Look at the folder: empty, or not there. Take its lock.
//! 2. Flush. Then the tables of one version are the state after some prefix of the writes, with all that came before the call;
//!    so no log is needed, and what is to be written is bounded by the write buffers, whatever the size of the database.
//! 3. Give each table of that version a name in the folder. Tables never change once they are finished, so the two databases
//!    may share them; a file system that has no further names for files gets copies.
//! 4. Write a manifest and, last, `CURRENT` (`manifest::fresh`).
//!
//! (K1) The version is held until its tables have their new names, so no compaction can take one away before (`read` R2).
//! (K2) Only tables are shared. Log segments and spares are written again under other names, and the manifest grows; a
//!      checkpoint has none of the former, and a manifest of its own.
//! (K3) The tables stay as they are, byte for byte, and so does the id of the database, which their checksums are bound to. From
//!      here on both give the same numbers to different files. What is bound to a place (decision 0003) therefore does not tell
//!      the tables and logs that the one makes from those of the other: files must not be carried over by hand. What tells is
//!      the length of each table, when it is opened, and its checksum, when it is verified; and the log of the one is older
//!      than any that the manifest of the other names.
//! (K4) In a process that has both open, handles of keyspaces are told apart by the opening they come from, not by the id.
//!
//! Rejected: copying the end of the log in place of the flush. It would have to be read, cut at a batch, written and synced, and
//! read once more by whoever opens the checkpoint; the flush has to be done anyway, sooner or later.

use super::Db;
use super::inner::Inner;
use crate::engine::filename::FileName;
use crate::engine::manifest::fresh::Fresh;
use crate::engine::manifest::set::whole;
use crate::sync::atomic::Ordering;
use crate::vfs::{Dir, Mode};
use crate::{Error, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// A table is copied in pieces of this size.
const PIECE: usize = 1 << 20;

/// What [`Db::checkpoint`] made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckpointReport {
    /// The sequence number of the last write in it.
    pub last_sequence: u64,
    /// How many tables it has.
    pub tables: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Those of them that were copied, since the files could not be given a further name.
    pub copied_bytes: u64,
}

impl fmt::Display for CheckpointReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CheckpointReport { last_sequence, tables, bytes, copied_bytes } = self;
        write!(f, "{tables} tables with {bytes} bytes, ")?;
        match copied_bytes {
            0 => f.write_str("all of them shared")?,
            copied => write!(f, "of which {copied} were copied")?,
        }
        write!(f, ", up to sequence {last_sequence}")
    }
}

impl Db {
    /// Makes a copy of the database, as it is at one moment of this call, in the folder `into`: a database like any other, closed.
    /// Reads and writes go on meanwhile.
    ///
    /// Everything acknowledged before the call is in it, of what is written meanwhile a part: a prefix of all writes, batches
    /// whole, in all keyspaces. It costs a flush, and a further name for each table, for they are shared: a table takes its room
    /// on the disk only once, until compaction has replaced it in both. Across file systems, and where files can have but one
    /// name, the tables are copied. One checkpoint is made at a time; a second call waits.
    ///
    /// Later writes to the one do not show in the other. But both bear the same id, so files must never be exchanged between
    /// them: to restore a checkpoint, copy *all* of it into an *empty* folder.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let (path, copy) = (folder.path().join("db"), folder.path().join("copy"));
    /// let db = Db::open(path)?;
    /// db.put("k", "then")?;
    /// db.checkpoint(&copy)?;
    /// db.put("k", "now")?;
    /// assert_eq!(Db::open(copy)?.get("k")?.unwrap(), b"then");
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when `into` is not empty or lies in a database, [`Error::Locked`] when somebody else is making
    /// one there; what [`Db::flush`] gives; [`Error::Closed`] when the database is closed meanwhile; [`Error::Io`],
    /// [`Error::DiskFull`]. What was made is removed then, but for the folder itself. Should the power be cut, what is left is
    /// the whole copy, or a folder that is refused, or one that holds nothing yet.
    pub fn checkpoint(&self, into: impl AsRef<Path>) -> Result<CheckpointReport> {
        self.inner().checkpoint(into.as_ref())
    }
}

impl Inner {
    fn checkpoint(&self, into: &Path) -> Result<CheckpointReport> {
        let started = self.options.clock.monotonic();
        let _one_at_a_time = self.checkpointing.lock();
        self.check_writable()?;
        let mut fresh = Fresh::new(&self.options.vfs, self.dir.path(), into)?;
        self.flush_all()?;
        let (version, mut registry) = {
            let manifest = self.manifest.lock();
            (Arc::clone(manifest.version()), manifest.registry().clone())
        };
        let mut report = CheckpointReport {
            last_sequence: registry.last_seq,
            tables: version.table_count(),
            bytes: version.bytes(),
            copied_bytes: 0,
        };
        for (_, table) in version.tables() {
            let name = FileName::Table(table.summary.number).to_string();
            report.copied_bytes += self.share(&name, fresh.dir())?;
        }
        // No segment is needed, and none of this database's may be taken for one (K3).
        let min_log = self.next_log.load(Ordering::Relaxed).max(registry.newest_log + 1);
        (registry.min_log, registry.sealed_logs) = (min_log, BTreeMap::new());
        fresh.finish(self.database, &whole(&version, &registry), registry.last_seq)?;
        let took = self.options.clock.monotonic().saturating_sub(started);
        tracing::debug!(?into, ?report, ?took, "made a checkpoint");
        Ok(report)
    }

    /// Gives a table the same name in another folder, or copies it there; gives how many bytes were copied.
    fn share(&self, name: &str, into: &Dir) -> Result<u64> {
        self.check_readable()?;
        match self.dir.link(name, into) {
            Ok(()) => Ok(0),
            Err(Error::Io { source, .. }) if is_impossible(&source) => self.copy(name, into),
            Err(e) => Err(e),
        }
    }

    fn copy(&self, name: &str, into: &Dir) -> Result<u64> {
        let (from, to) = (self.dir.open(name, Mode::Read)?, into.open(name, Mode::CreateNew)?);
        let (mut piece, mut at) = (vec![0; PIECE], 0);
        loop {
            self.check_readable()?;
            let len = from.read_at(&mut piece, at)?;
            to.write_at(piece.get(..len).unwrap_or_default(), at)?;
            at += len as u64;
            if len < PIECE {
                break;
            }
        }
        to.sync()?;
        Ok(at)
    }
}

/// Whether a file cannot have a further name there; another try would not help.
fn is_impossible(error: &io::Error) -> bool {
    use ErrorKind::{CrossesDevices, InvalidInput, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), Unsupported | CrossesDevices | TooManyLinks | PermissionDenied | InvalidInput)
}
