//! The calls that wait, for tasks: futures on no particular runtime, which occupy no thread while they wait.
//!
//! Each does at its first poll what can be done at once. All of them keep the database open, and none borrows anything. Dropping
//! one gives up the wait, and what has not begun; each says what that means.
//!
//! Under [`Background::Stepped`](crate::Background::Stepped) nobody else does the work, so each does its own when it is polled.

use super::close::Handle;
use super::commit_handle::Commit;
use super::keyspace::Keyspace;
use super::page::Page;
use super::range::Range;
use super::readers::Pending;
use super::snapshot::Snapshot;
use super::snapshot_list::Moment;
use super::{Db, WriteOptions};
use crate::Result;
use crate::engine::batch::WriteBatch;
use crate::engine::key::KeyspaceId;
use crate::engine::options::Background;
use crate::engine::slice::Slice;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A read under way: see [`Keyspace::get_async`].
#[must_use = "nothing is read until this is polled"]
pub struct GetAsync {
    handle: Arc<Handle>,
    id: KeyspaceId,
    key: Slice,
    /// Keeps the versions alive that are read at its moment.
    snapshot: Option<Snapshot>,
    pending: Option<Pending<Option<Slice>>>,
}

/// A page that is being read: see [`Range::page_async`].
#[must_use = "nothing is read until this is polled"]
pub struct PageAsync {
    range: Option<(Range, usize)>,
    pending: Option<Pending<Page>>,
}

/// A write under way: see [`Db::write_async`].
#[must_use = "nothing is written until this is polled"]
pub struct WriteAsync {
    db: Db,
    batch: WriteBatch,
    options: WriteOptions,
    /// Once it has its place in the order.
    commit: Option<Commit>,
}

/// A sync under way: see [`Db::sync_async`].
#[must_use = "nothing is synced until this is polled"]
pub struct SyncAsync {
    db: Db,
    /// The log position to reach.
    position: Option<u64>,
}

/// A flush under way: see [`Db::flush_async`].
#[must_use = "nothing is flushed until this is polled"]
pub struct FlushAsync {
    db: Db,
    begun: bool,
    /// Up to which write it goes.
    goal: Option<u64>,
}

impl Keyspace {
    /// As [`Keyspace::get`], for tasks. What is in a write buffer or in the cache, or certainly not there, is answered at the first
    /// poll; where a table or a block has to be read, one of a few threads of the database does that and wakes the task.
    ///
    /// Dropping the future takes the read back.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// db.put("apple", "red")?;
    /// // In a task: `db.get_async("apple").await?`
    /// let read = pin!(db.get_async("apple"));
    /// let Poll::Ready(value) = read.poll(&mut Context::from_waker(Waker::noop())) else { panic!() };
    /// assert_eq!(value?.unwrap(), b"red"); // from the write buffer, at once
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Keyspace::get`].
    pub fn get_async(&self, key: impl AsRef<[u8]>) -> GetAsync {
        let (handle, key) = (Arc::clone(self.handle()), Slice::copy_of(key.as_ref()));
        GetAsync { handle, id: self.id(), key, snapshot: None, pending: None }
    }
}

impl Snapshot {
    /// As [`Snapshot::get`], for tasks: see [`Keyspace::get_async`].
    ///
    /// # Errors
    /// As [`Keyspace::get`].
    pub fn get_async(&self, key: impl AsRef<[u8]>) -> GetAsync {
        let (handle, id) = self.place();
        let (handle, key) = (Arc::clone(handle), Slice::copy_of(key.as_ref()));
        GetAsync { handle, id, key, snapshot: Some(self.clone()), pending: None }
    }
}

impl Range {
    /// As [`Range::page`], for tasks: a thread of the database walks, and wakes the task.
    ///
    /// Dropping the future takes the read back, unless it has begun.
    ///
    /// # Errors
    /// As [`Range::page`].
    pub fn page_async(self, limit: usize) -> PageAsync {
        PageAsync { range: Some((self, limit)), pending: None }
    }
}

impl Db {
    /// As [`Db::write_with`], for tasks: waits for room, then for durability, without a thread.
    ///
    /// Dropped before it has found room, nothing is written; afterwards the write has its place in the order and stays there, and
    /// only the wait for its durability is given up. For the two moments apart, [`Db::poll_room`] and [`Db::commit_now`].
    ///
    /// ```
    /// # use siltstone::{Db, Durability, WriteBatch};
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// let mut batch = WriteBatch::new();
    /// batch.put("apple", "red");
    /// // In a task: `db.write_async(batch, Durability::Os).await?`
    /// let write = pin!(db.write_async(batch, Durability::Os));
    /// assert!(matches!(write.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(()))));
    /// assert_eq!(db.get("apple")?.unwrap(), b"red");
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Keyspace::put`].
    pub fn write_async(&self, batch: WriteBatch, options: impl Into<WriteOptions>) -> WriteAsync {
        WriteAsync { db: self.clone(), batch, options: options.into(), commit: None }
    }

    /// As [`Db::sync`], for tasks: everything that was acknowledged before the first poll is durable then. The log thread syncs,
    /// for all who wait at the same time.
    ///
    /// # Errors
    /// As [`Db::sync`].
    pub fn sync_async(&self) -> SyncAsync {
        SyncAsync { db: self.clone(), position: None }
    }

    /// As [`Db::flush`], for tasks. Dropping the future gives up the wait; what has been handed to the flush thread is flushed all
    /// the same.
    ///
    /// # Errors
    /// As [`Db::flush`].
    pub fn flush_async(&self) -> FlushAsync {
        FlushAsync { db: self.clone(), begun: false, goal: None }
    }
}

impl Future for GetAsync {
    type Output = Result<Option<Slice>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(pending) = &self.pending {
            return pending.poll(context);
        }
        let GetAsync { handle, id, key, snapshot, .. } = &*self;
        let (inner, id) = (Arc::clone(handle.inner()), *id);
        let moment: Option<Moment> = snapshot.as_ref().map(Snapshot::moment);
        let value = |found: Option<crate::engine::read::Found>| found.map(|found| found.value);
        if inner.options.background == Background::Stepped {
            return Poll::Ready(inner.get_at(id, key, moment).map(value));
        }
        if let Some(found) = inner.get_in_memory(id, key, moment)? {
            return Poll::Ready(Ok(value(found)));
        }
        let (key, readers) = (key.clone(), Arc::clone(&inner.readers));
        let pending = readers.submit(move || inner.get_at(id, &key, moment).map(value));
        self.pending.insert(pending).poll(context)
    }
}

impl Future for PageAsync {
    type Output = Result<Page>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some((range, limit)) = self.range.take() {
            let inner = Arc::clone(range.place()?.0.inner());
            if inner.options.background == Background::Stepped {
                return Poll::Ready(range.page(limit));
            }
            self.pending = Some(inner.readers.submit(move || range.page(limit)));
        }
        // Polled after its end, it stays pending for ever, as a future may.
        self.pending.as_ref().map_or(Poll::Pending, |pending| pending.poll(context))
    }
}

impl Future for WriteAsync {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let WriteAsync { db, batch, options, commit } = &mut *self;
        let commit = match commit {
            Some(commit) => commit,
            None => {
                ready!(db.poll_room(batch.byte_len(), context))?;
                let written = db.commit_now(batch, *options)?;
                // It may be long until it is durable, and its bytes are in the log.
                *batch = WriteBatch::new();
                commit.insert(written)
            }
        };
        Pin::new(commit).poll(context)
    }
}

impl Future for SyncAsync {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let SyncAsync { db, position } = &mut *self;
        let position = match position {
            Some(position) => *position,
            None => {
                db.inner().check_writable()?;
                let written = db.inner().commit.lock().log.position();
                *position.insert(written)
            }
        };
        db.poll_durable(position, context)
    }
}

impl Future for FlushAsync {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let FlushAsync { db, begun, goal } = &mut *self;
        let inner = db.inner();
        if inner.options.background == Background::Stepped {
            return Poll::Ready(inner.flush_all());
        }
        if !std::mem::replace(begun, true) {
            inner.begin_flush()?;
        }
        if inner.flush_has_reached(goal)? {
            return Poll::Ready(Ok(()));
        }
        inner.signals.room.register(context.waker());
        // What one waits for may have happened just before registering.
        if inner.flush_has_reached(goal)? { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl std::fmt::Debug for GetAsync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GetAsync").field("key", &self.key).finish_non_exhaustive()
    }
}

macro_rules! opaque {
    ($($name:ident)*) => { $(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )* };
}

opaque!(PageAsync WriteAsync SyncAsync FlushAsync);
