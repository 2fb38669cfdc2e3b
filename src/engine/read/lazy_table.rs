//! A table of a version: opened when first read, its file given up when last let go.
//!
//! What an open table takes (index, filter, a slot for each block) counts against the budget. The first to be opened stay open,
//! up to half the share of all tables: reading them costs what it would without a budget. The others are in a cache of open
//! tables and closed again when their place is needed, those first that nobody has asked for lately; their next reader
//! opens them anew.
//!
//! (L1) What is held of open tables is within their share, but for those that readers have at the moment: a cursor keeps the
//!      table it is in.
//! (L2) What is known of a table that is not open, some hundred bytes and its first and last key, stays in memory.
//!
//! Why so: `docs/decisions/0016-one-memory-number.md`.

use crate::engine::cache::{Cache, Slots, Weigh};
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::FileKind;
use crate::engine::manifest;
use crate::engine::memory::{Held, Memory, Use};
use crate::engine::sstable::{Block, Table, TableSummary};
use crate::planted::{Bug, planted};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Mutex, OnceLock};
use crate::vfs::{Dir, Mode};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

/// The tables of one moment.
pub type Version = manifest::Version<LazyTable>;
/// One of them.
pub type TableRef = manifest::TableRef<LazyTable>;

/// What the allocator and the lists of a version take for each table, about.
const AROUND: usize = 300;

/// What all tables of a database share: where they lie, the caches of their blocks and of themselves, and the list of those to remove.
pub struct TableFiles {
    dir: Dir,
    database: OnceLock<u64>,
    memory: Arc<Memory>,
    cache: Arc<Cache<Block>>,
    /// Open tables that can be closed again.
    tables: Arc<Cache<Table>>,
    /// What is held of tables that cannot.
    pinned: Arc<AtomicUsize>,
    /// Numbers of tables that no version names and nobody reads any more.
    removable: Mutex<Vec<u64>>,
    /// Called when the list of removable tables is no longer empty.
    on_removable: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl TableFiles {
    /// The tables in `dir`, with caches for what `memory` leaves.
    #[must_use]
    pub fn new(dir: Dir, memory: &Arc<Memory>) -> Arc<TableFiles> {
        let pinned = Arc::new(AtomicUsize::new(0));
        let (of_blocks, of_tables) = (Arc::clone(memory), Arc::clone(memory));
        let taken = Arc::clone(&pinned);
        let cache = Cache::new(move || of_blocks.left_for_cache());
        let tables = Cache::new(move || of_tables.all_tables().saturating_sub(taken.load(Ordering::Relaxed)));
        // Weak: the cache asks the memory for its limit, and is kept by whoever keeps this.
        let gives_way = Arc::downgrade(&cache);
        memory.when_grown(move || {
            if let Some(cache) = gives_way.upgrade() {
                cache.shrink();
            }
        });
        Arc::new(TableFiles {
            dir,
            database: OnceLock::new(),
            memory: Arc::clone(memory),
            cache,
            tables,
            pinned,
            removable: Mutex::default(),
            on_removable: OnceLock::new(),
        })
    }

    /// Says which database they belong to; known once its manifest was read, and before any table is opened.
    pub fn belong_to(&self, database: u64) {
        let _ = self.database.set(database);
    }

    /// Which database they belong to, if that is known.
    #[must_use]
    pub fn belongs_to(&self) -> Option<u64> {
        self.database.get().copied()
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

    /// The budget.
    #[must_use]
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Whether another table can be opened without closing one.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.memory.used(Use::Tables) < self.memory.all_tables()
    }

    /// Keeps what `weight` stands for open for good, if there is room for that.
    fn pin(&self, weight: usize) -> bool {
        let most = self.memory.all_tables() / 2;
        let with = |pinned: usize| pinned.checked_add(weight).filter(|sum| *sum <= most);
        self.pinned.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with).is_ok()
    }

    /// Removes the files of tables that nobody needs any more, and tells of each.
    ///
    /// # Errors
    /// [`Error::Io`], of the first that could not be removed; it and the ones behind it stay on the list.
    pub fn remove_removable(&self, removed: &mut dyn FnMut(u64)) -> Result<()> {
        loop {
            let Some(number) = self.removable.lock().pop() else { return Ok(()) };
            match self.dir.remove(&FileName::Table(number).to_string()) {
                // An earlier try may have done it, and failed all the same.
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                outcome => outcome.inspect_err(|_| self.removable.lock().push(number))?,
            }
            removed(number);
        }
    }
}

/// A table that is opened by its first reader.
pub struct LazyTable {
    files: Arc<TableFiles>,
    number: u64,
    len: u64,
    /// Where it is when it stays open, and where when it does not (L1).
    pinned: OnceLock<Arc<Table>>,
    cached: Slots<Table>,
    /// Held while opening, so that two readers do not open twice.
    opening: Mutex<()>,
    obsolete: AtomicBool,
    /// What it takes while it is not open (L2).
    known: Held,
}

/// An open table, for as long as this is held.
pub enum Opened<'a> {
    /// One that stays open.
    Pinned(&'a Arc<Table>),
    /// One that may be closed afterwards.
    Cached(Arc<Table>),
}

impl Deref for Opened<'_> {
    type Target = Arc<Table>;

    #[inline]
    fn deref(&self) -> &Arc<Table> {
        match self {
            Opened::Pinned(table) => table,
            Opened::Cached(table) => table,
        }
    }
}

impl LazyTable {
    /// The table that `summary` describes. Nothing is read.
    #[must_use]
    pub fn new(files: Arc<TableFiles>, summary: &TableSummary) -> LazyTable {
        let keys = summary.smallest.len() + summary.largest.len();
        let known = size_of::<TableSummary>() + size_of::<LazyTable>() + AROUND + keys;
        files.pinned.fetch_add(known, Ordering::Relaxed);
        LazyTable {
            number: summary.number,
            len: summary.len,
            pinned: OnceLock::new(),
            cached: files.tables.slots(1),
            opening: Mutex::new(()),
            obsolete: AtomicBool::new(false),
            known: files.memory.hold(Use::Tables, known),
            files,
        }
    }

    /// As [`LazyTable::new`], of a table that is in use already if it is among those that are `open`.
    #[must_use]
    pub fn with(
        files: Arc<TableFiles>,
        summary: &TableSummary,
        open: &BTreeMap<u64, Arc<Table>>,
    ) -> LazyTable {
        let lazy = LazyTable::new(files, summary);
        if let Some(table) = open.get(&summary.number) {
            lazy.files.pinned.fetch_add(table.weight(), Ordering::Relaxed);
            let _ = lazy.pinned.set(Arc::clone(table));
        }
        lazy
    }

    /// The table, if it is open.
    pub fn opened(&self) -> Option<Opened<'_>> {
        match self.pinned.get() {
            Some(table) => Some(Opened::Pinned(table)),
            None => (*self.cached.get(0)).as_ref().map(|table| Opened::Cached(Arc::clone(table))),
        }
    }

    /// The open table.
    ///
    /// # Errors
    /// What opening gives: [`crate::Error::Io`], [`crate::Error::Corruption`], [`crate::Error::Incompatible`].
    /// The next call tries again.
    #[inline]
    pub fn open(&self) -> Result<Opened<'_>> {
        match self.pinned.get() {
            Some(table) => Ok(Opened::Pinned(table)),
            None => self.open_now(),
        }
    }

    /// Opens it, and keeps it open whatever room there is.
    ///
    /// # Errors
    /// As [`LazyTable::open`].
    pub fn keep_open(&self) -> Result<()> {
        let Opened::Cached(table) = self.open()? else { return Ok(()) };
        let _guard = self.opening.lock();
        let weight = table.weight();
        if self.pinned.set(table).is_ok() {
            self.files.pinned.fetch_add(weight, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Notes that no version will name this table any more.
    pub fn retire(&self) {
        self.obsolete.store(true, Ordering::Release);
        if planted(Bug::RemoveReadTable) {
            self.files.removable.lock().push(self.number);
        }
    }

    #[cold]
    fn open_now(&self) -> Result<Opened<'_>> {
        if let Some(table) = &*self.cached.get(0) {
            return Ok(Opened::Cached(Arc::clone(table)));
        }
        let _guard = self.opening.lock();
        if let Some(table) = self.pinned.get() {
            return Ok(Opened::Pinned(table));
        }
        if let Some(table) = &*self.cached.get(0) {
            return Ok(Opened::Cached(Arc::clone(table)));
        }
        let files = &self.files;
        let file = files.dir.open(&FileName::Table(self.number).to_string(), Mode::Read)?;
        let table = Table::open(&file, files.place(self.number), self.len, &files.cache, &files.memory)?;
        if files.pin(table.weight()) {
            return Ok(Opened::Pinned(self.pinned.get_or_init(|| table)));
        }
        self.cached.insert(0, &table);
        Ok(Opened::Cached(table))
    }
}

impl Drop for LazyTable {
    fn drop(&mut self) {
        let pinned = self.known.bytes() + self.pinned.get().map_or(0, |table| table.weight());
        self.files.pinned.fetch_sub(pinned, Ordering::Relaxed);
        if self.obsolete.load(Ordering::Acquire) {
            self.files.removable.lock().push(self.number);
            if let Some(act) = self.files.on_removable.get() {
                act();
            }
        }
    }
}
