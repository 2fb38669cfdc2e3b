//! Names for documents that have none: UUIDs of version 4.
//!
//! (N1) 128 random bits, taken once, and a counter make the names of one opening, through a hash. So they differ from each other as
//!      random ones do, and none costs a call of the operating system.

use crate::sync::plain::atomic::{AtomicU64, Ordering};
use crate::vfs::Clock;
use uuid::Builder;
use xxhash_rust::xxh3::xxh3_128;

/// Makes names.
#[derive(Debug)]
pub(super) struct Names {
    secret: [u64; 2],
    count: AtomicU64,
}

impl Names {
    pub(super) fn new(clock: &dyn Clock) -> Names {
        Names { secret: [clock.random(), clock.random()], count: AtomicU64::new(0) }
    }

    /// One that there was not yet.
    pub(super) fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let [one, other] = self.secret;
        let bytes = [one, other, count].map(u64::to_le_bytes);
        let random = xxh3_128(bytes.as_flattened());
        Builder::from_random_bytes(random.to_le_bytes()).into_uuid().to_string()
    }
}
