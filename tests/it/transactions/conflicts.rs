//! What may happen to something that a transaction has read, in every weather, and whether it conflicts.

use super::{SECOND, new, shown, text};
use siltstone::{Db, Error, Transaction};
use std::time::Duration;

/// What happens between the change and the commit.
const WEATHERS: [fn(&Db); 5] = [
    |_| {},
    |db| db.flush().unwrap(),
    |db| db.compact_range::<&str>(..).unwrap(),
    // The change is superseded by other writes, in the buffer and in tables.
    |db| {
        db.put("z", "1").unwrap();
        db.flush().unwrap();
        db.put("z", "2").unwrap();
        db.compact_range::<&str>(..).unwrap();
    },
    |db| {
        db.flush().unwrap();
        for n in 0..500 {
            db.put(format!("y{n:03}"), "filler").unwrap();
        }
        db.compact_range::<&str>(..).unwrap();
    },
];

/// `read` is done by a transaction over a=1 c=3 e=5, then `change` by others; whether the commit conflicts, and about which key.
#[track_caller]
fn check(read: impl Fn(&Transaction), change: impl Fn(&Db), expected: Option<&str>) {
    for (n, weather) in WEATHERS.iter().enumerate() {
        for base in [|_: &Db| {}, |db: &Db| db.compact_range::<&str>(..).unwrap()] {
            let (db, clock) = new();
            for (key, value) in [("a", "1"), ("c", "3"), ("e", "5")] {
                db.put(key, value).unwrap();
            }
            db.put_with_ttl("t", "7", SECOND).unwrap();
            base(&db);
            let mut tx = db.transaction();
            read(&tx);
            tx.put("own", "written").unwrap();
            change(&db);
            weather(&db);
            clock.advance(2 * SECOND);
            weather(&db);
            let before = shown(db.iter());
            match (tx.commit(), expected) {
                (Ok(()), None) => assert_eq!(text(&db.get("own").unwrap().unwrap()), "written"),
                (Err(Error::Conflict { key, keyspace, .. }), Some(expected)) => {
                    assert_eq!((text(&key).as_str(), keyspace.as_str()), (expected, ""), "weather {n}");
                    assert_eq!(shown(db.iter()), before, "nothing was written");
                }
                (other, _) => panic!("weather {n}: {other:?}, {expected:?} expected"),
            }
        }
    }
}

fn get(key: &str) -> impl Fn(&Transaction) + '_ {
    move |tx| drop(tx.get(key).unwrap())
}

fn put(key: &str) -> impl Fn(&Db) + '_ {
    move |db| db.put(key, "changed").unwrap()
}

fn delete(key: &str) -> impl Fn(&Db) + '_ {
    move |db| db.delete(key).unwrap()
}

#[test]
fn a_key_that_was_read_and_changed() {
    check(get("c"), put("c"), Some("c"));
    check(get("c"), delete("c"), Some("c"));
    check(get("c"), put("d"), None);
    check(get("c"), delete("d"), None);
    // Written is changed, also with the same value: whoever wrote it may have read what this transaction writes.
    check(get("c"), |db| db.put("c", "3").unwrap(), Some("c"));
    check(get("c"), |db| (0..20).for_each(|n| db.put("c", n.to_string()).unwrap()), Some("c"));
}

#[test]
fn a_key_that_was_read_as_absent_and_written() {
    check(get("d"), put("d"), Some("d"));
    check(get("d"), put("c"), None);
    // It is absent again, but somebody may have seen it.
    check(
        get("d"),
        |db| {
            db.put("d", "").unwrap();
            db.delete("d").unwrap();
        },
        Some("d"),
    );
    check(get("d"), delete("d"), Some("d"));
    check(
        get("d"),
        |db| {
            db.put("d", "").unwrap();
            db.flush().unwrap();
            db.delete("d").unwrap();
        },
        Some("d"),
    );
}

#[test]
fn what_expires_is_no_change_and_what_was_written_to_expire_is_one() {
    check(get("t"), |_| {}, None);
    check(|tx| assert_eq!(tx.range("a".."u").count(), 4), |_| {}, None);
    check(get("t"), |db| db.put("t", "for ever").unwrap(), Some("t"));
    check(get("d"), |db| db.put_with_ttl("d", "short", SECOND).unwrap(), Some("d"));
    check(get("d"), |db| db.put_with_ttl("d", "gone at once", Duration::ZERO).unwrap(), Some("d"));
    check(
        |tx| assert_eq!(tx.range("b".."d").count(), 1),
        |db| db.put_with_ttl("b", "short", SECOND).unwrap(),
        Some("b"),
    );
}

/// A table of which everything has expired goes without being read. One that was written after a transaction began stays
/// until that has ended: it is all there is to see of the write.
#[test]
fn a_table_that_expired_is_not_dropped_under_a_transaction() {
    let (db, clock) = new();
    let mut tx = db.transaction();
    assert_eq!(tx.get("d").unwrap(), None);
    tx.put("own", "").unwrap();
    db.put_with_ttl("d", "short", SECOND).unwrap();
    db.delete("never there").unwrap();
    db.flush().unwrap();
    clock.advance(100 * SECOND);
    for n in 0..5 {
        db.put(format!("w{n}"), "makes the engine look for work").unwrap();
        db.flush().unwrap();
    }
    assert!(matches!(tx.commit(), Err(Error::Conflict { key, .. }) if key == b"d"));
}

#[test]
fn a_range_that_was_walked_and_changed() {
    let all = |tx: &Transaction| assert!(tx.range("b".."f").count() == 2);
    check(all, put("c"), Some("c"));
    check(all, delete("e"), Some("e"));
    for phantom in ["b", "bb", "d", "ez"] {
        check(all, put(phantom), Some(phantom));
        check(all, delete(phantom), Some(phantom));
    }
    for outside in ["a", "az", "f", "g"] {
        check(all, put(outside), None);
    }
    check(|tx| assert_eq!(tx.prefix("d").count(), 0), put("dd"), Some("dd"));
    check(|tx| assert_eq!(tx.prefix("d").rev().count(), 0), put("e"), None);
}

#[test]
fn a_walk_counts_as_far_as_it_went() {
    let first = |tx: &Transaction| assert_eq!(text(&tx.range("b"..).next().unwrap().unwrap().0), "c");
    for (key, conflicts) in [("a", false), ("b", true), ("c", true), ("c\0", false), ("d", false)] {
        check(first, put(key), conflicts.then_some(key));
    }
    let last = |tx: &Transaction| assert_eq!(text(&tx.range(.."f").next_back().unwrap().unwrap().0), "e");
    for (key, conflicts) in [("f", false), ("ee", true), ("e", true), ("d", false)] {
        check(last, put(key), conflicts.then_some(key));
    }
    let both = |tx: &Transaction| {
        let mut walk = tx.range("a"..="e");
        assert_eq!(text(&walk.next().unwrap().unwrap().0), "a");
        assert_eq!(text(&walk.next_back().unwrap().unwrap().0), "e");
    };
    for (key, conflicts) in [("a", true), ("b", false), ("c", false), ("dz", false), ("e", true)] {
        check(both, put(key), conflicts.then_some(key));
    }
    check(|tx| drop(tx.iter()), put("c"), None);
}

#[test]
fn what_a_transaction_wrote_itself_was_not_read_from_others() {
    let (db, _) = new();
    let mut tx = db.transaction();
    tx.put("k", "mine").unwrap();
    assert_eq!(tx.get("k").unwrap().unwrap(), "mine");
    db.put("k", "theirs").unwrap();
    tx.commit().expect("it wrote without having looked");
    assert_eq!(db.get("k").unwrap().unwrap(), "mine");
}

#[test]
fn a_conflict_names_the_keyspace() {
    let (db, _) = new();
    let (a, b) = (db.keyspace("a").unwrap(), db.keyspace("b").unwrap());
    for (space, conflicts) in [(&a, true), (&b, false)] {
        let mut tx = db.transaction();
        assert_eq!(tx.within(&a).unwrap().get("k").unwrap(), None);
        assert_eq!(tx.within(&a).unwrap().range("m"..).count(), 0);
        tx.within(&b).unwrap().put("own", "").unwrap();
        space.put("k", "").unwrap();
        space.delete("k").unwrap();
        db.put("k", "of none").unwrap();
        match tx.commit() {
            Err(refused @ Error::Conflict { .. }) if conflicts => {
                let words = refused.to_string();
                assert!(words.contains("keyspace \"a\"") && words.contains("again"), "{words}");
            }
            done => assert!(done.is_ok() && !conflicts, "{done:?}"),
        }
    }
}

#[test]
fn of_two_that_each_read_what_the_other_writes_one_conflicts() {
    let (db, _) = new();
    db.put("doctor:1", "on call").unwrap();
    db.put("doctor:2", "on call").unwrap();
    for walks in [false, true] {
        let (mut one, mut other) = (db.transaction(), db.transaction());
        for (tx, mine, theirs) in [(&mut one, "doctor:1", "doctor:2"), (&mut other, "doctor:2", "doctor:1")] {
            match walks {
                true => assert_eq!(tx.prefix("doctor:").count(), 2),
                false => assert!(tx.get(theirs).unwrap().is_some()),
            }
            tx.put(mine, "off").unwrap();
        }
        one.commit().unwrap();
        assert!(matches!(other.commit(), Err(Error::Conflict { walked, .. }) if walked == walks));
        db.put("doctor:1", "on call").unwrap();
    }
}

#[test]
fn a_lost_update_conflicts_and_only_the_later_one() {
    let (db, _) = new();
    let begin = || {
        let mut tx = db.transaction();
        let count = tx.get("n").unwrap().map_or(0, |value| value.len());
        tx.put("n", "x".repeat(count + 1)).unwrap();
        tx
    };
    let (one, other) = (begin(), begin());
    other.commit().unwrap();
    assert!(matches!(one.commit(), Err(Error::Conflict { .. })));
    begin().commit().unwrap();
    assert_eq!(db.get("n").unwrap().unwrap(), "xx");
}

#[test]
fn the_deletion_of_a_range_is_a_write_of_all_that_was_in_it() {
    let walk = |tx: &Transaction| assert!(tx.iter().all(|pair| pair.is_ok()));
    check(get("c"), |db| db.delete_range("b".."d").unwrap(), Some("c"));
    check(get("c"), |db| db.clear().unwrap(), Some("c"));
    check(get("c"), |db| db.delete_range("d"..).unwrap(), None);
    check(get("c"), |db| db.delete_range("d".."b").unwrap(), None);
    check(walk, |db| db.delete_range("b".."d").unwrap(), Some("b"));
}
