//! Files, time and options for a scenario. All are made anew for every schedule, and as small as can be.

use shuttle::thread::{self, JoinHandle};
use siltstone::vfs::fault::FaultVfs;
use siltstone::vfs::mem::{CrashPolicy, MemVfs};
use siltstone::vfs::{Clock, File, Mapped, Mode, Vfs};
use siltstone::{Background, Compression, Db, Options};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub type Map = BTreeMap<String, String>;

/// Where the database lies.
pub const PATH: &str = "/db";

/// A disk in memory that can fail and lose power.
pub struct World {
    pub disk: MemVfs,
    pub faults: FaultVfs,
    vfs: Arc<Interleaved>,
}

impl World {
    /// An empty disk.
    pub fn new() -> World {
        World::over(MemVfs::new())
    }

    /// With these files.
    pub fn over(disk: MemVfs) -> World {
        let faults = FaultVfs::over_mem(disk.clone());
        let vfs = Interleaved { inner: faults.clone(), seen: Arc::default() };
        World { disk, faults, vfs: Arc::new(vfs) }
    }

    /// Buffers that are full after `entries` entries, and no deadline that could be reached.
    pub fn options(&self, entries: usize) -> Options {
        Options::default()
            .vfs(Arc::clone(&self.vfs) as Arc<dyn Vfs>)
            .clock(Arc::new(Ticking::default()))
            // The first chunk of an arena, the smallest hash table, and what the list takes for each entry.
            .memtable_bytes(4096 + 512 + 64 * entries)
            .memory_budget(2 << 20)
            .compression(Compression::None)
            .stall_deadline(Duration::from_secs(3600))
    }

    /// A database with such buffers.
    pub fn open(&self, entries: usize) -> Db {
        self.options(entries).open(PATH).unwrap()
    }

    /// The disk as it would be after a power cut now, with what was not synced lost.
    pub fn cut(&self) -> MemVfs {
        self.disk.crash_image(CrashPolicy::Strict, 0)
    }

    /// How often a table was opened.
    pub fn tables_opened(&self) -> usize {
        self.vfs.seen.lock().unwrap().tables_opened
    }

    /// Whether a power cut now would leave all of the log.
    pub fn log_is_durable(&self) -> bool {
        self.vfs.seen.lock().unwrap().unsynced_logs.is_empty()
    }

    /// Whether the tables that are there are those that the database still needs.
    pub fn is_tidy(&self, db: &Db) -> bool {
        let needed: usize = db.stats().levels.iter().map(|level| level.tables).sum();
        self.disk.files().iter().filter(|path| has_extension(path, "table")).count() == needed
    }
}

/// A disk with what `fill` leaves of a database, to start schedules from.
pub fn prepared(entries: usize, fill: impl Fn(&Db) + Send + Sync + 'static) -> MemVfs {
    let disk = MemVfs::new();
    let world = World::over(disk.clone());
    crate::explore::simulate(1, move || {
        let db = world.open(entries);
        fill(&db);
        db.close().unwrap();
    });
    disk
}

/// What the database on `disk` holds, read without threads.
pub fn content(disk: &MemVfs) -> Map {
    let db = World::over(disk.clone()).options(100).background(Background::Stepped).open(PATH).unwrap();
    all(&db)
}

/// Everything, in order.
pub fn all(db: &Db) -> Map {
    db.iter().map(|pair| pair.map(|(key, value)| (text(&key), text(&value))).unwrap()).collect()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub fn get(db: &Db, key: &str) -> Option<String> {
    db.get(key).unwrap().map(|value| text(&value))
}

/// A thread with a handle of its own.
pub fn spawn<T: Send + 'static>(db: &Db, body: impl FnOnce(Db) -> T + Send + 'static) -> JoinHandle<T> {
    let db = db.clone();
    thread::spawn(move || body(db))
}

/// A moment at which another thread may go on.
pub fn breathe() {
    thread::sleep(Duration::ZERO);
}

/// A clock that goes on by [`TICK`] whenever somebody looks at it, so that no deadline is ever out of reach.
#[derive(Debug, Default)]
struct Ticking {
    nanos: AtomicU64,
    numbers: AtomicU64,
}

/// A hundredth of the rest that the log thread grants to tasks, so that it does not pass with every look.
pub const TICK: Duration = Duration::from_micros(10);

impl Clock for Ticking {
    fn wall_ms(&self) -> u64 {
        1_700_000_000_000 + self.monotonic().as_millis() as u64
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.nanos.fetch_add(TICK.as_nanos() as u64, Ordering::Relaxed))
    }

    fn random(&self) -> u64 {
        self.numbers.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }

    fn sleep(&self, time: Duration) {
        self.nanos.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
        thread::yield_now();
    }
}

/// A file system whose changes take time: others may go on before each, and between a sync and its return.
///
/// It lies on top of everything, because the locks of what is below must not be held while threads are switched.
#[derive(Debug)]
struct Interleaved {
    inner: FaultVfs,
    seen: Arc<Mutex<Seen>>,
}

/// What it has seen. Its lock is the standard library's, and not held while threads are switched either.
#[derive(Debug, Default)]
struct Seen {
    tables_opened: usize,
    unsynced_logs: BTreeSet<PathBuf>,
}

/// An open file of [`Interleaved`].
struct Slow {
    inner: Box<dyn File>,
    path: PathBuf,
    seen: Arc<Mutex<Seen>>,
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e == extension)
}

impl Vfs for Interleaved {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        breathe();
        let inner = self.inner.open(path, mode)?;
        let is_read = has_extension(path, "table") && mode == Mode::Read;
        self.seen.lock().unwrap().tables_opened += usize::from(is_read);
        Ok(Box::new(Slow { inner, path: path.into(), seen: Arc::clone(&self.seen) }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        breathe();
        self.inner.sync_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        breathe();
        self.inner.rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        breathe();
        self.inner.hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        breathe();
        self.inner.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        self.inner.len(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        self.inner.lock(path)
    }
}

impl File for Slow {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        breathe();
        self.inner.write_at(buf, offset)?;
        if has_extension(&self.path, "log") {
            self.seen.lock().unwrap().unsynced_logs.insert(self.path.clone());
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn sync_data(&self) -> io::Result<()> {
        breathe();
        self.inner.sync_data()?;
        self.seen.lock().unwrap().unsynced_logs.remove(&self.path);
        breathe();
        Ok(())
    }

    fn map(&self) -> io::Result<Arc<dyn Mapped>> {
        self.inner.map()
    }
}
