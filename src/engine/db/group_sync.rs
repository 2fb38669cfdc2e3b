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
use crate::planted::{Bug, planted};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard, thread};
use crate::{Error, Result};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// How often a leader lets others run before it syncs, at most: a few microseconds when nobody wants to.
const GATHER_YIELDS: usize = 30;

/// Who waits for the log to become durable, and how far it is.
#[derive(Debug, Default)]
pub struct GroupSync {
    synced: AtomicU64,
    /// The segment that `synced` lies in.
    segment: AtomicU64,
    state: Mutex<State>,
    /// A copy of `State::waiting` to be looked at without the lock.
    waiting: AtomicUsize,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    leading: bool,
    /// Threads that began to wait since the last sync ended, which woke all who waited then.
    waiting: usize,
    /// How many waited for the last one: they will be back.
    expected: usize,
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
                state.waiting += 1;
                self.waiting.store(state.waiting, Ordering::Relaxed);
                self.changed.wait(&mut state);
                continue;
            }
            state.leading = true;
            let expected = state.expected;
            drop(state);
            self.gather(expected);
            let outcome = self.sync(&target());
            state = self.state.lock();
            state.leading = false;
            state.expected = state.waiting;
            let woken = self.finish(&mut state, outcome);
            MutexGuard::unlocked(&mut state, || woken.into_iter().for_each(Waker::wake));
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

    /// Whether somebody who left a waker still needs a leader. Who waits for less than is durable already does not: the leader
    /// that made it so is about to call his waker.
    #[must_use]
    pub fn has_wakers(&self) -> bool {
        let state = self.state.lock();
        let synced = self.synced();
        state.wakers.iter().any(|(position, _)| *position > synced)
    }

    /// The error that made the log fail, if one did.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<Error>> {
        self.state.lock().failed.clone()
    }

    /// Fails everyone who waits, and everyone who will.
    pub fn fail(&self, cause: Arc<Error>) {
        let mut state = self.state.lock();
        let woken = self.finish(&mut state, Err((*cause).clone()));
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }

    fn sync(&self, target: &SyncTarget) -> Result<()> {
        for file in &target.files {
            if planted(Bug::SkipLogSync) {
                continue;
            }
            if planted(Bug::RetryFailedSync) && file.sync().is_ok() {
                continue;
            }
            file.sync()?;
        }
        self.synced.fetch_max(target.position, Ordering::AcqRel);
        self.segment.fetch_max(target.segment, Ordering::AcqRel);
        Ok(())
    }

    /// Gives those who were just woken a chance to write and wait again before the next sync begins: the first of them would
    /// otherwise lead a sync for itself alone, and all others would wait for it. Who is alone never waits here.
    fn gather(&self, expected: usize) {
        for _ in 0..GATHER_YIELDS {
            if self.waiting.load(Ordering::Relaxed) >= expected {
                return;
            }
            thread::yield_now();
        }
    }

    /// Publishes how a sync ended; gives the wakers to call once the lock is released, for they may run anything.
    #[must_use]
    fn finish(&self, state: &mut State, outcome: Result<()>) -> Vec<Waker> {
        if let Err(cause) = outcome {
            state.failed.get_or_insert(Arc::new(cause));
        }
        let synced = self.synced();
        let failed = state.failed.is_some();
        state.waiting = 0;
        self.waiting.store(0, Ordering::Relaxed);
        if !planted(Bug::LoseWakeUp) {
            self.changed.notify_all();
        }
        let done = state.wakers.extract_if(.., |(position, _)| failed || *position <= synced);
        done.map(|(_, waker)| waker).collect()
    }
}

#[cfg(all(test, any(shuttle, loom)))]
mod models;
