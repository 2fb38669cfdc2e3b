//! Deletions of ranges: what lies in them is gone, whatever the bounds and wherever it lies; snapshots keep it; its space comes
//! back. And queues, which delete key by key.

use crate::support::Random;
use siltstone::vfs::mem::{CrashPolicy, MemVfs};
use siltstone::{Compression, Db, Keyspace, Options, WriteBatch};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::{Duration, Instant};

fn options(vfs: &MemVfs) -> Options {
    crate::keyspaces::options(vfs).compression(Compression::None)
}

fn open(vfs: &MemVfs) -> Db {
    options(vfs).open("/db").unwrap()
}

fn keys(keyspace: &Keyspace) -> Vec<String> {
    let text = |pair: siltstone::Result<(siltstone::Slice, _)>| String::from_utf8(pair.unwrap().0.to_vec());
    let forwards: Vec<String> = keyspace.iter().map(|pair| text(pair).unwrap()).collect();
    let mut backwards: Vec<String> = keyspace.iter().rev().map(|pair| text(pair).unwrap()).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    assert!(forwards.iter().all(|key| keyspace.get(key).unwrap().is_some()));
    forwards
}

fn fill(keyspace: &Keyspace, count: usize) {
    for n in 0..count {
        keyspace.put(format!("{n:05}"), [b'v'; 50]).unwrap();
    }
}

#[test]
fn any_bounds_do() {
    let long = |byte: u8| vec![byte; 70_000];
    let b = |key: &str| key.as_bytes().to_vec();
    use Bound::{Excluded, Included, Unbounded};
    let cases: &[(Bound<Vec<u8>>, _, &str)] = &[
        (Included(b("b")), Excluded(b("d")), "a d e"),
        (Included(b("b")), Included(b("d")), "a e"),
        (Excluded(b("b")), Excluded(b("d")), "a b d e"),
        (Excluded(b("b")), Included(b("d")), "a b e"),
        (Unbounded, Excluded(b("c")), "c d e"),
        (Excluded(b("c")), Unbounded, "a b c"),
        (Unbounded, Unbounded, ""),
        (Included(b("d")), Excluded(b("b")), "a b c d e"),
        (Included(b("c")), Excluded(b("c")), "a b c d e"),
        (Included(b("c")), Included(b("c")), "a b d e"),
        (Included(long(b'b')), Excluded(long(b'd')), "a b e"),
        (Included(long(0xff)), Unbounded, "a b c d e"),
    ];
    for (lower, upper, left) in cases {
        let vfs = MemVfs::new();
        let db = open(&vfs);
        for flushed in [false, true] {
            for key in ["a", "b", "c", "d", "e"] {
                db.put(key, "").unwrap();
            }
            if flushed {
                db.flush().unwrap();
            }
            db.delete_range::<Vec<u8>>((lower.clone(), upper.clone())).unwrap();
            assert_eq!(keys(&db), left.split_whitespace().collect::<Vec<_>>(), "{flushed}");
            db.flush().unwrap();
            assert_eq!(keys(&db), left.split_whitespace().collect::<Vec<_>>(), "{flushed}");
        }
        drop(db);
        let after = vfs.crash_image(CrashPolicy::Strict, 1);
        assert_eq!(keys(&open(&after)), left.split_whitespace().collect::<Vec<_>>());
    }
}

#[test]
fn in_a_batch_what_comes_after_it_stays() {
    let vfs = MemVfs::new();
    let db = open(&vfs);
    let other = db.keyspace("other").unwrap();
    fill(&db, 10);
    fill(&other, 10);
    let mut batch = WriteBatch::new();
    batch.put("00003a", "before");
    batch.delete_range("00002".."00008");
    batch.put("00005", "after");
    batch.within(&other).delete_range("00005"..);
    db.write(batch).unwrap();
    for _ in 0..2 {
        assert_eq!(keys(&db), ["00000", "00001", "00005", "00008", "00009"]);
        assert_eq!(db.get("00005").unwrap().unwrap(), b"after");
        assert_eq!(keys(&other).len(), 5);
        db.flush().unwrap();
    }
}

#[test]
fn a_keyspace_is_cleared_and_its_neighbours_are_not() {
    let vfs = MemVfs::new();
    let db = open(&vfs);
    let all: Vec<Keyspace> = (1..=130).map(|n| db.keyspace(&n.to_string()).unwrap()).collect();
    for keyspace in &all {
        keyspace.put("", "first").unwrap();
        keyspace.put([0xff; 20], "last").unwrap();
    }
    // Ids of one byte and of two.
    for cleared in [0, 126, 127, 129] {
        all[cleared].clear().unwrap();
        all[cleared].put("new", "").unwrap();
    }
    for _ in 0..2 {
        for (at, keyspace) in all.iter().enumerate() {
            let expected = if [0, 126, 127, 129].contains(&at) { 1 } else { 2 };
            assert_eq!(keyspace.iter().count(), expected, "{keyspace:?}");
        }
        db.compact_range::<&str>(..).unwrap();
        all.iter().for_each(|keyspace| keyspace.compact_range::<&str>(..).unwrap());
    }
}

#[test]
fn snapshots_keep_what_they_saw() {
    let vfs = MemVfs::new();
    let db = open(&vfs);
    fill(&db, 300);
    db.flush().unwrap();
    let before = db.snapshot();
    let mut open_range = db.range("00090"..);
    db.delete_range("00100".."00200").unwrap();
    let between = db.snapshot();
    db.put("00150", "again").unwrap();
    db.delete_range("00140".."00160").unwrap();
    db.put("00155", "at last").unwrap();
    let check = || {
        assert_eq!(before.iter().count(), 300);
        assert_eq!(before.range("00150"..).rev().count(), 150);
        assert_eq!((between.iter().count(), between.get("00150").unwrap()), (200, None));
        assert_eq!((db.iter().count(), db.get("00150").unwrap()), (201, None));
        assert_eq!(db.get("00155").unwrap().unwrap(), b"at last");
    };
    check();
    db.flush().unwrap();
    check();
    db.compact_range::<&str>(..).unwrap();
    check();
    assert!(db.stats().range_tombstones > 0, "the snapshot of before sees what is deleted");
    assert_eq!(open_range.by_ref().take(200).count(), 200);
    drop((before, between));
    db.compact_range::<&str>(..).unwrap();
    assert_eq!((db.iter().count(), open_range.count()), (201, 10));
    assert_eq!(db.stats().range_tombstones, 0);
    assert_eq!(db.stats().entries, 201);
}

#[test]
fn tables_that_lie_in_a_range_go_unread() {
    let vfs = MemVfs::new();
    // Small buffers, so that there are many tables.
    let db = options(&vfs).memtable_bytes(8 << 10).open("/db").unwrap();
    fill(&db, 2000);
    db.compact_range::<&str>(..).unwrap();
    let before = db.stats();
    assert!(before.levels.iter().map(|level| level.tables).sum::<usize>() > 20);
    db.delete_range("00500".."01500").unwrap();
    assert_eq!(db.iter().count(), 1000);
    db.flush().unwrap();
    // One step of work is enough to drop them, and this range holds nothing else.
    db.compact_range("00800".."00900").unwrap();
    let after = db.stats();
    assert_eq!(after.compaction_read_bytes, before.compaction_read_bytes, "{after}");
    assert!(
        after.table_bytes * 10 < before.table_bytes * 7,
        "{} of {}",
        after.table_bytes,
        before.table_bytes
    );
    assert_eq!((db.iter().count(), after.range_tombstones), (1000, 1));
    // The tables at its ends hold something of it still.
    db.compact_range::<&str>(..).unwrap();
    assert_eq!((db.stats().range_tombstones, db.stats().entries), (0, 1000));
}

#[test]
fn many_deletions_leave_few_behind() {
    let vfs = MemVfs::new();
    let db = open(&vfs);
    fill(&db, 1000);
    db.flush().unwrap();
    // A range that grows: each deletion takes the place of the one before.
    for n in 0..900 {
        db.delete_range(..format!("{n:05}")).unwrap();
    }
    db.flush().unwrap();
    assert!(db.stats().range_tombstones <= 2, "{}", db.stats());
    assert_eq!(db.iter().count(), 101);
    db.clear().unwrap();
    db.flush().unwrap();
    db.compact_range::<&str>(..).unwrap();
    assert_eq!((db.stats().range_tombstones, db.stats().entries, db.iter().count()), (0, 0, 0));
}

#[test]
fn a_deletion_outlives_closing_and_power_cuts() {
    let vfs = MemVfs::new();
    let db = open(&vfs);
    fill(&db, 500);
    db.compact_range::<&str>(..).unwrap();
    let kept = db.snapshot();
    db.delete_range("00100".."00400").unwrap();
    db.flush().unwrap();
    db.delete_range("00050".."00060").unwrap();
    let cut = vfs.crash_image(CrashPolicy::Strict, 7);
    drop(kept);
    db.close().unwrap();
    drop(db);
    for vfs in [vfs, cut] {
        let db = open(&vfs);
        assert_eq!(keys(&db).len(), 190);
        assert!(db.verify().unwrap().is_sound());
        db.compact_range::<&str>(..).unwrap();
        assert_eq!((db.stats().range_tombstones, db.stats().entries), (0, 190));
        db.close().unwrap();
        drop(db);
        assert!(options(&vfs).verify("/db", &|_| {}).unwrap().is_sound());
    }
}

/// With nobody asking for it: neither for a flush nor for a compaction.
#[test]
fn space_comes_back_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default().table_bytes(64 << 10).memtable_bytes(1 << 20);
    let db = options.open(folder.path().join("db")).unwrap();
    // Twice, so that they are merged, into many tables.
    for _ in 0..2 {
        let mut batch = WriteBatch::new();
        for n in 0..20_000u32 {
            batch.put(n.to_be_bytes(), [n as u8; 100]);
        }
        db.write(batch).unwrap();
        db.compact_range::<&[u8]>(..).unwrap();
    }
    let before = db.stats().table_bytes;
    db.delete_range(..19_000u32.to_be_bytes()).unwrap();
    let begun = Instant::now();
    loop {
        let stats = db.stats();
        if stats.range_tombstones == 0 && stats.table_bytes * 10 < before {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{stats}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(db.iter().count(), 1000);
}

/// Appended at one end and deleted at the other, with a put in between now and then: whoever asks for the first key gets it, from
/// wherever he begins, and snapshots keep theirs.
#[test]
fn a_queue_finds_its_first_key() {
    for seed in 1..30 {
        let (vfs, mut random) = (MemVfs::new(), Random::new(seed));
        let db = options(&vfs).memtable_bytes(*random.pick(&[4 << 10, 1 << 20])).open("/db").unwrap();
        let mut queue = BTreeSet::new();
        let mut snapshot = (db.snapshot(), queue.clone());
        let mut next = 0u32;
        for _ in 0..3000 {
            match random.below(100) {
                0..45 => {
                    next += 1;
                    queue.insert(next);
                    db.put(next.to_be_bytes(), "").unwrap();
                }
                45..90 => {
                    let first = db.iter().next().map(|pair| pair.unwrap().0);
                    let expected = queue.pop_first();
                    assert_eq!(first.as_deref(), expected.map(u32::to_be_bytes).as_ref().map(|key| &key[..]));
                    first.into_iter().for_each(|key| db.delete(&key).unwrap());
                }
                90..92 => {
                    let key = random.below(next as usize + 1) as u32;
                    queue.insert(key);
                    db.put(key.to_be_bytes(), "").unwrap();
                }
                92..97 => {
                    let from = random.below(next as usize + 2) as u32;
                    let found = db.range(from.to_be_bytes()..).next().map(|pair| pair.unwrap().0);
                    let expected = queue.range(from..).next().map(|key| key.to_be_bytes());
                    assert_eq!(found.as_deref(), expected.as_ref().map(|key| &key[..]), "seed {seed}");
                }
                97 => {
                    let found: Vec<_> = snapshot.0.iter().map(|pair| pair.unwrap().0.to_vec()).collect();
                    let expected: Vec<_> =
                        snapshot.1.iter().map(|key: &u32| key.to_be_bytes().to_vec()).collect();
                    assert_eq!(found, expected, "seed {seed}");
                }
                98 => snapshot = (db.snapshot(), queue.clone()),
                _ => db.flush().unwrap(),
            }
        }
        assert_eq!(db.iter().count(), queue.len(), "seed {seed}");
        assert_eq!(db.iter().rev().count(), queue.len(), "seed {seed}");
    }
}
