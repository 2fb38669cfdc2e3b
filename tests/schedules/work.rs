//! Flushes, compactions, statistics and verification, at the same time.

use crate::explore::explore;
use crate::world::{World, all, content, get, prepared, spawn};
use siltstone::vfs::fault::{Fault, Op};
use siltstone::vfs::mem::CrashPolicy;
use siltstone::{Durability, Error, WriteBatch};

#[test]
fn statistics_can_be_taken_at_any_time() {
    explore(|| {
        let world = World::new();
        let db = world.open(1);
        let observer = spawn(&db, |db| {
            let mut last = 0;
            for _ in 0..3 {
                let stats = db.stats();
                assert!(stats.last_sequence >= last && stats.buffers <= 3, "{stats}");
                last = stats.last_sequence;
            }
        });
        let work = spawn(&db, |db| db.compact_range::<&str>(..).is_ok());
        ["a", "b", "c"].iter().for_each(|key| db.put(key, "1").unwrap());
        observer.join().unwrap();
        db.close().unwrap();
        work.join().unwrap();
        assert_eq!(db.stats().last_sequence, 3);
    });
}

#[test]
fn whoever_asks_for_a_flush_gets_one() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        let flush = |key: &'static str| {
            move |db: siltstone::Db| {
                let mut batch = WriteBatch::new();
                batch.put(key, "1");
                db.write_with(batch, Durability::Os).unwrap();
                db.flush().unwrap();
            }
        };
        let others = [spawn(&db, flush("a")), spawn(&db, flush("b"))];
        flush("c")(db.clone());
        // What was flushed is durable, although nothing of the log was asked to be.
        assert!(content(&world.cut()).contains_key("c"));
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(content(&world.cut()).len(), 3);
        db.close().unwrap();
    });
}

#[test]
fn a_failed_sync_of_a_table_reaches_whoever_waits_for_the_flush() {
    explore(|| {
        let world = World::new();
        let db = world.open(100);
        db.put("a", "1").unwrap();
        world.faults.inject(Fault::nth(0).on(Op::Sync).named(".table"));
        let others = [spawn(&db, |db| db.flush()), spawn(&db, |db| db.put("b", "1"))];
        let mine = db.flush();
        let [flushed, written] = others.map(|other| other.join().unwrap());
        assert!(mine.is_err() && flushed.is_err(), "what was not synced was called flushed");
        assert!(matches!(db.put("c", "1"), Err(Error::ReadOnly { .. })));
        assert!(matches!(db.close(), Err(Error::ReadOnly { .. })));
        let after = content(&world.cut());
        assert!(after.contains_key("a") && (after.contains_key("b") || written.is_err()), "{after:?}");
    });
}

#[test]
fn a_failed_flush_is_tried_again() {
    explore(|| {
        let world = World::new();
        let db = world.open(1);
        world.faults.inject(Fault::nth(0).on(Op::Write).named(".table"));
        let flush = spawn(&db, |db| db.flush().is_ok());
        for key in ["a", "b", "c", "d"] {
            db.put(key, "1").unwrap();
        }
        flush.join().unwrap();
        while db.flush().is_err() {}
        assert_eq!(all(&db).len(), 4);
        db.close().unwrap();
        assert_eq!(content(&world.cut()).len(), 4);
    });
}

#[test]
fn compactions_keep_what_snapshots_need() {
    let disk = prepared(1, |db| {
        db.put("a", "1").unwrap();
        db.delete("a").unwrap();
        db.put("b", "1").unwrap();
    });
    explore(move || {
        let world = World::over(disk.crash_image(CrashPolicy::All, 0));
        let db = world.open(2);
        let compactions =
            [spawn(&db, |db| db.compact_range::<&str>(..)), spawn(&db, |db| db.compact_range("a".."b"))];
        let snapshot = db.snapshot();
        db.put("b", "2").unwrap();
        assert_eq!(snapshot.get("b").unwrap().unwrap(), "1");
        assert_eq!(snapshot.get("a").unwrap(), None);
        compactions.into_iter().for_each(|compaction| compaction.join().unwrap().unwrap());
        assert_eq!(snapshot.get("b").unwrap().unwrap(), "1");
        drop(snapshot);
        assert_eq!(get(&db, "b").unwrap(), "2");
        assert!(db.verify().unwrap().is_sound());
        db.close().unwrap();
        assert!(world.is_tidy(&db), "files were left behind");
    });
}

#[test]
fn verification_reads_beside_a_compaction() {
    let disk = prepared(1, |db| ["a", "b"].iter().for_each(|key| db.put(key, "1").unwrap()));
    explore(move || {
        let world = World::over(disk.crash_image(CrashPolicy::All, 0));
        let db = world.open(1);
        let compaction = spawn(&db, |db| db.compact_range::<&str>(..).unwrap());
        let report = db.verify().unwrap();
        assert!(report.is_sound() && report.entries == 2, "{report}");
        compaction.join().unwrap();
        db.close().unwrap();
        assert!(world.is_tidy(&db), "files were left behind");
    });
}
