//! Reading many keys at one moment.

use super::keyspace::{Keyspace, put_engine_key};
use super::keyspaces::check_kept_in;
use super::named::with_expiry;
use super::range::View;
use super::snapshot::Snapshot;
use super::snapshot_list::Moment;
use crate::Result;
use crate::engine::batch::KeyspaceRef;
use crate::engine::key::KeyspaceId;
use crate::engine::read::{Found, GROUP};
use crate::engine::slice::Slice;
use std::time::SystemTime;

impl Keyspace {
    /// The values of `keys`, in their order, all as of one moment.
    ///
    /// Cheaper than a get for each: the waits for memory of several keys overlap. With keys all over a large database that is
    /// most of the time.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// db.put("a", "1")?;
    /// let values = db.multi_get(["a", "b"])?;
    /// assert_eq!((values[0].as_deref(), values[1].as_deref()), (Some(&b"1"[..]), None));
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Keyspace::get`].
    pub fn multi_get<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<Option<Slice>>> {
        let view = View::now(self.handle())?;
        view.get_many(self.id(), keys, |found| found.value)
    }
}

impl Snapshot {
    /// As [`Keyspace::multi_get`], at the moment of the snapshot.
    ///
    /// # Errors
    /// As [`Keyspace::get`].
    pub fn multi_get<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<Option<Slice>>> {
        let (_, id) = self.place();
        self.view_of(id)?.get_many(id, keys, |found| found.value)
    }

    /// As [`Snapshot::multi_get`] in another keyspace, with the time at which each value expires, if it does:
    /// [`Snapshot::get_within`] for many keys.
    ///
    /// # Errors
    /// As [`Db::get_within`](crate::Db::get_within).
    #[allow(clippy::type_complexity, reason = "for each key a value or none, and of it a time or none")]
    pub fn multi_get_within<K: AsRef<[u8]>>(
        &self,
        keyspace: impl Into<KeyspaceRef>,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<(Slice, Option<SystemTime>)>>> {
        self.find_many_within(keyspace.into(), keys, |found| found)
    }

    /// As [`Snapshot::multi_get_within`], with what `show` makes of each value in its place.
    pub(crate) fn find_many_within<K: AsRef<[u8]>, T>(
        &self,
        keyspace: KeyspaceRef,
        keys: impl IntoIterator<Item = K>,
        mut show: impl FnMut((Slice, Option<SystemTime>)) -> T,
    ) -> Result<Vec<Option<T>>> {
        let (handle, _) = self.place();
        let id = handle.inner().id_of(keyspace)?;
        self.view_of(id)?.get_many(id, keys, |found| show(with_expiry(found)))
    }
}

impl View {
    /// What `show` makes of the value of each key.
    fn get_many<K: AsRef<[u8]>, T>(
        &self,
        id: KeyspaceId,
        keys: impl IntoIterator<Item = K>,
        mut show: impl FnMut(Found) -> T,
    ) -> Result<Vec<Option<T>>> {
        check_kept_in(&self.super_version, id, "")?;
        let mut keys = keys.into_iter();
        let mut values = Vec::with_capacity(keys.size_hint().0);
        let (mut group, mut bytes) = (Vec::with_capacity(GROUP), Vec::new());
        loop {
            // The engine keys of a group, one behind the other.
            bytes.clear();
            let mut ends = [0; GROUP];
            let mut count = 0;
            for (end, key) in ends.iter_mut().zip(keys.by_ref()) {
                put_engine_key(id, key.as_ref(), &mut bytes);
                *end = bytes.len();
                count += 1;
            }
            if count == 0 {
                return Ok(values);
            }
            let mut start = 0;
            let engine_keys =
                ends.map(|end| bytes.get(std::mem::replace(&mut start, end)..end).unwrap_or_default());
            let Moment { seq, now } = self.moment;
            self.super_version.get_group(
                engine_keys.get(..count).unwrap_or_default(),
                seq,
                now,
                &mut group,
            )?;
            values.extend(group.drain(..).map(|found| found.map(&mut show)));
        }
    }
}
