//! The shape of the tree: how much lies in each level, and how much should.
//!
//! Levels fill from the bottom: what leaves level 0 goes to the *base level*, the last one at first. When the base level
//! holds more than `base_bytes`, the level above becomes the base, and so on up to level 1. So the last level holds about
//! nine tenths of the data whatever its amount, and a small database is one sorted run.
//!
//! ```text
//! size(i)   = size of the largest level / ratio ^ (6 - i)             what level i should hold, seen from the bottom
//! base      = the first level below 0 that has tables or, while size(base) > base_bytes, the one above
//! target(i) = max(size(i), base_bytes)                                 for base <= i; a larger one has a score above 1
//! ```
//!
//! (H1) Levels between 0 and the base level have no tables.

use crate::engine::manifest::LEVELS;
use crate::engine::manifest::version::Version;
use crate::engine::sstable::summary::TableSummary;
use crate::engine::tombstones::Fragments;
use std::ops::Range;

/// The last level.
pub const LAST: usize = LEVELS - 1;

/// What sizes the tree has.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Level 0 is merged down when it has this many tables.
    pub level0_trigger: usize,
    /// How long a table is made.
    pub table_bytes: u64,
    /// How many times larger a level is than the one above.
    pub level_ratio: u64,
    /// How much the base level may hold.
    pub base_bytes: u64,
    /// Space is scarce: what needs least of it at a time, rather than what saves most work.
    pub small_steps: bool,
}

/// The tables of a version, seen by the picker.
#[derive(Debug, Clone)]
pub struct Shape<'a> {
    levels: [Vec<&'a TableSummary>; LEVELS],
    oldest_snapshot: u64,
    entry_bytes: u64,
    expiry: Expiry,
    deleted: Option<&'a Fragments>,
    dropped: Option<&'a Fragments>,
}

/// Up to when what expires has expired for all readers, and how long it may stay after that; both in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expiry {
    /// Since 1970; 0 when nothing expires.
    pub horizon: u64,
    /// How long expired data may stay.
    pub lag: u64,
}

impl Expiry {
    /// Whether the table has held expired data for so many lags.
    #[must_use]
    pub fn is_due(&self, table: &TableSummary, lags: u64) -> bool {
        let since = table.min_expiry.saturating_add(self.lag.saturating_mul(lags));
        table.expiring > 0 && since <= self.horizon
    }
}

/// What each level should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Targets {
    /// Where tables of level 0 go.
    pub base: usize,
    /// The most each level from the base on should hold, in bytes.
    pub bytes: [u64; LEVELS],
}

impl<'a> Shape<'a> {
    /// The shape of `version`. `oldest_snapshot` is the lowest sequence number that a job started now must preserve:
    /// tombstones above it are not worth rewriting a table for.
    #[must_use]
    pub fn of<H>(version: &'a Version<H>, oldest_snapshot: u64) -> Shape<'a> {
        let mut levels = [const { Vec::new() }; LEVELS];
        for (tables, level) in levels.iter_mut().zip(version.levels()) {
            tables.extend(level.tables().iter().map(|t| &t.summary));
        }
        let deleted = Some(&**version.tombstones().fragments());
        Shape { deleted, ..Shape::new(levels, oldest_snapshot) }
    }

    /// The shape of these tables: level 0 newest first, the others by key.
    #[must_use]
    pub fn new(levels: [Vec<&'a TableSummary>; LEVELS], oldest_snapshot: u64) -> Shape<'a> {
        let all = || levels.iter().flatten();
        let entries: u64 = all().map(|t| t.entries).fold(0, u64::saturating_add);
        let raw: u64 = all().map(|t| t.raw_bytes).fold(0, u64::saturating_add);
        let entry_bytes = raw / entries.max(1);
        Shape {
            oldest_snapshot,
            entry_bytes,
            levels,
            expiry: Expiry::default(),
            deleted: None,
            dropped: None,
        }
    }

    /// The same tables, at a time at which some of what they hold has expired.
    #[must_use]
    pub fn at(self, expiry: Expiry) -> Shape<'a> {
        Shape { expiry, ..self }
    }

    /// What has expired.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// The same tables, with keys in these ranges that nobody can ask for.
    #[must_use]
    pub fn without(self, dropped: Option<&'a Fragments>) -> Shape<'a> {
        Shape { dropped, ..self }
    }

    /// Where keys lie that nobody can ask for.
    #[must_use]
    pub fn dropped(&self) -> Option<&'a Fragments> {
        self.dropped
    }

    /// The deletions of ranges that tables may need.
    #[must_use]
    pub fn deleted(&self) -> Option<&'a Fragments> {
        self.deleted
    }

    /// The tables of a level.
    #[must_use]
    pub fn level(&self, level: usize) -> &[&'a TableSummary] {
        self.levels.get(level).map(Vec::as_slice).unwrap_or_default()
    }

    /// The length of all files of a level.
    #[must_use]
    pub fn bytes(&self, level: usize) -> u64 {
        total(self.level(level))
    }

    /// The lowest sequence number that a job started now must preserve.
    #[must_use]
    pub fn oldest_snapshot(&self) -> u64 {
        self.oldest_snapshot
    }

    /// The deepest level below 0 that has tables, or the last when none has.
    #[must_use]
    pub fn floor(&self) -> usize {
        (1..LEVELS).rev().find(|n| !self.level(*n).is_empty()).unwrap_or(LAST)
    }

    /// The tables of a level below 0 that share a key with `low ..= high`, and those tied to them by a shared boundary key:
    /// such tables hold versions of one key and must travel together.
    #[must_use]
    pub fn span(&self, level: usize, low: &[u8], high: &[u8]) -> Range<usize> {
        let tables = self.level(level);
        let start = tables.partition_point(|t| t.largest.as_slice() < low);
        let end = tables.partition_point(|t| t.smallest.as_slice() <= high).max(start);
        if start == end {
            return start..end;
        }
        let tied = |(a, b): (&&TableSummary, &&TableSummary)| a.largest >= b.smallest;
        let pairs = || tables.iter().zip(tables.iter().skip(1));
        let before = pairs().take(start).rev().take_while(|pair| tied(*pair)).count();
        let after = pairs().skip(end - 1).take_while(|pair| tied(*pair)).count();
        start - before..end + after
    }

    /// What a table counts as: its length, and more when at least half of it are tombstones, for merging it sets space
    /// free below. A steady mix of writes and deletes changes nothing.
    #[must_use]
    pub fn weight(&self, table: &TableSummary) -> u64 {
        if !is_heavy(table) {
            return table.len;
        }
        let surplus = table.tombstones.saturating_mul(2).saturating_sub(table.entries);
        table.len.saturating_add(surplus.saturating_mul(self.entry_bytes).saturating_mul(2))
    }

    /// What each level should hold.
    #[must_use]
    pub fn targets(&self, config: &Config) -> Targets {
        let ratio = config.level_ratio.max(2);
        let first = (1..LEVELS).find(|n| !self.level(*n).is_empty()).unwrap_or(LAST);
        let mut size = (1..LEVELS).map(|n| self.bytes(n)).max().unwrap_or(0);
        for _ in first..LAST {
            size /= ratio;
        }
        let mut base = first;
        while base > 1 && size > config.base_bytes {
            base -= 1;
            size /= ratio;
        }
        let mut bytes = [u64::MAX; LEVELS];
        for slot in bytes.iter_mut().skip(base) {
            *slot = size.max(config.base_bytes).max(1);
            size = size.saturating_mul(ratio);
        }
        Targets { base, bytes }
    }

    /// How many times its target a level holds; 0 for levels that nothing leaves.
    #[must_use]
    pub fn score(&self, targets: &Targets, level: usize) -> f64 {
        let weight: u64 = self.level(level).iter().map(|t| self.weight(t)).fold(0, u64::saturating_add);
        match targets.bytes.get(level) {
            Some(target) if (targets.base..LAST).contains(&level) => weight as f64 / *target as f64,
            _ => 0.0,
        }
    }

    /// How many bytes compaction would have to write, about, until level 0 is empty and no level is above its target.
    ///
    /// Bytes leaving a level take with them what they meet below, as many bytes for each as the level below is larger.
    /// Level 0 counts from its first table on, the base level with it in proportion to the trigger: nothing here jumps,
    /// so that a throttle computed from it does not either.
    #[must_use]
    pub fn debt(&self, config: &Config) -> u64 {
        let targets = self.targets(config);
        let level0 = self.bytes(0) as f64;
        let trigger = config.level0_trigger.max(1) as f64;
        let rewritten = (self.level(0).len() as f64 / trigger).min(1.0) * self.bytes(targets.base) as f64;
        let mut debt = level0 + rewritten;
        let mut incoming = level0;
        for (level, target) in targets.bytes.iter().enumerate().take(LAST).skip(targets.base) {
            let size = self.bytes(level) as f64 + incoming;
            incoming = (size - *target as f64).max(0.0);
            debt += incoming * (1.0 + self.bytes(level + 1) as f64 / size.max(1.0));
        }
        debt as u64
    }
}

/// True when at least half of a table's entries are tombstones.
#[must_use]
pub fn is_heavy(table: &TableSummary) -> bool {
    table.tombstones > 0 && table.tombstones.saturating_mul(2) >= table.entries
}

/// True when two tables share a key, or may.
#[must_use]
pub fn share_keys(a: &TableSummary, b: &TableSummary) -> bool {
    a.smallest <= b.largest && b.smallest <= a.largest
}

/// The length of all these files.
#[must_use]
pub fn total(tables: &[&TableSummary]) -> u64 {
    tables.iter().map(|t| t.len).fold(0, u64::saturating_add)
}
