//! When the log must be synced at the latest, for writes with `Durability::Interval`.
//!
//! The first such write after a sync sets the deadline, later ones find it set; so the background thread sleeps while nothing
//! is written, and no write is left unsynced for longer than its interval and one sync.

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::vfs::Clock;
use std::time::Duration;

const NONE: u64 = u64::MAX;

/// A moment on the monotonic clock, in nanoseconds, or none.
#[derive(Debug)]
pub struct Deadline(AtomicU64);

impl Default for Deadline {
    fn default() -> Deadline {
        Deadline(AtomicU64::new(NONE))
    }
}

impl Deadline {
    /// Asks for a sync within so long. True when the deadline is an earlier one now, so that the thread must be told.
    pub fn ask(&self, within: Duration, clock: &dyn Clock) -> bool {
        let at = clock.monotonic().saturating_add(within).as_nanos().min(u128::from(NONE - 1)) as u64;
        self.0.fetch_min(at, Ordering::AcqRel) > at
    }

    /// Whether it has come. It is taken off then: the caller syncs what was written up to now.
    pub fn has_come(&self, clock: &dyn Clock) -> bool {
        let at = self.0.load(Ordering::Acquire);
        let come = at != NONE && u128::from(at) <= clock.monotonic().as_nanos();
        if come {
            self.0.store(NONE, Ordering::Release);
        }
        come
    }

    /// How long until then.
    pub fn remaining(&self, clock: &dyn Clock) -> Option<Duration> {
        let at = self.0.load(Ordering::Acquire);
        (at != NONE).then(|| Duration::from_nanos(at).saturating_sub(clock.monotonic()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::mem::SimClock;

    #[test]
    fn the_earliest_asker_counts_until_it_has_come() {
        let (deadline, clock) = (Deadline::default(), SimClock::new(1));
        let ms = Duration::from_millis;
        assert_eq!(deadline.remaining(&clock), None);
        assert!(deadline.ask(ms(10), &clock));
        assert!(!deadline.ask(ms(20), &clock));
        assert!(deadline.ask(ms(5), &clock));
        assert_eq!(deadline.remaining(&clock), Some(ms(5)));
        assert!(!deadline.has_come(&clock));
        clock.advance(ms(5));
        assert!(deadline.has_come(&clock) && !deadline.has_come(&clock));
        assert!(deadline.ask(ms(5), &clock));
    }
}
