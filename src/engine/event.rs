//! What a database tells while it works: events, as types, for a listener and for the log.
//!
//! (V1) There is an end for every begin, with the same facts, whatever came of it.
//! (V2) Events come in the order in which what they tell of happened, as far as one thread did it or one waited for the other.

use crate::Error;
use crate::error::StallReason;
use std::fmt;
use std::time::Duration;

/// Hears what a database does. Set with [`Options::listener`](crate::Options::listener).
///
/// Each database with a listener has a thread for it, `siltstone-events`, which holds no lock of the engine and which nothing in the
/// engine waits for. So a listener may do with the database whatever any other code may: read, ask for
/// [`stats`](crate::Db::stats), write, flush, even close it. It may take its time: events wait for it meanwhile, 4,096 of them;
/// what is told beyond that is counted and not kept ([`Event::Missed`]).
///
/// A listener that panics is not called for that event any more, and called again for the next; the panic is told to `tracing`.
///
/// With [`Background::Stepped`](crate::Background::Stepped), which has no threads, whoever has done the work calls the listener when
/// it is done, before its own call returns.
///
/// A listener that keeps a [`Db`](crate::Db) keeps it open: nothing but [`Db::close`](crate::Db::close) ends it then.
///
/// ```
/// use siltstone::{Event, Listener, Options};
/// use std::sync::Arc;
///
/// #[derive(Debug)]
/// struct Watch;
/// impl Listener for Watch {
///     fn on_event(&self, event: &Event) {
///         if let Event::StallEnded(stall) = event {
///             eprintln!("writes waited for {:?}: {:?}", stall.took, stall.reason);
///         }
///     }
/// }
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("data");
/// let db = Options::default().listener(Arc::new(Watch)).open(path)?;
/// # Ok::<(), siltstone::Error>(())
/// ```
pub trait Listener: Send + Sync + fmt::Debug {
    /// Called for every event, one after the other.
    fn on_event(&self, event: &Event);
}

/// Something that has happened. Prints as a sentence.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The database is open: what was found.
    Recovered(Recovered),
    /// A flush of full write buffers begins.
    FlushBegun(FlushBegun),
    /// It has ended.
    FlushEnded(FlushEnded),
    /// A compaction begins.
    CompactionBegun(CompactionBegun),
    /// It has ended.
    CompactionEnded(CompactionEnded),
    /// Writes begin to wait.
    StallBegun(StallBegun),
    /// None waits any more.
    StallEnded(StallEnded),
    /// A table has come into force.
    TableCreated(TableCreated),
    /// The file of a table that is no longer in force is gone.
    TableRemoved(TableRemoved),
    /// Background work has failed, and is tried again; told once for each reason, not for each try.
    BackgroundError(BackgroundError),
    /// It goes on.
    BackgroundResumed(BackgroundResumed),
    /// The disk is full: only deletions are taken.
    DiskFull(DiskFull),
    /// All writes are taken again.
    DiskFullOver,
    /// No more writes are taken before the next open.
    ReadOnly(ReadOnly),
    /// The listener was too slow for so many events, which would have come here.
    Missed(u64),
}

/// What opening found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recovered {
    /// The last close was clean, so there was no log to read.
    pub clean: bool,
    /// Batches read from the log.
    pub batches: u64,
    /// Bytes of log they took.
    pub log_bytes: u64,
    /// Pieces of log or manifest that were left out; [`Db::recovery`](crate::Db::recovery) lists them.
    pub cuts: usize,
    /// Leftover files that were removed.
    pub orphans_removed: usize,
    /// How long opening took.
    pub took: Duration,
}

/// A flush begins.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FlushBegun {
    /// How many buffers go into one table.
    pub buffers: usize,
    /// Bytes of memory they hold.
    pub buffer_bytes: usize,
}

/// A flush has ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FlushEnded {
    /// How many buffers it was of.
    pub buffers: usize,
    /// Bytes of the tables that were written.
    pub written_bytes: u64,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, if it did.
    pub error: Option<Error>,
}

/// A compaction begins.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CompactionBegun {
    /// What it does.
    pub kind: CompactionKind,
    /// The level it takes tables from.
    pub level: usize,
    /// The level it puts them to.
    pub output_level: usize,
    /// How many tables it takes, of both levels.
    pub tables: usize,
    /// Their bytes.
    pub input_bytes: u64,
}

/// A compaction has ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CompactionEnded {
    /// What it did.
    pub kind: CompactionKind,
    /// The level it took tables from.
    pub level: usize,
    /// The level it put them to.
    pub output_level: usize,
    /// How many tables it took.
    pub tables: usize,
    /// Their bytes.
    pub input_bytes: u64,
    /// How many tables it wrote.
    pub tables_written: usize,
    /// Their bytes.
    pub written_bytes: u64,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, if it did; [`Error::Closed`] when it was given up for a close.
    pub error: Option<Error>,
}

/// What a compaction does with its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompactionKind {
    /// They are merged into new ones.
    Merge,
    /// They change their level and stay as they are.
    Move,
    /// All in them has expired, or been deleted: they go unread.
    Drop,
}

/// Writes begin to wait.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StallBegun {
    /// What for.
    pub reason: StallReason,
}

/// Writes wait no more.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StallEnded {
    /// What the first of them had begun to wait for.
    pub reason: StallReason,
    /// From the first that waited to the last.
    pub took: Duration,
}

/// A table has come into force.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TableCreated {
    /// Its number, which names its file.
    pub number: u64,
    /// Its level.
    pub level: usize,
    /// Its bytes.
    pub bytes: u64,
    /// Its entries, superseded versions and deletions included.
    pub entries: u64,
}

/// The file of a table is gone.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TableRemoved {
    /// Its number, which named its file.
    pub number: u64,
}

/// Background work has failed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackgroundError {
    /// Which.
    pub work: Work,
    /// Why.
    pub error: Error,
}

/// Background work goes on after it had failed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackgroundResumed {
    /// Which.
    pub work: Work,
    /// How often it had failed.
    pub times: u64,
}

/// The disk is full.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DiskFull {
    /// What found no space.
    pub error: Error,
}

/// The database is read-only.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadOnly {
    /// Why.
    pub cause: Error,
}

/// Work in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Work {
    /// Making the next segment of the log ready.
    Log,
    /// Writing full buffers to tables.
    Flush,
    /// Merging tables.
    Compaction,
    /// Removing files that nobody needs any more.
    Removal,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Work::Log => "log",
            Work::Flush => "flush",
            Work::Compaction => "compaction",
            Work::Removal => "removal",
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Recovered(e) => write!(
                f,
                "opened in {:?}: {}, {} batches in {} bytes of log, {} pieces left out, {} leftovers removed",
                e.took,
                if e.clean { "closed cleanly" } else { "not closed" },
                e.batches,
                e.log_bytes,
                e.cuts,
                e.orphans_removed
            ),
            Event::FlushBegun(e) => write!(f, "flush of {} buffers, {} bytes", e.buffers, e.buffer_bytes),
            Event::FlushEnded(e) => ended(f, "flush", e.written_bytes, e.took, e.error.as_ref()),
            Event::CompactionBegun(e) => write!(
                f,
                "{} of {} tables, {} bytes, from level {} to level {}",
                e.kind, e.tables, e.input_bytes, e.level, e.output_level
            ),
            Event::CompactionEnded(e) => ended(f, e.kind.name(), e.written_bytes, e.took, e.error.as_ref()),
            Event::StallBegun(e) => write!(f, "writes wait: {}", e.reason),
            Event::StallEnded(e) => write!(f, "writes go on after {:?}: {}", e.took, e.reason),
            Event::TableCreated(e) => {
                write!(f, "table {} in level {}: {} bytes, {} entries", e.number, e.level, e.bytes, e.entries)
            }
            Event::TableRemoved(e) => write!(f, "table {} removed", e.number),
            Event::BackgroundError(e) => {
                write!(
                    f,
                    "background work failed ({}) and is tried again until it succeeds: {}",
                    e.work, e.error
                )
            }
            Event::BackgroundResumed(e) => {
                write!(f, "background work goes on after it had failed {} times: {}", e.times, e.work)
            }
            Event::DiskFull(e) => {
                write!(
                    f,
                    "the disk is full, only deletions are taken until there is space again: {}",
                    e.error
                )
            }
            Event::DiskFullOver => write!(f, "there is space again: all writes are taken"),
            Event::ReadOnly(e) => write!(f, "the database is read-only from now on: {}", e.cause),
            Event::Missed(events) => write!(f, "the listener was too slow for {events} events"),
        }
    }
}

fn ended(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    written: u64,
    took: Duration,
    error: Option<&Error>,
) -> fmt::Result {
    match error {
        None => write!(f, "{what} wrote {written} bytes in {took:?}"),
        Some(error) => write!(f, "{what} ended after {took:?}: {error}"),
    }
}

impl CompactionKind {
    fn name(self) -> &'static str {
        match self {
            CompactionKind::Merge => "merge",
            CompactionKind::Move => "move",
            CompactionKind::Drop => "drop",
        }
    }
}

impl fmt::Display for CompactionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
