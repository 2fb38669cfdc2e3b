//! A clock that only moves when told to.

use crate::random::Random;
use crate::sync::plain::Mutex;
use crate::vfs::Clock;
use std::time::Duration;

/// Time that a test moves by hand, and random numbers from a seed.
///
/// Both kinds of time begin at the same values for every seed. `sleep` moves them on and returns at once.
///
/// ```
/// use siltstone::vfs::{Clock, mem::SimClock};
/// use std::time::Duration;
///
/// let clock = SimClock::new(7);
/// let start = clock.wall_ms();
/// clock.sleep(Duration::from_secs(60));
/// assert_eq!(clock.wall_ms(), start + 60_000);
/// clock.set_wall_ms(start - 1);                       // someone set the clock back
/// assert_eq!(clock.monotonic(), Duration::from_secs(60));
/// ```
#[derive(Debug)]
pub struct SimClock {
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    /// Since 1970.
    wall: Duration,
    monotonic: Duration,
    random: Random,
}

impl SimClock {
    /// A clock that shows a fixed date in 2023.
    #[must_use]
    pub fn new(seed: u64) -> SimClock {
        let wall = Duration::from_secs(1_700_000_000);
        SimClock { now: Mutex::new(Now { wall, monotonic: Duration::ZERO, random: Random::new(seed) }) }
    }

    /// Moves both kinds of time on.
    pub fn advance(&self, time: Duration) {
        let mut now = self.now.lock();
        now.wall = now.wall.saturating_add(time);
        now.monotonic = now.monotonic.saturating_add(time);
    }

    /// Sets the wall clock, forwards or backwards. Monotonic time stays.
    pub fn set_wall_ms(&self, ms: u64) {
        self.now.lock().wall = Duration::from_millis(ms);
    }
}

impl Clock for SimClock {
    fn wall_ms(&self) -> u64 {
        u64::try_from(self.now.lock().wall.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.now.lock().monotonic
    }

    fn random(&self) -> u64 {
        self.now.lock().random.next()
    }

    fn sleep(&self, time: Duration) {
        self.advance(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let stream = |seed| {
            let clock = SimClock::new(seed);
            (0..8).map(|_| clock.random()).collect::<Vec<_>>()
        };
        assert_eq!(stream(1), stream(1));
        assert_ne!(stream(1), stream(2));
    }

    #[test]
    fn time_moves_only_by_hand() {
        let clock = SimClock::new(0);
        let start = clock.wall_ms();
        assert_eq!((clock.wall_ms(), clock.monotonic()), (start, Duration::ZERO));
        clock.advance(Duration::from_micros(1500));
        clock.sleep(Duration::from_micros(500));
        assert_eq!((clock.wall_ms(), clock.monotonic()), (start + 2, Duration::from_millis(2)));
        clock.set_wall_ms(5);
        assert_eq!((clock.wall_ms(), clock.monotonic()), (5, Duration::from_millis(2)));
    }
}
