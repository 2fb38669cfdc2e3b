//! The data as clients of the server see it: numbered databases of keys whose values are strings or hashes and may expire,
//! changed by commands that read before they write.
//!
//! Written against [`StorageEngine`]. What lies where:
//!
//! ```text
//! keyspace             key                    value
//! of a database        the key                as `store::Value` has it; of a hash its number and how many fields it has
//! siltstone/fields     id                     whose the hash `id` is: the number of the keyspace, then the key
//!                      id 0x01 field          the value of a field
//! siltstone/system     "database/" name       the user of a named database ([`accounts`])
//!                      "databases"            which keyspace each database is, and which were made ([`spaces`])
//!                      "hash ids"             up to here numbers of hashes are taken
//! ```
//!
//! Database 0 is the keyspace without a name, which the other doors and the library use. The numbers are eight bytes, big-endian.
//!
//! (D1) A command that reads and then writes, or reads twice, holds the locks of its keys meanwhile ([`locks`]), and every
//!      writer holds that of each key it writes while it commits. So commands on a key happen one after the other. One that
//!      reads once needs no lock.
//! (D2) What a command, or all commands of a transaction, write is one batch: seen whole or not at all, by everyone.
//! (D3) A number of a hash is used once. So fields that were left behind, since their key was overwritten or has expired, are
//!      seen by nobody; [`sweep`] takes them away.
//! (D4) A command that would have to wait for a disk while it must not stops before it has written anything, and is begun
//!      anew where it may wait. A lock may be held by one that waits for a disk, so it is waited for no longer than a moment.
//!
//! Two programs in one process, the server and one that writes to the same keyspaces through the library, are not kept apart
//! by D1.
//!
//! Reading order: this page, [`spaces`], [`locks`], [`txn`] with `overlay`, [`hash`] with `ids`, [`walk`], [`gather`],
//! [`sweep`], [`accounts`], [`glob`].

pub mod accounts;
pub mod gather;
pub mod glob;
pub mod hash;
mod ids;
pub mod locks;
mod overlay;
pub mod spaces;
pub mod sweep;
#[cfg(test)]
mod tests;
pub mod txn;
pub mod walk;

use crate::store::{Capabilities, Entries, Found, Scan, StorageEngine};
use crate::sync::plain::Mutex;
use crate::{Error, Result};
use ids::Ids;
use locks::Stripes;
use spaces::{Space, Spaces};
use std::sync::Arc;

/// All databases over one engine.
pub struct Dataset {
    engine: Arc<dyn StorageEngine>,
    capabilities: Capabilities,
    spaces: Spaces,
    stripes: Stripes,
    ids: Ids,
    max_walk_bytes: usize,
    /// Held while a named database is made.
    making: Mutex<()>,
}

/// How far a command may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// No further than memory: what lies elsewhere halts it, and so does a lock that somebody keeps (D4).
    Memory,
    /// Wherever it has to, however long that takes.
    Anywhere,
}

/// Why a command stopped. Nothing was written.
#[derive(Debug)]
pub enum Halt {
    /// It has to wait for a slow place, and must not (D4).
    Slow,
    /// The key holds another kind of value.
    WrongType,
    /// The engine could not.
    Engine(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Halt::Engine(error)
    }
}

impl Dataset {
    /// Reads how the databases lie. An engine without keyspaces has database 0 only, and no hashes. What a walk gathers should
    /// have no more than `max_walk_bytes` bytes.
    ///
    /// # Errors
    /// What kept the engine from answering.
    pub fn open(engine: Arc<dyn StorageEngine>, max_walk_bytes: usize) -> Result<Dataset> {
        let capabilities = engine.capabilities();
        let spaces = Spaces::open(&*engine, capabilities)?;
        let ids = Ids::open(&*engine, &spaces)?;
        let (stripes, making) = (Stripes::new(), Mutex::new(()));
        Ok(Dataset { engine, capabilities, spaces, stripes, ids, max_walk_bytes, making })
    }

    /// How many bytes whoever walks over keys should gather at most.
    pub fn max_walk_bytes(&self) -> usize {
        self.max_walk_bytes
    }

    /// Exchanges two databases: from then on the keys of each are those of the other.
    ///
    /// # Errors
    /// The engine has one keyspace only, or could not write; [`Halt::Slow`].
    pub fn swap(&self, one: u8, other: u8, reach: Reach) -> Result<(), Halt> {
        let held = self.stripes.lock_all(reach)?;
        self.spaces.swap(&*self.engine, one, other)?;
        held.each_watched(|database, key| {
            if database == one || database == other {
                held.mark(database, key);
            }
        });
        Ok(())
    }

    /// The value of a key of a space, as the engine has it. One of a database that was never selected has none.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    #[inline]
    pub fn find(&self, space: Space, key: &[u8], reach: Reach) -> Result<Option<Found>, Halt> {
        let Some(keyspace) = self.spaces.find(space) else { return Ok(None) };
        match reach {
            Reach::Anywhere => Ok(self.engine.find(keyspace, key)?),
            Reach::Memory => self.engine.find_cached(keyspace, key)?.ok_or(Halt::Slow),
        }
    }

    /// The entries of a database, of this moment.
    ///
    /// # Errors
    /// What kept the engine from starting.
    pub fn range(&self, database: u8, scan: Scan<'_>) -> Result<Entries> {
        match Space(database) {
            _ if !self.spaces.is_made(database) => Ok(Box::new(std::iter::empty())),
            Space(0) if self.spaces.is_plain() => self.engine.range(scan),
            space => self.engine.view()?.range(self.spaces.get(space)?, scan),
        }
    }

    /// The engine below.
    pub fn engine(&self) -> &Arc<dyn StorageEngine> {
        &self.engine
    }

    /// What the engine below can do.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The databases.
    pub fn spaces(&self) -> &Spaces {
        &self.spaces
    }

    /// The locks of the keys.
    pub fn stripes(&self) -> &Stripes {
        &self.stripes
    }
}
