//! Few open files.

use siltstone::{Background, Compression, Db, Durability, Error, Options};
use std::fs::File;
use std::path::Path;

/// How many files below `folder` this process has open; none where the system does not tell.
fn open_files(folder: &Path) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    links.filter_map(|link| std::fs::read_link(link.path()).ok()).filter(|to| to.starts_with(folder)).count()
}

/// Under a durability that never syncs, every segment of the log stayed open for a sync to come, though it had been flushed
/// and removed long ago: after a thousand of them the process had no descriptors left, and none of their room came back.
#[test]
fn files_of_the_log_do_not_pile_up_without_a_sync() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let options = Options::default().durability(Durability::Os).memtable_bytes(64 << 10);
    let db = options.open(path.join("db")).unwrap();
    let mut most = 0;
    for round in 0..60_u8 {
        (0..100_u8).for_each(|n| db.put([n], vec![round; 1000]).unwrap());
        db.flush().unwrap();
        most = most.max(open_files(&path));
    }
    // The lock, the manifest, the log with one segment ahead, and a table that is written or opened.
    assert!(most <= 8, "{most} files");
    db.close().unwrap();
}

/// Tables are mapped, and a map needs no descriptor: hundreds of them take as many as one.
#[test]
fn open_tables_take_no_descriptors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let db = many_tables(&path.join("db"), 300);
    assert_eq!(db.iter().filter(|entry| entry.is_ok()).count(), 300 * 40);
    assert!(open_files(&path) <= 5, "{} files", open_files(&path));
    db.close().unwrap();
    drop(db);
    assert_eq!(open_files(&path), 0);
}

/// A database of so many tables, and 40 entries for each.
pub fn many_tables(path: &Path, tables: usize) -> Db {
    let options = Options::default().background(Background::Stepped).durability(Durability::Os);
    let db = options.compression(Compression::None);
    let db = db.table_bytes(4000).open(path).unwrap();
    // A merge of two is what makes many of them.
    for part in 0..2 {
        for n in (part..tables * 40).step_by(2) {
            db.put(format!("k{n:06}"), vec![b'a' + (n % 26) as u8; 100]).unwrap();
        }
        db.flush().unwrap();
    }
    db.compact_range::<&[u8]>(..).unwrap();
    let found: usize = db.stats().levels.iter().map(|level| level.tables).sum();
    assert!(found >= tables, "{found} tables");
    db
}

/// All descriptors that are left, besides those that `others` are already.
fn use_up(others: &mut Vec<File>) {
    if others.is_empty() {
        others.push(File::open(std::env::current_exe().unwrap()).unwrap());
    }
    while let Ok(another) = others[0].try_clone() {
        others.push(another);
    }
}

fn is_for_want_of_files(error: &Error) -> bool {
    let told = error.to_string();
    told.contains("/db") && told.contains("Too many open files") && told.contains("ulimit -n")
}

/// In a process with few descriptors, some other part of which uses up all that are left.
#[cfg(unix)]
#[test]
fn what_needs_no_new_file_goes_on_and_the_rest_comes_back() {
    if std::env::var_os(super::CHILD).is_none() {
        let name = "limits::descriptors::what_needs_no_new_file_goes_on_and_the_rest_comes_back";
        return super::run_limited("-n 48", name);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    many_tables(&path, 300).close().unwrap();
    let options = Options::default().memtable_bytes(64 << 10);

    let mut others = Vec::new();
    use_up(&mut others);
    let refused = options.clone().open(&path).unwrap_err();
    assert!(is_for_want_of_files(&refused), "{refused}");
    others.clear();

    let db = options.clone().open(&path).unwrap();
    // Every table is opened, so from now on all of it can be read.
    assert_eq!(db.iter().count(), 300 * 40);
    let (mut written, mut refused) = (0, 0);
    for _ in 0..5 {
        use_up(&mut others);
        // The log is open, and goes on growing when there is no file for the next segment.
        for _ in 0..50 {
            db.put(format!("new{written:04}"), vec![7; 500]).unwrap();
            written += 1;
        }
        assert_eq!(db.get("k000130").unwrap().unwrap(), [b'a'; 100]);
        assert_eq!(db.iter().filter(|entry| entry.is_ok()).count(), 300 * 40 + written);
        // What work in the background has closed meanwhile.
        use_up(&mut others);
        refused += usize::from(try_flush(&db));
        assert!(db.stats().read_only.is_none(), "{:?}", db.stats().read_only);
        others.clear();
        // A try that began before may still fail.
        assert!((0..100).any(|_| !try_flush(&db)), "no flush although there are descriptors");
    }
    assert!(refused > 0, "every flush found a descriptor");
    db.compact_range::<&[u8]>(..).unwrap();
    assert!(db.verify().unwrap().is_sound());
    db.close().unwrap();
    let db = options.open(&path).unwrap();
    assert!(db.recovery().clean);
    assert_eq!(db.iter().count(), 300 * 40 + written);
}

/// Flushes; true when there was no descriptor for it.
fn try_flush(db: &Db) -> bool {
    db.flush().inspect_err(|error| assert!(is_for_want_of_files(error), "{error}")).is_err()
}
