//! A set of writes that happen together.
//!
//! The bytes of a batch are the payload of its log record, so a put is encoded once.
//!
//! ```text
//! batch = entry*                     (how many there are stands in the record's header)
//! entry = kind            1 byte     `key::Kind`
//!         key             varint length, engine key
//!         value           varint length, bytes; absent for Delete; that of PutExpiring begins with its expiry; that of
//!                         DeleteRange is the first engine key behind the range, which begins at the key and has one
//! ```
//!
//! While a batch is filled, an expiry may stand in it as a time to live; [`WriteBatch::payload`] makes a point in time of it
//! when the batch is written.
//!
//! (B1) Entries take consecutive sequence numbers in the order they were added; of two for one key the later wins.

mod change;
mod condition;
mod keyspace_ref;
pub use change::Change;
pub use condition::Condition;
pub use keyspace_ref::KeyspaceRef;

use super::coding::{Reader, varint_len};
use super::key::{
    EXPIRY_LEN, KeyspaceId, Kind, MAX_KEY_LEN, MAX_VALUE_LEN, expiry, is_stored_range, stored_bounds,
};
use crate::{Error, Result};
use std::borrow::Cow;
use std::ops::RangeBounds;
use std::time::{Duration, SystemTime};

/// The most bytes a batch may have: 2 GiB less room for a header.
pub const MAX_BATCH_BYTES: usize = (2 << 30) - (64 << 10);

/// Writes that become visible, and durable, all or none.
///
/// ```
/// # use siltstone::WriteBatch;
/// let mut batch = WriteBatch::new();
/// batch.put("apple", "red");
/// batch.delete("pear");
/// assert_eq!(batch.len(), 2);
/// ```
///
/// Limits (65,535 bytes a key, 1 GiB a value, 2 GiB a batch) are checked when the batch is written, so that adding
/// cannot fail.
#[derive(Debug, Clone, Default)]
pub struct WriteBatch {
    bytes: Vec<u8>,
    count: u32,
    /// The first thing that is over a limit.
    over: Option<String>,
    /// The keyspaces it names, but for the one without a name.
    keyspaces: Vec<KeyspaceRef>,
    /// Where in its bytes there is a time to live in place of an expiry.
    relative: Vec<usize>,
    /// Some of it expires.
    expires: bool,
    conditions: Vec<Condition>,
    conditions_bytes: usize,
    /// Some of it deletes a range.
    ranges: bool,
}

/// The writes of a batch to one keyspace: see [`WriteBatch::within`].
#[derive(Debug)]
pub struct Within<'a> {
    batch: &'a mut WriteBatch,
    keyspace: KeyspaceRef,
}

impl Within<'_> {
    /// Sets `key` to `value`; it expires as the keyspace has it.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.batch.add_put(self.keyspace.id, key.as_ref(), value.as_ref(), self.keyspace.ttl);
    }

    /// Sets `key` to `value` until `ttl` has passed since the batch was written.
    pub fn put_with_ttl(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, ttl: Duration) {
        self.batch.add_put(self.keyspace.id, key.as_ref(), value.as_ref(), Some(ttl));
    }

    /// Sets `key` to `value` until `expiry`.
    pub fn put_until(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, expiry: SystemTime) {
        self.batch.add_expiring(self.keyspace.id, key.as_ref(), value.as_ref(), unix_ms(expiry));
    }

    /// Removes `key`; no error when it is not there.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) {
        self.batch.add(self.keyspace.id, Kind::Delete, key.as_ref(), &[]);
    }

    /// Removes all keys in `range`; those that the batch puts after this stay.
    pub fn delete_range<K: AsRef<[u8]>>(&mut self, range: impl RangeBounds<K>) {
        self.batch.add_user_range(self.keyspace.id, &range);
    }
}

impl WriteBatch {
    /// An empty batch. Allocates nothing.
    #[must_use]
    pub fn new() -> WriteBatch {
        WriteBatch::default()
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.add(KeyspaceId::DEFAULT, Kind::Put, key.as_ref(), value.as_ref());
    }

    /// Sets `key` to `value` until `ttl` has passed since the batch was written.
    pub fn put_with_ttl(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, ttl: Duration) {
        self.within(KeyspaceRef::ROOT).put_with_ttl(key, value, ttl);
    }

    /// Sets `key` to `value` until `expiry`.
    pub fn put_until(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, expiry: SystemTime) {
        self.within(KeyspaceRef::ROOT).put_until(key, value, expiry);
    }

    /// Removes `key`; no error when it is not there.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) {
        self.add(KeyspaceId::DEFAULT, Kind::Delete, key.as_ref(), &[]);
    }

    /// Removes all keys in `range`, any bounds; those that the batch puts after this stay. A range that ends before it begins
    /// adds nothing.
    ///
    /// ```
    /// # use siltstone::{Db, WriteBatch};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// db.put("page:1", "old")?;
    /// let mut batch = WriteBatch::new();
    /// batch.delete_range("page:".."page;");
    /// batch.put("page:2", "new");
    /// db.write(batch)?; // nobody sees it without pages
    /// assert_eq!(db.prefix("page:").count(), 1);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    pub fn delete_range<K: AsRef<[u8]>>(&mut self, range: impl RangeBounds<K>) {
        self.add_user_range(KeyspaceId::DEFAULT, &range);
    }

    /// The same batch, for writes to a keyspace with a name.
    ///
    /// ```
    /// # use siltstone::{Db, WriteBatch};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// let (users, mails) = (db.keyspace("users")?, db.keyspace("mails")?);
    /// let mut batch = WriteBatch::new();
    /// batch.within(&users).put("7", "Ada");
    /// batch.within(&mails).put("ada@example.org", "7");
    /// db.write(batch)?;
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    pub fn within(&mut self, keyspace: impl Into<KeyspaceRef>) -> Within<'_> {
        let keyspace = keyspace.into();
        if keyspace.id != KeyspaceId::DEFAULT && !self.keyspaces.contains(&keyspace) {
            self.keyspaces.push(keyspace);
        }
        Within { batch: self, keyspace }
    }

    /// How many writes it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// True when it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Its size in the log, in bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Removes all writes and conditions, keeping the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
        self.over = None;
        self.keyspaces.clear();
        self.relative.clear();
        self.expires = false;
        self.conditions.clear();
        self.conditions_bytes = 0;
        self.ranges = false;
    }

    /// The keyspaces it names, but for the one without a name.
    ///
    /// For engines behind [`StorageEngine`](crate::store::StorageEngine) that have keyspaces, which refuse a batch that names
    /// one of another engine.
    #[must_use]
    pub fn keyspaces(&self) -> &[KeyspaceRef] {
        &self.keyspaces
    }

    /// The writes in the order they were added: user keys without their keyspace, and no value for a delete.
    ///
    /// For engines behind [`StorageEngine`](crate::store::StorageEngine), which call [`WriteBatch::check`] first: what
    /// was over a limit is not among the writes, nor is the deletion of a range. Those with keyspaces, expiry or deletions of
    /// ranges take [`WriteBatch::changes`] instead.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        entries(&self.bytes).filter_map(|entry| {
            let entry = entry.ok().filter(|entry| entry.kind != Kind::DeleteRange)?;
            let (_, user_key) = KeyspaceId::split(entry.key)?;
            let skip = if entry.kind == Kind::PutExpiring { EXPIRY_LEN } else { 0 };
            Some((user_key, (entry.kind != Kind::Delete).then(|| entry.value.get(skip..)).flatten()))
        })
    }

    /// Whether an engine behind [`StorageEngine`](crate::store::StorageEngine) can take it: all keys and values, and the batch as
    /// a whole, keep to the limits, and it needs neither keyspaces nor expiry nor deletions of ranges. An engine that has some of
    /// these asks for [`WriteBatch::check_limits`], and refuses by itself what it does not have.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the length and the limit.
    pub fn check(&self) -> Result<()> {
        if !self.keyspaces.is_empty() {
            return Err(Error::invalid("the batch names a keyspace, and this engine has none"));
        }
        if self.expires {
            return Err(Error::invalid("something of the batch expires, and this engine has no expiry"));
        }
        if self.ranges {
            return Err(Error::invalid(
                "the batch deletes a range, and this engine deletes single keys only",
            ));
        }
        self.check_limits()
    }

    /// Adds the deletion of a range of user keys, unless no key can lie in it.
    pub(crate) fn add_user_range<K: AsRef<[u8]>>(
        &mut self,
        keyspace: KeyspaceId,
        range: &impl RangeBounds<K>,
    ) {
        let Some((start, end)) = stored_bounds(keyspace, range) else { return };
        self.add_range(keyspace, start.get(keyspace.prefix_len()..).unwrap_or_default(), &end);
    }

    /// Adds the deletion of everything from a user key up to an engine key.
    pub(crate) fn add_range(&mut self, keyspace: KeyspaceId, user_key: &[u8], end: &[u8]) {
        self.add_parts(keyspace, Kind::DeleteRange, user_key, [&[], end]);
        self.ranges = true;
    }

    /// Adds a put that expires after `ttl`, if there is one.
    pub(crate) fn add_put(&mut self, keyspace: KeyspaceId, key: &[u8], value: &[u8], ttl: Option<Duration>) {
        let Some(ttl) = ttl else { return self.add(keyspace, Kind::Put, key, value) };
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        if self.add_expiring(keyspace, key, value, ttl) {
            self.relative.push(self.bytes.len() - value.len() - EXPIRY_LEN);
        }
    }

    /// Adds a put whose expiry field holds `time`; false when something was over a limit.
    fn add_expiring(&mut self, keyspace: KeyspaceId, key: &[u8], value: &[u8], time: u64) -> bool {
        self.add_parts(keyspace, Kind::PutExpiring, key, [&time.to_le_bytes(), value]);
        self.expires = true;
        self.over.is_none()
    }

    pub(crate) fn add(&mut self, keyspace: KeyspaceId, kind: Kind, key: &[u8], value: &[u8]) {
        self.add_parts(keyspace, kind, key, [&[], value]);
    }

    /// Adds an entry whose value is the two parts behind one another.
    #[inline]
    fn add_parts(&mut self, keyspace: KeyspaceId, kind: Kind, key: &[u8], [before, value]: [&[u8]; 2]) {
        if self.over.is_some() {
            return;
        }
        if let Err(over) = check_limits(kind, key, value, self.bytes.len()) {
            self.over = Some(over);
            return;
        }
        let key_len = keyspace.prefix_len() + key.len();
        let value_len = before.len() + value.len();
        self.bytes.reserve(1 + varint_len(key_len as u64) + key_len + 5 + value_len);
        self.bytes.push(kind as u8);
        super::coding::put_varint(&mut self.bytes, key_len as u64);
        keyspace.put_prefix(&mut self.bytes);
        self.bytes.extend_from_slice(key);
        if kind != Kind::Delete {
            super::coding::put_varint(&mut self.bytes, value_len as u64);
            self.bytes.extend_from_slice(before);
            self.bytes.extend_from_slice(value);
        }
        self.count += 1;
    }

    /// Whether something of it expires.
    pub(crate) fn expires(&self) -> bool {
        self.expires
    }

    /// The payload of its log record, if it keeps to the limits; `now`, in milliseconds since 1970, is when times to live
    /// begin, and is only asked for if there are any.
    pub(crate) fn payload(&self, now: impl FnOnce() -> u64) -> Result<Cow<'_, [u8]>> {
        self.check_limits()?;
        if self.relative.is_empty() {
            return Ok(Cow::Borrowed(&self.bytes));
        }
        let (mut bytes, now) = (self.bytes.clone(), now());
        for at in &self.relative {
            if let Some(field) = bytes.get_mut(*at..).and_then(|rest| rest.first_chunk_mut::<EXPIRY_LEN>()) {
                *field = now.saturating_add(u64::from_le_bytes(*field)).to_le_bytes();
            }
        }
        Ok(Cow::Owned(bytes))
    }

    /// Whether all keys and values, and the batch as a whole, keep to the limits. See [`WriteBatch::check`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the length and the limit.
    pub fn check_limits(&self) -> Result<()> {
        match &self.over {
            Some(over) => Err(Error::invalid(over.clone())),
            None => Ok(()),
        }
    }
}

fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn check_limits(kind: Kind, key: &[u8], value: &[u8], batch: usize) -> Result<(), String> {
    if key.len() > MAX_KEY_LEN && kind != Kind::DeleteRange {
        return Err(format!("the key has {} bytes, at most {MAX_KEY_LEN} are possible", key.len()));
    }
    if value.len() > MAX_VALUE_LEN {
        return Err(format!("the value has {} bytes, at most {MAX_VALUE_LEN} are possible", value.len()));
    }
    let total = batch + key.len() + value.len() + 16;
    if total > MAX_BATCH_BYTES {
        return Err(format!(
            "the batch has {total} bytes, at most {MAX_BATCH_BYTES} are possible: write it in parts"
        ));
    }
    Ok(())
}

/// One write of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it does.
    pub kind: Kind,
    /// The engine key it does it to.
    pub key: &'a [u8],
    /// The value; empty for `Delete`.
    pub value: &'a [u8],
}

/// The entries of a batch's bytes, checked one by one. `Err` carries the offset of what could not be read and why.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, (usize, String)>> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || {
        if reader.is_empty() {
            return None;
        }
        let at = reader.position();
        let entry = read_entry(&mut reader).map_err(|why| (at, why));
        if entry.is_err() {
            reader = Reader::new(&[]);
        }
        Some(entry)
    })
}

fn read_entry<'a>(r: &mut Reader<'a>) -> Result<Entry<'a>, String> {
    let number = r.u8().ok_or("no kind")?;
    let kind = Kind::from_u8(number).ok_or_else(|| format!("entry kind {number} is unknown"))?;
    let key = r.bytes().ok_or("the key is cut off")?;
    let (_, user_key) = KeyspaceId::split(key).ok_or("the key has no keyspace")?;
    if user_key.len() > MAX_KEY_LEN && kind != Kind::DeleteRange {
        return Err(format!("the key has {} bytes, at most {MAX_KEY_LEN} expected", user_key.len()));
    }
    let value = if kind == Kind::Delete { &[] } else { r.bytes().ok_or("the value is cut off")? };
    if kind == Kind::PutExpiring && expiry(value).is_none() {
        return Err(format!("an expiring value of {} bytes has no expiry", value.len()));
    }
    if kind == Kind::DeleteRange && !is_stored_range(key, value) {
        return Err("a range of keys does not begin and end in one keyspace".into());
    }
    Ok(Entry { kind, key, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let mut batch = WriteBatch::new();
        batch.put("k", "vv");
        batch.delete("d");
        assert_eq!(*batch.payload(|| 0).unwrap(), *b"\x01\x02\0k\x02vv\x00\x02\0d");
        let payload = batch.payload(|| 0).unwrap();
        let read: Vec<_> = entries(&payload).map(Result::unwrap).collect();
        assert_eq!(read[0], Entry { kind: Kind::Put, key: b"\0k", value: b"vv" });
        assert_eq!(read[1], Entry { kind: Kind::Delete, key: b"\0d", value: b"" });
    }

    #[test]
    fn times_to_live_begin_when_the_batch_is_written() {
        let mut batch = WriteBatch::new();
        batch.put_with_ttl("k", "vv", Duration::from_millis(0x10));
        batch.put("j", "");
        batch.put_until("m", "w", SystemTime::UNIX_EPOCH + Duration::from_millis(0x20));
        batch.put_with_ttl("n", "", Duration::MAX);
        for now in [0, 0x300] {
            let low = [0x10, (now >> 8) as u8];
            let expected = [
                &b"\x05\x02\0k\x0a"[..],
                &low,
                b"\0\0\0\0\0\0vv\x01\x02\0j\x00",
                b"\x05\x02\0m\x09\x20\0\0\0\0\0\0\0w\x05\x02\0n\x08",
                &[0xff; 8],
            ];
            assert_eq!(*batch.payload(|| now).unwrap(), expected.concat());
        }
        let read: Vec<_> = batch.iter().collect();
        assert_eq!(read[0], (&b"k"[..], Some(&b"vv"[..])));
        assert!(batch.check().is_err(), "an engine without expiry must not take it");
        let cut = b"\x05\x02\0k\x07\0\0\0\0\0\0\0";
        assert!(entries(cut).next().unwrap().unwrap_err().1.contains("no expiry"));
    }

    #[test]
    fn ranges_have_a_beginning_and_an_end() {
        let mut batch = WriteBatch::new();
        batch.delete_range("a".."c");
        batch.delete_range("c".."a");
        batch.delete_range::<&[u8]>(..);
        batch.within(KeyspaceRef { id: KeyspaceId(7), ..KeyspaceRef::ROOT }).delete_range("b"..="b");
        let bytes = b"\x04\x02\0a\x02\0c\x04\x01\0\x01\x01\x04\x02\x07b\x03\x07b\0";
        assert_eq!((batch.len(), &*batch.payload(|| 0).unwrap()), (3, &bytes[..]));
        assert_eq!((entries(bytes).count(), batch.iter().count()), (3, 0));
        assert!(batch.check().is_err(), "an engine without ranges must not take it");
        for bad in [&b"\x04\x02\0a\x02\0a"[..], b"\x04\x02\0a\x02\x02a", b"\x04\x02\0a\x00"] {
            assert!(entries(bad).next().unwrap().unwrap_err().1.contains("one keyspace"), "{bad:?}");
        }
    }

    #[test]
    fn iter_gives_user_keys_in_order() {
        let mut batch = WriteBatch::new();
        batch.put("k", "v");
        batch.put("e", "");
        batch.delete("k");
        let read: Vec<_> = batch.iter().collect();
        assert_eq!(read, [(&b"k"[..], Some(&b"v"[..])), (b"e", Some(b"")), (b"k", None)]);
    }

    #[test]
    fn limits_are_errors_with_numbers() {
        let mut batch = WriteBatch::new();
        batch.put(vec![0; MAX_KEY_LEN + 1], "");
        batch.put("fine", "but too late");
        assert!(batch.payload(|| 0).unwrap_err().to_string().contains("65536"));
        batch.clear();
        batch.put(vec![0; MAX_KEY_LEN], "");
        assert!(batch.payload(|| 0).is_ok());
    }

    #[test]
    fn a_batch_is_limited_as_a_whole() {
        let full = MAX_BATCH_BYTES - 100;
        assert_eq!(check_limits(Kind::Put, &[0; 40], &[0; 40], full), Ok(()));
        let over = check_limits(Kind::Put, &[0; 40], &[0; 60], full).unwrap_err();
        assert!(over.contains(&MAX_BATCH_BYTES.to_string()) && over.contains("write it in parts"), "{over}");
    }

    #[test]
    fn any_cut_is_noticed_or_ends_between_entries() {
        let mut batch = WriteBatch::new();
        batch.put("key", "value");
        batch.delete("other");
        let bytes = batch.payload(|| 0).unwrap();
        for cut in 0..bytes.len() {
            let read: Vec<_> = entries(&bytes[..cut]).collect();
            assert!(read.iter().any(Result::is_err) || read.len() < 2, "cut at {cut}");
        }
    }
}
