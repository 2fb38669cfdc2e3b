//! What a merge can read from, as one type: a step costs a branch, not a virtual call.

use super::level_cursor::LevelCursor;
use crate::engine::iter::cursor_of_variants;
use crate::engine::memtable::MemCursor;

/// A sorted run of a super version.
pub enum Source {
    /// A part of a write buffer.
    Memtable(MemCursor),
    /// A level, or one table of level 0.
    Level(LevelCursor),
}

cursor_of_variants!(Source: Memtable, Level);
