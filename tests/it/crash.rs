//! A power cut before every file operation, under every policy of what survives it.
//!
//! A workload runs once, on a file system in memory that keeps an image from just before each operation that changes
//! something. Each image is then opened and compared with the oracle: the database holds the state after some prefix of the
//! writes, batches whole; the prefix has everything that was acknowledged as durable, and after a mere kill everything that
//! was acknowledged. Then it is written to, closed, opened and compared again, so it is alive; and from the operations of
//! *that*, its recovery first of all, further images are taken and compared in the same way.
//!
//! | module | the workloads |
//! |---|---|
//! | [`workloads`] | one for each part of the machinery, and random ones |
//! | [`small`] | every sequence of a few operations |
//! | [`errors`] | first a file operation fails, then the work goes on, then the power is cut |
//! | [`recovery`] | recovery is interrupted, over and over |
//!
//! Everything follows from the seed, which a failure prints: `SILTSTONE_SEED=…` repeats it. `SILTSTONE_CRASH_IMAGES` sets how
//! many images of random workloads are looked at, at least; what sets the others' sizes is told there.

mod errors;
mod recovery;
mod small;
mod workloads;

use crate::history::{History, Map, Setting, Step, assert_holds, brief, scan};
use crate::support::{Random, from_env};
use siltstone::vfs::mem::{CrashImage, CrashPolicy, MemVfs, SimClock};
use siltstone::{Background, Durability, Options};
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

/// No workload has more operations.
const MANY: u64 = 5000;
/// How much time a power cut may take from `Durability::Interval`, on a clock that the workloads move.
const INTERVAL: Duration = Duration::from_millis(100);
const DURABILITIES: [Durability; 3] = [Durability::Sync, Durability::Os, Durability::Interval(INTERVAL)];

/// How many images were looked at.
#[derive(Default)]
struct Count {
    /// Taken from a workload.
    first: u64,
    /// Taken while an image of the first kind was opened.
    recovery: u64,
    /// Taken from the work that followed.
    later: u64,
}

impl Count {
    fn all(&self) -> u64 {
        self.first + self.recovery + self.later
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, more: Count) {
        self.first += more.first;
        self.recovery += more.recovery;
        self.later += more.later;
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Count { first, recovery, later } = self;
        write!(
            f,
            "{} crash images: {first} of the work, {recovery} during recovery, {later} of the work after it",
            self.all()
        )
    }
}

#[test]
fn scripted_workloads_survive_a_crash_at_every_operation() {
    let mut count = Count::default();
    for (seed, (name, steps)) in workloads::scripts().into_iter().enumerate() {
        for durability in DURABILITIES {
            let options = workloads::small_options();
            let case = Case { seed: seed as u64, name, options, durability, steps: steps.clone() };
            count += case.check(200);
        }
    }
    println!("scripted workloads: {count}");
    assert!(count.first > 20_000 && count.recovery > 5000);
}

#[test]
fn random_workloads_survive_a_crash_at_every_operation() {
    let wanted = from_env("SILTSTONE_CRASH_IMAGES", 40_000);
    let start = from_env("SILTSTONE_SEED", 1);
    let (mut count, mut seed) = (Count::default(), start);
    while count.all() < wanted {
        count += Case::random(seed).check(100);
        seed += 1;
    }
    println!("random workloads, seeds {start} to {}: {count}", seed - 1);
    assert!(count.recovery * 6 > count.all());
}

/// One workload.
struct Case {
    seed: u64,
    name: &'static str,
    options: Options,
    durability: Durability,
    steps: Vec<Step>,
}

impl Case {
    fn random(seed: u64) -> Case {
        let mut random = Random::new(seed);
        let durability = *random.pick(&DURABILITIES);
        let options = workloads::random_options(&mut random);
        let steps = workloads::random_steps(&mut random);
        Case { seed, name: "random", options, durability, steps }
    }

    /// Cuts the power before every operation; and again in what comes after about every `nth` of these.
    fn check(&self, nth: usize) -> Count {
        let vfs = MemVfs::new();
        vfs.schedule_crashes(0..MANY, &CrashPolicy::EVERY, self.seed);
        let mut history = History::new(Map::new());
        self.on(&vfs, |setting| setting.run(&self.steps, &mut history));
        assert!(vfs.op_count() < MANY);
        let images = workloads::worth_a_look(self.name, vfs.take_crash_images());
        let mut random = Random::new(self.seed);
        let mut count = Count::default();
        for image in images {
            count.first += 1;
            let deep = random.one_in(nth).then(|| random.clone());
            count += self.check_image(&image, &history, deep, &|| self.describe(&image));
        }
        count
    }

    /// Works on a file system, with a clock of its own.
    fn on<T>(&self, vfs: &MemVfs, work: impl FnOnce(&Setting<'_>) -> T) -> T {
        let clock = Arc::new(SimClock::new(self.seed));
        let options = self.options.clone().vfs(Arc::new(vfs.clone())).clock(Arc::clone(&clock) as _);
        let options = options.background(Background::Stepped);
        let ops = || vfs.op_count();
        work(&Setting { options: &options, durability: self.durability, clock: &clock, ops: &ops })
    }

    fn describe(&self, image: &CrashImage) -> String {
        let Case { seed, name, durability, .. } = self;
        let CrashImage { at_op, policy, .. } = image;
        format!(
            "{name} workload, SILTSTONE_SEED={seed}, {durability:?}: crash before operation {at_op}, {policy:?}"
        )
    }

    /// Opens an image, compares, writes, closes, opens and compares again; with further crashes on the way if `deep`.
    fn check_image(
        &self,
        image: &CrashImage,
        history: &History,
        deep: Option<Random>,
        what: &dyn Fn() -> String,
    ) -> Count {
        let mut policies = Vec::new();
        if let Some(mut random) = deep {
            let start = random.below(8);
            policies.extend((0..4).map(|i| CrashPolicy::EVERY[(start + 3 * i) % 8]));
            image.vfs.schedule_crashes(0..MANY, &policies, random.next());
        }
        let (held, recovered) = self.compare(image, history, what);
        let mut later = History::new(held);
        let steps = workloads::epilogue(image.at_op);
        self.on(&image.vfs, |setting| {
            setting.run(&steps, &mut later);
            let db = setting.open().unwrap_or_else(|e| panic!("reopening: {e}; {}", what()));
            assert!(db.recovery().clean, "{}", what());
            assert_holds(&db, &later.map, &|| format!("after going on; {}", what()));
        });
        let mut count = Count::default();
        for second in image.vfs.take_crash_images() {
            // Of what comes after recovery, one policy is enough.
            match second.at_op < recovered {
                true => count.recovery += 1,
                false if second.policy == policies[0] => count.later += 1,
                false => continue,
            }
            let what = || format!("{}; then {} {:?}", what(), second.at_op, second.policy);
            self.compare(&second, &later, &what);
            // Once more, over what the recovery of a recovery left.
            self.on(&second.vfs, |setting| {
                let db = setting.open().unwrap_or_else(|e| panic!("third open: {e}; {}", what()));
                db.put("alive", "yes").unwrap();
            });
        }
        count
    }

    /// Opens an image and gives what it holds, which must be a state that the history allows; and how many operations that
    /// took.
    fn compare(&self, image: &CrashImage, history: &History, what: &dyn Fn() -> String) -> (Map, u64) {
        self.on(&image.vfs, |setting| {
            let db = setting.open().unwrap_or_else(|e| panic!("{e}; {}", what()));
            let recovered = image.vfs.op_count();
            let found = scan(&db).unwrap_or_else(|e| panic!("{e}; {}", what()));
            let killed = image.policy == CrashPolicy::All;
            if let Err(why) = history.allows(&found, image.at_op, killed) {
                panic!("{why}; {}:\n{}", what(), brief(&found));
            }
            assert_holds(&db, &found, what);
            (found, recovered)
        })
    }
}
