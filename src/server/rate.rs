//! How many commands a second there are at the moment.

use crate::sync::plain::Mutex;
use std::collections::VecDeque;
use tokio::time::Instant;

/// Over so many looks the rate is averaged.
const LOOKS: usize = 16;

/// The rate, from looks at a counter that grows.
#[derive(Debug, Default)]
pub(super) struct Rate(Mutex<VecDeque<(Instant, u64)>>);

impl Rate {
    /// The counter stands here now.
    pub(super) fn look(&self, count: u64) {
        let mut looks = self.0.lock();
        if looks.len() == LOOKS {
            looks.pop_front();
        }
        looks.push_back((Instant::now(), count));
    }

    /// By how much it grew a second lately.
    pub(super) fn per_second(&self) -> u64 {
        let looks = self.0.lock();
        let (Some((first, from)), Some((last, to))) = (looks.front(), looks.back()) else { return 0 };
        let seconds = last.duration_since(*first).as_secs_f64();
        if seconds > 0.0 { (to.saturating_sub(*from) as f64 / seconds) as u64 } else { 0 }
    }
}
