//! What all handles and threads of one open database share.
//!
//! # Locks, in the order they may be taken
//!
//! 0. `compacting`: held by whoever carries out a compaction, or takes tables away otherwise. `checkpointing`: held while a
//!    checkpoint is made. Then `keyspaces`: held while one is looked up, made or dropped.
//! 1. `commit`: the end of the log and the active buffer. Held for one batch. No sync under it, but where a keyspace is dropped.
//! 2. `manifest`: appending edits, with its sync. Only background work and open/close take it.
//! 3. `buffers`: which buffers wait for their flush, and publishing a super version. A few stores long.
//! 4. The small ones that take no other: the known gaps, the snapshot list, the group sync's state, the signals, the lists
//!    of used segments and of replaced tables, the queue of events. Only those on who is stalled take others: `full_since`, then
//!    that of the stall, then the queue's.
//!
//! Readers take none of them, but that of the known gaps where there are any: they load `super_version`, then `visible`
//! (`read` R1).
//!
//! (D1) `visible` is the sequence number of the last batch applied whole; it is stored under `commit`.
//! (D2) A buffer is sealed under `commit`, so a sealed buffer holds only visible entries and never changes.
//! (D3) Every change of the tables is durable in the manifest before it is published.

use super::counters::Counters;
use super::deadline::Deadline;
use super::events::Events;
use super::gaps::Gaps;
use super::group_sync::GroupSync;
use super::readers::Readers;
use super::signal::Signal;
use super::snapshot_list::SnapshotList;
use super::status::Status;
use super::throttle::Throttle;
use super::time::Time;
use super::traits::Traits;
use super::troubles::{Trouble, Troubles};
use crate::engine::cache::Cache;
use crate::engine::checksum::Place;
use crate::engine::event::{Event, ReadOnly, TableCreated};
use crate::engine::filename::FileName;
use crate::engine::header::FileKind;
use crate::engine::manifest::{Edit, Manifest};
use crate::engine::memory::{Held, Memory};
use crate::engine::memtable::{self, Memtable};
use crate::engine::options::{Background, Options};
use crate::engine::read::{LazyTable, SuperVersion, TableFiles, TableRef};
use crate::engine::sstable::{Block, TableSummary};
use crate::engine::wal::segment::Segment;
use crate::engine::wal::writer::Writer;
use crate::error::StallReason;
use crate::sync::atomic::{AtomicBool, AtomicU64};
use crate::sync::{ArcSwap, Mutex, plain};
use crate::vfs::Dir;
use crate::{Error, Result};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often a database was opened in this process, successfully or not. No scheduler needs to see it (`sync` Y2): it orders
/// nothing.
static OPENINGS: plain::atomic::AtomicU64 = plain::atomic::AtomicU64::new(1);

/// An open database.
pub struct Inner {
    // Constant after open.
    pub options: Options,
    pub dir: Dir,
    pub database: u64,
    /// It was opened for reading only: somebody else may be writing to the files.
    pub observes: bool,
    /// Which opening this is, of all in the process. A copy of a database has the same id, and other keyspaces.
    pub opening: u64,
    pub files: Arc<TableFiles>,
    pub cache: Arc<Cache<Block>>,
    pub memory: Arc<Memory>,

    // Self-synchronised.
    pub super_version: ArcSwap<SuperVersion>,
    pub visible: Padded<AtomicU64>,
    pub next_table: AtomicU64,
    pub next_log: AtomicU64,
    pub snapshots: SnapshotList,
    pub time: Time,
    pub group_sync: GroupSync,
    pub sync_deadline: Deadline,
    pub throttle: Throttle,
    pub counters: Counters,
    pub signals: Signals,
    pub readers: Arc<Readers>,
    /// Raised at close: background work ends at its next look.
    pub stop: AtomicBool,
    /// The capacity of the largest log segment so far.
    pub largest_segment: AtomicU64,
    /// The log thread was told that the next segment is needed.
    pub spare_asked: AtomicBool,
    pub troubles: Troubles,
    pub events: Arc<Events>,
    /// A compaction that writes wait for found no space.
    pub compaction_wants_space: AtomicBool,
    /// Others need the space that the running compaction has taken (E3 in `space`).
    pub compaction_gives_way: AtomicBool,
    /// How many compactions have given way.
    pub compactions_broken_off: AtomicU64,
    pub status: Status,
    pub gaps: Gaps,

    // Guarded by locks.
    pub commit: Mutex<Committer>,
    pub manifest: Mutex<Manifest<LazyTable>>,
    pub buffers: Mutex<Buffers>,
    pub used_segments: Mutex<Vec<u64>>,
    /// Tables that no version names any more, though somebody may read them.
    pub replaced: Mutex<Vec<Weak<TableRef>>>,
    /// Why the last flush failed, for whoever waits for it.
    pub flush_error: Mutex<Option<Error>>,
    /// Since when there has been no room for tasks that write, on the monotonic clock, and what for.
    pub full_since: Mutex<Option<(StallReason, Duration)>>,
    /// Held by whoever compacts. Comes before all other locks.
    pub compacting: Mutex<()>,
    /// Held by whoever makes a checkpoint. Comes before all other locks.
    pub checkpointing: Mutex<()>,
    /// The keyspaces by name, but for the one without. Comes before all other locks.
    pub keyspaces: Mutex<BTreeMap<String, Arc<Traits>>>,
    pub picker_cursors: Mutex<crate::engine::compaction::picker::Cursors>,
}

/// Keeps a hot word on cache lines of its own.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct Padded<T>(pub T);

/// Who waits for what.
#[derive(Debug, Default)]
pub struct Signals {
    /// The log thread: a segment is to be prepared, or somebody waits for a sync without leading it.
    pub log: Signal,
    /// The flush thread: a buffer was sealed.
    pub flush: Signal,
    /// The compaction thread: the tables changed, or a file can be removed.
    pub compact: Arc<Signal>,
    /// Writers and closers: a flush or a compaction ended.
    pub room: Signal,
}

/// The end of the log and the buffer that is written to.
pub struct Committer {
    pub log: Writer,
    /// What the log's buffer takes.
    pub log_memory: Held,
    pub active: memtable::Writer,
    pub next_seq: u64,
    /// A segment that is ready for when this one is full.
    pub spare: Option<Segment>,
    /// Going on in it was tried in vain: a record in the log may name it.
    pub spare_may_be_named: bool,
}

/// A place in the log where a buffer's entries begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogStart {
    pub segment: u64,
    pub base: u64,
}

/// The buffers and where in the log each begins.
pub struct Buffers {
    /// Oldest first.
    pub sealed: VecDeque<(Arc<Memtable>, LogStart)>,
    pub active: LogStart,
}

/// The parts that open makes, from which the rest follows.
pub struct Parts {
    pub observes: bool,
    pub options: Options,
    pub dir: Dir,
    pub database: u64,
    pub files: Arc<TableFiles>,
    pub manifest: Manifest<LazyTable>,
    pub super_version: SuperVersion,
    pub committer: Committer,
    pub buffers: Buffers,
    pub next_table: u64,
    pub next_log: u64,
    pub group_sync: GroupSync,
    /// Something in tables or log expires.
    pub expires: bool,
}

impl Inner {
    /// Joins the parts.
    pub fn new(parts: Parts) -> Inner {
        let visible = parts.committer.next_seq - 1;
        let keyspaces = super::traits::all(parts.manifest.registry());
        let time = parts.manifest.registry().time;
        let events = Arc::new(Events::new(&parts.options));
        Inner {
            cache: Arc::clone(parts.files.cache()),
            observes: parts.observes,
            memory: Arc::clone(parts.files.memory()),
            options: parts.options,
            dir: parts.dir,
            database: parts.database,
            opening: OPENINGS.fetch_add(1, plain::atomic::Ordering::Relaxed),
            files: parts.files,
            super_version: ArcSwap::from_pointee(parts.super_version),
            visible: Padded(visible.into()),
            next_table: parts.next_table.into(),
            next_log: parts.next_log.into(),
            snapshots: SnapshotList::default(),
            time: Time::new(time, parts.expires),
            group_sync: parts.group_sync,
            sync_deadline: Deadline::default(),
            throttle: Throttle::default(),
            counters: Counters::since(parts.committer.log.position()),
            signals: Signals::default(),
            readers: Arc::default(),
            stop: AtomicBool::new(false),
            largest_segment: AtomicU64::new(0),
            spare_asked: AtomicBool::new(false),
            troubles: Troubles::default(),
            events,
            compaction_wants_space: AtomicBool::new(false),
            compaction_gives_way: AtomicBool::new(false),
            compactions_broken_off: AtomicU64::new(0),
            status: Status::default(),
            gaps: Gaps::default(),
            commit: Mutex::new(parts.committer),
            manifest: Mutex::new(parts.manifest),
            buffers: Mutex::new(parts.buffers),
            used_segments: Mutex::default(),
            replaced: Mutex::default(),
            flush_error: Mutex::default(),
            full_since: Mutex::default(),
            compacting: Mutex::default(),
            checkpointing: Mutex::default(),
            keyspaces: Mutex::new(keyspaces),
            picker_cursors: Mutex::default(),
        }
    }

    /// An error unless the database is open.
    #[inline]
    pub fn check_readable(&self) -> Result<()> {
        self.status.check_readable()
    }

    /// An error unless writes are taken.
    #[inline]
    pub fn check_writable(&self) -> Result<()> {
        self.status.check_writable()
    }

    /// An error unless this batch is taken.
    #[inline]
    pub fn check_takes(&self, payload: &[u8]) -> Result<()> {
        if self.status.takes_all() {
            Ok(())
        } else {
            self.check_writable().and_then(|()| self.refuse_puts(payload))
        }
    }

    /// Takes no more writes, for good: what the files hold is no longer certain (P7 in `docs/promises.md`).
    pub fn poison(&self, cause: &Error) {
        let cause = match cause {
            Error::ReadOnly { cause } => Arc::clone(cause),
            other => Arc::new(other.clone()),
        };
        let (cause, ended) = self.status.end_writes(cause, self.options.clock.wall_ms());
        if ended {
            self.events.tell(Event::ReadOnly(ReadOnly { cause: (**cause).clone() }));
        }
        self.group_sync.fail(Arc::clone(cause));
        self.signals.room.raise();
    }

    /// Poisons after an error of the log or the manifest, but for a full disk, which leaves both as they were.
    pub fn poison_unless_transient<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome.inspect_err(|e| {
            if !e.is_transient() {
                self.poison(e);
            }
        })
    }

    /// Poisons after a failed sync of any file or folder: what the operating system has dropped then is unknown (vfs V4).
    /// Other errors of background work are left to its next try.
    pub fn poison_if_sync_failed<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome.inspect_err(|e| {
            if e.is_failed_sync() {
                self.poison(e);
            }
        })
    }

    /// An error once the database is read-only: background work then leaves the files alone.
    pub fn check_unpoisoned(&self) -> Result<()> {
        match self.poisoned() {
            None => Ok(()),
            Some(cause) => Err(Error::ReadOnly { cause: Arc::clone(cause) }),
        }
    }

    /// The error that made the database read-only.
    pub fn poisoned(&self) -> Option<&Arc<Error>> {
        self.status.cause().map(|(cause, _)| cause)
    }

    /// The same, with the time.
    pub fn why_read_only(&self) -> Option<Trouble> {
        let (cause, since_ms) = self.status.cause()?;
        Some(Trouble { error: (**cause).clone(), since_ms: *since_ms, times: 1 })
    }

    /// Refuses all further calls. False when it was closed already.
    pub fn set_closed(&self) -> bool {
        self.status.close()
    }

    /// The place of log segment `number`.
    pub fn log_place(&self, number: u64) -> Place {
        Place { database: self.database, kind: FileKind::Log, number }
    }

    /// Makes the log durable up to `position`.
    pub fn sync_to(&self, position: u64) -> Result<()> {
        let target = || self.commit.lock().log.sync_target(self.group_sync.synced());
        self.group_sync.wait(position, &target).inspect_err(|e| self.poison(e))
    }

    /// The time for what expires.
    pub fn now(&self) -> u64 {
        self.time.now(&*self.options.clock)
    }

    /// An edit that changes nothing but the time.
    pub fn edit(&self) -> Edit {
        Edit { time: Some(self.time.highest()).filter(|time| *time > 0), ..Edit::default() }
    }

    /// The sequence numbers at which versions must be kept, and up to when what expires has expired for all readers.
    pub fn boundaries(&self) -> (Vec<u64>, u64) {
        self.snapshots.note(self.options.clock.monotonic());
        self.snapshots.boundaries(&self.visible.0, || self.time.of_reader(&*self.options.clock))
    }

    /// Makes `edit` durable, without the deletions of ranges that nobody needs after it, then publishes the tables it leads to;
    /// `flushed` buffers, the oldest ones, leave the list.
    pub fn install(&self, mut edit: Edit, flushed: usize) -> Result<()> {
        let mut manifest = self.manifest.lock();
        let before = Arc::clone(manifest.version());
        before.retire(&mut edit);
        let edit = &edit;
        let mut make = |summary: &_| self.new_table(summary);
        let committed = manifest.commit(edit, &mut make);
        let version = committed.inspect_err(|e| match manifest.is_usable() {
            true => self.discard(edit),
            false => self.poison(e),
        })?;
        for (_, table) in before.tables().filter(|(_, t)| is_out_of_force(edit, t.summary.number)) {
            table.handle.retire();
            let mut replaced = self.replaced.lock();
            replaced.retain(|table| table.strong_count() > 0);
            replaced.push(Arc::downgrade(table));
        }
        drop(before);
        let mut buffers = self.buffers.lock();
        buffers.sealed.drain(..flushed);
        let old = self.super_version.load();
        let sealed = buffers.sealed.iter().rev().map(|(memtable, _)| Arc::clone(memtable)).collect();
        let dropped = match edit.dropped_keyspaces.is_empty() {
            true => old.dropped.clone(),
            false => super::traits::dropped(manifest.registry()),
        };
        let active = Arc::clone(&old.active);
        self.super_version.store(Arc::new(SuperVersion::new(active, sealed, version, dropped)));
        drop(buffers);
        drop(manifest);
        self.tell_of_new_tables(edit);
        self.update_pressure();
        if self.is_disk_full() {
            // This may have been what space was wanted for.
            self.signals.log.raise();
        }
        Ok(())
    }

    fn tell_of_new_tables(&self, edit: &Edit) {
        let moved = |number| edit.removed.iter().any(|(_, n)| *n == number);
        for (level, table) in edit.added.iter().filter(|(_, table)| !moved(table.number)) {
            let (number, bytes, entries) = (table.number, table.len, table.entries);
            let created = TableCreated { number, level: usize::from(*level), bytes, entries };
            self.events.tell(Event::TableCreated(created));
        }
    }

    /// A table that comes into force. It is opened at once: its first reader need not wait, and finds it also when there are no
    /// descriptors left by then. Who has no threads for it, and whoever meets an error here, leaves it to that reader.
    fn new_table(&self, summary: &TableSummary) -> LazyTable {
        let table = LazyTable::new(Arc::clone(&self.files), summary);
        if self.options.background == Background::Threads && self.files.has_room() {
            let _ = table.open();
        }
        table
    }

    /// Removes the tables of an edit that did not come into force, and never will.
    fn discard(&self, edit: &Edit) {
        let moved = |number| edit.removed.iter().any(|(_, n)| *n == number);
        for (_, table) in edit.added.iter().filter(|(_, t)| !moved(t.number)) {
            // An orphan that cannot be removed now is removed by the next open.
            let _ = self.dir.remove(&FileName::Table(table.number).to_string());
        }
    }
}

/// Whether an edit takes a table away for good, and does not merely move it to another level.
fn is_out_of_force(edit: &Edit, number: u64) -> bool {
    edit.removed.iter().any(|(_, n)| *n == number) && !edit.added.iter().any(|(_, s)| s.number == number)
}
