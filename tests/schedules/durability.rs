//! Acknowledged is durable, whoever syncs for whom; and everybody who waits is told how it ended.

use crate::explore::explore;
use crate::world::{TICK, World, content, spawn};
use shuttle::{future, thread};
use siltstone::store::{LsmEngine, StorageEngine};
use siltstone::vfs::fault::{Effect, Fault, Op};
use siltstone::{Db, Durability, Error, WriteBatch};

fn batch(key: &str) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(key, "1");
    batch
}

#[test]
fn who_shares_a_sync_waits_for_it() {
    explore(|| {
        let world = World::new();
        let db = world.open(100);
        let disk = &world.disk;
        let writers = ["a", "b", "c"].map(|key| {
            let world = World::over(disk.clone());
            spawn(&db, move |db| {
                db.put(key, "1").unwrap();
                (key, world.cut())
            })
        });
        for (key, cut) in writers.map(|writer| writer.join().unwrap()) {
            assert!(content(&cut).contains_key(key), "{key} was acknowledged before it was durable");
        }
        db.close().unwrap();
    });
}

/// Three writers and one sync that fails: whoever was told Ok finds his write after a power cut, whoever was not is told why,
/// and nothing is acknowledged afterwards.
#[test]
fn a_failed_sync_is_told_to_all_who_wait_and_to_all_who_come() {
    explore(|| {
        let world = World::new();
        let db = world.open(100);
        world.faults.inject(Fault::nth(1).on(Op::Sync).named(".log").with(Effect::DropUnsynced));
        let keys = ["a", "b", "c"];
        let writers = keys.map(|key| spawn(&db, move |db| db.put(key, "1")));
        let told = writers.map(|writer| writer.join().unwrap());
        let _ = db.put("d", "1");
        assert_eq!(world.faults.injected(), 1);
        assert!(matches!(db.put("e", "1"), Err(Error::ReadOnly { .. })));
        let after = content(&world.cut());
        for (key, told) in keys.iter().zip(told) {
            match told {
                Ok(()) => assert!(after.contains_key(*key), "{key} is lost"),
                Err(error) => assert!(matches!(error, Error::ReadOnly { .. }), "{error}"),
            }
        }
        assert!(matches!(db.close(), Err(Error::ReadOnly { .. })));
    });
}

#[test]
fn commits_that_are_awaited_are_woken() {
    explore(|| {
        let world = World::new();
        let db = world.open(100);
        let awaiting = spawn(&db, |db| {
            let commit = db.commit(&batch("a"), Durability::Sync).unwrap();
            future::block_on(commit).unwrap();
        });
        let blocking = spawn(&db, |db| db.put("b", "1").unwrap());
        let commit = db.commit_now(&batch("c"), Durability::Sync).unwrap();
        future::block_on(commit).unwrap();
        awaiting.join().unwrap();
        blocking.join().unwrap();
        assert_eq!(content(&world.cut()).len(), 3);
        db.close().unwrap();
    });
}

#[test]
fn commits_through_the_seam_are_woken() {
    explore(|| {
        let world = World::new();
        let engine = LsmEngine::new(world.open(2));
        let writers = ["a", "b"].map(|key| {
            let engine = engine.clone();
            thread::spawn(move || {
                engine.room(100).wait().unwrap();
                engine.write(batch(key), None).unwrap().wait().unwrap();
            })
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(content(&world.cut()).len(), 2);
        engine.close().unwrap();
    });
}

#[test]
fn every_interval_ends() {
    explore(|| {
        let world = World::new();
        let db = world.open(100);
        let write = |key: &'static str, ticks| {
            move |db: Db| {
                let interval = Durability::Interval(TICK * ticks);
                db.write_with(batch(key), interval).unwrap();
            }
        };
        let other = spawn(&db, write("a", 5));
        write("b", 20)(db.clone());
        other.join().unwrap();
        while !world.log_is_durable() {
            thread::yield_now();
        }
        write("c", 5)(db.clone());
        while !world.log_is_durable() {
            thread::yield_now();
        }
        db.close().unwrap();
    });
}

#[test]
fn a_sync_covers_all_that_came_before_it() {
    explore(|| {
        let world = World::new();
        let db = world.open(100);
        let disk = world.disk.clone();
        let lazy = spawn(&db, move |db| {
            db.write_with(batch("a"), Durability::Os).unwrap();
            db.sync().unwrap();
            World::over(disk).cut()
        });
        db.write_with(batch("b"), Durability::Os).unwrap();
        db.put("c", "1").unwrap();
        let cut = world.cut();
        assert!(content(&lazy.join().unwrap()).contains_key("a"));
        let after = content(&cut);
        assert!(after.contains_key("b") && after.contains_key("c"), "the log has a hole: {after:?}");
        db.close().unwrap();
    });
}
