//! What happened since the database was opened, counted where it happens.

use crate::error::StallReason;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::time::Duration;

/// The counters. None of these is touched by a put or a get.
#[derive(Debug, Default)]
pub struct Counters {
    pub flushes: AtomicU64,
    pub flushed_bytes: AtomicU64,
    pub flush_nanos: AtomicU64,
    pub compactions: AtomicU64,
    pub compaction_read: AtomicU64,
    pub compaction_written: AtomicU64,
    pub compaction_nanos: AtomicU64,
    pub slowed_nanos: AtomicU64,
    pub stalls: Mutex<BTreeMap<&'static str, Duration>>,
    pub longest_stall: Mutex<Duration>,
}

impl Counters {
    pub fn flushed(&self, bytes: u64, took: Duration) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.flushed_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.flush_nanos.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    pub fn compacted(&self, read: u64, written: u64, took: Duration) {
        self.compactions.fetch_add(1, Ordering::Relaxed);
        self.compaction_read.fetch_add(read, Ordering::Relaxed);
        self.compaction_written.fetch_add(written, Ordering::Relaxed);
        self.compaction_nanos.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    pub fn slowed(&self, nap: Duration) {
        self.slowed_nanos.fetch_add(nap.as_nanos() as u64, Ordering::Relaxed);
    }

    pub fn stalled(&self, reason: StallReason, time: Duration) {
        let name = match reason {
            StallReason::WriteBuffersFull => "write_buffers_full",
            StallReason::Level0Full => "level0_full",
            StallReason::CompactionDebt => "compaction_debt",
            StallReason::LogSegment => "log_segment",
        };
        *self.stalls.lock().entry(name).or_default() += time;
        let mut longest = self.longest_stall.lock();
        *longest = time.max(*longest);
    }
}
