//! Databases that earlier builds wrote, as files in the repository: this build must open, read, check and continue them.
//!
//! `tests/golden/NAME/` is the folder of a database, `tests/golden/NAME.content` what it holds, a line
//! `key value` for each entry, in hexadecimal. Before the first release a change of the format makes them anew:
//! `SILTSTONE_MAKE_GOLDEN=1 cargo test --test it golden`. After it none is ever changed again, and each version of the
//! format adds its own.

use crate::history::{Map, assert_holds};
use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::{Background, Compression, Db, Error, Options, WriteBatch};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Makes a store on an empty file system, and gives the files to keep.
type Make = fn(&MemVfs) -> MemVfs;

/// The stores: their names, and how each is made.
const STORES: [(&str, Make); 3] = [("closed", make_closed), ("plain", make_plain), ("killed", make_killed)];

#[test]
fn databases_of_earlier_builds_open_read_verify_and_go_on() {
    if std::env::var_os("SILTSTONE_MAKE_GOLDEN").is_some() {
        STORES.iter().for_each(|(name, make)| save(name, make));
    }
    for (name, _) in STORES {
        let mut expected = content(name);
        let folder = copy(name);
        let what = || format!("the golden database {name}");
        let report = siltstone::verify(folder.path()).unwrap();
        assert!(report.is_sound() && report.entries > 0, "{}: {report}", what());
        for round in 0..3u8 {
            let db = Options::default().create_if_missing(false).open(folder.path()).unwrap();
            assert_eq!(db.recovery().clean, name != "killed" || round > 0, "{}", what());
            assert_holds(&db, &expected, &what);
            assert!(db.verify().unwrap().is_sound(), "{}", what());
            let key = vec![round; 3];
            db.put(&key, [round]).unwrap();
            db.delete("key007").unwrap();
            expected.insert(key, vec![round]);
            expected.remove(&b"key007"[..]);
            db.compact_range::<&[u8]>(..).unwrap();
            assert_holds(&db, &expected, &what);
            db.close().unwrap();
        }
    }
}

/// The header of each file in turn says a version that does not exist yet.
#[test]
fn databases_of_later_builds_are_refused_and_left_alone() {
    for (name, _) in STORES {
        for file in files(&golden().join(name)) {
            let folder = copy(name);
            let path = folder.path().join(&file);
            let mut bytes = std::fs::read(&path).unwrap();
            // `LOCK` is empty, and what a spare segment of the log holds means nothing.
            if bytes.is_empty() || path.extension() == Some("spare".as_ref()) {
                continue;
            }
            bytes[9] += 1;
            let crc = crc32fast::hash(&[&bytes[..12], &bytes[16..32]].concat());
            bytes[12..16].copy_from_slice(&crc.to_le_bytes());
            std::fs::write(&path, &bytes).unwrap();

            let open_and_read = || -> siltstone::Result<()> {
                let db = Db::open(folder.path())?;
                db.iter().try_for_each(|pair| pair.map(drop))
            };
            let error = open_and_read().unwrap_err();
            assert!(matches!(error, Error::Incompatible { .. }), "{name}, {file:?}: {error}");
            assert!(error.to_string().contains(&*file.to_string_lossy()), "{name}, {file:?}: {error}");
            assert!(std::fs::read(&path).unwrap() == bytes, "{name}, {file:?} was changed");
        }
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into());
    let mut names: Vec<PathBuf> = names.collect();
    names.sort();
    names
}

fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files(&golden().join(name)) {
        std::fs::copy(golden().join(name).join(&file), folder.path().join(&file)).unwrap();
    }
    folder
}

fn content(name: &str) -> Map {
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
    };
    let text = std::fs::read_to_string(golden().join(format!("{name}.content"))).unwrap();
    text.lines().map(|line| line.split_once(' ').unwrap()).map(|(k, v)| (bytes(k), bytes(v))).collect()
}

/// Makes a store anew, and what it holds.
fn save(name: &str, make: &Make) {
    let vfs = make(&MemVfs::new());
    let folder = golden().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for path in vfs.files() {
        std::fs::write(folder.join(path.file_name().unwrap()), vfs.read_file(&path).unwrap()).unwrap();
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut text = String::new();
    for pair in options(&vfs.crash_image(CrashPolicy::All, 0)).open("/db").unwrap().iter() {
        let (key, value) = pair.unwrap();
        writeln!(text, "{} {}", hex(&key), hex(&value)).unwrap();
    }
    std::fs::write(golden().join(format!("{name}.content")), text).unwrap();
}

fn options(vfs: &MemVfs) -> Options {
    Options::default()
        .vfs(Arc::new(vfs.clone()))
        .clock(Arc::new(SimClock::new(7)))
        .background(Background::Stepped)
        .memtable_bytes(16 << 10)
        .table_bytes(4 << 10)
        .block_bytes(512)
        .level_ratio(2)
}

/// Entries of every shape: empty and long values, keys alike and unlike in length, deletions, of ranges too, batches.
fn fill(db: &Db) {
    let key = |n: usize| format!("key{:03}", n * 37 % 400);
    for n in 0..400 {
        db.put(key(n), format!("{n:5}").repeat(n % 40)).unwrap();
    }
    db.compact_range::<&[u8]>(..).unwrap();
    let mut batch = WriteBatch::new();
    for n in (0..400).step_by(7) {
        batch.delete(key(n));
        batch.put(key(n + 1), [n as u8; 9]);
    }
    batch.put(b"", b"the empty key");
    batch.put([0xff; 300], b"a long key");
    batch.put(b"large", vec![b'x'; 9000]);
    batch.delete_range("key200".."key230");
    db.write(batch).unwrap();
    db.flush().unwrap();
    db.delete_range("key300"..="key303").unwrap();
    (0..20).for_each(|n| db.put(key(n * 11), b"again").unwrap());
}

fn make_closed(vfs: &MemVfs) -> MemVfs {
    let options = options(vfs).compression((Compression::Lz4, Compression::Zstd(3)));
    let db = options.open("/db").unwrap();
    fill(&db);
    db.close().unwrap();
    vfs.clone()
}

fn make_plain(vfs: &MemVfs) -> MemVfs {
    let options = options(vfs).compression(Compression::None);
    let db = options.filter_bits(0).open("/db").unwrap();
    fill(&db);
    db.close().unwrap();
    vfs.clone()
}

/// With a log of several segments.
fn make_killed(vfs: &MemVfs) -> MemVfs {
    let db = options(vfs).open("/db").unwrap();
    fill(&db);
    (0..12).for_each(|n: u8| db.put(b"long", vec![n; 3000]).unwrap());
    vfs.crash_image(CrashPolicy::All, 0)
}
