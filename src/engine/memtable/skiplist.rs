//! The ordered index of the entries written last: a lock-free skip list used without its costs.
//!
//! `crossbeam_skiplist::base::SkipList` with keys of 24 bytes held in its nodes:
//!
//! ```text
//! head: u64       eight bytes of the key, behind the expected prefix     decides nearly every comparison
//! inverted: u64   !trailer, so that newer versions come first            decides among versions of one key
//! entry: pointer  the entry in the arena, asked for its key when heads tie
//! ```
//!
//! In a search the pointer leads to a key that is not in an arena: its lowest bit says which.
//!
//! (S1) **Nothing is ever overwritten or removed.** In version 0.1.3 a reader that races an overwrite of the same key can
//!      find nothing at all. Entries are unique (key and sequence number) and go in by `get_or_insert`, which never
//!      replaces; no other changing method is called, and `list` does not leave this file. A test holds the line.
//! (S2) By S1 no node is unlinked or freed before the list is dropped, and `SkipList::drop` frees nodes at once, not
//!      through an epoch. So pinning an epoch would protect nothing: all calls take the unprotected guard, and what they
//!      return lives as long as the list, which every cursor keeps by an `Arc`.
//! (S3) `get_or_insert` returns a counted `RefEntry` that has no `Drop`; it is let go as it is. Its count never falls to
//!      zero then, and `SkipList::drop` does not ask for it.
//!
//! S2 and S3 hold for the version that `Cargo.toml` pins. Rejected: `SkipMap`, which pins an epoch for every operation,
//! counts references at every step and holds its keys on the heap.

#![expect(
    unsafe_code,
    reason = "the skip list is used without its epochs, and its keys point into the arena"
)]

use super::arena::{ALIGN, Arena, Entry, EntryPtr};
use super::index::Index;
use super::prefix::Prefix;
use crate::Result;
use crate::engine::iter::Cursor;
use crate::engine::key::Trailer;
use crossbeam_epoch::{self as epoch, Guard};
use crossbeam_skiplist::base;
use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

/// The index. See the top of the file.
pub struct SkipIndex {
    list: base::SkipList<ListKey, ()>,
    prefix: Prefix,
    arena: Arc<Arena>,
}

impl Index for SkipIndex {
    type Cursor = SkipCursor;
    type Kind = ();

    fn new(_kind: &(), arena: &Arc<Arena>, prefix: Prefix, _capacity: usize) -> SkipIndex {
        let list = base::SkipList::new(epoch::default_collector().clone());
        SkipIndex { list, prefix, arena: Arc::clone(arena) }
    }

    /// A node has 32 bytes and a tower of two pointers on average, and the allocator its rounding and its own word.
    #[inline]
    fn bytes_per_entry(&self) -> usize {
        64
    }

    fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    fn insert(&self, entry: Entry<'_>) {
        let key = ListKey {
            head: self.prefix.head(entry.key()),
            inverted: !entry.trailer().0,
            target: entry.ptr_in(&self.arena).as_ptr(),
        };
        self.list.get_or_insert(key, (), guard());
    }

    fn for_each(&self, mut visit: impl FnMut(u64, Entry<'_>)) {
        for node in self.list.iter(guard()) {
            visit(node.key().head, self.entry(node.key()));
        }
    }

    fn cursor(self: &Arc<Self>) -> SkipCursor {
        SkipCursor { at: None, index: Arc::clone(self) }
    }
}

impl SkipIndex {
    /// The entry of a key that is in the list.
    fn entry(&self, key: &ListKey) -> Entry<'_> {
        // SAFETY: only `insert` puts keys into the list, with an address from `ptr_in` of this arena. Nodes are linked
        // with sequentially consistent stores and found with consuming loads, so the entry was written before.
        unsafe { EntryPtr::from_ptr(key.target).entry(&self.arena) }
    }

    /// The list, for the life of the cursor that holds `self`.
    ///
    /// # Safety
    /// What is got from it must be dropped, or never used again, before the last `Arc` of `self`.
    unsafe fn forever(self: &Arc<Self>) -> &'static base::SkipList<ListKey, ()> {
        let list = &raw const self.list;
        // SAFETY: an `Arc` does not move what it holds; the caller keeps it alive.
        unsafe { &*list }
    }
}

/// No guard at all.
fn guard() -> &'static Guard {
    // SAFETY: it asks for no node to be freed while it is used, which is S1 and S2.
    unsafe { epoch::unprotected() }
}

/// The key of a node, or of a search.
#[derive(Clone, Copy)]
struct ListKey {
    head: u64,
    inverted: u64,
    /// An entry's address; or, with the lowest bit set, that of a `&[u8]` that outlives the search.
    target: *const u8,
}

const SEARCHED: usize = 1;
const _: () = assert!(ALIGN > SEARCHED && align_of::<&[u8]>() > SEARCHED);

// SAFETY: what the pointer leads to does not change (arena A1; a searched key is borrowed).
unsafe impl Send for ListKey {}
// SAFETY: as above.
unsafe impl Sync for ListKey {}

impl ListKey {
    fn searched(prefix: &Prefix, key: &&[u8], trailer: Trailer) -> ListKey {
        let target = std::ptr::from_ref(key).cast::<u8>().map_addr(|addr| addr | SEARCHED);
        ListKey { head: prefix.head(key), inverted: !trailer.0, target }
    }

    fn key(&self) -> &[u8] {
        if self.target.addr() & SEARCHED == 0 {
            // SAFETY: it is the address of an entry; the list keeps its arena, and `self` does not leave the list.
            return unsafe { EntryPtr::from_ptr(self.target).key() };
        }
        // SAFETY: `searched` made it from a reference, which `search` keeps until it returns.
        unsafe { *self.target.map_addr(|addr| addr & !SEARCHED).cast::<&[u8]>() }
    }
}

impl Ord for ListKey {
    #[inline]
    fn cmp(&self, other: &ListKey) -> Ordering {
        match self.head.cmp(&other.head) {
            Ordering::Equal => self.key().cmp(other.key()).then(self.inverted.cmp(&other.inverted)),
            decided => decided,
        }
    }
}

impl PartialOrd for ListKey {
    #[inline]
    fn partial_cmp(&self, other: &ListKey) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ListKey {
    #[inline]
    fn eq(&self, other: &ListKey) -> bool {
        self.head == other.head && self.inverted == other.inverted && self.key() == other.key()
    }
}

impl Eq for ListKey {}

type Node = base::Entry<'static, 'static, ListKey, ()>;

/// A cursor over a list that may still grow: entries that are written meanwhile may turn up.
///
/// A step forward follows a pointer; a step back is a search, which a small list can afford.
pub struct SkipCursor {
    /// Lives no longer than `index`, although the type cannot say so; it has no `Drop`, so the order of the two does
    /// not matter.
    at: Option<Node>,
    index: Arc<SkipIndex>,
}

// SAFETY: what keeps `Node` on one thread is its guard, and the unprotected guard is no thread's.
unsafe impl Send for SkipCursor {}

impl SkipCursor {
    fn list(&self) -> &'static base::SkipList<ListKey, ()> {
        // SAFETY: nodes from it are kept in `at` only, beside the `Arc`.
        unsafe { self.index.forever() }
    }

    /// Calls `find` with a key that is good for as long as the call lasts.
    fn search(&mut self, key: &[u8], trailer: Trailer, find: impl FnOnce(&ListKey) -> Option<Node>) {
        self.at = find(&ListKey::searched(&self.index.prefix, &key, trailer));
    }

    fn entry(&self) -> Option<Entry<'_>> {
        self.at.as_ref().map(|node| self.index.entry(node.key()))
    }
}

impl Cursor for SkipCursor {
    fn seek_first(&mut self) -> Result<()> {
        self.at = self.list().front(guard());
        Ok(())
    }

    fn seek_last(&mut self) -> Result<()> {
        self.at = self.list().back(guard());
        Ok(())
    }

    fn seek(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        let list = self.list();
        self.search(key, trailer, |key| list.lower_bound(Bound::Included(key), guard()));
        Ok(())
    }

    fn seek_before(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        let list = self.list();
        self.search(key, trailer, |key| list.upper_bound(Bound::Excluded(key), guard()));
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        self.at = self.at.as_ref().and_then(Node::next);
        Ok(())
    }

    fn prev(&mut self) -> Result<()> {
        self.at = self.at.as_ref().and_then(Node::prev);
        Ok(())
    }

    fn valid(&self) -> bool {
        self.at.is_some()
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
