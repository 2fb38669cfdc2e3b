//! Smooth back-pressure: the fuller things are, the slower writes are let in; a full stop is the last resort.
//!
//! How full is one number between 0 and 1: the most pressing of level 0 (from half its limit on), what compaction owes
//! (likewise), and, once no more buffers can be sealed, the active buffer. A write of `b` bytes owes `b × slowest × fill²`;
//! the debts of all writers add up, and who makes the sum worth a nap takes it. So small writes are not rounded up to the timer's
//! slack, and there is no step at which writes suddenly stop.

use crate::error::StallReason;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Tables in level 0 at which writes begin to slow, and at which they stop.
pub const LEVEL0_SLOW: usize = 12;
/// See [`LEVEL0_SLOW`].
pub const LEVEL0_STOP: usize = 32;
/// Bytes owed by compaction at which writes begin to slow, and at which they stop.
pub const DEBT_SLOW: u64 = 8 << 30;
/// See [`DEBT_SLOW`].
pub const DEBT_STOP: u64 = 64 << 30;
/// What a byte owes at fill 1, in nanoseconds: 2 MB/s.
const SLOWEST: f64 = 500.0;
/// Debts below this are carried on: timers are not finer.
const NAP: u64 = 300_000;
/// The longest single nap, so that a writer looks again at what changed.
const LONGEST_NAP: u64 = 20_000_000;

/// How fast writes are let in.
#[derive(Debug, Default)]
pub struct Throttle {
    /// The fill from the tables, in thousandths.
    fill: AtomicU32,
    /// Nanoseconds owed by writes that did not nap yet.
    owed: AtomicU64,
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
        if self.fill.load(Ordering::Relaxed) < 1000 {
            return None;
        }
        *self.reason.lock()
    }

    /// How full things are, from 0 to 1.
    pub fn fill(&self) -> f64 {
        f64::from(self.fill.load(Ordering::Relaxed)) / 1000.0
    }

    /// How long a writer of `bytes` should rest, when buffers are full to `buffer_fill`; mostly not at all.
    #[inline]
    pub fn delay(&self, bytes: usize, buffer_fill: f64) -> Option<Duration> {
        let fill = self.fill.load(Ordering::Relaxed);
        if fill == 0 && buffer_fill <= 0.0 { None } else { self.owe(bytes, self.fill().max(buffer_fill)) }
    }

    #[cold]
    fn owe(&self, bytes: usize, fill: f64) -> Option<Duration> {
        let mine = (bytes as f64 * SLOWEST * fill * fill) as u64;
        let owed = self.owed.fetch_add(mine, Ordering::Relaxed) + mine;
        if owed < NAP {
            return None;
        }
        let nap = owed.min(LONGEST_NAP);
        self.owed.fetch_sub(nap, Ordering::Relaxed);
        Some(Duration::from_nanos(nap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_grows_without_steps() {
        let throttle = Throttle::default();
        let rest = |throttle: &Throttle| -> u128 {
            (0..1000).filter_map(|_| throttle.delay(1000, 0.0)).map(|d| d.as_nanos()).sum()
        };
        let mut last = 0;
        for level0 in LEVEL0_SLOW..=LEVEL0_STOP {
            throttle.update(level0, 0);
            let now = rest(&throttle);
            assert!(now >= last, "{level0} tables: {now} after {last}");
            assert!(level0 > LEVEL0_SLOW || now == 0);
            last = now;
        }
        assert!(last > 0 && throttle.stopped() == Some(StallReason::Level0Full));
        throttle.update(0, 0);
        assert_eq!((throttle.delay(1 << 30, 0.0), throttle.stopped()), (None, None));
    }
}
