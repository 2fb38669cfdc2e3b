//! The index that a memtable has: the skip list, or one of the user's.
//!
//! The choice is a number beside the index and not a call through a pointer: for the skip list that is one branch that always
//! goes the same way.

use super::arena::{Arena, Entry, Slots};
use super::index::Index;
use super::prefix::Prefix;
use super::skiplist::{SkipCursor, SkipIndex};
use crate::Result;
use crate::engine::iter::{Cursor, cursor_of_variants};
use crate::engine::key::Trailer;
use crate::index::{self, NewIndex};
use crate::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// Either.
pub enum AnyIndex {
    /// The engine's own.
    Skip(Arc<SkipIndex>),
    /// The user's.
    Custom(Arc<CustomIndex>),
}

/// A cursor over either.
pub enum AnyCursor {
    /// Over the skip list.
    Skip(SkipCursor),
    /// Over an index of the user's.
    Custom(CustomCursor),
}

impl Index for AnyIndex {
    type Cursor = AnyCursor;
    type Kind = Option<NewIndex>;

    fn new(kind: &Option<NewIndex>, arena: &Arc<Arena>, prefix: Prefix, capacity: usize) -> AnyIndex {
        match kind {
            None => AnyIndex::Skip(Arc::new(SkipIndex::new(&(), arena, prefix, capacity))),
            Some(kind) => AnyIndex::Custom(Arc::new(CustomIndex::new(kind, arena, prefix, capacity))),
        }
    }

    fn bytes_per_entry(&self) -> usize {
        match self {
            AnyIndex::Skip(index) => index.bytes_per_entry(),
            AnyIndex::Custom(index) => index.index.bytes_per_entry() + size_of::<u64>(),
        }
    }

    fn prefix(&self) -> &Prefix {
        match self {
            AnyIndex::Skip(index) => index.prefix(),
            AnyIndex::Custom(index) => &index.prefix,
        }
    }

    #[inline]
    fn insert(&self, entry: Entry<'_>) {
        match self {
            AnyIndex::Skip(index) => index.insert(entry),
            AnyIndex::Custom(index) => index.insert(entry),
        }
    }

    fn for_each(&self, visit: impl FnMut(u64, Entry<'_>)) {
        match self {
            AnyIndex::Skip(index) => index.for_each(visit),
            AnyIndex::Custom(index) => index.for_each(visit),
        }
    }

    fn cursor(self: &Arc<Self>) -> AnyCursor {
        match &**self {
            AnyIndex::Skip(index) => AnyCursor::Skip(index.cursor()),
            AnyIndex::Custom(index) => AnyCursor::Custom(CustomCursor {
                walk: Arc::clone(&index.index).cursor(),
                index: Arc::clone(index),
            }),
        }
    }
}

/// An index of the user's over entries of an arena. Its places are their numbers, in the order of writing: so whatever it answers
/// leads to an entry or nowhere.
pub struct CustomIndex {
    index: Arc<dyn index::Index>,
    entries: Slots,
    len: AtomicU64,
    prefix: Prefix,
}

impl CustomIndex {
    fn new(kind: &NewIndex, arena: &Arc<Arena>, prefix: Prefix, capacity: usize) -> CustomIndex {
        let entries = Slots::new(arena, capacity);
        CustomIndex { index: kind.make(), entries, len: AtomicU64::new(0), prefix }
    }

    fn insert(&self, entry: Entry<'_>) {
        let place = self.len.fetch_add(1, Ordering::Relaxed);
        self.entries.set(place as usize, entry);
        self.index.insert(entry.key(), entry.trailer().0, place);
    }

    fn for_each(&self, mut visit: impl FnMut(u64, Entry<'_>)) {
        let mut walk = Arc::clone(&self.index).cursor();
        walk.seek(&[], u64::MAX);
        // No more than there are, should it not get on.
        for _ in 0..self.len.load(Ordering::Relaxed) {
            let Some(at) = walk.at() else { return };
            if let Some(entry) = self.entries.get(at.place) {
                visit(self.prefix.head(entry.key()), entry);
            }
            walk.next();
        }
    }
}

/// A cursor over an index of the user's.
pub struct CustomCursor {
    walk: Box<dyn index::Cursor>,
    index: Arc<CustomIndex>,
}

impl CustomCursor {
    fn entry(&self) -> Option<Entry<'_>> {
        self.walk.at().and_then(|at| self.index.entries.get(at.place))
    }
}

impl Cursor for CustomCursor {
    fn seek_first(&mut self) -> Result<()> {
        self.walk.seek(&[], u64::MAX);
        Ok(())
    }

    fn seek_last(&mut self) -> Result<()> {
        self.walk.seek_last();
        Ok(())
    }

    fn seek(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        self.walk.seek(key, trailer.0);
        Ok(())
    }

    fn seek_before(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        self.walk.seek_before(key, trailer.0);
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        self.walk.next();
        Ok(())
    }

    fn prev(&mut self) -> Result<()> {
        self.walk.prev();
        Ok(())
    }

    fn valid(&self) -> bool {
        self.entry().is_some()
    }

    fn key(&self) -> &[u8] {
        self.entry().map(Entry::key).unwrap_or_default()
    }

    fn trailer(&self) -> Trailer {
        self.entry().map_or(Trailer(0), Entry::trailer)
    }

    fn value(&self) -> &[u8] {
        self.entry().map(Entry::value).unwrap_or_default()
    }
}

cursor_of_variants!(AnyCursor: Skip, Custom);
