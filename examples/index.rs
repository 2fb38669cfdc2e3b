//! An index of your own for what was written last.
//!
//! ```sh
//! cargo run --release --example index
//! ```
//!
//! The engine keeps its latest entries in a lock-free skip list; [`TreeIndex`] is a sorted map behind a lock instead, which takes a
//! third of the code. [`Index`] is all there is to implement. `examples/engine.rs` builds a whole engine upon the same one.

use siltstone::index::{At, Cursor, Index};
use siltstone::{Durability, Options};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

/// A key and its version, the newest first.
type Key = (Box<[u8]>, Reverse<u64>);

/// A sorted map behind a lock. Nothing is taken out of it, so a cursor may copy what it will show next.
#[derive(Debug, Default)]
pub struct TreeIndex(RwLock<BTreeMap<Key, u64>>);

impl Index for TreeIndex {
    fn insert(&self, key: &[u8], version: u64, place: u64) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert((key.into(), Reverse(version)), place);
    }

    fn cursor(self: Arc<Self>) -> Box<dyn Cursor> {
        Box::new(TreeCursor { tree: self, at: None })
    }

    /// A node of the map has room for eleven entries and is two thirds full; the key is an allocation of its own.
    fn bytes_per_entry(&self) -> usize {
        size_of::<(Key, u64)>() * 3 / 2 + 48
    }
}

/// Where a walk is. Each step is a search, since entries may have come in between.
pub struct TreeCursor {
    tree: Arc<TreeIndex>,
    at: Option<(Key, u64)>,
}

impl TreeCursor {
    fn find(&mut self, search: impl FnOnce(&BTreeMap<Key, u64>) -> Option<(&Key, &u64)>) {
        let tree = self.tree.0.read().unwrap_or_else(PoisonError::into_inner);
        self.at = search(&tree).map(|(key, place)| (key.clone(), *place));
    }
}

impl Cursor for TreeCursor {
    fn seek(&mut self, key: &[u8], version: u64) {
        let from = Included((key.into(), Reverse(version)));
        self.find(|tree| tree.range((from, Unbounded)).next());
    }

    fn seek_before(&mut self, key: &[u8], version: u64) {
        let to = Excluded((key.into(), Reverse(version)));
        self.find(|tree| tree.range((Unbounded, to)).next_back());
    }

    fn seek_last(&mut self) {
        self.find(BTreeMap::last_key_value);
    }

    fn next(&mut self) {
        let Some((key, _)) = self.at.take() else { return };
        self.find(|tree| tree.range((Excluded(key), Unbounded)).next());
    }

    fn at(&self) -> Option<At<'_>> {
        self.at.as_ref().map(|((key, version), place)| At { key, version: version.0, place: *place })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The contract, before anything relies on it.
    siltstone::index::check(TreeIndex::default)?;

    const WRITES: u32 = 200_000;
    let folder = tempfile::tempdir()?;
    let options = Options::default().durability(Durability::Os);
    for (name, options) in
        [("the skip list", options.clone()), ("the tree", options.memtable_index(TreeIndex::default))]
    {
        let db = options.open(folder.path().join(name))?;
        let begun = Instant::now();
        for n in 0..WRITES {
            db.put(n.wrapping_mul(2_654_435_761).to_be_bytes(), "value")?;
        }
        let written = begun.elapsed();
        let count = db.iter().count();
        println!(
            "{name}: {WRITES} puts in {written:.0?}, {count} keys walked in {:.0?}",
            begun.elapsed() - written
        );
        db.close()?;
    }
    Ok(())
}
