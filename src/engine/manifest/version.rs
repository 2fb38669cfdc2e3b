//! Which tables are in force: seven levels, immutable.
//!
//! Readers hold a version and are never disturbed; an [`Edit`] makes the next one, which shares every level and every
//! table the edit does not name.
//!
//! (N1) No table stands in a version twice, in whatever levels.
//! (N2) An edit that names a table to remove which is not there, adds one that is, or breaks the order of a level makes no
//!      version at all. What is in force is never a guess.
//! (N3) A table that an edit removes from one level and adds to another keeps its handle: a move opens nothing.
//! (N4) The deletions of ranges that tables may need are part of a version: an entry is gone for a reader of the version when one
//!      of them covers it that is newer than the entry and not newer than the reader. A version has all up to `flushed`.

pub use super::level::Violation;

use super::LEVELS;
use super::edit::Edit;
use super::level::{Level, TableRef};
use crate::engine::sstable::summary::TableSummary;
use crate::engine::tombstones::{Fragments, Tombstone};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The tables in force at some moment. `H` is the handle that tables are read through.
#[derive(Debug)]
pub struct Version<H> {
    levels: [Level<H>; LEVELS],
    tombstones: Arc<Deletions>,
    flushed: u64,
}

/// The deletions of ranges that tables may need.
#[derive(Debug, Default)]
pub struct Deletions {
    by_seq: BTreeMap<u64, Tombstone>,
    fragments: Arc<Fragments>,
}

impl Deletions {
    /// All of them, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &Tombstone> {
        self.by_seq.values()
    }

    /// The one with this number.
    #[must_use]
    pub fn get(&self, seq: u64) -> Option<&Tombstone> {
        self.by_seq.get(&seq)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_seq.len()
    }

    /// True when there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_seq.is_empty()
    }

    /// Which keys they cover.
    #[must_use]
    pub fn fragments(&self) -> &Arc<Fragments> {
        &self.fragments
    }

    /// Those after `edit`.
    fn apply(&self, edit: &Edit) -> Result<Deletions, Violation> {
        let (mut by_seq, mut fragments) = (self.by_seq.clone(), Fragments::clone(&self.fragments));
        let wrong = |seq, why| Violation { level: 0, table: 0, why: format!("range deletion {seq} {why}") };
        for seq in &edit.retired {
            let old = by_seq.remove(seq).ok_or_else(|| wrong(seq, "is done, but there is none"))?;
            fragments = fragments.without(&old);
        }
        for new in &edit.tombstones {
            fragments = fragments.layered(new);
            if by_seq.insert(new.seq, new.clone()).is_some() {
                return Err(wrong(&new.seq, "is added, but it is already there"));
            }
        }
        Ok(Deletions { by_seq, fragments: Arc::new(fragments) })
    }
}

impl<H> Version<H> {
    /// A version without tables.
    #[must_use]
    pub fn empty() -> Version<H> {
        Version { levels: std::array::from_fn(Level::empty), tombstones: Arc::default(), flushed: 0 }
    }

    /// All levels, level 0 first.
    #[must_use]
    pub fn levels(&self) -> &[Level<H>; LEVELS] {
        &self.levels
    }

    /// The deletions of ranges that tables may need.
    #[must_use]
    pub fn tombstones(&self) -> &Deletions {
        &self.tombstones
    }

    /// Whether a reader has to ask for deletions of ranges.
    #[inline]
    #[must_use]
    pub fn has_tombstones(&self) -> bool {
        !self.tombstones.is_empty()
    }

    /// The sequence number up to which writes are in tables, or hidden.
    #[must_use]
    pub fn flushed(&self) -> u64 {
        self.flushed
    }

    /// The tables that may hold `key`, in the order in which the first hit is the newest.
    pub fn candidates<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = &'a Arc<TableRef<H>>> {
        let [level0, sorted @ ..] = &self.levels;
        level0.holding(key).chain(sorted.iter().filter_map(move |level| level.find(key)))
    }

    /// All tables, each with its level.
    pub fn tables(&self) -> impl Iterator<Item = (usize, &Arc<TableRef<H>>)> {
        self.levels.iter().enumerate().flat_map(|(n, level)| level.tables().iter().map(move |t| (n, t)))
    }

    /// How many tables there are.
    #[must_use]
    pub fn table_count(&self) -> usize {
        self.levels.iter().map(|level| level.tables().len()).sum()
    }

    /// The length of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.levels.iter().map(Level::bytes).fold(0, u64::saturating_add)
    }

    /// How many entries all tables have together, superseded ones and tombstones included.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.levels.iter().map(Level::entries).fold(0, u64::saturating_add)
    }

    /// The version after `edit`. `make` gives the handle of each table that is new.
    ///
    /// # Errors
    /// [`Violation`], see N1 and N2.
    pub fn apply(
        &self,
        edit: &Edit,
        make: &mut dyn FnMut(&TableSummary) -> H,
    ) -> Result<Version<H>, Violation> {
        let mut removed = self.removed(edit)?;
        self.check_new(edit, &removed)?;
        let gone: BTreeSet<u64> = removed.keys().copied().collect();
        let mut added: BTreeMap<u8, Vec<Arc<TableRef<H>>>> = BTreeMap::new();
        for (level, summary) in &edit.added {
            let table = match removed.remove(&summary.number) {
                Some(moved) => moved,
                None => Arc::new(TableRef { summary: summary.clone(), handle: make(summary) }),
            };
            added.entry(*level).or_default().push(table);
        }
        let mut levels = self.levels.clone();
        for (number, level) in levels.iter_mut().enumerate() {
            let new = added.remove(&(number as u8));
            if new.is_none() && !edit.removed.iter().any(|(from, _)| usize::from(*from) == number) {
                continue;
            }
            let kept = level.tables().iter().filter(|t| !gone.contains(&t.summary.number)).cloned();
            *level = Level::new(number, kept.chain(new.unwrap_or_default()).collect())?;
        }
        let tombstones = match edit.tombstones.is_empty() && edit.retired.is_empty() {
            true => Arc::clone(&self.tombstones),
            false => Arc::new(self.tombstones.apply(edit)?),
        };
        Ok(Version { levels, tombstones, flushed: self.flushed.max(edit.last_seq.unwrap_or(0)) })
    }

    /// The tables `edit` removes, by number.
    fn removed(&self, edit: &Edit) -> Result<BTreeMap<u64, Arc<TableRef<H>>>, Violation> {
        let wanted: BTreeSet<(u8, u64)> = edit.removed.iter().copied().collect();
        let mut found = BTreeMap::new();
        for level in wanted.iter().map(|(level, _)| *level).collect::<BTreeSet<_>>() {
            let tables = self.levels.get(usize::from(level)).map(Level::tables).unwrap_or_default();
            for table in tables.iter().filter(|t| wanted.contains(&(level, t.summary.number))) {
                found.insert(table.summary.number, Arc::clone(table));
            }
        }
        match edit.removed.iter().find(|(_, number)| !found.contains_key(number)) {
            None if found.len() == edit.removed.len() => Ok(found),
            odd => {
                let (level, table) = odd.or(edit.removed.first()).copied().unwrap_or_default();
                let why = "it is to be removed, but it is not there, or named twice".into();
                Err(Violation { level: usize::from(level), table, why })
            }
        }
    }

    /// N1, and that a moved table is the same in its new place.
    fn check_new(&self, edit: &Edit, removed: &BTreeMap<u64, Arc<TableRef<H>>>) -> Result<(), Violation> {
        let mut new = BTreeSet::new();
        for (level, summary) in &edit.added {
            let wrong = |why: &str| {
                Err(Violation { level: usize::from(*level), table: summary.number, why: why.into() })
            };
            if usize::from(*level) >= LEVELS {
                return wrong("there is no such level");
            }
            if !new.insert(summary.number) {
                return wrong("it is added twice");
            }
            if removed.get(&summary.number).is_some_and(|old| old.summary != *summary) {
                return wrong("it is moved, but described in another way than before");
            }
        }
        let mut there = self.tables().filter(|(_, t)| !removed.contains_key(&t.summary.number));
        match there.find(|(_, t)| new.contains(&t.summary.number)) {
            None => Ok(()),
            Some((level, t)) => Err(Violation {
                level,
                table: t.summary.number,
                why: "it is to be added, but it is already there".into(),
            }),
        }
    }
}
