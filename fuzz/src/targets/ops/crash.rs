//! A workload, power cuts at some of its file operations, and power cuts while going on after these.

use super::{Choice, Doing};
use crate::choices::{List, Rest};
use crate::history::{History, Map, Setting, Step, assert_holds, brief, scan};
use arbitrary::{Arbitrary, Unstructured};
use siltstone::vfs::mem::{CrashImage, CrashPolicy, MemVfs, SimClock};
use siltstone::{Durability, Options};
use std::sync::Arc;

/// No workload has more steps.
const STEPS: usize = 60;

#[derive(Debug, Arbitrary)]
struct Input {
    choice: Choice,
    cuts: List<Cut, 4>,
    /// Cuts of the work that goes on after one of the first.
    then: List<Cut, 2>,
    steps: Rest<Doing, STEPS>,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
struct Cut {
    at: u16,
    policy: u8,
    seed: u8,
}

/// Whatever survives of a crash, the database holds the state after some prefix of the writes, with all that was
/// acknowledged as durable, and goes on from there.
pub fn ops_crash(input: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let vfs = MemVfs::new();
    schedule(&vfs, &input.cuts, input.steps.len());
    let mut history = History::new(Map::new());
    let steps: Vec<Step> = input.steps.iter().zip(1..).map(|(step, stamp)| step.step(stamp)).collect();
    input.run(&vfs, &steps, &mut history);
    for image in vfs.take_crash_images() {
        schedule(&image.vfs, &input.then, 4);
        let held = input.compare(&image, &history);
        let mut later = History::new(held);
        let more = [Step::Write(vec![(b"later".to_vec(), Some(vec![1]))], None), Step::Flush, put(2), put(3)];
        input.run(&image.vfs, &more, &mut later);
        for second in image.vfs.take_crash_images() {
            input.compare(&second, &later);
        }
    }
}

fn put(n: u8) -> Step {
    Step::Write(vec![(b"later".to_vec(), Some(vec![n]))], Some(Durability::Sync))
}

/// Cuts within about as many file operations as so many steps take.
fn schedule(vfs: &MemVfs, cuts: &[Cut], steps: usize) {
    for Cut { at, policy, seed } in cuts {
        let policy = CrashPolicy::EVERY[usize::from(*policy) % CrashPolicy::EVERY.len()];
        vfs.schedule_crash(u64::from(*at) % (24 + 4 * steps as u64), policy, u64::from(*seed));
    }
}

impl Input {
    fn on(&self, vfs: &MemVfs, clock: &Arc<SimClock>) -> Options {
        self.choice.options(clock).vfs(Arc::new(vfs.clone()))
    }

    fn run(&self, vfs: &MemVfs, steps: &[Step], history: &mut History) {
        let clock = Arc::new(SimClock::new(1));
        let (options, ops) = (self.on(vfs, &clock), || vfs.op_count());
        let setting =
            Setting { options: &options, durability: self.choice.durability(), clock: &clock, ops: &ops };
        setting.run(steps, history);
    }

    /// Opens an image and gives what it holds, which must be a state that the history allows.
    fn compare(&self, image: &CrashImage, history: &History) -> Map {
        let what = || format!("power cut before operation {} {:?} of {self:?}", image.at_op, image.policy);
        let db = self
            .on(&image.vfs, &Arc::new(SimClock::new(1)))
            .open("/db")
            .unwrap_or_else(|e| panic!("{e}; {}", what()));
        let found = scan(&db).unwrap_or_else(|e| panic!("{e}; {}", what()));
        let killed = image.policy == CrashPolicy::All;
        if let Err(why) = history.allows(&found, image.at_op, killed) {
            panic!("{why}; found {}; {}", brief(&found), what());
        }
        assert_holds(&db, &found, &what);
        found
    }
}
