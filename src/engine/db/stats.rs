//! Numbers that answer "how full, how busy, why slow".

use super::compact::debt;
use super::inner::Inner;
use super::troubles::{Trouble, Work};
use crate::engine::memory::Use;
use crate::engine::read::SuperVersion;
use crate::sync::atomic::{AtomicU64, Ordering};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
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
    /// Seconds that writes were slowed down.
    pub slowed_seconds: f64,
    /// Seconds that writes stood still, by reason.
    pub stalled_seconds: BTreeMap<&'static str, f64>,
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
    /// The numbers of this moment.
    pub fn stats(&self) -> Stats {
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
            stalled_seconds: c.stalls.lock().iter().map(|(k, v)| (*k, v.as_secs_f64())).collect(),
            longest_stall_seconds: c.longest_stall.lock().as_secs_f64(),
            expiring: view.version.tables().map(|(_, t)| t.summary.expiring).sum(),
            expiry_lag_seconds: self.expiry_lag(&view).as_secs_f64(),
            range_tombstones: view.range_tombstones(),
            snapshots,
            oldest_snapshot,
            read_only: self.why_read_only(),
            disk_full: self.want_of_space(),
            failing: self.troubles.failing(),
            last_background_error: self.troubles.last(),
        }
    }
}

impl Inner {
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

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_contents(f)?;
        self.fmt_work(f)?;
        self.fmt_troubles(f)
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl Stats {
    /// What there is: levels, entries, memory.
    fn fmt_contents(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "level  tables       MiB      entries    deletions")?;
        for l in &self.levels {
            writeln!(
                f,
                "{:>5} {:>7} {:>9.1} {:>12} {:>12}",
                l.level,
                l.tables,
                mib(l.bytes),
                l.entries,
                l.deletions
            )?;
        }
        writeln!(
            f,
            "tables        {:.1} MiB on disk for {:.1} MiB of keys and values",
            mib(self.table_bytes),
            mib(self.raw_bytes)
        )?;
        writeln!(f, "entries       {} (superseded versions and deletions included)", self.entries)?;
        writeln!(f, "sequence      {}", self.last_sequence)?;
        writeln!(f, "write buffers {} with {:.1} MiB", self.buffers, mib(self.buffer_bytes as u64))?;
        let m = &self.memory;
        let parts = [m.cache_bytes, m.table_bytes, m.log_bytes, m.work_bytes].map(|bytes| mib(bytes as u64));
        let [cache, tables, log, work] = parts;
        let (used, budget) = (mib(m.used_bytes() as u64), mib(m.budget_bytes as u64));
        writeln!(
            f,
            "memory        {used:.1} of {budget:.1} MiB: cache {cache:.1}, tables {tables:.1}, log {log:.1}, work {work:.1}, write buffers the rest"
        )
    }

    /// What was done in the background, and what writers felt of it.
    fn fmt_work(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "flushes       {} wrote {:.1} MiB in {:.2} s",
            self.flushes,
            mib(self.flushed_bytes),
            self.flush_seconds
        )?;
        writeln!(
            f,
            "compactions   {} read {:.1} MiB and wrote {:.1} MiB in {:.2} s; {:.1} MiB owed",
            self.compactions,
            mib(self.compaction_read_bytes),
            mib(self.compaction_written_bytes),
            self.compaction_seconds,
            mib(self.compaction_debt_bytes)
        )?;
        write!(
            f,
            "writes        slowed {:.2} s, longest stall {:.3} s",
            self.slowed_seconds, self.longest_stall_seconds
        )?;
        for (reason, seconds) in &self.stalled_seconds {
            write!(f, ", {reason} {seconds:.2} s")?;
        }
        writeln!(f)
    }

    /// What holds space, or keeps writes from going on; nothing when there is none of it.
    fn fmt_troubles(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.expiry_lag_seconds > 0.0 {
            writeln!(
                f,
                "expired       the earliest {:.1} s ago, not cleared away yet",
                self.expiry_lag_seconds
            )?;
        }
        if self.range_tombstones > 0 {
            writeln!(f, "range deletes {} that reads look at", self.range_tombstones)?;
        }
        if let Some(oldest) = self.oldest_snapshot {
            writeln!(f, "snapshots     {}, the oldest at sequence {oldest}", self.snapshots)?;
        }
        if let Some(cause) = &self.read_only {
            writeln!(f, "READ-ONLY     {cause}")?;
        }
        if let Some(cause) = &self.disk_full {
            writeln!(f, "DISK FULL     only deletions are taken: {cause}")?;
        }
        for (work, trouble) in &self.failing {
            writeln!(f, "FAILING       {work}, {} times: {trouble}", trouble.times)?;
        }
        if let Some(error) = self.last_background_error.as_ref().filter(|_| self.failing.is_empty()) {
            writeln!(f, "last background error: {error}")?;
        }
        Ok(())
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
