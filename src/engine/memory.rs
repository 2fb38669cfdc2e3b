//! One number for all memory of a database: who holds how much of it, and who makes room.
//!
//! ```text
//! budget B    write buffers      up to three, each of M = min(memtable_bytes, B/7)      W = 3 M
//!             open tables        indexes, filters, what is known of each table         (B - W) / 2
//!             work               flush and compaction: B/16 each, and a block of each input
//!             log                the record that is being written
//!             cache              what the others leave at the moment
//! ```
//!
//! Whoever allocates much holds a [`Held`] of as many bytes. The cache is the one that gives way: it may hold what the others
//! leave, and whenever one of them grows it is told to look.
//!
//! (B1) What is held by all but the cache stays within the budget by rules of those who hold: buffers are sealed and writers wait
//!      (`db::room`), tables beyond their share are closed (`read::lazy_table`), a table ends when its builder has its share
//!      (`compaction::output`).
//! (B2) The cache shrinks before [`Held::set`] returns, so what is held by all of them together is over the budget for the
//!      moment of that call only.
//! (B3) What is held ends with the memory it stands for: an iterator that keeps a write buffer after its flush keeps its bytes
//!      counted.
//!
//! Nothing of this is touched by a read that finds its table open and its block in the cache.

use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;

/// What memory is held for. The cache counts its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Write buffers, those included that only iterators keep.
    Buffers,
    /// What is known of tables, and the indexes and filters of those that are open.
    Tables,
    /// The record of the log that is being written.
    Log,
    /// Flush and compaction.
    Work,
}

/// The budget and what is held of it.
pub struct Memory {
    budget: usize,
    /// The most one write buffer should hold.
    buffer: usize,
    buffers: AtomicUsize,
    tables: AtomicUsize,
    log: AtomicUsize,
    work: AtomicUsize,
    /// Called when anybody has come to hold more.
    grown: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// Bytes that are held until this is dropped.
pub struct Held {
    memory: Arc<Memory>,
    what: Use,
    bytes: AtomicUsize,
}

/// However little is left, a write buffer may hold so much.
const LEAST_BUFFER: usize = 64 << 10;

impl Memory {
    /// A budget of so many bytes, for write buffers of at most `memtable_bytes`.
    #[must_use]
    pub fn new(budget: usize, memtable_bytes: usize) -> Arc<Memory> {
        Arc::new(Memory {
            budget,
            buffer: memtable_bytes.min(budget / 7),
            buffers: AtomicUsize::new(0),
            tables: AtomicUsize::new(0),
            log: AtomicUsize::new(0),
            work: AtomicUsize::new(0),
            grown: OnceLock::new(),
        })
    }

    /// For those who use one thing after the other, and keep nothing: without a limit.
    #[must_use]
    pub fn unlimited() -> Arc<Memory> {
        Memory::new(usize::MAX, usize::MAX)
    }

    /// The least budget that everything fits into with blocks of so many bytes: a compaction may hold a block of each of
    /// its inputs, which are the tables of level 0 and a run of each other level.
    #[must_use]
    pub fn least(block_bytes: usize) -> usize {
        (1 << 20) + 64 * block_bytes
    }

    /// The number itself.
    #[must_use]
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// How much is held for one thing.
    #[must_use]
    pub fn used(&self, what: Use) -> usize {
        self.counter(what).load(Relaxed)
    }

    fn counter(&self, what: Use) -> &AtomicUsize {
        match what {
            Use::Buffers => &self.buffers,
            Use::Tables => &self.tables,
            Use::Log => &self.log,
            Use::Work => &self.work,
        }
    }

    /// How much the cache may hold now.
    #[must_use]
    pub fn left_for_cache(&self) -> usize {
        let others = [Use::Buffers, Use::Tables, Use::Log, Use::Work].map(|what| self.used(what));
        self.budget.saturating_sub(others.into_iter().fold(0, usize::saturating_add))
    }

    /// How full a write buffer gets as a rule.
    #[must_use]
    pub fn buffer_bytes(&self) -> usize {
        self.buffer
    }

    /// How full a write buffer that holds `own` bytes may get now. When others take the room, such as buffers that iterators
    /// keep, or what is known of a great many tables, it is little; but never so little that a flush is not worth it.
    #[must_use]
    pub fn room_of_buffer(&self, own: usize) -> usize {
        let others = self.used(Use::Buffers).saturating_sub(own);
        let beyond = self.used(Use::Tables).saturating_sub(self.all_tables());
        let room = self.all_buffers().saturating_sub(others).saturating_sub(beyond);
        room.max(LEAST_BUFFER).min(self.buffer)
    }

    /// Whether so many bytes are much for a write buffer.
    #[must_use]
    pub fn is_large(&self, bytes: usize) -> bool {
        bytes >= (self.buffer / 8).max(LEAST_BUFFER)
    }

    /// The most that all write buffers together should hold.
    #[must_use]
    pub fn all_buffers(&self) -> usize {
        self.buffer.saturating_mul(3)
    }

    /// The most that should be held of tables.
    #[must_use]
    pub fn all_tables(&self) -> usize {
        (self.budget - self.all_buffers()) / 2
    }

    /// The most that the log should keep for its records.
    #[must_use]
    pub fn log_bytes(&self) -> usize {
        (self.budget / 64).min(1 << 20)
    }

    /// The most that a table in the making should hold.
    #[must_use]
    pub fn builder_bytes(&self) -> usize {
        self.budget / 16
    }

    /// Sets what to do when anybody has come to hold more; only the first call counts.
    pub fn when_grown(&self, act: impl Fn() + Send + Sync + 'static) {
        let _ = self.grown.set(Box::new(act));
    }

    /// Holds so many bytes.
    #[must_use]
    pub fn hold(self: &Arc<Self>, what: Use, bytes: usize) -> Held {
        let held = Held { memory: Arc::clone(self), what, bytes: AtomicUsize::new(0) };
        held.set(bytes);
        held
    }
}

impl Held {
    /// Holds so many bytes from now on.
    pub fn set(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Relaxed);
        let used = self.memory.counter(self.what);
        if bytes <= before {
            used.fetch_sub(before - bytes, Relaxed);
            return;
        }
        used.fetch_add(bytes - before, Relaxed);
        if let Some(act) = self.memory.grown.get() {
            act();
        }
    }

    /// How many bytes it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_has_what_the_others_leave() {
        let memory = Memory::new(7000, 1 << 20);
        assert_eq!((memory.buffer_bytes(), memory.all_buffers(), memory.all_tables()), (1000, 3000, 2000));
        let grown = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&grown);
        memory.when_grown(move || _ = seen.fetch_add(1, Relaxed));
        let buffers = memory.hold(Use::Buffers, 2500);
        let tables = memory.hold(Use::Tables, 100);
        assert_eq!((memory.left_for_cache(), memory.used(Use::Buffers)), (4400, 2500));
        buffers.set(1000);
        assert_eq!((memory.left_for_cache(), grown.load(Relaxed)), (5900, 2));
        drop(buffers);
        drop(tables);
        assert_eq!((memory.left_for_cache(), grown.load(Relaxed)), (7000, 2));
        let _too_much = memory.hold(Use::Work, 9000);
        assert_eq!(memory.left_for_cache(), 0);
    }

    #[test]
    fn a_buffer_gets_less_room_when_others_keep_it_but_never_none() {
        let memory = Memory::new(7 << 20, 64 << 20);
        assert_eq!(memory.room_of_buffer(0), 1 << 20);
        let own = memory.hold(Use::Buffers, 900 << 10);
        let _sealed = memory.hold(Use::Buffers, 2 << 20);
        assert_eq!(memory.room_of_buffer(own.bytes()), 1 << 20);
        let _kept = memory.hold(Use::Buffers, 512 << 10);
        assert_eq!(memory.room_of_buffer(own.bytes()), 512 << 10);
        let _more = memory.hold(Use::Buffers, 5 << 20);
        assert_eq!(memory.room_of_buffer(own.bytes()), LEAST_BUFFER);
        // Who wants less gets less.
        assert_eq!(Memory::new(7 << 20, 1 << 10).room_of_buffer(0), 1 << 10);
    }
}
