//! The one who writes acts just before one operation of the one who looks: before each of them, and in every way.

use super::{check_numbers, on_mem, stepped, write_number};
use siltstone::vfs::mem::MemVfs;
use siltstone::vfs::{File, Mode, Vfs};
use siltstone::{Db, Durability};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Files on which somebody else does something just before a certain operation.
struct Beside {
    inner: MemVfs,
    left: AtomicU64,
    act: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl std::fmt::Debug for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beside")
    }
}

impl Beside {
    fn now(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0
            && let Some(act) = self.act.lock().unwrap().take()
        {
            act();
        }
    }
}

#[derive(Debug, Clone)]
struct BesideVfs(Arc<Beside>);

struct BesideFile(Box<dyn File>, Arc<Beside>);

impl Vfs for BesideVfs {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        assert_eq!(mode, Mode::Read, "it only reads");
        self.0.now();
        Ok(Box::new(BesideFile(self.0.inner.open(path, mode)?, Arc::clone(&self.0))))
    }
    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        panic!("it only reads")
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        panic!("it only reads")
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        panic!("it only reads")
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        panic!("it only reads")
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.now();
        self.0.inner.list(dir)
    }
    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        self.0.now();
        self.0.inner.len(path)
    }
    fn lock(&self, _: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        panic!("it takes no lock")
    }
}

impl File for BesideFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.now();
        self.0.read_at(buf, offset)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        panic!("it only reads")
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        panic!("it only reads")
    }
    fn len(&self) -> io::Result<u64> {
        self.1.now();
        self.0.len()
    }
    fn sync_data(&self) -> io::Result<()> {
        panic!("it only reads")
    }
    fn map(&self) -> io::Result<Arc<dyn siltstone::vfs::Mapped>> {
        self.1.now();
        self.0.map()
    }
}

/// What the one who writes does in between.
#[derive(Debug, Clone, Copy)]
enum Between {
    Write,
    Flush,
    Compact,
    /// Writes until segments of the log have been let go, and are written again.
    Rotate,
    /// Closes; and opens again, so that the log begins anew.
    Reopen,
    /// Lets the manifest grow until it is replaced.
    RollOver,
}

#[test]
fn whatever_the_writer_does_at_any_moment_it_is_a_state_of_the_time() {
    use Between::{Compact, Flush, Reopen, RollOver, Rotate, Write};
    let mut moments = 0;
    for durability in [Durability::Os, Durability::Sync] {
        for between in [Write, Flush, Compact, Rotate, Reopen, RollOver] {
            for clean in [false, true] {
                for moment in 0.. {
                    if !look_while(between, clean, durability, moment) {
                        break;
                    }
                    moments += 1;
                }
            }
        }
    }
    println!("{moments} moments");
    assert!(moments > 300);
}

/// Opens for reading only while the other does something before operation number `moment`; false when there were fewer.
fn look_while(between: Between, clean: bool, durability: Durability, moment: u64) -> bool {
    let mem = MemVfs::new();
    let open = {
        let mem = mem.clone();
        move || on_mem(&mem).durability(durability).memtable_bytes(8 << 10).open("/db").unwrap()
    };
    let db = open();
    (1..=150).for_each(|n| write_number(&db, n));
    let before = 150;
    if clean {
        db.close().unwrap();
    }
    let writer = Arc::new(Mutex::new(db));
    let last = Arc::new(AtomicU64::new(before));
    let act = {
        let (writer, last, open) = (Arc::clone(&writer), Arc::clone(&last), open.clone());
        move || {
            let mut db = writer.lock().unwrap();
            if clean {
                *db = open();
            }
            let write = |db: &Db, count| {
                for _ in 0..count {
                    write_number(db, last.fetch_add(1, Ordering::Relaxed) + 1);
                }
            };
            write(&db, 3);
            match between {
                Between::Write => {}
                Between::Flush => db.flush().unwrap(),
                Between::Compact => db.compact_range::<&str>(..).unwrap(),
                Between::Rotate => write(&db, 1500),
                Between::Reopen => {
                    db.close().unwrap();
                    *db = open();
                    write(&db, 3);
                }
                Between::RollOver => {
                    for n in 0..9u8 {
                        db.put([b'm', n].repeat(30_000), [n]).unwrap();
                        db.flush().unwrap();
                    }
                    db.compact_range::<&str>(..).unwrap();
                }
            }
        }
    };
    let beside = Beside { inner: mem.clone(), left: moment.into(), act: Mutex::new(Some(Box::new(act))) };
    let vfs: Arc<dyn Vfs> = Arc::new(BesideVfs(Arc::new(beside)));
    let look = stepped(&vfs).open_read_only("/db");
    let what = || format!("{between:?}, clean: {clean}, {durability:?}, before operation {moment}");
    let look = look.unwrap_or_else(|e| panic!("{e}; {}", what()));
    let (found, after) = (check_numbers(&look), last.load(Ordering::Relaxed));
    assert!((before..=after).contains(&found), "{}: the state after {found} of {after}", what());
    assert_eq!(found, check_numbers(&look), "{}", what());
    after > before
}
