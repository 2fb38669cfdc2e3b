//! The first things a user would try.

use siltstone::{Background, Db, Durability, Options, WriteBatch};

fn stepped() -> Options {
    Options::default().background(Background::Stepped).memtable_bytes(16 << 10).table_bytes(8 << 10)
}

#[test]
fn puts_are_found_again_after_a_clean_close_and_without_one() {
    for close in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let db = Db::open(&path).unwrap();
        db.put("a", "1").unwrap();
        db.put("b", "2").unwrap();
        db.delete("a").unwrap();
        if close {
            db.close().unwrap();
            assert!(matches!(db.put("c", "3"), Err(siltstone::Error::Closed)));
            assert!(matches!(db.get("b"), Err(siltstone::Error::Closed)));
        } else {
            drop(db);
        }
        let db = Db::open(&path).unwrap();
        assert!(db.get("a").unwrap().is_none());
        assert_eq!(db.get("b").unwrap().unwrap(), b"2");
    }
}

#[test]
fn ranges_agree_in_both_directions_across_buffers_and_tables() {
    let folder = tempfile::tempdir().unwrap();
    let db = stepped().durability(Durability::Os).open(folder.path().join("db")).unwrap();
    for round in 0..3u32 {
        for i in 0..2000u32 {
            db.put(format!("key{:05}", i * 7919 % 2000), format!("value {round} {i}")).unwrap();
        }
    }
    let forward: Vec<_> = db.iter().map(|pair| pair.unwrap()).collect();
    let mut backward: Vec<_> = db.iter().rev().map(|pair| pair.unwrap()).collect();
    backward.reverse();
    assert_eq!(forward.len(), 2000);
    assert_eq!(forward, backward);
    assert!(forward.windows(2).all(|w| w[0].0 < w[1].0));
    for (key, value) in &forward {
        assert_eq!(db.get(key).unwrap().unwrap(), *value);
    }
    assert!(db.stats().flushes > 0);
}

#[test]
fn a_batch_is_one_step_and_a_snapshot_does_not_move() {
    let folder = tempfile::tempdir().unwrap();
    let db = stepped().open(folder.path().join("db")).unwrap();
    db.put("k", "0").unwrap();
    let before = db.snapshot();
    let mut batch = WriteBatch::new();
    batch.put("k", "1");
    batch.put("l", "1");
    db.write(batch).unwrap();
    db.flush().unwrap();
    db.compact_range::<&str>(..).unwrap();
    assert_eq!(before.get("k").unwrap().unwrap(), b"0");
    assert!(before.get("l").unwrap().is_none());
    assert_eq!(before.iter().count(), 1);
    assert_eq!(db.range("k"..="l").count(), 2);
    assert!(db.verify().unwrap().is_sound());
}

#[test]
fn a_second_open_is_refused_while_the_first_lives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let db = Db::open(&path).unwrap();
    assert!(matches!(Db::open(&path), Err(siltstone::Error::Locked { .. })));
    drop(db);
    Db::open(&path).unwrap();
}
