//! A cache of decoded blocks, or of anything that has a weight. It knows no blocks and no files.
//!
//! ```text
//!   table A   Slots [ ■ | □ | ■ | ■ ]        a slot per block: an ArcSwapOption and a reference bit
//!   table B   Slots [ □ | □ | ■ ]
//!                       ▲
//!   ring      A0 → A2 → A3 → B2              one entry per filled slot, in the order of insertion
//! ```
//!
//! Whoever has found the block's ordinal in a table's index has also found its place in the cache: a hit is one load of
//! the slot, without hashing, lock or shared counter. Eviction is CLOCK (second chance): the oldest entry of the ring
//! goes, unless its reference bit is set; then the bit is cleared and the entry goes to the end.
//!
//! (A1) The ring and all accounting change under the ring's lock only. Hits never take it.
//! (A2) `bytes` is the sum of the weights of all filled slots whose table is not retired. An insert leaves it within the limit
//!      of that moment. The limit may fall at any time; whoever lowers it calls [`Cache::shrink`].
//! (A3) A new entry is not referenced: what a scan reads once is evicted before what was asked for twice.
//! (A4) Dropping a table's [`Slots`] gives its bytes back at once; its entries in the ring are dead from then on, and
//!      are swept when they are the majority.
//!
//! Hits are counted in one of a few stripes, which threads share by chance only; a counter that every reader writes would
//! travel between their cores.
//!
//! Rejected: a hash table of blocks with sharded locks (hashing and a lock at every hit).

use crate::planted::{Bug, planted};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use crate::sync::{Mutex, MutexGuard, thread_local};
use arc_swap::{ArcSwapOption, Guard};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

/// How much of the budget a value takes. Must not change while the value is in the cache.
pub trait Weigh {
    /// Bytes of memory, all that the value owns included.
    fn weight(&self) -> usize;
}

/// A limit in bytes and the ring of what fills it.
pub struct Cache<T> {
    limit: Box<dyn Fn() -> usize + Send + Sync>,
    ring: Mutex<Ring<T>>,
    // Written under the ring's lock (A1), read by `stats` without it.
    bytes: AtomicUsize,
    inserts: AtomicU64,
    evictions: AtomicU64,
    hits: Box<[Stripe]>,
    misses: AtomicU64,
}

/// A counter on cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
struct Stripe(AtomicU64);

/// How many stripes count the hits: a power of two.
const STRIPES: usize = 32;

thread_local! {
    /// Its address tells threads apart.
    #[allow(clippy::missing_const_for_thread_local, reason = "a checker of schedules knows no such form")]
    static HERE: u8 = 0;
}

/// The places of one table's values. Dropping it retires the table (A4).
pub struct Slots<T> {
    table: Arc<TableSlots<T>>,
    cache: Arc<Cache<T>>,
}

/// What a slot holds, kept alive while this is held. For short moments: it may delay the freeing of an evicted value.
pub type Hit<T> = Guard<Option<Arc<T>>>;

/// What the cache has done, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct CacheStats {
    /// How many bytes it may hold at the moment.
    pub limit: usize,
    /// How many it holds.
    pub bytes: usize,
    /// How often a value was there since the start.
    pub hits: u64,
    /// How often it was not.
    pub misses: u64,
    /// How many values were put in since the start.
    pub inserts: u64,
    /// How many of them had to make room for others.
    pub evictions: u64,
}

struct TableSlots<T> {
    slots: Box<[Slot<T>]>,
    // All three change under the ring's lock only (A1).
    bytes: AtomicUsize,
    entries: AtomicUsize,
    retired: AtomicBool,
}

struct Slot<T> {
    value: ArcSwapOption<T>,
    referenced: AtomicBool,
}

struct Ring<T> {
    clock: VecDeque<Entry<T>>,
    /// How many entries of `clock` belong to retired tables.
    dead: usize,
}

struct Entry<T> {
    table: Weak<TableSlots<T>>,
    ordinal: usize,
    weight: usize,
}

impl<T> Cache<T> {
    /// A cache of at most as many bytes as `limit` says at the time. With 0 it keeps nothing.
    #[must_use]
    pub fn new(limit: impl Fn() -> usize + Send + Sync + 'static) -> Arc<Cache<T>> {
        Arc::new(Cache {
            limit: Box::new(limit),
            ring: Mutex::new(Ring { clock: VecDeque::new(), dead: 0 }),
            bytes: AtomicUsize::new(0),
            inserts: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            hits: std::iter::repeat_with(Stripe::default).take(STRIPES).collect(),
            misses: AtomicU64::new(0),
        })
    }

    /// A cache that keeps nothing, for those who read everything once.
    #[must_use]
    pub fn none() -> Arc<Cache<T>> {
        Cache::new(|| 0)
    }

    /// Evicts what is over the limit, which may have fallen.
    pub fn shrink(&self) {
        if self.bytes.load(Relaxed) <= (self.limit)() {
            return;
        }
        let mut ring = self.ring.lock();
        let victims = self.make_room(&mut ring, 0);
        drop(ring);
        drop(victims);
    }

    /// Room for the `count` values of a table.
    #[must_use]
    pub fn slots(self: &Arc<Self>, count: usize) -> Slots<T> {
        let empty = || Slot { value: ArcSwapOption::empty(), referenced: AtomicBool::new(false) };
        let table = TableSlots {
            slots: std::iter::repeat_with(empty).take(count).collect(),
            bytes: AtomicUsize::new(0),
            entries: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
        };
        Slots { table: Arc::new(table), cache: Arc::clone(self) }
    }

    /// What it holds and has done.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            limit: (self.limit)(),
            bytes: self.bytes.load(Relaxed),
            hits: self.hits.iter().map(|stripe| stripe.0.load(Relaxed)).sum(),
            misses: self.misses.load(Relaxed),
            inserts: self.inserts.load(Relaxed),
            evictions: self.evictions.load(Relaxed),
        }
    }

    #[inline]
    fn count_hit(&self) {
        // Blocks of thread-local memory lie far apart; the multiplication brings what differs to the top.
        let here = HERE.with(|here| std::ptr::from_ref(here).addr());
        let stripe = here.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as usize) >> (usize::BITS - STRIPES.ilog2());
        if let Some(stripe) = self.hits.get(stripe) {
            stripe.0.fetch_add(1, Relaxed);
        }
    }

    /// Evicts until `weight` fits. The victims are returned, so that they are freed after the lock is released.
    fn make_room(&self, ring: &mut MutexGuard<'_, Ring<T>>, weight: usize) -> Vec<Arc<T>> {
        let mut victims = Vec::new();
        // Readers may set reference bits as fast as they are cleared here, so the chances are counted.
        let mut chances = ring.clock.len();
        let limit = (self.limit)();
        while self.bytes.load(Relaxed) + weight > limit {
            let Some(entry) = ring.clock.pop_front() else { break };
            let Some(table) = entry.live() else {
                ring.dead -= 1;
                continue;
            };
            let Some(slot) = table.slots.get(entry.ordinal) else { continue };
            if chances > 0 && slot.referenced.swap(false, Relaxed) {
                chances -= 1;
                ring.clock.push_back(entry);
                continue;
            }
            victims.extend(slot.value.swap(None));
            table.bytes.fetch_sub(entry.weight, Relaxed);
            table.entries.fetch_sub(1, Relaxed);
            self.bytes.fetch_sub(entry.weight, Relaxed);
            self.evictions.fetch_add(1, Relaxed);
        }
        victims
    }

    fn retire(&self, table: &TableSlots<T>) {
        let mut ring = self.ring.lock();
        table.retired.store(true, Relaxed);
        self.bytes.fetch_sub(table.bytes.load(Relaxed), Relaxed);
        ring.dead += table.entries.load(Relaxed);
        if ring.dead > ring.clock.len() / 2 {
            ring.clock.retain(|entry| entry.live().is_some());
            ring.dead = 0;
        }
    }
}

impl<T> Entry<T> {
    /// The table, unless it is retired. Called under the ring's lock.
    fn live(&self) -> Option<Arc<TableSlots<T>>> {
        self.table.upgrade().filter(|table| !table.retired.load(Relaxed))
    }
}

impl<T> Slots<T> {
    /// What is cached under `ordinal`.
    #[inline]
    #[must_use]
    pub fn get(&self, ordinal: usize) -> Hit<T> {
        let ordinal = if planted(Bug::ShareCacheSlot) { ordinal & !1 } else { ordinal };
        let Some(slot) = self.table.slots.get(ordinal) else { return Guard::from_inner(None) };
        let hit = slot.value.load();
        if hit.is_none() {
            self.cache.misses.fetch_add(1, Relaxed);
            return hit;
        }
        self.cache.count_hit();
        // Written only when it changes: a bit that all readers set would travel between their cores.
        if !slot.referenced.load(Relaxed) {
            slot.referenced.store(true, Relaxed);
        }
        hit
    }

    /// As [`Slots::get`], for whoever has asked before: it does not count.
    #[must_use]
    pub fn peek(&self, ordinal: usize) -> Hit<T> {
        self.table.slots.get(ordinal).map_or_else(|| Guard::from_inner(None), |slot| slot.value.load())
    }

    /// Looks at the slot of `ordinal`, which is then near when it is asked for soon.
    #[inline]
    pub fn touch(&self, ordinal: usize) {
        std::hint::black_box(self.table.slots.get(ordinal).map(|slot| slot.referenced.load(Relaxed)));
    }

    /// How many bytes the slots themselves take, empty ones included.
    #[must_use]
    pub fn overhead(&self) -> usize {
        size_of_val(&*self.table.slots)
    }
}

impl<T: Weigh> Slots<T> {
    /// Puts a value in, if it can ever fit. When another thread was faster, its value stays.
    pub fn insert(&self, ordinal: usize, value: &Arc<T>) {
        self.put(ordinal, value, (self.cache.limit)());
    }

    /// As [`Slots::insert`], if nothing has to go for it.
    pub fn insert_where_room_is(&self, ordinal: usize, value: &Arc<T>) {
        let limit = (self.cache.limit)();
        // Asked without the lock: it may be wrong by what others insert at this moment, which then makes room.
        if self.cache.bytes.load(Relaxed) + value.weight() <= limit {
            self.put(ordinal, value, limit);
        }
    }

    fn put(&self, ordinal: usize, value: &Arc<T>, limit: usize) {
        let ordinal = if planted(Bug::ShareCacheSlot) { ordinal & !1 } else { ordinal };
        let weight = value.weight();
        let Some(slot) = self.table.slots.get(ordinal) else { return };
        if weight > limit || limit == 0 {
            return;
        }
        let mut ring = self.cache.ring.lock();
        if slot.value.load().is_some() {
            return;
        }
        let victims = self.cache.make_room(&mut ring, weight);
        slot.referenced.store(false, Relaxed);
        slot.value.store(Some(Arc::clone(value)));
        self.table.bytes.fetch_add(weight, Relaxed);
        self.table.entries.fetch_add(1, Relaxed);
        self.cache.bytes.fetch_add(weight, Relaxed);
        self.cache.inserts.fetch_add(1, Relaxed);
        ring.clock.push_back(Entry { table: Arc::downgrade(&self.table), ordinal, weight });
        drop(ring);
        drop(victims);
    }
}

impl<T> Drop for Slots<T> {
    fn drop(&mut self) {
        self.cache.retire(&self.table);
    }
}

#[cfg(all(test, any(shuttle, loom)))]
mod models;

#[cfg(test)]
mod tests {
    use super::*;

    struct Weight(usize);

    impl Weigh for Weight {
        fn weight(&self) -> usize {
            self.0
        }
    }

    fn present(slots: &Slots<Weight>) -> Vec<usize> {
        // Not through `get`, which would set the reference bits.
        let filled = |slot: &Slot<Weight>| slot.value.load().is_some();
        (0..slots.table.slots.len()).filter(|i| filled(&slots.table.slots[*i])).collect()
    }

    #[test]
    fn a_referenced_value_gets_a_second_chance() {
        let cache = Cache::new(|| 30);
        let slots = cache.slots(9);
        for i in 0..3 {
            slots.insert(i, &Arc::new(Weight(10)));
        }
        assert!(slots.get(0).is_some());
        slots.insert(3, &Arc::new(Weight(10)));
        assert_eq!(present(&slots), [0, 2, 3], "1 was the oldest that nobody asked for");
        slots.insert(4, &Arc::new(Weight(20)));
        assert_eq!(present(&slots), [3, 4], "0 was not asked for again: its chance is used up");
        slots.insert(5, &Arc::new(Weight(10)));
        assert_eq!(present(&slots), [4, 5]);
        let (limit, bytes, inserts, evictions, hits, misses) = (30, 30, 6, 4, 1, 0);
        assert_eq!(cache.stats(), CacheStats { limit, bytes, hits, misses, inserts, evictions });
    }

    #[test]
    fn what_is_to_displace_nothing_is_kept_where_there_is_room() {
        let cache = Cache::new(|| 30);
        let slots = cache.slots(9);
        for i in 0..5 {
            slots.insert_where_room_is(i, &Arc::new(Weight(10)));
        }
        assert_eq!((present(&slots), cache.stats().evictions), (vec![0, 1, 2], 0));
        slots.insert(5, &Arc::new(Weight(10)));
        assert_eq!(present(&slots), [1, 2, 5]);
    }

    #[test]
    fn a_ring_of_referenced_values_still_makes_room() {
        let cache = Cache::new(|| 30);
        let slots = cache.slots(9);
        for i in 0..3 {
            slots.insert(i, &Arc::new(Weight(10)));
            assert!(slots.get(i).is_some());
        }
        slots.insert(3, &Arc::new(Weight(10)));
        assert_eq!(present(&slots), [1, 2, 3]);
    }

    #[test]
    fn nothing_is_kept_without_a_budget_or_over_it() {
        for (budget, weight) in [(0, 0), (0, 1), (9, 10)] {
            let cache = Cache::new(move || budget);
            let slots = cache.slots(1);
            slots.insert(0, &Arc::new(Weight(weight)));
            assert!(slots.get(0).is_none());
            assert_eq!(cache.stats().bytes, 0);
        }
    }

    #[test]
    fn the_first_of_two_values_stays_and_strange_ordinals_are_empty() {
        let cache = Cache::new(|| 30);
        let slots = cache.slots(1);
        slots.insert(0, &Arc::new(Weight(10)));
        slots.insert(0, &Arc::new(Weight(20)));
        slots.insert(1, &Arc::new(Weight(10)));
        assert_eq!(slots.get(0).as_ref().map(|v| v.0), Some(10));
        assert!(slots.get(1).is_none());
        assert_eq!(cache.stats().bytes, 10);
    }

    #[test]
    fn a_cache_whose_limit_falls_shrinks_to_it() {
        let limit = Arc::new(AtomicUsize::new(50));
        let now = Arc::clone(&limit);
        let cache = Cache::new(move || now.load(Relaxed));
        let slots = cache.slots(9);
        (0..5).for_each(|i| slots.insert(i, &Arc::new(Weight(10))));
        assert!(slots.get(0).is_some() && slots.get(7).is_none());
        assert_eq!((cache.stats().hits, cache.stats().misses), (1, 1));
        limit.store(25, Relaxed);
        cache.shrink();
        assert_eq!(present(&slots), [0, 4], "0 was asked for, the others go in their order");
        limit.store(0, Relaxed);
        slots.insert(8, &Arc::new(Weight(0)));
        cache.shrink();
        assert!(present(&slots).is_empty() && cache.stats().bytes == 0);
    }

    #[test]
    fn a_retired_table_gives_its_bytes_back_at_once() {
        let cache = Cache::new(|| 1000);
        let kept = cache.slots(1);
        kept.insert(0, &Arc::new(Weight(10)));
        for _ in 0..100 {
            let slots = cache.slots(10);
            for i in 0..10 {
                slots.insert(i, &Arc::new(Weight(10)));
            }
            assert_eq!(cache.stats().bytes, 110);
            drop(slots);
            assert_eq!(cache.stats().bytes, 10);
            assert!(cache.ring.lock().clock.len() <= 11, "dead entries are swept");
        }
        assert_eq!(present(&kept), [0]);
        assert_eq!(cache.stats().evictions, 0);
    }

    #[test]
    fn dead_entries_are_skipped_by_eviction() {
        let cache = Cache::new(|| 40);
        let (old, live) = (cache.slots(4), cache.slots(4));
        old.insert(0, &Arc::new(Weight(10)));
        for i in 0..3 {
            live.insert(i, &Arc::new(Weight(10)));
        }
        drop(old);
        live.insert(3, &Arc::new(Weight(20)));
        assert_eq!(present(&live), [1, 2, 3]);
        assert_eq!((cache.stats().bytes, cache.ring.lock().dead), (40, 0));
    }

    #[test]
    fn readers_and_writers_agree_on_the_bytes() {
        let cache = Cache::new(|| 500);
        let shared: Slots<Weight> = cache.slots(64);
        std::thread::scope(|scope| {
            for thread in 0..4usize {
                let (cache, shared) = (&cache, &shared);
                scope.spawn(move || {
                    let mut x = thread as u64 + 1;
                    for round in 0..2000usize {
                        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let i = (x >> 40) as usize % 64;
                        if let Some(value) = &*shared.get(i) {
                            assert_eq!(value.0, i + 1, "thread {thread}");
                        } else {
                            shared.insert(i, &Arc::new(Weight(i + 1)));
                        }
                        if round % 100 == 0 {
                            let own = cache.slots(4);
                            own.insert(0, &Arc::new(Weight(7)));
                        }
                        assert!(cache.stats().bytes <= 500);
                    }
                });
            }
        });
        let held: usize = present(&shared).iter().map(|i| i + 1).sum();
        assert_eq!(cache.stats().bytes, held);
        drop(shared);
        assert_eq!(cache.stats().bytes, 0);
    }
}
