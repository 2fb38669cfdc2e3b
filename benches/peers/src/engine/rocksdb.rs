//! RocksDB, through the rocksdb crate.
//!
//! - `Os`: `WriteOptions` as they are (the log is written, not synced). `Sync`: `sync = true`, an fdatasync.
//! - Reads are pinned: no copy of the value. Full scans do not fill the block cache, as its documentation advises;
//!   short ones do, because readrandom's blocks are theirs too.
//! - The block cache is the one RocksDB takes by default, only larger. Everything not named here is its default.

use super::{
    BACKGROUND_THREADS, BLOCK_BYTES, Compression, Direction, Durability, Engine, FILTER_BITS, Scan, Settings,
};
use crate::data::{Key, Value};
use anyhow::Result;
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, Options, ReadOptions, WaitForCompactOptions, WriteBatch,
    WriteOptions,
};
use std::path::Path;
use std::time::Duration;

/// An open database.
pub struct RocksDb {
    db: DB,
    read: ReadOptions,
    write: WriteOptions,
}

impl Engine for RocksDb {
    const VERSION: &'static str = "11.8.1 (rocksdb crate 0.25.0)";

    fn open(dir: &Path, settings: &Settings) -> Result<RocksDb> {
        let db = DB::open(&options(settings), dir)?;
        let mut write = WriteOptions::default();
        write.set_sync(settings.durability == Durability::Sync);
        Ok(RocksDb { db, read: ReadOptions::default(), write })
    }

    fn put(&self, key: &Key, value: &Value) -> Result<()> {
        Ok(self.db.put_opt(key, value, &self.write)?)
    }

    fn put_batch(&self, entries: &[(Key, Value)]) -> Result<()> {
        let mut batch = WriteBatch::default();
        for (key, value) in entries {
            batch.put(key, value);
        }
        Ok(self.db.write_opt(batch, &self.write)?)
    }

    fn get<R>(&self, key: &Key, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        Ok(self.db.get_pinned_opt(key, &self.read)?.map(|value| read(&value)))
    }

    fn delete(&self, key: &Key) -> Result<()> {
        Ok(self.db.delete_opt(key, &self.write)?)
    }

    fn scan(&self, scan: Scan, mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let mut options = ReadOptions::default();
        options.fill_cache(scan.from.is_some());
        let mut entries = self.db.raw_iterator_opt(options);
        match (scan.direction, scan.from) {
            (Direction::Forward, None) => entries.seek_to_first(),
            (Direction::Forward, Some(from)) => entries.seek(from),
            (Direction::Backward, None) => entries.seek_to_last(),
            (Direction::Backward, Some(from)) => entries.seek_for_prev(from),
        }
        for _ in 0..scan.limit {
            let Some((key, value)) = entries.item() else { break };
            visit(key, value)?;
            match scan.direction {
                Direction::Forward => entries.next(),
                Direction::Backward => entries.prev(),
            }
        }
        Ok(entries.status()?)
    }

    fn settle(&self) -> Result<Duration> {
        let mut options = WaitForCompactOptions::default();
        options.set_flush(true);
        self.db.wait_for_compact(&options)?;
        Ok(Duration::ZERO)
    }

    fn close(self) -> Result<()> {
        drop(self.db);
        Ok(())
    }
}

fn options(settings: &Settings) -> Options {
    let compression = match settings.compression {
        Compression::None => DBCompressionType::None,
        Compression::Lz4 => DBCompressionType::Lz4,
        Compression::Zstd => DBCompressionType::Zstd,
    };
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_write_buffer_size(settings.memtable_bytes);
    options.set_max_background_jobs(BACKGROUND_THREADS as i32);
    options.set_compression_type(compression);
    if settings.compression == Compression::Zstd {
        let (window_bits, level, strategy, dictionary_bytes) = (-14, 1, 0, 0);
        options.set_compression_options(window_bits, level, strategy, dictionary_bytes);
    }
    options.set_block_based_table_factory(&table_options(settings));
    options
}

fn table_options(settings: &Settings) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_size(BLOCK_BYTES as usize);
    table.set_bloom_filter(f64::from(FILTER_BITS), false);
    table.set_block_cache(&Cache::new_hyper_clock_cache(settings.cache_bytes, 0));
    table
}
