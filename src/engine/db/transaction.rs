//! Transactions: reads at a snapshot, writes kept back, and a commit that fails when something that was read has changed.
//!
//! Reading order: this page; [`reads`], what was read, and [`writes`] with [`deleted`], what is to be written; [`range`], a walk
//! over both snapshot and writes; [`commit`], the end, and [`validation`], the question it asks; [`transact`], the same again
//! until it succeeds.
//!
//! Nobody waits for a transaction, and it waits for nobody: it is *optimistic*. Who commits without one pays nothing for those
//! who do, since what is compared is the sequence numbers that every write has.
//!
//! Rejected: locks on keys (deadlocks, timeouts, and a cost for plain writes, which would have to ask for them); a list of the
//! keys that were written lately, as others keep (it must be bounded, and a transaction that is older than the list fails
//! without a conflict); leaving ranges untracked (two that each see no other booking both book).

mod commit;
mod deleted;
mod range;
mod reads;
mod transact;
mod validation;
mod writes;

pub use commit::TransactionCommit;
pub use range::TransactionRange;

use super::Db;
use super::keyspace::system_time;
use super::keyspaces::check_kept_in;
use super::snapshot::Snapshot;
use crate::Result;
use crate::engine::batch::KeyspaceRef;
use crate::engine::key::{KeyspaceId, MAX_KEY_LEN, hash, prefix_bounds, range_bounds, stored_bounds};
use crate::engine::slice::Slice;
use crate::planted::{Bug, planted};
use crate::sync::Mutex;
use reads::{Reads, Span};
use std::ops::RangeBounds;
use std::time::{Duration, SystemTime};
use writes::{Own, Write, Writes};

/// How many bytes of what it has read, and as many of what it writes, a transaction keeps in memory: as much as a write buffer
/// holds by default, into which the writes go in one step. What reads more is hardly ever without a conflict.
const LIMIT_BYTES: usize = 64 << 20;

/// Reads and writes that happen as if at one moment, or not at all.
///
/// It reads the database as it was when the transaction began, with its own writes over it; nobody else sees these before
/// [`Transaction::commit`]. A commit succeeds when nothing that was read has been changed by others meanwhile: values, absent
/// keys, and ranges as far as they were walked, also by keys that were not there before. So transactions are serializable. When
/// something has changed the commit fails with [`Error::Conflict`](crate::Error::Conflict) and writes nothing; run it all again, as [`Db::transact`]
/// does by itself.
///
/// A transaction takes no lock and keeps nobody waiting. It holds a [`Snapshot`], so do not keep it for longer than needed. Dropping
/// it is a rollback. What has expired is decided by the time at which it began; what it writes lives from the commit on. It keeps
/// 64 MiB at most of what it has read and as much of what it writes; one that needs more is refused at that read or write, and
/// goes on without it.
///
/// ```
/// # use siltstone::{Db, Error};
/// # let folder = tempfile::tempdir().unwrap();
/// # let db = Db::open(folder.path().join("db"))?;
/// db.put("stock", "1")?;
/// let mut tx = db.transaction();
/// if tx.get("stock")?.unwrap() == "1" {
///     tx.put("stock", "0")?;
///     tx.put("order", "7")?;
/// }
/// db.put("stock", "5")?; // somebody else was faster
/// assert!(matches!(tx.commit(), Err(Error::Conflict { .. })));
/// assert_eq!(db.get("order")?, None);
/// # Ok::<(), siltstone::Error>(())
/// ```
pub struct Transaction {
    db: Db,
    snapshot: Snapshot,
    reads: Mutex<Reads>,
    writes: Writes,
}

/// What a transaction sees of a keyspace and writes to it: see [`Transaction::within`].
#[derive(Debug)]
pub struct TransactionWithin<'a> {
    transaction: &'a mut Transaction,
    keyspace: KeyspaceRef,
}

impl Db {
    /// Begins a transaction, on this moment of all keyspaces. Costs what a snapshot does.
    #[must_use]
    pub fn transaction(&self) -> Transaction {
        let (reads, writes) = (Mutex::new(Reads::new()), Writes::default());
        Transaction { snapshot: self.snapshot(), db: self.clone(), reads, writes }
    }
}

impl Transaction {
    /// The value of `key`: what the transaction has written, or else that of the snapshot.
    ///
    /// # Errors
    /// As [`Keyspace::get`](crate::Keyspace::get); [`Error::InvalidArgument`](crate::Error::InvalidArgument) when the transaction has read too much.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Slice>> {
        Ok(self.look_up(KeyspaceRef::ROOT, key.as_ref())?.map(|(value, _)| value))
    }

    /// As [`Transaction::get`], with the time at which the value expires, if it does; that of what the transaction has
    /// written itself as if it were committed now.
    ///
    /// # Errors
    /// As [`Transaction::get`].
    pub fn get_with_expiry(&self, key: impl AsRef<[u8]>) -> Result<Option<(Slice, Option<SystemTime>)>> {
        self.look_up(KeyspaceRef::ROOT, key.as_ref())
    }

    /// Sets `key` to `value`, once it commits.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) over a limit; the transaction is as before then.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        self.set(KeyspaceRef::ROOT, key.as_ref(), Write::Put(Slice::copy_of(value.as_ref()), None))
    }

    /// Sets `key` to `value`, once it commits, until `ttl` has passed since then.
    ///
    /// # Errors
    /// As [`Transaction::put`].
    pub fn put_with_ttl(
        &mut self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        ttl: Duration,
    ) -> Result<()> {
        self.set(KeyspaceRef::ROOT, key.as_ref(), Write::Put(Slice::copy_of(value.as_ref()), Some(ttl)))
    }

    /// Removes `key`, once it commits; no error when it is not there.
    ///
    /// # Errors
    /// As [`Transaction::put`].
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> Result<()> {
        self.set(KeyspaceRef::ROOT, key.as_ref(), Write::Delete)
    }

    /// Removes all keys in `range`, once it commits: those that others put there meanwhile as well, but not what the transaction
    /// puts there after this. See [`Keyspace::delete_range`](crate::Keyspace::delete_range).
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// db.put("cart:1", "book")?;
    /// db.put("cart:2", "lamp")?;
    /// let mut tx = db.transaction();
    /// tx.delete_range("cart:".."cart;")?;
    /// tx.put("cart:3", "chair")?;
    /// assert_eq!(tx.prefix("cart:").count(), 1);
    /// tx.commit()?;
    /// assert_eq!(db.get("cart:1")?, None);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Transaction::put`].
    pub fn delete_range<K: AsRef<[u8]>>(&mut self, range: impl RangeBounds<K>) -> Result<()> {
        self.remove(KeyspaceRef::ROOT, &range)
    }

    /// All keys in `range` with their values, in order, from either end, the transaction's own writes so far among them. See
    /// [`TransactionRange`].
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// db.put("job:1", "old")?;
    /// let mut tx = db.transaction();
    /// tx.put("job:2", "new")?;
    /// for job in tx.prefix("job:") {
    ///     tx.delete(job?.0)?; // the walk goes on over what it began with
    /// }
    /// tx.commit()?;
    /// assert_eq!(db.iter().count(), 0);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    #[must_use]
    pub fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> TransactionRange {
        self.walk(KeyspaceRef::ROOT, range_bounds(KeyspaceId::DEFAULT, &range))
    }

    /// All keys with their values: see [`Transaction::range`].
    #[must_use]
    pub fn iter(&self) -> TransactionRange {
        self.prefix([])
    }

    /// All keys that begin with `prefix`: see [`Transaction::range`].
    #[must_use]
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> TransactionRange {
        self.walk(KeyspaceRef::ROOT, prefix_bounds(KeyspaceId::DEFAULT, prefix.as_ref()))
    }

    /// The same transaction, in a keyspace with a name. It is atomic and serializable across all of them.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// let (users, mails) = (db.keyspace("users")?, db.keyspace("mails")?);
    /// let mut tx = db.transaction();
    /// if tx.within(&mails)?.get("ada@example.org")?.is_none() {
    ///     tx.within(&users)?.put("7", "Ada")?;
    ///     tx.within(&mails)?.put("ada@example.org", "7")?;
    /// }
    /// tx.commit()?;
    /// assert_eq!(users.get("7")?.unwrap(), "Ada");
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a keyspace of another database, [`Error::KeyspaceDropped`](crate::Error::KeyspaceDropped).
    pub fn within(&mut self, keyspace: impl Into<KeyspaceRef>) -> Result<TransactionWithin<'_>> {
        let keyspace = keyspace.into();
        let id = self.db.inner().id_of(keyspace)?;
        self.db.inner().check_kept(id)?;
        Ok(TransactionWithin { transaction: self, keyspace })
    }

    /// Forgets all writes. The same as dropping it, for whoever likes to say so.
    pub fn rollback(self) {}

    fn look_up(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<(Slice, Option<SystemTime>)>> {
        let inner = self.db.inner();
        inner.check_readable()?;
        if key.len() > MAX_KEY_LEN {
            // No such key can be written, so there is nothing to find, and nothing that could change.
            return Ok(None);
        }
        let engine_key = engine_key(keyspace.id, key);
        match self.writes.get(&engine_key) {
            Own::Unwritten => {}
            Own::Deleted => return Ok(None),
            Own::Written(write) => {
                let end = |ttl: Duration| {
                    let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
                    system_time(inner.now().saturating_add(ttl))
                };
                return Ok(write.value().map(|(value, ttl)| (value.clone(), ttl.and_then(end))));
            }
        }
        let moment = self.snapshot.moment();
        let view = inner.super_version.load();
        check_kept_in(&view, keyspace.id, "")?;
        let found = view.get(&engine_key, hash(&engine_key), moment.seq, || moment.now)?;
        drop(view);
        if found.is_some() || !planted(Bug::ForgetAbsentReads) {
            self.reads.lock().note(engine_key)?;
        }
        Ok(found.map(|found| (found.value, system_time(found.expiry))))
    }

    fn set(&mut self, keyspace: KeyspaceRef, key: &[u8], write: Write) -> Result<()> {
        self.writes.add(engine_key(keyspace.id, key), write)
    }

    fn remove<K: AsRef<[u8]>>(&mut self, keyspace: KeyspaceRef, range: &impl RangeBounds<K>) -> Result<()> {
        stored_bounds(keyspace.id, range).map_or(Ok(()), |bounds| self.writes.add_range(bounds))
    }

    fn walk(&self, keyspace: KeyspaceRef, span: Span) -> TransactionRange {
        let walk = self.reads.lock().begin_walk(span.clone());
        TransactionRange::new(
            self.snapshot.view_of(keyspace.id),
            self.writes.clone(),
            walk,
            keyspace.id,
            span,
        )
    }
}

impl TransactionWithin<'_> {
    /// As [`Transaction::get`].
    ///
    /// # Errors
    /// As [`Transaction::get`].
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Slice>> {
        Ok(self.get_with_expiry(key)?.map(|(value, _)| value))
    }

    /// As [`Transaction::get_with_expiry`].
    ///
    /// # Errors
    /// As [`Transaction::get`].
    pub fn get_with_expiry(&self, key: impl AsRef<[u8]>) -> Result<Option<(Slice, Option<SystemTime>)>> {
        self.transaction.look_up(self.keyspace, key.as_ref())
    }

    /// As [`Transaction::put`]; the value expires as the keyspace has it.
    ///
    /// # Errors
    /// As [`Transaction::put`].
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        let write = Write::Put(Slice::copy_of(value.as_ref()), self.keyspace.ttl);
        self.transaction.set(self.keyspace, key.as_ref(), write)
    }

    /// As [`Transaction::put_with_ttl`].
    ///
    /// # Errors
    /// As [`Transaction::put`].
    pub fn put_with_ttl(
        &mut self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        ttl: Duration,
    ) -> Result<()> {
        let write = Write::Put(Slice::copy_of(value.as_ref()), Some(ttl));
        self.transaction.set(self.keyspace, key.as_ref(), write)
    }

    /// As [`Transaction::delete`].
    ///
    /// # Errors
    /// As [`Transaction::put`].
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> Result<()> {
        self.transaction.set(self.keyspace, key.as_ref(), Write::Delete)
    }

    /// As [`Transaction::delete_range`].
    ///
    /// # Errors
    /// As [`Transaction::put`].
    pub fn delete_range<K: AsRef<[u8]>>(&mut self, range: impl RangeBounds<K>) -> Result<()> {
        self.transaction.remove(self.keyspace, &range)
    }

    /// As [`Transaction::range`].
    #[must_use]
    pub fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> TransactionRange {
        self.transaction.walk(self.keyspace, range_bounds(self.keyspace.id, &range))
    }

    /// As [`Transaction::iter`].
    #[must_use]
    pub fn iter(&self) -> TransactionRange {
        self.prefix([])
    }

    /// As [`Transaction::prefix`].
    #[must_use]
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> TransactionRange {
        self.transaction.walk(self.keyspace, prefix_bounds(self.keyspace.id, prefix.as_ref()))
    }
}

fn engine_key(keyspace: KeyspaceId, user_key: &[u8]) -> Slice {
    // Most keys fit into a slice without memory of its own, and then need none on the way there either.
    let mut short = [0; 32];
    if keyspace.prefix_len() == 1
        && let Some(slot) = short.get_mut(..=user_key.len())
        && let Some((first, rest)) = slot.split_first_mut()
    {
        *first = keyspace.0 as u8;
        rest.copy_from_slice(user_key);
        return Slice::copy_of(slot);
    }
    let mut long = Vec::with_capacity(4 + user_key.len());
    keyspace.put_prefix(&mut long);
    long.extend_from_slice(user_key);
    Slice::from(long)
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}
