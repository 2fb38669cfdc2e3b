//! Statistics as text for people.

use super::{Amplification, Stats};
use crate::engine::cache::CacheStats;
use std::fmt;

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_contents(f)?;
        self.fmt_work(f)?;
        self.fmt_amplification(f)?;
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
        for (reason, stall) in &self.stalls {
            write!(f, ", {reason} {} times {:.2} s", stall.times, stall.seconds)?;
        }
        writeln!(f)
    }

    /// What it costs.
    fn fmt_amplification(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Amplification { write, space, read } = self.amplification;
        write!(f, "amplification ")?;
        write.map_or(Ok(()), |write| write!(f, "{write:.1} times written, "))?;
        space.map_or(Ok(()), |space| write!(f, "{space:.2} times kept, "))?;
        writeln!(f, "{read} runs to look into")?;
        let CacheStats { hits, misses, .. } = self.cache;
        writeln!(f, "cache         {hits} hits, {misses} misses")?;
        writeln!(
            f,
            "log           {:.1} MiB needed, {:.1} MiB written",
            mib(self.log.bytes),
            mib(self.log.written_bytes)
        )
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
            let age = self.oldest_snapshot_seconds.unwrap_or(0.0);
            writeln!(
                f,
                "snapshots     {}, the oldest at sequence {oldest} for {age:.0} s or more",
                self.snapshots
            )?;
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
