//! Keyspaces: keys of one do not show in another, batches over several are whole, and names last.

use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::{Background, Db, Error, Keyspace, Options, WriteBatch};
use std::sync::Arc;

fn options(vfs: &MemVfs) -> Options {
    Options::default()
        .vfs(Arc::new(vfs.clone()))
        .clock(Arc::new(SimClock::new(1)))
        .background(Background::Stepped)
        .memtable_bytes(16 << 10)
        .table_bytes(2 << 10)
        .block_bytes(300)
}

fn keys(keyspace: &Keyspace) -> Vec<String> {
    keyspace.iter().map(|pair| String::from_utf8(pair.unwrap().0.to_vec()).unwrap()).collect()
}

#[test]
fn keys_of_one_do_not_show_in_another() {
    let vfs = MemVfs::new();
    let db = options(&vfs).open("/db").unwrap();
    // Enough for ids of one byte and of two.
    let all: Vec<Keyspace> = (0..200).map(|n| db.keyspace(&format!("space {n}")).unwrap()).collect();
    let check = |db: &Db, all: &[Keyspace]| {
        assert_eq!(keys(db), ["own"]);
        for (n, keyspace) in all.iter().enumerate() {
            assert_eq!(keys(keyspace), ["", "a", "z"], "{keyspace:?}");
            assert_eq!(keyspace.iter().rev().count(), 3);
            assert_eq!(keyspace.get("a").unwrap().unwrap(), n.to_string());
            assert_eq!(keyspace.get("own").unwrap(), None);
            assert_eq!(keyspace.prefix("z").count(), 1);
            assert_eq!(keyspace.range("a".."z").count(), 1);
        }
    };
    db.put("own", "").unwrap();
    for (n, keyspace) in all.iter().enumerate() {
        for key in ["", "a", "z", "gone"] {
            keyspace.put(key, n.to_string()).unwrap();
        }
        keyspace.delete("gone").unwrap();
    }
    check(&db, &all);
    all[3].compact_range("a".."z").unwrap();
    db.flush().unwrap();
    check(&db, &all);
    db.compact_range::<&str>(..).unwrap();
    check(&db, &all);
    db.close().unwrap();
    assert!(
        matches!(all[0].get("a"), Err(Error::Closed)) && matches!(db.keyspace("new"), Err(Error::Closed))
    );
    drop(all);

    let db = options(&vfs).open("/db").unwrap();
    assert_eq!(db.keyspaces().unwrap().len(), 200);
    let all: Vec<Keyspace> = (0..200).map(|n| db.keyspace(&format!("space {n}")).unwrap()).collect();
    assert_eq!(db.keyspaces().unwrap().len(), 200, "opening one that is there makes none");
    check(&db, &all);
}

#[test]
fn a_batch_over_several_is_whole_after_any_power_cut() {
    let vfs = MemVfs::new();
    let db = options(&vfs).open("/db").unwrap();
    let (a, b) = (db.keyspace("a").unwrap(), db.keyspace("b").unwrap());
    for n in 0..40u8 {
        let mut batch = WriteBatch::new();
        batch.put("n", [n]);
        batch.within(&a).put("n", [n]);
        batch.within(&b).delete([n.wrapping_sub(1)]);
        batch.within(&b).put([n], [n]);
        db.write(batch).unwrap();
        if n % 8 == 7 {
            db.flush().unwrap();
        }
        let image =
            vfs.crash_image(CrashPolicy::EVERY[usize::from(n) % CrashPolicy::EVERY.len()], u64::from(n));
        let db = options(&image).open("/db").unwrap();
        let (a, b) = (db.keyspace("a").unwrap(), db.keyspace("b").unwrap());
        assert_eq!(db.get("n").unwrap().unwrap(), [n]);
        assert_eq!(a.get("n").unwrap().unwrap(), [n]);
        let found: Vec<_> = b.iter().map(|pair| pair.unwrap().0).collect();
        assert_eq!(found, [[n]]);
    }
}

#[test]
fn a_snapshot_shows_the_same_moment_of_all() {
    let db = options(&MemVfs::new()).open("/db").unwrap();
    let (a, b) = (db.keyspace("a").unwrap(), db.keyspace("b").unwrap());
    a.put("k", "before").unwrap();
    b.put("k", "before").unwrap();
    let snapshot = a.snapshot();
    a.put("k", "after").unwrap();
    b.delete("k").unwrap();
    let later = db.keyspace("later").unwrap();
    later.put("k", "after").unwrap();
    db.compact_range::<&str>(..).unwrap();
    let of_b = snapshot.within(&b).unwrap();
    drop(b);
    assert_eq!(snapshot.get("k").unwrap().unwrap(), "before");
    assert_eq!(of_b.get("k").unwrap().unwrap(), "before");
    assert_eq!(snapshot.within(&later).unwrap().iter().count(), 0);
    assert_eq!(db.stats().snapshots, 2);
    // Another seed, so that it gets another id.
    let other = options(&MemVfs::new()).clock(Arc::new(SimClock::new(2))).open("/db").unwrap();
    assert!(matches!(snapshot.within(&other.keyspace("a").unwrap()), Err(Error::InvalidArgument { .. })));
}

#[test]
fn wrong_names_and_strange_keyspaces_are_refused() {
    let vfs = MemVfs::new();
    let db = options(&vfs).open("/db").unwrap();
    let long = "x".repeat(256);
    for name in ["", &long] {
        let error = db.keyspace(name).unwrap_err().to_string();
        assert!(error.contains(&format!("{} bytes", name.len())) && error.contains("255"), "{error}");
    }
    assert!(db.keyspaces().unwrap().is_empty());
    assert_eq!(db.keyspace(&long[..255]).unwrap().name().len(), 255);

    let other = options(&MemVfs::new()).clock(Arc::new(SimClock::new(2))).open("/db").unwrap();
    let strange = other.keyspace("a").unwrap();
    let mut batch = WriteBatch::new();
    batch.put("k", "v");
    batch.within(&strange).put("k", "v");
    assert!(matches!(db.write(batch.clone()), Err(Error::InvalidArgument { .. })));
    assert_eq!(db.get("k").unwrap(), None, "nothing of it was done");
    other.write(batch).unwrap();
    assert_eq!(strange.get("k").unwrap().unwrap(), "v");
}
