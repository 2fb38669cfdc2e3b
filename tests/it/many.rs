//! Many keys at once: each answer is that of a get of its key, all are of one moment, and an error is one that a get would give.

use crate::support::Random;
use siltstone::vfs::Clock;
use siltstone::vfs::mem::{MemVfs, SimClock};
use siltstone::{Background, Compression, Db, Durability, Keyspace, Options, Slice, Snapshot, WriteBatch};
use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// So many different keys there are.
const KEYS: usize = 300;

/// Small tables and blocks, so that a few hundred keys lie in many of them.
fn options(vfs: &MemVfs) -> Options {
    Options::default()
        .vfs(Arc::new(vfs.clone()))
        .background(Background::Stepped)
        .memtable_bytes(16 << 10)
        .table_bytes(2 << 10)
        .block_bytes(300)
        .level_ratio(3)
}

/// Short and long ones, and some that begin like others.
fn key(n: usize) -> Vec<u8> {
    let len = if n.is_multiple_of(7) { 90 } else { 3 };
    format!("{n:03}").into_bytes().into_iter().cycle().take(len).collect()
}

fn same(what: &str, keyspace: &Keyspace, snapshots: &[Snapshot], random: &mut Random) {
    let keys: Vec<_> = (0..random.below(40)).map(|_| key(random.below(KEYS + 20))).collect();
    let get = |key: &Vec<u8>| keyspace.get(key).unwrap();
    assert_eq!(keyspace.multi_get(&keys).unwrap(), keys.iter().map(get).collect::<Vec<_>>(), "{what}");
    for snapshot in snapshots {
        let get = |key: &Vec<u8>| snapshot.get_within(keyspace, key).unwrap();
        let found = snapshot.multi_get_within(keyspace, &keys).unwrap();
        assert_eq!(found, keys.iter().map(get).collect::<Vec<_>>(), "{what}, in a snapshot");
        let values: Vec<Option<Slice>> = found.into_iter().map(|found| Some(found?.0)).collect();
        assert_eq!(snapshot.within(keyspace).unwrap().multi_get(&keys).unwrap(), values);
    }
}

fn change(db: &Db, keyspace: &Keyspace, clock: &SimClock, random: &mut Random) {
    let n = random.below(KEYS);
    match random.below(60) {
        0 => db.flush().unwrap(),
        1 => keyspace.compact_range::<&[u8]>(..).unwrap(),
        2 | 3 => keyspace.delete_range(key(n)..key(n + random.below(30))).unwrap(),
        4..12 => keyspace.delete(key(n)).unwrap(),
        12..18 => {
            let ttl = Duration::from_millis(random.below(3000) as u64);
            keyspace.put_with_ttl(key(n), n.to_string().repeat(random.below(50)), ttl).unwrap();
        }
        18..20 => clock.advance(Duration::from_millis(random.below(2000) as u64)),
        _ => keyspace.put(key(n), random.next().to_le_bytes().repeat(random.below(200))).unwrap(),
    }
}

#[test]
fn many_gets_are_gets() {
    for seed in 0..6 {
        let (vfs, clock, mut random) = (MemVfs::new(), Arc::new(SimClock::new(1)), Random::new(seed));
        let bits = if seed % 2 == 0 { 10 } else { 0 };
        let options = options(&vfs).clock(Arc::clone(&clock) as Arc<dyn Clock>).filter_bits(bits);
        let options = if seed % 3 == 0 { options.compression(Compression::None) } else { options };
        let db = options.open("/db").unwrap();
        let other = db.keyspace("other").unwrap();
        let mut snapshots = Vec::new();
        for step in 0..1500 {
            let keyspace = if random.one_in(4) { &other } else { &*db };
            change(&db, keyspace, &clock, &mut random);
            if random.one_in(50) {
                snapshots.push(db.snapshot());
                if snapshots.len() > 3 {
                    snapshots.remove(random.below(3));
                }
            }
            if random.one_in(5) {
                same(&format!("seed {seed}, step {step}"), keyspace, &snapshots, &mut random);
            }
        }
        assert!(db.stats().levels.iter().filter(|level| level.tables > 0).count() > 1, "seed {seed}");
        db.drop_keyspace("other").unwrap();
        let says = |error: siltstone::Error| error.to_string();
        assert_eq!(other.multi_get(["k"]).map_err(says), other.get("k").map(|_| vec![]).map_err(says));
        db.close().unwrap();
        assert_eq!(db.multi_get(["k"]).map_err(says), db.get("k").map(|_| vec![]).map_err(says));
    }
}

/// The error of one block is that of the first key that meets it, and nobody else's.
#[test]
fn a_damaged_block_fails_those_who_need_it() {
    let vfs = MemVfs::new();
    let open = || options(&vfs).compression(Compression::None).open("/db").unwrap();
    let db = open();
    (0..KEYS).for_each(|n| db.put(key(n), [n as u8; 100]).unwrap());
    db.compact_range::<&[u8]>(..).unwrap();
    db.close().unwrap();
    let tables = vfs.files().into_iter().filter(|path| path.extension() == Some(OsStr::new("table")));
    for path in tables {
        let mut bytes = vfs.read_file(&path).unwrap();
        // In the first block, and some that follow.
        (40..bytes.len() / 2).step_by(1500).for_each(|at| bytes[at] ^= 1);
        vfs.write_file(&path, &bytes).unwrap();
    }
    let db = open();
    let (mut random, mut failed) = (Random::new(1), 0);
    for _ in 0..200 {
        let keys: Vec<_> = (0..random.below(12)).map(|_| key(random.below(KEYS))).collect();
        let says = |error: siltstone::Error| error.to_string();
        let one_by_one: Result<Vec<_>, _> = keys.iter().map(|key| db.get(key)).collect();
        failed += usize::from(one_by_one.is_err());
        assert_eq!(db.multi_get(&keys).map_err(says), one_by_one.map_err(says));
    }
    assert!((20..180).contains(&failed), "{failed}");
}

/// Batches of many keys are seen whole, while buffers are flushed and tables merged.
#[test]
fn many_keys_are_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default().durability(Durability::Os).memtable_bytes(32 << 10);
    let db = options.table_bytes(16 << 10).open(folder.path().join("db")).unwrap();
    let write = |round: u32| {
        let mut batch = WriteBatch::new();
        (0..50).for_each(|n| batch.put(key(n), round.to_le_bytes().repeat(20)));
        db.write(batch).unwrap();
    };
    write(0);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            (1..2000).for_each(write);
            is_done.store(true, Ordering::Release);
        });
        let mut last = vec![0; 80];
        let (mut random, mut rounds) = (Random::new(2), 0);
        while !is_done.load(Ordering::Acquire) || rounds < 10 {
            let keys: Vec<_> = (0..30).map(|_| key(random.below(50))).collect();
            let values = db.multi_get(&keys).unwrap();
            let first = values[0].as_deref().unwrap().to_vec();
            assert!(values.iter().all(|value| value.as_deref() == Some(&first[..])));
            let number = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
            assert!(number(&first) >= number(&last));
            last = first;
            rounds += 1;
        }
    });
}
