//! The database: the parts joined, and the face that users see.
//!
//! Reading order: this page (what can be done), [`open`], [`commit`] (the way of a write), [`group_sync`] (durability),
//! [`range`], [`snapshot`] and [`named`] (reading), [`transaction`] and [`guard`], [`read_only`], then what happens behind: [`flush`], [`compact`],
//! [`background`], [`throttle`].
//! The lock order is one list, in [`inner`].

mod background;
mod checkpoint;
mod close;
mod commit;
mod commit_handle;
mod compact;
mod counters;
mod deadline;
mod events;
mod flush;
mod futures;
mod gaps;
mod group_sync;
mod guard;
mod inner;
mod keyspace;
mod keyspaces;
mod many;
mod named;
mod open;
mod page;
mod range;
mod read_only;
mod readers;
mod signal;
mod snapshot;
mod snapshot_list;
mod space;
mod stats;
mod status;
mod throttle;
mod time;
mod token;
mod traits;
mod transaction;
mod troubles;
mod verify;
mod warm;

#[cfg(all(test, any(shuttle, loom)))]
mod models;

pub use checkpoint::CheckpointReport;
pub use commit_handle::Commit;
pub use counters::StallStats;
pub use futures::{FlushAsync, GetAsync, PageAsync, SyncAsync, WriteAsync};
pub use keyspace::Keyspace;
pub use open::RecoveryReport;
pub use page::Page;
pub use range::{Range, RangeKeys};
pub use snapshot::Snapshot;
pub use stats::{Amplification, LevelStats, LogStats, MemoryStats, Stats};
pub use traits::KeyspaceOptions;
pub use transaction::{Transaction, TransactionCommit, TransactionRange, TransactionWithin};
pub use troubles::Trouble;

use crate::engine::batch::WriteBatch;
use crate::engine::check::report::VerifyReport;
use crate::engine::options::{Durability, Options};
use crate::{Error, Result};
use close::Handle;
use guard::Conditions;
use inner::Inner;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};

/// An open database, in one folder.
///
/// A `Db` is itself an ordered map: it derefs to its [`Keyspace`] without a name, which has the methods to read and write.
/// [`Db::keyspace`] gives further ones.
///
/// It is a handle: cloning it is cheap, and all clones, on any thread, are the same database. The last one to go closes it,
/// keyspaces, snapshots and iterators counted; [`Db::close`] does so at once for all of them and tells whether all went well.
#[derive(Clone)]
pub struct Db {
    root: Keyspace,
}

impl Deref for Db {
    type Target = Keyspace;

    #[inline]
    fn deref(&self) -> &Keyspace {
        &self.root
    }
}

/// How a write is done. The default is what the database was opened with.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// When it counts as done; `None` for the database's own setting.
    pub durability: Option<Durability>,
}

impl From<Durability> for WriteOptions {
    fn from(durability: Durability) -> WriteOptions {
        WriteOptions { durability: Some(durability) }
    }
}

impl Options {
    /// Opens, or creates, the database in the folder `path`.
    ///
    /// # Errors
    /// As [`Db::open`]; [`Error::InvalidArgument`](crate::Error::InvalidArgument) for options that make no sense.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Db> {
        self.check()?;
        let (inner, lock, report) = open::open(self, path.as_ref())?;
        let handle = Arc::new(Handle::start(inner, lock, report)?);
        Ok(Db { root: Keyspace::root(handle) })
    }
}

impl Db {
    /// Opens the database in the folder `path` with default options, creating it if there is none.
    ///
    /// Opening reads the list of tables, not the tables. After a clean close it takes milliseconds whatever the size; after a
    /// crash the log is read first, at most a few write buffers' worth.
    ///
    /// # Errors
    /// [`Error::Locked`] when it is open elsewhere, [`Error::NotADatabase`] when the folder holds other files,
    /// [`Error::Corruption`] or [`Error::Incompatible`] for files that are damaged or newer, [`Error::Io`].
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("db");
    /// let db = siltstone::Db::open(path)?;
    /// db.put("apple", "red")?;
    /// assert_eq!(db.get("apple")?.unwrap(), b"red");
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Db> {
        Options::default().open(path)
    }

    /// What opening found: whether the last close was clean, how much log was read, what was left out.
    #[must_use]
    pub fn recovery(&self) -> &RecoveryReport {
        self.root.handle().report()
    }

    /// Whether it was closed: calls on it and on all that belongs to it give [`Error::Closed`] then.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner().check_readable().is_err()
    }

    /// The keyspace `name`, made if it is not there. A name has 1 to 255 bytes.
    ///
    /// Making one is durable when this returns, and costs a sync; opening one costs a look into a table of names.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an empty or too long name; what writing gives, as [`Keyspace::put`].
    pub fn keyspace(&self, name: &str) -> Result<Keyspace> {
        let traits = self.inner().open_keyspace(name, None)?;
        Ok(Keyspace::new(Arc::clone(self.root.handle()), traits))
    }

    /// As [`Db::keyspace`], with options: it is made with these, or it is there with these. To change them is a call of its own,
    /// [`Keyspace::set_options`]: a program that was started with an old configuration must not do that in passing.
    ///
    /// ```
    /// # use siltstone::{Db, Error, KeyspaceOptions};
    /// # use std::time::Duration;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// let hour = KeyspaceOptions::default().ttl(Some(Duration::from_secs(3600)));
    /// let day = KeyspaceOptions::default().ttl(Some(Duration::from_secs(86400)));
    /// let sessions = db.keyspace_with("sessions", hour)?;
    /// assert!(matches!(db.keyspace_with("sessions", day), Err(Error::OptionsDiffer { .. })));
    /// sessions.set_options(day)?;
    /// db.keyspace_with("sessions", day)?;
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OptionsDiffer`] when it is there with others; else as [`Db::keyspace`].
    pub fn keyspace_with(&self, name: &str, options: KeyspaceOptions) -> Result<Keyspace> {
        let traits = self.inner().open_keyspace(name, Some(options))?;
        Ok(Keyspace::new(Arc::clone(self.root.handle()), traits))
    }

    /// The names of all keyspaces, in order; the one without a name is not among them.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn keyspaces(&self) -> Result<Vec<String>> {
        self.inner().keyspace_names()
    }

    /// Ends the keyspace `name` with all that is in it. Its disk space comes back at once, but for what shares a file with others,
    /// and what iterators that exist still read.
    ///
    /// Durable when it returns, and with it all that was written before. Every handle of the keyspace, and every snapshot of it,
    /// gives [`Error::KeyspaceDropped`] from then on; iterators that exist may be read to their end. A keyspace that is made
    /// under the same name later is another one, and empty. Waits for a compaction that runs; keeps writes out for two syncs.
    ///
    /// ```
    /// # use siltstone::{Db, Error};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// let drafts = db.keyspace("drafts")?;
    /// drafts.put("1", "once upon a time")?;
    /// db.drop_keyspace("drafts")?;
    /// assert!(matches!(drafts.get("1"), Err(Error::KeyspaceDropped { .. })));
    /// assert_eq!(db.keyspace("drafts")?.get("1")?, None);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is none of this name; [`Error::DiskFull`], [`Error::ReadOnly`], [`Error::Closed`],
    /// [`Error::Io`]. Then nothing was dropped, unless an open after [`Error::ReadOnly`] finds that it was.
    pub fn drop_keyspace(&self, name: &str) -> Result<()> {
        self.inner().drop_keyspace(name)
    }

    /// Does all writes of `batch`, or none of them: for readers, and after a crash.
    ///
    /// # Errors
    /// As [`Keyspace::put`]; [`Error::ConditionFailed`] when something that the batch requires is not so.
    pub fn write(&self, batch: WriteBatch) -> Result<()> {
        self.write_with(batch, WriteOptions::default())
    }

    /// As [`Db::write`], with a durability of its own.
    ///
    /// ```
    /// # use siltstone::{Db, Durability, WriteBatch};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// let mut batch = WriteBatch::new();
    /// batch.put("a", "1");
    /// db.write_with(batch, Durability::Os)?; // acknowledged before it is synced
    /// db.sync()?; // now it is
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Keyspace::put`].
    pub fn write_with(&self, batch: WriteBatch, options: impl Into<WriteOptions>) -> Result<()> {
        self.commit(&batch, options)?.wait()
    }

    /// The first half of a write: `batch` has its place in the order and is visible when this returns; the [`Commit`]
    /// waits, or is awaited, until it is durable.
    ///
    /// # Errors
    /// As [`Keyspace::put`], but for what the sync may give.
    pub fn commit(&self, batch: &WriteBatch, options: impl Into<WriteOptions>) -> Result<Commit> {
        self.inner().check_keyspaces(batch)?;
        let guard = &mut Conditions::new(batch.conditions());
        let position = self.inner().write_if(&self.inner().payload(batch)?, batch.len() as u32, guard)?;
        Commit::new(self, position, self.durability(options.into()))
    }

    /// As [`Db::commit`] for callers that must not block: it never waits for room. Wait for that with [`Db::poll_room`]
    /// first; what was let in so is taken even when the write buffer is full by then.
    ///
    /// # Errors
    /// As [`Db::commit`].
    pub fn commit_now(&self, batch: &WriteBatch, options: impl Into<WriteOptions>) -> Result<Commit> {
        self.inner().check_keyspaces(batch)?;
        let guard = &mut Conditions::new(batch.conditions());
        let position = self.inner().write_now(&self.inner().payload(batch)?, batch.len() as u32, guard)?;
        Commit::new(self, position, self.durability(options.into()))
    }

    /// Ready when a write of about `bytes` need not wait; otherwise the waker is called when that may have changed.
    ///
    /// # Errors
    /// [`Error::Stalled`] when there has been no room for longer than the deadline, [`Error::ReadOnly`],
    /// [`Error::Closed`].
    pub fn poll_room(&self, bytes: usize, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.inner().poll_room(bytes, context)
    }

    /// Makes everything acknowledged so far durable, whatever durability it was written with.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] when the sync failed, [`Error::Closed`].
    pub fn sync(&self) -> Result<()> {
        self.inner().check_writable()?;
        self.inner().sync_all()
    }

    /// Writes what is in the write buffers to tables, and returns when they are durable.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Io`], [`Error::ReadOnly`], [`Error::Closed`].
    pub fn flush(&self) -> Result<()> {
        self.inner().flush_all()
    }

    /// The state in numbers: levels, memory, background work, slow-downs.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner().stats(self.recovery())
    }

    /// Reads every byte of every table and checks it: checksums, order, filters, and what the manifest says of each; compares
    /// the manifest with what is in force; and reads the log as far as it is durable. The database goes on working meanwhile.
    ///
    /// Damage is in the report, not an error; tables are read in parallel. [`Options::verify`] checks a database that does not
    /// open.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn verify(&self) -> Result<VerifyReport> {
        verify::verify(self.inner())
    }

    /// Flushes, ends background work and closes, for every handle. When it returns the folder can be opened again, and the
    /// next open has no log to read.
    ///
    /// Calls that are under way finish first; later ones return [`Error::Closed`]. Iterators that exist may be read to their
    /// end, also when the folder has been opened again.
    ///
    /// # Errors
    /// What the last flush gives. The database is closed all the same; what was acknowledged is in the log.
    pub fn close(&self) -> Result<()> {
        let handle = self.root.handle();
        handle.close(Arc::strong_count(handle))
    }

    fn inner(&self) -> &Arc<Inner> {
        self.root.inner()
    }

    fn durability(&self, options: WriteOptions) -> Durability {
        options.durability.unwrap_or(self.inner().options.durability)
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Db").field(&self.inner().dir.path()).finish()
    }
}

// Users rely on it: handles and iterators can be sent anywhere.
const _: () = {
    const fn shared<T: Send + Sync + 'static>() {}
    const fn sent<T: Send + 'static>() {}
    shared::<Db>();
    shared::<Keyspace>();
    shared::<Snapshot>();
    shared::<Error>();
    shared::<Transaction>();
    sent::<Range>();
    sent::<TransactionRange>();
    sent::<TransactionCommit>();
    sent::<RangeKeys>();
    sent::<Commit>();
    sent::<GetAsync>();
    sent::<PageAsync>();
    sent::<WriteAsync>();
    sent::<SyncAsync>();
    sent::<FlushAsync>();
};
