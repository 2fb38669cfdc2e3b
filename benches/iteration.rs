//! What a step of a walk costs: pairs and keys alone, with a bound and without, in pages, over what is in tables and in a buffer.
//!
//! `cargo bench --bench iteration`. `-- --save-baseline NAME` and `--baseline NAME` compare two states of the code.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking, and criterion's macros make items"
)]

mod common;

use common::fill;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use siltstone::{Db, Durability, Options};
use std::hint::black_box;

const ENTRIES: u64 = 200_000;

fn filled(folder: &tempfile::TempDir, name: &str, value: usize) -> Db {
    let db = Options::default().durability(Durability::Os).open(folder.path().join(name)).unwrap();
    fill(&db, 0..ENTRIES, |n| (format!("key:{n:012}"), vec![n as u8; value]));
    db
}

fn walks(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = c.benchmark_group("walk");
    group.throughput(Throughput::Elements(ENTRIES)).sample_size(20);
    for (place, value) in [("buffer", 100), ("tables", 100), ("tables, long values", 2000)] {
        let db = filled(&folder, place, value);
        if place != "buffer" {
            db.compact_range::<&str>(..).unwrap();
        }
        let id = |what: &str| BenchmarkId::new(what, place);
        group.bench_function(id("pairs"), |b| b.iter(|| black_box(db.iter().count())));
        group.bench_function(id("pairs, bounded"), |b| b.iter(|| black_box(db.range("key".."l").count())));
        group.bench_function(id("pairs, down"), |b| b.iter(|| black_box(db.iter().rev().count())));
        group.bench_function(id("keys"), |b| b.iter(|| black_box(db.iter().keys().count())));
        group.bench_function(id("keys, down"), |b| b.iter(|| black_box(db.iter().keys().rev().count())));
        group.bench_function(id("pages of 100"), |b| {
            b.iter(|| {
                let mut page = db.iter().page(100).unwrap();
                while let Some(token) = page.next {
                    page = db.resume(&token).unwrap().page(100).unwrap();
                }
            });
        });
    }
    group.finish();
}

fn refreshing(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let db = filled(&folder, "refreshing", 100);
    let mut group = c.benchmark_group("one step in the present");
    group.bench_function("a new walk", |b| {
        b.iter(|| black_box(db.range("key:000000050000"..).next().unwrap().unwrap()));
    });
    let mut range = db.range("key:000000050000"..);
    group.bench_function("refreshed, nothing written", |b| {
        b.iter(|| {
            range.refresh().unwrap();
            black_box(range.next());
        });
    });
    let mut snapshot = db.snapshot();
    group.bench_function("a new snapshot", |b| b.iter(|| black_box(db.snapshot())));
    group.bench_function("a refreshed snapshot", |b| b.iter(|| snapshot.refresh().unwrap()));
    group.finish();
}

criterion_group!(benches, walks, refreshing);
criterion_main!(benches);
