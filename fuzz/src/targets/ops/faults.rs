//! A workload on a file system that begins to fail, runs full, and is healed, at moments that the fuzzer chooses.

use super::{Choice, Doing};
use crate::choices::Rest;
use crate::history::{Map, Step, Write, apply, brief, delete_range, scan, transact, write};
use arbitrary::{Arbitrary, Unstructured};
use siltstone::vfs::fault::{Effect, Failure, Fault, FaultVfs, Op};
use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::{Db, Durability, Error, Options};
use std::sync::Arc;

/// No workload has more steps, or goes on after more errors: each write that fails doubles what is possible.
const STEPS: usize = 60;
const ERRORS: usize = 5;

#[derive(Debug, Arbitrary)]
struct Input {
    choice: Choice,
    /// Also the first open may fail.
    at_once: Option<Rule>,
    steps: Rest<Event, STEPS>,
}

#[derive(Debug)]
enum Event {
    Do(Doing),
    /// From now on something fails.
    Break(Rule),
    /// From now on there is so much space left, in units of 64 bytes.
    Fill(u8),
    Heal,
}

impl<'a> Arbitrary<'a> for Event {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Event> {
        Ok(match u8::arbitrary(u)? % 16 {
            0..11 => Event::Do(u.arbitrary()?),
            11..14 => Event::Break(u.arbitrary()?),
            14 => Event::Fill(u.arbitrary()?),
            _ => Event::Heal,
        })
    }
}

/// Of the operations that match, so many pass, and then so many fail.
#[derive(Debug, Clone, Copy, Arbitrary)]
struct Rule {
    op: u8,
    file: u8,
    nth: u8,
    times: u8,
    failure: u8,
    effect: Broken,
}

/// Which files it is about.
const FILES: [Option<&str>; 6] =
    [None, None, Some(".log"), Some(".manifest"), Some(".table"), Some("CURRENT.tmp")];

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Broken {
    NotDone,
    Done,
    ShortWrite(u8),
    DropUnsynced,
    ShortRead,
}

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

/// Whatever fails: nothing panics or hangs, errors name a file, what was acknowledged is there when the file system is
/// healed, what failed is there whole or not at all, and then stays.
pub fn ops_faults(input: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let mem = MemVfs::new();
    let vfs = FaultVfs::over_mem(mem.clone());
    if let Some(rule) = input.at_once {
        vfs.inject(rule.fault(input.choice.durability()));
    }
    let clock = Arc::new(SimClock::new(1));
    let mut run = Run { input: &input, clock, mem, vfs, db: None, possible: vec![Map::new()], errors: 0 };
    run.workload();
    run.read_while_failing();
    run.vfs.heal();
    run.reopen_healed();
}

impl Rule {
    fn fault(self, durability: Durability) -> Fault {
        let failures =
            [Failure::Device, Failure::NoSpace, Failure::Denied, Failure::TooManyFiles, Failure::Interrupted];
        let failure = failures[usize::from(self.failure) % failures.len()];
        let op = OPS[usize::from(self.op) % OPS.len()];
        let effect = match self.effect {
            Broken::NotDone => Effect::NotDone,
            Broken::Done => Effect::Done,
            Broken::ShortWrite(len) => Effect::ShortWrite(len.into()),
            // What was never synced may go without anybody's failing.
            Broken::DropUnsynced if durability != Durability::Sync => Effect::NotDone,
            Broken::DropUnsynced => Effect::DropUnsynced,
            Broken::ShortRead => Effect::ShortRead,
        };
        // An interruption is tried again at once, so it must not last.
        let times = match failure {
            Failure::Interrupted => 1,
            _ if self.times == u8::MAX => u64::MAX,
            _ => u64::from(self.times).max(1),
        };
        let nth = u64::from(self.nth % 8);
        let fault = Fault::nth(nth).on(op).times(times).failing_with(failure).with(effect);
        match FILES[usize::from(self.file) % FILES.len()] {
            Some(name) => fault.named(name),
            None => fault,
        }
    }
}

struct Run<'a> {
    input: &'a Input,
    clock: Arc<SimClock>,
    mem: MemVfs,
    /// The same, but it fails.
    vfs: FaultVfs,
    db: Option<Db>,
    /// The states that are possible now: each write that failed happened or did not.
    possible: Vec<Map>,
    errors: usize,
}

impl Run<'_> {
    fn options(&self, vfs: &FaultVfs) -> Options {
        self.input.choice.options(&self.clock).vfs(Arc::new(vfs.clone()))
    }

    fn workload(&mut self) {
        self.open();
        for (event, stamp) in self.input.steps.iter().zip(1..) {
            let Some(db) = self.db.clone() else { return };
            if self.errors >= ERRORS {
                return;
            }
            match event {
                Event::Do(doing) => self.step(&db, &doing.step(stamp)),
                Event::Break(rule) => self.vfs.inject(rule.fault(self.input.choice.durability())),
                Event::Fill(space) => self.vfs.set_free_space(Some(u64::from(*space) * 64)),
                Event::Heal => self.vfs.heal(),
            }
        }
    }

    fn open(&mut self) {
        match self.options(&self.vfs).open("/db") {
            Ok(db) => self.db = Some(db),
            Err(error) => self.failed(&error),
        }
    }

    fn step(&mut self, db: &Db, step: &Step) {
        let was_read_only = db.stats().read_only.is_some();
        let outcome = match step {
            Step::Write(writes, durability) | Step::Transact(writes, durability) => {
                // A durability less than the database's own lets acknowledged writes go.
                let durability = durability.filter(|durability| *durability == Durability::Sync);
                let act = if matches!(step, Step::Transact(..)) { transact } else { write };
                let outcome = act(db, writes, durability);
                if !was_read_only {
                    self.wrote(writes, outcome.is_ok());
                }
                outcome
            }
            Step::DeleteRange(keys) => {
                let outcome = delete_range(db, keys);
                if !was_read_only {
                    self.wrote(keys, outcome.is_ok());
                }
                outcome
            }
            Step::Sync => db.sync(),
            Step::Flush => db.flush(),
            Step::Compact => db.compact_range::<&[u8]>(..),
            Step::Wait(time) => return self.clock.advance(*time),
            Step::Reopen => {
                let closed = db.close();
                self.db = None;
                if let Err(error) = closed {
                    self.failed(&error);
                }
                return self.open();
            }
        };
        if was_read_only && !matches!(step, Step::Write(writes, _) if writes.is_empty()) {
            assert!(
                matches!(outcome, Err(Error::ReadOnly { .. })),
                "{outcome:?} though read-only: {:?}",
                self.input
            );
        }
        if let Err(error) = outcome {
            self.failed(&error);
        }
    }

    fn wrote(&mut self, writes: &Write, done: bool) {
        let without = self.possible.clone();
        self.possible.iter_mut().for_each(|map| apply(map, writes));
        if !done {
            self.possible.extend(without);
        }
    }

    fn failed(&mut self, error: &Error) {
        let text = error.to_string();
        assert!(text.contains("/db") || text.contains(" /:"), "no file is named: {text}; {:?}", self.input);
        assert!(!matches!(error, Error::Locked { .. } | Error::Corruption(_)), "{text}; {:?}", self.input);
        self.errors += 1;
    }

    fn read_while_failing(&mut self) {
        let Some(db) = self.db.clone() else { return };
        match scan(&db) {
            Ok(found) => self.assert_possible(&found, "while failing"),
            Err(error) => self.failed(&error),
        }
    }

    #[track_caller]
    fn assert_possible(&self, found: &Map, when: &str) {
        let possible = || self.possible.iter().map(brief).collect::<Vec<_>>().join("\n");
        assert!(
            self.possible.contains(found),
            "{when} it holds {}\nbut possible are\n{}\n{:?}",
            brief(found),
            possible(),
            self.input
        );
    }

    /// Opens what the failures left, writes on, and cuts the power.
    fn reopen_healed(&mut self) {
        if let Some(db) = self.db.take() {
            let found = scan(&db).unwrap_or_else(|e| panic!("reading when healed: {e}; {:?}", self.input));
            self.assert_possible(&found, "when healed");
            let read_only = db.stats().read_only.is_some();
            let closed = db.close();
            assert!(closed.is_ok() || read_only, "closing when healed: {closed:?}; {:?}", self.input);
        }
        let db = self.options(&self.vfs).open("/db");
        let db = db.unwrap_or_else(|e| panic!("reopening when healed: {e}; {:?}", self.input));
        let mut found = scan(&db).expect("a healed file system");
        self.assert_possible(&found, "when reopened");
        let more: Write = vec![(b"more".to_vec(), Some(vec![7]))];
        write(&db, &more, Some(Durability::Sync)).expect("a healed file system");
        apply(&mut found, &more);
        self.possible = vec![found];
        let image = FaultVfs::over_mem(self.mem.crash_image(CrashPolicy::Strict, 0));
        let after = self.options(&image).open("/db");
        let after = after.unwrap_or_else(|e| panic!("after a power cut: {e}; {:?}", self.input));
        self.assert_possible(&scan(&after).expect("a healed file system"), "after a power cut");
        db.close().expect("a healed file system");
        let db = self.options(&self.vfs).open("/db").expect("a closed database");
        assert!(db.recovery().clean);
        self.assert_possible(&scan(&db).expect("a healed file system"), "closed and opened");
        assert!(db.verify().expect("an open database").is_sound(), "{:?}", self.input);
    }
}
