//! A reason to wake up, for threads and for tasks. It is counted, so that one who looks before waiting misses none.

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Condvar, Mutex};
use std::task::Waker;
use std::time::Duration;

/// Counts how often it was raised.
#[derive(Debug, Default)]
pub struct Signal {
    raised: Mutex<u64>,
    changed: Condvar,
    tasks: Mutex<Vec<Waker>>,
}

impl Signal {
    /// Wakes all who wait.
    pub fn raise(&self) {
        *self.raised.lock() += 1;
        self.changed.notify_all();
        self.wake_tasks();
    }

    /// Has a task woken at the next raise. Look at what the signal is about once more after this.
    pub fn register(&self, task: &Waker) {
        self.tasks.lock().push(task.clone());
    }

    /// Whether tasks wait.
    pub fn has_tasks(&self) -> bool {
        !self.tasks.lock().is_empty()
    }

    /// Wakes the tasks only, to look again.
    pub fn wake_tasks(&self) {
        // Taken out first: a waker may run code that comes back here.
        let tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.into_iter().for_each(Waker::wake);
    }

    /// How often it was raised. Read it *before* looking at what the signal is about.
    pub fn count(&self) -> u64 {
        *self.raised.lock()
    }

    /// As [`Signal::count`], for a thread that begins a round of its work; `None` when it is to end. It is counted first, since
    /// who tells the thread to end sets `stop` and then raises: a thread that looked at `stop` first could count that raise
    /// as seen, and wait for the next one for ever.
    pub fn next_round(&self, stop: &AtomicBool) -> Option<u64> {
        let seen = self.count();
        (!stop.load(Ordering::Acquire)).then_some(seen)
    }

    /// Waits until it was raised more than `seen` times, at most `limit`; gives the new count.
    pub fn wait(&self, seen: u64, limit: Option<Duration>) -> u64 {
        let mut raised = self.raised.lock();
        while *raised == seen {
            match limit {
                // A spurious wake-up may lengthen the wait; the callers look at the clock themselves.
                Some(limit) => {
                    if self.changed.wait_for(&mut raised, limit).timed_out() {
                        break;
                    }
                }
                None => self.changed.wait(&mut raised),
            }
        }
        *raised
    }
}

#[cfg(all(test, any(shuttle, loom)))]
mod models;
