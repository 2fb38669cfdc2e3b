//! How many keys a database has. They are counted one by one, so the number is kept for a while.

use crate::dataset::Dataset;
use crate::dataset::spaces::DATABASES;
use crate::store::Scan;
use crate::sync::plain::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// A number is good for so many times as long as it took to find it, and a second at least.
const GOOD_FOR: u32 = 100;
const LEAST: Duration = Duration::from_secs(1);

/// The last numbers.
#[derive(Debug, Default)]
pub(super) struct Counting([Mutex<Option<Counted>>; DATABASES as usize]);

#[derive(Debug, Clone, Copy)]
struct Counted {
    keys: u64,
    until: Instant,
}

impl Counting {
    /// How many keys a database had a moment ago. It may take long, and wait for a disk.
    pub(super) fn count(&self, data: &Dataset, database: u8) -> u64 {
        let Some(slot) = self.0.get(usize::from(database)) else { return 0 };
        // Held while counting: who else asks waits for the same number.
        let mut last = slot.lock();
        let began = Instant::now();
        if let Some(counted) = last.filter(|counted| began < counted.until) {
            return counted.keys;
        }
        let Ok(entries) = data.range(database, Scan::all()) else { return 0 };
        let keys = entries.take_while(Result::is_ok).count() as u64;
        *last = Some(Counted { keys, until: Instant::now() + LEAST.max(began.elapsed() * GOOD_FOR) });
        keys
    }
}
