//! What the benchmarks share: keys, values, and how a database is filled.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use siltstone::{Db, Keyspace, WriteBatch};
use std::ops::Range;

/// A value of 100 bytes.
pub const VALUE: [u8; 100] = [b'v'; 100];

/// A key of 16 digits; neighbouring numbers give distant keys.
pub fn key(n: u64) -> [u8; 16] {
    let mut out = [0; 16];
    let text = format!("{:016}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 10_000_000_000_000_000);
    out.copy_from_slice(text.as_bytes());
    out
}

/// Puts the pairs that `pair` gives for these numbers, a hundred in a batch.
pub fn fill<K: AsRef<[u8]>, V: AsRef<[u8]>>(db: &Db, numbers: Range<u64>, pair: impl Fn(u64) -> (K, V)) {
    fill_keyspace(db, db, numbers, pair);
}

/// As [`fill`], in a keyspace.
pub fn fill_keyspace<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    db: &Db,
    keyspace: &Keyspace,
    numbers: Range<u64>,
    pair: impl Fn(u64) -> (K, V),
) {
    for from in numbers.clone().step_by(100) {
        let mut batch = WriteBatch::new();
        for n in from..(from + 100).min(numbers.end) {
            let (key, value) = pair(n);
            batch.within(keyspace).put(key, value);
        }
        db.write(batch).unwrap();
    }
}
