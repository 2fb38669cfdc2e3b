//! The engine of this crate, behind the seam.

use super::wait::Wait;
use super::{Accept, Capabilities, Commit, Direction, Entries, Found, Room, Scan, StorageEngine, View};
use crate::{Db, Durability, Error, KeyspaceRef, Range, Result, Slice, Snapshot, WriteBatch, WriteOptions};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

/// A [`Db`] as a [`StorageEngine`].
///
/// ```
/// # use siltstone::{Db, WriteBatch, store::{LsmEngine, StorageEngine}};
/// # let folder = tempfile::tempdir().unwrap();
/// let engine = LsmEngine::new(Db::open(folder.path().join("db"))?);
/// let mut batch = WriteBatch::new();
/// batch.put("k", "v");
/// engine.write(batch, None)?.wait()?;
/// assert_eq!(engine.get(b"k")?.unwrap(), b"v");
/// # Ok::<(), siltstone::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LsmEngine {
    db: Db,
    log: Arc<Log>,
    buffers: Arc<Buffers>,
}

impl LsmEngine {
    /// Puts `db` behind the seam. Other handles of it stay good.
    #[must_use]
    pub fn new(db: Db) -> LsmEngine {
        LsmEngine { log: Arc::new(Log(db.clone())), buffers: Arc::new(Buffers(db.clone())), db }
    }

    /// The database itself.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }
}

/// Reached: the log is durable up to the mark.
#[derive(Debug)]
struct Log(Db);

impl Wait for Log {
    fn poll(&self, mark: u64, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll_durable(mark, cx)
    }

    fn wait(&self, mark: u64) -> Result<()> {
        self.0.wait_durable(mark)
    }
}

/// Reached: so many bytes can be written without waiting.
#[derive(Debug)]
struct Buffers(Db);

impl Wait for Buffers {
    fn poll(&self, mark: u64, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll_room(usize::try_from(mark).unwrap_or(usize::MAX), cx)
    }
}

impl StorageEngine for LsmEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Slice>> {
        self.db.get(key)
    }

    fn range(&self, scan: Scan<'_>) -> Result<Entries> {
        if self.db.is_closed() {
            return Err(Error::Closed);
        }
        Ok(entries(self.db.range::<&[u8]>((scan.lower, scan.upper)), scan))
    }

    fn write(&self, batch: WriteBatch, durability: Option<Durability>) -> Result<Commit> {
        let commit = self.db.commit_now(&batch, WriteOptions { durability })?;
        Ok(match commit.position() {
            0 => Commit::ready(Ok(())),
            position => Commit::at(Arc::clone(&self.log) as Arc<dyn Wait>, position),
        })
    }

    fn room(&self, bytes: usize) -> Room {
        Room::until(Arc::clone(&self.buffers) as Arc<dyn Wait>, bytes as u64)
    }

    fn stats_prometheus(&self) -> String {
        self.db.stats().prometheus()
    }

    fn stats_json(&self) -> String {
        serde_json::to_string(&self.db.stats()).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }

    fn compact(&self) -> Result<()> {
        let names = self.db.keyspaces()?;
        self.db.compact_range::<&[u8]>(..)?;
        names.iter().try_for_each(|name| self.db.keyspace(name)?.compact_range::<&[u8]>(..))
    }

    fn sync(&self) -> Result<()> {
        self.db.sync()
    }

    fn close(&self) -> Result<()> {
        self.db.close()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            ordered_ranges: true,
            atomic_batches: true,
            conditional_batches: true,
            durable: true,
            blocking_reads: false,
            keyspaces: true,
            expiry: true,
            range_deletes: true,
            views: true,
        }
    }

    fn keyspace(&self, name: &str) -> Result<KeyspaceRef> {
        if name.is_empty() { Ok(KeyspaceRef::ROOT) } else { Ok(KeyspaceRef::from(&self.db.keyspace(name)?)) }
    }

    #[inline]
    fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>> {
        Ok(self.db.get_within(keyspace, key)?.map(found))
    }

    fn find_cached(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Option<Found>>> {
        Ok(self.db.get_within_cached(keyspace, key)?.map(|known| known.map(found)))
    }

    fn view(&self) -> Result<Arc<dyn View>> {
        if self.db.is_closed() {
            return Err(Error::Closed);
        }
        Ok(Arc::new(Moment(self.db.snapshot())))
    }

    fn now(&self) -> SystemTime {
        self.db.now()
    }
}

/// A snapshot as a view.
#[derive(Debug)]
struct Moment(Snapshot);

impl View for Moment {
    fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>> {
        Ok(self.0.get_within(keyspace, key)?.map(found))
    }

    fn find_many(&self, keyspace: KeyspaceRef, keys: &[&[u8]]) -> Result<Vec<Option<Found>>> {
        self.0.find_many_within(keyspace, keys, found)
    }

    fn range(&self, keyspace: KeyspaceRef, scan: Scan<'_>) -> Result<Entries> {
        Ok(entries(self.0.range_within::<&[u8]>(keyspace, (scan.lower, scan.upper))?, scan))
    }

    fn range_where(&self, keyspace: KeyspaceRef, scan: Scan<'_>, is: Accept) -> Result<Entries> {
        let range = self.0.range_within::<&[u8]>(keyspace, (scan.lower, scan.upper))?;
        let wanted = Wanted { range, forward: scan.direction == Direction::Forward, is };
        Ok(Box::new(wanted.take(scan.limit.unwrap_or(usize::MAX))))
    }
}

/// Those of a range that are wanted.
struct Wanted {
    range: Range,
    forward: bool,
    is: Accept,
}

impl Iterator for Wanted {
    type Item = Result<(Slice, Slice)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.range.next_where(self.forward, &mut self.is)
    }
}

#[inline]
fn found((value, expiry): (Slice, Option<SystemTime>)) -> Found {
    Found { value, expiry }
}

fn entries(range: Range, scan: Scan<'_>) -> Entries {
    let limit = scan.limit.unwrap_or(usize::MAX);
    match scan.direction {
        Direction::Forward => Box::new(range.take(limit)),
        Direction::Reverse => Box::new(range.rev().take(limit)),
    }
}
