//! The end: it comes once, it comes soon, and it is the last word.

use crate::explore::explore;
use crate::world::{World, content, get, prepared, spawn};
use shuttle::{future, thread};
use siltstone::vfs::mem::CrashPolicy;
use siltstone::{Db, Durability, Error, WriteBatch};

/// A thread that looked whether it should end before it counted the signals slept through the one that told it to, and close
/// waited for it for ever.
#[test]
fn a_close_right_after_an_open_returns() {
    let disk = prepared(100, |db| db.put("a", "1").unwrap());
    explore(move || {
        let world = World::over(disk.crash_image(CrashPolicy::All, 0));
        world.open(100).close().unwrap();
        assert!(world.log_is_durable());
    });
}

#[test]
fn a_close_among_writes_keeps_what_was_acknowledged() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        let writers = [["a", "b", "c"], ["d", "e", "f"]].map(|keys| {
            spawn(&db, move |db| {
                keys.into_iter()
                    .take_while(|key| match db.put(key, "1") {
                        Ok(()) => true,
                        Err(Error::Closed) => false,
                        Err(other) => panic!("{other}"),
                    })
                    .collect::<Vec<_>>()
            })
        });
        db.close().unwrap();
        assert!(matches!(db.put("z", "1"), Err(Error::Closed)));
        let after = content(&world.cut());
        for key in writers.map(|writer| writer.join().unwrap()).concat() {
            assert!(after.contains_key(key), "{key} is lost");
        }
    });
}

#[test]
fn of_two_closers_both_find_it_closed() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        db.put("a", "1").unwrap();
        let close = |db: Db| {
            db.close().unwrap();
            assert!(matches!(db.get("a"), Err(Error::Closed)));
            assert!(matches!(db.flush(), Err(Error::Closed)));
        };
        let other = spawn(&db, close);
        close(db);
        // The folder is free as soon as either has returned.
        let again = world.open(2);
        assert_eq!(get(&again, "a").unwrap(), "1");
        other.join().unwrap();
        again.close().unwrap();
    });
}

#[test]
fn the_last_handle_closes_whichever_it_is() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        let range = db.iter();
        let snapshot = db.snapshot();
        let others = [thread::spawn(move || drop(range)), thread::spawn(move || drop(snapshot))];
        let _ = db.write_with(WriteBatch::new(), Durability::Os);
        drop(db);
        others.into_iter().for_each(|other| other.join().unwrap());
        world.open(2).close().unwrap();
    });
}

#[test]
fn commits_under_way_are_told_how_it_ended() {
    explore(|| {
        let world = World::new();
        let db = world.open(100);
        let task = spawn(&db, |db| {
            let mut batch = WriteBatch::new();
            batch.put("a", "1");
            db.commit(&batch, Durability::Sync).map(|commit| future::block_on(commit).unwrap()).is_ok()
        });
        let waiting = spawn(&db, |db| db.put("b", "1").is_ok());
        db.close().unwrap();
        let after = content(&world.cut());
        assert_eq!(after.contains_key("a"), task.join().unwrap());
        assert_eq!(after.contains_key("b"), waiting.join().unwrap());
    });
}

#[test]
fn flushes_and_compactions_under_way_end() {
    explore(|| {
        let world = World::new();
        let db = world.open(1);
        db.put("a", "1").unwrap();
        db.put("b", "1").unwrap();
        let flush = spawn(&db, |db| closed_or(db.flush()));
        let compaction = spawn(&db, |db| closed_or(db.compact_range::<&str>(..)));
        db.close().unwrap();
        flush.join().unwrap();
        compaction.join().unwrap();
        assert_eq!(content(&world.cut()).len(), 2);
    });
}

fn closed_or(result: siltstone::Result<()>) {
    if let Err(error) = result {
        assert!(matches!(error, Error::Closed), "{error}");
    }
}

/// An iterator may be read to its end after the close.
#[test]
fn what_is_being_read_can_be_read_to_its_end() {
    let disk = prepared(1, |db| ["a", "b", "c"].iter().for_each(|key| db.put(key, "1").unwrap()));
    explore(move || {
        let world = World::over(disk.crash_image(CrashPolicy::All, 0));
        let db = world.open(1);
        let range = db.iter();
        let reader = thread::spawn(move || range.map(Result::unwrap).count());
        db.close().unwrap();
        assert_eq!(reader.join().unwrap(), 3);
    });
}
