//! An error first, a power cut later.
//!
//! What a failed operation leaves in a file must not harm what is written after it. So one operation of a random workload
//! fails, most often an append to the log that arrives in part. The work goes on, after closing and opening anew where the
//! database demands it, and the power is cut before every later operation. The write that failed may be there as long as no
//! later one is durable; all else is as ever.
//!
//! `SILTSTONE_CRASH_ERRORS` sets how many images are looked at, at least.

use super::*;
use siltstone::Db;
use siltstone::vfs::fault::{Effect, Failure, Fault, FaultVfs, Op};

#[test]
fn an_error_first_and_a_crash_later_lose_nothing() {
    let wanted = from_env("SILTSTONE_CRASH_ERRORS", 10_000);
    let start = from_env("SILTSTONE_SEED", 1);
    let (mut images, mut failures, mut seed) = (0, 0, start);
    while images < wanted {
        let count = Case::random(seed).check_after_an_error();
        images += count;
        failures += u64::from(count > 0);
        seed += 1;
    }
    println!("seeds {start} to {}: {images} crash images after {failures} failures", seed - 1);
    assert!(failures > 20);
}

/// An operation, and what goes wrong with it; and whether the operating system loses writes then.
fn random_fault(random: &mut Random) -> (Fault, bool) {
    let part = Effect::ShortWrite(*random.pick(&[1, 7, 39, 40, 41, 48, 100, 600, 5000]));
    let failure = *random.pick(&[Failure::NoSpace, Failure::NoSpace, Failure::Device]);
    let after = random.below(60) as u64;
    let kind = random.below(12);
    let fault = match kind {
        0..6 => {
            let effect = *random.pick(&[part, part, Effect::Done, Effect::NotDone]);
            Fault::nth(after).on(Op::Write).named(".log").with(effect)
        }
        6 => Fault::nth(after).on(Op::Write).with(part),
        7 => Fault::nth(after / 8).on(Op::Write).named(".manifest").with(part),
        8 => Fault::nth(after / 2).on(Op::Sync).named(".log").with(Effect::DropUnsynced),
        9 => Fault::nth(after / 2).on(Op::Sync),
        10 => Fault::nth(after / 8).on(Op::Rename).with(*random.pick(&[Effect::Done, Effect::NotDone])),
        _ => Fault::nth(after),
    };
    (fault.failing_with(failure).times(1 + random.below(3) as u64), kind == 8)
}

/// A workload that goes on when something fails.
struct Course<'a> {
    setting: &'a Setting<'a>,
    /// A failed sync loses what it was for.
    drops: bool,
    /// Histories, each with the operation from which on it counts: when a database is opened after a failure, what it holds is
    /// the beginning of a new one.
    histories: Vec<(u64, History)>,
    db: Option<Db>,
    what: &'a dyn Fn() -> String,
}

impl Case {
    fn check_after_an_error(&self) -> u64 {
        let mut random = Random::new(!self.seed);
        let (fault, drops) = random_fault(&mut random);
        let mem = MemVfs::new();
        mem.schedule_crashes(0..MANY, &CrashPolicy::EVERY, self.seed);
        let vfs = FaultVfs::over_mem(mem.clone());
        vfs.inject(fault.clone());
        let what = || format!("SILTSTONE_SEED={}, {:?}, {fault:?}", self.seed, self.durability);
        let (failed_at, histories) = self.on(&mem, |setting| {
            let options = setting.options.clone().vfs(Arc::new(vfs.clone()));
            let setting = Setting { options: &options, ..*setting };
            let (histories, db) = (Vec::new(), None);
            let mut course = Course { setting: &setting, drops, histories, db, what: &what };
            course.begin_history(Map::new());
            let mut failed_at = None;
            for step in &self.steps {
                let before = mem.op_count();
                course.step(step);
                if vfs.injected() > 0 {
                    failed_at.get_or_insert(before);
                }
            }
            course.reopen();
            (failed_at, course.histories)
        });
        let Some(failed_at) = failed_at else { return 0 };
        let mut count = 0;
        for image in mem.take_crash_images() {
            let turn = CrashPolicy::EVERY.iter().position(|policy| *policy == image.policy).unwrap() as u64;
            // Another policy at each operation.
            if image.at_op >= failed_at && (turn + image.at_op).is_multiple_of(8) {
                count += 1;
                let history = histories.iter().rev().find(|(from, _)| *from <= image.at_op).unwrap();
                let what = || format!("{}; a crash before {}, {:?}", what(), image.at_op, image.policy);
                self.check_image(&image, &history.1, None, &what);
            }
        }
        count
    }
}

impl Course<'_> {
    fn step(&mut self, step: &Step) {
        if self.db.is_none() {
            // The failure may have met the opening; the next one does.
            self.db = Some(self.patiently(|| self.setting.open()));
        }
        let Some(db) = self.db.clone() else { return };
        if matches!(step, Step::Reopen) {
            drop(db);
            return self.reopen();
        }
        let history = &mut self.histories.last_mut().unwrap().1;
        let (seen, before) = (db.stats().last_sequence, history.len());
        if let Err(error) = self.setting.step(&db, step, history) {
            let is_visible = db.stats().last_sequence > seen;
            match error.to_string().contains(".log") {
                // It failed, and not what had to be done before it; or only its sync did.
                _ if history.len() == before || is_visible => {}
                true => history.failed(),
                false => history.refused(),
            }
        }
        drop(db);
        if self.db.as_ref().is_some_and(|db| db.stats().read_only.is_some()) {
            self.reopen();
        }
    }

    /// Closes, and opens until that goes well; what is there then is where a new history begins.
    fn reopen(&mut self) {
        let (ops, setting) = (self.setting.ops, self.setting);
        let Some(db) = self.db.take() else { return };
        let closed = db.close();
        drop(db);
        let history = &mut self.histories.last_mut().unwrap().1;
        if closed.is_ok() {
            history.durable(ops());
        }
        let db = self.patiently(|| setting.open());
        let found = self.patiently(|| scan(&db));
        let history = &mut self.histories.last_mut().unwrap().1;
        if let Err(why) = history.allows(&found, ops(), true) {
            panic!("{}: opened anew, {why}: {}", (self.what)(), brief(&found));
        }
        self.db = Some(db);
        self.begin_history(found);
    }

    fn begin_history(&mut self, held: Map) {
        let mut history = History::new(held);
        if self.drops {
            history.forget_unsynced();
        }
        self.histories.push(((self.setting.ops)(), history));
    }

    /// Does what the failure may meet, until it goes well.
    fn patiently<T>(&self, act: impl Fn() -> siltstone::Result<T>) -> T {
        let done = (0..10).find_map(|_| match act() {
            Ok(done) => Some(done),
            Err(error) if error.is_corruption() => panic!("{}: {error}", (self.what)()),
            Err(_) => None,
        });
        done.unwrap_or_else(|| panic!("{}: it goes on failing", (self.what)()))
    }
}

/// An append fails although it arrived whole. The next one is written over it, with a record of the same length, and a power
/// cut loses that one, but neither the first nor what was written behind both. For the log to go on there, over a write that
/// is gone, the two records behind must lie on different pages; so all ways to lie are tried.
#[test]
fn a_failed_append_does_not_come_back_under_later_ones() {
    let mut images = 0;
    for first in 0..512 {
        let mem = MemVfs::new();
        let vfs = FaultVfs::over_mem(mem.clone());
        let options = |vfs| Options::default().vfs(Arc::new(vfs)).background(Background::Stepped);
        let db = options(vfs.clone()).durability(Durability::Os).open("/db").unwrap();
        db.put("first", vec![1; 8 * first]).unwrap();
        db.sync().unwrap();
        vfs.inject(Fault::nth(0).on(Op::Write).failing_with(Failure::NoSpace).with(Effect::Done));
        db.put("a", [2; 8]).unwrap_err();
        db.put("b", [3; 8]).unwrap();
        db.put("c", [4; 8]).unwrap();
        for seed in 0..16 {
            images += 1;
            let image = options(FaultVfs::over_mem(mem.crash_image(CrashPolicy::Reorder, seed)));
            let found = scan(&image.open("/db").unwrap()).unwrap();
            let keys: Vec<&[u8]> = found.keys().map(Vec::as_slice).collect();
            let possible: [&[&[u8]]; 4] =
                [&[b"first"], &[b"a", b"first"], &[b"b", b"first"], &[b"b", b"c", b"first"]];
            assert!(possible.contains(&&keys[..]), "first of {} bytes, {seed}: {}", 8 * first, brief(&found));
        }
    }
    println!("{images} crash images after a failed append");
}
