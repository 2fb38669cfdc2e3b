//! Little memory: what the process has of it, against `memory_budget`, under the worst that can be done to it.
//!
//! Measured is `RssAnon`, what the process itself has written to and no file backs, while the work goes on. Mapped tables are
//! none of it. Beside the budget there are:
//!
//! - [`AROUND`]: threads, the codecs' contexts, and what the allocator keeps of what was freed.
//! - What is the user's: values that are kept; for each iterator that is kept a block of each run, and the buffers of when it
//!   was made; a large entry as the value, the batch and the record, and twice in a flush and in a compaction
//!   beside it: with what the allocator keeps of these, ten times.

use crate::footprint;
use crate::support::Random;
use siltstone::{Compression, Db, Durability, Options, WriteBatch};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const MIB: usize = 1 << 20;
/// What the process may have beside the budget and the user's part.
const AROUND: usize = 6 * MIB;

/// Bytes of a huge value: more than a write buffer's share of the smaller budget.
const HUGE: usize = 3 * MIB;

/// How many iterators are kept.
const KEPT: usize = 100;
/// What the write buffers of its moment take that each of them keeps: three of the least size, and what a batch goes beyond it.
const BUFFERS: usize = 3 * (96 << 10);
/// With a block of each table of level 0 and of each level.
const PER_ITERATOR: usize = BUFFERS + (32 + 6) * (5 << 10);

/// A way to use memory: its name, what the user has of it, and the work.
type Workload = (&'static str, usize, fn(&Db));

const WORKLOADS: [Workload; 7] = [
    ("tiny values", 0, tiny_values),
    ("huge values", 10 * HUGE, huge_values),
    ("an overwrite storm", 0, overwrites),
    ("iterators kept open", KEPT * PER_ITERATOR, iterators),
    ("snapshots kept", 0, snapshots),
    ("many keyspaces", 0, keyspaces),
    ("reads all over", 0, reads),
];

fn key(n: u32) -> [u8; 8] {
    // Neighbours in time lie far apart.
    u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
}

fn load(db: &Db, entries: u32, value: &[u8]) {
    for chunk in (0..entries).collect::<Vec<_>>().chunks(200) {
        let mut batch = WriteBatch::new();
        chunk.iter().for_each(|n| batch.put(key(*n), value));
        db.write(batch).unwrap();
    }
}

fn tiny_values(db: &Db) {
    load(db, 600_000, b"");
    db.compact_range::<&[u8]>(..).unwrap();
}

fn huge_values(db: &Db) {
    for n in 0..120_u32 {
        // Nothing compresses these.
        let mut random = Random::new(u64::from(n));
        let len = if n % 3 == 0 { HUGE } else { HUGE / 10 };
        let value: Vec<u8> = (0..len / 8).flat_map(|_| random.next().to_le_bytes()).collect();
        db.put(key(n % 40), value).unwrap();
    }
    for n in 0..40 {
        assert!(db.get(key(n)).unwrap().is_some());
    }
}

fn overwrites(db: &Db) {
    for round in 0..2500_u32 {
        let mut batch = WriteBatch::new();
        (0..200).for_each(|n| batch.put(key(n % 16), [round as u8; 40]));
        db.write(batch).unwrap();
    }
}

fn iterators(db: &Db) {
    let mut kept = Vec::new();
    for n in 0..KEPT {
        load(db, 2000, &[n as u8; 50]);
        let mut iterator = db.iter();
        assert!(iterator.next().unwrap().is_ok());
        kept.push(iterator);
    }
    load(db, 50_000, &[1; 50]);
    let memory = db.stats().memory;
    assert!(memory.write_buffer_bytes <= memory.budget_bytes / 7 * 3 + KEPT * BUFFERS, "{memory:?}");
    assert_eq!(kept.pop().unwrap().count() + 1, 2000);
}

fn snapshots(db: &Db) {
    let mut kept = Vec::new();
    for n in 0..300 {
        load(db, 1000, &[n as u8; 50]);
        kept.push(db.snapshot());
    }
    assert!(kept.iter().all(|snapshot| snapshot.get(key(7)).unwrap().is_some()));
}

fn keyspaces(db: &Db) {
    let all: Vec<_> = (0..1500).map(|n| db.keyspace(&format!("keyspace {n}")).unwrap()).collect();
    for round in 0..30_u8 {
        for keyspace in &all {
            keyspace.put([round], [round; 100]).unwrap();
        }
    }
    db.compact_range::<&[u8]>(..).unwrap();
    assert_eq!(all[700].iter().count(), 30);
}

fn reads(db: &Db) {
    load(db, 150_000, &[7; 100]);
    db.compact_range::<&[u8]>(..).unwrap();
    let values = (0..150_000).step_by(3).filter(|n| db.get(key(n * 7919 % 150_000)).unwrap().is_some());
    assert_eq!(values.count(), 50_000);
    assert_eq!(db.iter().count(), 150_000);
}

/// What this process has, in bytes.
fn anonymous() -> usize {
    let bytes = footprint::of("self", footprint::ANONYMOUS);
    assert!(bytes > 0, "nothing was measured");
    usize::try_from(bytes).unwrap()
}

/// Ends the measuring, also when the work panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does `work` and tells the most memory that was had meanwhile, beyond what was had before.
fn most_of(work: impl FnOnce()) -> usize {
    let before = anonymous();
    let (most, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(anonymous(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let _done = Done(&done);
        work();
    });
    most.load(Ordering::Relaxed).saturating_sub(before)
}

fn measure(folder: &Path, budget: usize, (name, of_user, work): Workload) {
    let options = Options::default().durability(Durability::Os).memory_budget(budget);
    let db = options.table_bytes(256 << 10).compression(Compression::UPPER).open(folder).unwrap();
    let most = most_of(|| work(&db));
    let memory = db.stats().memory;
    println!("{name}, {} MiB: {:.1} MiB; {memory:?}", budget / MIB, most as f64 / MIB as f64);
    let allowed = budget + AROUND + of_user;
    assert!(most <= allowed, "{name}: {most} bytes with a budget of {budget}, {allowed} allowed; {memory:?}");
    assert!(memory.used_bytes() <= budget + of_user, "{name}: {memory:?}");
    db.close().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_database_keeps_to_its_budget() {
    let name = "limits::budget::a_database_keeps_to_its_budget";
    if let Ok(which) = std::env::var(super::CHILD) {
        let (index, mib) = which.split_once(' ').unwrap();
        let folder = tempfile::tempdir().unwrap();
        let budget = mib.parse::<usize>().unwrap() * MIB;
        return measure(&folder.path().join("db"), budget, WORKLOADS[index.parse::<usize>().unwrap()]);
    }
    let mut failed = Vec::new();
    for index in 0..WORKLOADS.len() {
        for mib in [8, 32] {
            // A process for each: what the allocator has kept of one would be there for the next.
            let mut this = Command::new(std::env::current_exe().unwrap());
            this.args([name, "--exact", "--nocapture", "--test-threads=1"]);
            this.env(super::CHILD, format!("{index} {mib}")).env("RUST_BACKTRACE", "0");
            let output = this.output().unwrap();
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            if !output.status.success() {
                failed.push(said.clone());
            }
            said.lines().filter(|line| line.contains("MiB:")).for_each(|line| println!("{line}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
