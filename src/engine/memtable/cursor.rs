//! Walking over one part of a memtable.

use super::any_index::AnyIndex;
use super::index::Index;
use super::run::RunCursor;
use crate::engine::iter::cursor_of_variants;

/// A cursor over one part of a memtable. It keeps alive what it reads, and no more.
pub enum MemCursor<I: Index = AnyIndex> {
    /// Over the entries written last. Ones written meanwhile may turn up, with higher sequence numbers than any that
    /// was visible: whoever reads filters by sequence number anyway.
    Recent(I::Cursor),
    /// Over a run.
    Run(RunCursor),
}

cursor_of_variants!([I: Index] MemCursor<I>: Recent, Run);
