//! What deleting costs, and what it costs afterwards: pairs whose ratio counts.
//!
//! | pair | wanted at most |
//! |---|---|
//! | `delete_range`: of a million keys against ten | 2 |
//! | `scan`: across a hole of a million keys against no hole, in tables and in the write buffer | 2 |
//! | `queue`: the first key after a million were appended and deleted against a new database | 2 |

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking, and criterion's macros make items"
)]

mod common;

use common::{VALUE, fill};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use siltstone::{Db, Durability, Options};
use std::hint::black_box;

const MANY: u64 = 1_000_000;
const FEW: u64 = 20_000;

fn open(folder: &tempfile::TempDir, name: &str, memtable: usize) -> Db {
    let options = Options::default().durability(Durability::Os).memtable_bytes(memtable);
    options.open(folder.path().join(name)).unwrap()
}

/// Numbers in order.
fn pair(n: u64) -> ([u8; 8], [u8; 100]) {
    (n.to_be_bytes(), VALUE)
}

fn delete_range(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = c.benchmark_group("delete_range");
    for (name, len) in [("ten", 10), ("million", MANY)] {
        let db = open(&folder, name, 64 << 20);
        fill(&db, 0..MANY + FEW, pair);
        db.compact_range::<&[u8]>(..).unwrap();
        // So that it goes on deleting something.
        let _snapshot = db.snapshot();
        group.bench_function(name, |b| {
            b.iter(|| db.delete_range(FEW.to_be_bytes()..(FEW + len).to_be_bytes()).unwrap())
        });
    }
}

fn scans(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Elements(2 * FEW)).sample_size(20);
    for (place, memtable, many) in [("tables", 16 << 20, MANY), ("buffer", 256 << 20, MANY / 2)] {
        for hole in [false, true] {
            let name = format!("{place}_{}", if hole { "across_a_hole" } else { "without_a_hole" });
            let db = open(&folder, &name, memtable);
            fill(&db, 0..FEW, pair);
            if hole {
                fill(&db, FEW..FEW + many, pair);
            }
            fill(&db, FEW + many..2 * FEW + many, pair);
            if place == "tables" {
                db.compact_range::<&[u8]>(..).unwrap();
            }
            // Nothing is cleared away as long as somebody sees it.
            let _snapshot = db.snapshot();
            if hole {
                db.delete_range(FEW.to_be_bytes()..(FEW + many).to_be_bytes()).unwrap();
            }
            let count = || db.iter().map(|pair| pair.unwrap().1.len()).sum::<usize>();
            assert_eq!(count(), 2 * FEW as usize * VALUE.len());
            group.bench_function(&name, |b| b.iter(count));
        }
    }
}

fn queue(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = c.benchmark_group("queue");
    let backlog = 1000;
    let db = open(&folder, "new", 64 << 20);
    fill(&db, 0..backlog, pair);
    group.bench_function("first_of_a_new_one", |b| b.iter(|| black_box(db.iter().next().unwrap().unwrap())));
    let db = open(&folder, "used", 64 << 20);
    fill(&db, 0..backlog, pair);
    for n in backlog..MANY + backlog {
        db.put(n.to_be_bytes(), VALUE).unwrap();
        let (first, _) = db.iter().next().unwrap().unwrap();
        db.delete(&first).unwrap();
    }
    group.bench_function("first_of_a_used_one", |b| b.iter(|| black_box(db.iter().next().unwrap().unwrap())));
    let mut n = MANY + backlog;
    group.bench_function("append_find_delete", |b| {
        b.iter(|| {
            n += 1;
            db.put(n.to_be_bytes(), VALUE).unwrap();
            let (first, _) = db.iter().next().unwrap().unwrap();
            db.delete(&first).unwrap();
        });
    });
}

criterion_group!(benches, delete_range, scans, queue);
criterion_main!(benches);
