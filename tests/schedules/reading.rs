//! What a reader sees while the ground under it is moved.

use crate::explore::explore;
use crate::world::{World, all, breathe, get, prepared, spawn, text};
use siltstone::vfs::fault::{Fault, Op};
use siltstone::vfs::mem::CrashPolicy;
use siltstone::{Durability, WriteBatch};

/// Every batch fills the write buffer, so each reading meets another constellation of buffers and tables.
#[test]
fn batches_are_seen_whole() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        let writer = spawn(&db, |db| {
            for n in ["1", "2", "3"] {
                let mut batch = WriteBatch::new();
                batch.put("a", n);
                batch.put("b", n);
                db.write_with(batch, Durability::Os).unwrap();
            }
        });
        let pair = db.multi_get(["a", "b"]).unwrap();
        assert_eq!(pair[0], pair[1]);
        let map = all(&db);
        assert_eq!(map.get("a"), map.get("b"));
        let (a, b) = (get(&db, "a"), get(&db, "b"));
        assert!(a <= b, "{a:?} was seen, and {b:?} after it");
        let back: Vec<_> = db.iter().rev().map(|pair| text(&pair.unwrap().1)).collect();
        assert!(back.windows(2).all(|pair| pair[0] == pair[1]) && back.len() != 1, "{back:?}");
        writer.join().unwrap();
        db.close().unwrap();
    });
}

#[test]
fn a_key_never_goes_back() {
    explore(|| {
        let world = World::new();
        let db = world.open(1);
        db.write_with(one("k", "0"), Durability::Os).unwrap();
        let writer = spawn(&db, |db| {
            for n in ["1", "2", "3"] {
                db.write_with(one("k", n), Durability::Os).unwrap();
            }
            db.compact_range::<&str>(..).unwrap();
        });
        let mut last = "0".to_string();
        for round in 0..4 {
            let now = if round == 2 { all(&db).remove("k") } else { get(&db, "k") };
            let now = now.expect("it was there before");
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
        writer.join().unwrap();
        assert_eq!(get(&db, "k").unwrap(), "3");
        db.close().unwrap();
    });
}

#[test]
fn snapshots_do_not_move() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        db.write_with(one("k", "0"), Durability::Os).unwrap();
        let writer = spawn(&db, |db| {
            db.write_with(one("k", "1"), Durability::Os).unwrap();
            db.write_with(one("k", "2"), Durability::Os).unwrap();
            db.compact_range::<&str>(..).unwrap();
        });
        let snapshot = db.snapshot();
        let first = snapshot.get("k").unwrap().expect("it was there before");
        let copy = snapshot.clone();
        drop(snapshot);
        breathe();
        assert_eq!(copy.get("k").unwrap().unwrap(), first);
        let seen: Vec<_> = copy.iter().map(|pair| pair.unwrap().1).collect();
        assert_eq!(seen, [first]);
        drop(copy);
        writer.join().unwrap();
        assert_eq!(db.stats().snapshots, 0);
        db.close().unwrap();
    });
}

/// A compaction takes the files away that an iterator reads; when the iterator goes, they go as well.
#[test]
fn iterators_keep_their_files_and_no_longer() {
    let disk = prepared(2, |db| {
        for key in ["a", "b", "c", "d"] {
            db.put(key, "1").unwrap();
        }
        db.flush().unwrap();
    });
    explore(move || {
        let world = World::over(disk.crash_image(CrashPolicy::All, 0));
        let db = world.open(2);
        let compaction = spawn(&db, |db| db.compact_range::<&str>(..).unwrap());
        let mut range = db.iter();
        let mut back = db.iter().rev();
        assert_eq!(text(&range.next().unwrap().unwrap().0), "a");
        assert_eq!(text(&back.next().unwrap().unwrap().0), "d");
        breathe();
        let rest: Vec<_> = range.map(|pair| text(&pair.unwrap().0)).collect();
        assert_eq!(rest, ["b", "c", "d"]);
        assert_eq!(back.count(), 3);
        compaction.join().unwrap();
        db.close().unwrap();
        assert!(world.is_tidy(&db), "files were left behind");
    });
}

#[test]
fn a_table_is_opened_once_by_whoever_comes_first() {
    let disk = prepared(100, |db| db.put("a", "1").unwrap());
    explore(move || {
        let world = World::over(disk.crash_image(CrashPolicy::All, 0));
        let db = world.open(100);
        let reader = spawn(&db, |db| get(&db, "a"));
        assert_eq!(get(&db, "a").unwrap(), "1");
        assert_eq!(reader.join().unwrap().unwrap(), "1");
        assert_eq!(world.tables_opened(), 1);
        db.close().unwrap();
    });
}

/// The first try to open a table fails: who met it is told, the others read, and nobody waits.
#[test]
fn a_table_that_did_not_open_is_tried_again() {
    let disk = prepared(100, |db| db.put("a", "1").unwrap());
    explore(move || {
        let world = World::over(disk.crash_image(CrashPolicy::All, 0));
        world.faults.inject(Fault::nth(0).on(Op::Open).named(".table"));
        let db = world.open(100);
        let reader = spawn(&db, |db| db.get("a").map(Option::unwrap));
        let found = [db.get("a").map(Option::unwrap), reader.join().unwrap()];
        assert!(found.iter().filter(|found| found.is_err()).count() <= 1);
        assert!(found.iter().flatten().all(|value| *value == "1"));
        assert_eq!(get(&db, "a").unwrap(), "1");
        db.close().unwrap();
    });
}

fn one(key: &str, value: &str) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(key, value);
    batch
}
