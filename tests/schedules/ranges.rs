//! Deletions of ranges and of keyspaces, and the gaps that queues leave, while others read, write, flush and compact.

use crate::explore::explore;
use crate::world::{World, all, breathe, get, prepared, spawn, text};
use siltstone::vfs::mem::CrashPolicy;
use siltstone::{Durability, Error, WriteBatch};

/// Each batch deletes everything and puts the pair anew, so nobody ever sees half a pair, or what an earlier one left.
#[test]
fn what_is_deleted_and_put_anew_is_seen_whole() {
    explore(|| {
        let world = World::new();
        let db = world.open(3);
        let writer = spawn(&db, |db| {
            for n in ["1", "2", "3"] {
                let mut batch = WriteBatch::new();
                batch.delete_range("a"..);
                batch.put("a", n);
                batch.put(format!("b{n}"), n);
                db.write_with(batch, Durability::Os).unwrap();
            }
            db.compact_range::<&str>(..).unwrap();
        });
        let mut last = String::new();
        for round in 0..3 {
            let map = all(&db);
            let back = db.iter().rev().count();
            assert!(back == 0 || back == 2, "{back}");
            assert!(map.is_empty() || map.len() == 2, "{map:?}");
            let now = if round == 1 { get(&db, "a") } else { map.get("a").cloned() };
            let now = now.unwrap_or_default();
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
        writer.join().unwrap();
        assert_eq!(all(&db).into_values().collect::<Vec<_>>(), ["3", "3"]);
        db.close().unwrap();
    });
}

/// A snapshot from before keeps what a flush and a compaction beside it clear away for others.
#[test]
fn a_snapshot_keeps_what_is_deleted_beside_it() {
    let disk = prepared(4, |db| {
        for key in ["a", "b", "c"] {
            db.put(key, "1").unwrap();
        }
    });
    explore(move || {
        let world = World::over(disk.crash_image(CrashPolicy::All, 0));
        let db = world.open(4);
        let writer = spawn(&db, |db| {
            db.delete_range("a".."c").unwrap();
            db.compact_range::<&str>(..).unwrap();
        });
        let snapshot = db.snapshot();
        let first = snapshot.iter().count();
        assert!(first == 3 || first == 1, "{first}");
        breathe();
        assert_eq!(snapshot.get("a").unwrap().is_some(), first == 3);
        assert_eq!(snapshot.iter().rev().count(), first);
        drop(snapshot);
        writer.join().unwrap();
        assert_eq!(all(&db).into_keys().collect::<Vec<_>>(), ["c"]);
        db.close().unwrap();
        drop(db);
        assert_eq!(all(&world.open(4)).len(), 1);
    });
}

/// Some of it lies in a table, some in the buffer: a reader finds all of it, or is told.
#[test]
fn nobody_sees_half_of_a_keyspace_that_is_dropped() {
    let disk = prepared(100, |db| db.keyspace("k").unwrap().put("a", "1").unwrap());
    explore(move || {
        let world = World::over(disk.crash_image(CrashPolicy::All, 0));
        let db = world.open(100);
        let keyspace = db.keyspace("k").unwrap();
        keyspace.put("b", "2").unwrap();
        let dropper = spawn(&db, |db| {
            db.drop_keyspace("k").unwrap();
            db.keyspace("k").unwrap().put("c", "3").unwrap();
        });
        let seen: Result<Vec<_>, Error> =
            keyspace.iter().map(|pair| pair.map(|(key, _)| text(&key))).collect();
        match seen {
            Ok(keys) => assert_eq!(keys, ["a", "b"]),
            Err(error) => assert!(matches!(error, Error::KeyspaceDropped { .. }), "{error}"),
        }
        dropper.join().unwrap();
        assert!(matches!(keyspace.put("d", ""), Err(Error::KeyspaceDropped { .. })));
        let keys: Vec<_> = db.keyspace("k").unwrap().iter().map(|pair| text(&pair.unwrap().0)).collect();
        assert_eq!(keys, ["c"]);
        db.close().unwrap();
        assert!(world.is_tidy(&db), "files were left behind");
    });
}

/// Walks note the gap that deletions have left; what is put into it meanwhile is found all the same.
#[test]
fn a_known_gap_hides_nothing() {
    let disk = prepared(100, |db| {
        let mut batch = WriteBatch::new();
        (0..20).for_each(|n| batch.put(format!("{n:02}"), ""));
        batch.put("99", "");
        db.write(batch).unwrap();
        db.flush().unwrap();
        let mut batch = WriteBatch::new();
        (0..20).for_each(|n| batch.delete(format!("{n:02}")));
        db.write(batch).unwrap();
    });
    explore(move || {
        let world = World::over(disk.crash_image(CrashPolicy::All, 0));
        let db = world.open(100);
        let first = |db: &siltstone::Db| text(&db.iter().next().unwrap().unwrap().0);
        let writer = spawn(&db, move |db| {
            for key in ["50", "07"] {
                db.put(key, "").unwrap();
                assert_eq!(first(&db), key, "it was put before");
            }
        });
        let mut last = "99".to_string();
        for _ in 0..4 {
            let now = first(&db);
            assert!(now <= last, "{now} after {last}");
            last = now;
        }
        writer.join().unwrap();
        assert_eq!(first(&db), "07");
        db.delete("07").unwrap();
        assert_eq!(first(&db), "50");
        db.close().unwrap();
    });
}
