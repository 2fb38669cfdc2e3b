//! The numbers of hashes.
//!
//! They are taken from the engine many at a time: one write for [`TAKEN_AT_ONCE`] hashes. It comes before any write that uses
//! a number, and the engine keeps that order across a crash (store S2), so a number that was used is known to be taken.

use super::Halt;
use super::spaces::{Space, Spaces};
use crate::store::StorageEngine;
use crate::sync::plain::Mutex;
use crate::{Result, WriteBatch};

const KEY: &[u8] = b"hash ids";
const TAKEN_AT_ONCE: u64 = 1 << 16;

/// Where the next number comes from.
pub struct Ids(Mutex<Free>);

/// The numbers that are taken from the engine and not used yet.
struct Free {
    next: u64,
    end: u64,
}

impl Ids {
    /// Begins behind all that were ever taken.
    pub fn open(engine: &dyn StorageEngine, spaces: &Spaces) -> Result<Ids> {
        let stored = match spaces.get(Space::SYSTEM) {
            Ok(system) => engine.find(system, KEY)?,
            Err(_) => None,
        };
        let taken =
            stored.and_then(|found| found.value.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)));
        let next = taken.unwrap_or(0);
        Ok(Ids(Mutex::new(Free { next, end: next })))
    }

    /// A number that no hash has had.
    ///
    /// # Errors
    /// The engine could not write.
    pub fn next(&self, engine: &dyn StorageEngine, spaces: &Spaces) -> Result<u64, Halt> {
        let mut free = self.0.lock();
        if free.next == free.end {
            let end = free.end + TAKEN_AT_ONCE;
            let mut batch = WriteBatch::new();
            batch.within(spaces.get(Space::SYSTEM)?).put(KEY, end.to_be_bytes());
            // Whoever uses one of them waits for its own write, which comes after this one.
            drop(engine.write(batch, None)?);
            free.end = end;
        }
        free.next += 1;
        Ok(free.next - 1)
    }
}
