//! A power cut before every file operation, under every policy of what survives it.
//!
//! A workload runs once, on a file system in memory that keeps an image from just before each operation that changes
//! something. Each image is then opened and compared with the oracle: the database holds the state after some prefix of the
//! writes, batches whole; the prefix has everything that was acknowledged as durable, and after a mere kill everything that
//! was acknowledged. Then it is written to, closed, opened and compared again, so it is alive; and from the operations of
//! *that*, its recovery included, further images are taken and compared in the same way.
//!
//! Everything follows from the seed, which a failure prints: `SILTSTONE_SEED=…` repeats it. `SILTSTONE_CRASH_IMAGES` sets how
//! many images are looked at, at least.

use crate::history::{History, Map, Step, Write, assert_holds, brief, run, scan};
use crate::support::{Random, from_env};
use siltstone::vfs::mem::{CrashImage, CrashPolicy, MemVfs, SimClock};
use siltstone::{Background, Compression, Durability, Options};
use std::sync::Arc;

/// No workload has more operations.
const MANY: u64 = 5000;

/// How many images were looked at.
#[derive(Default)]
struct Count {
    first: u64,
    second: u64,
}

#[test]
fn scripted_workloads_survive_a_crash_at_every_operation() {
    let mut count = Count::default();
    for (seed, (name, steps)) in scripts().into_iter().enumerate() {
        for durability in [Durability::Sync, Durability::Os] {
            let options = Options::default().memtable_bytes(1 << 10).memtable_entries(4).table_bytes(400);
            let options = options.level_ratio(2).block_bytes(100).cache_bytes(0);
            let case = Case { seed: seed as u64, name, options, durability, steps: steps.clone() };
            case.check(&mut count, 100);
        }
    }
    println!("scripted workloads: {} crash images, {} of second order", count.first, count.second);
    assert!(count.first > 10_000 && count.second > 1000);
}

#[test]
fn random_workloads_survive_a_crash_at_every_operation() {
    let wanted = from_env("SILTSTONE_CRASH_IMAGES", 100_000);
    let start = from_env("SILTSTONE_SEED", 1);
    let (mut count, mut seed) = (Count::default(), start);
    while count.first + count.second < wanted {
        Case::random(seed).check(&mut count, 100);
        seed += 1;
    }
    println!(
        "random workloads, seeds {start} to {}: {} crash images, {} of second order",
        seed - 1,
        count.first,
        count.second
    );
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
        let durability = *random.pick(&[Durability::Sync, Durability::Os]);
        let options = random_options(&mut random);
        let space = *random.pick(&[6, 30]);
        let length = 10 + random.below(50);
        let steps = (0..length).map(|stamp| random_step(&mut random, space, stamp)).collect();
        Case { seed, name: "random", options, durability, steps }
    }

    /// Takes second-order images of about every `nth` image.
    fn check(&self, count: &mut Count, nth: usize) {
        let vfs = MemVfs::new();
        vfs.schedule_crashes(0..MANY, &CrashPolicy::EVERY, self.seed);
        let mut history = History::new(Map::new());
        run(&self.on(&vfs), self.durability, &self.steps, &mut history, || vfs.op_count());
        assert!(vfs.op_count() < MANY);
        let mut random = Random::new(self.seed);
        let images = vfs.take_crash_images();
        if self.name.starts_with("rotating") {
            // Segments are made ready, used and taken again.
            let spares = |image: &CrashImage| {
                image.vfs.files().iter().any(|f| f.extension() == Some("spare".as_ref()))
            };
            assert!(images.iter().filter(|image| spares(image)).count() > 20);
        }
        for image in images {
            count.first += 1;
            let what = || self.describe(&image);
            let deep = random.one_in(nth);
            count.second += self.go_on(&image, &history, deep.then_some(&mut random), &what);
        }
    }

    fn on(&self, vfs: &MemVfs) -> Options {
        let clock = Arc::new(SimClock::new(self.seed));
        self.options.clone().vfs(Arc::new(vfs.clone())).clock(clock).background(Background::Stepped)
    }

    fn describe(&self, image: &CrashImage) -> String {
        let Case { seed, name, durability, .. } = self;
        let CrashImage { at_op, policy, .. } = image;
        format!(
            "{name} workload, SILTSTONE_SEED={seed}, {durability:?}: crash before operation {at_op}, {policy:?}"
        )
    }

    /// Opens an image, compares, writes, and compares again; with further crashes on the way if `deep`. Returns how many.
    fn go_on(
        &self,
        image: &CrashImage,
        history: &History,
        deep: Option<&mut Random>,
        what: &dyn Fn() -> String,
    ) -> u64 {
        if let Some(random) = deep {
            let policies = [*random.pick(&CrashPolicy::EVERY), *random.pick(&CrashPolicy::EVERY)];
            image.vfs.schedule_crashes(0..MANY, &policies, random.next());
        }
        let held = self.compare(image, history, what);
        let mut later = History::new(held);
        let steps = self.epilogue(image.at_op);
        run(&self.on(&image.vfs), self.durability, &steps, &mut later, || image.vfs.op_count());
        let db = self.on(&image.vfs).open("/db").unwrap_or_else(|e| panic!("reopening: {e}; {}", what()));
        assert!(db.recovery().clean, "{}", what());
        assert_holds(&db, &later.map, &|| format!("after going on; {}", what()));
        drop(db);
        let further = image.vfs.take_crash_images();
        for second in &further {
            let what = || format!("{}; then {} {:?}", what(), second.at_op, second.policy);
            self.compare(second, &later, &what);
            // Once more, over what the recovery of a recovery left.
            let db =
                self.on(&second.vfs).open("/db").unwrap_or_else(|e| panic!("third open: {e}; {}", what()));
            db.put("alive", "yes").unwrap();
        }
        further.len() as u64
    }

    /// Opens an image and gives what it holds, which must be a state that the history allows.
    fn compare(&self, image: &CrashImage, history: &History, what: &dyn Fn() -> String) -> Map {
        let options = self.on(&image.vfs).durability(self.durability);
        let db = options.open("/db").unwrap_or_else(|e| panic!("{e}; {}", what()));
        let found = scan(&db).unwrap_or_else(|e| panic!("{e}; {}", what()));
        let killed = image.policy == CrashPolicy::All;
        let bounds = history.bounds(image.at_op, killed);
        let Some(n) = history.find(&found, bounds) else {
            let state = (0..=history.len()).find(|n| history.state(*n) == found);
            panic!(
                "holds the state after {state:?} writes, {bounds:?} expected; {}:\n{}",
                what(),
                brief(&found)
            );
        };
        assert_holds(&db, &history.state(n), what);
        found
    }

    /// What is done to a database that was recovered: enough for a flush, sometimes.
    fn epilogue(&self, at_op: u64) -> Vec<Step> {
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
}

fn random_options(random: &mut Random) -> Options {
    let compressions = [Compression::None, Compression::Lz4, Compression::Zstd(-1)];
    Options::default()
        .memtable_bytes(*random.pick(&[1 << 10, 4 << 10, 100 << 10]))
        .memtable_entries(*random.pick(&[2, 5, 12]))
        .cache_bytes(*random.pick(&[0, 64 << 10]))
        .block_bytes(*random.pick(&[1, 100, 4 << 10]))
        .table_bytes(*random.pick(&[200, 1000, 8 << 10]))
        .level_ratio(*random.pick(&[2, 10]))
        .filter_bits(*random.pick(&[0, 10]))
        .compression(*random.pick(&compressions))
        .bottom_compression(*random.pick(&compressions))
}

fn random_step(random: &mut Random, space: usize, stamp: usize) -> Step {
    match random.below(40) {
        0 => Step::Sync,
        1 => Step::Flush,
        2 => Step::Compact,
        3 => Step::Reopen,
        kind => {
            let n = if kind < 10 { random.below(5) } else { 1 };
            let write = (0..n).map(|i| random_entry(random, space, stamp * 10 + i)).collect();
            let durability = [None, None, None, Some(Durability::Sync), Some(Durability::Os)];
            Step::Write(write, *random.pick(&durability))
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

/// Short workloads, each for one part of the machinery.
fn scripts() -> Vec<(&'static str, Vec<Step>)> {
    let put = |key: &str, n: usize| (key.as_bytes().to_vec(), Some(vec![n as u8; 1 + n % 90]));
    let long =
        |n: usize| Step::Write(vec![(format!("k{}", n % 7).into_bytes(), Some(vec![n as u8; 9000]))], None);
    let one = |key: &str, n: usize| Step::Write(vec![put(key, n)], None);
    let synced = |key: &str, n: usize| Step::Write(vec![put(key, n)], Some(Durability::Sync));
    let delete = |key: &str| Step::Write(vec![(key.as_bytes().to_vec(), None)], None);
    let batch = |n: usize| -> Step {
        let mut write: Write = (0..3).map(|i| put(&format!("b{i}"), n + i)).collect();
        write.push((format!("b{}", n % 3).into_bytes(), None));
        Step::Write(write, None)
    };
    let many =
        |from: usize, to: usize| (from..to).map(|n| one(&format!("k{}", n % 7), n)).collect::<Vec<_>>();
    // The next segment is made ready when one is half full.
    let filling = |from: usize, to: usize| {
        let mix = |n: usize| if n.is_multiple_of(3) { long(n) } else { one(&format!("k{}", n % 7), n) };
        (from..to).map(mix).collect::<Vec<_>>()
    };
    vec![
        ("creating", vec![]),
        ("one write", vec![one("a", 1)]),
        ("a few writes", vec![one("a", 1), one("b", 2), delete("a"), synced("c", 3), one("a", 4)]),
        ("batches", vec![batch(1), batch(20), Step::Sync, batch(40), batch(60)]),
        (
            "long records",
            vec![
                Step::Write(vec![(b"long".to_vec(), Some(vec![1; 9000]))], None),
                Step::Write(vec![(b"long".to_vec(), Some(vec![2; 9000])), put("b", 1)], None),
                one("c", 1),
            ],
        ),
        ("reopening", vec![one("a", 1), Step::Reopen, one("b", 2), Step::Reopen, Step::Reopen, delete("a")]),
        ("flushing", vec![one("a", 1), Step::Flush, one("b", 2), delete("a"), Step::Flush, one("c", 3)]),
        (
            "compacting",
            [many(0, 9), vec![Step::Compact, delete("k1"), one("k2", 99), Step::Compact, one("z", 1)]]
                .concat(),
        ),
        ("many writes", many(0, 40)),
        ("rotating", filling(0, 40)),
        (
            "rotating, synced at times",
            [filling(0, 16), vec![Step::Sync], filling(16, 30), vec![synced("s", 1)], filling(30, 36)]
                .concat(),
        ),
    ]
}
