//! What a transaction has written, before anybody else sees it.

use super::LIMIT_BYTES;
use super::deleted::Deleted;
use super::reads::Span;
use crate::engine::batch::WriteBatch;
use crate::engine::key::{KeyspaceId, Kind, MAX_KEY_LEN, MAX_VALUE_LEN};
use crate::engine::slice::Slice;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// How many bytes a write takes besides its key and value, or the deletion of a range besides its ends, about.
const WRITE_BYTES: usize = 160;

/// What becomes of a key.
#[derive(Debug, Clone)]
pub enum Write {
    /// It goes.
    Delete,
    /// It gets this value, which lives for so long from the commit on, or for ever.
    Put(Slice, Option<Duration>),
}

/// The ranges that are deleted, and over them the last write to each engine key. Clones are cheap; one that is kept does not
/// see what is written later.
///
/// (W1) The deletion of a range takes away what was written in it before. So whatever is in the map counts, and in the batch
///      the ranges come first.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    map: Arc<BTreeMap<Slice, Write>>,
    /// How many bytes that is.
    bytes: usize,
    deleted: Arc<Deleted>,
}

/// What a transaction's own writes say of a key.
#[derive(Debug)]
pub enum Own<'a> {
    /// Nothing.
    Unwritten,
    /// It lies in a range that was deleted, and was not written since.
    Deleted,
    /// It was written.
    Written(&'a Write),
}

impl Write {
    /// The value that the transaction itself sees. What lives for less than a millisecond is gone at once.
    pub fn value(&self) -> Option<(&Slice, Option<Duration>)> {
        match self {
            Write::Delete => None,
            Write::Put(_, Some(ttl)) if ttl.as_millis() == 0 => None,
            Write::Put(value, ttl) => Some((value, *ttl)),
        }
    }

    fn len(&self) -> usize {
        if let Write::Put(value, _) = self { value.len() } else { 0 }
    }
}

impl Writes {
    /// Adds a write, in place of an earlier one to the same engine key.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when key or value is too long, or the transaction writes too much. Nothing was added then.
    pub fn add(&mut self, key: Slice, write: Write) -> Result<()> {
        let user_key = KeyspaceId::split(&key).map_or(0, |(_, user_key)| user_key.len());
        if user_key > MAX_KEY_LEN {
            let what = format!("the key has {user_key} bytes, at most {MAX_KEY_LEN} are possible");
            return Err(Error::invalid(what));
        }
        if write.len() > MAX_VALUE_LEN {
            let what = format!("the value has {} bytes, at most {MAX_VALUE_LEN} are possible", write.len());
            return Err(Error::invalid(what));
        }
        let replaced = self.map.get(&key).map_or(0, |old| bytes_of(&key, old));
        let bytes = self.bytes - replaced + bytes_of(&key, &write);
        check_room(bytes + bytes_of_ranges(&self.deleted))?;
        Arc::make_mut(&mut self.map).insert(key, write);
        self.bytes = bytes;
        Ok(())
    }

    /// Adds the deletion of a range of engine keys that is not empty (W1). O(log n), and as much for each write that it takes
    /// away.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the transaction writes too much. Nothing was added then.
    pub fn add_range(&mut self, (start, end): (Vec<u8>, Vec<u8>)) -> Result<()> {
        check_room(self.bytes() + start.len() + end.len() + WRITE_BYTES)?;
        let within = (Bound::Included(start.as_slice()), Bound::Excluded(end.as_slice()));
        let overwritten: Vec<Slice> = self.map.range::<[u8], _>(within).map(|(key, _)| key.clone()).collect();
        if !overwritten.is_empty() {
            let map = Arc::make_mut(&mut self.map);
            for key in overwritten {
                self.bytes -= map.remove(&key).map_or(0, |old| bytes_of(&key, &old));
            }
        }
        Arc::make_mut(&mut self.deleted).add(start, end);
        Ok(())
    }

    /// What it does to an engine key.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Own<'_> {
        match self.map.get(key) {
            Some(write) => Own::Written(write),
            None if !self.deleted.is_empty() && self.deleted.covers(key) => Own::Deleted,
            None => Own::Unwritten,
        }
    }

    /// What of a span of engine keys it leaves as it was, but for single keys.
    pub fn gaps(&self, span: &Span) -> Vec<Span> {
        self.deleted.gaps(span)
    }

    /// The keyspaces that it writes to, some of them twice: what is in order lies together by keyspace (`key` K2).
    pub fn keyspaces(&self) -> Vec<KeyspaceId> {
        let mut keyspaces = Vec::new();
        for key in self.map.keys().map(|key| &**key).chain(self.deleted.iter().map(|(start, _)| start)) {
            if let Some((id, _)) = KeyspaceId::split(key)
                && keyspaces.last() != Some(&id)
            {
                keyspaces.push(id);
            }
        }
        keyspaces
    }

    /// True when nothing is written, and nothing deleted.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty() && self.deleted.is_empty()
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.bytes + bytes_of_ranges(&self.deleted)
    }

    /// All of them, as one batch.
    pub fn to_batch(&self) -> WriteBatch {
        let mut batch = WriteBatch::new();
        for (start, end) in self.deleted.iter() {
            let Some((keyspace, user_key)) = KeyspaceId::split(start) else { continue };
            batch.add_range(keyspace, user_key, end);
        }
        for (key, write) in &*self.map {
            let Some((keyspace, user_key)) = KeyspaceId::split(key) else { continue };
            match write {
                Write::Delete => batch.add(keyspace, Kind::Delete, user_key, &[]),
                Write::Put(value, ttl) => batch.add_put(keyspace, user_key, value, *ttl),
            }
        }
        batch
    }

    /// The first or the last write whose engine key lies between the bounds.
    pub fn end(&self, forward: bool, bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> Option<(Slice, Write)> {
        let mut between = self.map.range::<[u8], _>(bounds);
        let end = if forward { between.next() } else { between.next_back() };
        end.map(|(key, write)| (key.clone(), write.clone()))
    }
}

/// How many bytes a write takes.
fn bytes_of(key: &Slice, write: &Write) -> usize {
    key.len() + write.len() + WRITE_BYTES
}

fn bytes_of_ranges(deleted: &Deleted) -> usize {
    deleted.bytes() + deleted.len() * WRITE_BYTES
}

fn check_room(bytes: usize) -> Result<()> {
    if bytes <= LIMIT_BYTES {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the transaction would write {bytes} bytes, at most {LIMIT_BYTES} are possible: \
         write less in one transaction, or a batch, which may be larger"
    )))
}
