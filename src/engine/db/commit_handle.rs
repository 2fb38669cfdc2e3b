//! A write that has its place in the order, and may not be durable yet.

use super::Db;
use crate::Result;
use crate::engine::options::{Background, Durability};
use crate::sync::atomic::Ordering;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The second half of a write: waiting until it is as durable as was asked for.
///
/// The write is visible already, and will not be undone by dropping this value; only the wait is given up.
/// [`Commit::wait`] blocks the thread; as a [`Future`], on any runtime or none, it occupies no thread, so thousands of
/// writes can wait for one sync.
#[derive(Debug)]
#[must_use = "the write is durable only once this was waited for"]
pub struct Commit {
    db: Db,
    /// The log position to reach; 0 when there is nothing to wait for.
    position: u64,
}

impl Commit {
    pub(super) fn new(db: &Db, position: u64, durability: Durability) -> Result<Commit> {
        let position = match durability {
            Durability::Sync => position,
            Durability::Interval(interval) => db.inner().sync_within(interval).map(|()| 0)?,
            Durability::Os => 0,
        };
        Ok(Commit { db: db.clone(), position })
    }

    /// The log position that must be durable for this write to be, or 0 when there is nothing to wait for. Later writes
    /// have higher ones, so of many commits only the highest needs to be waited for; see [`Db::wait_durable`].
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Blocks until the write is durable.
    ///
    /// # Errors
    /// [`crate::Error::ReadOnly`] when the sync failed: whether the write is there after the next open is unknown.
    pub fn wait(self) -> Result<()> {
        self.db.wait_durable(self.position)
    }
}

impl Future for Commit {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.db.poll_durable(self.position, context)
    }
}

impl Db {
    /// Blocks until the log is durable up to a [`Commit::position`], leading the sync if nobody else does.
    ///
    /// # Errors
    /// As [`Commit::wait`].
    pub fn wait_durable(&self, position: u64) -> Result<()> {
        self.inner().sync_to(position)
    }

    /// Ready when the log is durable up to a [`Commit::position`]; otherwise a background thread syncs, and the waker is
    /// called then.
    ///
    /// # Errors
    /// As [`Commit::wait`].
    pub fn poll_durable(&self, position: u64, context: &mut Context<'_>) -> Poll<Result<()>> {
        let inner = self.inner();
        if inner.options.background == Background::Stepped {
            return Poll::Ready(inner.sync_to(position));
        }
        let poll = inner.group_sync.poll(position, context);
        if poll.is_ready() {
            return poll;
        }
        inner.signals.log.raise();
        // Close syncs for those who left their waker before it stopped the log thread; who comes later does it himself.
        if inner.stop.load(Ordering::Acquire) { Poll::Ready(inner.sync_to(position)) } else { poll }
    }
}
