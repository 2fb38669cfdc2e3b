//! What many reads at one moment cost, side by side and one after the other: pairs whose ratio counts.
//!
//! Values of 800 bytes, all blocks cached, in memory or in mapped files; 100 keys at random each time. `cargo bench --bench many`

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking, and criterion's macros make items"
)]

mod common;

use common::{fill, key};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use siltstone::{Compression, Db, Durability, Options, Slice};

const KEYS: usize = 100;

/// Numbers at random, a hundred at a time.
struct Numbers {
    state: u64,
    below: u64,
}

impl Numbers {
    fn keys(&mut self) -> [[u8; 16]; KEYS] {
        std::array::from_fn(|_| {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            key((self.state >> 33) % self.below)
        })
    }
}

/// As whoever gets values does: looks at them.
fn sum(values: impl Iterator<Item = Option<Slice>>) -> u64 {
    values.map(|value| value.map_or(0, |value| value.first().map_or(0, |byte| u64::from(*byte)))).sum()
}

fn pair(c: &mut Criterion, name: &str, db: &Db, below: u64) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(KEYS as u64));
    let mut numbers = Numbers { state: 1, below };
    group.bench_function("gets", |b| {
        let gets = |keys: [[u8; 16]; KEYS]| sum(keys.iter().map(|key| db.get(key).unwrap()));
        b.iter_batched(|| numbers.keys(), gets, BatchSize::SmallInput);
    });
    group.bench_function("multi_get", |b| {
        let multi_get = |keys: [[u8; 16]; KEYS]| sum(db.multi_get(keys).unwrap().into_iter());
        b.iter_batched(|| numbers.keys(), multi_get, BatchSize::SmallInput);
    });
}

fn many(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    for (name, count) in [("64k", 1 << 16), ("1M", 1 << 20)] {
        for (place, memtable) in [("tables", 64 << 20), ("buffer", 4 << 30)] {
            let options = Options::default().durability(Durability::Os).compression(Compression::None);
            let db = options.memory_budget(6 << 30).memtable_bytes(memtable);
            let db = db.open(folder.path().join(format!("{name}-{place}"))).unwrap();
            fill(&db, 0..count, |n| (key(n), [b'v'; 800]));
            if place == "tables" {
                db.compact_range::<&[u8]>(..).unwrap();
                db.iter().for_each(|entry| drop(entry.unwrap()));
                (0..count).for_each(|n| assert!(db.get(key(n)).unwrap().is_some()));
            }
            pair(c, &format!("{place}_{name}"), &db, count);
        }
    }
}

criterion_group!(benches, many);
criterion_main!(benches);
