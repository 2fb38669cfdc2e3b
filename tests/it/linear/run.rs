//! One history: threads work, the database ends in one way or another, and threads go on with what the next open finds.
//!
//! The schedule differs from run to run, and the answer of the checker holds for every one of them. What is decided by the
//! seed: options, threads, what each does, and how each life of the database ends.
//!
//! (R1) A power cut is at a chosen file operation, wherever in a write, a flush or a compaction that is. Of the moment it
//!      came at is known a ticket that was taken before ([`Cut::before`]) and one after; what was answered before the first
//!      is in the image if it was durable, what was called after the second is not.

use super::checker::{Action, History, NEVER, Op, Pair, Tickets};
use super::engine::{Engine, Form, KEYS, Look, Plan, Reading};
use crate::support::{Random, buffer_of, least_memory};
use siltstone::vfs::mem::{CrashPolicy, MemVfs};
use siltstone::{Compression, Db, Durability, Error, Options};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What came of a run, besides being right.
#[derive(Default, Clone, Copy)]
pub struct Totals {
    pub ops: u64,
    pub flushes: u64,
    pub compactions: u64,
    pub crashes: u64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Totals) {
        self.ops += other.ops;
        self.flushes += other.flushes;
        self.compactions += other.compactions;
        self.crashes += other.crashes;
    }
}

/// How a life of the database ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// A thread closes it under the hands of the others.
    Close,
    /// As by `kill -9`: what the operating system has survives.
    Kill,
    PowerCut(CrashPolicy),
}

/// Runs one history of about `ops` operations and checks it.
pub fn run<E: Engine>(seed: u64, ops: u64, wrap: impl Fn(Db) -> E) -> Result<Totals, String> {
    let mut random = Random::new(seed);
    let options = options(&mut random);
    let (threads, lives) = (2 + random.below(4), 1 + random.below(4));
    let each = ops / (threads * lives) as u64;
    let keys = 1 + random.below(KEYS.len());
    let (mut vfs, tickets, mut history) = (MemVfs::new(), Tickets::default(), History::default());
    let mut totals = Totals::default();
    tickets.next();
    for _ in 0..lives {
        let end = match random.below(8) {
            0 => End::Close,
            1 => End::Kill,
            _ => End::PowerCut(*random.pick(&CrashPolicy::EVERY)),
        };
        let db = wrap(options.clone().vfs(Arc::new(vfs.clone())).open("/db").unwrap());
        let cut = Cut::new(&vfs, &tickets, &mut random, end, each * threads as u64 * 4);
        let own = random.next() >> 1;
        let work = |who: usize| {
            let random = Random::new(own + who as u64);
            Worker {
                who,
                keys,
                random,
                db: &db,
                tickets: &tickets,
                cut: &cut,
                ops: Vec::new(),
                looks: Vec::new(),
            }
        };
        let done = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(work).collect();
            let threads: Vec<_> = workers.into_iter().map(|w| scope.spawn(move || w.work(each))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let stats = db.db().stats();
        (totals.flushes, totals.compactions) =
            (totals.flushes + stats.flushes, totals.compactions + stats.compactions);
        totals.crashes += u64::from(end != End::Close);
        vfs = cut.finish(&vfs, &tickets, done, &mut history);
    }
    history.ops.push(last_look(&wrap(options.vfs(Arc::new(vfs)).open("/db").unwrap()), &tickets));
    totals.ops = history.ops.len() as u64;
    history.check().map_err(|why| format!("{why}\ncrashes at {:?}", history.crashes))?;
    Ok(totals)
}

/// Buffers and tables so small that something is flushed and compacted at every moment.
fn options(random: &mut Random) -> Options {
    let compression = *random.pick(&[Compression::None, Compression::Lz4, Compression::Zstd(1)]);
    Options::default()
        .memtable_bytes(*random.pick(&[1 << 10, buffer_of(3), buffer_of(20), 8 << 10]))
        .table_bytes(*random.pick(&[300, 1 << 10, 64 << 10]))
        .block_bytes(*random.pick(&[1, 200, 4 << 10]))
        .memory_budget(*random.pick(&[least_memory(4 << 10), 8 << 20]))
        .filter_bits(*random.pick(&[0, 1, 10]))
        .level_ratio(*random.pick(&[2, 10]))
        .compression(compression)
}

/// The end of a life: when it comes, and what is known of when it came.
struct Cut {
    end: End,
    vfs: MemVfs,
    /// The file operation before which the image is taken.
    at: u64,
    /// A moment at which it had not come.
    before: AtomicU64,
    /// Threads are to stop.
    come: AtomicBool,
    /// At the same time, when one of them closes: after so many of its operations.
    close_after: u64,
}

impl Cut {
    /// The end comes within `most` file operations, if there are so many.
    fn new(vfs: &MemVfs, tickets: &Tickets, random: &mut Random, end: End, most: u64) -> Cut {
        // It may come before any thread looks, but not before this life began.
        let before = tickets.next();
        let at = vfs.op_count() + random.next() % most;
        match end {
            End::Close => {}
            End::Kill => vfs.schedule_crash(at, CrashPolicy::All, random.next()),
            End::PowerCut(policy) => vfs.schedule_crash(at, policy, random.next()),
        }
        let (before, come) = (before.into(), AtomicBool::new(false));
        Cut { end, vfs: vfs.clone(), at, before, come, close_after: random.below(100) as u64 }
    }

    /// Whether an answered write of this durability survives.
    fn survives(&self, durability: Durability) -> bool {
        durability == Durability::Sync || !matches!(self.end, End::PowerCut(_))
    }

    /// Called by every thread between two operations.
    fn look(&self, tickets: &Tickets) {
        let now = tickets.next();
        if self.end != End::Close {
            if self.vfs.op_count() < self.at {
                self.before.fetch_max(now, Ordering::AcqRel);
            } else {
                self.come.store(true, Ordering::Release);
            }
        }
    }

    /// Adds what the threads did to the history, and gives the files that the next open finds.
    fn finish(&self, vfs: &MemVfs, tickets: &Tickets, done: Vec<Op>, history: &mut History) -> MemVfs {
        let after = tickets.next();
        let image = vfs.take_crash_image();
        let crash = match (self.end, &image) {
            (End::Close, _) | (_, None) => after,
            _ => self.before.load(Ordering::Acquire),
        };
        // Called before the image was taken, or perhaps not: of these it is not known whether they are in it (R1).
        let called = |mut op: Op| {
            if op.call >= crash {
                (op.call, op.answer) = (crash - 1, NEVER);
            }
            op
        };
        history.ops.extend(done.into_iter().map(called));
        history.crashes.push(crash);
        match (self.end, image) {
            (End::Close, _) => vfs.clone(),
            (_, Some(image)) => image,
            (End::PowerCut(policy), None) => vfs.crash_image(policy, after),
            (End::Kill, None) => vfs.crash_image(CrashPolicy::All, after),
        }
    }
}

/// All keys, by a thread of its own.
fn last_look(db: &impl Engine, tickets: &Tickets) -> Op {
    let keys: Vec<u32> = (0..KEYS.len() as u32).collect();
    let call = tickets.next();
    let found = db.look(Form::Scan, &keys).and_then(|look| look()).unwrap();
    Op { who: 99, call, answer: tickets.next(), action: Action::Read(found), durable: false }
}

/// One thread.
struct Worker<'a, E> {
    who: usize,
    keys: usize,
    random: Random,
    db: &'a E,
    tickets: &'a Tickets,
    cut: &'a Cut,
    ops: Vec<Op>,
    /// Moments that were chosen and not yet looked at, and when that was.
    looks: Vec<(u64, u64, Look)>,
}

impl<E: Engine> Worker<'_, E> {
    fn work(mut self, most: u64) -> Vec<Op> {
        for n in 0..most {
            if self.cut.come.load(Ordering::Acquire) {
                break;
            }
            if self.step(n).is_none() {
                // Closed by another thread: what was under way was not answered.
                break;
            }
            self.cut.look(self.tickets);
        }
        self.looks.clear();
        self.ops
    }

    /// One operation; `None` when the database is closed.
    fn step(&mut self, n: u64) -> Option<()> {
        if self.cut.end == End::Close && self.who == 0 && n == self.cut.close_after {
            self.db.db().close().unwrap();
            return None;
        }
        match self.random.below(100) {
            0..45 => self.write(n),
            45..70 => self.look(),
            70..85 => self.transact(n),
            85..95 => self.look_at_one(),
            95..97 => self.sync(|db| db.sync()),
            97..99 => self.sync(|db| db.flush()),
            _ => self.sync(|db| db.compact_range::<&[u8]>(..)),
        }
    }

    fn some_keys(&mut self, one: bool) -> Vec<u32> {
        let first = self.random.below(self.keys) as u32;
        if one {
            return vec![first];
        }
        (0..self.keys as u32).filter(|key| *key == first || self.random.one_in(2)).collect()
    }

    /// New values for some keys, and what they should survive.
    fn some_writes(&mut self, n: u64) -> (Vec<Pair>, Durability) {
        let one = self.random.one_in(2);
        let number = (self.who as u64 + 1) << 40 | self.tickets.now() << 16 | n;
        let keys = self.some_keys(one);
        let delete = |random: &mut Random| random.one_in(5);
        let pairs = keys.iter().map(|key| (*key, (!delete(&mut self.random)).then_some(number))).collect();
        let interval = Durability::Interval(Duration::from_millis(1));
        (pairs, *self.random.pick(&[Durability::Sync, Durability::Sync, Durability::Os, interval]))
    }

    /// A transaction. One that conflicts has seen something all the same.
    fn transact(&mut self, n: u64) -> Option<()> {
        let (writes, durability) = self.some_writes(n);
        let writes = if self.random.one_in(8) { Vec::new() } else { writes };
        let random = &mut self.random;
        let reads = (0..1 + random.below(2)).map(|_| match random.one_in(2) {
            true => Reading::Get(random.below(self.keys) as u32),
            false => Reading::Walk { backwards: random.one_in(2), pairs: 1 + random.below(self.keys) },
        });
        let plan = Plan { reads: reads.collect(), writes, durability };
        let call = self.tickets.next();
        let (seen, end) = open(self.db.try_transact(&plan))?;
        let answer = self.answer(&end);
        let action = match end {
            Ok(false) => Action::Read(seen),
            _ => Action::Transact(seen, plan.writes),
        };
        let durable =
            self.cut.survives(durability) && matches!(&action, Action::Transact(_, w) if !w.is_empty());
        self.ops.push(Op { who: self.who, call, answer, action, durable });
        open(end).map(drop)
    }

    fn write(&mut self, n: u64) -> Option<()> {
        let (pairs, durability) = self.some_writes(n);
        let call = self.tickets.next();
        let written = self.db.write_pairs(&pairs, durability);
        let answer = self.answer(&written);
        let durable = self.cut.survives(durability);
        self.ops.push(Op { who: self.who, call, answer, action: Action::Write(pairs), durable });
        open(written)
    }

    /// The moment of an answer, or that there was none.
    fn answer<T>(&self, outcome: &siltstone::Result<T>) -> u64 {
        if outcome.is_ok() { self.tickets.next() } else { NEVER }
    }

    fn look(&mut self) -> Option<()> {
        let form = *self.random.pick(&[
            Form::Get,
            Form::Get,
            Form::MultiGet,
            Form::Snapshot,
            Form::SnapshotScan,
            Form::Scan,
            Form::ReverseScan,
        ]);
        let keys = self.some_keys(form == Form::Get);
        let call = self.tickets.next();
        let look = self.db.look(form, &keys);
        let answer = self.answer(&look);
        self.looks.push((call, answer, open(look)?));
        if self.random.one_in(2) || self.looks.len() > 4 { self.look_at_one() } else { Some(()) }
    }

    /// Reads what one of the moments held. It was chosen then, so then is when it was read.
    fn look_at_one(&mut self) -> Option<()> {
        if self.looks.is_empty() {
            return Some(());
        }
        let at = self.random.below(self.looks.len());
        let (call, answer, look) = self.looks.swap_remove(at);
        let found = open(look())?;
        self.ops.push(Op { who: self.who, call, answer, action: Action::Read(found), durable: false });
        Some(())
    }

    fn sync(&mut self, sync: impl Fn(&Db) -> siltstone::Result<()>) -> Option<()> {
        let call = self.tickets.next();
        let done = sync(self.db.db());
        let answer = self.answer(&done);
        self.ops.push(Op { who: self.who, call, answer, action: Action::Sync, durable: false });
        open(done)
    }
}

/// What an operation gave; `None` when the database was closed. Nothing else may fail.
fn open<T>(outcome: siltstone::Result<T>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(Error::Closed) => None,
        Err(other) => panic!("{other}"),
    }
}
