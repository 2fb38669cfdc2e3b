//! A view that does not change.

use super::close::Handle;
use super::keyspaces::check_kept_in;
use super::range::{Range, View};
use super::snapshot_list::Moment;
use crate::Result;
use crate::engine::batch::KeyspaceRef;
use crate::engine::key::{KeyspaceId, prefix_bounds, range_bounds};
use crate::engine::slice::Slice;
use std::ops::RangeBounds;
use std::sync::Arc;

/// The database as it was at one moment, for as long as this value lives.
///
/// Reads go to the keyspace whose `snapshot` made it; [`Snapshot::within`] shows the same moment of another one.
///
/// Taking one costs two short locks and copies nothing. While it lives, the versions it sees stay on disk, so do not keep
/// one for longer than needed; [`Db::stats`](crate::Db::stats) tells how many live. Clones share the moment.
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
pub struct Snapshot {
    handle: Arc<Handle>,
    id: KeyspaceId,
    moment: Moment,
}

impl Snapshot {
    pub(super) fn new(handle: &Arc<Handle>, id: KeyspaceId) -> Snapshot {
        let inner = handle.inner();
        let now = || inner.time.of_reader(&*inner.options.clock);
        Snapshot { handle: Arc::clone(handle), id, moment: inner.snapshots.enter(&inner.visible.0, now) }
    }

    /// The same moment of another keyspace of the same database. One that was made later is empty.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a keyspace of another database,
    /// [`Error::KeyspaceDropped`](crate::Error::KeyspaceDropped).
    pub fn within(&self, keyspace: impl Into<KeyspaceRef>) -> Result<Snapshot> {
        let id = self.handle.inner().id_of(keyspace.into())?;
        self.handle.inner().check_kept(id)?;
        let mut same = self.clone();
        same.id = id;
        Ok(same)
    }

    /// Brings the snapshot to the present, as if it had been taken now; its clones stay where they are. Cheaper than taking
    /// another one, and nothing is allocated.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed); then it is as it was before.
    pub fn refresh(&mut self) -> Result<()> {
        let inner = self.handle.inner();
        inner.check_readable()?;
        let now = || inner.time.of_reader(&*inner.options.clock);
        let moment = inner.snapshots.enter(&inner.visible.0, now);
        inner.snapshots.leave(std::mem::replace(&mut self.moment, moment));
        Ok(())
    }

    /// The value of `key` at the moment of the snapshot.
    ///
    /// # Errors
    /// As [`Keyspace::get`](crate::Keyspace::get).
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Slice>> {
        let found = self.handle.inner().get_at(self.id, key.as_ref(), Some(self.moment))?;
        Ok(found.map(|found| found.value))
    }

    /// As [`Keyspace::range`](crate::Keyspace::range), at the moment of the snapshot.
    #[must_use]
    pub fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Range {
        Range::new(self.view(), self.id, range_bounds(self.id, &range))
    }

    /// As [`Keyspace::iter`](crate::Keyspace::iter), at the moment of the snapshot.
    #[must_use]
    pub fn iter(&self) -> Range {
        self.prefix([])
    }

    /// As [`Keyspace::prefix`](crate::Keyspace::prefix), at the moment of the snapshot.
    #[must_use]
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Range {
        Range::new(self.view(), self.id, prefix_bounds(self.id, prefix.as_ref()))
    }

    pub(super) fn moment(&self) -> Moment {
        self.moment
    }

    /// Where it reads, and in which keyspace.
    pub(super) fn place(&self) -> (&Arc<Handle>, KeyspaceId) {
        (&self.handle, self.id)
    }

    fn view(&self) -> Result<View> {
        self.view_of(self.id)
    }

    /// What ranges of another keyspace read at this moment.
    pub(super) fn view_of(&self, id: KeyspaceId) -> Result<View> {
        let inner = self.handle.inner();
        inner.check_readable()?;
        let super_version = inner.super_version.load_full();
        check_kept_in(&super_version, id, "")?;
        Ok(View { super_version, moment: self.moment, hold: Arc::clone(&self.handle) })
    }
}

impl Clone for Snapshot {
    fn clone(&self) -> Snapshot {
        self.handle.inner().snapshots.enter_again(self.moment);
        Snapshot { handle: Arc::clone(&self.handle), id: self.id, moment: self.moment }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.handle.inner().snapshots.leave(self.moment);
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("moment", &self.moment).finish_non_exhaustive()
    }
}
