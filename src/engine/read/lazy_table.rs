//! A table of a version: opened when first read, its file given up when last let go.

use crate::engine::cache::Cache;
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::FileKind;
use crate::engine::manifest;
use crate::engine::sstable::{Block, Table, TableSummary};
use crate::planted::{Bug, planted};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Mutex, OnceLock};
use crate::vfs::{Dir, Mode};
use crate::{Error, Result};
use std::sync::Arc;

/// The tables of one moment.
pub type Version = manifest::Version<LazyTable>;
/// One of them.
pub type TableRef = manifest::TableRef<LazyTable>;

/// What all tables of a database share: where they lie, the cache of their blocks, and the list of those to remove.
pub struct TableFiles {
    dir: Dir,
    database: OnceLock<u64>,
    cache: Arc<Cache<Block>>,
    /// Numbers of tables that no version names and nobody reads any more.
    removable: Mutex<Vec<u64>>,
    /// Bytes of index and filter held by open tables.
    memory: AtomicUsize,
    /// Called when the list of removable tables is no longer empty.
    on_removable: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl TableFiles {
    /// The tables in `dir`.
    #[must_use]
    pub fn new(dir: Dir, cache: Arc<Cache<Block>>) -> Arc<TableFiles> {
        Arc::new(TableFiles {
            dir,
            database: OnceLock::new(),
            cache,
            removable: Mutex::default(),
            memory: AtomicUsize::new(0),
            on_removable: OnceLock::new(),
        })
    }

    /// Says which database they belong to; known once its manifest was read, and before any table is opened.
    pub fn belong_to(&self, database: u64) {
        let _ = self.database.set(database);
    }

    /// The place that table `number`'s checksums are bound to.
    #[must_use]
    pub fn place(&self, number: u64) -> Place {
        Place { database: self.database.get().copied().unwrap_or_default(), kind: FileKind::Table, number }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The cache.
    #[must_use]
    pub fn cache(&self) -> &Arc<Cache<Block>> {
        &self.cache
    }

    /// Sets what to do when a table has become removable; only the first call counts.
    pub fn when_removable(&self, act: impl Fn() + Send + Sync + 'static) {
        let _ = self.on_removable.set(Box::new(act));
    }

    /// Bytes of index and filter that open tables hold in memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    /// Removes the files of tables that nobody needs any more.
    ///
    /// # Errors
    /// [`Error::Io`], of the first that could not be removed; it and the ones behind it stay on the list.
    pub fn remove_removable(&self) -> Result<()> {
        loop {
            let Some(number) = self.removable.lock().pop() else { return Ok(()) };
            match self.dir.remove(&FileName::Table(number).to_string()) {
                // An earlier try may have done it, and failed all the same.
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.inspect_err(|_| self.removable.lock().push(number))?,
            }
        }
    }
}

/// A table that is opened by its first reader.
pub struct LazyTable {
    files: Arc<TableFiles>,
    number: u64,
    len: u64,
    table: OnceLock<Arc<Table>>,
    /// Held while opening, so that two readers do not open twice.
    opening: Mutex<()>,
    obsolete: AtomicBool,
}

impl LazyTable {
    /// The table that `summary` describes. Nothing is read.
    #[must_use]
    pub fn new(files: Arc<TableFiles>, summary: &TableSummary) -> LazyTable {
        LazyTable {
            files,
            number: summary.number,
            len: summary.len,
            table: OnceLock::new(),
            opening: Mutex::new(()),
            obsolete: AtomicBool::new(false),
        }
    }

    /// The open table.
    ///
    /// # Errors
    /// What opening gives: [`crate::Error::Io`], [`crate::Error::Corruption`], [`crate::Error::Incompatible`].
    /// The next call tries again.
    #[inline]
    pub fn open(&self) -> Result<&Arc<Table>> {
        match self.table.get() {
            Some(table) => Ok(table),
            None => self.open_now(),
        }
    }

    /// Whether somebody has opened it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.table.get().is_some()
    }

    /// Notes that no version will name this table any more.
    pub fn retire(&self) {
        self.obsolete.store(true, Ordering::Release);
        if planted(Bug::RemoveReadTable) {
            self.files.removable.lock().push(self.number);
        }
    }

    #[cold]
    fn open_now(&self) -> Result<&Arc<Table>> {
        let _guard = self.opening.lock();
        if let Some(table) = self.table.get() {
            return Ok(table);
        }
        let file = self.files.dir.open(&FileName::Table(self.number).to_string(), Mode::Read)?;
        let table = Table::open(&file, self.files.place(self.number), self.len, &self.files.cache)?;
        self.files.memory.fetch_add(table.memory(), Ordering::Relaxed);
        Ok(self.table.get_or_init(|| table))
    }
}

impl Drop for LazyTable {
    fn drop(&mut self) {
        if let Some(table) = self.table.get() {
            self.files.memory.fetch_sub(table.memory(), Ordering::Relaxed);
        }
        if self.obsolete.load(Ordering::Acquire) {
            self.files.removable.lock().push(self.number);
            if let Some(act) = self.files.on_removable.get() {
                act();
            }
        }
    }
}
