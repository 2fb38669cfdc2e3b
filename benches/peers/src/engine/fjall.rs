//! Fjall.
//!
//! - `Os`: an insert hands its record to the operating system before it returns (`PersistMode::Buffer`, its default).
//! - `Sync`: an insert followed by `persist(SyncData)`, as its documentation has it.
//! - Compression and filter bits are the same on every level. Its defaults (no compression on the upper two levels, a
//!   finer filter on the first) would be another trade than its peers make here.

use super::{
    BACKGROUND_THREADS, BLOCK_BYTES, Compression, Direction, Durability, Engine, FILTER_BITS, Scan, Settings,
};
use crate::data::{Key, Value};
use anyhow::{Result, bail};
use fjall::config::{
    BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry,
};
use fjall::{CompressionType, Database, Guard, Keyspace, KeyspaceCreateOptions, PersistMode};
use siltstone_peers::settle::watch_until_quiet;
use std::path::Path;
use std::time::Duration;

/// How long it has to be quiet to count as settled: it re-queues compactions by message, so one look is not enough.
const QUIET: Duration = Duration::from_millis(500);

/// An open database.
pub struct Fjall {
    keyspace: Keyspace,
    database: Database,
    durability: Durability,
}

impl Engine for Fjall {
    const VERSION: &'static str = "3.1.13";

    fn open(dir: &Path, settings: &Settings) -> Result<Fjall> {
        let compression = match settings.compression {
            Compression::None => CompressionType::None,
            Compression::Lz4 => CompressionType::Lz4,
            Compression::Zstd => bail!("fjall has no zstd: leave it out with --engines, or choose lz4"),
        };
        let database = Database::builder(dir)
            .cache_size(settings.cache_bytes as u64)
            .worker_threads(BACKGROUND_THREADS as usize)
            .open()?;
        let bloom = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(FILTER_BITS as f32));
        let keyspace = database.keyspace("bench", || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(settings.memtable_bytes as u64)
                .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
                .data_block_compression_policy(CompressionPolicy::all(compression))
                .filter_policy(FilterPolicy::all(bloom))
        })?;
        Ok(Fjall { keyspace, database, durability: settings.durability })
    }

    fn put(&self, key: &Key, value: &Value) -> Result<()> {
        self.keyspace.insert(*key, *value)?;
        self.sync_if_asked()
    }

    fn put_batch(&self, entries: &[(Key, Value)]) -> Result<()> {
        let mode = match self.durability {
            Durability::Os => PersistMode::Buffer,
            Durability::Sync => PersistMode::SyncData,
        };
        let mut batch = self.database.batch().durability(Some(mode));
        for (key, value) in entries {
            batch.insert(&self.keyspace, *key, *value);
        }
        Ok(batch.commit()?)
    }

    fn get<R>(&self, key: &Key, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        Ok(self.keyspace.get(key)?.map(|value| read(&value)))
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.keyspace.remove(*key)?;
        self.sync_if_asked()
    }

    fn scan(&self, scan: Scan, visit: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        match (scan.direction, scan.from) {
            (Direction::Forward, None) => hand_over(self.keyspace.iter(), scan.limit, visit),
            (Direction::Forward, Some(from)) => hand_over(self.keyspace.range(*from..), scan.limit, visit),
            (Direction::Backward, None) => hand_over(self.keyspace.iter().rev(), scan.limit, visit),
            (Direction::Backward, Some(from)) => {
                hand_over(self.keyspace.range(..=*from).rev(), scan.limit, visit)
            }
        }
    }

    fn settle(&self) -> Result<Duration> {
        self.keyspace.rotate_memtable_and_wait()?;
        let mut seen = None;
        watch_until_quiet(QUIET, || {
            let now = Some(self.database.compactions_completed());
            let changed = std::mem::replace(&mut seen, now) != now;
            Ok(changed
                || self.database.active_compactions() > 0
                || self.database.outstanding_flushes() > 0
                || self.keyspace.sealed_memtable_count() > 0)
        })
    }

    fn close(self) -> Result<()> {
        let Fjall { keyspace, database, .. } = self;
        drop(keyspace);
        drop(database);
        Ok(())
    }
}

impl Fjall {
    #[inline]
    fn sync_if_asked(&self) -> Result<()> {
        match self.durability {
            Durability::Os => Ok(()),
            Durability::Sync => Ok(self.database.persist(PersistMode::SyncData)?),
        }
    }
}

fn hand_over(
    entries: impl Iterator<Item = Guard>,
    limit: usize,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    for entry in entries.take(limit) {
        let (key, value) = entry.into_inner()?;
        visit(&key, &value)?;
    }
    Ok(())
}
