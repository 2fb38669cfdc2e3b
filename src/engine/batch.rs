//! A set of writes that happen together.
//!
//! The bytes of a batch are the payload of its log record, so a put is encoded once.
//!
//! ```text
//! batch = entry*                     (how many there are stands in the record's header)
//! entry = kind            1 byte     `key::Kind`
//!         key             varint length, engine key
//!         value           varint length, bytes; absent for Delete
//! ```
//!
//! (B1) Entries take consecutive sequence numbers in the order they were added; of two for one key the later wins.

use super::coding::{Reader, put_bytes, varint_len};
use super::key::{KeyspaceId, Kind, MAX_KEY_LEN, MAX_VALUE_LEN};
use crate::{Error, Result};

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

    /// Removes `key`; no error when it is not there.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) {
        self.add(KeyspaceId::DEFAULT, Kind::Delete, key.as_ref(), &[]);
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

    /// Removes all writes, keeping the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
        self.over = None;
    }

    /// The writes in the order they were added: user keys without their keyspace, and no value for a delete.
    ///
    /// For engines behind [`StorageEngine`](crate::store::StorageEngine), which call [`WriteBatch::check`] first: what
    /// was over a limit is not among the writes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        entries(&self.bytes).filter_map(|entry| {
            let entry = entry.ok()?;
            let (_, user_key) = KeyspaceId::split(entry.key)?;
            Some((user_key, (entry.kind != Kind::Delete).then_some(entry.value)))
        })
    }

    /// Whether all keys and values, and the batch as a whole, keep to the limits.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the length and the limit.
    pub fn check(&self) -> Result<()> {
        self.payload().map(drop)
    }

    pub(crate) fn add(&mut self, keyspace: KeyspaceId, kind: Kind, key: &[u8], value: &[u8]) {
        if self.over.is_some() {
            return;
        }
        if let Err(over) = check_limits(key, value, self.bytes.len()) {
            self.over = Some(over);
            return;
        }
        let key_len = keyspace.prefix_len() + key.len();
        self.bytes.reserve(1 + varint_len(key_len as u64) + key_len + 5 + value.len());
        self.bytes.push(kind as u8);
        super::coding::put_varint(&mut self.bytes, key_len as u64);
        keyspace.put_prefix(&mut self.bytes);
        self.bytes.extend_from_slice(key);
        if kind != Kind::Delete {
            put_bytes(&mut self.bytes, value);
        }
        self.count += 1;
    }

    /// The payload of its log record, if it keeps to the limits.
    pub(crate) fn payload(&self) -> Result<&[u8]> {
        match &self.over {
            Some(over) => Err(Error::invalid(over.clone())),
            None => Ok(&self.bytes),
        }
    }
}

fn check_limits(key: &[u8], value: &[u8], batch: usize) -> Result<(), String> {
    if key.len() > MAX_KEY_LEN {
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
    if user_key.len() > MAX_KEY_LEN {
        return Err(format!("the key has {} bytes, at most {MAX_KEY_LEN} expected", user_key.len()));
    }
    let value = if kind == Kind::Delete { &[] } else { r.bytes().ok_or("the value is cut off")? };
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
        assert_eq!(batch.payload().unwrap(), b"\x01\x02\0k\x02vv\x00\x02\0d");
        let read: Vec<_> = entries(batch.payload().unwrap()).map(Result::unwrap).collect();
        assert_eq!(read[0], Entry { kind: Kind::Put, key: b"\0k", value: b"vv" });
        assert_eq!(read[1], Entry { kind: Kind::Delete, key: b"\0d", value: b"" });
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
        assert!(batch.payload().unwrap_err().to_string().contains("65536"));
        batch.clear();
        batch.put(vec![0; MAX_KEY_LEN], "");
        assert!(batch.payload().is_ok());
    }

    #[test]
    fn a_batch_is_limited_as_a_whole() {
        let full = MAX_BATCH_BYTES - 100;
        assert_eq!(check_limits(&[0; 40], &[0; 40], full), Ok(()));
        let over = check_limits(&[0; 40], &[0; 60], full).unwrap_err();
        assert!(over.contains(&MAX_BATCH_BYTES.to_string()) && over.contains("write it in parts"), "{over}");
    }

    #[test]
    fn any_cut_is_noticed_or_ends_between_entries() {
        let mut batch = WriteBatch::new();
        batch.put("key", "value");
        batch.delete("other");
        let bytes = batch.payload().unwrap();
        for cut in 0..bytes.len() {
            let read: Vec<_> = entries(&bytes[..cut]).collect();
            assert!(read.iter().any(Result::is_err) || read.len() < 2, "cut at {cut}");
        }
    }
}
