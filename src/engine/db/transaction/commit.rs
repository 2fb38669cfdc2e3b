//! The end of a transaction: for threads, and for tasks.

use super::Transaction;
use super::reads::Reads;
use super::validation::Validation;
use crate::Result;
use crate::engine::db::WriteOptions;
use crate::engine::db::commit_handle::Commit;
use crate::engine::db::readers::Pending;
use crate::engine::options::Background;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A commit under way: see [`Transaction::commit_async`].
#[must_use = "nothing is committed until this is polled"]
pub struct TransactionCommit(State);

enum State {
    /// For room.
    Waits(Box<(Transaction, WriteOptions)>),
    /// What was read is compared with tables that are newer, by another thread.
    Compares(Pending<Option<Commit>>),
    /// It has its place in the order.
    Placed(Commit),
    Done,
}

impl Transaction {
    /// Makes the writes visible, all at once, and returns when they are as durable as the database was opened for. One that
    /// has only read commits at once: it stands where it began.
    ///
    /// # Errors
    /// [`Error::Conflict`](crate::Error::Conflict) when something that the transaction read was changed;
    /// [`Error::KeyspaceDropped`](crate::Error::KeyspaceDropped) when one that it writes to is gone; what writing gives, as
    /// [`Keyspace::put`](crate::Keyspace::put); what reading gives, as [`Keyspace::get`](crate::Keyspace::get). Nothing was
    /// written, but for a failed sync, after which that is unknown.
    pub fn commit(self) -> Result<()> {
        self.commit_with(WriteOptions::default())
    }

    /// As [`Transaction::commit`], with a durability of its own.
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    pub fn commit_with(self, options: impl Into<WriteOptions>) -> Result<()> {
        self.place(options.into(), Room::WaitForIt)?.map_or(Ok(()), Commit::wait)
    }

    /// As [`Transaction::commit_with`], for tasks: waits for room, then for durability, without a thread. Where tables have come
    /// since the transaction began, a thread of the database compares what was read with them.
    ///
    /// Dropped before it has its place in the order, nothing is written, or it goes on by itself if that thread has begun;
    /// afterwards only the wait for its durability is given up.
    ///
    /// ```
    /// # use siltstone::{Db, Durability};
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// let mut tx = db.transaction();
    /// tx.put("apple", "red")?;
    /// // In a task: `tx.commit_async(Durability::Os).await?`
    /// let commit = pin!(tx.commit_async(Durability::Os));
    /// assert!(matches!(commit.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(()))));
    /// assert_eq!(db.get("apple")?.unwrap(), b"red");
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    pub fn commit_async(self, options: impl Into<WriteOptions>) -> TransactionCommit {
        TransactionCommit(State::Waits(Box::new((self, options.into()))))
    }

    /// Gives its writes their place in the order, if it has any.
    fn place(self, options: WriteOptions, room: Room) -> Result<Option<Commit>> {
        let Transaction { db, snapshot, reads, writes } = self;
        let inner = db.inner();
        inner.check_readable()?;
        if writes.is_empty() {
            return Ok(None);
        }
        writes.keyspaces().into_iter().try_for_each(|id| inner.check_kept(id))?;
        let batch = writes.to_batch();
        let reads = std::mem::replace(&mut *reads.lock(), Reads::new());
        let guard = &mut Validation::new(reads, snapshot.moment().seq);
        let (payload, count) = (inner.payload(&batch)?, batch.len() as u32);
        let position = match room {
            Room::WaitForIt => inner.write_if(&payload, count, guard)?,
            Room::IsThere => inner.write_now(&payload, count, guard)?,
        };
        // Validation Z1 ends here: a sync may take long, and versions need not be kept for it.
        drop(snapshot);
        Commit::new(&db, position, db.durability(options)).map(Some)
    }

    /// Whether there are tables that may have something newer than it has read.
    fn has_newer_tables(&self) -> bool {
        let began = self.snapshot.moment().seq;
        let view = self.db.inner().super_version.load();
        view.version.tables().any(|(_, table)| table.summary.max_seq > began)
    }
}

/// What a commit does about room in the write buffer.
enum Room {
    WaitForIt,
    /// It was waited for.
    IsThere,
}

impl TransactionCommit {
    /// Goes on from one state to the next; `Ready` when there is nothing more to wait for.
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            self.0 = match &mut self.0 {
                State::Waits(waiting) => {
                    let (transaction, options) = &**waiting;
                    let (db, options) = (transaction.db.clone(), *options);
                    if !transaction.writes.is_empty() {
                        ready!(db.poll_room(transaction.writes.bytes(), context))?;
                    }
                    let State::Waits(waiting) = std::mem::replace(&mut self.0, State::Done) else { continue };
                    let (transaction, _) = *waiting;
                    let is_stepped = db.inner().options.background == Background::Stepped;
                    if is_stepped || transaction.writes.is_empty() || !transaction.has_newer_tables() {
                        State::of(transaction.place(options, Room::IsThere)?)
                    } else {
                        let readers = &db.inner().readers;
                        State::Compares(readers.submit(move || transaction.place(options, Room::IsThere)))
                    }
                }
                State::Compares(pending) => State::of(ready!(pending.poll(context))?),
                State::Placed(commit) => return Pin::new(commit).poll(context),
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl State {
    fn of(placed: Option<Commit>) -> State {
        placed.map_or(State::Done, State::Placed)
    }
}

impl Future for TransactionCommit {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.advance(context);
        if polled.is_ready() {
            self.0 = State::Done;
        }
        polled
    }
}

impl std::fmt::Debug for TransactionCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransactionCommit").finish_non_exhaustive()
    }
}
