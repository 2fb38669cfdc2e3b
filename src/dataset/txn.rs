//! What a command, or all commands of a transaction, reads and writes.
//!
//! Reads see what was written before in the same transaction, then what the engine has now: the locks that the transaction
//! holds keep it as it is (dataset D1). Writes are gathered, and committed as one batch (D2).

use super::locks::Held;
use super::overlay::{Known, Overlay};
use super::spaces::Space;
use super::{Dataset, Halt, Reach};
use crate::store::{Commit, Entries, Found, HashHead, Scan, Value};
use crate::{Result, Slice, WriteBatch};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Bound;
use std::time::{Duration, SystemTime};

/// Reads and writes that belong together.
pub struct Txn<'a> {
    data: &'a Dataset,
    held: Held<'a>,
    reach: Reach,
    /// The database that keys are of.
    database: u8,
    /// Asked for when it is first needed, and the same from then on.
    now: OnceCell<SystemTime>,
    overlay: Overlay,
    batch: WriteBatch,
    /// The keys that were written to, for those who watch them.
    changed: Vec<(u8, Vec<u8>)>,
    /// The databases that were cleared.
    cleared: Vec<u8>,
    /// How often a key that was looked for was there, and was not.
    pub lookups: Lookups,
}

/// How often a key that was looked for was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lookups {
    /// It was.
    pub hits: u64,
    /// It was not.
    pub misses: u64,
}

/// A value that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value in its stored form.
    pub stored: Slice,
    /// When it expires.
    pub expiry: Option<SystemTime>,
}

impl Entry {
    /// The characters or bytes of a string.
    ///
    /// # Errors
    /// [`Halt::WrongType`]: it is a hash.
    pub fn text(&self) -> Result<Cow<'_, [u8]>, Halt> {
        match Value::decode(&self.stored) {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Json(Cow::Borrowed(text)) => Ok(Cow::Borrowed(text.as_bytes())),
            Value::Json(Cow::Owned(text)) => Ok(Cow::Owned(text.into_bytes())),
            Value::Hash(_) => Err(Halt::WrongType),
        }
    }

    /// What is stored of a hash.
    ///
    /// # Errors
    /// [`Halt::WrongType`]: it is none.
    pub fn hash(&self) -> Result<HashHead, Halt> {
        match Value::decode(&self.stored) {
            Value::Hash(head) => Ok(head),
            Value::Bytes(_) | Value::Json(_) => Err(Halt::WrongType),
        }
    }
}

impl<'a> Txn<'a> {
    /// Begins, in a database, with the locks that what follows needs.
    pub fn begin(data: &'a Dataset, held: Held<'a>, database: u8, reach: Reach) -> Txn<'a> {
        Txn {
            data,
            held,
            reach,
            database,
            now: OnceCell::new(),
            overlay: Overlay::default(),
            batch: WriteBatch::new(),
            changed: Vec::new(),
            cleared: Vec::new(),
            lookups: Lookups::default(),
        }
    }

    /// The time at which all of it happens, to the millisecond.
    pub fn now(&self) -> SystemTime {
        *self.now.get_or_init(|| self.data.engine.now())
    }

    /// What it is done on.
    pub fn data(&self) -> &'a Dataset {
        self.data
    }

    /// The database that keys are of.
    pub fn database(&self) -> u8 {
        self.database
    }

    /// From now on keys are of another database, which has been selected before.
    pub fn enter(&mut self, database: u8) {
        self.database = database;
    }

    /// How far reads go.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub fn find(&mut self, key: &[u8]) -> Result<Option<Entry>, Halt> {
        let found = self.find_in(Space(self.database), key)?;
        Ok(found.map(|found| Entry { stored: found.value, expiry: found.expiry }))
    }

    /// As [`Txn::find`], and it is counted whether the key was there.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub fn look_up(&mut self, key: &[u8]) -> Result<Option<Entry>, Halt> {
        let found = self.find(key)?;
        match found {
            Some(_) => self.lookups.hits += 1,
            None => self.lookups.misses += 1,
        }
        Ok(found)
    }

    /// The value of a key of a space.
    pub(super) fn find_in(&self, space: Space, key: &[u8]) -> Result<Option<Found>, Halt> {
        if let Known::Written(written) = self.overlay.get(space, key) {
            return Ok(written.filter(|found| found.expiry.is_none_or(|expiry| expiry > self.now())));
        }
        self.data.find(space, key, self.reach)
    }

    /// Sets a key. A hash that it was loses its fields; one that is over already removes the key.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub fn put(&mut self, key: &[u8], value: &Value<'_>, expiry: Option<SystemTime>) -> Result<(), Halt> {
        if expiry.is_some_and(|expiry| expiry <= self.now()) {
            return self.delete(key).map(drop);
        }
        self.note_changed(key);
        self.put_in(Space(self.database), key, &value.encode(), expiry)
    }

    /// Removes a key, with all that belongs to it; whether it was there.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub fn delete(&mut self, key: &[u8]) -> Result<bool, Halt> {
        let Some(entry) = self.find(key)? else { return Ok(false) };
        if let Value::Hash(head) = Value::decode(&entry.stored) {
            self.drop_fields(head)?;
        }
        self.note_changed(key);
        self.delete_in(Space(self.database), key)?;
        Ok(true)
    }

    /// Changes when a key expires, or that it does not; whether it is there.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub fn set_expiry(&mut self, key: &[u8], expiry: Option<SystemTime>) -> Result<bool, Halt> {
        let Some(entry) = self.find(key)? else { return Ok(false) };
        if expiry.is_some_and(|expiry| expiry <= self.now()) {
            return self.delete(key);
        }
        self.note_changed(key);
        self.put_in(Space(self.database), key, &entry.stored, expiry)?;
        Ok(true)
    }

    /// Puts what is stored under one key under another one, as it is: a hash is the same hash.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub(super) fn put_stored(&mut self, key: &[u8], entry: &Entry) -> Result<(), Halt> {
        self.note_changed(key);
        self.put_in(Space(self.database), key, &entry.stored, entry.expiry)
    }

    /// Removes a key, but not what belongs to it.
    pub(super) fn forget(&mut self, key: &[u8]) -> Result<(), Halt> {
        self.note_changed(key);
        self.delete_in(Space(self.database), key)
    }

    /// Removes all keys of the database. The locks of all keys have to be held.
    ///
    /// # Errors
    /// [`Halt::Engine`].
    pub fn clear(&mut self) -> Result<(), Halt> {
        let space = Space(self.database);
        if !self.data.spaces.is_made(space.0) {
            return Ok(());
        }
        self.cleared.push(self.database);
        let keyspace = self.data.spaces.get(space)?;
        self.batch.within(keyspace).delete_range::<&[u8]>(..);
        self.overlay.clear(space);
        Ok(())
    }

    /// Removes all keys between two bounds. The locks of all keys have to be held.
    ///
    /// # Errors
    /// [`Halt::Engine`].
    pub fn clear_range(&mut self, bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> Result<(), Halt> {
        let space = Space(self.database);
        if self.data.spaces.is_made(space.0) {
            let (database, scan) = (self.database, Scan::between(bounds.0, bounds.1));
            let mut changed = Vec::new();
            self.held.each_watched(|of, key| {
                if of == database && scan.contains(key) {
                    changed.push((of, key.to_vec()));
                }
            });
            // One that is not there does not change by it.
            for (of, key) in changed {
                if self.find_in(space, &key)?.is_some() {
                    self.changed.push((of, key));
                }
            }
            self.batch.within(self.data.spaces.get(space)?).delete_range::<&[u8]>(bounds);
            self.overlay.clear_range(space, bounds);
        }
        Ok(())
    }

    pub(super) fn put_in(
        &mut self,
        space: Space,
        key: &[u8],
        stored: &[u8],
        expiry: Option<SystemTime>,
    ) -> Result<(), Halt> {
        let mut within = self.batch.within(self.data.spaces.get(space)?);
        match expiry {
            Some(expiry) => within.put_until(key, stored, expiry),
            None => within.put(key, stored),
        }
        self.overlay.set(space, key, Some(Found { value: Slice::copy_of(stored), expiry }));
        Ok(())
    }

    pub(super) fn delete_in(&mut self, space: Space, key: &[u8]) -> Result<(), Halt> {
        self.batch.within(self.data.spaces.get(space)?).delete(key);
        self.overlay.set(space, key, None);
        Ok(())
    }

    /// Removes a range of keys that nothing of this transaction reads any more.
    pub(super) fn delete_range_in(&mut self, space: Space, start: &[u8], end: &[u8]) -> Result<(), Halt> {
        self.batch.within(self.data.spaces.get(space)?).delete_range(start..end);
        Ok(())
    }

    /// The entries of a space as the engine has them, and what was written over them.
    pub(super) fn layers(&self, space: Space, scan: Scan<'_>) -> Result<(Entries, &Overlay), Halt> {
        let made = space.0 >= Space::FIELDS.0 || self.data.spaces.is_made(space.0);
        if !made || self.overlay.is_cleared(space) {
            return Ok((Box::new(std::iter::empty()), &self.overlay));
        }
        let entries = match space {
            Space(number) if number < Space::FIELDS.0 => self.data.range(number, scan)?,
            _ => self.data.engine.view()?.range(self.data.spaces.get(space)?, scan)?,
        };
        Ok((entries, &self.overlay))
    }

    fn note_changed(&mut self, key: &[u8]) {
        if self.held.is_watched() {
            self.changed.push((self.database, key.to_vec()));
        }
    }

    /// Whether there is anything to commit.
    pub fn is_read_only(&self) -> bool {
        self.batch.is_empty()
    }

    /// How many bytes there are to commit.
    pub fn byte_len(&self) -> usize {
        self.batch.byte_len()
    }

    /// Commits what was written; `None` when nothing was. It is visible when this returns.
    ///
    /// # Errors
    /// Nothing was, or will be, written.
    pub fn commit(mut self) -> Result<Option<Commit>> {
        if self.batch.is_empty() {
            return Ok(None);
        }
        let cleared_keys = self.cleared_and_watched()?;
        let commit = self.data.engine.write(std::mem::take(&mut self.batch), None)?;
        for (database, key) in self.changed.iter().chain(&cleared_keys) {
            self.held.mark(*database, key);
        }
        Ok(Some(commit))
    }

    /// The watched keys that are there and will be cleared: one that is not there does not change by it.
    fn cleared_and_watched(&mut self) -> Result<Vec<(u8, Vec<u8>)>> {
        let mut watched = Vec::new();
        if !self.cleared.is_empty() {
            let cleared = &self.cleared;
            self.held.each_watched(|database, key| {
                if cleared.contains(&database) {
                    watched.push((database, key.to_vec()));
                }
            });
        }
        let mut there = Vec::new();
        for (database, key) in watched {
            let keyspace = self.data.spaces.get(Space(database))?;
            if self.data.engine.find(keyspace, &key)?.is_some() {
                there.push((database, key));
            }
        }
        Ok(there)
    }
}

/// The point in time `ms` milliseconds after the beginning of 1970, or that beginning for what lies before it.
pub fn time_from_ms(ms: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Milliseconds since the beginning of 1970.
pub fn ms_of_time(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
