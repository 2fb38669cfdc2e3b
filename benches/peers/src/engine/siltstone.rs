//! Siltstone.
//!
//! - Its one memory number covers memtables, block cache and pinned metadata. It gets what a peer may take for the
//!   first two: the cache, one memtable that is written to, and one that is being flushed.
//! - Everything else but durability and compression is its default.

use super::{Compression, Direction, Durability, Engine, Scan, Settings};
use crate::data::{Key, Value};
use anyhow::Result;
use siltstone::{Db, Options, Slice, WriteBatch};
use std::path::Path;
use std::time::Duration;

/// An open database.
pub struct Siltstone {
    db: Db,
}

impl Engine for Siltstone {
    const VERSION: &'static str = "0.1.0";

    fn open(dir: &Path, settings: &Settings) -> Result<Siltstone> {
        let durability = match settings.durability {
            Durability::Os => siltstone::Durability::Os,
            Durability::Sync => siltstone::Durability::Sync,
        };
        let compression = match settings.compression {
            Compression::None => siltstone::Compression::None,
            Compression::Lz4 => siltstone::Compression::Lz4,
            Compression::Zstd => siltstone::Compression::Zstd(1),
        };
        let db = Options::default()
            .memory_budget(settings.cache_bytes + 2 * settings.memtable_bytes)
            .durability(durability)
            .compression(compression)
            .open(dir)?;
        Ok(Siltstone { db })
    }

    fn put(&self, key: &Key, value: &Value) -> Result<()> {
        Ok(self.db.put(key, value)?)
    }

    fn put_batch(&self, entries: &[(Key, Value)]) -> Result<()> {
        let mut batch = WriteBatch::new();
        for (key, value) in entries {
            batch.put(key, value);
        }
        Ok(self.db.write(batch)?)
    }

    fn get<R>(&self, key: &Key, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        Ok(self.db.get(key)?.map(|value| read(&value)))
    }

    fn delete(&self, key: &Key) -> Result<()> {
        Ok(self.db.delete(key)?)
    }

    fn scan(&self, scan: Scan, visit: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        match (scan.direction, scan.from) {
            (Direction::Forward, None) => hand_over(self.db.range::<Key, _>(..), scan.limit, visit),
            (Direction::Forward, Some(from)) => hand_over(self.db.range(*from..), scan.limit, visit),
            (Direction::Backward, None) => hand_over(self.db.range::<Key, _>(..).rev(), scan.limit, visit),
            (Direction::Backward, Some(from)) => hand_over(self.db.range(..=*from).rev(), scan.limit, visit),
        }
    }

    fn settle(&self) -> Result<Duration> {
        self.db.flush()?;
        Ok(Duration::ZERO)
    }

    fn close(self) -> Result<()> {
        Ok(self.db.close()?)
    }
}

fn hand_over(
    entries: impl Iterator<Item = siltstone::Result<(Slice, Slice)>>,
    limit: usize,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    for entry in entries.take(limit) {
        let (key, value) = entry?;
        visit(&key, &value)?;
    }
    Ok(())
}
