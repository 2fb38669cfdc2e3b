//! Transactions that meet: between reading and committing, and between looking without the lock and looking under it.

use crate::explore::explore;
use crate::world::{World, all, get, spawn};
use siltstone::{Db, Durability, Error, Transaction, WriteBatch};

/// Each counts the other as well, and takes itself off duty; one of them has to stay.
#[test]
fn of_two_that_each_read_what_the_other_writes_one_conflicts() {
    explore(|| {
        let world = World::new();
        let db = world.open(3);
        let mut batch = WriteBatch::new();
        batch.put("on:1", "");
        batch.put("on:2", "");
        db.write_with(batch, Durability::Os).unwrap();
        let leave = |db: Db, me: &str, read: fn(&Transaction) -> usize| {
            let mut tx = db.transaction();
            if read(&tx) == 2 {
                tx.delete(me).unwrap();
            }
            tx.commit_with(Durability::Os)
        };
        let gets =
            |tx: &Transaction| ["on:1", "on:2"].iter().filter(|key| tx.get(key).unwrap().is_some()).count();
        let other = spawn(&db, move |db| leave(db, "on:2", |tx| tx.prefix("on:").count()));
        let mine = leave(db.clone(), "on:1", gets);
        for ended in [mine, other.join().unwrap()] {
            assert!(matches!(ended, Ok(()) | Err(Error::Conflict { .. })), "{ended:?}");
        }
        assert_eq!(all(&db).len(), 1, "one of them left, and one stayed");
        assert_eq!(db.stats().snapshots, 0);
        db.close().unwrap();
    });
}

/// A key that comes into a range after it was walked, while buffers are flushed.
#[test]
fn a_number_that_was_free_is_given_once() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        let take = |db: Db, who: &'static str| {
            let mut tx = db.transaction();
            let next = tx.prefix("n").count();
            tx.put(format!("n{next}"), who).unwrap();
            tx.commit_with(Durability::Os)
        };
        let other = spawn(&db, move |db| take(db, "other"));
        let mine = take(db.clone(), "me");
        let won = [mine, other.join().unwrap()].iter().filter(|ended| ended.is_ok()).count();
        assert!(won >= 1);
        assert_eq!(all(&db).len(), won, "each that was told so has a number of its own");
        db.close().unwrap();
    });
}

#[test]
fn increments_are_all_there() {
    explore(|| {
        let world = World::new();
        let db = world.open(2);
        let count = |db: Db| {
            for _ in 0..2 {
                db.transact(|tx| {
                    let count = tx.get("n")?.map_or(0, |value| value.len());
                    tx.put("n", "x".repeat(count + 1))?;
                    Ok::<_, Error>(())
                })
                .unwrap();
            }
        };
        let other = spawn(&db, count);
        count(db.clone());
        other.join().unwrap();
        assert_eq!(get(&db, "n").unwrap(), "xxxx");
        db.close().unwrap();
    });
}

/// What a condition asks for is looked up in tables before the lock is taken; a flush comes in between.
#[test]
fn a_condition_is_judged_at_its_place() {
    explore(|| {
        let world = World::new();
        let db = world.open(1);
        db.write_with(one("k", "0"), Durability::Os).unwrap();
        let set = |db: Db, value: &'static str| {
            let mut batch = one("k", value);
            batch.require_value("k", "0");
            db.write_with(batch, Durability::Os).is_ok()
        };
        let other = spawn(&db, move |db| {
            db.write_with(one("filler", ""), Durability::Os).unwrap();
            set(db, "other")
        });
        let mine = set(db.clone(), "mine");
        let theirs = other.join().unwrap();
        assert!(mine != theirs, "one of them, and not both");
        assert_eq!(get(&db, "k").unwrap(), if mine { "mine" } else { "other" });
        db.close().unwrap();
    });
}

fn one(key: &str, value: &str) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(key, value);
    batch
}
