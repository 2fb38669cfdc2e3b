//! Making writes durable together.
//!
//! A writer that waits for durability leads a sync if nobody else does: it asks the log what there is to sync, syncs it
//! without holding any lock, publishes how far the log is durable now, and wakes the others. Those that came meanwhile wait
//! for the next leader, who is one of them. So N writers share one sync, and a single writer pays no hand-over.
//!
//! (G1) `synced` only grows, and only after a successful sync of everything before it.
//! (G2) After one failed sync nothing is ever synced again (vfs V4): every waiter, present and later, gets the error.
//! (G3) There is one leader at a time.

use crate::engine::wal::writer::SyncTarget;
use crate::{Error, Result};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

/// Who waits for the log to become durable, and how far it is.
#[derive(Debug, Default)]
pub struct GroupSync {
    synced: AtomicU64,
    /// The segment that `synced` lies in.
    segment: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    leading: bool,
    failed: Option<Arc<Error>>,
    wakers: Vec<(u64, Waker)>,
}

impl GroupSync {
    /// A log that is durable up to `position`, in `segment`.
    #[must_use]
    pub fn new(position: u64, segment: u64) -> GroupSync {
        GroupSync { synced: position.into(), segment: segment.into(), ..GroupSync::default() }
    }

    /// The log position up to which all is durable.
    #[inline]
    #[must_use]
    pub fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    /// The newest segment whose beginning is durable.
    #[must_use]
    pub fn segment(&self) -> u64 {
        self.segment.load(Ordering::Acquire)
    }

    /// Waits until the log is durable up to `position`, leading a sync if nobody else does. `target` is asked without
    /// any lock of this module held.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] with the cause, when a sync failed.
    pub fn wait(&self, position: u64, target: &dyn Fn() -> SyncTarget) -> Result<()> {
        if self.synced() >= position {
            return Ok(());
        }
        let mut state = self.state.lock();
        loop {
            if self.synced() >= position {
                return Ok(());
            }
            if let Some(cause) = &state.failed {
                return Err(Error::ReadOnly { cause: Arc::clone(cause) });
            }
            if state.leading {
                self.changed.wait(&mut state);
                continue;
            }
            state.leading = true;
            drop(state);
            let outcome = self.sync(&target());
            state = self.state.lock();
            state.leading = false;
            self.finish(&mut state, outcome);
        }
    }

    /// As [`GroupSync::wait`], but leaves the waker instead of waiting. `true` in the pending case when a leader is
    /// needed.
    ///
    /// # Errors
    /// As [`GroupSync::wait`].
    pub fn poll(&self, position: u64, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.synced() >= position {
            return Poll::Ready(Ok(()));
        }
        let mut state = self.state.lock();
        if self.synced() >= position {
            return Poll::Ready(Ok(()));
        }
        if let Some(cause) = &state.failed {
            return Poll::Ready(Err(Error::ReadOnly { cause: Arc::clone(cause) }));
        }
        state.wakers.push((position, context.waker().clone()));
        Poll::Pending
    }

    /// Whether somebody who left a waker still needs a leader.
    #[must_use]
    pub fn has_wakers(&self) -> bool {
        !self.state.lock().wakers.is_empty()
    }

    /// The error that made the log fail, if one did.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<Error>> {
        self.state.lock().failed.clone()
    }

    /// Fails everyone who waits, and everyone who will.
    pub fn fail(&self, cause: Arc<Error>) {
        let mut state = self.state.lock();
        self.finish(&mut state, Err((*cause).clone()));
    }

    fn sync(&self, target: &SyncTarget) -> Result<()> {
        for file in &target.files {
            file.sync()?;
        }
        self.synced.fetch_max(target.position, Ordering::AcqRel);
        self.segment.fetch_max(target.segment, Ordering::AcqRel);
        Ok(())
    }

    fn finish(&self, state: &mut State, outcome: Result<()>) {
        if let Err(cause) = outcome {
            state.failed.get_or_insert(Arc::new(cause));
        }
        let synced = self.synced();
        let failed = state.failed.is_some();
        for (_, waker) in state.wakers.extract_if(.., |(position, _)| failed || *position <= synced) {
            waker.wake();
        }
        self.changed.notify_all();
    }
}
