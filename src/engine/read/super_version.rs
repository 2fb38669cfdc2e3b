//! The view of one moment, and the way of a get.

use super::lazy_table::Version;
use super::level_cursor::LevelCursor;
use super::source::Source;
use crate::engine::iter::Merge;
use crate::engine::key::{Kind, Trailer};
use crate::engine::memtable::Memtable;
use crate::engine::slice::Slice;
use crate::{Error, Result};
use std::ops::Bound;
use std::sync::Arc;

/// Write buffers and tables of one moment. Invariants R1 and R2 are in the folder's `mod.rs`.
pub struct SuperVersion {
    /// The buffer that is written to.
    pub active: Arc<Memtable>,
    /// Full buffers that wait for their flush, newest first.
    pub sealed: Vec<Arc<Memtable>>,
    /// The tables.
    pub version: Arc<Version>,
}

impl SuperVersion {
    /// The value of `key` (an engine key with this hash) as of `seq`.
    ///
    /// The newest place is asked first, and the first that knows the key answers: buffers, level 0 newest first, then one
    /// table of each deeper level.
    ///
    /// # Errors
    /// [`Error::Corruption`] for a damaged block on the way, [`Error::Io`] when a table cannot be opened,
    /// [`Error::Incompatible`] for an entry of a kind this build cannot answer.
    pub fn get(&self, key: &[u8], hash: u64, seq: u64) -> Result<Option<Slice>> {
        for memtable in std::iter::once(&self.active).chain(&self.sealed) {
            if let Some((trailer, value)) = memtable.get(key, hash, seq) {
                return Ok(is_put(trailer)?.then(|| Slice::copy_of(value)));
            }
        }
        for table in self.version.candidates(key) {
            if let Some((trailer, value)) = table.handle.open()?.get(key, hash, seq)? {
                return Ok(is_put(trailer)?.then_some(value));
            }
        }
        Ok(None)
    }

    /// Every entry of every key in `lower..upper`, as one sorted run; `upper` is exclusive, `None` means no limit.
    #[must_use]
    pub fn cursor(&self, lower: &[u8], upper: Option<&[u8]>) -> Merge<Source> {
        let mut sources = Vec::new();
        for memtable in std::iter::once(&self.active).chain(&self.sealed) {
            sources.extend(memtable.cursors().into_iter().map(Source::Memtable));
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
        Merge::new(sources)
    }
}

/// Whether the newest visible entry of a key gives it a value.
///
/// # Errors
/// [`Error::Incompatible`] for a kind that this build cannot answer.
pub fn is_put(trailer: Trailer) -> Result<bool> {
    match trailer.kind() {
        Ok(Kind::Put) => Ok(true),
        Ok(Kind::Delete) => Ok(false),
        Ok(kind) => Err(unknown_kind(kind as u8)),
        Err(number) => Err(unknown_kind(number)),
    }
}

#[cold]
fn unknown_kind(number: u8) -> Error {
    Error::Incompatible {
        path: "the database".into(),
        what: "entry kind",
        found: number.to_string(),
        supported: "puts and deletes".into(),
    }
}
