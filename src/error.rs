//! The one error type of the whole crate.
//!
//! Every variant carries the facts a reader needs to act on it: what was being done, on which file, at which
//! offset, what was expected and what was found. `Display` is a sentence that ends with the next step.
//! Errors are cheap to clone, because one failed sync is the answer to every writer of its commit group.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What every fallible call of Siltstone returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong. Match on the variants you can act on; print the rest.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation on a file.
    #[error("could not {op} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// What was being done, in the words of the system call: "read", "sync", "rename".
        op: &'static str,
        /// The file or directory it was done to.
        path: PathBuf,
        /// The operating system's own error.
        source: Arc<io::Error>,
    },

    /// The disk, or a quota on it, is full. Nothing of the failed write is visible; reads go on, and deletions as long as the
    /// reserve lasts.
    #[error("no space left to {op} {}: free some space, or delete and compact, and write again", path.display())]
    DiskFull {
        /// What was being done.
        op: &'static str,
        /// The file that could not grow.
        path: PathBuf,
    },

    /// Bytes on disk are not what Siltstone wrote. They are never returned as data.
    #[error("{0}")]
    Corruption(Box<Corruption>),

    /// The files were written by a newer version, or by a build with other features.
    #[error("{} holds {what} {found}, but this build reads {supported}: open it with a build that knows it", path.display())]
    Incompatible {
        /// The file in question.
        path: PathBuf,
        /// What is unknown: a "format version", a "compression", an "entry kind".
        what: &'static str,
        /// What the file says.
        found: String,
        /// What this build can read.
        supported: String,
    },

    /// An argument makes no sense, or is over a limit. Nothing was done.
    #[error("{what}")]
    InvalidArgument {
        /// The fact and the limit, as a sentence.
        what: String,
    },

    /// The folder is not a Siltstone database, and creating one there was not possible.
    #[error("{} is not a Siltstone database: {why}", path.display())]
    NotADatabase {
        /// The folder.
        path: PathBuf,
        /// What was found, and what to do.
        why: String,
    },

    /// Another process, or another handle of this one, has the database open.
    #[error("{} is in use by another process or handle: close that one first, or open another folder", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },

    /// A write to the log or the manifest failed, so nothing more is acknowledged; or it was opened for reading only. Reads go
    /// on.
    #[error("the database is read-only{}", why_read_only(cause))]
    ReadOnly {
        /// The failure that made it so; [`Error::InvalidArgument`] when it was opened so.
        cause: Arc<Error>,
    },

    /// A write waited for room longer than the deadline allows. It was not done.
    #[error("the write waited {waited:?} because {reason}: write more slowly, or raise the deadline")]
    Stalled {
        /// Why there was no room.
        reason: StallReason,
        /// How long the write waited.
        waited: Duration,
    },

    /// Something that a transaction read was changed by another write before it could commit. Nothing of it was written.
    #[error(
        "the transaction conflicts with a later write: {} was changed after it had been read{}: run the transaction again",
        named_key(keyspace, key),
        if *walked { ", within a range that it walked" } else { "" }
    )]
    Conflict {
        /// The name of the keyspace; empty for the one without.
        keyspace: String,
        /// The key that was changed, or was not there before.
        key: Vec<u8>,
        /// True when the key lies in a range that the transaction walked, false when it asked for this very key.
        walked: bool,
    },

    /// A batch requires something of a key that is not so. Nothing of the batch was written.
    #[error(
        "the batch requires that {} {required}, and it is not so: nothing was written; read it, and decide anew",
        named_key(keyspace, key)
    )]
    ConditionFailed {
        /// The name of the keyspace; empty for the one without.
        keyspace: String,
        /// The key in question.
        key: Vec<u8>,
        /// What was required of it.
        required: Required,
    },

    /// The keyspace is there with other options than those asked for. It is as it was.
    #[error(
        "keyspace {keyspace:?} is there with {found}, and not with {asked}: ask for it with these, or without any; \
         `Keyspace::set_options` changes them"
    )]
    OptionsDiffer {
        /// Its name.
        keyspace: String,
        /// What it has, in words.
        found: String,
        /// What was asked for, in words.
        asked: String,
    },

    /// The keyspace was dropped while this handle was kept.
    #[error(
        "keyspace {keyspace} was dropped: let go of this handle; `Db::keyspace` makes a new one by its name"
    )]
    KeyspaceDropped {
        /// Its name, or its number where only that is known.
        keyspace: String,
    },

    /// The database was closed while this handle was kept.
    #[error("the database is closed: open it again")]
    Closed,
}

/// Where, and how, bytes on disk differ from what was written.
#[derive(Debug, Clone)]
pub struct Corruption {
    /// The damaged file.
    pub path: PathBuf,
    /// The offset in it, in bytes.
    pub offset: u64,
    /// What is there: "table block", "log record", "manifest edit".
    pub what: &'static str,
    /// What was expected and what was found.
    pub detail: String,
}

impl std::fmt::Display for Corruption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Corruption { path, offset, what, detail } = self;
        let path = path.display();
        write!(
            f,
            "{what} in {path} at offset {offset} is damaged: {detail}; restore the file from a copy, or salvage what is sound with `siltstone repair` (`siltstone verify` shows all damage)"
        )
    }
}

/// What a batch can require of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Required {
    /// It has no value.
    Absent,
    /// It has a value, whichever.
    Present,
    /// It has this very value.
    Value,
}

impl std::fmt::Display for Required {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Required::Absent => "is absent",
            Required::Present => "is present",
            Required::Value => "has a certain value",
        })
    }
}

/// A key as it stands in a sentence; of a long one the beginning.
fn named_key(keyspace: &str, key: &[u8]) -> String {
    let shown = key.get(..SHOWN_KEY).unwrap_or(key).escape_ascii();
    let more = if key.len() > SHOWN_KEY { format!("… ({} bytes)", key.len()) } else { String::new() };
    match keyspace {
        "" => format!("the key \"{shown}\"{more}"),
        name => format!("the key \"{shown}\"{more} of the keyspace \"{name}\""),
    }
}

/// How many bytes of a key an error shows.
const SHOWN_KEY: usize = 64;

/// Why a write had to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StallReason {
    /// All write buffers are full and wait for their flush.
    WriteBuffersFull,
    /// Too many tables overlap in level 0, and compaction has not caught up.
    Level0Full,
    /// Compaction owes more bytes than the limit.
    CompactionDebt,
    /// No log segment could be prepared yet.
    LogSegment,
}

impl std::fmt::Display for StallReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            StallReason::WriteBuffersFull => "all write buffers wait for their flush",
            StallReason::Level0Full => "level 0 has too many overlapping tables",
            StallReason::CompactionDebt => "compaction has fallen behind",
            StallReason::LogSegment => "no log segment is ready",
        })
    }
}

/// Whether the process, or the system, has as many files open as it may; there is no kind for it.
fn is_want_of_files(source: &io::Error) -> bool {
    let numbers: &[i32] = if cfg!(unix) { &[23, 24] } else { &[4] };
    source.raw_os_error().is_some_and(|number| numbers.contains(&number))
}

fn why_read_only(cause: &Error) -> String {
    match cause {
        Error::InvalidArgument { what } => format!(": {what}"),
        cause => format!(" since a write to its files failed ({cause}): close it and open it again"),
    }
}

/// What to do about an error of the operating system, where it is known.
fn advice(source: &io::Error) -> &'static str {
    if is_want_of_files(source) {
        "; close some, or raise the limit (`ulimit -n`), and try again"
    } else {
        ""
    }
}

impl Error {
    /// An operating system's error with the operation and the path it belongs to, for engines of your own: "cannot `op` `path`".
    #[must_use]
    pub fn io(op: &'static str, path: &Path, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::DiskFull { op, path: path.to_path_buf() }
            }
            _ => Error::Io { op, path: path.to_path_buf(), source: Arc::new(source) },
        }
    }

    /// Damage found in `path` at `offset`: of what, and what is wrong with it.
    #[must_use]
    pub fn corruption(path: &Path, offset: u64, what: &'static str, detail: impl Into<String>) -> Error {
        Error::Corruption(Box::new(Corruption {
            path: path.to_path_buf(),
            offset,
            what,
            detail: detail.into(),
        }))
    }

    /// An argument over a limit, or one that makes no sense.
    #[must_use]
    pub fn invalid(what: impl Into<String>) -> Error {
        Error::InvalidArgument { what: what.into() }
    }

    /// One word for the variant, for logs and metrics: `"disk_full"`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Io { .. } => "io",
            Error::DiskFull { .. } => "disk_full",
            Error::Corruption(_) => "corruption",
            Error::Incompatible { .. } => "incompatible",
            Error::InvalidArgument { .. } => "invalid_argument",
            Error::NotADatabase { .. } => "not_a_database",
            Error::Locked { .. } => "locked",
            Error::ReadOnly { .. } => "read_only",
            Error::Stalled { .. } => "stalled",
            Error::Conflict { .. } => "conflict",
            Error::ConditionFailed { .. } => "condition_failed",
            Error::OptionsDiffer { .. } => "options_differ",
            Error::KeyspaceDropped { .. } => "keyspace_dropped",
            Error::Closed => "closed",
        }
    }

    /// True when the same call may succeed later without any change: a stall, or a full disk.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::Stalled { .. } | Error::DiskFull { .. })
    }

    /// True when a sync failed in a way that leaves open what is on the disk. Of a file for which there was no space, it is
    /// only known that it is not whole; whoever wrote it throws it away. A folder that could not even be opened, for want of
    /// a descriptor, was not synced at all, and can be later.
    pub(crate) fn is_failed_sync(&self) -> bool {
        match self {
            Error::Io { source, .. } if is_want_of_files(source) => false,
            Error::Io { op, .. } => matches!(*op, "sync" | "sync directory"),
            Error::DiskFull { op, .. } => *op == "sync directory",
            _ => false,
        }
    }

    /// True when a transaction met a later write, and running it again may succeed.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Error::Conflict { .. })
    }

    /// True when bytes on disk are damaged.
    #[must_use]
    pub fn is_corruption(&self) -> bool {
        matches!(self, Error::Corruption(_))
    }
}
