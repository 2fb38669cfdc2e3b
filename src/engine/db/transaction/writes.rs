//! What a transaction has written, before anybody else sees it.

use super::LIMIT_BYTES;
use crate::engine::batch::WriteBatch;
use crate::engine::key::{KeyspaceId, Kind, MAX_KEY_LEN, MAX_VALUE_LEN};
use crate::engine::slice::Slice;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// How many bytes a write takes besides its key and value, about.
const WRITE_BYTES: usize = 160;

/// What becomes of a key.
#[derive(Debug, Clone)]
pub enum Write {
    /// It goes.
    Delete,
    /// It gets this value, which lives for so long from the commit on, or for ever.
    Put(Slice, Option<Duration>),
}

/// The last write to each engine key. Clones are cheap; one that is kept does not see what is written later.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    map: Arc<BTreeMap<Slice, Write>>,
    bytes: usize,
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
        let replaced = self.map.get(&key).map_or(0, |old| key.len() + old.len() + WRITE_BYTES);
        let bytes = self.bytes - replaced + key.len() + write.len() + WRITE_BYTES;
        if bytes > LIMIT_BYTES {
            return Err(Error::invalid(format!(
                "the transaction would write {bytes} bytes, at most {LIMIT_BYTES} are possible: \
                 write less in one transaction, or a batch, which may be larger"
            )));
        }
        Arc::make_mut(&mut self.map).insert(key, write);
        self.bytes = bytes;
        Ok(())
    }

    /// What it writes to an engine key, if anything.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&Write> {
        self.map.get(key)
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// All of them, as one batch.
    pub fn to_batch(&self) -> WriteBatch {
        let mut batch = WriteBatch::new();
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
