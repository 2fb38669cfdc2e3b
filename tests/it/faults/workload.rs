//! What the database is doing while operations fail.

use crate::history::{Step, Write, range_of};
use crate::support::Random;
use siltstone::Durability;

/// Every fourth value is long, so that the log fills and rotates.
pub fn put(key: &str, n: usize) -> Write {
    let len = if n.is_multiple_of(4) { 9000 } else { 1 + n % 70 };
    vec![(key.as_bytes().to_vec(), Some(vec![n as u8; len]))]
}

/// The workload of a seed.
pub fn workload(seed: u64) -> Vec<Step> {
    if seed == 0 {
        return fixed_workload();
    }
    let mut random = Random::new(seed);
    let mut steps: Vec<Step> = (0..36).map(|n| any_step(&mut random, n)).collect();
    steps.push(Step::Sync);
    steps
}

fn any_step(random: &mut Random, n: usize) -> Step {
    let key = format!("k{}", random.below(6));
    match random.below(21) {
        20 => delete_range(random.below(6), random.below(6)),
        0 => Step::Flush,
        1 => Step::Compact,
        2 => Step::Reopen,
        3 => Step::Sync,
        4 => Step::Write(vec![(key.into_bytes(), None)], None),
        5 => {
            let mut batch = put(&key, n);
            batch.extend(put("batch", random.below(200)));
            batch.push((b"k2".to_vec(), None));
            Step::Write(batch, Some(Durability::Sync))
        }
        _ => Step::Write(put(&key, n), None),
    }
}

/// All that are written of the keys between two of them.
fn delete_range(from: usize, to: usize) -> Step {
    let key = |n: usize| format!("k{n}").into_bytes();
    range_of((0..6).map(key), &key(from), &key(to))
}

/// Reopens a database with a log and one without, rotates, flushes by itself and when told, and compacts.
fn fixed_workload() -> Vec<Step> {
    let one = |key: String, n| Step::Write(put(&key, n), None);
    let some = |from: usize, to: usize| (from..to).map(move |n| one(format!("k{}", n % 6), n));
    let mut batch = put("k1", 200);
    batch.extend(put("batch", 201));
    batch.push((b"k2".to_vec(), None));
    let mut steps: Vec<Step> = some(1, 20).collect();
    steps.extend([Step::Write(batch, Some(Durability::Sync)), Step::Reopen]);
    steps.extend(some(20, 24));
    steps.extend([Step::Flush, Step::Write(vec![(b"k3".to_vec(), None)], None), Step::Compact]);
    steps.push(delete_range(1, 3));
    steps.extend(some(24, 34));
    steps.push(delete_range(3, 4));
    steps.push(Step::Sync);
    steps
}
