//! A look at a database that somebody else may have open, and goes on writing to.
//!
//! No lock is taken, for that of the one who writes must stay his alone, and nothing is written. So the files change while they
//! are read. What makes a state of them all the same:
//!
//! 1. Read `CURRENT` and the manifest: this is the state of the tables, and says where the log that is needed begins.
//! 2. Read that log, the newest segment first, each from its end to its beginning.
//! 3. Open every table, so that it can be read on when it is removed (vfs V5).
//! 4. Fill write buffers from the log.
//! 5. When a file was gone, or something did not fit, and `CURRENT` or the manifest has changed since: begin again. Tables that
//!    were opened once are not opened again, so each further round is short.
//!
//! (O1) What the log is needed for is removed only after an edit of the manifest says so (`flush` F3), and a table only after the
//!      edit that replaces it (`inner` D3). So as long as the manifest is the same, or all was found that it names, the parts fit
//!      together.
//! (O2) Records are written one behind the other (`wal` W2). Read backward, a record is never seen without those before it; so a
//!      hole is damage, and a torn end is a write that was under way. A segment that is written again gets its new header first,
//!      which is read once more at the end.
//! (O3) A file of the log is read into memory, not mapped: it changes (vfs V5). So opening takes as much memory as there is log,
//!      besides the write buffers that are filled from it.
//!
//! Rejected: a shared lock, which would keep the next writer out as long as anybody reads.

use super::Db;
use super::close::Handle;
use super::group_sync::GroupSync;
use super::inner::{Buffers, Committer, Inner, LogStart, Parts};
use super::keyspace::Keyspace;
use super::open::{Opening, look_at_folder};
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::{FileKind, HEADER_LEN};
use crate::engine::manifest::Manifest;
use crate::engine::manifest::current::Current;
use crate::engine::memory::Use;
use crate::engine::options::{Background, Options};
use crate::engine::read::{LazyTable, SuperVersion, TableFiles, TableRef};
use crate::engine::sstable::Table;
use crate::engine::wal::reader::Recovered;
use crate::engine::wal::writer::Writer;
use crate::sync::map_in_parallel;
use crate::vfs::{Dir, Mapped, Mode};
use crate::{Error, Result};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

/// How often it is begun again, when the files have changed each time.
const ROUNDS: usize = 50;
/// How often, when they have not: what did not fit then is damage, in all likelihood at once.
const SAME: usize = 3;
/// A segment of the log is read in pieces of this size, the last one first.
const PIECE: usize = 64 << 10;

impl Options {
    /// Opens the database in the folder `path` for reading only, also while somebody else has it open and writes to it. Nothing
    /// in the folder is changed, and no lock is taken.
    ///
    /// What it shows is the state of one moment of this call, with everything that was acknowledged before; later writes do not
    /// show. To see them, [`Db::reopen`], which is cheap. Writes, and everything else that would change files, give
    /// [`Error::ReadOnly`]. Tables stay readable when the one who writes has removed them, and take room on the disk until this
    /// handle is gone. All tables are opened, and the log of the database, at most a few write buffers of the one who writes, is
    /// read into memory.
    ///
    /// ```
    /// # use siltstone::{Db, Error, Options};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("db");
    /// let db = Db::open(&path)?; // perhaps in another process
    /// db.put("k", "1")?;
    /// let look = Options::default().open_read_only(&path)?;
    /// db.put("k", "2")?;
    /// assert_eq!(look.get("k")?.unwrap(), b"1");
    /// assert_eq!(look.reopen()?.get("k")?.unwrap(), b"2");
    /// assert!(matches!(look.put("k", "3"), Err(Error::ReadOnly { .. })));
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotADatabase`] where there is none, whatever [`Options::create_if_missing`] says; [`Error::Corruption`] or
    /// [`Error::Incompatible`] for files that are damaged or newer; [`Error::Io`], also when files went away under its hands all
    /// the time; [`Error::InvalidArgument`] for options that make no sense.
    pub fn open_read_only(self, path: impl AsRef<Path>) -> Result<Db> {
        self.check()?;
        let dir = Dir::new(Arc::clone(&self.vfs), path.as_ref());
        let files = TableFiles::new(dir.clone(), &self.memory());
        Look { options: self, dir, files, open: BTreeMap::new() }.until_it_fits()
    }
}

impl Db {
    /// As [`Options::open_read_only`] once more, with the same options, for a database that was opened so: it shows the state of
    /// now. This handle, and what was made from it, goes on showing what it showed. Tables that both know are not opened again,
    /// and the two share a cache.
    ///
    /// # Errors
    /// As [`Options::open_read_only`]; [`Error::InvalidArgument`] for a database that was opened for writing, which always shows
    /// the present.
    pub fn reopen(&self) -> Result<Db> {
        let inner = self.inner();
        inner.check_readable()?;
        if !inner.observes {
            return Err(Error::invalid(
                "only a database that was opened for reading only is reopened: this one shows the present",
            ));
        }
        let version = Arc::clone(&inner.super_version.load().version);
        let opened =
            |table: &Arc<TableRef>| Some((table.summary.number, Arc::clone(&*table.handle.opened()?)));
        let open = version.tables().filter_map(|(_, table)| opened(table)).collect();
        let (options, dir, files) = (inner.options.clone(), inner.dir.clone(), Arc::clone(&inner.files));
        Look { options, dir, files, open }.until_it_fits()
    }
}

/// A database that is being looked at.
struct Look {
    options: Options,
    dir: Dir,
    files: Arc<TableFiles>,
    /// The tables that were opened so far.
    open: BTreeMap<u64, Arc<Table>>,
}

/// What tells that files have changed: `CURRENT`, and the length of the manifest it names.
type Mark = (Current, Option<u64>);

impl Look {
    fn until_it_fits(mut self) -> Result<Db> {
        let started = self.options.clock.monotonic();
        look_at_folder(&self.dir, false)?;
        let mut same = 0;
        for round in 1.. {
            let before = self.mark();
            let outcome = before.clone().and_then(|before| self.try_once(&before));
            let error = match outcome {
                Ok(Some(mut opening)) => {
                    opening.0.report.took = self.options.clock.monotonic().saturating_sub(started);
                    tracing::debug!(report = ?opening.0.report, round, "opened for reading only");
                    return publish(opening);
                }
                Ok(None) => never_still(&self.dir),
                Err(error) => error,
            };
            let changed = match (before, self.mark()) {
                (Ok(before), Ok(now)) => before != now,
                _ => false,
            };
            same += usize::from(!changed);
            if same > SAME || round >= ROUNDS {
                return Err(error);
            }
        }
        Err(never_still(&self.dir))
    }

    fn mark(&self) -> Result<Mark> {
        let current = Current::load(&self.dir)?;
        let len = self.dir.len(&FileName::Manifest(current.manifest).to_string())?;
        Ok((current, len))
    }

    /// Reads everything; `None` when it is not certain that it fits together (O1).
    fn try_once(&mut self, before: &Mark) -> Result<Option<(Opening, Recovered)>> {
        let database = before.0.database;
        if self.files.belongs_to().is_some_and(|known| known != database) {
            // Another database lies there now.
            self.files = TableFiles::new(self.dir.clone(), self.files.memory());
            self.open.clear();
        }
        self.files.belong_to(database);
        let files = Arc::clone(&self.files);
        let open = &self.open;
        let mut make = |summary: &_| LazyTable::with(Arc::clone(&files), summary, open);
        let opened = Manifest::observe(&self.dir, Arc::new(why()), &mut make)?;
        let min_log = opened.manifest.registry().min_log;
        let log = read_log(&self.dir, min_log)?;
        self.open_tables(&opened.manifest)?;
        let numbers: Vec<u64> = log.keys().copied().collect();
        let mut opening = Opening::of(self.options.clone(), self.dir.clone(), files, opened);
        opening.may_write = false;
        let recovered = opening.replay(&numbers, &|_, name| match number_of(name)
            .and_then(|number| log.get(&number))
        {
            Some(bytes) => Ok(Arc::clone(bytes)),
            None => Err(gone(&self.dir, name)),
        })?;
        let fits = recovered.segments.first() == Some(&min_log) || self.mark()? == *before;
        Ok(fits.then_some((opening, recovered)))
    }

    /// Opens all tables; one that is damaged gives its error to whoever reads it.
    fn open_tables(&mut self, manifest: &Manifest<LazyTable>) -> Result<()> {
        let tables: Vec<_> = manifest.version().tables().map(|(_, table)| table).collect();
        let open = |table: &&Arc<TableRef>| {
            table.handle.keep_open().and_then(|()| Ok(Arc::clone(&*table.handle.open()?)))
        };
        let opened: Vec<Result<Arc<Table>>> = match self.options.background {
            Background::Threads if tables.len() > 1 => map_in_parallel("siltstone-open", &tables, open),
            _ => None,
        }
        .unwrap_or_else(|| tables.iter().map(open).collect());
        for (table, opened) in tables.iter().zip(opened) {
            match opened {
                Ok(opened) => _ = self.open.insert(table.summary.number, opened),
                Err(Error::Io { source, op, path }) if source.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Error::Io { source, op, path });
                }
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// Why it takes no writes.
fn why() -> Error {
    Error::invalid("it was opened for reading only: open it by `Options::open` to write")
}

fn never_still(dir: &Dir) -> Error {
    let what = "its files went on changing while they were read: try again";
    Error::io(
        "open for reading only",
        dir.path(),
        std::io::Error::new(std::io::ErrorKind::ResourceBusy, what),
    )
}

fn gone(dir: &Dir, name: &str) -> Error {
    Error::io("read", &dir.join(name), std::io::ErrorKind::NotFound.into())
}

/// The number of a segment of the log.
fn number_of(name: &str) -> Option<u64> {
    match FileName::parse(name) {
        Some(FileName::Log(number)) => Some(number),
        _ => None,
    }
}

/// The segments of the log from `min_log` on, as they were one after the other, the newest one first (O2).
fn read_log(dir: &Dir, min_log: u64) -> Result<BTreeMap<u64, Arc<dyn Mapped>>> {
    let names = dir.list()?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.retain(|number| *number >= min_log);
    numbers.sort_unstable();
    let read = |number: &u64| Ok((*number, Arc::new(read_backward(dir, *number)?) as Arc<dyn Mapped>));
    numbers.iter().rev().map(read).collect()
}

fn read_backward(dir: &Dir, number: u64) -> Result<Vec<u8>> {
    let name = FileName::Log(number).to_string();
    let file = dir.open(&name, Mode::Read)?;
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
    for (n, piece) in bytes.chunks_mut(PIECE).enumerate().rev() {
        file.read_at(piece, (n * PIECE) as u64)?;
    }
    let mut header = [0; HEADER_LEN];
    let len = file.read_at(&mut header, 0)?;
    let same = header.get(..len).is_some_and(|header| bytes.starts_with(header));
    if same { Ok(bytes) } else { Err(gone(dir, &name)) }
}

/// The database that was read.
fn publish((opening, recovered): (Opening, Recovered)) -> Result<Db> {
    let expires = opening.has_expiring();
    let Opening { options, dir, manifest, files, report, full, filling, .. } = opening;
    let (state, database) = (manifest.registry(), manifest.database());
    let place = Place { database, kind: FileKind::Log, number: state.newest_log };
    let committer = Committer {
        log: Writer::idle(&dir, place, recovered.position),
        log_memory: files.memory().hold(Use::Log, 0),
        next_seq: recovered.next_seq.max(state.last_seq + 1),
        spare: None,
        spare_may_be_named: false,
        active: filling,
    };
    let active = Arc::clone(committer.active.memtable());
    let dropped = super::traits::dropped(manifest.registry());
    let sealed = full.into_iter().rev().collect();
    let super_version = SuperVersion::new(active, sealed, Arc::clone(manifest.version()), dropped);
    let inner = Inner::new(Parts {
        observes: true,
        next_table: state.next_table,
        next_log: state.newest_log + 1,
        options,
        dir,
        database,
        files,
        manifest,
        super_version,
        committer,
        buffers: Buffers { sealed: VecDeque::new(), active: LogStart { segment: place.number, base: 0 } },
        // Nobody ever waits for the log.
        group_sync: GroupSync::new(u64::MAX, place.number),
        expires,
    });
    inner.status.begin_read_only(Arc::new(why()), inner.options.clock.wall_ms());
    let handle = Handle::start(inner, Box::new(()), report)?;
    Ok(Db { root: Keyspace::root(Arc::new(handle)) })
}
