//! A view that does not change.

use super::Db;
use super::range::{Range, View, prefix_bounds, range_bounds};
use crate::Result;
use crate::engine::key::KeyspaceId;
use crate::engine::slice::Slice;
use std::ops::RangeBounds;

/// The database as it was at one moment, for as long as this value lives.
///
/// Taking one costs two short locks and copies nothing. While it lives, the versions it sees stay on disk, so do not keep
/// one for longer than needed; [`Db::stats`] tells how many live. Clones share the moment.
///
/// ```
/// # use siltstone::Db;
/// # let folder = tempfile::tempdir().unwrap();
/// # let db = Db::open(folder.path().join("db"))?;
/// db.put("k", "before")?;
/// let snapshot = db.snapshot();
/// db.put("k", "after")?;
/// assert_eq!(snapshot.get("k")?.unwrap(), b"before");
/// # Ok::<(), siltstone::Error>(())
/// ```
#[derive(Debug)]
pub struct Snapshot {
    db: Db,
    seq: u64,
}

impl Snapshot {
    pub(super) fn new(db: &Db) -> Snapshot {
        let inner = db.inner();
        Snapshot { db: db.clone(), seq: inner.snapshots.enter(&inner.visible.0) }
    }

    /// The value of `key` at the moment of the snapshot.
    ///
    /// # Errors
    /// As [`Db::get`].
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Slice>> {
        self.db.inner().get_at(key.as_ref(), Some(self.seq))
    }

    /// As [`Db::range`], at the moment of the snapshot.
    #[must_use]
    pub fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Range {
        Range::new(self.view(), KeyspaceId::DEFAULT, range_bounds(KeyspaceId::DEFAULT, &range))
    }

    /// As [`Db::iter`], at the moment of the snapshot.
    #[must_use]
    pub fn iter(&self) -> Range {
        self.prefix([])
    }

    /// As [`Db::prefix`], at the moment of the snapshot.
    #[must_use]
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Range {
        let bounds = prefix_bounds(KeyspaceId::DEFAULT, prefix.as_ref());
        Range::new(self.view(), KeyspaceId::DEFAULT, bounds)
    }

    fn view(&self) -> Result<View> {
        let inner = self.db.inner();
        inner.check_readable()?;
        let super_version = inner.super_version.load_full();
        Ok(View { super_version, seq: self.seq, _hold: self.db.clone() })
    }
}

impl Clone for Snapshot {
    fn clone(&self) -> Snapshot {
        self.db.inner().snapshots.enter_again(self.seq);
        Snapshot { db: self.db.clone(), seq: self.seq }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.db.inner().snapshots.leave(self.seq);
    }
}
