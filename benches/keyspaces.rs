//! What many keyspaces cost: opening a database of a thousand against one of a single keyspace, with the same data.
//!
//! `cargo bench --bench keyspaces`. Wanted: at most three times as long. What an empty database takes on disk is printed.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking, and criterion's macros make items"
)]

mod common;

use common::{VALUE, fill_keyspace, key};
use criterion::{Criterion, criterion_group, criterion_main};
use siltstone::{Db, Durability, Options};
use std::path::Path;
use std::time::{Duration, Instant};

const ENTRIES: u64 = 400_000;

fn open(path: &Path) -> Db {
    Options::default().durability(Durability::Os).open(path).unwrap()
}

fn opening(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = c.benchmark_group("open");
    for keyspaces in [1, 1000] {
        let path = folder.path().join(keyspaces.to_string());
        let db = open(&path);
        let each = ENTRIES / keyspaces;
        for n in 0..keyspaces {
            let keyspace = db.keyspace(&format!("keyspace {n}")).unwrap();
            fill_keyspace(&db, &keyspace, n * each..(n + 1) * each, |n| (key(n), VALUE));
        }
        db.close().unwrap();
        drop(db);
        group.bench_function(format!("{keyspaces} keyspaces"), |b| {
            b.iter_custom(|times| (0..times).map(|_| one(&path)).sum());
        });
    }
    group.finish();
    let empty = folder.path().join("empty");
    open(&empty).close().unwrap();
    let files = std::fs::read_dir(&empty).unwrap();
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    println!("an empty database takes {bytes} bytes");
}

/// How long it takes to open, and to get at one keyspace; closing does not count.
fn one(path: &Path) -> Duration {
    let started = Instant::now();
    let db = open(path);
    let keyspace = db.keyspace("keyspace 0").unwrap();
    assert!(keyspace.get(key(0)).unwrap().is_some());
    let took = started.elapsed();
    db.close().unwrap();
    took
}

criterion_group!(benches, opening);
criterion_main!(benches);
