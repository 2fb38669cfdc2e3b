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
//!      of it holds there, or nothing is written and the error is [`Error::ConditionFailed`].
//! (S7) After `close` every call gives [`Error::Closed`]; no call panics. What was handed out before, a walk or a view, may go on
//!      or say the same; a keyspace stays a name.
//!
//! The rest concerns engines that say of themselves, in their [`Capabilities`], that they can do more. One that cannot refuses a
//! batch that needs it, with [`Error::InvalidArgument`] and nothing applied (`WriteBatch::check`).
//!
//! (S8) A keyspace (`keyspaces`) is an ordered map of its own: none of its keys is one of another. The same name is the same
//!      keyspace, "" is that of `get` and `range`. One order holds for all (S1, S2), and a batch over several is whole for all of
//!      them. A [`KeyspaceRef`] of another engine is refused with [`Error::InvalidArgument`].
//! (S9) A value with an expiry (`expiry`) is there as long as `now` is before it, for every call and every condition, and from then
//!      on it is as if it had been deleted, to the millisecond. `now` does not go back while the engine is open, and times to
//!      live count from the `now` of the write. A walk goes by the time at which it began (S3), a view by that at which it was
//!      taken.
//! (S10) The deletion of a range (`range_deletes`) removes what was in it at its place in the order: what was put before, also by
//!      the same batch, and nothing that comes later.
//! (S11) A view (`views`) shows the state of the moment at which it was taken, of all keyspaces alike: every write that had
//!      returned, and no part of one that had not begun. Taking one copies nothing, and it holds nothing up.
//! (S12) `find_cached` does not wait for a disk or a network. What it says is what `find` would say then.
//!
//! Rejected: an async trait (an embedder would meet a runtime, and a local engine answers most reads from memory);
//! a write that blocks until durable (a server would need a thread for each waiting client); transactions on the seam (a remote
//! engine would have to keep what was read, or promise more than it can; conditions say in one call what may not have
//! changed, and ranges, S3, and views, S11, give what to decide by); keyspaces as handles with methods (each call of a server
//! would hold two pointers in place of one and a number); a trait for each capability (an `Arc<dyn StorageEngine>` could not be
//! asked for them).

pub mod conformance;
mod lsm;
mod memory;
mod name;
mod value;
mod wait;

pub use lsm::LsmEngine;
pub use memory::MemoryEngine;
pub use name::check_name;
pub use value::{HashHead, Value};
pub use wait::{Commit, Room, Wait};

use crate::vfs::{Clock, std::StdClock};
use crate::{Durability, Error, KeyspaceRef, Result, Slice, WriteBatch};
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The entries of a range: owned, so that they may be walked on another thread.
pub type Entries = Box<dyn Iterator<Item = Result<(Slice, Slice)>> + Send>;

/// Whether an entry is wanted, by its key and its value.
pub type Accept = Box<dyn FnMut(&[u8], &[u8]) -> bool + Send>;

/// An ordered map of bytes with atomic batches. The contract, S1 to S12, is at the top of the module.
///
/// An engine that can do no more than that leaves `keyspace`, `find`, `find_cached`, `view` and `now` as they are.
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

    /// What the engine counts, in the text form of Prometheus: whole lines, or nothing.
    fn stats_prometheus(&self) -> String {
        String::new()
    }

    /// Merges all files, so that what was deleted and superseded takes no space any more. It takes long. An engine that has
    /// nothing to merge does nothing.
    ///
    /// # Errors
    /// What kept it from that.
    fn compact(&self) -> Result<()> {
        Ok(())
    }

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

    /// The keyspace `name`, made if it is not there (S8); "" is the one that `get` and `range` read, which every engine has.
    ///
    /// It is there for good when this returns, so making one may take a sync. Batches name it with [`WriteBatch::within`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a name that cannot be one, and for any but "" where there are no keyspaces.
    fn keyspace(&self, name: &str) -> Result<KeyspaceRef> {
        if name.is_empty() { Ok(KeyspaceRef::ROOT) } else { Err(no_keyspaces()) }
    }

    /// The value of a key of a keyspace, with its expiry, as of now (S9).
    ///
    /// # Errors
    /// As [`StorageEngine::get`]; [`Error::InvalidArgument`] for a keyspace of another engine.
    fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>> {
        if keyspace != KeyspaceRef::ROOT {
            return Err(no_keyspaces());
        }
        Ok(self.get(key)?.map(|value| Found { value, expiry: None }))
    }

    /// As [`StorageEngine::find`], unless a disk, or another slow place, has to be asked: then `None` (S12), and the caller may
    /// call `find` where blocking is allowed.
    ///
    /// # Errors
    /// As [`StorageEngine::find`].
    fn find_cached(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Option<Found>>> {
        if self.capabilities().blocking_reads { Ok(None) } else { self.find(keyspace, key).map(Some) }
    }

    /// The state of this moment, which later writes do not change (S11).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where there are no views.
    fn view(&self) -> Result<Arc<dyn View>> {
        Err(Error::invalid(
            "this engine has no views: ask for a range, which keeps its state, or for single keys",
        ))
    }

    /// The time by which it is judged what has expired (S9).
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(StdClock::new().wall_ms())
    }
}

fn no_keyspaces() -> Error {
    Error::invalid("this engine has one keyspace, which has no name, and was asked for another one")
}

/// The state of an engine at one moment (S11): see [`StorageEngine::view`].
///
/// It is let go of by dropping it. An engine may keep what it shows, on disk or in memory, for as long as it lives.
///
/// ```
/// # use siltstone::{KeyspaceRef, WriteBatch, store::{MemoryEngine, StorageEngine}};
/// let engine = MemoryEngine::new();
/// let orders = engine.keyspace("orders")?;
/// let put = |n: &str| {
///     let mut batch = WriteBatch::new();
///     batch.put("last", n);
///     batch.within(orders).put(n, "");
///     engine.write(batch, None)?.wait()
/// };
/// put("1")?;
/// let view = engine.view()?;
/// put("2")?;
/// assert_eq!(view.find(KeyspaceRef::ROOT, b"last")?.unwrap().value, "1");
/// assert!(view.find(orders, b"2")?.is_none());
/// # Ok::<(), siltstone::Error>(())
/// ```
pub trait View: Send + Sync {
    /// The value of a key of a keyspace, with its expiry.
    ///
    /// # Errors
    /// As [`StorageEngine::find`].
    fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>>;

    /// As [`View::find`] of each of `keys`, in their order. An engine may be quicker at that than at one after the other.
    ///
    /// # Errors
    /// As [`View::find`], of the first key that has one.
    fn find_many(&self, keyspace: KeyspaceRef, keys: &[&[u8]]) -> Result<Vec<Option<Found>>> {
        keys.iter().map(|key| self.find(keyspace, key)).collect()
    }

    /// The entries of a keyspace that `scan` asks for, in its direction. They may be walked when the view is gone.
    ///
    /// # Errors
    /// As [`StorageEngine::range`]; [`Error::InvalidArgument`] for a keyspace of another engine.
    fn range(&self, keyspace: KeyspaceRef, scan: Scan<'_>) -> Result<Entries>;

    /// As [`View::range`], those alone that `is` lets through, which is shown key and value of each in turn; the limit counts what it lets
    /// through. An engine that has the entries at hand need not copy, or hold, the others.
    ///
    /// # Errors
    /// As [`View::range`].
    fn range_where(&self, keyspace: KeyspaceRef, scan: Scan<'_>, mut is: Accept) -> Result<Entries> {
        let all = self.range(keyspace, Scan { limit: None, ..scan })?;
        let passes = move |entry: &Result<(Slice, Slice)>| match entry {
            Ok((key, value)) => is(key, value),
            Err(_) => true,
        };
        Ok(Box::new(all.filter(passes).take(scan.limit.unwrap_or(usize::MAX))))
    }
}

/// What is known of a key that has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The value.
    pub value: Slice,
    /// From when on it is as if the key had been deleted; `None` for never.
    pub expiry: Option<SystemTime>,
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
    /// There are keyspaces with names (S8).
    pub keyspaces: bool,
    /// Values that are written with an expiry go when it has come (S9).
    pub expiry: bool,
    /// Batches delete ranges (S10).
    pub range_deletes: bool,
    /// There are views (S11).
    pub views: bool,
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

/// The first bytes behind all that begin with a prefix, if there are any: the upper end of a scan over them.
#[must_use]
pub fn behind_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
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

    /// Both engines, both ways, with and without a limit.
    #[test]
    fn a_range_of_some_is_the_range_without_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let db = crate::Db::open(folder.path().join("db")).unwrap();
        let engines: [&dyn StorageEngine; 2] = [&MemoryEngine::new(), &LsmEngine::new(db.clone())];
        for engine in engines {
            let mut batch = WriteBatch::new();
            for n in 0..500_u32 {
                batch.put(n.to_be_bytes(), vec![n as u8; 40]);
            }
            engine.write(batch, None).unwrap().wait().unwrap();
            engine.compact().unwrap();
            let view = engine.view().unwrap();
            for limit in [None, Some(7)] {
                for reverse in [false, true] {
                    let scan = Scan { limit, ..Scan::all() };
                    let scan = if reverse { scan.reversed() } else { scan };
                    let is = |key: &[u8], value: &[u8]| key[3].is_multiple_of(3) && value[0] < 100;
                    let some = view.range_where(KeyspaceRef::ROOT, scan, Box::new(is)).unwrap();
                    let all = view.range(KeyspaceRef::ROOT, Scan { limit: None, ..scan }).unwrap();
                    let expected = all.map(Result::unwrap).filter(|(key, value)| is(key, value));
                    let expected: Vec<_> = expected.take(limit.unwrap_or(500)).collect();
                    assert_eq!(some.map(Result::unwrap).collect::<Vec<_>>(), expected);
                    assert!(expected.len() >= 7);
                }
            }
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

    #[test]
    fn what_lies_behind_a_prefix() {
        assert_eq!(behind_prefix(b"user:").as_deref(), Some(&b"user;"[..]));
        assert_eq!(behind_prefix(b"a\xff\xff").as_deref(), Some(&b"b"[..]));
        assert_eq!(behind_prefix(b"\xff"), None);
        assert_eq!(behind_prefix(b""), None);
    }
}
