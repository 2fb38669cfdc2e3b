//! Checkpoints: a copy that is whole and of one moment, or none; and neither database harms the other afterwards.
//!
//! [`failures`] fails every file operation of one, cuts the power before each, and lets the disk run full.

mod failures;

use crate::history::{Map, assert_holds, assert_same, scan};
use siltstone::vfs::Clock;
use siltstone::vfs::mem::{MemVfs, SimClock};
use siltstone::{Background, Db, Durability, Error, Options, WriteBatch};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Everything is so small that a few writes flush and compact.
fn small() -> Options {
    Options::default().memtable_bytes(4 << 10).table_bytes(1 << 10).block_bytes(200).level_ratio(2)
}

fn stepped(vfs: &MemVfs) -> Options {
    let clock = Arc::new(SimClock::new(1));
    small().vfs(Arc::new(vfs.clone())).clock(clock).background(Background::Stepped)
}

fn existing(options: Options) -> Options {
    options.create_if_missing(false)
}

/// Writes `count` keys in an order that is not theirs, with values that nothing compresses much.
fn fill(db: &Db, count: u64, stamp: u64) {
    for n in 0..count {
        let value = (n * 31 + stamp).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes().repeat(6);
        db.put(format!("key{:04}", n * 37 % count), value).unwrap();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_checkpoint_holds_what_was_there_and_shares_its_tables() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("db"), folder.path().join("sub").join("copy"));
    let db = small().durability(Durability::Os).open(&path).unwrap();
    fill(&db, 400, 1);
    let snapshot = db.snapshot();
    let then: Map = scan(&db).unwrap();
    let made = db.checkpoint(&copy).unwrap();
    assert!(made.tables > 1 && made.copied_bytes == 0, "{made}");
    assert_eq!(made.last_sequence, db.stats().last_sequence);
    #[cfg(unix)]
    for name in names(&copy).iter().filter(|name| name.ends_with(".table")) {
        use std::os::unix::fs::MetadataExt;
        let file = std::fs::metadata(copy.join(name)).unwrap();
        // Compaction may have replaced it in the first database by now.
        let same = std::fs::metadata(path.join(name)).is_ok_and(|other| other.ino() == file.ino());
        assert!(same || file.nlink() == 1, "{name} was copied");
    }
    // No log, and nothing that would be written again.
    let others = |name: &String| !name.ends_with(".table");
    let named: Vec<_> = names(&copy).into_iter().filter(others).collect();
    assert_eq!(named, ["000001.manifest", "CURRENT", "LOCK"]);

    fill(&db, 300, 2);
    db.delete("key0399").unwrap();
    let other = existing(small()).open(&copy).unwrap();
    assert!(other.recovery().clean);
    assert_holds(&other, &then, &|| "the copy".into());
    assert!(other.verify().unwrap().is_sound());
    let read = snapshot.iter().map(|pair| pair.map(|(k, v)| (k.to_vec(), v.to_vec())));
    assert_same(&read.collect::<Result<Map, _>>().unwrap(), &then, &|| "the snapshot".into());
}

#[test]
fn neither_database_sees_what_is_written_to_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("db"), folder.path().join("copy"));
    let open = |path: &PathBuf| small().durability(Durability::Os).open(path).unwrap();
    let db = open(&path);
    fill(&db, 400, 1);
    db.checkpoint(&copy).unwrap();
    let other = open(&copy);
    let mut expected = [scan(&db).unwrap(), scan(&other).unwrap()];
    // Enough for both to rotate their logs, to write segments again, and to replace every table.
    for round in 0..4 {
        for (db, expected) in [&db, &other].into_iter().zip(&mut expected) {
            let stamp = u64::from(std::ptr::eq(db, &other)) + 10 * round;
            fill(db, 300, 100 + stamp);
            db.delete(format!("key{stamp:04}")).unwrap();
            *expected = scan(db).unwrap();
        }
        for (db, expected) in [&db, &other].into_iter().zip(&expected) {
            assert_same(&scan(db).unwrap(), expected, &|| format!("round {round}"));
            db.compact_range::<&str>(..).unwrap();
        }
    }
    // A checkpoint of a checkpoint, and the first of the three vanishes.
    let third = folder.path().join("third");
    other.checkpoint(&third).unwrap();
    db.close().unwrap();
    std::fs::remove_dir_all(&path).unwrap();
    other.close().unwrap();
    for path in [&copy, &third] {
        let db = existing(small()).open(path).unwrap();
        assert_holds(&db, &expected[1], &|| path.display().to_string());
        assert!(db.verify().unwrap().is_sound());
    }
}

#[test]
fn keyspaces_and_expiry_come_along() {
    let vfs = MemVfs::new();
    let clock = Arc::new(SimClock::new(1));
    let options = || stepped(&vfs).clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let db = options().open("/db").unwrap();
    let orders = db.keyspace("orders").unwrap();
    let hour = Duration::from_secs(3600);
    orders.put("1", "two apples").unwrap();
    orders.put_with_ttl("2", "a pear, for an hour", hour).unwrap();
    let short = db.keyspace_with("short", siltstone::KeyspaceOptions::default().ttl(Some(hour))).unwrap();
    short.put("k", "v").unwrap();
    db.checkpoint("/copy").unwrap();
    // The numbers of keyspaces go on in both.
    let later = db.keyspace("later").unwrap();
    let other = existing(options()).open("/copy").unwrap();
    assert_eq!(other.keyspaces().unwrap(), ["orders", "short"]);
    assert_eq!(other.keyspace("short").unwrap().ttl(), Some(hour));
    let theirs = other.keyspace("orders").unwrap();
    assert_eq!((theirs.iter().count(), orders.iter().count()), (2, 2));
    clock.advance(hour);
    assert_eq!((theirs.iter().count(), orders.iter().count()), (1, 1));
    assert_eq!(other.keyspace("short").unwrap().get("k").unwrap(), None);

    // Both databases have the same id, and now another keyspace under the same number: handles are not mixed up.
    let another = other.keyspace("another").unwrap();
    for (db, foreign) in [(&db, &another), (&other, &later)] {
        let mut batch = WriteBatch::new();
        batch.within(foreign).put("k", "v");
        let refused = db.write(batch).unwrap_err();
        assert!(refused.to_string().contains("keyspace of another database"), "{refused}");
        let refused = db.snapshot().within(foreign).unwrap_err();
        assert!(matches!(refused, Error::InvalidArgument { .. }), "{refused}");
    }
    assert_eq!((another.iter().count(), later.iter().count()), (0, 0));
}

#[test]
fn a_wrong_folder_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let db = small().open(&path).unwrap();
    db.put("k", "v").unwrap();
    let before = names(&path);
    let full = folder.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("notes.txt"), "mine").unwrap();
    let refused = |into: &Path, why: &str| {
        let error = db.checkpoint(into).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    };
    refused(&full, "is not empty: name a new folder");
    assert_eq!(names(&full), ["notes.txt"]);
    refused(&path, "lies in");
    refused(&path.join("copy"), "lies in");
    // Under another spelling.
    refused(&full.join("..").join("db").join("copy"), "lies in");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        refused(&folder.path().join("link").join("deep").join("copy"), "lies in");
    }
    assert_eq!(names(&path), before);
    let file = full.join("notes.txt");
    assert!(matches!(db.checkpoint(&file), Err(Error::Io { .. })), "a file");
    // One that somebody has open, even if it holds nothing yet.
    let other = folder.path().join("other");
    let open = small().open(&other).unwrap();
    refused(&other, "is not empty");
    drop(open);

    db.close().unwrap();
    let copy = folder.path().join("copy");
    assert!(matches!(db.checkpoint(&copy), Err(Error::Closed)));
    assert!(!copy.exists());
}

#[test]
fn an_empty_database_can_be_copied_and_an_empty_folder_taken() {
    let folder = tempfile::tempdir().unwrap();
    let db = small().open(folder.path().join("db")).unwrap();
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    let made = db.checkpoint(&copy).unwrap();
    assert_eq!((made.tables, made.bytes, made.last_sequence), (0, 0, 0));
    let other = existing(small()).open(&copy).unwrap();
    assert_eq!(other.iter().count(), 0);
    other.put("k", "v").unwrap();
    assert_eq!(db.get("k").unwrap(), None);
}

/// One thread writes batches with growing numbers, others overwrite and compact. Each checkpoint is a state between the call
/// and its return, with whole batches; what was acknowledged before is in it.
#[test]
fn a_checkpoint_under_load_is_a_state_of_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let options = || small().memtable_bytes(32 << 10).table_bytes(8 << 10).durability(Durability::Os);
    let db = options().open(folder.path().join("db")).unwrap();
    let (begun, acknowledged, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                n += 1;
                begun.store(n, Ordering::SeqCst);
                let mut batch = WriteBatch::new();
                for half in ["a", "z"] {
                    batch.put(format!("{half}{:03}", n % 50), n.to_le_bytes().repeat(10));
                }
                db.write(batch).unwrap();
                acknowledged.store(n, Ordering::SeqCst);
            }
        });
        scope.spawn(|| {
            for n in 0.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                db.put(format!("m{:05}", n % 3000), vec![n as u8; 100]).unwrap();
                if n % 5000 == 0 {
                    db.compact_range::<&str>(..).unwrap();
                }
            }
        });
        for n in 0..8 {
            let copy = folder.path().join(format!("copy{n}"));
            let least = acknowledged.load(Ordering::SeqCst);
            db.checkpoint(&copy).unwrap();
            let most = begun.load(Ordering::SeqCst);
            let other = existing(options()).open(&copy).unwrap();
            check_state(&other, least, most);
            assert!(other.verify().unwrap().is_sound());
            // The copy goes on by itself while the first one does.
            fill(&other, 100, n);
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// Of the batches up to some number between these, each key has the last one that wrote it.
fn check_state(db: &Db, least: u64, most: u64) {
    let number = |value: &[u8]| u64::from_le_bytes(value[..8].try_into().unwrap());
    let halves = ["a", "z"].map(|half| {
        let pairs = db.prefix(half).map(|pair| pair.map(|(key, value)| (key[1..].to_vec(), number(&value))));
        pairs.collect::<Result<Vec<_>, _>>().unwrap()
    });
    assert_eq!(halves[0], halves[1], "batches are whole");
    let last = halves[0].iter().map(|(_, n)| *n).max().unwrap_or(0);
    assert!((least..=most).contains(&last), "{last}, expected {least} to {most}");
    for (key, n) in &halves[0] {
        let slot: u64 = std::str::from_utf8(key).unwrap().parse().unwrap();
        let expected = last - (last + 50 - slot) % 50;
        assert_eq!(*n, expected, "slot {slot} of the state after {last}");
    }
}

/// Whoever closes while a checkpoint is made waits for its end; it is whole, or it is not there.
#[test]
fn closing_in_the_middle_leaves_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let path = folder.path().join(format!("db{round}"));
        let copy = folder.path().join(format!("copy{round}"));
        let db = small().durability(Durability::Os).open(&path).unwrap();
        fill(&db, 150, round);
        let then = scan(&db).unwrap();
        thread::scope(|scope| {
            let making = scope.spawn(|| db.checkpoint(&copy));
            thread::sleep(Duration::from_micros(round * 200));
            db.close().unwrap();
            match making.join().unwrap() {
                Ok(_) => assert_same(&scan(&small().open(&copy).unwrap()).unwrap(), &then, &|| "copy".into()),
                Err(Error::Closed) => assert!(!copy.exists() || names(&copy).is_empty()),
                Err(e) => panic!("{e}"),
            }
        });
    }
}
