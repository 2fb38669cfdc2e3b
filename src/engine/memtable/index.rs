//! The seam behind which the most recent entries of a memtable are kept in order. Users have one of their own, with keys instead
//! of entries (`crate::index`), which `any_index` leads to.

use super::arena::{Arena, Entry};
use super::prefix::Prefix;
use crate::engine::iter::Cursor;
use std::sync::Arc;

/// An ordered index over the entries written last: one writer, any number of readers beside it.
///
/// The memtable bounds how many entries it ever gets and then seals it into a run, so it may be made for thousands, not
/// for millions.
///
/// (I1) An entry that `insert` has returned for is found by every cursor positioned afterwards, on whatever thread that
///      learnt of it. Later entries may or may not be.
/// (I2) Nothing is ever taken out.
pub trait Index: Send + Sync + Sized + 'static {
    /// Walks over the index, which it keeps alive.
    type Cursor: Cursor;
    /// Which one it is, where there is a choice.
    type Kind: Clone + Send + Sync;

    /// An empty index over at most `capacity` entries of `arena`, most of which probably begin with `prefix`.
    fn new(kind: &Self::Kind, arena: &Arc<Arena>, prefix: Prefix, capacity: usize) -> Self;
    /// An estimate of the heap one entry takes, its place in the arena apart.
    fn bytes_per_entry(&self) -> usize;
    /// What `new` was told.
    fn prefix(&self) -> &Prefix;
    /// Adds an entry that differs from all others in key or trailer. Called by one thread at a time.
    fn insert(&self, entry: Entry<'_>);
    /// Shows every entry in order, with its head behind [`Index::prefix`].
    fn for_each(&self, visit: impl FnMut(u64, Entry<'_>));
    /// A cursor, not positioned yet.
    fn cursor(self: &Arc<Self>) -> Self::Cursor;
}
