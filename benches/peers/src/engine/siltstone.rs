//! Siltstone.
//!
//! - `Os` and `Sync` are its own classes of the same names, chosen at open.
//! - Memtable, cache, blocks and filters are set to what its peers get, not left to its one memory budget.
//! - Compression is the same on every level. Its default (a smaller kind on the deepest level) would be another trade than
//!   its peers make here.

use super::{BLOCK_BYTES, Compression, Direction, Durability, Engine, FILTER_BITS, Scan, Settings};
use crate::data::{Key, Value};
use anyhow::Result;
use siltstone::{Db, Options, Slice, WriteBatch};
use siltstone_peers::settle;
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
            .durability(durability)
            .memtable_bytes(settings.memtable_bytes)
            // Its cache has what the rest leaves, and a buffer is at most a seventh.
            .memory_budget(
                (settings.cache_bytes + 3 * settings.memtable_bytes).max(7 * settings.memtable_bytes),
            )
            .block_bytes(BLOCK_BYTES as usize)
            .filter_bits(FILTER_BITS)
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
            (Direction::Forward, None) => hand_over(self.db.iter(), scan.limit, visit),
            (Direction::Forward, Some(from)) => hand_over(self.db.range(*from..), scan.limit, visit),
            (Direction::Backward, None) => hand_over(self.db.iter().rev(), scan.limit, visit),
            (Direction::Backward, Some(from)) => hand_over(self.db.range(..=*from).rev(), scan.limit, visit),
        }
    }

    fn settle(&self) -> Result<Duration> {
        settle::siltstone(&self.db)
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
