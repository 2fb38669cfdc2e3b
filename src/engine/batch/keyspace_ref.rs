//! The names by which batches, and engines behind the seam, know keyspaces.

use crate::engine::key::KeyspaceId;
use crate::{Error, Result};
use std::time::Duration;

/// Set in the openings of engines that are no database, so that none of theirs is one of a database.
const FOREIGN: u64 = 1 << 63;

/// Names a keyspace in a batch: what [`WriteBatch::within`](crate::WriteBatch::within) takes, made from a `&Keyspace`, or given
/// out by [`StorageEngine::keyspace`](crate::store::StorageEngine::keyspace).
///
/// It is a few numbers, and keeps nothing open. It belongs to one opening of one database, whose others refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyspaceRef {
    /// Which opening of a database it belongs to; 0 for any.
    pub(crate) opening: u64,
    pub(crate) id: KeyspaceId,
    /// What its values live for unless told otherwise.
    pub(crate) ttl: Option<Duration>,
}

impl KeyspaceRef {
    /// The keyspace without a name, of any database and any engine.
    ///
    /// ```
    /// # use siltstone::{KeyspaceRef, WriteBatch};
    /// let mut batch = WriteBatch::new();
    /// batch.within(KeyspaceRef::ROOT).put("k", "v"); // the same as `batch.put("k", "v")`
    /// assert!(batch.keyspaces().is_empty());
    /// ```
    pub const ROOT: KeyspaceRef = KeyspaceRef { opening: 0, id: KeyspaceId::DEFAULT, ttl: None };

    /// Names a keyspace of an engine of your own behind [`StorageEngine`](crate::store::StorageEngine): `number` tells it from the
    /// others of that engine, and `engine`, of which the highest bit does not count, the engine from others. No
    /// [`Db`](crate::Db) takes it for one of its own.
    ///
    /// ```
    /// # use siltstone::KeyspaceRef;
    /// let orders = KeyspaceRef::of_engine(7, 1)?;
    /// assert_eq!(orders.number(), 1);
    /// assert_ne!(orders, KeyspaceRef::of_engine(8, 1)?);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for the number 0, which is that of [`KeyspaceRef::ROOT`], and from 2³⁰ − 1 on.
    pub fn of_engine(engine: u64, number: u32) -> Result<KeyspaceRef> {
        if number == 0 || number > KeyspaceId::MAX {
            let most = KeyspaceId::MAX;
            return Err(Error::invalid(format!(
                "the keyspace has number {number}, 1 to {most} are possible"
            )));
        }
        Ok(KeyspaceRef { opening: engine | FOREIGN, id: KeyspaceId(number), ttl: None })
    }

    /// The number that it has in its engine; 0 for the one without a name.
    #[must_use]
    pub fn number(self) -> u32 {
        self.id.0
    }
}
