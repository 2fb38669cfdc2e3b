//! Smooth back-pressure: the fuller things are, the slower writes are let in; a full stop is the last resort.
//!
//! How full is one number between 0 and 1: the most pressing of level 0 (from a third of its limit on), what compaction owes
//! (likewise), and, once no more buffers can be sealed, the active buffer. A write of `b` bytes costs `b × slowest × fill²` of
//! time, and is let in when all before it have had theirs (the generic cell rate algorithm): one word holds the moment at which
//! the time given out so far ends. A little may be overdrawn, so that small writes are not rounded up to the timer's slack,
//! and there is no step at which writes suddenly stop. Whoever is not let in is charged nothing, and may ask as often as it
//! likes.

use crate::error::StallReason;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::vfs::Clock;
use std::time::Duration;

/// Tables in level 0 at which writes begin to slow, and at which they stop.
pub const LEVEL0_SLOW: usize = 12;
/// See [`LEVEL0_SLOW`].
pub const LEVEL0_STOP: usize = 32;
/// Bytes owed by compaction at which writes begin to slow, and at which they stop.
pub const DEBT_SLOW: u64 = 8 << 30;
/// See [`DEBT_SLOW`].
pub const DEBT_STOP: u64 = 64 << 30;
/// What a byte costs at fill 1, in nanoseconds: 2 MB/s.
const SLOWEST: f64 = 500.0;
/// The most that one write costs, so that a huge one does not shut out all others.
const DEAREST: f64 = 1e9;
/// What may be overdrawn: timers are not finer.
const OVERDRAFT: u64 = 300_000;
/// The longest rest before asking again, for things change meanwhile.
const LONGEST_REST: u64 = 20_000_000;

/// How fast writes are let in.
#[derive(Debug, Default)]
pub struct Throttle {
    /// The fill from the tables, in thousandths.
    fill: AtomicU32,
    /// When the time given out so far ends, in nanoseconds of the monotonic clock.
    given_out: AtomicU64,
    reason: Mutex<Option<StallReason>>,
}

impl Throttle {
    /// Notes how full the tables are.
    pub fn update(&self, level0: usize, debt: u64) {
        let part = |now: f64, slow: f64, stop: f64| ((now - slow) / (stop - slow)).clamp(0.0, 1.0);
        let level0 = part(level0 as f64, LEVEL0_SLOW as f64, LEVEL0_STOP as f64);
        let debt = part(debt as f64, DEBT_SLOW as f64, DEBT_STOP as f64);
        let fill = level0.max(debt);
        *self.reason.lock() = match fill {
            0.0 => None,
            _ if level0 >= debt => Some(StallReason::Level0Full),
            _ => Some(StallReason::CompactionDebt),
        };
        self.fill.store((fill * 1000.0) as u32, Ordering::Relaxed);
    }

    /// Why writes must stop altogether, if the tables say so.
    pub fn stopped(&self) -> Option<StallReason> {
        if self.fill.load(Ordering::Relaxed) < 1000 { None } else { self.reason() }
    }

    /// Why writes are slowed down, if the tables say so.
    pub fn reason(&self) -> Option<StallReason> {
        *self.reason.lock()
    }

    /// Lets a write of `bytes` in, or says how long to rest before asking again. `buffer_fill` is how full the buffers are;
    /// the clock is only looked at when anything is.
    #[inline]
    pub fn admit(&self, bytes: usize, buffer_fill: f64, clock: &dyn Clock) -> Result<(), Duration> {
        let fill = self.fill.load(Ordering::Relaxed);
        if fill == 0 && buffer_fill <= 0.0 {
            return Ok(());
        }
        self.give_out(bytes, (f64::from(fill) / 1000.0).max(buffer_fill), clock.monotonic())
    }

    #[cold]
    fn give_out(&self, bytes: usize, fill: f64, now: Duration) -> Result<(), Duration> {
        let now = now.as_nanos() as u64;
        let cost = (bytes as f64 * SLOWEST * fill * fill).min(DEAREST) as u64;
        let let_in = |end: u64| (end <= now + OVERDRAFT).then(|| end.max(now) + cost);
        match self.given_out.fetch_update(Ordering::Relaxed, Ordering::Relaxed, let_in) {
            Ok(_) => Ok(()),
            Err(end) => Err(Duration::from_nanos((end - now).min(LONGEST_REST))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::mem::SimClock;

    #[test]
    fn pressure_grows_without_steps() {
        let throttle = Throttle::default();
        let clock = SimClock::new(1);
        let rest = || -> Duration {
            let before = clock.monotonic();
            for _ in 0..1000 {
                while let Err(nap) = throttle.admit(1000, 0.0, &clock) {
                    clock.advance(nap);
                }
            }
            clock.monotonic() - before
        };
        let mut last = Duration::ZERO;
        for level0 in LEVEL0_SLOW..=LEVEL0_STOP {
            throttle.update(level0, 0);
            let now = rest();
            assert!(now >= last, "{level0} tables: {now:?} after {last:?}");
            assert!(level0 > LEVEL0_SLOW || now.is_zero());
            last = now;
        }
        assert!(last > Duration::from_millis(400), "a megabyte at 2 MB/s");
        assert_eq!(throttle.stopped(), Some(StallReason::Level0Full));
        throttle.update(0, 0);
        assert_eq!((throttle.admit(1 << 30, 0.0, &clock), throttle.stopped()), (Ok(()), None));
    }

    #[test]
    fn who_asks_often_is_let_in_all_the_same() {
        let (throttle, clock) = (Throttle::default(), SimClock::new(1));
        throttle.update(LEVEL0_STOP - 1, 0);
        assert_eq!(throttle.admit(1 << 20, 0.0, &clock), Ok(()));
        let asked = (0..100).take_while(|_| throttle.admit(1 << 20, 0.0, &clock).is_err()).count();
        assert_eq!(asked, 100, "not before its time");
        clock.advance(Duration::from_secs(1));
        assert_eq!(throttle.admit(1 << 20, 0.0, &clock), Ok(()));
    }
}
