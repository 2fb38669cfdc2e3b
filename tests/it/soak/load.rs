//! The work: what the threads do to the database, and what they know of it.

use crate::footprint;
use crate::support::Random;
use siltstone::{Db, WriteBatch};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How many threads write, and how many keys each of them has.
const WRITERS: usize = 2;
const KEYS: usize = 10_000;

/// What each writer wrote last to each of its keys: a stamp, or nothing.
pub struct Known(Vec<BTreeMap<u32, u64>>);

/// What was done in a stretch.
#[derive(Debug, Default, Clone, Copy)]
pub struct Done {
    pub writes: u64,
    pub reads: u64,
    /// The longest single operation.
    pub longest: Duration,
}

impl Known {
    pub fn new() -> Known {
        Known(vec![BTreeMap::new(); WRITERS])
    }

    /// Bytes of all keys and values that are there.
    pub fn bytes(&self) -> u64 {
        let entries = self.0.iter().enumerate().flat_map(|(who, own)| own.iter().map(move |e| (who, e)));
        entries.map(|(who, (n, stamp))| (key(who, *n).len() + value(who, *n, *stamp).len()) as u64).sum()
    }

    /// The database holds this, key by key and in both directions.
    pub fn check(&self, db: &Db) {
        let all: BTreeMap<Vec<u8>, Vec<u8>> = (self.0.iter().enumerate())
            .flat_map(|(who, own)| own.iter().map(move |(n, s)| (key(who, *n), value(who, *n, *s))))
            .collect();
        let pair = |entry: siltstone::Result<(siltstone::Slice, siltstone::Slice)>| {
            entry.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()
        };
        assert!(db.iter().map(pair).eq(all.clone()), "a scan differs");
        assert!(db.iter().rev().map(pair).eq(all.into_iter().rev()), "a scan backwards differs");
        for who in 0..WRITERS {
            for n in 0..KEYS as u32 {
                let found = db.get(key(who, n)).unwrap();
                let expected = self.0[who].get(&n).map(|stamp| value(who, n, *stamp));
                assert_eq!(found.as_deref(), expected.as_deref(), "key {n} of writer {who}");
            }
        }
    }
}

fn key(who: usize, n: u32) -> Vec<u8> {
    format!("{who}:{:05}", n).into_bytes()
}

/// Of about half a kilobyte, half of which a compressor can do nothing with.
fn value(who: usize, n: u32, stamp: u64) -> Vec<u8> {
    let mut random = Random::new(stamp ^ u64::from(n) << 32 ^ (who as u64) << 62);
    let len = 300 + random.below(400);
    let mut value: Vec<u8> = format!("{who}:{n}:{stamp}:").into_bytes();
    while value.len() < len {
        value.extend_from_slice(&random.next().to_le_bytes());
        value.extend_from_slice(b"-------.");
    }
    value
}

/// What a value says of itself; it must be whole.
fn stamp_of(value: &[u8]) -> u64 {
    let mut parts = value.split(|byte| *byte == b':').map(|part| std::str::from_utf8(part).unwrap_or(""));
    let mut number = || parts.next().unwrap().parse::<u64>().unwrap();
    let (who, n, stamp) = (number(), number(), number());
    assert_eq!(value, self::value(who as usize, n as u32, stamp), "a value that was never written");
    stamp
}

/// A stretch of work on an open database.
pub struct Work<'a> {
    db: &'a Db,
    seed: u64,
    over: AtomicBool,
    writes: AtomicU64,
    reads: AtomicU64,
    /// In nanoseconds.
    longest: AtomicU64,
}

impl Work<'_> {
    pub fn new(db: &Db, seed: u64) -> Work<'_> {
        let (over, writes, reads, longest) = Default::default();
        Work { db, seed, over, writes, reads, longest }
    }

    /// Works for so long; gives what was done, and the most memory that this process had meanwhile.
    pub fn run(&self, known: &mut Known, long: Duration) -> (Done, u64) {
        let end = Instant::now() + long;
        let mut peak = 0;
        thread::scope(|scope| {
            for (who, own) in known.0.iter_mut().enumerate() {
                scope.spawn(move || self.write(who, own));
            }
            scope.spawn(|| self.read());
            scope.spawn(|| self.hold());
            while Instant::now() < end {
                peak = peak.max(footprint::of("self", footprint::ANONYMOUS));
                thread::sleep(Duration::from_millis(20));
            }
            self.over.store(true, Relaxed);
        });
        let longest = Duration::from_nanos(self.longest.load(Relaxed));
        (Done { writes: self.writes.load(Relaxed), reads: self.reads.load(Relaxed), longest }, peak)
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Relaxed)
    }

    fn timed<T>(&self, count: &AtomicU64, work: impl FnOnce() -> siltstone::Result<T>) -> T {
        let before = Instant::now();
        let done = work().unwrap();
        self.longest.fetch_max(before.elapsed().as_nanos() as u64, Relaxed);
        count.fetch_add(1, Relaxed);
        done
    }

    fn write(&self, who: usize, own: &mut BTreeMap<u32, u64>) {
        let mut random = Random::new(self.seed + who as u64);
        while self.goes_on() {
            let n = random.below(KEYS) as u32;
            let stamp = random.next() >> 8;
            match random.below(40) {
                0..6 => {
                    self.timed(&self.writes, || self.db.delete(key(who, n)));
                    own.remove(&n);
                }
                6..12 => {
                    let mut batch = WriteBatch::new();
                    for n in n..(n + 20).min(KEYS as u32) {
                        batch.put(key(who, n), value(who, n, stamp));
                        own.insert(n, stamp);
                    }
                    self.timed(&self.writes, || self.db.write(batch));
                }
                // A run of keys goes, as a queue's do.
                12 => {
                    let mut batch = WriteBatch::new();
                    for n in n..(n + 60).min(KEYS as u32) {
                        batch.delete(key(who, n));
                        own.remove(&n);
                    }
                    self.timed(&self.writes, || self.db.write(batch));
                }
                _ => {
                    self.timed(&self.writes, || self.db.put(key(who, n), value(who, n, stamp)));
                    own.insert(n, stamp);
                }
            }
        }
    }

    fn read(&self) {
        let mut random = Random::new(self.seed + 100);
        while self.goes_on() {
            let from = key(random.below(WRITERS), random.below(KEYS) as u32);
            if random.one_in(10) {
                let some = || self.db.range(&from[..]..).take(200).collect::<siltstone::Result<Vec<_>>>();
                let found = self.timed(&self.reads, some);
                assert!(found.is_sorted_by(|a, b| a.0 < b.0));
                found.iter().for_each(|(_, value)| _ = stamp_of(value));
            } else if let Some(value) = self.timed(&self.reads, || self.db.get(&from)) {
                stamp_of(&value);
            }
        }
    }

    /// Keeps up to four snapshots, each with a half-read iterator, and looks at them again before it lets them go.
    fn hold(&self) {
        let mut random = Random::new(self.seed + 200);
        let mut held = Vec::new();
        while self.goes_on() {
            let snapshot = self.db.snapshot();
            let from = key(random.below(WRITERS), random.below(KEYS) as u32);
            let first = snapshot.get(&from).unwrap();
            let mut entries = snapshot.iter();
            let begun = entries.by_ref().take(random.below(500)).count();
            held.push((snapshot, from, first, entries, begun));
            thread::sleep(Duration::from_millis(random.below(60) as u64));
            if held.len() > 4 {
                let (snapshot, from, first, entries, begun) = held.swap_remove(random.below(held.len()));
                let again = self.timed(&self.reads, || snapshot.get(&from));
                assert_eq!(again, first, "a snapshot has moved");
                let rest = entries.inspect(|entry| _ = stamp_of(&entry.as_ref().unwrap().1)).count();
                assert_eq!(begun + rest, snapshot.iter().count(), "an iterator and its snapshot differ");
            }
        }
    }
}
