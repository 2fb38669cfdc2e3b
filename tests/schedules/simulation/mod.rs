//! Whole lives of a database from one number: files, faults, power cuts, clock, scheduler and what is done to it.
//!
//! ```text
//! seed ─▶ options ─▶ life ─▶ life ─▶ …          a life: open, judge what is there, clients and their faults, the end
//!                     └─ close, kill, or power cut at any file operation, that of the recovery included
//! ```
//!
//! What is checked is in [`ledger`]; besides that, a life that does not end fails by its number of steps, and one in which all
//! threads wait by itself.

mod client;
mod ledger;

use crate::explore::{from_env, simulate};
use crate::world::{PATH, TICK, World, all};
use client::Client;
use ledger::Ledger;
use shuttle::thread;
use siltstone::vfs::fault::{Effect, Failure, Fault, Op};
use siltstone::vfs::mem::{CrashPolicy, MemVfs};
use siltstone::{Compression, Db, Options};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// How many seeds, unless `SILTSTONE_SIMULATIONS` says otherwise.
const SIMULATIONS: u64 = 300;

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

#[test]
fn a_database_lives_by_its_promises_whatever_happens() {
    let first = from_env("SILTSTONE_SEED", 1);
    for seed in first..first + from_env("SILTSTONE_SIMULATIONS", SIMULATIONS) {
        run(seed);
    }
}

#[test]
fn the_same_seed_does_the_same() {
    for seed in 1..6 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

/// Says which simulation failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the simulation of SILTSTONE_SEED={} failed; SILTSTONE_SIMULATIONS=1 runs it alone",
                self.0
            );
        }
    }
}

/// All lives of a seed; gives how many file operations each took.
fn run(seed: u64) -> Vec<u64> {
    let _seed = Seed(seed);
    let mut random = Random(seed);
    let clients = 1 + random.below(3) as usize;
    let ledger = Arc::new(Mutex::new(Ledger::new(seed, clients)));
    let mut disk = MemVfs::new();
    let mut operations = Vec::new();
    for last in (0..2 + random.below(3)).map(|_| false).chain([true]) {
        let life = Life::new(&mut random, seed, disk, if last { 0 } else { clients });
        let (left, count) = life.live(&ledger);
        disk = left;
        operations.push(count);
    }
    operations
}

/// What is decided about a life before it begins. The last one has no clients and no faults, and is closed.
#[derive(Debug, Clone)]
struct Life {
    random: Random,
    /// Of the whole simulation.
    seed: u64,
    disk: MemVfs,
    clients: usize,
    faults: Vec<Fault>,
    space: Option<u64>,
    /// How a crash leaves the disk, if one comes; `All` is the end of the process alone.
    crash: Option<CrashPolicy>,
    /// Before which file operation it comes, that of the recovery included.
    at: u64,
}

impl Life {
    fn new(random: &mut Random, seed: u64, disk: MemVfs, clients: usize) -> Life {
        let mut random = Random(random.next());
        let restless = clients > 0;
        let crash = (restless && random.below(4) > 0).then(|| random.pick(&CrashPolicy::EVERY));
        let reach = random.pick(&[20, 100, 400]);
        let at = disk.op_count() + random.below(reach);
        let faults = if restless { random.below(3) } else { 0 };
        let faults = (0..faults).map(|_| fault(&mut random)).collect();
        let space = (restless && random.below(6) == 0).then(|| random.below(200_000));
        Life { random, seed, disk, clients, faults, space, crash, at }
    }

    /// Lives it, judging on the way; gives the disk that is left, and how many file operations there were.
    fn live(mut self, ledger: &Arc<Mutex<Ledger>>) -> (MemVfs, u64) {
        if let Some(policy) = self.crash {
            self.disk.schedule_crash(self.at, policy, self.random.next());
        }
        let (disk, at) = (self.disk.clone(), self.at);
        let schedule = self.random.next();
        let lost = Arc::new(AtomicBool::new(false));
        let (inside, lost_inside) = (Arc::clone(ledger), Arc::clone(&lost));
        simulate(schedule, move || self.clone().body(&inside, &lost_inside));
        let operations = disk.op_count();
        let lost = lost.load(Ordering::Relaxed);
        let mut ledger = ledger.lock().unwrap();
        // An operation that an earlier life was to be cut at may have come now.
        match disk.take_crash_images().into_iter().find(|image| image.at_op == at) {
            Some(image) => {
                ledger.end(Some(at), image.policy == CrashPolicy::All && !lost);
                (image.vfs, operations)
            }
            None => {
                ledger.end(None, !lost);
                (disk, operations)
            }
        }
    }

    fn body(mut self, ledger: &Arc<Mutex<Ledger>>, lost: &AtomicBool) {
        let world = Arc::new(World::over(self.disk.clone()));
        let early = self.random.below(2) == 0;
        if early {
            self.disturb(&world);
        }
        let opened = self.options(&world).open(PATH);
        if let Ok(db) = &opened {
            let found = all(db);
            ledger.lock().unwrap().judge(&found);
        }
        if !early {
            self.disturb(&world);
        }
        match opened {
            Ok(db) => self.use_up(db, &world, ledger),
            Err(error) => assert!(world.faults.injected() > 0 || self.space.is_some(), "{error}"),
        }
        // A sync that failed may have lost what was acknowledged without one.
        lost.store(world.faults.injected() > 0, Ordering::Relaxed);
    }

    fn disturb(&self, world: &World) {
        self.faults.iter().for_each(|fault| world.faults.inject(fault.clone()));
        world.faults.set_free_space(self.space);
    }

    fn options(&mut self, world: &World) -> Options {
        let random = &mut self.random;
        world
            .options(random.pick(&[1, 2, 5, 20]))
            .table_bytes(random.pick(&[1 << 10, 64 << 10]))
            .block_bytes(random.pick(&[64, 4096]))
            .level_ratio(random.pick(&[2, 10]))
            .filter_bits(random.pick(&[0, 10]))
            .compression(random.pick(&[Compression::None, Compression::UPPER]))
            .stall_deadline(TICK * random.pick(&[50, 2000]))
    }

    fn use_up(mut self, db: Db, world: &Arc<World>, ledger: &Arc<Mutex<Ledger>>) {
        let threads: Vec<_> = (0..self.clients)
            .map(|index| {
                let client = Client {
                    index,
                    db: db.clone(),
                    world: Arc::clone(world),
                    ledger: Arc::clone(ledger),
                    random: Random(self.random.next()),
                    seed: self.seed,
                    faulty: !self.faults.is_empty() || self.space.is_some(),
                };
                let steps = 4 + self.random.below(12);
                thread::spawn(move || client.work(steps))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        if self.clients == 0 {
            assert!(db.verify().unwrap().is_sound());
        }
        if self.random.below(2) == 0 || self.clients == 0 {
            let visible = ledger.lock().unwrap().visible();
            match db.close() {
                Ok(()) => ledger.lock().unwrap().mark(world.disk.op_count(), true, visible),
                Err(error) => assert!(world.faults.injected() > 0 || self.space.is_some(), "{error}"),
            }
        }
    }
}

/// Something that goes wrong with the files.
fn fault(random: &mut Random) -> Fault {
    let op = random.pick(&[
        Op::Sync,
        Op::Sync,
        Op::Write,
        Op::Write,
        Op::Create,
        Op::Rename,
        Op::Remove,
        Op::SyncDir,
    ]);
    let effect = match op {
        Op::Sync => random.pick(&[Effect::NotDone, Effect::DropUnsynced]),
        Op::Write => random.pick(&[Effect::NotDone, Effect::ShortWrite(random.clone().below(100) as usize)]),
        _ => random.pick(&[Effect::NotDone, Effect::Done]),
    };
    let failure = random.pick(&[Failure::Device, Failure::NoSpace]);
    let fault =
        Fault::nth(random.below(30)).on(op).times(random.pick(&[1, 3])).failing_with(failure).with(effect);
    match random.below(3) {
        0 => fault.named(random.pick(&[".log", ".table"])),
        _ => fault,
    }
}
