//! What one operation costs, at its place: in a write buffer, in a table, in a scan.
//!
//! `cargo bench --bench engine` prints times; `-- --save-baseline NAME` and `--baseline NAME` compare two states of the code.
//! The numbers hold for the machine they were taken on. Comparisons with other engines are in `benches/peers`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking, and criterion's macros make items"
)]

mod common;

use common::{VALUE, fill, key};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use siltstone::{Compression, Db, Durability, Options, WriteBatch};
use std::hint::black_box;

const ENTRIES: u64 = 400_000;

fn open(folder: &tempfile::TempDir, name: &str) -> Db {
    Options::default()
        .durability(Durability::Os)
        .compression(Compression::UPPER)
        .open(folder.path().join(name))
        .unwrap()
}

fn writes(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder, "writes");
    let mut group = c.benchmark_group("write");
    group.throughput(Throughput::Elements(1));
    let mut n = 0;
    group.bench_function("put_random", |b| {
        b.iter(|| {
            n += 1;
            db.put(key(n), VALUE).unwrap();
        });
    });
    group.bench_function("put_synced", |b| {
        b.iter(|| {
            n += 1;
            let mut batch = WriteBatch::new();
            batch.put(key(n), VALUE);
            db.write_with(batch, Durability::Sync).unwrap();
        });
    });
}

fn reads(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder, "reads");
    fill(&db, 0..ENTRIES, |n| (key(n), VALUE));
    let mut group = c.benchmark_group("read");
    let mut n = 0;
    let mut next = move || {
        n = (n + 7919) % ENTRIES;
        n
    };
    group.bench_function("get_from_buffer", |b| b.iter(|| black_box(db.get(key(next())).unwrap())));
    db.flush().unwrap();
    db.compact_range::<&[u8]>(..).unwrap();
    group.bench_function("get_from_table", |b| b.iter(|| black_box(db.get(key(next())).unwrap())));
    group.bench_function("get_missing", |b| b.iter(|| black_box(db.get(key(ENTRIES + next())).unwrap())));
    group.bench_function("seek_and_ten", |b| {
        b.iter(|| db.range(&key(next())[..]..).take(10).map(|pair| pair.unwrap().1.len()).sum::<usize>());
    });
    group.throughput(Throughput::Elements(ENTRIES)).sample_size(10);
    group.bench_function("scan_forward", |b| {
        b.iter(|| db.iter().map(|pair| pair.unwrap().1.len()).sum::<usize>())
    });
    group.bench_function("scan_backward", |b| {
        b.iter(|| db.iter().rev().map(|pair| pair.unwrap().1.len()).sum::<usize>());
    });
}

criterion_group!(benches, writes, reads);
criterion_main!(benches);
