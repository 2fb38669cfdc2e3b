//! Numbers that answer "how full, how busy, why slow". As text for people in [`text`], for Prometheus in
//! [`prometheus`].

mod prometheus;
mod text;

use super::compact::debt;
use super::counters::{StallStats, name};
use super::inner::Inner;
use super::open::RecoveryReport;
use super::troubles::Trouble;
use crate::engine::cache::CacheStats;
use crate::engine::event::Work;
use crate::engine::memory::Use;
use crate::engine::read::SuperVersion;
use crate::sync::atomic::{AtomicU64, Ordering};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// One level of the tree.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LevelStats {
    /// Its number; 0 holds what was flushed last.
    pub level: usize,
    /// How many tables it has.
    pub tables: usize,
    /// Their bytes on disk.
    pub bytes: u64,
    /// Their entries: values, deletions and superseded versions.
    pub entries: u64,
    /// How many of them are deletions.
    pub deletions: u64,
}

/// The log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LogStats {
    /// Bytes that an open would read after a crash now: of what is in write buffers.
    pub bytes: u64,
    /// Bytes written since open.
    pub written_bytes: u64,
}

/// How many times more is done, kept and looked at than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Amplification {
    /// Bytes written to log and tables for each byte of batches, since open; `None` before the first write.
    pub write: Option<f64>,
    /// Bytes of all tables for each of the deepest level: what there is beside the one place that everything comes to. `None`
    /// without tables.
    pub space: Option<f64>,
    /// How many sorted runs a read of an absent key has to ask, filters included: write buffers, tables of level 0, other levels.
    pub read: usize,
}

/// Memory by use. All of it counts against [`Options::memory_budget`](crate::Options::memory_budget).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemoryStats {
    /// The budget.
    pub budget_bytes: usize,
    /// Write buffers, those included that only iterators keep.
    pub write_buffer_bytes: usize,
    /// Blocks in the cache.
    pub cache_bytes: usize,
    /// Indexes and filters of open tables, and what is known of the others.
    pub table_bytes: usize,
    /// The log's buffer.
    pub log_bytes: usize,
    /// What flush and compaction take at the moment.
    pub work_bytes: usize,
}

impl MemoryStats {
    /// All of it.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.write_buffer_bytes + self.cache_bytes + self.table_bytes + self.log_bytes + self.work_bytes
    }
}

/// The state of a database, for people and for monitoring. Serialises to JSON; prints as text.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// The levels that hold tables.
    pub levels: Vec<LevelStats>,
    /// Bytes of all tables on disk.
    pub table_bytes: u64,
    /// Bytes of keys and values in them, uncompressed.
    pub raw_bytes: u64,
    /// Entries in tables and write buffers, superseded versions and deletions included.
    pub entries: u64,
    /// The sequence number of the last write.
    pub last_sequence: u64,
    /// Write buffers, the active one included.
    pub buffers: usize,
    /// Bytes they hold in memory.
    pub buffer_bytes: usize,
    /// Memory by use, against the budget.
    pub memory: MemoryStats,
    /// The block cache.
    pub cache: CacheStats,
    /// Flushes since open, bytes they wrote, seconds they took.
    pub flushes: u64,
    /// Bytes written by flushes.
    pub flushed_bytes: u64,
    /// Seconds spent flushing.
    pub flush_seconds: f64,
    /// Compactions since open, trivial moves not counted.
    pub compactions: u64,
    /// Bytes read by them.
    pub compaction_read_bytes: u64,
    /// Bytes written by them.
    pub compaction_written_bytes: u64,
    /// Seconds spent in them.
    pub compaction_seconds: f64,
    /// True while a compaction is running.
    pub compacting: bool,
    /// Bytes that compaction owes.
    pub compaction_debt_bytes: u64,
    /// The log.
    pub log: LogStats,
    /// Bytes of batches written since open.
    pub written_bytes: u64,
    /// What it costs that all this is so.
    pub amplification: Amplification,
    /// Seconds that writes were slowed down.
    pub slowed_seconds: f64,
    /// Writes that stood still, by reason; tasks that wait for room together count as one.
    pub stalls: BTreeMap<&'static str, StallStats>,
    /// Why writes stand still at the moment, if they do.
    pub stalled: Option<&'static str>,
    /// The longest single stand-still, in seconds.
    pub longest_stall_seconds: f64,
    /// Entries in tables that have an expiry, expired or not.
    pub expiring: u64,
    /// How long ago the earliest expiry was that is still on disk or in a buffer, in seconds; 0 when nothing has expired.
    pub expiry_lag_seconds: f64,
    /// Deletions of ranges that reads still have to look at: in write buffers, and those that tables need.
    pub range_tombstones: usize,
    /// Live snapshots.
    pub snapshots: usize,
    /// The oldest one's sequence number.
    pub oldest_snapshot: Option<u64>,
    /// How old it is at least, in seconds: since when these numbers, a flush or a compaction have met it.
    pub oldest_snapshot_seconds: Option<f64>,
    /// What opening found.
    pub recovery: RecoveryReport,
    /// Why the database is read-only, if it is, and since when.
    pub read_only: Option<Trouble>,
    /// Why only deletions are taken, if that is so, and since when: the disk is full.
    pub disk_full: Option<Trouble>,
    /// Background work that fails at present. It is tried again until it succeeds.
    pub failing: BTreeMap<Work, Trouble>,
    /// The last error of background work, whether or not it has passed.
    pub last_background_error: Option<Trouble>,
}

/// A sum of numbers that a manifest says, whatever they are.
fn total(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

impl Inner {
    /// The numbers of this moment, and what opening found.
    pub fn stats(&self, recovery: &RecoveryReport) -> Stats {
        let oldest_snapshot_age = self.snapshots.note(self.options.clock.monotonic());
        let view = self.super_version.load();
        let levels: Vec<LevelStats> = (view.version.levels().iter().enumerate())
            .map(|(level, tables)| LevelStats {
                level,
                tables: tables.tables().len(),
                bytes: tables.bytes(),
                entries: tables.entries(),
                deletions: total(tables.tables().iter().map(|t| t.summary.tombstones)),
            })
            .filter(|l| l.tables > 0)
            .collect();
        let buffers = || std::iter::once(&view.active).chain(&view.sealed);
        let count = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let seconds = |n: &AtomicU64| Duration::from_nanos(n.load(Ordering::Relaxed)).as_secs_f64();
        let c = &self.counters;
        let (snapshots, oldest_snapshot) = self.snapshots.summary();
        Stats {
            table_bytes: view.version.bytes(),
            raw_bytes: total(view.version.tables().map(|(_, t)| t.summary.raw_bytes)),
            entries: view.version.entries().saturating_add(buffers().map(|m| m.entries()).sum()),
            levels,
            last_sequence: self.visible.0.load(Ordering::Acquire),
            buffers: buffers().count(),
            buffer_bytes: buffers().map(|m| m.bytes()).sum(),
            memory: self.memory_stats(),
            cache: self.cache.stats(),
            flushes: count(&c.flushes),
            flushed_bytes: count(&c.flushed_bytes),
            flush_seconds: seconds(&c.flush_nanos),
            compactions: count(&c.compactions),
            compaction_read_bytes: count(&c.compaction_read),
            compaction_written_bytes: count(&c.compaction_written),
            compaction_seconds: seconds(&c.compaction_nanos),
            compacting: self.compacting.is_locked(),
            compaction_debt_bytes: debt(&view.version, &self.options),
            slowed_seconds: seconds(&c.slowed_nanos),
            log: self.log_stats(),
            written_bytes: count(&c.written),
            amplification: self.amplification(&view),
            stalls: c.stalls.lock().clone(),
            stalled: self.events.stalled().map(name),
            longest_stall_seconds: c.longest_stall.lock().as_secs_f64(),
            expiring: view.version.tables().map(|(_, t)| t.summary.expiring).sum(),
            expiry_lag_seconds: self.expiry_lag(&view).as_secs_f64(),
            range_tombstones: view.range_tombstones(),
            snapshots,
            oldest_snapshot,
            oldest_snapshot_seconds: oldest_snapshot_age.map(|age| age.as_secs_f64()),
            recovery: recovery.clone(),
            read_only: self.why_read_only(),
            disk_full: self.want_of_space(),
            failing: self.troubles.failing(),
            last_background_error: self.troubles.last(),
        }
    }
}

impl Inner {
    fn log_stats(&self) -> LogStats {
        let begins = {
            let buffers = self.buffers.lock();
            buffers.sealed.front().map_or(buffers.active, |(_, begun)| *begun).base
        };
        let ends = self.counters.log_position.load(Ordering::Relaxed);
        let before = self.counters.log_begun.load(Ordering::Relaxed);
        LogStats { bytes: ends.saturating_sub(begins), written_bytes: ends.saturating_sub(before) }
    }

    fn amplification(&self, view: &SuperVersion) -> Amplification {
        let ratio = |all: u64, of: u64| (of > 0).then(|| all as f64 / of as f64);
        let c = &self.counters;
        let written = [&c.flushed_bytes, &c.compaction_written].map(|n| n.load(Ordering::Relaxed));
        let written = total(written.into_iter().chain([self.log_stats().written_bytes]));
        let [level0, deeper @ ..] = view.version.levels();
        let deepest = view.version.levels().iter().rev().find(|level| !level.is_empty());
        Amplification {
            write: ratio(written, c.written.load(Ordering::Relaxed)),
            space: deepest.and_then(|deepest| ratio(view.version.bytes(), deepest.bytes())),
            read: 1
                + view.sealed.len()
                + level0.tables().len()
                + deeper.iter().filter(|level| !level.is_empty()).count(),
        }
    }

    fn memory_stats(&self) -> MemoryStats {
        MemoryStats {
            budget_bytes: self.memory.budget(),
            write_buffer_bytes: self.memory.used(Use::Buffers),
            cache_bytes: self.cache.stats().bytes,
            table_bytes: self.memory.used(Use::Tables),
            log_bytes: self.memory.used(Use::Log),
            work_bytes: self.memory.used(Use::Work),
        }
    }

    /// How long ago the earliest expiry was that is still there.
    fn expiry_lag(&self, view: &SuperVersion) -> Duration {
        let of_tables = view.version.tables().map(|(_, t)| &t.summary).filter(|t| t.expiring > 0);
        let of_buffers = std::iter::once(&view.active).chain(&view.sealed).filter_map(|m| m.min_expiry());
        let earliest = of_tables.map(|t| t.min_expiry).chain(of_buffers).min();
        Duration::from_millis(earliest.map_or(0, |earliest| self.now().saturating_sub(earliest)))
    }
}

#[cfg(test)]
mod tests {
    /// Found by fuzzing: a manifest may say any number of two tables, and their sum did not fit.
    #[test]
    fn totals_do_not_overflow() {
        assert_eq!(super::total([1, 2].into_iter()), 3);
        assert_eq!(super::total([u64::MAX, 1].into_iter()), u64::MAX);
    }
}
