//! Point reads: one open-addressed hash table over a whole memtable, from key to newest version.
//!
//! ```text
//! slot, 64 bits:  0, empty   or   tag: the top 16 bits of the hash | 48-bit address of an entry (arena A4)
//! ```
//!
//! A key's slots begin at the low bits of its hash and go on one by one; the table is never more than five eighths
//! full. A slot always leads to the newest version of its key, and older ones hang behind it ([`Entry::prev`]).
//!
//! (H1) One writer: [`TableWriter`] is the only handle that stores, and cannot be cloned.
//! (H2) A slot once taken stays with its key, so a reader that passes it misses nothing.
//! (H3) A table that has become too small is copied into one twice the size, which is then published by its address; the
//!      old one stays, unchanged, until the memtable goes. So readers need neither lock nor epoch, and all old tables
//!      together are smaller than the current one.
//!
//! Growing happens inside the insert that meets the limit and costs about 35 ns a key, 12 ms for 330 thousand
//! (`memtable::tests::figures`), so the table should be sized for what is expected. Rejected: one table per sealed run (the cost of a miss grows with the runs).

#![expect(unsafe_code, reason = "readers follow addresses that the writer publishes, without a lock")]

use super::arena::{self, Arena, Entry, EntryPtr};
use crate::planted::{Bug, planted};
use crate::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{race, zeros};
use std::ptr;
use std::sync::Arc;

const MIN_SLOTS: usize = 64;
/// With so many keys a table gets all its memory; one that stays empty takes next to none.
const BUSY: usize = 64;
const TAG_SHIFT: u32 = 48;
/// How many slots ahead the headers of the entries are asked for while a table is copied.
const COPY_AHEAD: usize = 32;

/// The readers' side.
pub struct HashTable {
    current: AtomicPtr<Slots>,
    arena: Arc<Arena>,
    bytes: AtomicUsize,
}

/// The writer's side.
pub struct TableWriter {
    table: Arc<HashTable>,
    used: usize,
}

struct Slots {
    /// A power of two of them.
    words: Box<[AtomicU64]>,
    /// The table this one replaced.
    older: *mut Slots,
}

impl HashTable {
    /// The newest version of `key`.
    #[inline]
    pub fn find(&self, key: &[u8], hash: u64) -> Option<Entry<'_>> {
        self.slots().locate(key, hash, &self.arena).1
    }

    /// Says that the slot of a key with this hash will be needed soon.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        arena::prefetch(ptr::from_ref(self.slots().slot(hash as u32 as usize)).cast());
    }

    /// As [`HashTable::prefetch`], of the first entry that a key with this hash may be; waits for the slot.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        let word = self.slots().slot(hash as u32 as usize).load(Ordering::Acquire);
        if let Some(entry) = pointer(word).filter(|_| word >> TAG_SHIFT == hash >> TAG_SHIFT) {
            entry.prefetch();
        }
    }

    /// How many bytes all its tables have.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    #[inline]
    fn slots(&self) -> &Slots {
        let current = self.current.load(Ordering::Acquire);
        race::read(current);
        // SAFETY: it came from `Slots::leak`, is never written but through its atomics once published, and by H3 is
        // freed in `drop` only. The acquire pairs with the release in `grow`.
        unsafe { &*current }
    }
}

impl Drop for HashTable {
    fn drop(&mut self) {
        let mut table = self.current.load(Ordering::Relaxed);
        while !table.is_null() {
            // SAFETY: each came from `leak` and is in this chain once.
            let slots = unsafe { Box::from_raw(table) };
            table = slots.older;
        }
    }
}

impl TableWriter {
    /// A table for the entries of `arena` that needs not grow for `expected` keys.
    pub fn new(arena: &Arc<Arena>, expected: usize) -> TableWriter {
        let count = (expected.div_ceil(5) * 8).next_power_of_two().max(MIN_SLOTS);
        let slots = Slots::new(count, ptr::null_mut());
        let bytes = AtomicUsize::new(slots.bytes());
        let current = AtomicPtr::new(slots.leak());
        TableWriter { table: Arc::new(HashTable { current, arena: Arc::clone(arena), bytes }), used: 0 }
    }

    /// The readers' side.
    pub fn table(&self) -> &Arc<HashTable> {
        &self.table
    }

    /// Makes `entry`, the newest version of its key, the one that readers find, and links it to the one before.
    pub fn publish(&mut self, hash: u64, entry: Entry<'_>) {
        if self.used >= self.table.slots().words.len() / 8 * 5 {
            self.grow();
        }
        let HashTable { arena, .. } = &*self.table;
        let (slot, newest) = self.table.slots().locate(entry.key(), hash, arena);
        match newest {
            Some(newest) => entry.set_prev(newest),
            None => {
                self.used += 1;
                if self.used == BUSY {
                    self.table.slots().take_pages();
                }
            }
        }
        if planted(Bug::OlderVersionWins) && newest.is_some() {
            return;
        }
        slot.store(word(hash >> TAG_SHIFT, entry.ptr_in(arena)), Ordering::Release);
    }

    #[cold]
    fn grow(&mut self) {
        let HashTable { current, arena, bytes } = &*self.table;
        let old = self.table.slots();
        let new = Slots::new(old.words.len() * 2, current.load(Ordering::Relaxed));
        new.take_pages();
        for (index, slot) in old.words.iter().enumerate() {
            if let Some(ahead) = old.words.get(index + COPY_AHEAD).and_then(entry_of) {
                arena::prefetch(ahead.as_ptr());
            }
            let Some(ptr) = entry_of(slot) else { continue };
            // SAFETY: `publish` took it from `ptr_in` of this arena, on this thread or one before it.
            let entry = unsafe { ptr.entry(arena) };
            new.first_free(entry.hash()).store(slot.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        bytes.fetch_add(new.bytes(), Ordering::Relaxed);
        current.store(new.leak(), Ordering::Release);
    }
}

impl Slots {
    fn new(count: usize, older: *mut Slots) -> Slots {
        debug_assert!(count.is_power_of_two());
        Slots { words: zeros(count), older }
    }

    /// Has the operating system put memory behind all pages. One that is read before it is written to gets its memory in two steps, the
    /// second of which stops every processor that runs a thread of the process: on a virtual machine that was 20 µs a page, 20 ms
    /// for the table of a write buffer of 64 MiB, and 6 % of a load.
    fn take_pages(&self) {
        const PAGE: usize = 4096 / size_of::<AtomicU64>();
        for slot in self.words.iter().step_by(PAGE) {
            // Writes nothing new, but writes. `fetch_or` would not: compilers make a load of it.
            let _ = slot.compare_exchange(0, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Itself at an address, to be freed by `HashTable::drop`.
    fn leak(self) -> *mut Slots {
        let slots = Box::into_raw(Box::new(self));
        race::written(slots);
        slots
    }

    /// The slot of `key`, or the one it would take, and the newest version in it.
    #[inline]
    fn locate<'a>(&'a self, key: &[u8], hash: u64, arena: &'a Arena) -> (&'a AtomicU64, Option<Entry<'a>>) {
        let tag = hash >> TAG_SHIFT;
        let mut index = hash as u32 as usize;
        loop {
            let slot = self.slot(index);
            let found = slot.load(Ordering::Acquire);
            if found == 0 {
                return (slot, None);
            }
            if found >> TAG_SHIFT == tag
                && let Some(ptr) = pointer(found)
            {
                // SAFETY: `publish` made it with `ptr_in` of this arena and stored it with release.
                let entry = unsafe { ptr.entry(arena) };
                if entry.key() == key {
                    return (slot, Some(entry));
                }
            }
            index = index.wrapping_add(1);
        }
    }

    fn first_free(&self, hash: u32) -> &AtomicU64 {
        let mut index = hash as usize;
        while self.slot(index).load(Ordering::Relaxed) != 0 {
            index = index.wrapping_add(1);
        }
        self.slot(index)
    }

    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "the length is a power of two, so the mask keeps the index below it"
    )]
    fn slot(&self, index: usize) -> &AtomicU64 {
        &self.words[index & (self.words.len() - 1)]
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.words)
    }
}

/// A slot's content. By arena A4 the two parts do not overlap.
fn word(tag: u64, ptr: EntryPtr) -> u64 {
    tag << TAG_SHIFT | ptr.as_ptr().expose_provenance() as u64
}

fn entry_of(slot: &AtomicU64) -> Option<EntryPtr> {
    pointer(slot.load(Ordering::Relaxed))
}

/// The address in a slot.
#[inline]
fn pointer(word: u64) -> Option<EntryPtr> {
    let address = (word & ((1 << TAG_SHIFT) - 1)) as usize;
    // SAFETY: an address that is not zero was put there by `word`.
    (address != 0).then(|| unsafe { EntryPtr::from_ptr(ptr::with_exposed_provenance(address)) })
}

#[cfg(all(test, any(shuttle, loom)))]
mod models;

#[cfg(test)]
mod tests {
    use super::super::arena::Bump;
    use super::*;
    use crate::engine::key::{self, Trailer};
    use crate::engine::memory::Memory;

    fn put(writer: &mut TableWriter, bump: &mut Bump, key: &[u8], hash: u64, seq: u64) {
        writer.publish(hash, bump.append(Trailer(seq << 8), hash as u32, key, b""));
    }

    #[test]
    fn grows_from_its_smallest_size_and_links_versions() {
        let mut bump = Bump::new(&Memory::unlimited());
        let mut writer = TableWriter::new(bump.arena(), 0);
        let keys: Vec<[u8; 4]> = (0..5000u32).map(u32::to_be_bytes).collect();
        for (round, seqs) in [(0u64, 1u64), (1, 10_001)] {
            for (i, k) in keys.iter().enumerate() {
                put(&mut writer, &mut bump, k, key::hash(k), seqs + i as u64);
            }
            for (i, k) in keys.iter().enumerate() {
                let newest = writer.table().find(k, key::hash(k)).unwrap();
                assert_eq!((newest.key(), newest.trailer().seq()), (&k[..], seqs + i as u64));
                assert_eq!(newest.prev().map(|e| e.trailer().seq()), (round == 1).then_some(1 + i as u64));
            }
        }
        assert_eq!(writer.used, keys.len());
        assert_eq!(
            writer.table().bytes(),
            8 * (64..=8192).filter(|n: &usize| n.is_power_of_two()).sum::<usize>()
        );
        assert!(writer.table().find(b"none", key::hash(b"none")).is_none());
    }

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        let mut bump = Bump::new(&Memory::unlimited());
        let mut writer = TableWriter::new(bump.arena(), 0);
        for hash in [0, u64::MAX, 63] {
            let keys: Vec<Vec<u8>> = (0..30u8).map(|i| vec![i; usize::from(i)]).collect();
            for (i, k) in keys.iter().enumerate() {
                put(&mut writer, &mut bump, k, hash, i as u64);
            }
            for k in &keys {
                assert_eq!(writer.table().find(k, hash).unwrap().key(), k);
            }
            assert!(writer.table().find(b"other", hash).is_none());
        }
    }

    #[test]
    fn a_presized_table_does_not_grow() {
        for expected in [0, 1, 39, 40, 41, 1000, 4096] {
            let mut bump = Bump::new(&Memory::unlimited());
            let mut writer = TableWriter::new(bump.arena(), expected);
            let before = writer.table().bytes();
            for i in 0..expected as u32 {
                put(&mut writer, &mut bump, &i.to_be_bytes(), key::hash(&i.to_be_bytes()), u64::from(i));
            }
            assert_eq!(writer.table().bytes(), before, "{expected}");
        }
    }
}
