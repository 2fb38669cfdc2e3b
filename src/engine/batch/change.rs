//! A batch as an engine behind the seam reads it.
//!
//! (B3) What a batch gives out are all of its writes, each with user keys and the name of its keyspace, in the order in which
//!      they were added (B1). An engine that applies them one after the other does what a database does.

use super::{Entry, KeyspaceRef, WriteBatch, read_entry, unix_ms};
use crate::engine::coding::Reader;
use crate::engine::key::{EXPIRY_LEN, KeyspaceId, Kind, expiry};
use std::time::{Duration, SystemTime};

/// One write of a batch: see [`WriteBatch::changes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change<'a> {
    /// The key gets this value.
    Put {
        /// The keyspace of the key.
        keyspace: KeyspaceRef,
        /// The key.
        key: &'a [u8],
        /// Its value.
        value: &'a [u8],
        /// From when on it is as if the key had been deleted; `None` for never.
        expiry: Option<SystemTime>,
    },
    /// The key is gone.
    Delete {
        /// The keyspace of the key.
        keyspace: KeyspaceRef,
        /// The key.
        key: &'a [u8],
    },
    /// All keys of the keyspace from `start` on and below `end` are gone.
    DeleteRange {
        /// The keyspace of the keys.
        keyspace: KeyspaceRef,
        /// The first key of the range. It may be a byte longer than a key can be.
        start: &'a [u8],
        /// The first key behind the range; `None` when it goes on to the end of the keyspace.
        end: Option<&'a [u8]>,
    },
}

impl WriteBatch {
    /// All writes in the order they were added; times to live count from `now`.
    ///
    /// For engines behind [`StorageEngine`](crate::store::StorageEngine) that have keyspaces, expiry or deletions of ranges. They
    /// call [`WriteBatch::check_limits`] first: what was over a limit is not among the writes.
    ///
    /// ```
    /// # use siltstone::{Change, KeyspaceRef, WriteBatch};
    /// # use std::time::{Duration, SystemTime};
    /// let orders = KeyspaceRef::of_engine(7, 1)?;
    /// let mut batch = WriteBatch::new();
    /// batch.put_with_ttl("session", "Ada", Duration::from_secs(60));
    /// batch.within(orders).delete_range("2025".."2026");
    /// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    /// let changes: Vec<_> = batch.changes(now).collect();
    /// let (root, expiry) = (KeyspaceRef::ROOT, Some(now + Duration::from_secs(60)));
    /// assert_eq!(changes[0], Change::Put { keyspace: root, key: b"session", value: b"Ada", expiry });
    /// assert_eq!(changes[1], Change::DeleteRange { keyspace: orders, start: b"2025", end: Some(b"2026") });
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    pub fn changes(&self, now: SystemTime) -> impl Iterator<Item = Change<'_>> {
        let mut reader = Reader::new(&self.bytes);
        let mut relative = self.relative.iter().copied().peekable();
        let now = unix_ms(now);
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            let entry = read_entry(&mut reader).ok()?;
            // Where its value begins, which is where the list of times to live has it.
            let at = reader.position().checked_sub(entry.value.len());
            let is_relative = relative.next_if(|field| Some(*field) == at).is_some();
            self.change(&entry, if is_relative { now } else { 0 })
        })
    }

    /// The name of the keyspace with this id, as it was given.
    pub(super) fn named(&self, id: KeyspaceId) -> KeyspaceRef {
        self.keyspaces.iter().find(|keyspace| keyspace.id == id).copied().unwrap_or(KeyspaceRef::ROOT)
    }

    /// An entry whose expiry counts from `since`.
    fn change<'a>(&self, entry: &Entry<'a>, since: u64) -> Option<Change<'a>> {
        let (id, key) = KeyspaceId::split(entry.key)?;
        let keyspace = self.named(id);
        Some(match entry.kind {
            Kind::Delete => Change::Delete { keyspace, key },
            Kind::DeleteRange => {
                // An end without the keyspace's prefix lies behind all its keys.
                let end = KeyspaceId::split(entry.value).filter(|(behind, _)| *behind == id);
                Change::DeleteRange { keyspace, start: key, end: end.map(|(_, end)| end) }
            }
            Kind::PutExpiring => {
                let expiry = system_time(expiry(entry.value)?.saturating_add(since));
                Change::Put { keyspace, key, value: entry.value.get(EXPIRY_LEN..)?, expiry }
            }
            _ => Change::Put { keyspace, key, value: entry.value, expiry: None },
        })
    }
}

/// Never, where no such time can be told.
fn system_time(unix_ms: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Bound::{Excluded, Unbounded};

    fn at(ms: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
    }

    #[test]
    fn changes_are_all_there_is_in_its_order() {
        let far = KeyspaceRef::of_engine(3, 0x80).unwrap();
        let mut batch = WriteBatch::new();
        batch.put("k", "");
        batch.put_with_ttl("k", "v", Duration::from_millis(5));
        batch.put_until("k", "", at(7));
        batch.within(far).put_with_ttl("x", "y", Duration::MAX);
        batch.within(far).delete("x");
        batch.delete("k");
        let root = KeyspaceRef::ROOT;
        let expected = [
            Change::Put { keyspace: root, key: b"k", value: b"", expiry: None },
            Change::Put { keyspace: root, key: b"k", value: b"v", expiry: Some(at(105)) },
            Change::Put { keyspace: root, key: b"k", value: b"", expiry: Some(at(7)) },
            Change::Put { keyspace: far, key: b"x", value: b"y", expiry: system_time(u64::MAX) },
            Change::Delete { keyspace: far, key: b"x" },
            Change::Delete { keyspace: root, key: b"k" },
        ];
        assert_eq!(batch.changes(at(100)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn ranges_have_the_bounds_of_users() {
        for keyspace in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, KeyspaceId::MAX] {
            let keyspace = match keyspace {
                0 => KeyspaceRef::ROOT,
                number => KeyspaceRef::of_engine(3, number).unwrap(),
            };
            let mut batch = WriteBatch::new();
            let mut within = batch.within(keyspace);
            within.delete_range("a".."b");
            within.delete_range::<&str>((Excluded("a"), Unbounded));
            within.delete_range::<&[u8]>(..);
            within.delete_range(..="b");
            within.delete_range("b".."a");
            let range = |start, end| Change::DeleteRange { keyspace, start, end };
            let expected = [
                range(&b"a"[..], Some(&b"b"[..])),
                range(b"a\0", None),
                range(b"", None),
                range(b"", Some(b"b\0")),
            ];
            assert_eq!(batch.changes(at(0)).collect::<Vec<_>>(), expected, "{keyspace:?}");
        }
    }

    #[test]
    fn the_names_of_engines_are_none_of_a_database() {
        assert!(KeyspaceRef::of_engine(0, 0).is_err() && KeyspaceRef::of_engine(0, u32::MAX).is_err());
        assert_ne!(KeyspaceRef::of_engine(0, 1).unwrap().opening, 0);
        assert_eq!(
            KeyspaceRef::of_engine(u64::MAX, 1).unwrap(),
            KeyspaceRef::of_engine(u64::MAX >> 1, 1).unwrap()
        );
    }
}
