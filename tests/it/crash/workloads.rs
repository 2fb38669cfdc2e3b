//! What is being done when the power goes: a short script for each part of the machinery, and random steps.

use super::INTERVAL;
use crate::history::{Step, Write, range_of};
use crate::support::{Random, buffer_of, least_memory};
use siltstone::vfs::mem::CrashImage;
use siltstone::{Compression, Durability, Options};

/// Everything is so small that a few writes flush, compact and rotate.
pub fn small_options() -> Options {
    let options = Options::default().memtable_bytes(1 << 10).table_bytes(400);
    options.level_ratio(2).block_bytes(100).memory_budget(least_memory(100))
}

pub fn random_options(random: &mut Random) -> Options {
    let compressions = [Compression::None, Compression::Lz4, Compression::Zstd(-1)];
    Options::default()
        .memtable_bytes(*random.pick(&[1 << 10, buffer_of(2), buffer_of(5), buffer_of(12)]))
        .memory_budget(*random.pick(&[least_memory(4 << 10), 64 << 20]))
        .block_bytes(*random.pick(&[1, 100, 4 << 10]))
        .table_bytes(*random.pick(&[200, 1000, 8 << 10]))
        .level_ratio(*random.pick(&[2, 10]))
        .filter_bits(*random.pick(&[0, 10]))
        .compression((*random.pick(&compressions), *random.pick(&compressions)))
}

pub fn random_steps(random: &mut Random) -> Vec<Step> {
    let space = *random.pick(&[6, 30]);
    let length = 10 + random.below(50);
    (0..length).map(|stamp| random_step(random, space, stamp)).collect()
}

fn random_step(random: &mut Random, space: usize, stamp: usize) -> Step {
    match random.below(46) {
        44.. => {
            let key = |n: usize| format!("key{n}").into_bytes();
            range_of((0..space).map(key), &key(random.below(space)), &key(random.below(space)))
        }
        0 => Step::Sync,
        1 => Step::Flush,
        2 => Step::Compact,
        3 => Step::Reopen,
        4..8 => Step::Wait(INTERVAL / 3),
        kind => {
            let n = if kind < 14 { random.below(5) } else { 1 };
            let write = (0..n).map(|i| random_entry(random, space, stamp * 10 + i)).collect();
            let (sync, os) = (Some(Durability::Sync), Some(Durability::Os));
            let durability = [None, None, None, None, sync, os, Some(Durability::Interval(INTERVAL / 2))];
            let (write, durability): (Write, _) = (write, *random.pick(&durability));
            match random.one_in(4) && !write.is_empty() {
                true => Step::Transact(write, durability),
                false => Step::Write(write, durability),
            }
        }
    }
}

fn random_entry(random: &mut Random, space: usize, stamp: usize) -> (Vec<u8>, Option<Vec<u8>>) {
    let key = format!("key{}", random.below(space)).into_bytes();
    // Long ones lie on several pages of the log, which a power cut may tell apart.
    let len = if random.one_in(12) { 3000 + random.below(9000) } else { random.below(200) };
    let value = stamp.to_le_bytes().repeat(len / 8 + 1);
    (key, (!random.one_in(5)).then_some(value))
}

/// What is done to a database that was recovered: enough for a flush, sometimes.
pub fn epilogue(at_op: u64) -> Vec<Step> {
    let put = |i: u64| {
        let key = format!("later{}", i % 3).into_bytes();
        Step::Write(vec![(key, Some(i.to_le_bytes().to_vec()))], None)
    };
    let mut steps: Vec<Step> = (0..1 + at_op % 7).map(put).collect();
    match at_op % 5 {
        0 => steps.push(Step::Reopen),
        1 => steps.push(Step::Compact),
        2 => steps.push(Step::Flush),
        _ => {}
    }
    steps.push(put(99));
    steps
}

pub fn put(key: &str, n: usize) -> (Vec<u8>, Option<Vec<u8>>) {
    (key.as_bytes().to_vec(), Some(vec![n as u8; 1 + n % 90]))
}

/// Writes of one key each.
pub fn one(key: &str, n: usize) -> Step {
    Step::Write(vec![put(key, n)], None)
}

pub fn delete(key: &str) -> Step {
    Step::Write(vec![(key.as_bytes().to_vec(), None)], None)
}

/// The deletion of all of the `k0` to `k6` between two of them.
pub fn delete_range(from: usize, to: usize) -> Step {
    let key = |n: usize| format!("k{n}").into_bytes();
    range_of((0..7).map(key), &key(from), &key(to))
}

/// A record on several pages.
pub fn long(n: usize) -> Step {
    Step::Write(vec![(format!("k{}", n % 7).into_bytes(), Some(vec![n as u8; 9000]))], None)
}

/// Three puts, one of which is taken back.
pub fn batch(n: usize) -> Step {
    Step::Write(several(n), None)
}

pub fn transaction(n: usize) -> Step {
    Step::Transact(several(n), None)
}

fn several(n: usize) -> Write {
    let mut write: Write = (0..3).map(|i| put(&format!("b{i}"), n + i)).collect();
    write.push((format!("b{}", n % 3).into_bytes(), None));
    write
}

/// Short workloads, each for one part of the machinery.
pub fn scripts() -> Vec<(&'static str, Vec<Step>)> {
    let synced = |key: &str, n: usize| Step::Write(vec![put(key, n)], Some(Durability::Sync));
    let many =
        |from: usize, to: usize| (from..to).map(|n| one(&format!("k{}", n % 7), n)).collect::<Vec<_>>();
    let waiting = |n: usize| [one(&format!("k{}", n % 7), n), Step::Wait(INTERVAL / 4)];
    vec![
        ("creating", vec![]),
        ("one write", vec![one("a", 1)]),
        ("a few writes", vec![one("a", 1), one("b", 2), delete("a"), synced("c", 3), one("a", 4)]),
        ("batches", vec![batch(1), batch(20), Step::Sync, batch(40), batch(60)]),
        (
            "transactions",
            vec![transaction(1), transaction(20), Step::Flush, transaction(40), Step::Sync, transaction(60)],
        ),
        ("long records", vec![long(0), long(7), one("c", 1)]),
        ("reopening", vec![one("a", 1), Step::Reopen, one("b", 2), Step::Reopen, Step::Reopen, delete("a")]),
        ("flushing", vec![one("a", 1), Step::Flush, one("b", 2), delete("a"), Step::Flush, one("c", 3)]),
        (
            "compacting",
            [many(0, 9), vec![Step::Compact, delete("k1"), one("k2", 99), Step::Compact, one("z", 1)]]
                .concat(),
        ),
        ("many writes", many(0, 40)),
        (
            "deleting ranges",
            [
                many(0, 9),
                vec![Step::Flush, delete_range(2, 4), one("k3", 99), Step::Flush, delete_range(0, 1)],
                vec![Step::Compact, Step::Reopen],
                many(0, 7),
                vec![delete_range(5, 6), one("k0", 98), Step::Reopen, delete_range(0, 6), Step::Compact],
            ]
            .concat(),
        ),
        ("with pauses", (0..20).flat_map(waiting).collect()),
        ("rotating", filling(0, 40)),
        (
            "rotating, synced at times",
            [filling(0, 16), vec![Step::Sync], filling(16, 30), vec![synced("s", 1)], filling(30, 36)]
                .concat(),
        ),
        ("rolling over", rolling_over()),
    ]
}

/// The next segment is made ready when one is half full.
pub fn filling(from: usize, to: usize) -> Vec<Step> {
    let mix = |n: usize| if n.is_multiple_of(3) { long(n) } else { one(&format!("k{}", n % 7), n) };
    (from..to).map(mix).collect()
}

/// The manifest tells the first and the last key of each table. Long ones make it grow to where it is replaced.
fn rolling_over() -> Vec<Step> {
    let key = |n: u8| vec![b'a' + n; 60_000];
    let write = |n: u8| Step::Write(vec![(key(0), Some(vec![n])), (key(n), Some(vec![n; 10]))], None);
    (1..9).flat_map(|n| [write(n), Step::Flush]).chain([Step::Compact, one("z", 1)]).collect()
}

/// The images to look at: all of them, but where each takes long. A script that no longer does what it is for would go on
/// passing, so that is checked as well.
pub fn worth_a_look(name: &str, mut images: Vec<CrashImage>) -> Vec<CrashImage> {
    let has = |image: &CrashImage, end: &str| {
        image.vfs.files().iter().any(|file| file.to_string_lossy().ends_with(end))
    };
    let with = |end: &str| images.iter().filter(|image| has(image, end)).count();
    match name {
        // Segments are made ready, used and taken again.
        "rotating" | "rotating, synced at times" => assert!(with(".spare") > 20),
        "compacting" => assert!(with(".table") > 20),
        "rolling over" => {
            let begin = images.iter().find(|image| has(image, "000002.manifest")).expect("a roll-over").at_op;
            images.retain(|image| (begin - 4..begin + 16).contains(&image.at_op));
        }
        _ => {}
    }
    images
}
