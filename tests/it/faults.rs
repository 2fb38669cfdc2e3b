//! Every file operation fails, one at a time, once or from then on, in every way that makes sense for it.
//!
//! A workload with flushes, compactions, rotations of the log and reopenings runs on a file system that fails on command.
//! Whatever fails: nothing panics or hangs; the call that failed says so and names the file; after a failed sync nothing more
//! is acknowledged, while reads go on. Then the file system is healed, and the database opened again: what was acknowledged
//! is there, a write that failed is there or not, whole or not at all; and what is there then stays, also over a power cut.
//!
//! A disk that runs full is the same with a budget instead of a rule: reads go on, and writes do again once there is space.
//!
//! The first workload is written down here; of those that follow, a seed decides about the order of the steps. A case that does not end within a minute is named and ends the process.

mod full_disk;
mod small_disk;
mod threads;
mod workload;

use self::workload::{put, workload};
use crate::history::{Map, Step, Write, apply, assert_same, brief, delete_range, scan, transact, write};
use crate::support::{from_env, on_all_cores};
use siltstone::vfs::fault::{Effect, Failure, Fault, FaultVfs, Op};
use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::{Background, Db, Durability, Error, Options};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

const OPS: [Op; 12] = [
    Op::Open,
    Op::Create,
    Op::Read,
    Op::Write,
    Op::SetLen,
    Op::Sync,
    Op::Map,
    Op::SyncDir,
    Op::Rename,
    Op::Remove,
    Op::Look,
    Op::Lock,
];

/// What can go wrong with an operation.
fn ways(op: Op) -> Vec<(Failure, Effect)> {
    use Effect::{Done, DropUnsynced, NotDone, ShortRead, ShortWrite};
    use Failure::{Denied, Device, Interrupted, NoSpace, TooManyFiles};
    match op {
        Op::Write => vec![
            (Device, NotDone),
            (Device, Done),
            (Device, ShortWrite(50)),
            (NoSpace, NotDone),
            (NoSpace, Done),
            (NoSpace, ShortWrite(30)),
            (Interrupted, ShortWrite(9)),
        ],
        Op::Sync => vec![(Device, NotDone), (Device, Done), (Device, DropUnsynced), (NoSpace, DropUnsynced)],
        Op::SyncDir => {
            vec![(Device, NotDone), (Device, Done), (NoSpace, NotDone), (TooManyFiles, NotDone)]
        }
        Op::SetLen => vec![(Device, NotDone), (Device, Done), (NoSpace, NotDone)],
        Op::Create => vec![(Device, NotDone), (Denied, NotDone), (TooManyFiles, NotDone), (NoSpace, NotDone)],
        Op::Open => vec![(Device, NotDone), (Denied, NotDone), (TooManyFiles, NotDone)],
        Op::Read => vec![(Device, NotDone), (Device, ShortRead), (Interrupted, NotDone)],
        Op::Rename => vec![(Device, NotDone), (Device, Done), (NoSpace, NotDone)],
        Op::Remove => vec![(Device, NotDone), (Device, Done), (Denied, NotDone)],
        _ => vec![(Device, NotDone), (Denied, NotDone)],
    }
}

#[test]
fn any_operation_may_fail() {
    let goal = from_env("SILTSTONE_FAULTS", 4000);
    let silent = AtomicU64::new(0);
    let injections =
        on_all_cores(from_env("SILTSTONE_SEED", 0), goal, |seed| fail_each_operation(seed, &silent));
    println!("{injections} failures injected, {} of them into work that nobody needed", silent.into_inner());
}

/// Fails every operation of one workload in every way; gives how many failures that were.
fn fail_each_operation(seed: u64, silent: &AtomicU64) -> u64 {
    let watchdog = Watchdog::start();
    let mut injections = 0;
    for durability in [Durability::Sync, Durability::Os] {
        for op in OPS {
            for (failure, effect) in ways(op) {
                for forever in [false, true] {
                    // No interruption lasts for ever. What was never synced may go without anybody's failing.
                    let lost = effect == Effect::DropUnsynced && durability == Durability::Os;
                    if lost || (forever && failure == Failure::Interrupted) {
                        continue;
                    }
                    for nth in 0.. {
                        let case = Case { seed, durability, op, nth, failure, effect, forever };
                        watchdog.watch(&case);
                        match case.check() {
                            Injected::No => break,
                            Injected::Reported => {}
                            Injected::Silent => drop(silent.fetch_add(1, Ordering::Relaxed)),
                        }
                        injections += 1;
                    }
                }
            }
        }
    }
    injections
}

#[derive(Debug, Clone, Copy)]
struct Case {
    /// Which workload.
    seed: u64,
    durability: Durability,
    op: Op,
    nth: u64,
    failure: Failure,
    effect: Effect,
    forever: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Injected {
    No,
    Silent,
    Reported,
}

fn options(vfs: &FaultVfs, durability: Durability) -> Options {
    Options::default()
        .vfs(Arc::new(vfs.clone()))
        .clock(Arc::new(SimClock::new(1)))
        .background(Background::Stepped)
        .durability(durability)
        .memtable_bytes(1 << 10)
        .table_bytes(300)
        .block_bytes(100)
        .level_ratio(2)
}

impl Case {
    fn fault(&self) -> Fault {
        let fault = Fault::nth(self.nth).on(self.op).failing_with(self.failure).with(self.effect);
        if self.forever { fault.forever() } else { fault }
    }

    fn check(&self) -> Injected {
        let mem = MemVfs::new();
        let vfs = FaultVfs::over_mem(mem.clone());
        vfs.inject(self.fault());
        let mut run = Run::new(self, mem, vfs);
        run.workload();
        run.read_while_failing();
        let injected = run.vfs.injected() > 0;
        run.vfs.heal();
        run.read_when_healed();
        if self.durability == Durability::Sync {
            run.check_after_power_cuts("without reopening");
        }
        run.reopen_healed();
        if !injected {
            assert!(run.errors.is_empty(), "{self:?}: {:?}", run.errors);
            return Injected::No;
        }
        // Retried at once; put off; or asked of a folder above ours, which is there also when we may not read it.
        let harmless = match self.op {
            Op::Read => self.effect == Effect::ShortRead || self.failure == Failure::Interrupted,
            Op::Remove => true,
            Op::Look => self.failure == Failure::Denied,
            _ => false,
        };
        assert!(!run.errors.is_empty() || harmless || run.background.is_some(), "{self:?}: nobody was told");
        if run.errors.is_empty() { Injected::Silent } else { Injected::Reported }
    }
}

/// A workload under way.
struct Run<'a> {
    case: &'a Case,
    mem: MemVfs,
    /// The same, but it fails.
    vfs: FaultVfs,
    db: Option<Db>,
    /// The states that are possible now: each write that failed happened or did not.
    possible: Vec<Map>,
    errors: Vec<Error>,
    background: Option<String>,
    /// Some call was refused because an earlier one had failed.
    read_only: bool,
}

impl Run<'_> {
    fn new(case: &Case, mem: MemVfs, vfs: FaultVfs) -> Run<'_> {
        let (possible, errors) = (vec![Map::new()], Vec::new());
        Run { case, mem, vfs, db: None, possible, errors, background: None, read_only: false }
    }

    fn workload(&mut self) {
        if !self.open() {
            return;
        }
        let mut steps = workload(self.case.seed).into_iter();
        // After some failures nothing new is learnt, but the number of possible states doubles with each write.
        while self.errors.len() < 5
            && let Some(step) = steps.next()
        {
            self.step(&step);
            if self.db.is_none() {
                return;
            }
        }
    }

    fn open(&mut self) -> bool {
        match options(&self.vfs, self.case.durability).open("/db") {
            Ok(db) => self.db = Some(db),
            Err(e) => self.failed(e),
        }
        self.read_only = false;
        self.db.is_some()
    }

    fn step(&mut self, step: &Step) {
        let db = self.db.as_ref().unwrap().clone();
        let before = self.vfs.injected();
        let outcome = match step {
            Step::Write(writes, durability) | Step::Transact(writes, durability) => {
                let act = if matches!(step, Step::Transact(..)) { transact } else { write };
                let outcome = act(&db, writes, *durability);
                self.wrote(writes, outcome.is_ok());
                if let Err(Error::DiskFull { .. }) = outcome {
                    self.assert_unseen(&db, writes);
                }
                outcome
            }
            Step::DeleteRange(keys) => {
                let outcome = delete_range(&db, keys);
                self.wrote(keys, outcome.is_ok());
                outcome
            }
            Step::Sync => db.sync(),
            Step::Flush => db.flush(),
            Step::Compact => db.compact_range::<&[u8]>(..),
            Step::Reopen => {
                // The only handle: with others there, tables are opened for iterators, and nobody needs to hear of failures.
                self.db = None;
                let closed = db.close();
                self.note_told(&db);
                drop(db);
                // The lock is free whether or not closing went well.
                if let Err(e) = closed {
                    self.failed(e);
                }
                self.open();
                return;
            }
            Step::Wait(_) => return,
        };
        if self.read_only {
            assert!(
                matches!(outcome, Err(Error::ReadOnly { .. })),
                "{:?}: {outcome:?} though read-only",
                self.case
            );
        }
        self.note_told(&db);
        if let Err(e) = outcome {
            self.failed(e);
        }
        // A write to the log or the manifest that failed for another reason than space leaves open what they hold.
        let of_log = |path: &Path| path.extension().is_some_and(|end| end == "log" || end == "manifest");
        let writing = self.errors.last().is_some_and(
            |e| matches!(e, Error::Io { op: "write" | "set the length of", path, .. } if of_log(path)),
        );
        let syncing = matches!(self.case.op, Op::Sync | Op::SyncDir) && self.case.failure == Failure::Device;
        if (syncing || writing) && self.vfs.injected() > before {
            self.read_only = true;
            assert!(db.stats().read_only.is_some(), "{:?}: goes on after a failure", self.case);
            assert!(matches!(db.put("no", "more"), Err(Error::ReadOnly { .. })), "{:?}", self.case);
        }
    }

    /// Notes what failed behind the scenes.
    fn note_told(&mut self, db: &Db) {
        let told = db.stats().last_background_error.map(|trouble| trouble.to_string());
        self.background = self.background.take().or(told);
    }

    fn wrote(&mut self, writes: &Write, done: bool) {
        let without = self.possible.clone();
        self.possible.iter_mut().for_each(|map| apply(map, writes));
        if !done && !self.read_only {
            self.possible.extend(without);
        } else if !done {
            self.possible = without;
        }
    }

    /// Nothing is visible of a write that found no space. Each value is written once.
    fn assert_unseen(&self, db: &Db, writes: &Write) {
        for (key, value) in writes.iter().filter(|(_, value)| value.is_some()) {
            assert!(
                db.get(key).unwrap().as_deref() != value.as_deref(),
                "{:?}: refused, yet there",
                self.case
            );
        }
    }

    fn failed(&mut self, e: Error) {
        let text = e.to_string();
        assert!(text.contains("/db") || text.contains(" /:"), "{:?}: no file is named: {e}", self.case);
        assert!(!matches!(e, Error::Locked { .. } | Error::Corruption(_)), "{:?}: {e}", self.case);
        self.read_only |= matches!(e, Error::ReadOnly { .. });
        self.errors.push(e);
    }

    fn read_while_failing(&mut self) {
        let Some(db) = &self.db else { return };
        match scan(db) {
            Ok(found) => self.assert_possible(&found, "while failing"),
            Err(e) => {
                assert!(e.to_string().contains("/db") && !e.is_corruption(), "{:?}: {e}", self.case);
                assert!(
                    matches!(self.case.op, Op::Open | Op::Read | Op::Map | Op::Look),
                    "{:?}: {e}",
                    self.case
                );
                self.errors.push(e);
            }
        }
    }

    fn read_when_healed(&mut self) {
        let Some(db) = &self.db else { return };
        let found = scan(db).unwrap_or_else(|e| panic!("{:?}: reading when healed: {e}", self.case));
        self.assert_possible(&found, "when healed");
        for (key, value) in &found {
            assert_eq!(db.get(key).unwrap().unwrap(), *value, "{:?}", self.case);
        }
    }

    #[track_caller]
    fn assert_possible(&self, found: &Map, when: &str) {
        let list: Vec<String> = self.possible.iter().map(brief).collect();
        let holds = || format!("holds {}\nbut possible are\n{}", brief(found), list.join("\n"));
        assert!(self.possible.contains(found), "{:?}: {when} it {}", self.case, holds());
    }

    fn check_after_power_cuts(&self, when: &str) {
        for policy in [CrashPolicy::Strict, CrashPolicy::Reorder] {
            let image = self.mem.crash_image(policy, self.case.nth);
            let vfs = FaultVfs::over_mem(image);
            let db = options(&vfs, Durability::Sync).open("/db");
            let db = db.unwrap_or_else(|e| panic!("{:?}: a power cut {when}, {policy:?}: {e}", self.case));
            self.assert_possible(&scan(&db).unwrap(), &format!("after a power cut {when}, {policy:?},"));
        }
    }

    /// Opens what the failures left, with power cuts on the way, and goes on.
    fn reopen_healed(&mut self) {
        if let Some(db) = self.db.take() {
            let read_only = db.stats().read_only.is_some();
            let closed = db.close();
            assert!(closed.is_ok() || read_only, "{:?}: closing when healed: {closed:?}", self.case);
            assert!(matches!(db.put("a", "b"), Err(Error::Closed)));
        }
        let start = self.mem.op_count();
        if self.case.durability == Durability::Sync && self.case.nth.is_multiple_of(3) {
            let policies = [CrashPolicy::Strict, CrashPolicy::Reorder];
            self.mem.schedule_crashes(start..start + 60, &policies, self.case.nth);
        }
        let db = options(&self.vfs, self.case.durability).open("/db");
        let db = db.unwrap_or_else(|e| panic!("{:?}: reopening when healed: {e}", self.case));
        let mut found = scan(&db).unwrap();
        self.assert_possible(&found, "when reopened");
        // From here on there is one truth, and it outlives a power cut.
        for image in self.mem.take_crash_images() {
            let vfs = FaultVfs::over_mem(image.vfs);
            let db = options(&vfs, Durability::Sync).open("/db");
            let what = || {
                format!("{:?}: a power cut at {} of reopening, {:?}", self.case, image.at_op, image.policy)
            };
            let db = db.unwrap_or_else(|e| panic!("{}: {e}", what()));
            self.assert_possible(&scan(&db).unwrap(), &what());
        }
        for n in 0..6 {
            let more = put(&format!("k{n}"), n + 50);
            write(&db, &more, Some(Durability::Sync))
                .unwrap_or_else(|e| panic!("{:?}: writing on: {e}", self.case));
            apply(&mut found, &more);
        }
        self.possible = vec![found.clone()];
        self.check_after_power_cuts("after reopening");
        db.close().unwrap();
        let db = options(&self.vfs, self.case.durability).open("/db").unwrap();
        assert!(db.recovery().clean);
        assert_same(&scan(&db).unwrap(), &found, &|| format!("{:?}: closed and opened", self.case));
        assert!(db.verify().unwrap().is_sound());
    }
}

/// Ends the process when a case takes too long: a hang would otherwise say nothing.
struct Watchdog {
    cases: Sender<String>,
}

impl Watchdog {
    fn start() -> Watchdog {
        let (cases, received) = channel::<String>();
        std::thread::spawn(move || {
            let mut last = String::new();
            loop {
                match received.recv_timeout(Duration::from_secs(60)) {
                    Ok(case) => last = case,
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        eprintln!("no end of {last}");
                        std::process::abort();
                    }
                }
            }
        });
        Watchdog { cases }
    }

    fn watch(&self, case: &dyn std::fmt::Debug) {
        self.cases.send(format!("{case:?}")).unwrap();
    }
}
