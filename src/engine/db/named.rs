//! Reading by the name of a keyspace instead of a handle of it.
//!
//! What stands on a seam passes names around, which are a number each and keep nothing open. So whoever has a [`KeyspaceRef`]
//! reads with it at once: at the cost of a read by a handle, without one being made.

use super::Db;
use super::inner::Inner;
use super::keyspace::system_time;
use super::range::Range;
use super::snapshot::Snapshot;
use crate::engine::batch::KeyspaceRef;
use crate::engine::key::{KeyspaceId, range_bounds};
use crate::engine::read::Found;
use crate::engine::slice::Slice;
use crate::{Error, Result};
use std::ops::RangeBounds;
use std::time::{Duration, SystemTime};

impl Db {
    /// The value of a key of `keyspace`, with the time at which it expires, if it does:
    /// [`Keyspace::get_with_expiry`](crate::Keyspace::get_with_expiry) for whoever has the name of the keyspace and no handle.
    ///
    /// ```
    /// # use siltstone::{Db, KeyspaceRef};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// let orders = db.keyspace("orders")?;
    /// orders.put("1", "two apples")?;
    /// let name = KeyspaceRef::from(&orders); // copied as a number is
    /// let (value, expiry) = db.get_within(name, "1")?.unwrap();
    /// assert_eq!((&value[..], expiry), (&b"two apples"[..], None));
    /// assert_eq!(db.get_within(KeyspaceRef::ROOT, "1")?, None);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a keyspace of another database; as [`Keyspace::get`](crate::Keyspace::get).
    #[inline]
    pub fn get_within(
        &self,
        keyspace: impl Into<KeyspaceRef>,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<(Slice, Option<SystemTime>)>> {
        let inner = self.inner();
        let found = inner.get_at(inner.id_of(keyspace.into())?, key.as_ref(), None)?;
        Ok(found.map(with_expiry))
    }

    /// As [`Db::get_within`], unless a table or a block has to be read for it: then `None`.
    ///
    /// What [`Keyspace::get_async`](crate::Keyspace::get_async) does at its first poll, for those who have threads of their own
    /// for the rest.
    ///
    /// ```
    /// # use siltstone::{Db, KeyspaceRef};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// db.put("k", "v")?;
    /// let known = db.get_within_cached(KeyspaceRef::ROOT, "k")?.unwrap(); // from the write buffer
    /// assert_eq!(known.unwrap().0, b"v");
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Db::get_within`].
    #[allow(clippy::type_complexity, reason = "an answer or none, and in it a value or none")]
    pub fn get_within_cached(
        &self,
        keyspace: impl Into<KeyspaceRef>,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<Option<(Slice, Option<SystemTime>)>>> {
        let inner = self.inner();
        let known = inner.get_in_memory(inner.id_of(keyspace.into())?, key.as_ref(), None)?;
        Ok(known.map(|found| found.map(with_expiry)))
    }

    /// The time by which it is judged what has expired: the highest that the clock has shown, to the millisecond. It does not go
    /// back while the database is open.
    ///
    /// ```
    /// # use siltstone::{Db, WriteBatch};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// let mut batch = WriteBatch::new();
    /// batch.put_until("k", "v", db.now()); // has expired already
    /// db.write(batch)?;
    /// assert_eq!(db.get("k")?, None);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    #[must_use]
    pub fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.inner().now())
    }
}

impl Snapshot {
    /// As [`Db::get_within`], at the moment of the snapshot: [`Snapshot::within`] and a get, without a snapshot in between.
    ///
    /// # Errors
    /// As [`Db::get_within`].
    pub fn get_within(
        &self,
        keyspace: impl Into<KeyspaceRef>,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<(Slice, Option<SystemTime>)>> {
        let inner = self.place().0.inner();
        let found = inner.get_at(inner.id_of(keyspace.into())?, key.as_ref(), Some(self.moment()))?;
        Ok(found.map(with_expiry))
    }

    /// As [`Keyspace::range`](crate::Keyspace::range) of `keyspace`, at the moment of the snapshot.
    ///
    /// ```
    /// # use siltstone::{Db, KeyspaceRef};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// let orders = db.keyspace("orders")?;
    /// orders.put("1", "two apples")?;
    /// let snapshot = db.snapshot();
    /// orders.put("2", "a pear")?;
    /// assert_eq!(snapshot.range_within::<&str>(&orders, ..)?.count(), 1);
    /// assert_eq!(snapshot.range_within::<&str>(KeyspaceRef::ROOT, ..)?.count(), 0);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a keyspace of another database, [`Error::KeyspaceDropped`], [`Error::Closed`].
    pub fn range_within<K: AsRef<[u8]>>(
        &self,
        keyspace: impl Into<KeyspaceRef>,
        range: impl RangeBounds<K>,
    ) -> Result<Range> {
        let id = self.place().0.inner().id_of(keyspace.into())?;
        Ok(Range::new(Ok(self.view_of(id)?), id, range_bounds(id, &range)))
    }
}

impl Inner {
    /// Which keyspace of this database has the name. Whether it is still there, reading it tells.
    #[inline]
    pub fn id_of(&self, keyspace: KeyspaceRef) -> Result<KeyspaceId> {
        if keyspace.opening == self.opening || keyspace == KeyspaceRef::ROOT {
            return Ok(keyspace.id);
        }
        Err(Error::invalid(
            "the keyspace belongs to another database, or to an earlier opening of this one: ask this one for the keyspace",
        ))
    }
}

pub(super) fn with_expiry(found: Found) -> (Slice, Option<SystemTime>) {
    (found.value, system_time(found.expiry))
}
