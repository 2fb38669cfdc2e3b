//! What happened since the database was opened, counted where it happens.

use crate::error::StallReason;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::time::Duration;

/// The counters. None of these is touched by a get; a write stores two of them, under the commit lock and with no other writer.
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
    pub written: AtomicU64,
    pub log_position: AtomicU64,
    /// Where the log ended when the database was opened.
    pub log_begun: AtomicU64,
    pub stalls: Mutex<BTreeMap<&'static str, StallStats>>,
    pub longest_stall: Mutex<Duration>,
}

impl Counters {
    /// Nothing yet; the log ends at `position`.
    pub fn since(position: u64) -> Counters {
        Counters { log_position: position.into(), log_begun: position.into(), ..Counters::default() }
    }

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

    /// A batch of so many bytes is in the log, which ends at `position` now. Under the commit lock.
    #[inline]
    pub fn wrote(&self, bytes: usize, position: u64) {
        self.written.store(self.written.load(Ordering::Relaxed) + bytes as u64, Ordering::Relaxed);
        self.log_position.store(position, Ordering::Relaxed);
    }

    pub fn slowed(&self, nap: Duration) {
        self.slowed_nanos.fetch_add(nap.as_nanos() as u64, Ordering::Relaxed);
    }

    /// A write, or all tasks that wait to write, stood still for so long.
    pub fn stalled(&self, reason: StallReason, time: Duration) {
        let mut stalls = self.stalls.lock();
        let stall = stalls.entry(name(reason)).or_default();
        stall.times += 1;
        stall.seconds += time.as_secs_f64();
        let mut longest = self.longest_stall.lock();
        *longest = time.max(*longest);
    }
}

/// Writes that stood still for one reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct StallStats {
    /// How many did.
    pub times: u64,
    /// How long, all of them together.
    pub seconds: f64,
}

/// What a reason is called in statistics.
pub fn name(reason: StallReason) -> &'static str {
    match reason {
        StallReason::WriteBuffersFull => "write_buffers_full",
        StallReason::Level0Full => "level0_full",
        StallReason::CompactionDebt => "compaction_debt",
        StallReason::LogSegment => "log_segment",
    }
}
