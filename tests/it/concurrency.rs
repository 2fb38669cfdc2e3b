//! Real threads: readers beside writers, flushes and compactions; closing in the middle of it.
//!
//! Bounded by counts, not by time. Schedules differ from run to run; what is checked holds for all of them.

use crate::support::{Random, block_on};
use siltstone::vfs::mem::{CrashPolicy, MemVfs};
use siltstone::{Db, Durability, Error, Options, WriteBatch};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

fn small(folder: &tempfile::TempDir) -> Options {
    let _ = folder;
    Options::default().memtable_bytes(64 << 10).table_bytes(32 << 10).durability(Durability::Os)
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().unwrap())
}

/// Writers put growing numbers, always the same one under two keys in one batch. No reader ever sees a number shrink, two
/// keys of a batch differ, or a key vanish.
#[test]
fn readers_see_whole_batches_and_never_an_older_state() {
    let folder = tempfile::tempdir().unwrap();
    let db = small(&folder).open(folder.path().join("db")).unwrap();
    let (writers, rounds, keys) = (2u64, 150u64, 40u64);
    let done = AtomicBool::new(false);
    let looks = AtomicU64::new(0);
    let pair = |w: u64, k: u64| (format!("a{w}:{k:03}"), format!("z{w}:{k:03}"));
    thread::scope(|scope| {
        let writing: Vec<_> = (0..writers)
            .map(|w| {
                let db = &db;
                scope.spawn(move || {
                    for n in 1..=rounds {
                        for k in 0..keys {
                            let (a, z) = pair(w, k);
                            let value = n.to_le_bytes().repeat(16);
                            let mut batch = WriteBatch::new();
                            batch.put(a, &value);
                            batch.put(z, &value);
                            db.write(batch).unwrap();
                        }
                    }
                })
            })
            .collect();
        for r in 0..2 {
            let (db, done, looks) = (&db, &done, &looks);
            scope.spawn(move || {
                let mut random = Random::new(r);
                let mut seen = vec![0; (writers * keys) as usize];
                while !done.load(Ordering::Relaxed) {
                    let (w, k) = (random.next() % writers, random.next() % keys);
                    let (a, z) = pair(w, k);
                    let slot = &mut seen[(w * keys + k) as usize];
                    let now = db.get(&a).unwrap().map_or(0, |v| number(&v));
                    assert!(now >= *slot, "{a} went back from {slot} to {now}");
                    *slot = now;
                    let snapshot = db.snapshot();
                    assert_eq!(snapshot.get(&a).unwrap(), snapshot.get(&z).unwrap());
                    if random.one_in(50) {
                        let all: Vec<_> = db.iter().map(Result::unwrap).collect();
                        let (low, high): (Vec<_>, Vec<_>) = all.iter().partition(|(k, _)| k[0] == b'a');
                        assert!(low.iter().map(|(_, v)| v).eq(high.iter().map(|(_, v)| v)), "half a batch");
                        let mut back: Vec<_> = snapshot.iter().rev().map(Result::unwrap).collect();
                        back.reverse();
                        assert!(back.into_iter().eq(snapshot.iter().map(Result::unwrap)));
                    }
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for writer in writing {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(looks.load(Ordering::Relaxed) > 0 && db.stats().flushes > 0);
    assert!(db.verify().unwrap().is_sound());
}

#[test]
fn close_under_load_returns_and_loses_nothing_acknowledged() {
    for round in 0..6u64 {
        let folder = tempfile::tempdir().unwrap();
        let durability = if round % 2 == 0 { Durability::Os } else { Durability::Sync };
        let db = small(&folder).durability(durability).open(folder.path().join("db")).unwrap();
        let started = AtomicU64::new(0);
        let acknowledged: Vec<u64> = thread::scope(|scope| {
            let writers: Vec<_> = (0..3u64)
                .map(|w| {
                    let (db, started) = (db.clone(), &started);
                    scope.spawn(move || {
                        for n in 0u64.. {
                            started.fetch_add(1, Ordering::Relaxed);
                            match db.put(format!("{w}:{n:08}"), n.to_le_bytes().repeat(20)) {
                                Ok(()) => {}
                                Err(Error::Closed) => return n,
                                Err(other) => panic!("{other}"),
                            }
                        }
                        unreachable!()
                    })
                })
                .collect();
            while started.load(Ordering::Relaxed) < 300 * (round + 1) {
                thread::yield_now();
            }
            db.close().unwrap();
            writers.into_iter().map(|w| w.join().unwrap()).collect()
        });
        let again = small(&folder).open(folder.path().join("db")).unwrap();
        assert!(again.recovery().clean);
        for (w, n) in acknowledged.iter().enumerate() {
            assert_eq!(again.prefix(format!("{w}:")).count() as u64, *n, "writer {w} of round {round}");
        }
    }
}

#[test]
fn commits_can_be_awaited_without_a_runtime_and_end_when_the_database_closes() {
    let folder = tempfile::tempdir().unwrap();
    let db = small(&folder).durability(Durability::Sync).open(folder.path().join("db")).unwrap();
    let commit = |key: String| {
        let mut batch = WriteBatch::new();
        batch.put(key, "v");
        db.commit(&batch, Durability::Sync).unwrap()
    };
    let commits: Vec<_> = (0..200).map(|n| commit(format!("{n:03}"))).collect();
    for commit in commits {
        block_on(commit).unwrap();
    }
    let left: Vec<_> = (200..300).map(|n| commit(format!("{n:03}"))).collect();
    thread::scope(|scope| {
        let waiting: Vec<_> = left.into_iter().map(|commit| scope.spawn(|| block_on(commit))).collect();
        db.close().unwrap();
        for thread in waiting {
            thread.join().unwrap().unwrap();
        }
    });
    let db = Db::open(folder.path().join("db")).unwrap();
    assert_eq!(db.iter().count(), 300);
}

#[test]
fn an_interval_write_becomes_durable_by_itself() {
    let vfs = MemVfs::new();
    let db = Options::default().vfs(Arc::new(vfs.clone())).durability(Durability::Os).open("/db").unwrap();
    let mut batch = WriteBatch::new();
    batch.put("k", "v");
    db.write_with(batch, Durability::Interval(Duration::from_millis(2))).unwrap();
    let survives = || {
        let image = vfs.crash_image(CrashPolicy::Strict, 1);
        let again = Options::default().vfs(Arc::new(image)).open("/db").unwrap();
        again.get("k").unwrap().is_some()
    };
    let mut looks = 0;
    while !survives() {
        looks += 1;
        assert!(looks < 2000, "a write of this interval is still not durable");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A table that a compaction replaced is removed when its last reader lets go, not before and not never.
#[test]
fn files_live_as_long_as_their_readers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let db = Options::default().open(&path).unwrap();
    let tables = || {
        let names = std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name());
        names.filter(|n| n.to_str().unwrap().ends_with(".table")).count()
    };
    for round in 0..3 {
        for n in 0..1000 {
            db.put(format!("{n:04}"), format!("{round}")).unwrap();
        }
        db.flush().unwrap();
    }
    let mut reader = db.iter();
    reader.next().unwrap().unwrap();
    db.compact_range::<&[u8]>(..).unwrap();
    assert!(tables() > 1, "the reader's tables are there");
    assert_eq!(reader.map(Result::unwrap).filter(|(_, v)| *v == b"2").count(), 999);
    let mut waits = 0;
    while tables() > 1 {
        waits += 1;
        assert!(waits < 2000, "a table nobody reads is still there");
        thread::sleep(Duration::from_millis(5));
    }
}
