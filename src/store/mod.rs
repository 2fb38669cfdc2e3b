//! The seam between what holds the data and what offers it: the document layer and the server are written against
//! [`StorageEngine`] and know no engine.
//!
//! Reading order: the trait here; [`Commit`] and [`Room`], the two things one waits for; [`Value`], how the network
//! doors tell JSON from plain bytes; [`MemoryEngine`], the smallest engine there is; [`LsmEngine`], the one of this crate;
//! [`conformance`], which every engine has to pass, one of your own (`examples/engine.rs`) as well.
//!
//! # The contract
//!
//! (S1) `write` puts the batch in its place in the one order of all writes and makes it visible, whole: a reader that
//!      starts after `write` returned sees it, and no reader sees a part of it.
//! (S2) Commits become durable in the order of their writes: when one is done without error, so are all before it.
//!      A caller with many writes under way therefore waits for the last one only.
//! (S3) A range shows the state at the moment `range` was called, whatever is written while it is walked.
//! (S4) Back-pressure is in `room`: once `room(n)` resolved, a write of up to `n` bytes that follows at once does not
//!      wait for background work. An engine may keep this by letting such writes overshoot its buffer.
//! (S5) Progress depends on nobody's waiting: a commit that was dropped still becomes durable.
//! (S6) A batch that requires something (`WriteBatch::require_absent` and its like) is judged at its place in the order: all
//!      of it holds there, or nothing is written and the error is
//!      [`Error::ConditionFailed`](crate::Error::ConditionFailed).
//! (S7) After `close` every call gives [`Error::Closed`](crate::Error::Closed); no call panics.
//!
//! Rejected: an async trait (an embedder would meet a runtime, and a local engine answers most reads from memory);
//! a write that blocks until durable (a server would need a thread for each waiting client); transactions on the seam (a remote
//! engine would have to keep what was read, or promise more than it can; conditions say in one call what may not have
//! changed, and ranges, S3, give what to decide by).

pub mod conformance;
mod lsm;
mod memory;
mod value;
mod wait;

pub use lsm::LsmEngine;
pub use memory::MemoryEngine;
pub use value::Value;
pub use wait::{Commit, Room, Wait};

use crate::{Durability, Result, Slice, WriteBatch};
use std::ops::{Bound, RangeBounds};

/// The entries of a range: owned, so that they may be walked on another thread.
pub type Entries = Box<dyn Iterator<Item = Result<(Slice, Slice)>> + Send>;

/// An ordered map of bytes with atomic batches. The contract, S1 to S7, is at the top of the module.
pub trait StorageEngine: Send + Sync + 'static {
    /// The value of `key`, or `None` when there is none.
    ///
    /// # Errors
    /// What kept the engine from answering; an absent key is no error.
    fn get(&self, key: &[u8]) -> Result<Option<Slice>>;

    /// The entries that `scan` asks for, in its direction (S3).
    ///
    /// # Errors
    /// What kept the engine from starting; later failures are items of the iterator, which then ends.
    fn range(&self, scan: Scan<'_>) -> Result<Entries>;

    /// Orders and applies a batch (S1, S6) and returns the handle on its durability. `None` asks for the durability the
    /// engine was opened with.
    ///
    /// # Errors
    /// Nothing of the batch was, or will be, applied.
    fn write(&self, batch: WriteBatch, durability: Option<Durability>) -> Result<Commit>;

    /// Resolves when a write of `bytes` bytes would not have to wait (S4).
    fn room(&self, bytes: usize) -> Room;

    /// What the engine counts, as one JSON object.
    fn stats_json(&self) -> String;

    /// Blocks until everything written so far is durable, whatever durability it was written with.
    ///
    /// # Errors
    /// The writes may be lost at a power cut.
    fn sync(&self) -> Result<()>;

    /// Closes for every holder: waits for what is in flight (S7). Closing twice is no error.
    ///
    /// # Errors
    /// What could not be made durable.
    fn close(&self) -> Result<()>;

    /// What the engine can do, and how it behaves.
    fn capabilities(&self) -> Capabilities;
}

/// What an engine can do. A new one starts from `default()`, which can do nothing, and says what it adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// Ranges come in key order, both ways.
    pub ordered_ranges: bool,
    /// Batches are visible, and durable, all or none.
    pub atomic_batches: bool,
    /// What a batch requires is judged together with writing it (S6).
    pub conditional_batches: bool,
    /// What was committed survives the end of the process.
    pub durable: bool,
    /// Reads may wait for a network or another slow place: call them where blocking is allowed.
    pub blocking_reads: bool,
}

/// The two ways through a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// By ascending key.
    #[default]
    Forward,
    /// By descending key.
    Reverse,
}

/// Which entries a range gives.
///
/// ```
/// # use siltstone::store::{MemoryEngine, Scan, StorageEngine};
/// # use siltstone::WriteBatch;
/// # use std::ops::Bound::Included;
/// let engine = MemoryEngine::new();
/// let mut batch = WriteBatch::new();
/// for key in ["a", "b", "c"] {
///     batch.put(key, "");
/// }
/// engine.write(batch, None)?.wait()?;
/// let last = engine.range(Scan::between(Included(b"a"), Included(b"b")).reversed().limited(1))?;
/// assert_eq!(last.map(|entry| entry.unwrap().0).collect::<Vec<_>>(), ["b"]);
/// # Ok::<(), siltstone::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan<'a> {
    /// Where the range begins, by key order in both directions.
    pub lower: Bound<&'a [u8]>,
    /// Where it ends.
    pub upper: Bound<&'a [u8]>,
    /// From which end it is walked.
    pub direction: Direction,
    /// At most this many entries.
    pub limit: Option<usize>,
}

impl<'a> Scan<'a> {
    /// Everything, forward.
    #[must_use]
    pub fn all() -> Scan<'a> {
        Scan { lower: Bound::Unbounded, upper: Bound::Unbounded, direction: Direction::Forward, limit: None }
    }

    /// The keys between two bounds, forward.
    #[must_use]
    pub fn between<K: AsRef<[u8]> + ?Sized>(lower: Bound<&'a K>, upper: Bound<&'a K>) -> Scan<'a> {
        Scan { lower: lower.map(AsRef::as_ref), upper: upper.map(AsRef::as_ref), ..Scan::all() }
    }

    /// The same entries from the other end.
    #[must_use]
    pub fn reversed(mut self) -> Scan<'a> {
        self.direction = match self.direction {
            Direction::Forward => Direction::Reverse,
            Direction::Reverse => Direction::Forward,
        };
        self
    }

    /// The first `limit` of them.
    #[must_use]
    pub fn limited(mut self, limit: usize) -> Scan<'a> {
        self.limit = Some(limit);
        self
    }

    /// True when `key` lies between the bounds.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        RangeBounds::<[u8]>::contains(&(self.lower, self.upper), key)
    }

    /// True when no key can lie between the bounds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match (self.lower, self.upper) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(a), Bound::Included(b)) => a > b,
            (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => a >= b,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Bound::{Excluded, Included, Unbounded};

    /// Both engines, through the trait.
    #[test]
    fn conditions_are_judged_with_the_write() {
        let folder = tempfile::tempdir().unwrap();
        let db = crate::Db::open(folder.path().join("db")).unwrap();
        let engines: [&dyn StorageEngine; 2] = [&MemoryEngine::new(), &LsmEngine::new(db)];
        for engine in engines {
            assert!(engine.capabilities().conditional_batches);
            let claim = |holder: &str| {
                let mut batch = WriteBatch::new();
                batch.put("holder", holder);
                batch.require_absent("holder");
                batch.put(holder, "holds it");
                engine.write(batch, None).map(|commit| commit.wait().unwrap())
            };
            claim("me").unwrap();
            let refused = claim("you").unwrap_err();
            assert!(
                matches!(&refused, crate::Error::ConditionFailed { key, .. } if key == b"holder"),
                "{refused}"
            );
            assert_eq!(engine.get(b"holder").unwrap().unwrap(), "me");
            assert!(engine.get(b"you").unwrap().is_none());
            let mut batch = WriteBatch::new();
            batch.require_value("holder", "me");
            batch.require_present("me");
            batch.delete("holder");
            engine.write(batch, None).unwrap().wait().unwrap();
            claim("you").unwrap();
        }
    }

    #[test]
    fn empty_scans_are_known() {
        let cases = [
            (Included("a"), Included("a"), false),
            (Included("a"), Excluded("a"), true),
            (Excluded("a"), Included("a"), true),
            (Excluded("a"), Excluded("b"), false),
            (Included("b"), Included("a"), true),
            (Unbounded, Excluded(""), false),
            (Excluded("z"), Unbounded, false),
        ];
        for (lower, upper, empty) in cases {
            let scan =
                Scan::between(lower.as_ref().map(|k| k.as_bytes()), upper.as_ref().map(|k| k.as_bytes()));
            assert_eq!(scan.is_empty(), empty, "{lower:?} {upper:?}");
        }
    }
}
