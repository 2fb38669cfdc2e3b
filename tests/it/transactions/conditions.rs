//! Batches that require something: they are written whole where it holds, and not at all where it does not.

use super::{SECOND, new, open, shown, stranger, text};
use siltstone::error::Required;
use siltstone::vfs::mem::{MemVfs, SimClock};
use siltstone::{Db, Durability, Error, Options, WriteBatch};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What makes the state of a key known in another place.
const PLACES: [fn(&Db); 3] = [|_| {}, |db| db.flush().unwrap(), |db| db.compact_range::<&str>(..).unwrap()];

type Require = fn(&mut WriteBatch);

#[track_caller]
fn check(prepare: impl Fn(&Db), require: Require, expected: Option<(&str, Required)>) {
    for place in PLACES {
        let (db, clock) = new();
        prepare(&db);
        place(&db);
        clock.advance(2 * SECOND);
        let before = shown(db.iter());
        for now in [false, true] {
            let mut batch = WriteBatch::new();
            batch.put("written", "");
            require(&mut batch);
            batch.delete("k");
            let written = match now {
                true => db.commit_now(&batch, Durability::Os).map(drop),
                false => db.write(batch),
            };
            match (written, expected) {
                (Ok(()), None) => {
                    assert_eq!(shown(db.prefix("written")), "written=");
                    db.delete("written").unwrap();
                    prepare(&db);
                    clock.advance(2 * SECOND);
                }
                (Err(Error::ConditionFailed { key, required, keyspace }), Some(expected)) => {
                    assert_eq!(
                        (text(&key).as_str(), required, keyspace.as_str()),
                        (expected.0, expected.1, "")
                    );
                    assert_eq!(shown(db.iter()), before, "nothing was written");
                }
                (other, _) => panic!("{other:?}, {expected:?} expected"),
            }
        }
    }
}

#[test]
fn each_condition_holds_or_fails_wherever_the_key_is() {
    let nothing = |_: &Db| {};
    let there = |db: &Db| db.put("k", "v").unwrap();
    let gone = |db: &Db| {
        db.put("k", "v").unwrap();
        db.flush().unwrap();
        db.delete("k").unwrap();
    };
    let expired = |db: &Db| db.put_with_ttl("k", "v", SECOND).unwrap();
    let lasting = |db: &Db| db.put_with_ttl("k", "v", 100 * SECOND).unwrap();
    let absent: Require = |batch| batch.require_absent("k");
    let present: Require = |batch| batch.require_present("k");
    let value: Require = |batch| batch.require_value("k", "v");
    let other: Require = |batch| batch.require_value("k", "");
    for state in [&nothing as &dyn Fn(&Db), &gone, &expired] {
        check(state, absent, None);
        check(state, present, Some(("k", Required::Present)));
        check(state, value, Some(("k", Required::Value)));
        check(state, other, Some(("k", Required::Value)));
    }
    for state in [&there as &dyn Fn(&Db), &lasting] {
        check(state, absent, Some(("k", Required::Absent)));
        check(state, present, None);
        check(state, value, None);
        check(state, other, Some(("k", Required::Value)));
    }
    let several: Require = |batch| {
        batch.require_value("k", "v");
        batch.require_absent("l");
        batch.require_present("m");
    };
    check(there, several, Some(("m", Required::Present)));
}

#[test]
fn a_batch_of_conditions_alone_tells_whether_they_hold() {
    let (db, _) = new();
    let mut batch = WriteBatch::new();
    batch.require_absent("k");
    let written = db.stats().last_sequence;
    db.write(batch.clone()).unwrap();
    db.commit_now(&batch, Durability::Os).unwrap().wait().unwrap();
    assert_eq!(db.stats().last_sequence, written);
    db.put("k", "v").unwrap();
    assert!(matches!(db.write(batch.clone()), Err(Error::ConditionFailed { .. })));
    assert!(matches!(db.commit_now(&batch, Durability::Os), Err(Error::ConditionFailed { .. })));
    db.close().unwrap();
    assert!(matches!(db.write(batch), Err(Error::Closed)));
}

#[test]
fn conditions_concern_keyspaces_and_not_the_batch_itself() {
    let (db, _) = new();
    let (a, b) = (db.keyspace("a").unwrap(), db.keyspace("b").unwrap());
    a.put("k", "1").unwrap();
    let mut batch = WriteBatch::new();
    batch.within(&a).put("k", "2");
    batch.within(&a).require_value("k", "1");
    batch.within(&b).require_absent("k");
    batch.within(&b).put("k", "2");
    batch.require_absent("k");
    db.write(batch.clone()).unwrap();
    let refused = db.write(batch).unwrap_err();
    assert!(refused.to_string().contains("keyspace \"a\""), "{refused}");
    assert_eq!([shown(a.iter()), shown(b.iter())], ["k=2", "k=2"]);
    let stranger = stranger().keyspace("a").unwrap();
    let mut batch = WriteBatch::new();
    batch.within(&stranger).require_absent("k");
    batch.put("x", "");
    assert!(matches!(db.write(batch), Err(Error::InvalidArgument { .. })));
    assert_eq!(db.get("x").unwrap(), None);
}

#[test]
fn the_thin_forms_say_whether_they_wrote() {
    let (db, _) = new();
    let a = db.keyspace("a").unwrap();
    assert!(a.put_if_absent("k", "1").unwrap() && !a.put_if_absent("k", "2").unwrap());
    assert!(!a.compare_and_set("k", "2", "3").unwrap() && a.compare_and_set("k", "1", "3").unwrap());
    assert_eq!((shown(a.iter()), shown(db.iter())), ("k=3".into(), String::new()));
    assert!(matches!(db.put_if_absent(vec![0; 70_000], ""), Err(Error::InvalidArgument { .. })));
}

/// What was required is no part of the log: a database that is opened again after a kill does not judge it again.
#[test]
fn what_held_is_not_judged_again_by_recovery() {
    let (vfs, clock) = (MemVfs::new(), Arc::new(SimClock::new(1)));
    let db = open(&vfs, &clock);
    assert!(db.put_if_absent("k", "1").unwrap());
    assert!(db.compare_and_set("k", "1", "2").unwrap());
    let image = vfs.crash_image(siltstone::vfs::mem::CrashPolicy::Strict, 1);
    assert_eq!(shown(open(&image, &clock).iter()), "k=2");
}

/// Threads race for keys and count by comparing: each key is won once, and no step of the counter is lost.
#[test]
fn threads_that_race_win_once_each() {
    let options = Options::default().memtable_bytes(2 << 10).durability(Durability::Os);
    let db = options.vfs(Arc::new(MemVfs::new())).open("/db").unwrap();
    db.put("count", "0").unwrap();
    let (threads, keys, won) = (4, 500, AtomicU64::new(0));
    let work = |who: usize| {
        for n in 0..keys {
            won.fetch_add(
                u64::from(db.put_if_absent(format!("k{n}"), who.to_string()).unwrap()),
                Ordering::Relaxed,
            );
            loop {
                let count = text(&db.get("count").unwrap().unwrap());
                let next = (count.parse::<u64>().unwrap() + 1).to_string();
                if db.compare_and_set("count", count, next).unwrap() {
                    break;
                }
            }
        }
    };
    thread::scope(|scope| (0..threads).for_each(|who| drop(scope.spawn(move || work(who)))));
    assert_eq!(won.into_inner(), keys as u64);
    assert_eq!(db.prefix("k").count(), keys);
    assert_eq!(text(&db.get("count").unwrap().unwrap()), (threads * keys).to_string());
}

/// What a deletion of a range hides does not count, wherever the two lie.
#[test]
fn conditions_know_what_a_range_deletion_hides() {
    for flushes in 0..4 {
        let (db, _) = new();
        let maybe_flush = |bit: u32| {
            if flushes & bit != 0 {
                db.flush().unwrap()
            }
        };
        db.put("k", "old").unwrap();
        db.put("other", "1").unwrap();
        maybe_flush(1);
        db.delete_range("a".."m").unwrap();
        maybe_flush(2);
        assert!(!db.compare_and_set("k", "old", "new").unwrap(), "flushes {flushes}");
        assert!(db.compare_and_set("other", "1", "2").unwrap(), "flushes {flushes}");
        assert!(db.put_if_absent("k", "again").unwrap(), "flushes {flushes}");
        assert!(!db.put_if_absent("k", "and again").unwrap(), "flushes {flushes}");
        assert_eq!(db.get("k").unwrap().unwrap(), "again");
    }
}
