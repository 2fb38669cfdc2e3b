//! Takes away the fields of hashes that nobody can reach any more: their key was overwritten without being looked at, has
//! expired, or was removed through another door (dataset D3).
//!
//! It goes through the numbers of all hashes and asks for each whether its key still has it, a few at a time.

use super::spaces::Space;
use super::{Dataset, Halt, Reach};
use crate::store::{Found, Scan, Value};
use crate::{Result, WriteBatch};
use std::ops::Bound::{Included, Unbounded};

/// How far a sweep has come: every hash with a lower number was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position(u64);

/// What a step of a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Where the next one begins; `None` when the end was reached.
    pub next: Option<Position>,
    /// How many hashes it took away.
    pub removed: usize,
}

/// The number of a hash, and whose it is noted to be.
type Noted = (u64, Option<Vec<u8>>);

impl Dataset {
    /// Looks at the next `count` hashes. It may wait for a disk.
    ///
    /// # Errors
    /// What kept the engine from reading or writing.
    pub fn sweep(&self, from: Position, count: usize) -> Result<Step, Halt> {
        if !self.capabilities.keyspaces {
            return Ok(Step { next: None, removed: 0 });
        }
        let mut step = Step { next: Some(from), removed: 0 };
        for _ in 0..count {
            let Some(Position(at)) = step.next else { break };
            let Some((id, owner)) = self.hash_from(at)? else {
                step.next = None;
                break;
            };
            step.removed += usize::from(self.remove_unless_owned(id, owner.as_deref())?);
            step.next = id.checked_add(1).map(Position);
        }
        Ok(step)
    }

    /// The first hash whose number is not below `id`, and whose it is noted to be.
    fn hash_from(&self, id: u64) -> Result<Option<Noted>, Halt> {
        let (engine, fields) = (&self.engine, self.spaces.get(Space::FIELDS)?);
        let start = id.to_be_bytes();
        let scan = Scan::between(Included(&start[..]), Unbounded).limited(1);
        let Some(first) = engine.view()?.range(fields, scan)?.next() else { return Ok(None) };
        let (key, value) = first?;
        let Some(number) = key.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)) else { return Ok(None) };
        Ok(Some((number, (key.len() == 8).then(|| value.to_vec()))))
    }

    /// Removes a hash, unless the key that it is noted for has it; whether it did.
    fn remove_unless_owned(&self, id: u64, owner: Option<&[u8]>) -> Result<bool, Halt> {
        let (number, key) = match owner.and_then(<[u8]>::split_first) {
            Some((number, key)) => (*number, key),
            None => (u8::MAX, &[][..]),
        };
        let owned = self.spaces.by_number(number);
        let database = owned.map_or(0, |(database, _)| database);
        // Whoever gives the hash to another key holds both locks, and changes the note with it; who exchanges databases holds all.
        let _held = self.stripes.lock(database, key, Reach::Anywhere)?;
        if self.noted_owner(id)?.as_deref() != owner || self.spaces.by_number(number) != owned {
            return Ok(false);
        }
        if let Some((_, keyspace)) = owned
            && self.engine.find(keyspace, key)?.is_some_and(|found| is_hash(&found, id))
        {
            return Ok(false);
        }
        let mut batch = WriteBatch::new();
        let end = id.saturating_add(1).to_be_bytes();
        batch.within(self.spaces.get(Space::FIELDS)?).delete_range(id.to_be_bytes()..end);
        drop(self.engine.write(batch, None)?);
        Ok(true)
    }

    fn noted_owner(&self, id: u64) -> Result<Option<Vec<u8>>, Halt> {
        let noted = self.engine.find(self.spaces.get(Space::FIELDS)?, &id.to_be_bytes())?;
        Ok(noted.map(|found| found.value.to_vec()))
    }
}

fn is_hash(found: &Found, id: u64) -> bool {
    matches!(Value::decode(&found.value), Value::Hash(head) if head.id == id)
}
