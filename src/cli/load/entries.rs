//! Entries of files, into batches.

use super::{Load, Tally};
use crate::cli::input::{self, Format, Sink};
use crate::cli::record::{Record, Shape};
use anyhow::Context;
use siltstone::{Db, Durability, WriteBatch};

/// A batch is written when it has so many bytes, or so many entries.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_ENTRIES: usize = 10_000;

/// Loads the files, and makes everything durable that was read.
pub fn load(db: &Db, load: &Load, tally: &mut Tally) -> anyhow::Result<()> {
    let shape = match load.keys.as_slice() {
        [] => Shape::Entry,
        members => Shape::Document { members: members.to_vec(), separator: load.separator.clone() },
    };
    let mut loader = Loader { db, batch: WriteBatch::new(), tally };
    let result = load.files.iter().try_for_each(|file| {
        let format = load.format.unwrap_or_else(|| Format::of_name(file));
        let reader = loader.tally.open(file)?;
        input::read(reader, format, &shape, &mut loader).with_context(|| format!("could not load {file}"))
    });
    let finished = loader.write().and_then(|()| db.sync());
    result?;
    Ok(finished?)
}

/// Collects entries into batches and writes them.
struct Loader<'a> {
    db: &'a Db,
    batch: WriteBatch,
    tally: &'a mut Tally,
}

impl Sink for Loader<'_> {
    fn take(&mut self, line: u64, entry: Result<Record, String>) -> anyhow::Result<()> {
        match entry {
            Ok(Record { key, value }) => {
                self.batch.put(key, value);
                self.tally.progress.add_entry();
            }
            Err(why) => self.tally.refuse(line, &why),
        }
        if self.batch.byte_len() >= BATCH_BYTES || self.batch.len() >= BATCH_ENTRIES {
            self.write()?;
        }
        Ok(())
    }
}

impl Loader<'_> {
    fn write(&mut self) -> siltstone::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.db.write_with(batch, Durability::Os)
    }
}
