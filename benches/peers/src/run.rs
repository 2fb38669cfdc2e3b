//! The workloads themselves: one function each, over any engine, everything checked.
//!
//! (R1) Draws come from a seed and the round, so every engine of a round gets the same operations in the same order.
//! (R2) Every value read is held against its key, every scan against the order and number of its entries. A database
//! is scanned in full, outside the measurement, at the end of each group that wrote to it.

use crate::data::{self, ENTRY_BYTES, Key, Permutation, Value};
use crate::engine::{Direction, Engine, Scan};
use crate::workload::{Group, Workload};
use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use quanta::Clock;
use siltstone_peers::measure::Laps;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Entries of a batch in fillbatch.
const BATCH: usize = 100;
/// Entries a short scan visits.
const SCAN: usize = 10;
/// Threads of fillsync8.
const SYNC_THREADS: u64 = 8;

/// How much is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Entries of the database.
    pub n: u64,
    /// Reads of a workload that draws keys to read.
    pub reads: u64,
    /// Where all draws start.
    pub seed: u64,
}

/// What was done.
pub struct Done {
    /// Operations; an entry of a batch counts as one, and so does a short scan.
    pub ops: u64,
    /// Time from the first to the last.
    pub elapsed: Duration,
    /// Latencies, where an operation is worth a reading of the clock.
    pub latencies: Option<Histogram<u64>>,
    /// Puts of the writer that ran beside.
    pub writes_beside: Option<u64>,
}

impl Done {
    /// Bytes of keys and values handed to the engine to be written.
    pub fn user_bytes(&self, workload: Workload) -> u64 {
        let written = match workload {
            Workload::DeleteRandom => return self.ops * data::KEY_LEN as u64,
            Workload::ReadWhileWriting => self.writes_beside.unwrap_or(0),
            other if other.writes() => self.ops,
            _ => 0,
        };
        written * ENTRY_BYTES
    }
}

/// The editions of a value, so that an overwrite does change it.
#[derive(Clone, Copy)]
enum Edition {
    First,
    Overwritten,
    WrittenBeside,
}

impl Load {
    /// Puts that wait for a sync, for each thread. A sync costs a hundred times a put.
    fn syncs(&self) -> u64 {
        (self.n / 500).max(20).min(self.n / (SYNC_THREADS + 1))
    }

    fn draws(&self, workload: Workload) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed ^ ((workload as u64 + 1) << 32))
    }

    fn order(&self) -> Permutation {
        Permutation::new(self.n, self.seed)
    }

    /// Does `workload` on `engine`.
    pub fn run<E: Engine>(&self, engine: &E, clock: &Clock, workload: Workload) -> Result<Done> {
        match workload {
            Workload::FillSeq => self.fill(engine, clock, |index| index),
            Workload::FillRandom => {
                let order = self.order();
                self.fill(engine, clock, |index| order.get(index))
            }
            Workload::FillBatch => self.fill_batch(engine, clock),
            Workload::Overwrite => self.overwrite(engine, clock),
            Workload::DeleteRandom => self.delete(engine, clock),
            Workload::ReadRandom => self.read(engine, clock, workload),
            Workload::ReadMissing => self.read_missing(engine, clock),
            Workload::SeekRandom10 => self.seek(engine, clock),
            Workload::ReadSeq => self.read_all(engine, Direction::Forward),
            Workload::ReadReverse => self.read_all(engine, Direction::Backward),
            Workload::ReadWhileWriting => self.read_while_writing(engine, clock),
            Workload::FillSync1 => self.fill_sync(engine, clock, 1, 0),
            Workload::FillSync8 => self.fill_sync(engine, clock, SYNC_THREADS, self.syncs()),
        }
    }

    fn fill<E: Engine>(&self, engine: &E, clock: &Clock, number_at: impl Fn(u64) -> u64) -> Result<Done> {
        timed(clock, self.n, |laps| {
            for index in 0..self.n {
                put(engine, number_at(index), Edition::First)?;
                laps.lap();
            }
            Ok(())
        })
    }

    fn fill_batch<E: Engine>(&self, engine: &E, clock: &Clock) -> Result<Done> {
        let order = self.order();
        let mut batch: Vec<(Key, Value)> = Vec::with_capacity(BATCH);
        timed(clock, self.n, |laps| {
            for start in (0..self.n).step_by(BATCH) {
                batch.clear();
                let numbers = (start..self.n.min(start + BATCH as u64)).map(|index| order.get(index));
                batch.extend(numbers.map(|number| (data::key(number), data::value(number, 0))));
                engine.put_batch(&batch)?;
                laps.lap();
            }
            Ok(())
        })
    }

    fn overwrite<E: Engine>(&self, engine: &E, clock: &Clock) -> Result<Done> {
        let mut draws = self.draws(Workload::Overwrite);
        timed(clock, self.n, |laps| {
            for _ in 0..self.n {
                put(engine, draws.u64(..self.n), Edition::Overwritten)?;
                laps.lap();
            }
            Ok(())
        })
    }

    fn delete<E: Engine>(&self, engine: &E, clock: &Clock) -> Result<Done> {
        let mut draws = self.draws(Workload::DeleteRandom);
        timed(clock, self.n, |laps| {
            for _ in 0..self.n {
                engine.delete(&data::key(draws.u64(..self.n)))?;
                laps.lap();
            }
            Ok(())
        })
    }

    fn read<E: Engine>(&self, engine: &E, clock: &Clock, workload: Workload) -> Result<Done> {
        let mut draws = self.draws(workload);
        timed(clock, self.reads, |laps| {
            for _ in 0..self.reads {
                get(engine, draws.u64(..self.n))?;
                laps.lap();
            }
            Ok(())
        })
    }

    fn read_missing<E: Engine>(&self, engine: &E, clock: &Clock) -> Result<Done> {
        let mut draws = self.draws(Workload::ReadMissing);
        timed(clock, self.reads, |laps| {
            for _ in 0..self.reads {
                let number = draws.u64(..self.n);
                let found = engine.get(&data::missing_key(number), |_| ())?;
                ensure!(found.is_none(), "a key before {number} was found that was never written");
                laps.lap();
            }
            Ok(())
        })
    }

    fn seek<E: Engine>(&self, engine: &E, clock: &Clock) -> Result<Done> {
        let mut draws = self.draws(Workload::SeekRandom10);
        let seeks = (self.reads / 5).max(1);
        timed(clock, seeks, |laps| {
            for _ in 0..seeks {
                let number = draws.u64(..self.n);
                let from = data::key(number);
                let scan = Scan { from: Some(&from), direction: Direction::Forward, limit: SCAN };
                let mut next = number;
                engine.scan(scan, |key, value| {
                    check_entry(key, value, next)?;
                    next += 1;
                    Ok(())
                })?;
                ensure!(next == self.n.min(number + SCAN as u64), "a scan from {number} ended before {next}");
                laps.lap();
            }
            Ok(())
        })
    }

    fn read_all<E: Engine>(&self, engine: &E, direction: Direction) -> Result<Done> {
        let start = Instant::now();
        let mut seen = 0;
        engine.scan(Scan::all(direction), |key, value| {
            let expected = match direction {
                Direction::Forward => seen,
                Direction::Backward => self.n.saturating_sub(seen + 1),
            };
            seen += 1;
            check_entry(key, value, expected)
        })?;
        let elapsed = start.elapsed();
        ensure!(seen == self.n, "a full scan saw {seen} of {} entries", self.n);
        Ok(Done { ops: seen, elapsed, latencies: None, writes_beside: None })
    }

    fn read_while_writing<E: Engine>(&self, engine: &E, clock: &Clock) -> Result<Done> {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut draws = self.draws(Workload::Overwrite);
                let mut writes = 0;
                while !done.load(Ordering::Relaxed) {
                    put(engine, draws.u64(..self.n), Edition::WrittenBeside)?;
                    writes += 1;
                }
                Ok(writes)
            });
            let read = self.read(engine, clock, Workload::ReadWhileWriting);
            done.store(true, Ordering::Relaxed);
            let writes: Result<u64> = joined(writer);
            Ok(Done { writes_beside: Some(writes?), ..read? })
        })
    }

    /// Each of `threads` puts keys of its own, from place `first` of the random order on.
    fn fill_sync<E: Engine>(&self, engine: &E, clock: &Clock, threads: u64, first: u64) -> Result<Done> {
        let syncs = self.syncs();
        let order = self.order();
        let ready = Barrier::new(threads as usize + 1);
        let work = |thread: u64| -> Result<Histogram<u64>> {
            ready.wait();
            let mut laps = Laps::start(clock)?;
            for index in 0..syncs {
                put(engine, order.get(first + thread * syncs + index), Edition::First)?;
                laps.lap();
            }
            Ok(laps.into_histogram())
        };
        std::thread::scope(|scope| {
            let work = &work;
            let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
            ready.wait();
            let start = Instant::now();
            let laps = workers.into_iter().map(joined).collect::<Result<Vec<_>>>()?;
            let elapsed = start.elapsed();
            let mut laps = laps.into_iter();
            let mut all = laps.next().context("there was no thread")?;
            laps.try_for_each(|more| all.add(more))?;
            Ok(Done { ops: threads * syncs, elapsed, latencies: Some(all), writes_beside: None })
        })
    }

    /// Reads at random, unmeasured, so that the first read workload does not pay for an empty cache.
    pub fn warm_up<E: Engine>(&self, engine: &E) -> Result<()> {
        let mut draws = fastrand::Rng::with_seed(!self.seed);
        for _ in 0..self.reads / 2 {
            get(engine, draws.u64(..self.n))?;
        }
        Ok(())
    }

    /// Scans the database that `group` leaves after `workloads`, and holds it against what must be there.
    pub fn verify<E: Engine>(&self, engine: &E, group: Group, workloads: &[Workload]) -> Result<()> {
        let expected = match group {
            Group::Read => return Ok(()),
            Group::Sync => {
                let did = |workload| u64::from(workloads.contains(&workload));
                self.syncs() * (did(Workload::FillSync1) + SYNC_THREADS * did(Workload::FillSync8))
            }
            Group::Update if workloads.contains(&Workload::DeleteRandom) => self.survivors(),
            _ => self.n,
        };
        let mut seen = 0;
        let mut last = None;
        engine.scan(Scan::all(Direction::Forward), |key, value| {
            let number = data::number_of(key);
            ensure!(number > last, "key {number:?} came after key {last:?}");
            check_entry(key, value, number.unwrap_or(u64::MAX))?;
            last = number;
            seen += 1;
            Ok(())
        })?;
        ensure!(seen == expected, "the database has {seen} entries after {workloads:?}, not {expected}");
        Ok(())
    }

    /// How many keys deleterandom leaves.
    fn survivors(&self) -> u64 {
        let mut draws = self.draws(Workload::DeleteRandom);
        let mut there = vec![true; self.n as usize];
        for _ in 0..self.n {
            there[draws.u64(..self.n) as usize] = false;
        }
        there.into_iter().filter(|there| *there).count() as u64
    }
}

/// Does `work` of `ops` operations, with a clock for its laps.
fn timed(clock: &Clock, ops: u64, work: impl FnOnce(&mut Laps) -> Result<()>) -> Result<Done> {
    let mut laps = Laps::start(clock)?;
    let start = Instant::now();
    work(&mut laps)?;
    let elapsed = start.elapsed();
    Ok(Done { ops, elapsed, latencies: Some(laps.into_histogram()), writes_beside: None })
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    match thread.join() {
        Ok(result) => result,
        Err(_) => bail!("a thread of the workload died"),
    }
}

#[inline]
fn put<E: Engine>(engine: &E, number: u64, edition: Edition) -> Result<()> {
    engine.put(&data::key(number), &data::value(number, edition as u64))
}

#[inline]
fn get<E: Engine>(engine: &E, number: u64) -> Result<()> {
    let found = engine.get(&data::key(number), |value| data::belongs(value, number))?;
    ensure!(
        found == Some(true),
        "key {number}: {}",
        if found.is_none() { "not found" } else { "wrong value" }
    );
    Ok(())
}

#[inline]
fn check_entry(key: &[u8], value: &[u8], expected: u64) -> Result<()> {
    ensure!(*key == data::key(expected), "a scan came to key {key:?} instead of {expected}");
    ensure!(data::belongs(value, expected), "a scan found another key's value under {expected}");
    Ok(())
}
