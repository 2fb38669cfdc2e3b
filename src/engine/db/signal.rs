//! A thread's reason to wake up. A raised signal stays raised until somebody takes it, so none is lost.

use parking_lot::{Condvar, Mutex};
use std::time::Duration;

/// Counts how often it was raised.
#[derive(Debug, Default)]
pub struct Signal {
    raised: Mutex<u64>,
    changed: Condvar,
}

impl Signal {
    /// Wakes all who wait.
    pub fn raise(&self) {
        *self.raised.lock() += 1;
        self.changed.notify_all();
    }

    /// How often it was raised. Read it *before* looking at what the signal is about.
    pub fn count(&self) -> u64 {
        *self.raised.lock()
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
