//! The danger: what is sound is lost together with what is damaged, or nobody says what was.
//!
//! What becomes of single changes to small stores is [`super::damage`]'s; here are the cases that need a store of their own:
//! several damages at once, a device that fails, files that crashes leave, keyspaces, and a database that is open.

use crate::history::{Map, assert_holds, scan};
use siltstone::vfs::fault::{Failure, Fault, FaultVfs, Op};
use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::vfs::{File, Mapped, Mode, Vfs};
use siltstone::{Background, Compression, Db, Durability, Error, Options, TablesBy};
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

fn options(vfs: Arc<dyn Vfs>) -> Options {
    Options::default()
        .vfs(vfs)
        .clock(Arc::new(SimClock::new(7)))
        .background(Background::Stepped)
        .memtable_bytes(64 << 10)
        .table_bytes(16 << 10)
        .block_bytes(512)
        .compression(Compression::None)
}

fn key(n: u32) -> Vec<u8> {
    format!("key{n:06}").into_bytes()
}

fn value(n: u32) -> Vec<u8> {
    n.to_be_bytes().repeat(10)
}

/// A database of `count` keys in tables of the last level, open.
fn filled(vfs: &MemVfs, count: u32) -> (Db, Map) {
    let db = options(Arc::new(vfs.clone())).durability(Durability::Os).open("/db").unwrap();
    let mut map = Map::new();
    for n in 0..count {
        db.put(key(n), value(n)).unwrap();
        map.insert(key(n), value(n));
    }
    db.compact_range::<&[u8]>(..).unwrap();
    (db, map)
}

fn files(vfs: &MemVfs, ending: &str) -> Vec<PathBuf> {
    vfs.files().into_iter().filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
}

fn flip(vfs: &MemVfs, path: &Path, at: usize) {
    let mut bytes = vfs.read_file(path).unwrap();
    bytes[at] ^= 0x20;
    vfs.write_file(path, &bytes).unwrap();
}

/// Damage in many tables at once, one of them lost, and the list of tables damaged as well: what is told covers all that is
/// gone, and the rest is there.
#[test]
fn many_damages_cost_what_is_told_and_no_more() {
    let vfs = MemVfs::new();
    let (db, map) = filled(&vfs, 3000);
    db.close().unwrap();
    let tables = files(&vfs, ".table");
    assert!(tables.len() > 4, "{tables:?}");
    vfs.remove_file(&tables[1]).unwrap();
    flip(&vfs, &tables[2], 700);
    let len = vfs.read_file(&tables[3]).unwrap().len();
    // Its index, which lies before the properties and the footer, and a block.
    flip(&vfs, &tables[3], len - 88 - 200);
    flip(&vfs, &tables[3], 5000);
    for damaged_list in [false, true] {
        if damaged_list {
            flip(&vfs, &files(&vfs, ".manifest")[0], 50);
        }
        let options = options(Arc::new(vfs.clone()));
        let report = options.repair("/db", format!("/new{damaged_list}"), &|_| {}).unwrap();
        assert_eq!(report.tables_by, if damaged_list { TablesBy::Folder } else { TablesBy::Manifest });
        let found = scan(&options.open(format!("/new{damaged_list}")).unwrap()).unwrap();
        // Which keys a table had that is gone, only the list of tables could tell.
        let told = |key: &[u8]| damaged_list || report.concerns("", key);
        assert!(map.iter().all(|(key, value)| found.get(key) == Some(value) || told(key)), "{report}");
        assert!(found.iter().all(|(key, value)| map.get(key) == Some(value)));
        assert!(found.len() > map.len() * 3 / 4, "{} of {}: {report}", found.len(), map.len());
        let told = map.keys().filter(|key| report.concerns("", key)).count();
        assert!(told < map.len() / 3, "{told} of {} keys are told: {report}", map.len());
    }
}

/// A medium with sectors that cannot be read.
#[derive(Debug)]
struct BadSectors {
    inner: MemVfs,
    bad: Mutex<Vec<(PathBuf, Range<u64>)>>,
}

struct BadFile {
    inner: Box<dyn File>,
    bad: Vec<Range<u64>>,
}

impl Vfs for BadSectors {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        let all = self.bad.lock().unwrap();
        let bad = all.iter().filter(|(of, _)| of == path).map(|(_, range)| range.clone()).collect();
        Ok(Box::new(BadFile { inner: self.inner.open(path, mode)?, bad }))
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.sync_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
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

impl File for BadFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let end = offset + buf.len() as u64;
        if self.bad.iter().any(|bad| bad.start < end && offset < bad.end) {
            return Err(io::Error::other("this sector cannot be read"));
        }
        self.inner.read_at(buf, offset)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.inner.write_at(buf, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }
    fn map(&self) -> io::Result<Arc<dyn Mapped>> {
        if self.bad.is_empty() { self.inner.map() } else { panic!("a map of this would end the process") }
    }
}

/// What the device does not deliver is told as not read, with its place, and everything else is checked and taken over.
#[test]
fn a_device_that_fails_here_and_there_costs_what_lies_there() {
    let mem = MemVfs::new();
    let (db, mut map) = filled(&mem, 2000);
    db.put("in the log", "first").unwrap();
    db.put("lost", "second").unwrap();
    db.put("in the log too", "third").unwrap();
    db.sync().unwrap();
    map.insert(b"in the log".to_vec(), b"first".to_vec());
    map.insert(b"in the log too".to_vec(), b"third".to_vec());
    let mem = mem.crash_image(CrashPolicy::Strict, 0);
    let (table, log) = (files(&mem, ".table")[2].clone(), files(&mem, ".log").pop().unwrap());
    let second = mem.read_file(&log).unwrap().windows(6).position(|bytes| bytes == b"second").unwrap() as u64;
    let bad = vec![(table.clone(), 3000..3001), (log.clone(), second..second + 1)];
    let vfs = Arc::new(BadSectors { inner: mem.clone(), bad: Mutex::new(bad) });
    let options = options(Arc::clone(&vfs) as Arc<dyn Vfs>);

    let report = options.verify("/db", &|_| {}).unwrap();
    let unread: BTreeSet<_> = report.unread.iter().map(|unread| &unread.file).collect();
    assert_eq!(unread, BTreeSet::from([&log, &table]), "{report}");
    assert!(report.unread.iter().all(|unread| unread.why.contains("cannot be read") && unread.len <= 4096));
    assert!(!report.is_sound() && report.to_string().contains("not checked"));
    // The sector of the log holds all three records, so for the log it is as if nothing had been written; the block is lost.
    let repaired = options.repair("/db", "/new", &|_| {}).unwrap();
    assert!(repaired.lost.iter().any(|loss| loss.file == table && loss.why.contains("cannot be read")));
    let found = scan(&options.open("/new").unwrap()).unwrap();
    let in_block = map.keys().filter(|key| !found.contains_key(*key) && key.starts_with(b"key")).count();
    assert!((1..30).contains(&in_block), "{in_block} of {}: {repaired}", map.len());
}

/// A table that a compaction had replaced, and that was not removed before the power went, is left alone as long as the
/// manifest can be read. When it cannot, it is used, and the report says what that may mean.
#[test]
fn a_table_that_was_replaced_is_used_only_when_nothing_tells() {
    let vfs = MemVfs::new();
    let (db, _) = filled(&vfs, 10);
    db.put("back", "from the dead").unwrap();
    db.flush().unwrap();
    let replaced: Vec<(PathBuf, Vec<u8>)> =
        files(&vfs, ".table").into_iter().map(|path| (path.clone(), vfs.read_file(&path).unwrap())).collect();
    db.delete("back").unwrap();
    db.compact_range::<&[u8]>(..).unwrap();
    assert_eq!(db.get("back").unwrap(), None);
    let vfs = vfs.crash_image(CrashPolicy::All, 0);
    for (path, bytes) in replaced {
        vfs.write_file(&path, &bytes).unwrap();
    }
    let options = options(Arc::new(vfs.clone()));
    let verified = options.verify("/db", &|_| {}).unwrap();
    assert!(verified.is_sound() && verified.to_string().contains("compacted away"), "{verified}");
    let report = options.repair("/db", "/with", &|_| {}).unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!(options.clone().open("/with").unwrap().get("back").unwrap(), None);

    // The log still has the deletion, so it must be gone too.
    files(&vfs, ".log").iter().for_each(|path| vfs.remove_file(path).unwrap());
    vfs.remove_file(&files(&vfs, ".manifest")[0]).unwrap();
    let report = options.repair("/db", "/without", &|_| {}).unwrap();
    assert_eq!((report.tables_by, report.is_complete()), (TablesBy::Guess, false));
    assert!(
        report.concerns("", "back") && report.to_string().contains("a deleted key may be back"),
        "{report}"
    );
    assert_eq!(options.open("/without").unwrap().get("back").unwrap().unwrap(), b"from the dead");
}

/// The writes of a log before and after what is damaged are there; those in it are told by their numbers.
#[test]
fn a_log_is_read_on_behind_a_hole() {
    let vfs = MemVfs::new();
    let db = options(Arc::new(vfs.clone())).open("/db").unwrap();
    for n in 0..50 {
        db.put(key(n), value(n)).unwrap();
    }
    let vfs = vfs.crash_image(CrashPolicy::Strict, 0);
    let log = files(&vfs, ".log").remove(0);
    let bytes = vfs.read_file(&log).unwrap();
    let of = |n: u32| bytes.windows(9).position(|window| window == key(n)).unwrap();
    flip(&vfs, &log, of(20));
    flip(&vfs, &log, of(21));
    flip(&vfs, &log, of(40));
    let options = options(Arc::new(vfs.clone()));
    let verified = options.verify("/db", &|_| {}).unwrap();
    assert_eq!(verified.problems.len(), 2, "{verified}");
    let report = options.repair("/db", "/new", &|_| {}).unwrap();
    let numbers: Vec<_> = report.lost.iter().map(|loss| loss.sequence).collect();
    assert_eq!(numbers, [Some((21, Some(23))), Some((41, Some(42)))], "{report}");
    let found = scan(&options.open("/new").unwrap()).unwrap();
    let expected: Map = (0..50).filter(|n| ![20, 21, 40].contains(n)).map(|n| (key(n), value(n))).collect();
    assert_eq!(found, expected);
}

#[test]
fn keyspaces_keep_their_names_or_get_new_ones() {
    let vfs = MemVfs::new();
    let db = options(Arc::new(vfs.clone())).open("/db").unwrap();
    db.put("k", "of nobody").unwrap();
    for name in ["orders", "users"] {
        db.keyspace(name).unwrap().put("k", name).unwrap();
    }
    db.close().unwrap();
    let options = options(Arc::new(vfs.clone()));
    let report = options.repair("/db", "/named", &|_| {}).unwrap();
    assert!(report.is_complete(), "{report}");
    let named = options.clone().open("/named").unwrap();
    assert_eq!(named.keyspaces().unwrap(), ["orders", "users"]);
    assert_eq!(named.keyspace("users").unwrap().get("k").unwrap().unwrap(), b"users");

    vfs.remove_file(&files(&vfs, ".manifest")[0]).unwrap();
    let report = options.repair("/db", "/unnamed", &|_| {}).unwrap();
    let unnamed = options.open("/unnamed").unwrap();
    assert_eq!(unnamed.get("k").unwrap().unwrap(), b"of nobody");
    let names = unnamed.keyspaces().unwrap();
    assert_eq!(names, ["recovered-1", "recovered-2"], "{report}");
    assert_eq!(unnamed.keyspace(&names[1]).unwrap().get("k").unwrap().unwrap(), b"users");
}

#[test]
fn an_open_database_is_left_alone_and_so_is_a_folder_that_holds_something() {
    let vfs = MemVfs::new();
    let (db, map) = filled(&vfs, 100);
    let options = options(Arc::new(vfs.clone()));
    assert!(matches!(options.verify("/db", &|_| {}), Err(Error::Locked { .. })));
    assert!(matches!(options.repair("/db", "/new", &|_| {}), Err(Error::Locked { .. })));
    db.close().unwrap();
    vfs.write_file(Path::new("/full/notes.txt"), b"mine").unwrap();
    for into in ["/full", "/db", "/db/new", "/./db/new"] {
        let refused = options.repair("/db", into, &|_| {});
        assert!(matches!(refused, Err(Error::InvalidArgument { .. })), "{into}: {refused:?}");
    }
    assert!(matches!(options.verify("/full", &|_| {}), Err(Error::NotADatabase { .. })));
    assert!(matches!(options.repair("/full", "/new", &|_| {}), Err(Error::NotADatabase { .. })));
    assert!(matches!(options.verify("/nowhere", &|_| {}), Err(Error::NotADatabase { .. })));
    assert!(vfs.files().iter().all(|path| path.starts_with("/db") || path.starts_with("/full")));
    assert_holds(&options.open("/db").unwrap(), &map, &|| "untouched".into());
}

/// A repair that finds no space, or whose power goes, leaves nothing that could be taken for a database.
#[test]
fn a_repair_that_is_broken_off_leaves_no_database() {
    let mem = MemVfs::new();
    let (db, map) = filled(&mem, 1500);
    db.close().unwrap();
    let vfs = FaultVfs::over_mem(mem.clone());
    let on_faults = options(Arc::new(vfs.clone()));
    vfs.set_free_space(Some(40 << 10));
    assert!(matches!(on_faults.repair("/db", "/new", &|_| {}), Err(Error::DiskFull { .. })));
    vfs.heal();
    vfs.inject(Fault::nth(0).on(Op::Sync).named(".manifest").failing_with(Failure::Device));
    assert!(matches!(on_faults.repair("/db", "/new", &|_| {}), Err(Error::Io { .. })));
    vfs.heal();
    assert!(mem.files().iter().all(|path| path.starts_with("/db")), "{:?}", mem.files());

    let from = mem.op_count();
    let work = mem.crash_image(CrashPolicy::All, 0);
    let all = from..from + 10_000;
    let images = {
        work.schedule_crashes(all.map(|op| op - from), &[CrashPolicy::All, CrashPolicy::Strict], 1);
        options(Arc::new(work.clone())).repair("/db", "/new", &|_| {}).unwrap();
        work.take_crash_images()
    };
    assert!(images.len() > 20);
    let mut whole = 0;
    for image in images {
        let options = options(Arc::new(image.vfs.clone())).create_if_missing(false);
        match options.open("/new") {
            Err(Error::NotADatabase { .. }) => {}
            Err(e) => panic!("crash before {}: {e}", image.at_op),
            Ok(new) => {
                whole += 1;
                assert_holds(&new, &map, &|| format!("crash before {}", image.at_op));
            }
        }
    }
    assert!(whole > 0);
}

/// The files of an open database are checked too, as far as they are durable.
#[test]
fn an_open_database_notices_damage_to_its_manifest_and_its_log() {
    let vfs = MemVfs::new();
    let (db, _) = filled(&vfs, 100);
    for n in 0..10 {
        db.put(key(n), "durable").unwrap();
    }
    db.sync().unwrap();
    db.put("not yet", "durable").unwrap();
    assert!(db.verify().unwrap().is_sound());
    let log = files(&vfs, ".log").into_iter().find(|path| {
        let bytes = vfs.read_file(path).unwrap();
        bytes.windows(7).any(|window| window == b"not yet")
    });
    let log = log.unwrap();
    let bytes = vfs.read_file(&log).unwrap();
    let at = |what: &[u8]| bytes.windows(what.len()).rposition(|window| window == what).unwrap();
    flip(&vfs, &log, at(b"not yet"));
    assert!(db.verify().unwrap().is_sound(), "nobody was promised this");
    flip(&vfs, &log, at(&key(3)));
    for path in [log, files(&vfs, ".manifest").remove(0), PathBuf::from("/db/CURRENT")] {
        if !path.to_str().unwrap().ends_with(".log") {
            flip(&vfs, &path, 40);
        }
        let report = db.verify().unwrap();
        assert!(report.problems.iter().any(|problem| problem.file == path), "{}: {report}", path.display());
    }
}

/// Checking goes on beside writes, flushes and compactions, and takes none of what they do for damage.
#[test]
fn an_open_database_is_verified_while_it_works() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        Options::default().memtable_bytes(64 << 10).table_bytes(64 << 10).durability(Durability::Os);
    let db = options.open(folder.path().join("db")).unwrap();
    let done = AtomicBool::new(false);
    let count = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..60_000u32 {
                db.put(key(n % 5000), value(n)).unwrap();
                if n.is_multiple_of(500) {
                    db.sync().unwrap();
                }
            }
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let report = db.verify().unwrap();
                // What was replaced again and again while it was read is told as not checked, which is no damage.
                assert!(report.problems.is_empty(), "{report}");
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    });
    db.close().unwrap();
    drop(db);
    let seen = Mutex::new((0, 0));
    let report = Options::default().verify(folder.path().join("db"), &|now| {
        let mut seen = seen.lock().unwrap();
        *seen = (now.done.max(seen.0), now.total);
    });
    assert!(report.unwrap().is_sound() && count.into_inner() > 0);
    let (read, total) = seen.into_inner().unwrap();
    assert!(read <= total && read > total * 9 / 10, "{read} of {total}");
}
