//! The view of one moment, and the way of a get.

use super::covered::Covered;
use super::lazy_table::{TableRef, Version};
use super::level_cursor::LevelCursor;
use super::source::Source;
use crate::engine::iter::Merge;
use crate::engine::key::{self, EXPIRY_LEN, Kind, Trailer};
use crate::engine::memtable::Memtable;
use crate::engine::slice::Slice;
use crate::engine::tombstones::Fragments;
use crate::{Error, Result};
use std::cell::Cell;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

/// Write buffers and tables of one moment. Invariants R1 and R2 are in the folder's `mod.rs`.
pub struct SuperVersion {
    /// The buffer that is written to.
    pub active: Arc<Memtable>,
    /// Full buffers that wait for their flush, newest first.
    pub sealed: Vec<Arc<Memtable>>,
    /// The tables.
    pub version: Arc<Version>,
    /// Where the keys of keyspaces that were dropped lie; `None` when none was.
    pub dropped: Option<Arc<Fragments>>,
    /// Whether a range was deleted in a full buffer, or tables may need such a deletion.
    has_tombstones: bool,
}

impl SuperVersion {
    /// Joins them.
    #[must_use]
    pub fn new(
        active: Arc<Memtable>,
        sealed: Vec<Arc<Memtable>>,
        version: Arc<Version>,
        dropped: Option<Arc<Fragments>>,
    ) -> SuperVersion {
        let has_tombstones = version.has_tombstones() || sealed.iter().any(|m| m.range_tombstones() > 0);
        SuperVersion { active, sealed, version, dropped, has_tombstones }
    }

    /// Whether an engine key lies in a keyspace that was dropped.
    #[inline]
    #[must_use]
    pub fn is_dropped(&self, key: &[u8]) -> bool {
        self.dropped.as_ref().is_some_and(|dropped| dropped.covering(key, u64::MAX).is_some())
    }

    /// The value of `key` (an engine key with this hash) as of `seq`, and of the time that `now` tells if it is asked.
    ///
    /// The newest place is asked first, and the first that knows the key answers: buffers, level 0 newest first, then one
    /// table of each deeper level.
    ///
    /// # Errors
    /// [`Error::Corruption`] for a damaged block on the way, [`Error::Io`] when a table cannot be opened,
    /// [`Error::Incompatible`] for an entry of a kind this build cannot answer.
    pub fn get(&self, key: &[u8], hash: u64, seq: u64, now: impl FnOnce() -> u64) -> Result<Option<Found>> {
        self.get_by(key, hash, seq, now, |table| table.handle.open()?.get(key, hash, seq))
    }

    /// As [`SuperVersion::get`], as far as it can be told without opening a table or reading a block; `None` when it cannot.
    ///
    /// A block that is cached may lie in a mapped file, whose page the operating system may have dropped; that is not asked.
    ///
    /// # Errors
    /// As [`SuperVersion::get`].
    pub fn get_in_memory(
        &self,
        key: &[u8],
        hash: u64,
        seq: u64,
        now: impl FnOnce() -> u64,
    ) -> Result<Option<Option<Found>>> {
        let is_missing = Cell::new(false);
        let found = self.get_by(key, hash, seq, now, |table| {
            let cached = table.handle.opened().and_then(|table| table.get_cached(key, hash, seq));
            // Any error ends the search; nobody sees this one.
            cached.ok_or_else(|| {
                is_missing.set(true);
                Error::Closed
            })
        });
        if is_missing.get() { Ok(None) } else { found.map(Some) }
    }

    #[inline]
    fn get_by(
        &self,
        key: &[u8],
        hash: u64,
        seq: u64,
        now: impl FnOnce() -> u64,
        ask: impl Fn(&TableRef) -> Result<Option<(Trailer, Slice)>>,
    ) -> Result<Option<Found>> {
        let deleted = if self.has_tombstones() { self.deleted_at(key, seq) } else { 0 };
        if let Some((trailer, value)) = self.get_from_buffers(key, hash, seq) {
            if trailer.seq() < deleted {
                return Ok(None);
            }
            return Ok(standing(trailer, || value, now)?.map(|expiry| Found::copy_of(value, expiry)));
        }
        self.get_from_tables_by(key, deleted, now, ask)
    }

    /// The newest version of `key` that the write buffers have, up to `seq`; it counts before all in tables.
    #[inline]
    #[must_use]
    pub fn get_from_buffers(&self, key: &[u8], hash: u64, seq: u64) -> Option<(Trailer, &[u8])> {
        self.buffers().find_map(|memtable| memtable.get(key, hash, seq))
    }

    /// As [`SuperVersion::get`], of what the tables have, whatever deletions of ranges hide.
    ///
    /// # Errors
    /// As [`SuperVersion::get`].
    pub fn get_from_tables(
        &self,
        key: &[u8],
        hash: u64,
        seq: u64,
        now: impl FnOnce() -> u64,
    ) -> Result<Option<Found>> {
        self.get_from_tables_by(key, 0, now, |table| table.handle.open()?.get(key, hash, seq))
    }

    #[inline]
    fn get_from_tables_by(
        &self,
        key: &[u8],
        deleted: u64,
        now: impl FnOnce() -> u64,
        ask: impl Fn(&TableRef) -> Result<Option<(Trailer, Slice)>>,
    ) -> Result<Option<Found>> {
        // A table with older entries only need not be asked.
        for table in self.version.candidates(key).filter(|table| table.summary.max_seq >= deleted) {
            if let Some((trailer, value)) = ask(table)? {
                if trailer.seq() < deleted {
                    return Ok(None);
                }
                return Ok(standing(trailer, || &value, now)?.map(|expiry| Found::new(value, expiry)));
            }
        }
        Ok(None)
    }

    /// Every entry of every key in `lower..upper` that no deletion of a range hides from readers at `seq`, as one sorted run;
    /// `upper` is exclusive, `None` means no limit.
    #[must_use]
    pub fn cursor(&self, lower: &[u8], upper: Option<&[u8]>, seq: u64) -> Covered<Merge<Source>> {
        let mut sources = Vec::new();
        for memtable in self.buffers() {
            sources.extend(memtable.cursors_between(lower, upper).into_iter().map(Source::Memtable));
        }
        let range = (Bound::Included(lower), upper.map_or(Bound::Unbounded, Bound::Excluded));
        let [level0, sorted @ ..] = self.version.levels();
        for table in level0.overlapping(range) {
            sources.push(Source::Level(LevelCursor::new(vec![Arc::clone(table)])));
        }
        for level in sorted {
            let tables: Vec<_> = level.overlapping(range).cloned().collect();
            if !tables.is_empty() {
                sources.push(Source::Level(LevelCursor::new(tables)));
            }
        }
        Covered::new(Merge::new(sources), self.deletions(seq).cloned().collect(), seq)
    }

    /// How many deletions of ranges there are.
    #[must_use]
    pub fn range_tombstones(&self) -> usize {
        self.buffers().map(|m| m.range_tombstones()).sum::<usize>() + self.version.tombstones().len()
    }

    /// Whether any deletion of a range is in force.
    #[inline]
    #[must_use]
    pub fn has_tombstones(&self) -> bool {
        self.has_tombstones || self.active.range_tombstones() > 0
    }

    /// What deletions of ranges cover for readers at `seq`.
    pub(super) fn deletions(&self, seq: u64) -> impl Iterator<Item = &Arc<Fragments>> {
        let flushed = Some(self.version.tombstones().fragments()).filter(|_| self.version.has_tombstones());
        self.buffers().filter_map(move |m| m.covered(seq)).chain(flushed)
    }

    /// The number of the newest deletion of a range that covers `key` for a reader at `seq`; 0 when none does.
    #[cold]
    pub(super) fn deleted_at(&self, key: &[u8], seq: u64) -> u64 {
        self.deletions(seq).filter_map(|set| set.covering(key, seq)).max().unwrap_or(0)
    }

    /// The write buffers, the newest first.
    #[inline]
    pub fn buffers(&self) -> impl Iterator<Item = &Arc<Memtable>> {
        std::iter::once(&self.active).chain(&self.sealed)
    }
}

/// A value, and when it ends.
#[derive(Debug, Clone)]
pub struct Found {
    /// The value as the user gave it.
    pub value: Slice,
    /// When it expires, in milliseconds since 1970; [`NEVER`] when it does not.
    pub expiry: u64,
}

/// The expiry of what does not expire.
pub const NEVER: u64 = u64::MAX;

impl Found {
    /// From a stored value that [`standing`] has found to be one.
    pub fn new(stored: Slice, expiry: u64) -> Found {
        Found { value: stored.skip(prefix_len(expiry)), expiry }
    }

    /// As [`Found::new`], of bytes that are not shared.
    #[must_use]
    pub fn copy_of(stored: &[u8], expiry: u64) -> Found {
        Found { value: Slice::copy_of(stored.get(prefix_len(expiry)..).unwrap_or_default()), expiry }
    }
}

/// How many bytes stand before the value that the user gave.
pub(super) fn prefix_len(expiry: u64) -> usize {
    if expiry == NEVER { 0 } else { EXPIRY_LEN }
}

/// Whether the newest visible entry of a key gives it a value: its expiry then, or [`NEVER`]. What expires now has expired.
///
/// The stored value and the time are asked for only where there is an expiry.
///
/// # Errors
/// [`Error::Incompatible`] for a kind that this build cannot answer, [`Error::Corruption`] for an expiry that is cut off.
#[inline]
pub fn standing<'a>(
    trailer: Trailer,
    stored: impl FnOnce() -> &'a [u8],
    now: impl FnOnce() -> u64,
) -> Result<Option<u64>> {
    match trailer.kind() {
        Ok(Kind::Put) => Ok(Some(NEVER)),
        Ok(Kind::Delete) => Ok(None),
        Ok(Kind::PutExpiring) => {
            let expiry = key::expiry(stored()).ok_or_else(cut_off)?;
            Ok((expiry > now()).then_some(expiry.min(NEVER - 1)))
        }
        Ok(kind) => Err(unknown_kind(kind as u8)),
        Err(number) => Err(unknown_kind(number)),
    }
}

#[cold]
fn cut_off() -> Error {
    Error::corruption(Path::new("the database"), 0, "expiring value", "it has no expiry")
}

#[cold]
fn unknown_kind(number: u8) -> Error {
    Error::Incompatible {
        path: "the database".into(),
        what: "entry kind",
        found: number.to_string(),
        supported: "puts, expiring ones, and deletes".into(),
    }
}
