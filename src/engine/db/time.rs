//! The time that decides what has expired.
//!
//! (T1) It never goes back while a database is open: it is the highest that the wall clock has shown. So what has expired does
//!      not come back when somebody sets the clock back.
//! (T2) Each edit of the manifest carries it, and the next open begins from there at the least.
//! (T3) `in_use` is set before the first write that expires is visible, so a reader that does not see it set after it has taken
//!      its sequence number sees nothing that expires, and needs no time.

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::vfs::Clock;

/// The highest time seen, in milliseconds since 1970.
#[derive(Debug)]
pub struct Time {
    highest: AtomicU64,
    in_use: AtomicBool,
}

impl Time {
    /// Begins at the time in the manifest.
    pub fn new(persisted: u64, in_use: bool) -> Time {
        Time { highest: persisted.into(), in_use: in_use.into() }
    }

    /// Now.
    pub fn now(&self, clock: &dyn Clock) -> u64 {
        let wall = clock.wall_ms();
        let highest = self.highest.load(Ordering::Relaxed);
        if wall <= highest {
            return highest;
        }
        self.highest.fetch_max(wall, Ordering::Relaxed).max(wall)
    }

    /// Now, for a reader; 0 when nothing expires, so that it costs nothing then.
    #[inline]
    pub fn of_reader(&self, clock: &dyn Clock) -> u64 {
        if self.in_use.load(Ordering::Relaxed) { self.now(clock) } else { 0 }
    }

    /// From now on something expires. Cheap when that is so already.
    pub fn begin_use(&self) {
        if !self.in_use.load(Ordering::Relaxed) {
            self.in_use.store(true, Ordering::Relaxed);
        }
    }

    /// The highest time seen so far.
    pub fn highest(&self) -> u64 {
        self.highest.load(Ordering::Relaxed)
    }
}
