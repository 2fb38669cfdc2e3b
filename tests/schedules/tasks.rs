//! Tasks that wait, looks from outside, and checkpoints, while everything else goes on.

use crate::explore::explore;
use crate::world::{World, all, breathe, content, get, prepared, spawn};
use shuttle::{future, thread};
use siltstone::vfs::mem::CrashPolicy;
use siltstone::{Durability, Error, WriteBatch};

fn batch(value: &str) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put("a", value);
    batch.put("b", value);
    batch
}

/// Two tasks read what is on disk only, one is given up, and somebody closes: each is answered, and close returns.
#[test]
fn reads_of_tasks_are_answered_or_told_that_it_is_closed() {
    let disk = prepared(100, |db| db.write(batch("1")).unwrap());
    explore(move || {
        let world = World::over(disk.crash_image(CrashPolicy::All, 0));
        let db = world.open(100);
        let readers = ["a", "b"].map(|key| spawn(&db, move |db| future::block_on(db.get_async(key))));
        let given_up = spawn(&db, |db| {
            let mut page = db.iter().page_async(1);
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let _ = std::pin::Pin::new(&mut page).poll(&mut context);
        });
        breathe();
        db.close().unwrap();
        for reader in readers {
            match reader.join().unwrap() {
                Ok(value) => assert_eq!(value.unwrap(), b"1"),
                Err(error) => assert!(matches!(error, Error::Closed), "{error}"),
            }
        }
        given_up.join().unwrap();
        // Nobody holds the lock any more.
        drop(db);
        assert_eq!(all(&world.open(100)).len(), 2);
    });
}

#[test]
fn writes_syncs_and_flushes_of_tasks_are_woken() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        let writers = ["1", "2"].map(|value| {
            spawn(&db, move |db| future::block_on(db.write_async(batch(value), Durability::Os)).unwrap())
        });
        let syncing = spawn(&db, |db| future::block_on(db.sync_async()).unwrap());
        future::block_on(db.flush_async()).unwrap();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        syncing.join().unwrap();
        future::block_on(db.sync_async()).unwrap();
        assert_eq!(content(&world.cut()).len(), 2);
        db.close().unwrap();
    });
}

/// A checkpoint beside a writer and a compaction is one state; so is a look from outside.
#[test]
fn checkpoints_and_looks_show_one_moment() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        db.write(batch("0")).unwrap();
        let writer = spawn(&db, |db| {
            for value in ["1", "2", "3"] {
                db.write_with(batch(value), Durability::Os).unwrap();
            }
            db.compact_range::<&str>(..).unwrap();
        });
        let look = spawn(&db, {
            let options = world.options(2);
            move |_| {
                let look = options.open_read_only("/db").unwrap();
                let (a, b) = (get(&look, "a"), get(&look, "b"));
                assert!(a.is_some() && a == b, "{a:?} {b:?}");
            }
        });
        db.checkpoint("/copy").unwrap();
        writer.join().unwrap();
        look.join().unwrap();
        let copy = world.options(2).open_read_only("/copy").unwrap();
        let (a, b) = (get(&copy, "a"), get(&copy, "b"));
        assert!(a.is_some() && a == b, "{a:?} {b:?}");
        assert_eq!(get(&db, "a").unwrap(), "3");
        db.close().unwrap();
    });
}

#[test]
fn closing_ends_a_checkpoint() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        db.write(batch("1")).unwrap();
        let making = spawn(&db, |db| db.checkpoint("/copy").map(drop));
        breathe();
        db.close().unwrap();
        let outcome = making.join().unwrap();
        let copy = world.options(2).open_read_only("/copy");
        match (outcome, copy) {
            (Ok(()), Ok(copy)) => assert_eq!(all(&copy).len(), 2),
            (Err(Error::Closed), Err(Error::NotADatabase { .. } | Error::Io { .. })) => {}
            (made, copy) => panic!("{made:?} {copy:?}"),
        }
        thread::yield_now();
    });
}
