//! Large batches, which go into the write buffer in another way than single writes: they are what their entries are one by one.

use crate::support::Random;
use siltstone::vfs::mem::{CrashPolicy, MemVfs};
use siltstone::{Db, Snapshot, WriteBatch};
use std::collections::BTreeMap;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Few enough that batches have several changes of one key; of several lengths, with beginnings that some share.
fn key(random: &mut Random) -> Vec<u8> {
    let number = random.below(700);
    match random.below(3) {
        0 => format!("{number:04}").into_bytes(),
        1 => format!("document/by-name/{number:04}").into_bytes(),
        _ => number.to_be_bytes()[..8 - number % 3].to_vec(),
    }
}

/// As many random changes as asked for, in a batch and in a map.
fn batch(random: &mut Random, map: &mut Map, count: usize) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for _ in 0..count {
        let key = key(random);
        match random.below(200) {
            0 => {
                let end = [&key[..], &random.next().to_be_bytes()].concat();
                map.retain(|k, _| *k < key || *k >= end);
                batch.delete_range(key..end);
            }
            1..40 => {
                batch.delete(&key);
                map.remove(&key);
            }
            _ => {
                let value = random.next().to_be_bytes().repeat(random.below(4));
                batch.put(&key, &value);
                map.insert(key, value);
            }
        }
    }
    batch
}

fn check(db: &Db, map: &Map, random: &mut Random, what: &str) {
    let pairs = |pair: siltstone::Result<(siltstone::Slice, siltstone::Slice)>| {
        let (key, value) = pair.unwrap();
        (key.to_vec(), value.to_vec())
    };
    assert!(db.iter().map(pairs).eq(map.clone()), "{what}");
    assert!(db.iter().rev().map(pairs).eq(map.clone().into_iter().rev()), "{what}, backwards");
    for _ in 0..100 {
        let key = key(random);
        assert_eq!(db.get(&key).unwrap().as_deref(), map.get(&key).map(Vec::as_slice), "{what}: {key:?}");
    }
}

fn check_snapshot(snapshot: &Snapshot, map: &Map, what: &str) {
    let found = snapshot.iter().map(|pair| pair.unwrap());
    let found = found.map(|(key, value)| (key.to_vec(), value.to_vec()));
    assert!(found.eq(map.clone()), "{what}");
    for (key, value) in map.iter().step_by(7) {
        assert_eq!(snapshot.get(key).unwrap().as_deref(), Some(&value[..]), "{what}: {key:?}");
    }
}

#[test]
fn large_ones_are_what_their_entries_are() {
    for seed in 1..12 {
        let (mut vfs, mut random) = (MemVfs::new(), Random::new(seed));
        let memtable_bytes = *random.pick(&[64 << 10, 300 << 10, 8 << 20]);
        let open =
            |vfs: &MemVfs| crate::keyspaces::options(vfs).memtable_bytes(memtable_bytes).open("/db").unwrap();
        let (mut db, mut map) = (open(&vfs), Map::new());
        let mut kept = Vec::new();
        for round in 0..30 {
            let what = format!("seed {seed}, round {round}");
            let most = *random.pick(&[1, 30, 200, 3000]);
            let count = 1 + random.below(most);
            db.write(batch(&mut random, &mut map, count)).unwrap();
            if random.one_in(6) {
                kept.push((db.snapshot(), map.clone()));
            }
            check(&db, &map, &mut random, &what);
            for (snapshot, map) in &kept {
                check_snapshot(snapshot, map, &what);
            }
            if random.one_in(8) {
                // What was written is in the log, and goes into a buffer again.
                kept.clear();
                vfs = vfs.crash_image(CrashPolicy::Strict, seed);
                db = open(&vfs);
                check(&db, &map, &mut random, &what);
            }
        }
    }
}
