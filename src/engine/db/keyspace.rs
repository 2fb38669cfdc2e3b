//! One ordered map: what a user puts, gets and walks. A database has one without a name, and any number with names.
//!
//! All keyspaces lie in one tree: the id of a keyspace is the beginning of each of its engine keys (decision 0002). So they
//! share log, write buffers, cache and compaction, a batch over several is atomic, and each costs no more than its name.

use super::Db;
use super::close::Handle;
use super::inner::Inner;
use super::keyspaces::check_kept_in;
use super::range::{Range, View};
use super::snapshot::Snapshot;
use super::snapshot_list::Moment;
use super::traits::{KeyspaceOptions, Traits};
use crate::engine::batch::{KeyspaceRef, Within, WriteBatch};
use crate::engine::key::{self, KeyspaceId, Kind, MAX_KEY_LEN, prefix_bounds, range_bounds};
use crate::engine::options::Durability;
use crate::engine::read::{Found, NEVER, SuperVersion};
use crate::engine::slice::Slice;
use crate::planted::{Bug, planted};
use crate::sync::atomic::Ordering;
use crate::{Error, Result};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// An ordered map from byte strings to byte strings.
///
/// A [`Db`] is one, without a name; [`Db::keyspace`] gives others, each with keys of its own. A `Keyspace` is a handle: cloning
/// it is cheap, and it keeps the database open.
///
/// Keys are ordered bytewise. A key may have up to 65,535 bytes, a value up to 1 GiB; both may be empty.
///
/// ```
/// # use siltstone::{Db, WriteBatch};
/// # let folder = tempfile::tempdir().unwrap();
/// let db = Db::open(folder.path().join("db"))?;
/// let orders = db.keyspace("orders")?; // made if it is not there
/// orders.put("1", "two apples")?;
/// assert_eq!(db.get("1")?, None);
///
/// let mut batch = WriteBatch::new(); // atomic across keyspaces
/// batch.put("last order", "2");
/// batch.within(&orders).put("2", "a pear");
/// db.write(batch)?;
/// assert_eq!(orders.iter().count(), 2);
/// # Ok::<(), siltstone::Error>(())
/// ```
#[derive(Clone)]
pub struct Keyspace {
    handle: Arc<Handle>,
    id: KeyspaceId,
    traits: Arc<Traits>,
}

crate::sync::thread_local! {
    /// The batch that single writes are encoded in, so that they need not allocate one.
    static SINGLE: RefCell<WriteBatch> = RefCell::new(WriteBatch::new());
}

/// Above this many bytes the thread's batch is given back after a write.
const KEEP_SINGLE: usize = 64 << 10;

impl Keyspace {
    /// Sets `key` to `value`. When it returns, the write is as durable as the database was opened for.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] over a limit, [`crate::Error::Stalled`] when there was no room before the deadline,
    /// [`crate::Error::DiskFull`], [`crate::Error::ReadOnly`], [`crate::Error::Closed`], [`crate::Error::Io`].
    pub fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        self.single(|batch| batch.add_put(self.id, key.as_ref(), value.as_ref(), self.traits.ttl()))
    }

    /// Sets `key` to `value` until `ttl` has passed: from then on it is as if the key had been deleted.
    ///
    /// Exact to the millisecond, on a clock that does not go back while the database is open. A snapshot goes by the time it
    /// was taken at, so what it saw once it sees for ever. The space comes back within [`Options::expiry_lag`](crate::Options::expiry_lag) or so.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # use std::time::Duration;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// db.put_with_ttl("session", "Ada", Duration::from_secs(1800))?;
    /// let (value, expiry) = db.get_with_expiry("session")?.unwrap();
    /// assert_eq!(value, b"Ada");
    /// assert!(expiry.unwrap() > std::time::SystemTime::now());
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Keyspace::put`].
    pub fn put_with_ttl(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, ttl: Duration) -> Result<()> {
        self.single(|batch| batch.add_put(self.id, key.as_ref(), value.as_ref(), Some(ttl)))
    }

    /// Removes `key`; no error when it is not there.
    ///
    /// # Errors
    /// As [`Keyspace::put`].
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<()> {
        self.single(|batch| batch.add(self.id, Kind::Delete, key.as_ref(), &[]))
    }

    /// Removes all keys in `range`, any bounds: one write, however many keys there are. A range that ends before it begins
    /// removes nothing.
    ///
    /// Reads pass over what is removed without looking at it, and its space comes back by itself: files that lie wholly in
    /// the range go unread, others are rewritten when there is nothing else to do, all of it once no snapshot sees it any more.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// for day in ["2026-01-30", "2026-01-31", "2026-02-01"] {
    ///     db.put(day, "cold")?;
    /// }
    /// db.delete_range(.."2026-02")?;
    /// assert_eq!(db.iter().count(), 1);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Keyspace::put`].
    pub fn delete_range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Result<()> {
        self.single(|batch| batch.add_user_range(self.id, &range))
    }

    /// Removes all keys: [`Keyspace::delete_range`] over everything.
    ///
    /// # Errors
    /// As [`Keyspace::put`].
    pub fn clear(&self) -> Result<()> {
        self.delete_range::<&[u8]>(..)
    }

    /// Sets `key` to `value` if it has none; whether it did. See [`WriteBatch::require_absent`] for more at once.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// assert!(db.put_if_absent("leader", "me")?);
    /// assert!(!db.put_if_absent("leader", "you")?);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Keyspace::put`].
    pub fn put_if_absent(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<bool> {
        self.put_if(key.as_ref(), value.as_ref(), |batch| batch.require_absent(&key))
    }

    /// Sets `key` from the value `expected` to `value`; whether it did. See [`WriteBatch::require_value`] for more at once.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// db.put("count", "1")?;
    /// assert!(db.compare_and_set("count", "1", "2")?);
    /// assert!(!db.compare_and_set("count", "1", "2")?);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Keyspace::put`].
    pub fn compare_and_set(
        &self,
        key: impl AsRef<[u8]>,
        expected: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<bool> {
        self.put_if(key.as_ref(), value.as_ref(), |batch| batch.require_value(&key, &expected))
    }

    /// The value of `key`, or `None`.
    ///
    /// Takes no lock. A key in a write buffer is found by one probe of a hash table; on disk, by a filter and one block of at
    /// most one table per level.
    ///
    /// # Errors
    /// [`crate::Error::Corruption`] when a block on the way is damaged, [`crate::Error::Io`], [`crate::Error::Closed`].
    #[inline]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Slice>> {
        Ok(self.inner().get_at(self.id, key.as_ref(), None)?.map(|found| found.value))
    }

    /// As [`Keyspace::get`], with the time at which the value expires, if it does.
    ///
    /// # Errors
    /// As [`Keyspace::get`].
    pub fn get_with_expiry(&self, key: impl AsRef<[u8]>) -> Result<Option<(Slice, Option<SystemTime>)>> {
        let found = self.inner().get_at(self.id, key.as_ref(), None)?;
        Ok(found.map(|found| (found.value, system_time(found.expiry))))
    }

    /// All keys in `range` with their values, in order, from either end.
    ///
    /// The iterator sees the keyspace as it is now, owns what it needs, and may outlive this handle's scope. Any bounds do:
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
        Range::new(self.view(), self.id, range_bounds(self.id, &range))
    }

    /// All keys with their values, in order: `range(..)` without having to name a key type.
    #[must_use]
    pub fn iter(&self) -> Range {
        self.prefix([])
    }

    /// All keys that begin with `prefix`, in order, from either end. See [`Keyspace::range`].
    #[must_use]
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Range {
        Range::new(self.view(), self.id, prefix_bounds(self.id, prefix.as_ref()))
    }

    /// A view of this moment that later writes do not change. [`Snapshot::within`] shows the same moment of other keyspaces.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(&self.handle, self.id)
    }

    /// Compacts all keys in `range` into the deepest level, dropping superseded versions and deletions that no snapshot
    /// needs. The write buffers are flushed first. Compaction also happens by itself; this is for when you want its result
    /// now.
    ///
    /// # Errors
    /// As [`Db::flush`], and what reading the tables may give.
    pub fn compact_range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Result<()> {
        self.inner().check_kept(self.id)?;
        let (lower, upper) = range_bounds(self.id, &range);
        self.inner().compact_range(&lower, upper.as_deref())
    }

    /// Its name; empty for the one that [`Db`] itself is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.traits.name
    }

    /// The database that it belongs to.
    #[must_use]
    pub fn db(&self) -> Db {
        Db { root: Keyspace::root(Arc::clone(&self.handle)) }
    }

    /// What its values live for that are written without a time of their own; `None` is for ever.
    #[must_use]
    pub fn ttl(&self) -> Option<Duration> {
        self.traits.ttl()
    }

    /// Changes its options, for all its handles and for good. They concern what is written from now on.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for the keyspace without a name, which has none;
    /// [`Error::KeyspaceDropped`](crate::Error::KeyspaceDropped); what writing gives, as [`Keyspace::put`].
    pub fn set_options(&self, options: KeyspaceOptions) -> Result<()> {
        self.inner().set_options(&self.traits, options)
    }

    pub(super) fn new(handle: Arc<Handle>, traits: Arc<Traits>) -> Keyspace {
        Keyspace { handle, id: traits.id, traits }
    }

    /// The one without a name.
    pub(super) fn root(handle: Arc<Handle>) -> Keyspace {
        Keyspace::new(handle, Traits::new(KeyspaceId::DEFAULT, "", 0))
    }

    pub(super) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    pub(super) fn id(&self) -> KeyspaceId {
        self.id
    }

    #[inline]
    pub(super) fn inner(&self) -> &Arc<Inner> {
        self.handle.inner()
    }

    fn view(&self) -> Result<View> {
        let view = View::now(&self.handle)?;
        check_kept_in(&view.super_version, self.id, self.name())?;
        Ok(view)
    }

    fn put_if(&self, key: &[u8], value: &[u8], require: impl FnOnce(&mut Within<'_>)) -> Result<bool> {
        let mut batch = WriteBatch::new();
        let mut within = batch.within(self);
        require(&mut within);
        within.put(key, value);
        match self.db().write(batch) {
            Ok(()) => Ok(true),
            Err(Error::ConditionFailed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn single(&self, add: impl FnOnce(&mut WriteBatch)) -> Result<()> {
        let inner = self.inner();
        inner.check_kept(self.id)?;
        // Taken, not borrowed: a listener that is called at the end of the write may write as well.
        let mut batch = SINGLE.with(|batch| std::mem::take(&mut *batch.borrow_mut()));
        batch.clear();
        add(&mut batch);
        let position = inner.payload(&batch).and_then(|payload| inner.write(&payload, batch.len() as u32));
        if batch.byte_len() <= KEEP_SINGLE {
            SINGLE.with(|kept| *kept.borrow_mut() = batch);
        }
        let position = position?;
        match inner.options.durability {
            Durability::Sync => inner.sync_to(position),
            Durability::Interval(interval) => inner.sync_within(interval),
            Durability::Os => Ok(()),
        }
    }
}

/// An engine key and its hash.
type Hashed<'a> = (&'a [u8], u64);

impl Inner {
    /// The value of a keyspace's `key` at a snapshot's number, or now.
    #[inline]
    pub fn get_at(&self, id: KeyspaceId, user_key: &[u8], snapshot: Option<Moment>) -> Result<Option<Found>> {
        self.look_up(id, user_key, snapshot, |view, (key, hash), seq, now| view.get(key, hash, seq, now))
    }

    /// As [`Inner::get_at`], unless a table or a block has to be read for it: then `None`.
    pub fn get_in_memory(
        &self,
        id: KeyspaceId,
        user_key: &[u8],
        snapshot: Option<Moment>,
    ) -> Result<Option<Option<Found>>> {
        let get = |view: &SuperVersion, (key, hash): Hashed<'_>, seq, now: &dyn Fn() -> u64| {
            view.get_in_memory(key, hash, seq, now)
        };
        self.look_up(id, user_key, snapshot, get)
    }

    #[inline]
    fn look_up<T>(
        &self,
        id: KeyspaceId,
        user_key: &[u8],
        snapshot: Option<Moment>,
        read: impl FnOnce(&SuperVersion, Hashed<'_>, u64, &dyn Fn() -> u64) -> Result<T>,
    ) -> Result<T> {
        self.check_readable()?;
        let mut short = [0; 64];
        let mut long = Vec::new();
        let key = engine_key(id, user_key, &mut short, &mut long);
        let hash = key::hash(key);
        let early = planted(Bug::NumberBeforeView).then(|| self.visible.0.load(Ordering::Acquire));
        // The order of these two lines is `read` R1.
        let view = self.super_version.load();
        if view.is_dropped(key) {
            check_kept_in(&view, id, "")?;
        }
        match snapshot {
            Some(Moment { seq, now }) => read(&view, (key, hash), seq, &|| now),
            None => {
                let seq = early.unwrap_or_else(|| self.visible.0.load(Ordering::Acquire));
                read(&view, (key, hash), seq, &|| self.now())
            }
        }
    }

    /// The bytes of a batch, with the times from now on at which something of it expires.
    pub fn payload<'a>(&self, batch: &'a WriteBatch) -> Result<Cow<'a, [u8]>> {
        if batch.expires() {
            self.time.begin_use();
        }
        batch.payload(|| self.now())
    }
}

/// A time as users have it; `None` for never.
#[inline]
pub(super) fn system_time(expiry: u64) -> Option<SystemTime> {
    let since = Some(expiry).filter(|expiry| *expiry != NEVER)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(since))
}

/// The engine key of a keyspace's key, on the stack when it fits. No key can be longer than the limit, so of a longer one only
/// the beginning is looked up, which cannot be found.
#[inline]
fn engine_key<'a>(
    id: KeyspaceId,
    user_key: &[u8],
    short: &'a mut [u8; 64],
    long: &'a mut Vec<u8>,
) -> &'a [u8] {
    let len = user_key.len() + 1;
    // Ids below 128 are one byte, which is the common case by far.
    if id.prefix_len() == 1
        && let Some(slot) = short.get_mut(..len)
    {
        if let Some((prefix, rest)) = slot.split_first_mut() {
            *prefix = id.0 as u8;
            rest.copy_from_slice(user_key);
        }
        return slot;
    }
    long.reserve(len + 3);
    put_engine_key(id, user_key, long);
    long
}

/// Appends what [`engine_key`] gives.
#[inline]
pub(super) fn put_engine_key(id: KeyspaceId, user_key: &[u8], out: &mut Vec<u8>) {
    id.put_prefix(out);
    out.extend_from_slice(user_key.get(..=MAX_KEY_LEN).unwrap_or(user_key));
}

impl From<&Keyspace> for KeyspaceRef {
    fn from(keyspace: &Keyspace) -> KeyspaceRef {
        KeyspaceRef { opening: keyspace.inner().opening, id: keyspace.id, ttl: keyspace.ttl() }
    }
}

impl std::fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyspace").field("db", &self.inner().dir.path()).field("name", &self.name()).finish()
    }
}
