//! What a transaction costs beside the same without one, and what a snapshot costs beside a get.
//!
//! Wanted: a transaction of one read and one write at most 1.5 times the bare get and put; a snapshot that is taken and dropped
//! at most a fifth of a get. Compare the lines of one run; nothing else may run on the machine.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking, and criterion's macros make items"
)]

mod common;

use common::{VALUE, fill, key};
use criterion::{Criterion, criterion_group, criterion_main};
use siltstone::{Db, Durability, Options};
use std::hint::black_box;

const ENTRIES: u64 = 400_000;

/// A database whose entries lie in tables, all in the cache once they were read.
fn open(folder: &tempfile::TempDir, name: &str) -> Db {
    let db = Options::default().durability(Durability::Os).open(folder.path().join(name)).unwrap();
    fill(&db, 0..ENTRIES, |n| (key(n), VALUE));
    db.flush().unwrap();
    db.compact_range::<&[u8]>(..).unwrap();
    db.iter().for_each(|pair| drop(black_box(pair.unwrap())));
    db
}

/// Keys in an order that jumps, the same for all that are compared.
fn keys() -> impl FnMut() -> [u8; 16] {
    let mut n = 0;
    move || {
        n = (n + 7919) % ENTRIES;
        key(n)
    }
}

/// A database of its own for each, so that none finds the buffers fuller than the other.
fn pairs(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = c.benchmark_group("get_and_put");
    let (db, mut next) = (open(&folder, "bare"), keys());
    group.bench_function("bare", |b| {
        b.iter(|| {
            let key = next();
            black_box(db.get(key).unwrap());
            db.put(key, VALUE).unwrap();
        });
    });
    let (db, mut next) = (open(&folder, "transaction"), keys());
    group.bench_function("transaction", |b| {
        b.iter(|| {
            let key = next();
            let mut tx = db.transaction();
            black_box(tx.get(key).unwrap());
            tx.put(key, VALUE).unwrap();
            tx.commit().unwrap();
        });
    });
    let (db, mut next) = (open(&folder, "compare"), keys());
    group.bench_function("compare_and_set", |b| {
        b.iter(|| assert!(db.compare_and_set(next(), VALUE, VALUE).unwrap()));
    });
}

fn snapshots(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let (db, mut next) = (open(&folder, "snapshots"), keys());
    let mut group = c.benchmark_group("view");
    group.bench_function("get", |b| b.iter(|| black_box(db.get(next()).unwrap())));
    let same = next();
    group.bench_function("get_of_the_same", |b| b.iter(|| black_box(db.get(same).unwrap())));
    group.bench_function("snapshot", |b| b.iter(|| black_box(db.snapshot())));
    let _old = db.snapshot();
    db.put("newer", "").unwrap();
    group.bench_function("snapshot_beside_an_older_one", |b| b.iter(|| black_box(db.snapshot())));
}

criterion_group!(benches, pairs, snapshots);
criterion_main!(benches);
