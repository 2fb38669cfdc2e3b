//! Keyspaces: keys of one do not show in another, batches over several are whole, and names last.

use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::{Background, Db, Error, Keyspace, Options, WriteBatch};
use std::sync::Arc;

pub fn options(vfs: &MemVfs) -> Options {
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

fn fill(keyspace: &Keyspace, count: usize) {
    let mut batch = WriteBatch::new();
    for n in 0..count {
        batch.within(keyspace).put(format!("{n:05}"), [b'v'; 40]);
    }
    keyspace.db().write(batch).unwrap();
}

fn is_dropped<T>(outcome: siltstone::Result<T>) -> bool {
    matches!(outcome, Err(Error::KeyspaceDropped { .. }))
}

#[test]
fn a_dropped_one_is_gone_and_its_space_comes_back() {
    let vfs = MemVfs::new();
    let db = options(&vfs).open("/db").unwrap();
    let all: Vec<Keyspace> = (0..4).map(|n| db.keyspace(&format!("space {n}")).unwrap()).collect();
    for keyspace in &all {
        fill(keyspace, 1000);
        keyspace.compact_range::<&str>(..).unwrap();
    }
    fill(&all[1], 10);
    fill(&all[2], 10);
    db.flush().unwrap();
    let (before, snapshot) = (db.stats().table_bytes, all[1].snapshot());
    let mut walk = all[1].iter();
    assert_eq!(walk.by_ref().take(100).count(), 100);

    db.drop_keyspace("space 1").unwrap();
    assert!(db.stats().table_bytes * 10 < before * 8, "its files go at once");
    assert!(is_dropped(all[1].get("00001")) && is_dropped(all[1].put("a", "")) && is_dropped(all[1].clear()));
    assert!(is_dropped(all[1].iter().next().unwrap()) && is_dropped(all[1].compact_range::<&str>(..)));
    assert!(is_dropped(snapshot.get("00001")) && is_dropped(snapshot.iter().next_back().unwrap()));
    assert!(is_dropped(db.snapshot().within(&all[1])) && is_dropped(all[1].snapshot().get("00001")));
    let mut batch = WriteBatch::new();
    batch.within(&all[1]).put("a", "");
    batch.put("not there either", "");
    assert!(is_dropped(db.write(batch)) && db.get("not there either").unwrap().is_none());
    assert!(matches!(db.drop_keyspace("space 1"), Err(Error::InvalidArgument { .. })));
    assert_eq!(walk.count(), 900, "what was there when it was made");
    drop(snapshot);

    let new = db.keyspace("space 1").unwrap();
    assert!(keys(&new).is_empty());
    new.put("new", "").unwrap();
    db.drop_keyspace("space 3").unwrap();
    for _ in 0..2 {
        assert_eq!((keys(&new), keys(&all[2]).len()), (vec!["new".to_string()], 1000));
        assert_eq!(db.keyspaces().unwrap(), ["space 0", "space 1", "space 2"]);
        db.compact_range::<&str>(..).unwrap();
        all[2].compact_range::<&str>(..).unwrap();
        new.compact_range::<&str>(..).unwrap();
    }
    assert_eq!(db.stats().entries, 2001, "nothing of those that were dropped is left");
    assert!(db.verify().unwrap().is_sound());
}

#[test]
fn a_drop_keeps_what_was_written_before_it() {
    let vfs = MemVfs::new();
    let db = options(&vfs).durability(siltstone::Durability::Os).open("/db").unwrap();
    let (kept, dropped) = (db.keyspace("kept").unwrap(), db.keyspace("dropped").unwrap());
    fill(&kept, 20);
    fill(&dropped, 20);
    db.drop_keyspace("dropped").unwrap();
    kept.put("after", "").unwrap();
    for policy in CrashPolicy::EVERY {
        let cut = options(&vfs.crash_image(policy, 3)).open("/db").unwrap();
        assert_eq!(cut.keyspaces().unwrap(), ["kept"], "{policy:?}");
        assert!(keys(&cut.keyspace("kept").unwrap()).len() >= 20, "{policy:?}");
        // What the log has of it comes neither back under its name nor into tables.
        assert!(keys(&cut.keyspace("dropped").unwrap()).is_empty(), "{policy:?}");
        cut.flush().unwrap();
        assert!(cut.stats().entries <= 21, "{policy:?}: {}", cut.stats());
        cut.close().unwrap();
    }
}
