//! What a user can do wrong, and what the library says to it: the fact, and what to do next. And that nothing is harmed by it.

use crate::support::{buffer_of, least_memory};
use siltstone::vfs::fault::{Failure, Fault, FaultVfs, Op};
use siltstone::vfs::mem::{MemVfs, SimClock};
use siltstone::{Background, Compression, Db, Durability, Error, Options, WriteBatch};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const MAX_KEY: usize = 65_535;

/// The error, whose text must have all these words.
#[track_caller]
fn says<T: Debug>(outcome: siltstone::Result<T>, words: &[&str]) -> Error {
    let error = outcome.expect_err("an error was expected");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "\"{word}\" is not in: {text}");
    }
    error
}

fn options(vfs: &MemVfs) -> Options {
    Options::default()
        .vfs(Arc::new(vfs.clone()))
        .clock(Arc::new(SimClock::new(1)))
        .background(Background::Stepped)
        .memtable_bytes(buffer_of(4))
}

/// The database takes writes and answers.
#[track_caller]
fn assert_usable(db: &Db) {
    db.put("usable", "yes").unwrap();
    assert_eq!(db.get("usable").unwrap().unwrap(), b"yes");
    db.delete("usable").unwrap();
    assert!(db.verify().unwrap().is_sound());
}

#[test]
fn keys_and_values_over_their_limits_are_refused() {
    let db = options(&MemVfs::new()).open("/db").unwrap();
    let (longest, long) = (vec![b'k'; MAX_KEY], vec![b'k'; MAX_KEY + 1]);
    says(db.put(&long, "v"), &["the key has 65536 bytes", "at most 65535"]);
    says(db.delete(&long), &["the key has 65536 bytes", "at most 65535"]);
    assert!(db.get(&long).unwrap().is_none());
    assert_eq!(db.range(long.clone()..).count() + db.prefix(&long).count(), 0);
    db.put(&longest, "v").unwrap();
    assert_eq!(db.get(&longest).unwrap().unwrap(), b"v");
    assert!(db.get(&long).unwrap().is_none());
    // Zeros that nobody looks at take no memory: the length is refused before anything is copied.
    let huge = vec![0; (1 << 30) + 1];
    says(db.put("k", &huge), &["the value has 1073741825 bytes", "at most 1073741824"]);
    let mut batch = WriteBatch::new();
    batch.put("before", "1");
    batch.put("k", &huge);
    batch.put("after", "1");
    assert!(batch.byte_len() < 100);
    says(db.write(batch), &["the value has 1073741825 bytes"]);
    assert!(db.get("before").unwrap().is_none(), "all or nothing");
    assert_usable(&db);
    db.flush().unwrap();
    assert_eq!(db.iter().count(), 1);
}

#[test]
fn empty_keys_values_batches_and_backward_ranges_are_no_errors() {
    let db = options(&MemVfs::new()).open("/db").unwrap();
    db.put("", "").unwrap();
    assert_eq!(db.get("").unwrap().unwrap(), b"");
    db.write(WriteBatch::new()).unwrap();
    db.delete("never there").unwrap();
    assert_eq!(db.range("z".."a").count(), 0);
    assert_eq!(db.range("z".."a").rev().count(), 0);
    db.compact_range("z".."a").unwrap();
    assert_eq!(db.iter().count(), 1);
    assert_usable(&db);
}

#[test]
fn a_folder_with_other_files_is_left_alone() {
    let vfs = MemVfs::new();
    vfs.write_file(Path::new("/papers/notes.txt"), b"mine").unwrap();
    let error = says(
        options(&vfs).open("/papers"),
        &["/papers is not a Siltstone database", "other files", "name an empty folder"],
    );
    assert!(matches!(error, Error::NotADatabase { .. }));
    assert_eq!(vfs.files(), [PathBuf::from("/papers/notes.txt")], "nothing was created");
    // Files beside a database are not touched.
    let db = options(&vfs).open("/papers/db").unwrap();
    vfs.write_file(Path::new("/papers/db/7.log"), b"mine").unwrap();
    vfs.write_file(Path::new("/papers/db/README"), b"mine").unwrap();
    db.put("a", "b").unwrap();
    drop(db);
    let db = options(&vfs).open("/papers/db").unwrap();
    assert_usable(&db);
    assert_eq!(vfs.read_file(Path::new("/papers/db/7.log")).unwrap(), b"mine");
    assert_eq!(vfs.read_file(Path::new("/papers/db/README")).unwrap(), b"mine");
}

#[test]
fn a_file_in_place_of_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "text").unwrap();
    for path in [file.clone(), file.join("db")] {
        let error = says(Db::open(&path), &[path.to_str().unwrap(), "is a file", "name a folder"]);
        assert!(matches!(error, Error::NotADatabase { .. }));
        let vfs = MemVfs::new();
        vfs.write_file(&file, b"text").unwrap();
        says(options(&vfs).open(&path), &[path.to_str().unwrap(), "is a file"]);
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"text");
}

#[test]
fn a_folder_that_may_not_be_read_is_named() {
    let mem = MemVfs::new();
    options(&mem).open("/db").unwrap().put("a", "b").unwrap();
    for (op, word) in [(Op::Look, "list /db"), (Op::Lock, "lock /db/LOCK"), (Op::Open, "open /db/CURRENT")] {
        let vfs = FaultVfs::over_mem(mem.clone());
        vfs.inject(Fault::nth(0).on(op).failing_with(Failure::Denied).forever());
        let error = says(options(&mem).vfs(Arc::new(vfs.clone())).open("/db"), &[word, "permission denied"]);
        assert!(matches!(error, Error::Io { .. }));
        vfs.heal();
        assert_usable(&options(&mem).vfs(Arc::new(vfs)).open("/db").unwrap());
    }
}

#[test]
fn a_missing_database_is_created_only_when_wanted() {
    let vfs = MemVfs::new();
    let open = || options(&vfs).create_if_missing(false).open("/db");
    says(open(), &["/db", "no such folder", "create the database first"]);
    assert!(vfs.files().is_empty());
    vfs.write_file(Path::new("/db/LOCK"), b"").unwrap();
    says(open(), &["/db", "no CURRENT file", "create the database first"]);
    drop(options(&vfs).open("/db").unwrap());
    assert_usable(&open().unwrap());
}

#[test]
fn a_second_open_is_told_who_is_in_the_way() {
    let vfs = MemVfs::new();
    let db = options(&vfs).open("/db").unwrap();
    let error = says(options(&vfs).open("/db"), &["/db/LOCK", "in use", "close that one first"]);
    assert!(matches!(error, Error::Locked { .. }));
    assert_usable(&db);
    let clone = db.clone();
    drop(db);
    says(options(&vfs).open("/db"), &["in use"]);
    clone.close().unwrap();
    assert_usable(&options(&vfs).open("/db").unwrap());
}

/// Makes the header say that a newer version wrote the file, with a checksum that is right.
fn from_the_future(vfs: &MemVfs, path: &Path) {
    let mut bytes = vfs.read_file(path).unwrap();
    bytes[9] += 1;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..12]);
    hasher.update(&bytes[16..32]);
    bytes[12..16].copy_from_slice(&hasher.finalize().to_le_bytes());
    vfs.write_file(path, &bytes).unwrap();
}

#[test]
fn files_of_a_newer_version_are_refused_and_left_as_they_are() {
    for ending in ["CURRENT", "manifest", "log", "table"] {
        let vfs = MemVfs::new();
        let db = options(&vfs).open("/db").unwrap();
        (0..30).for_each(|n| db.put(format!("key{n}"), "value").unwrap());
        db.flush().unwrap();
        db.put("in the log", "value").unwrap();
        let vfs = vfs.crash_image(siltstone::vfs::mem::CrashPolicy::All, 0);
        let files = vfs.files();
        let path = files.iter().find(|path| path.to_str().unwrap().ends_with(ending)).unwrap();
        from_the_future(&vfs, path);
        let contents = |vfs: &MemVfs| {
            vfs.files().iter().map(|p| (p.clone(), vfs.read_file(p).unwrap())).collect::<Vec<_>>()
        };
        let before = contents(&vfs);
        let words = [path.to_str().unwrap(), "format version 2", "reads version 1", "a build that knows it"];
        if ending == "table" {
            // Tables are opened when they are first read.
            let db = options(&vfs).open("/db").unwrap();
            let all: siltstone::Result<Vec<_>> = db.iter().collect();
            assert!(matches!(says(all, &words), Error::Incompatible { .. }));
            let report = db.verify().unwrap();
            assert!(report.problems.iter().any(|p| p.detail.contains("format version 2")), "{report}");
            continue;
        }
        assert!(matches!(says(options(&vfs).open("/db"), &words), Error::Incompatible { .. }));
        assert!(contents(&vfs) == before, "{ending}: nothing was written");
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let vfs = MemVfs::new();
    type Change = fn(Options) -> Options;
    let wrong: [(Change, &[&str]); 13] = [
        (|o| o.memtable_bytes(0), &["memtable_bytes", "1 KiB", "4 GiB"]),
        (|o| o.memtable_bytes((4 << 30) + 1), &["memtable_bytes", "1 KiB", "4 GiB"]),
        (|o| o.memory_budget(0), &["memory_budget", "at least 1310720 bytes", "blocks of 4096"]),
        (|o| o.memory_budget((2 << 20) - 1).block_bytes(16 << 10), &["memory_budget", "2097152"]),
        (|o| o.block_bytes(0), &["block_bytes", "1 byte", "16 MiB"]),
        (|o| o.block_bytes(usize::MAX), &["block_bytes", "16 MiB"]),
        (|o| o.filter_bits(65), &["filter_bits", "at most 64"]),
        (|o| o.filter_bits(u32::MAX), &["filter_bits", "at most 64"]),
        (|o| o.table_bytes(0), &["table_bytes", "1 byte", "4 GiB"]),
        (|o| o.table_bytes(u64::MAX), &["table_bytes", "4 GiB"]),
        (|o| o.level_ratio(0), &["level_ratio", "between 2 and 1000"]),
        (|o| o.level_ratio(1), &["level_ratio", "between 2 and 1000"]),
        (|o| o.level_ratio(1001), &["level_ratio", "between 2 and 1000"]),
    ];
    for (change, words) in wrong {
        let error = says(change(options(&vfs)).open("/db"), words);
        assert!(matches!(error, Error::InvalidArgument { .. }));
    }
    assert!(vfs.files().is_empty(), "nothing was created");
}

#[test]
fn options_at_their_limits_work() {
    let small = |o: Options| {
        o.memtable_bytes(1 << 10).block_bytes(1).table_bytes(1).level_ratio(2).memory_budget(least_memory(1))
    };
    let large = |o: Options| o.block_bytes(16 << 20).table_bytes(4 << 30).level_ratio(1000).filter_bits(64);
    let budget = |o: Options| o.memory_budget(least_memory(4096)).stall_deadline(Duration::ZERO);
    let interval = |o: Options| o.durability(Durability::Interval(Duration::ZERO)).filter_bits(1);
    for change in [&small as &dyn Fn(Options) -> Options, &large, &budget, &interval] {
        let vfs = MemVfs::new();
        let db = change(options(&vfs)).open("/db").unwrap();
        for n in 0..200u32 {
            db.put(format!("key{}", n % 50), n.to_le_bytes()).unwrap();
        }
        db.compact_range::<&str>(..).unwrap();
        assert_eq!(db.iter().count(), 50);
        assert_eq!(db.get("key49").unwrap().unwrap(), 199u32.to_le_bytes());
        assert_usable(&db);
    }
}

#[test]
fn after_close_every_call_says_so() {
    let vfs = MemVfs::new();
    let db = options(&vfs).open("/db").unwrap();
    db.put("a", "1").unwrap();
    let (clone, snapshot) = (db.clone(), db.snapshot());
    let mut under_way = db.iter();
    assert_eq!(under_way.next().unwrap().unwrap().0, b"a");
    let mut batch = WriteBatch::new();
    batch.put("b", "2");
    let commit = db.commit(&batch, Durability::Os).unwrap();
    db.close().unwrap();
    commit.wait().unwrap();
    let words = ["closed", "open it again"];
    says(clone.put("a", "b"), &words);
    says(clone.delete("a"), &words);
    says(clone.write(batch.clone()), &words);
    says(clone.write(WriteBatch::new()), &words);
    says(clone.commit(&batch, Durability::Sync), &words);
    says(clone.commit_now(&batch, Durability::Sync), &words);
    says(clone.get("a"), &words);
    says(clone.multi_get(["a"]), &words);
    says(clone.iter().next().unwrap(), &words);
    says(clone.range("a"..).next_back().unwrap(), &words);
    says(snapshot.get("a"), &words);
    says(snapshot.prefix("a").next().unwrap(), &words);
    says(clone.sync(), &words);
    says(clone.flush(), &words);
    says(clone.compact_range::<&str>(..), &words);
    says(clone.verify(), &words);
    clone.close().unwrap();
    // What was under way may be read to its end; statistics are only numbers.
    assert!(under_way.next().is_none());
    let _ = clone.stats();
    let db = options(&vfs).open("/db").unwrap();
    assert_eq!(db.iter().count(), 2);
    assert_usable(&db);
}

#[test]
fn extreme_levels_of_compression_work() {
    let db = options(&MemVfs::new()).compression((Compression::Zstd(i8::MIN), Compression::Zstd(i8::MAX)));
    let db = db.open("/db").unwrap();
    (0..50).for_each(|n| db.put(format!("key{n}"), "value").unwrap());
    db.compact_range::<&str>(..).unwrap();
    assert_eq!(db.iter().count(), 50);
    assert_usable(&db);
}
