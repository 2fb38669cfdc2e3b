//! Writes that need to read nothing, gathered: those that follow one another in a pipeline become one batch.
//!
//! A batch costs one place in the order and one record in the log, however many writes it has. It is written before anything
//! else of the same client is carried out, so each client finds what it wrote.
//!
//! (G1) What is gathered is written under the locks of all its keys (dataset D1).

use super::spaces::Space;
use super::txn::time_from_ms;
use super::{Dataset, Reach};
use crate::store::{Commit, Value};
use crate::{Result, WriteBatch};
use std::time::{Duration, SystemTime};

/// No limit of the store on a key or a value is lower.
const CHECKED: usize = 4096;

/// Writes of one client that are not written yet.
#[derive(Debug, Default)]
pub struct Gather {
    batch: WriteBatch,
    /// Their keys, for the locks, one after the other, and where each ends.
    keys: Vec<u8>,
    ends: Vec<(u8, usize)>,
}

impl Gather {
    /// True when there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many bytes will be written.
    pub fn byte_len(&self) -> usize {
        self.batch.byte_len()
    }

    /// Adds a key's new value.
    ///
    /// # Errors
    /// The database is not there, or the key or the value is over a limit of the store: then nothing is added, so that it does not
    /// spoil what it is gathered with.
    pub fn put(
        &mut self,
        data: &Dataset,
        database: u8,
        key: &[u8],
        value: &Value<'_>,
        expiry: Option<SystemTime>,
    ) -> Result<()> {
        let keyspace = data.spaces.get(Space(database))?;
        let stored = value.encode();
        if key.len() > CHECKED || stored.len() > CHECKED {
            let mut alone = WriteBatch::new();
            alone.put(key, &stored);
            alone.check_limits()?;
        }
        let mut within = self.batch.within(keyspace);
        match expiry {
            Some(expiry) => within.put_until(key, stored, expiry),
            None => within.put(key, stored),
        }
        self.keys.extend_from_slice(key);
        self.ends.push((database, self.keys.len()));
        Ok(())
    }

    /// Writes all of it; nothing is gathered then. `None` when somebody keeps one of the locks, and it still is.
    ///
    /// # Errors
    /// Nothing of it was, or will be, written.
    pub fn write(&mut self, data: &Dataset, reach: Reach) -> Result<Option<Commit>> {
        let held = match self.only() {
            Some((database, key)) => data.stripes.lock(database, key, reach),
            None => data.stripes.lock_many(self.keys(), reach),
        };
        let Ok(held) = held else { return Ok(None) };
        let commit = data.engine.write(std::mem::take(&mut self.batch), None);
        if commit.is_ok() && held.is_watched() {
            self.keys().for_each(|(database, key)| held.mark(database, key));
        }
        drop(held);
        self.keys.clear();
        self.ends.clear();
        commit.map(Some)
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        *self = Gather::default();
    }

    fn only(&self) -> Option<(u8, &[u8])> {
        match self.ends[..] {
            [(database, _)] => Some((database, &self.keys)),
            _ => None,
        }
    }

    fn keys(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut start = 0;
        self.ends.iter().filter_map(move |(database, end)| {
            let key = self.keys.get(start..*end)?;
            start = *end;
            Some((*database, key))
        })
    }
}

/// When something expires that lives for so many milliseconds from `now`; one that is over already, at the beginning of time.
pub fn expiry_after(now: SystemTime, ms: i64) -> SystemTime {
    match u64::try_from(ms) {
        Ok(ms) => now.checked_add(Duration::from_millis(ms)).unwrap_or(time_from_ms(i64::MAX)),
        Err(_) => SystemTime::UNIX_EPOCH,
    }
}
