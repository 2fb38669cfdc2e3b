//! Statistics in Prometheus' text exposition format, version 0.0.4.
//!
//! ```text
//! # HELP siltstone_level_bytes Bytes of the tables of a level.
//! # TYPE siltstone_level_bytes gauge
//! siltstone_level_bytes{level="0"} 4096
//! ```
//!
//! (X1) A family has its two lines once, then its samples. One without samples is left out.
//! (X2) Units are in the names, base units only: `_bytes`, `_seconds`; what only grows until the next open ends with `_total`.

use super::{LevelStats, Stats};
use std::fmt::{self, Display, Write};

/// Text in the making.
struct Page(String);

/// What a family's samples are.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Gauge,
    Counter,
}

use Kind::{Counter, Gauge};

/// The value of a label, with what would end it taken its meaning.
struct Label<'a>(&'a str);

impl Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            other => f.write_char(other),
        })
    }
}

impl Page {
    /// A family with labels: name without `siltstone_`, what it is, and the samples, each with its labels.
    fn family<V: Display>(
        &mut self,
        (name, kind, help): (&str, Kind, &str),
        samples: impl IntoIterator<Item = (Vec<(&'static str, String)>, V)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let kind = match kind {
            Gauge => "gauge",
            Counter => "counter",
        };
        self.put(format_args!(
            "# HELP siltstone_{name} {help}\n# TYPE siltstone_{name} {kind}\nsiltstone_{name}"
        ));
        for (index, (labels, value)) in samples.enumerate() {
            if index > 0 {
                self.put(format_args!("siltstone_{name}"));
            }
            for (index, (label, value)) in labels.iter().enumerate() {
                let before = if index == 0 { '{' } else { ',' };
                self.put(format_args!("{before}{label}=\"{}\"", Label(value)));
            }
            let end = if labels.is_empty() { "" } else { "}" };
            self.put(format_args!("{end} {value}\n"));
        }
    }

    /// A family of one sample without labels.
    fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.family((name, kind, help), [(Vec::new(), value)]);
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.0.write_fmt(text);
    }
}

fn labels<const N: usize>(pairs: [(&'static str, &str); N]) -> Vec<(&'static str, String)> {
    pairs.into_iter().map(|(name, value)| (name, value.to_string())).collect()
}

impl Stats {
    /// The same numbers in the text format that Prometheus scrapes (exposition format 0.0.4, `text/plain; version=0.0.4`).
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = siltstone::Db::open(folder.path().join("db"))?;
    /// db.put("key", "value")?;
    /// let text = db.stats().prometheus();
    /// assert!(text.contains("# TYPE siltstone_sequence gauge\nsiltstone_sequence 1\n"));
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut page = Page(String::with_capacity(8 << 10));
        self.levels_on(&mut page);
        self.contents_on(&mut page);
        self.memory_on(&mut page);
        self.work_on(&mut page);
        self.waits_on(&mut page);
        self.readers_on(&mut page);
        self.health_on(&mut page);
        page.0
    }

    fn levels_on(&self, page: &mut Page) {
        type Number = fn(&LevelStats) -> u64;
        let families: [(&str, &str, Number); 4] = [
            ("level_tables", "Tables of a level.", |l| l.tables as u64),
            ("level_bytes", "Bytes of the tables of a level.", |l| l.bytes),
            ("level_entries", "Entries in a level: values, deletions and superseded versions.", |l| {
                l.entries
            }),
            ("level_deletions", "Deletions among the entries of a level.", |l| l.deletions),
        ];
        for (name, help, number) in families {
            let sample = |level: &LevelStats| (labels([("level", &level.level.to_string())]), number(level));
            page.family((name, Gauge, help), self.levels.iter().map(sample));
        }
    }

    fn contents_on(&self, page: &mut Page) {
        page.one("table_bytes", Gauge, "Bytes of all tables on disk.", self.table_bytes);
        page.one(
            "table_raw_bytes",
            Gauge,
            "Bytes of keys and values in tables, uncompressed.",
            self.raw_bytes,
        );
        page.one("entries", Gauge, "Entries in tables and write buffers.", self.entries);
        page.one("sequence", Gauge, "The sequence number of the last write.", self.last_sequence);
        page.one("log_bytes", Gauge, "Bytes of log that an open would read after a crash.", self.log.bytes);
        page.one("log_written_bytes_total", Counter, "Bytes written to the log.", self.log.written_bytes);
        page.one("written_bytes_total", Counter, "Bytes of batches that were written.", self.written_bytes);
        let a = &self.amplification;
        let ratios = [("write", a.write), ("space", a.space), ("read", Some(a.read as f64))];
        let samples = ratios.into_iter().filter_map(|(kind, ratio)| Some((labels([("kind", kind)]), ratio?)));
        page.family(
            ("amplification_ratio", Gauge, "What is written, kept and looked at for what was asked."),
            samples,
        );
    }

    fn memory_on(&self, page: &mut Page) {
        let m = &self.memory;
        page.one("memory_budget_bytes", Gauge, "The memory budget.", m.budget_bytes);
        let parts = [
            ("write_buffers", m.write_buffer_bytes),
            ("cache", m.cache_bytes),
            ("tables", m.table_bytes),
            ("log", m.log_bytes),
            ("work", m.work_bytes),
        ];
        let samples = parts.into_iter().map(|(part, bytes)| (labels([("use", part)]), bytes));
        page.family(("memory_bytes", Gauge, "Memory held, by use."), samples);
        page.one("write_buffers", Gauge, "Write buffers, the active one included.", self.buffers);
        let c = &self.cache;
        page.one("cache_limit_bytes", Gauge, "What the block cache may hold at the moment.", c.limit);
        page.one("cache_hits_total", Counter, "Blocks found in the cache.", c.hits);
        page.one("cache_misses_total", Counter, "Blocks not found in the cache.", c.misses);
        page.one("cache_inserts_total", Counter, "Blocks put into the cache.", c.inserts);
        page.one("cache_evictions_total", Counter, "Blocks that made room for others.", c.evictions);
    }

    fn work_on(&self, page: &mut Page) {
        page.one("flushes_total", Counter, "Flushes of write buffers.", self.flushes);
        page.one("flush_written_bytes_total", Counter, "Bytes written by flushes.", self.flushed_bytes);
        page.one("flush_seconds_total", Counter, "Time spent flushing.", self.flush_seconds);
        page.one("compactions_total", Counter, "Compactions that merged tables.", self.compactions);
        page.one(
            "compaction_read_bytes_total",
            Counter,
            "Bytes read by compactions.",
            self.compaction_read_bytes,
        );
        let written = self.compaction_written_bytes;
        page.one("compaction_written_bytes_total", Counter, "Bytes written by compactions.", written);
        page.one("compaction_seconds_total", Counter, "Time spent in compactions.", self.compaction_seconds);
        page.one("compaction_running", Gauge, "1 while a compaction is running.", u8::from(self.compacting));
        page.one("compaction_debt_bytes", Gauge, "Bytes that compaction owes.", self.compaction_debt_bytes);
    }

    fn waits_on(&self, page: &mut Page) {
        let reason = |reason: &&'static str| labels([("reason", reason)]);
        let stalls = self.stalls.iter().map(|(why, stall)| (reason(why), stall.times));
        page.family(("stalls_total", Counter, "Waits of writes, by reason."), stalls);
        let stalls = self.stalls.iter().map(|(why, stall)| (reason(why), stall.seconds));
        page.family(("stall_seconds_total", Counter, "Time that writes stood still, by reason."), stalls);
        let now = self.stalled.iter().map(|why| (reason(why), 1));
        page.family(("stalled", Gauge, "1 while writes stand still, by reason."), now);
        let longest = self.longest_stall_seconds;
        page.one("longest_stall_seconds", Gauge, "The longest single stand-still of a write.", longest);
        page.one("slowed_seconds_total", Counter, "Time that writes were slowed down.", self.slowed_seconds);
    }

    fn readers_on(&self, page: &mut Page) {
        page.one("expiring_entries", Gauge, "Entries in tables that have an expiry.", self.expiring);
        let lag = self.expiry_lag_seconds;
        page.one(
            "expiry_lag_seconds",
            Gauge,
            "How long the earliest expiry that is still there is over.",
            lag,
        );
        page.one("snapshots", Gauge, "Live snapshots.", self.snapshots);
        let oldest = self.oldest_snapshot.map(|sequence| (Vec::new(), sequence));
        page.family(("oldest_snapshot_sequence", Gauge, "What the oldest snapshot reads at."), oldest);
        let age = self.oldest_snapshot_seconds.map(|seconds| (Vec::new(), seconds));
        page.family(("oldest_snapshot_age_seconds", Gauge, "How old the oldest snapshot is."), age);
    }

    fn health_on(&self, page: &mut Page) {
        let r = &self.recovery;
        page.one("recovery_clean", Gauge, "1 when the last close was clean.", u8::from(r.clean));
        page.one("recovery_seconds", Gauge, "How long opening took.", r.took.as_secs_f64());
        page.one("recovery_log_bytes", Gauge, "Bytes of log that opening read.", r.log_bytes);
        page.one("recovery_batches", Gauge, "Batches that opening read from the log.", r.batches);
        page.one("recovery_cuts", Gauge, "Pieces of log or manifest that opening left out.", r.cuts.len());
        let causes =
            [("read_only", "no writes", &self.read_only), ("disk_full", "only deletions", &self.disk_full)];
        for (name, taken, trouble) in causes {
            let sample = match trouble {
                Some(trouble) => (labels([("cause", &trouble.to_string())]), 1),
                None => (Vec::new(), 0),
            };
            page.family((name, Gauge, &format!("1 while {taken} are taken.")), [sample]);
        }
        let failing = self.failing.iter().map(|(work, trouble)| {
            (labels([("work", &work.to_string()), ("error", trouble.error.kind())]), trouble.times)
        });
        page.family(
            ("background_failures", Gauge, "Tries of background work that fails at present."),
            failing,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out() {
        let mut page = Page(String::new());
        let nasty = "a \"b\" \\ c\nd # {}";
        page.family(("n", Gauge, "Help."), [(labels([("x", nasty), ("y", "")]), 1), (Vec::new(), 2)]);
        page.family(("none", Gauge, "Help."), Vec::<(Vec<(&'static str, String)>, u8)>::new());
        page.one("m_total", Counter, "More.", 0.5);
        let expected = "# HELP siltstone_n Help.\n# TYPE siltstone_n gauge\n\
            siltstone_n{x=\"a \\\"b\\\" \\\\ c\\nd # {}\",y=\"\"} 1\nsiltstone_n 2\n\
            # HELP siltstone_m_total More.\n# TYPE siltstone_m_total counter\nsiltstone_m_total 0.5\n";
        assert_eq!(page.0, expected);
    }
}
