//! The database: the parts joined, and the face that users see.
//!
//! Reading order: this page (what can be done), [`open`], [`commit`] (the way of a write), [`group_sync`] (durability),
//! [`range`] and [`snapshot`] (reading), then what happens behind: [`flush`], [`compact`], [`background`], [`throttle`].
//! The lock order is one list, in [`inner`].

mod background;
mod close;
mod commit;
mod commit_handle;
mod compact;
mod counters;
mod deadline;
mod flush;
mod group_sync;
mod inner;
mod open;
mod range;
mod signal;
mod snapshot;
mod snapshot_list;
mod stats;
mod throttle;
mod verify;
mod warm;

pub use commit_handle::Commit;
pub use open::RecoveryReport;
pub use range::Range;
pub use snapshot::Snapshot;
pub use stats::{LevelStats, Stats};
pub use verify::VerifyReport;

use crate::engine::batch::WriteBatch;
use crate::engine::key::{self, KeyspaceId, Kind, MAX_KEY_LEN};
use crate::engine::options::{Durability, Options};
use crate::engine::slice::Slice;
use crate::{Error, Result};
use close::Handle;
use inner::Inner;
use range::{View, prefix_bounds, range_bounds};
use std::cell::RefCell;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

/// An open database: an ordered map from byte strings to byte strings, in one folder.
///
/// A `Db` is a handle: cloning it is cheap, and all clones, on any thread, are the same database. The last one to go
/// closes it; [`Db::close`] does so at once for all of them and tells whether all went well.
///
/// Keys are ordered bytewise. A key may have up to 65,535 bytes, a value up to 1 GiB; both may be empty.
#[derive(Clone)]
pub struct Db {
    handle: Arc<Handle>,
}

thread_local! {
    /// The batch that single writes are encoded in, so that they need not allocate one.
    static SINGLE: RefCell<WriteBatch> = RefCell::new(WriteBatch::new());
}

/// Above this many bytes the thread's batch is given back after a write.
const KEEP_SINGLE: usize = 64 << 10;

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
        Ok(Db { handle: Arc::new(Handle::start(inner, lock, report)?) })
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
        self.handle.report()
    }

    /// Sets `key` to `value`. When it returns, the write is as durable as the database was opened for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] over a limit, [`Error::Stalled`] when there was no room before the deadline,
    /// [`Error::DiskFull`], [`Error::ReadOnly`], [`Error::Closed`], [`Error::Io`].
    pub fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        self.single(Kind::Put, key.as_ref(), value.as_ref())
    }

    /// Removes `key`; no error when it is not there.
    ///
    /// # Errors
    /// As [`Db::put`].
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<()> {
        self.single(Kind::Delete, key.as_ref(), &[])
    }

    /// Does all writes of `batch`, or none of them: for readers, and after a crash.
    ///
    /// # Errors
    /// As [`Db::put`].
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
    /// As [`Db::put`].
    pub fn write_with(&self, batch: WriteBatch, options: impl Into<WriteOptions>) -> Result<()> {
        self.commit(&batch, options)?.wait()
    }

    /// The first half of a write: `batch` has its place in the order and is visible when this returns; the [`Commit`]
    /// waits, or is awaited, until it is durable.
    ///
    /// # Errors
    /// As [`Db::put`], but for what the sync may give.
    pub fn commit(&self, batch: &WriteBatch, options: impl Into<WriteOptions>) -> Result<Commit> {
        let position = self.inner().write(batch.payload()?, batch.len() as u32)?;
        Commit::new(self, position, self.durability(options.into()))
    }

    /// As [`Db::commit`] for callers that must not block: it never waits for room. Wait for that with [`Db::poll_room`]
    /// first; what was let in so is taken even when the write buffer is full by then.
    ///
    /// # Errors
    /// As [`Db::commit`].
    pub fn commit_now(&self, batch: &WriteBatch, options: impl Into<WriteOptions>) -> Result<Commit> {
        let position = self.inner().write_now(batch.payload()?, batch.len() as u32)?;
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

    /// The value of `key`, or `None`.
    ///
    /// Takes no lock. A key in a write buffer is found by one probe of a hash table; on disk, by a filter and one block of at
    /// most one table per level.
    ///
    /// # Errors
    /// [`Error::Corruption`] when a block on the way is damaged, [`Error::Io`], [`Error::Closed`].
    #[inline]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Slice>> {
        self.inner().get_at(key.as_ref(), None)
    }

    /// The values of `keys`, in their order, all as of one moment.
    ///
    /// # Errors
    /// As [`Db::get`].
    pub fn multi_get<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<Option<Slice>>> {
        let snapshot = self.snapshot();
        keys.into_iter().map(|key| snapshot.get(key)).collect()
    }

    /// All keys in `range` with their values, in order, from either end.
    ///
    /// The iterator sees the database as it is now, owns what it needs, and may outlive this handle's scope. Any bounds do:
    /// `"a".."b"`, `"a"..=b`, `..`; a range that ends before it begins is empty. Making one costs nothing much; the first
    /// step positions every sorted run that overlaps.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// for key in ["a", "b", "c"] {
    ///     db.put(key, key)?;
    /// }
    /// let mut keys = db.range("a".."c").map(|pair| pair.map(|(key, _)| key));
    /// assert_eq!(keys.next_back().unwrap()?, b"b");
    /// assert_eq!(keys.next().unwrap()?, b"a");
    /// assert!(keys.next().is_none());
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    #[must_use]
    pub fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Range {
        Range::new(self.view(), KeyspaceId::DEFAULT, range_bounds(KeyspaceId::DEFAULT, &range))
    }

    /// All keys with their values, in order: `range(..)` without having to name a key type.
    #[must_use]
    pub fn iter(&self) -> Range {
        self.prefix([])
    }

    /// All keys that begin with `prefix`, in order, from either end. See [`Db::range`].
    #[must_use]
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Range {
        let bounds = prefix_bounds(KeyspaceId::DEFAULT, prefix.as_ref());
        Range::new(self.view(), KeyspaceId::DEFAULT, bounds)
    }

    /// A view of this moment that later writes do not change.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self)
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

    /// Compacts all keys in `range` into the deepest level, dropping superseded versions and deletions that no snapshot
    /// needs. The write buffers are flushed first. Compaction also happens by itself; this is for when you want its result
    /// now.
    ///
    /// # Errors
    /// As [`Db::flush`], and what reading the tables may give.
    pub fn compact_range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Result<()> {
        let (lower, upper) = range_bounds(KeyspaceId::DEFAULT, &range);
        self.inner().compact_range(&lower, upper.as_deref())
    }

    /// The state in numbers: levels, memory, background work, slow-downs.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner().stats()
    }

    /// Reads every byte of every table and checks it: checksums, order, filters, and what the manifest says of each.
    ///
    /// Damage is in the report, not an error; tables are read in parallel.
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
    /// end.
    ///
    /// # Errors
    /// What the last flush gives. The database is closed all the same; what was acknowledged is in the log.
    pub fn close(&self) -> Result<()> {
        self.handle.close()
    }

    fn inner(&self) -> &Arc<Inner> {
        self.handle.inner()
    }

    fn durability(&self, options: WriteOptions) -> Durability {
        options.durability.unwrap_or(self.inner().options.durability)
    }

    fn view(&self) -> Result<View> {
        let inner = self.inner();
        inner.check_readable()?;
        // The order of these two lines is `read` R1.
        let super_version = inner.super_version.load_full();
        let seq = inner.visible.0.load(Ordering::Acquire);
        Ok(View { super_version, seq, _hold: self.clone() })
    }

    fn single(&self, kind: Kind, key: &[u8], value: &[u8]) -> Result<()> {
        let position = SINGLE.with_borrow_mut(|batch| {
            batch.clear();
            batch.add(KeyspaceId::DEFAULT, kind, key, value);
            let written = self.inner().write(batch.payload()?, 1);
            if batch.byte_len() > KEEP_SINGLE {
                *batch = WriteBatch::new();
            }
            written
        })?;
        let inner = self.inner();
        match inner.options.durability {
            Durability::Sync => inner.sync_to(position),
            Durability::Interval(interval) => inner.sync_within(interval),
            Durability::Os => Ok(()),
        }
    }
}

impl Inner {
    /// The value of the default keyspace's `key` at a snapshot's number, or now.
    #[inline]
    fn get_at(&self, user_key: &[u8], snapshot: Option<u64>) -> Result<Option<Slice>> {
        self.check_readable()?;
        let mut short = [0; 64];
        let mut long = Vec::new();
        let key = engine_key(user_key, &mut short, &mut long);
        let hash = key::hash(key);
        // The order of these two lines is `read` R1.
        let view = self.super_version.load();
        let seq = snapshot.unwrap_or_else(|| self.visible.0.load(Ordering::Acquire));
        view.get(key, hash, seq)
    }
}

/// The engine key of a key of the default keyspace, on the stack when it fits. No key can be longer than the limit, so of a
/// longer one only the beginning is looked up, which cannot be found.
fn engine_key<'a>(user_key: &[u8], short: &'a mut [u8; 64], long: &'a mut Vec<u8>) -> &'a [u8] {
    let len = user_key.len() + 1;
    if let Some(slot) = short.get_mut(..len) {
        if let Some((prefix, rest)) = slot.split_first_mut() {
            *prefix = KeyspaceId::DEFAULT.0 as u8;
            rest.copy_from_slice(user_key);
        }
        return slot;
    }
    long.reserve(len);
    KeyspaceId::DEFAULT.put_prefix(long);
    long.extend_from_slice(user_key.get(..=MAX_KEY_LEN).unwrap_or(user_key));
    long
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
    shared::<Snapshot>();
    shared::<Error>();
    sent::<Range>();
    sent::<Commit>();
};
