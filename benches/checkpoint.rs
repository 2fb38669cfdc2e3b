//! What a checkpoint costs, by the size of the database, while it is written to.
//!
//! `cargo bench --bench checkpoint`. What counts is the ratio of the two: a checkpoint flushes a write buffer and gives each table
//! a further name, so it should hardly depend on the size. `SILTSTONE_CHECKPOINT_MIB` sets how large the larger one is; 2048 when
//! not given. `copied` is the same across file systems, when `SILTSTONE_CHECKPOINT_FOLDER` names one on another.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking, and criterion's macros make items"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use siltstone::{Compression, Db, Durability, Options, WriteBatch};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SMALL_MIB: u64 = 100;
/// A pair of key and value, of which nothing compresses.
const PAIR: u64 = 16 + 1000;

fn batch(from: u64) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for n in from..from + 100 {
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        batch.put(format!("{mixed:016x}"), vec![mixed as u8; 1000]);
    }
    batch
}

fn filled(path: &Path, mib: u64) -> Db {
    let options = Options::default().durability(Durability::Os);
    let db = options.compression(Compression::None).open(path).unwrap();
    for from in (0..(mib << 20) / PAIR).step_by(100) {
        db.write(batch(from)).unwrap();
    }
    db.flush().unwrap();
    db
}

/// How long one checkpoint takes; its files are removed afterwards, which does not count.
fn one(db: &Db, into: &Path) -> Duration {
    let started = Instant::now();
    db.checkpoint(into).unwrap();
    let took = started.elapsed();
    std::fs::remove_dir_all(into).unwrap();
    took
}

fn checkpoints(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let large = std::env::var("SILTSTONE_CHECKPOINT_MIB").map_or(2048, |mib| mib.parse().unwrap());
    let elsewhere = std::env::var("SILTSTONE_CHECKPOINT_FOLDER").ok().map(PathBuf::from);
    let mut group = c.benchmark_group("checkpoint");
    group.sample_size(10);
    for mib in [SMALL_MIB, large] {
        let db = filled(&folder.path().join(format!("db{mib}")), mib);
        let (done, written) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            // Some thirty megabytes a second.
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let from = written.fetch_add(100, Ordering::Relaxed) % ((mib << 20) / PAIR);
                    db.write(batch(from)).unwrap();
                    thread::sleep(Duration::from_millis(3));
                }
            });
            let shared = folder.path().join("copy");
            group.bench_function(format!("linked, {mib} MiB"), |b| {
                b.iter_custom(|times| (0..times).map(|_| one(&db, &shared)).sum());
            });
            if let Some(other) = &elsewhere {
                let other = other.join("siltstone-copy");
                group.bench_function(format!("copied, {mib} MiB"), |b| {
                    b.iter_custom(|times| (0..times).map(|_| one(&db, &other)).sum());
                });
            }
            done.store(true, Ordering::Relaxed);
        });
    }
    group.finish();
}

criterion_group!(benches, checkpoints);
criterion_main!(benches);
