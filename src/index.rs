//! The seam for an index of your own: what keeps keys in order in memory.
//!
//! An [`Index`] is an ordered list of *(key, version) → place*. What a place is, is its owner's business: the write buffer of the
//! engine keeps its latest entries behind one ([`Options::memtable_index`](crate::Options::memtable_index)), and
//! `examples/engine.rs` builds a whole engine from one and an append-only log. The one that the engine uses when nobody asks for
//! another, a lock-free skip list, is chosen at compile time and costs no call through a pointer.
//!
//! # The contract
//!
//! (I1) **Order.** Keys ascend bytewise; of one key, the higher version comes first. No two entries have the same key and version.
//! (I2) **One writer, many readers.** `insert` is called by one thread at a time, cursors are used on any threads meanwhile. What
//!      `insert` has returned for is found by every cursor that is positioned afterwards; what is inserted later may or may not be.
//! (I3) **Nothing is taken out** and nothing changes. An index goes as a whole, when its last cursor has gone, too.
//! (I4) **A cursor stays where it is** whatever is inserted meanwhile, and steps from there to its neighbours of that moment.
//!
//! An index that breaks I1 makes the engine return wrong answers, as a broken `Ord` does in a `BTreeMap`, but nothing worse:
//! a place that the engine did not give out is as good as none.

use std::fmt::{self, Debug};
use std::sync::Arc;

/// An ordered list in memory. The contract, I1 to I4, is at the top of the module.
///
/// ```
/// use siltstone::index::{At, Cursor, Index};
/// use std::collections::BTreeSet;
/// use std::cmp::Reverse;
/// use std::sync::{Arc, RwLock};
///
/// /// As simple as can be: every step of a cursor is a search.
/// #[derive(Debug, Default)]
/// struct Plain(RwLock<BTreeSet<(Vec<u8>, Reverse<u64>, u64)>>);
///
/// struct Walk {
///     index: Arc<Plain>,
///     at: Option<(Vec<u8>, Reverse<u64>, u64)>,
/// }
///
/// impl Index for Plain {
///     fn insert(&self, key: &[u8], version: u64, place: u64) {
///         self.0.write().unwrap().insert((key.into(), Reverse(version), place));
///     }
///     fn cursor(self: Arc<Self>) -> Box<dyn Cursor> {
///         Box::new(Walk { index: self, at: None })
///     }
///     fn bytes_per_entry(&self) -> usize {
///         80
///     }
/// }
///
/// impl Cursor for Walk {
///     fn seek(&mut self, key: &[u8], version: u64) {
///         let from = (key.to_vec(), Reverse(version), 0);
///         self.at = self.index.0.read().unwrap().range(from..).next().cloned();
///     }
///     fn seek_before(&mut self, key: &[u8], version: u64) {
///         let to = (key.to_vec(), Reverse(version), 0);
///         self.at = self.index.0.read().unwrap().range(..to).next_back().cloned();
///     }
///     fn seek_last(&mut self) {
///         self.at = self.index.0.read().unwrap().last().cloned();
///     }
///     fn at(&self) -> Option<At<'_>> {
///         self.at.as_ref().map(|(key, version, place)| At { key, version: version.0, place: *place })
///     }
/// }
///
/// # let folder = tempfile::tempdir().unwrap();
/// let db = siltstone::Options::default().memtable_index(Plain::default).open(folder.path().join("db"))?;
/// db.put("b", "2")?;
/// db.put("a", "1")?;
/// assert_eq!(db.iter().next().unwrap()?.0, "a");
/// # siltstone::index::check(Plain::default).unwrap();
/// # Ok::<(), siltstone::Error>(())
/// ```
pub trait Index: Send + Sync + Debug + 'static {
    /// Adds an entry.
    fn insert(&self, key: &[u8], version: u64, place: u64);
    /// A cursor that keeps the index, at no entry yet.
    fn cursor(self: Arc<Self>) -> Box<dyn Cursor>;
    /// About how much memory an entry takes, for the memory budget.
    fn bytes_per_entry(&self) -> usize;
}

/// A position in an [`Index`].
pub trait Cursor: Send {
    /// Goes to the first entry at or after a key and version: `seek(b"", u64::MAX)` goes to the first of all.
    fn seek(&mut self, key: &[u8], version: u64);
    /// Goes to the last entry before a key and version.
    fn seek_before(&mut self, key: &[u8], version: u64);
    /// Goes to the last entry.
    fn seek_last(&mut self);
    /// Where it is; `None` before it was sent anywhere, and past either end.
    fn at(&self) -> Option<At<'_>>;

    /// Goes to the next entry; past the end it stays there. What follows an entry is what follows its key and version, so an index
    /// that cannot do better leaves this as it is.
    fn next(&mut self) {
        let Some((key, version)) = self.at().map(|at| (at.key.to_vec(), at.version)) else { return };
        match version.checked_sub(1) {
            Some(older) => self.seek(&key, older),
            None => self.seek(&[&key, &[0][..]].concat(), u64::MAX),
        }
    }

    /// Goes to the entry before.
    fn prev(&mut self) {
        let Some((key, version)) = self.at().map(|at| (at.key.to_vec(), at.version)) else { return };
        self.seek_before(&key, version);
    }
}

/// What a [`Cursor`] is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Which of its versions.
    pub version: u64,
    /// What the index was told to keep for it.
    pub place: u64,
}

/// Makes an empty [`Index`] whenever one is needed. Cheap to clone.
#[derive(Clone)]
pub struct NewIndex(Arc<dyn Fn() -> Arc<dyn Index> + Send + Sync>);

impl NewIndex {
    /// From a function that makes one, such as `MyIndex::default`.
    #[must_use]
    pub fn new<I: Index>(make: impl Fn() -> I + Send + Sync + 'static) -> NewIndex {
        NewIndex(Arc::new(move || Arc::new(make())))
    }

    /// An empty index.
    #[must_use]
    pub fn make(&self) -> Arc<dyn Index> {
        (self.0)()
    }
}

impl Debug for NewIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NewIndex").field(&self.make()).finish()
    }
}

/// Holds an index to its contract with some thousand entries, written and read on one thread: for your tests.
///
/// # Errors
/// What it did, and what was expected.
pub fn check<I: Index>(make: impl Fn() -> I) -> std::result::Result<(), String> {
    check::check(&|| Arc::new(make()))
}

mod check;
