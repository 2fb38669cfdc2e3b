//! A write that has its place in the order, and may not be durable yet.

use super::Db;
use crate::Result;
use crate::engine::options::{Background, Durability};
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
    pub(super) fn new(db: &Db, position: u64, durability: Durability) -> Commit {
        let position = if durability == Durability::Sync { position } else { 0 };
        Commit { db: db.clone(), position }
    }

    /// Blocks until the write is durable.
    ///
    /// # Errors
    /// [`crate::Error::ReadOnly`] when the sync failed: whether the write is there after the next open is unknown.
    pub fn wait(self) -> Result<()> {
        self.db.inner().sync_to(self.position)
    }
}

impl Future for Commit {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let inner = self.db.inner();
        if inner.options.background == Background::Stepped {
            return Poll::Ready(inner.sync_to(self.position));
        }
        let poll = inner.group_sync.poll(self.position, context);
        if poll.is_pending() {
            inner.signals.log.raise();
        }
        poll
    }
}
