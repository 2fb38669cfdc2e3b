//! The new database while it is made.
//!
//! Its files are written like those of any other: tables by the table builder, then the manifest with all of them, then
//! `CURRENT`, so that a repair that is interrupted leaves a folder that does not open, and is refused by the next.

use crate::engine::filename::FileName;
use crate::engine::manifest::registry::Registry;
use crate::engine::manifest::{Edit, Manifest, Version};
use crate::engine::options::{Compression, Options};
use crate::engine::read::TableFiles;
use crate::engine::sstable::{TableBuilder, TableOptions};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::vfs::{Dir, Mode};
use crate::{Error, Result};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A folder that was empty.
pub struct Target<'a> {
    /// How its tables are made.
    pub options: &'a Options,
    /// Where they lie.
    pub files: Arc<TableFiles>,
    /// The number of the next one.
    pub next_table: AtomicU64,
    lock: Option<Box<dyn Send + Sync>>,
    finished: bool,
}

impl<'a> Target<'a> {
    /// Makes the folder, or takes an empty one.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when it holds anything or lies in `from`; [`Error::Locked`], [`Error::Io`],
    /// [`Error::DiskFull`].
    pub fn new(options: &'a Options, from: &Path, into: &Path) -> Result<Target<'a>> {
        if plain(into).starts_with(plain(from)) {
            let (into, from) = (into.display(), from.display());
            return Err(Error::invalid(format!(
                "{into} lies in {from}, which is not changed: name another folder"
            )));
        }
        let dir = Dir::new(Arc::clone(&options.vfs), into);
        match dir.list() {
            Ok(names) if names.is_empty() => {}
            Ok(_) => {
                let into = into.display();
                return Err(Error::invalid(format!("{into} is not empty: name a new folder to repair into")));
            }
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        dir.create_all()?;
        let lock = Some(dir.lock(&FileName::Lock.to_string())?);
        let files = TableFiles::new(dir, &options.memory());
        files.belong_to(options.clock.random());
        Ok(Target { options, files, next_table: AtomicU64::new(1), lock, finished: false })
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
    /// [`Error::Io`], [`Error::DiskFull`].
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
    /// [`Error::Corruption`] when they do not make a database; [`Error::Io`], [`Error::DiskFull`].
    pub fn finish(&mut self, edit: &Edit, last_seq: u64) -> Result<()> {
        let dir = self.files.dir();
        let unfit = |why: String| Error::corruption(dir.path(), 0, "set of tables", why);
        let version = Version::<()>::empty().apply(edit, &mut |_| ()).map_err(|v| unfit(v.to_string()))?;
        let registry = Registry::default().apply(edit).map_err(unfit)?;
        dir.sync()?;
        let database = self.files.place(0).database;
        Manifest::create_from(dir, database, version, registry)?.close(last_seq)?;
        self.finished = true;
        self.lock = None;
        Ok(())
    }
}

/// A path without the parts that mean nothing, as in `./data`.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

impl Drop for Target<'_> {
    /// What a repair that failed has written is of no use. It was written into an empty folder, so all of it is ours.
    fn drop(&mut self) {
        let dir = self.files.dir();
        for name in dir.list().unwrap_or_default() {
            if !self.finished && FileName::parse(&name).is_some() {
                // What cannot be removed is seen by whoever looks: the folder is not empty.
                let _ = dir.remove(&name);
            }
        }
    }
}
