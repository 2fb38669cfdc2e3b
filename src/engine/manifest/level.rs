//! One level of tables, and how a key finds its table.
//!
//! Level 0 holds what was flushed: its tables may overlap and are kept newest first. In every other level they are
//! sorted by key and disjoint, so at most one table can hold a key.
//!
//! Every get passes here, so a level keeps *fences* beside its tables: the first eight bytes of each largest and each
//! smallest key after the prefix that all keys of the level share, as numbers in two flat arrays. A search compares
//! numbers in one cache line after the other and looks at whole keys only where numbers tie.
//!
//! (L1) In level 0 tables stand by highest sequence number, then number, both descending; of two that share keys, all of
//!      one is newer than all of the other, so the first hit is the newest.
//! (L2) In the others every largest key is below the next table's smallest. Two tables that share a boundary key are
//!      refused as well: it would make every get look at two tables.
//! (L3) A level that would break this cannot be built; what was there before stays in force.

use crate::engine::key::{MAX_SEQ, common_prefix, head};
use crate::engine::sstable::summary::TableSummary;
use crate::planted::{Bug, planted};
use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

/// A table of a version: what is known of it, and the handle the read path reads it through.
#[derive(Debug)]
pub struct TableRef<H> {
    /// What is known of it without opening it.
    pub summary: TableSummary,
    /// How to read it. Opaque here.
    pub handle: H,
}

/// Why an edit does not lead from a version to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The level in question.
    pub level: usize,
    /// The table in question.
    pub table: u64,
    /// What is wrong with it there.
    pub why: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {} of level {}: {}", self.table, self.level, self.why)
    }
}

/// A range of engine keys.
pub type KeyRange<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// One level. Immutable; clones share everything.
#[derive(Debug)]
pub struct Level<H> {
    number: usize,
    tables: Arc<[Arc<TableRef<H>>]>,
    /// What the keys of all tables begin with.
    prefix: Arc<[u8]>,
    /// The heads of the largest keys after the prefix, in the order of the tables.
    largest: Arc<[u64]>,
    /// The heads of the smallest keys after the prefix, in the order of the tables.
    smallest: Arc<[u64]>,
    bytes: u64,
    entries: u64,
}

impl<H> Clone for Level<H> {
    fn clone(&self) -> Self {
        Level {
            number: self.number,
            tables: Arc::clone(&self.tables),
            prefix: Arc::clone(&self.prefix),
            largest: Arc::clone(&self.largest),
            smallest: Arc::clone(&self.smallest),
            bytes: self.bytes,
            entries: self.entries,
        }
    }
}

impl<H> Level<H> {
    /// Level `number` without tables.
    #[must_use]
    pub fn empty(number: usize) -> Level<H> {
        Level::fenced(number, Vec::new())
    }

    /// Level `number` with these tables, given in any order.
    ///
    /// # Errors
    /// [`Violation`] when a table makes no sense by itself, or L1 or L2 cannot hold.
    pub fn new(number: usize, mut tables: Vec<Arc<TableRef<H>>>) -> Result<Level<H>, Violation> {
        for table in &tables {
            check_summary(number, &table.summary)?;
        }
        match number {
            0 if planted(Bug::OldestTableFirst) => tables.sort_by_key(|t| t.summary.max_seq),
            0 => {
                tables.sort_by_key(|t| std::cmp::Reverse((t.summary.max_seq, t.summary.number)));
                check_newest_first(&tables)?;
            }
            _ => {
                tables.sort_by(|a, b| a.summary.smallest.cmp(&b.summary.smallest));
                check_disjoint(number, &tables)?;
            }
        }
        Ok(Level::fenced(number, tables))
    }

    fn fenced(number: usize, tables: Vec<Arc<TableRef<H>>>) -> Level<H> {
        let first = tables.iter().map(|t| t.summary.smallest.as_slice()).min().unwrap_or_default();
        let last = tables.iter().map(|t| t.summary.largest.as_slice()).max().unwrap_or_default();
        let skip = common_prefix(first, last);
        Level {
            number,
            prefix: first.get(..skip).unwrap_or_default().into(),
            largest: tables.iter().map(|t| head(&t.summary.largest, skip)).collect(),
            smallest: tables.iter().map(|t| head(&t.summary.smallest, skip)).collect(),
            bytes: tables.iter().map(|t| t.summary.len).fold(0, u64::saturating_add),
            entries: tables.iter().map(|t| t.summary.entries).fold(0, u64::saturating_add),
            tables: tables.into(),
        }
    }

    /// Its tables, in the order of L1 or L2.
    #[must_use]
    pub fn tables(&self) -> &[Arc<TableRef<H>>] {
        &self.tables
    }

    /// The length of all its files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many entries its tables have together.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// True when it has no table.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The one table that may hold `key`. Not for level 0.
    #[inline]
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Option<&Arc<TableRef<H>>> {
        debug_assert!(self.number > 0, "the tables of level 0 overlap");
        let head = self.head(key).ok()?;
        let at = self.first_not_below(key, head);
        self.at(at).filter(|table| self.begins_by(at, head, table, key))
    }

    /// The tables whose key range holds `key`, newest first. For level 0.
    #[inline]
    pub fn holding<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = &'a Arc<TableRef<H>>> {
        let head = self.head(key).ok();
        let tables = if head.is_some() { &self.tables[..] } else { &[] };
        let head = head.unwrap_or_default();
        tables
            .iter()
            .enumerate()
            .filter(move |(at, table)| {
                self.begins_by(*at, head, table, key) && self.ends_by(*at, head, table, key)
            })
            .map(|(_, table)| table)
    }

    /// How many tables lie wholly below `key`: the index of the table where a walk upwards from it begins. Not for
    /// level 0.
    #[must_use]
    pub fn lower_bound(&self, key: &[u8]) -> usize {
        match self.head(key) {
            Ok(head) => self.first_not_below(key, head),
            Err(outside) => outside,
        }
    }

    /// The tables that may hold a key of `range`, in the level's order.
    pub fn overlapping<'a>(&'a self, range: KeyRange<'a>) -> impl Iterator<Item = &'a Arc<TableRef<H>>> {
        let rest = match range.0 {
            Bound::Included(key) | Bound::Excluded(key) if self.number > 0 => self.lower_bound(key),
            _ => 0,
        };
        let mut tables = self.tables.get(rest..).unwrap_or_default();
        if self.number > 0 {
            let end = tables.partition_point(|t| begins_in(&t.summary, range.1));
            tables = tables.get(..end).unwrap_or_default();
        }
        tables.iter().filter(move |t| overlaps(&t.summary, range))
    }

    fn at(&self, index: usize) -> Option<&Arc<TableRef<H>>> {
        self.tables.get(index)
    }

    /// The head of `key`, or the index of the table it would stand before when the level's prefix already tells.
    #[inline]
    fn head(&self, key: &[u8]) -> Result<u64, usize> {
        let skip = self.prefix.len();
        match key.get(..skip).unwrap_or(key).cmp(&self.prefix) {
            Ordering::Less => Err(0),
            Ordering::Greater => Err(self.tables.len()),
            Ordering::Equal => Ok(head(key, skip)),
        }
    }

    /// The first table whose largest key is not below `key`: by heads, then by whole keys among those that tie.
    #[inline]
    fn first_not_below(&self, key: &[u8], head: u64) -> usize {
        let at = self.largest.partition_point(|h| *h < head);
        if self.largest.get(at) != Some(&head) {
            return at;
        }
        let ties = self.tables.get(at..).unwrap_or_default();
        let heads = self.largest.get(at..).unwrap_or_default();
        let ties = ties.get(..heads.partition_point(|h| *h == head)).unwrap_or_default();
        let passed =
            |largest: &[u8]| largest < key || (planted(Bug::LevelMissesLargestKey) && largest == key);
        at + ties.partition_point(|t| passed(&t.summary.largest))
    }

    #[inline]
    fn begins_by(&self, at: usize, head: u64, table: &TableRef<H>, key: &[u8]) -> bool {
        match self.smallest.get(at).map(|h| h.cmp(&head)) {
            Some(Ordering::Equal) => table.summary.smallest.as_slice() <= key,
            order => order == Some(Ordering::Less),
        }
    }

    #[inline]
    fn ends_by(&self, at: usize, head: u64, table: &TableRef<H>, key: &[u8]) -> bool {
        match self.largest.get(at).map(|h| h.cmp(&head)) {
            Some(Ordering::Equal) => table.summary.largest.as_slice() >= key,
            order => order == Some(Ordering::Greater),
        }
    }
}

/// True when the table may hold a key of `range`.
#[must_use]
pub fn overlaps(table: &TableSummary, range: KeyRange<'_>) -> bool {
    let reaches = match range.0 {
        Bound::Included(key) => table.largest.as_slice() >= key,
        Bound::Excluded(key) => table.largest.as_slice() > key,
        Bound::Unbounded => true,
    };
    reaches && begins_in(table, range.1)
}

fn begins_in(table: &TableSummary, end: Bound<&[u8]>) -> bool {
    match end {
        Bound::Included(key) => table.smallest.as_slice() <= key,
        Bound::Excluded(key) => table.smallest.as_slice() < key,
        Bound::Unbounded => true,
    }
}

fn check_summary(level: usize, table: &TableSummary) -> Result<(), Violation> {
    let wrong = |why| Err(Violation { level, table: table.number, why });
    if table.smallest > table.largest {
        return wrong("its smallest key is above its largest".into());
    }
    if table.min_seq > table.max_seq || table.max_seq > MAX_SEQ {
        return wrong(format!("it has sequence numbers {} to {}", table.min_seq, table.max_seq));
    }
    Ok(())
}

/// L1, given the order.
fn check_newest_first<H>(tables: &[Arc<TableRef<H>>]) -> Result<(), Violation> {
    for (at, newer) in tables.iter().enumerate() {
        let newer = &newer.summary;
        for older in tables.iter().skip(at + 1).map(|t| &t.summary) {
            let range =
                (Bound::Included(older.smallest.as_slice()), Bound::Included(older.largest.as_slice()));
            if newer.min_seq <= older.max_seq && overlaps(newer, range) {
                let why = format!(
                    "it shares keys with table {}, but neither is newer: sequence numbers {} to {}, and {} to {}",
                    older.number, newer.min_seq, newer.max_seq, older.min_seq, older.max_seq
                );
                return Err(Violation { level: 0, table: newer.number, why });
            }
        }
    }
    Ok(())
}

/// L2, given the order.
fn check_disjoint<H>(level: usize, tables: &[Arc<TableRef<H>>]) -> Result<(), Violation> {
    for (a, b) in tables.iter().zip(tables.iter().skip(1)) {
        let (a, b) = (&a.summary, &b.summary);
        if a.largest >= b.smallest {
            let why = format!(
                "it ends at \"{}\", but table {} begins at \"{}\"",
                a.largest.escape_ascii(),
                b.number,
                b.smallest.escape_ascii()
            );
            return Err(Violation { level, table: a.number, why });
        }
    }
    Ok(())
}
