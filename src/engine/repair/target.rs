//! The new database while it is made.
//!
//! Its files are written like those of any other: tables by the table builder, then the manifest with all of them, then
//! `CURRENT`, so that a repair that is interrupted leaves a folder that does not open, and is refused by the next
//! (`manifest::fresh`).

use crate::Result;
use crate::engine::filename::FileName;
use crate::engine::manifest::Edit;
use crate::engine::manifest::fresh::Fresh;
use crate::engine::options::{Compression, Options};
use crate::engine::read::TableFiles;
use crate::engine::sstable::{TableBuilder, TableOptions};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::vfs::Mode;
use std::path::Path;
use std::sync::Arc;

/// A folder that was empty.
pub struct Target<'a> {
    /// How its tables are made.
    pub options: &'a Options,
    /// Where they lie.
    pub files: Arc<TableFiles>,
    /// The number of the next one.
    pub next_table: AtomicU64,
    fresh: Fresh,
}

impl<'a> Target<'a> {
    /// Makes the folder, or takes an empty one.
    ///
    /// # Errors
    /// As [`Fresh::new`].
    pub fn new(options: &'a Options, from: &Path, into: &Path) -> Result<Target<'a>> {
        let fresh = Fresh::new(&options.vfs, from, into)?;
        let files = TableFiles::new(fresh.dir().clone(), &options.memory());
        files.belong_to(options.clock.random());
        Ok(Target { options, files, next_table: AtomicU64::new(1), fresh })
    }

    /// How its tables are made.
    #[must_use]
    pub fn template(&self, compression: Compression) -> TableOptions {
        let Options { block_bytes, filter_bits, .. } = *self.options;
        TableOptions { place: self.files.place(0), block_bytes, compression, filter_bits, clean_seq: 0 }
    }

    /// Begins a table.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io), [`Error::DiskFull`](crate::Error::DiskFull).
    pub fn new_table(&self, compression: Compression) -> Result<TableBuilder> {
        let number = self.next_table.fetch_add(1, Ordering::Relaxed);
        let file = self.files.dir().open(&FileName::Table(number).to_string(), Mode::CreateNew)?;
        TableBuilder::new(
            file,
            TableOptions { place: self.files.place(number), ..self.template(compression) },
        )
    }

    /// Puts the tables of `edit` in force, and closes the database.
    ///
    /// # Errors
    /// As [`Fresh::finish`].
    pub fn finish(&mut self, edit: &Edit, last_seq: u64) -> Result<()> {
        self.fresh.finish(self.files.place(0).database, edit, last_seq)
    }
}
