//! Writers that must wait for room: until it comes, and no longer than they are willing to.

use crate::explore::explore;
use crate::world::{PATH, TICK, World, all, content, get, spawn};
use shuttle::{future, thread};
use siltstone::vfs::fault::{Failure, Fault, Op};
use siltstone::{Db, Durability, Error, Result, WriteBatch};
use std::future::poll_fn;
use std::time::Duration;

const DEADLINE: Duration = TICK.saturating_mul(20);

fn put(db: &Db, key: &str) -> Result<()> {
    let mut batch = WriteBatch::new();
    batch.put(key, "1");
    db.write_with(batch, Durability::Os)
}

#[test]
fn writers_flush_and_rotation_keep_pace() {
    explore(|| {
        let world = World::new();
        let db = world.open(1);
        let writer = spawn(&db, |db| ["a", "b", "c"].iter().for_each(|key| put(&db, key).unwrap()));
        ["d", "e", "f"].iter().for_each(|key| put(&db, key).unwrap());
        writer.join().unwrap();
        assert_eq!(all(&db).len(), 6);
        db.close().unwrap();
        assert_eq!(content(&world.cut()).len(), 6);
    });
}

/// No table can be written. Writers are told so by the deadline, and once it is mended they write again.
#[test]
fn a_stall_ends_at_its_deadline_or_with_its_cause() {
    explore(|| {
        let world = World::new();
        let options = world.options(1).stall_deadline(DEADLINE);
        let db = options.open(PATH).unwrap();
        world.faults.inject(Fault::nth(0).on(Op::Create).named(".table").forever());
        let fill = |db: Db, names: [&'static str; 4]| {
            names.into_iter().take_while(|key| put(&db, key).inspect_err(is_stall).is_ok()).count()
        };
        let writer = spawn(&db, move |db| fill(db, ["a", "b", "c", "d"]));
        let mine = fill(db.clone(), ["e", "f", "g", "h"]);
        assert_eq!(mine + writer.join().unwrap(), 3, "two buffers that wait and one that is written to");
        world.faults.heal();
        while put(&db, "i").is_err() {
            thread::yield_now();
        }
        assert_eq!(all(&db).len(), 4);
        db.close().unwrap();
    });
}

fn is_stall(error: &Error) {
    match error {
        Error::Stalled { waited, .. } => assert!(*waited >= DEADLINE, "{waited:?}"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_full_disk_is_an_error_and_passes() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        world.faults.set_free_space(Some(0));
        let writer = spawn(&db, |db| ["a", "b"].map(|key| put(&db, key).is_ok()));
        let flushed = db.flush();
        let written = writer.join().unwrap();
        if let Err(error) = flushed {
            assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        }
        world.faults.set_free_space(None);
        // The failure of a try that began while the disk was full may still be on its way.
        while db.flush().is_err() {}
        // That there is space again for puts is found out in the background, or by the next open.
        db.close().unwrap();
        drop(db);
        let db = world.open(2);
        put(&db, "c").unwrap();
        for (key, _) in ["a", "b"].iter().zip(written).filter(|(_, written)| *written) {
            assert!(get(&db, key).is_some(), "{key} is lost");
        }
        db.close().unwrap();
    });
}

#[test]
fn a_full_disk_with_failing_log_writes_passes_as_well() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        let full = Fault::nth(1).on(Op::Write).named(".log").times(2).failing_with(Failure::NoSpace);
        world.faults.inject(full);
        let write = |db: Db, keys: [&'static str; 3]| keys.map(|key| (key, db.put(key, "1").is_ok()));
        let writer = spawn(&db, move |db| write(db, ["a", "b", "c"]));
        let mine = write(db.clone(), ["d", "e", "f"]);
        let told = [mine, writer.join().unwrap()].concat();
        // Writers meet the two failures, or the making of the next segment does. Puts may be refused until that is over.
        assert_ne!(world.faults.injected(), 0);
        assert_eq!(db.stats().last_background_error.map(|trouble| trouble.error.kind()), Some("disk_full"));
        let after = content(&world.cut());
        told.iter().for_each(|(key, ok)| assert_eq!(after.contains_key(*key), *ok, "{key}"));
        db.close().unwrap();
    });
}

/// Tasks wait for room without a thread; a flush that ends wakes them.
#[test]
fn tasks_that_wait_for_room_are_woken() {
    explore(|| {
        let world = World::new();
        let db = world.open(1);
        let write = |db: Db, keys: [&'static str; 3]| {
            for key in keys {
                future::block_on(poll_fn(|context| db.poll_room(10, context))).unwrap();
                let mut batch = WriteBatch::new();
                batch.put(key, "1");
                drop(db.commit_now(&batch, Durability::Os).unwrap());
            }
        };
        let task = spawn(&db, move |db| write(db, ["a", "b", "c"]));
        write(db.clone(), ["d", "e", "f"]);
        task.join().unwrap();
        assert_eq!(all(&db).len(), 6);
        db.close().unwrap();
    });
}
