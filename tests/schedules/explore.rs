//! Running a scenario under many schedules.

use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, MaxSteps, Runner};
use std::sync::Arc;

/// The schedules of one scenario, unless `SILTSTONE_SCHEDULES` says otherwise.
const SCHEDULES: u64 = 20_000;
/// A scenario ends after some hundred or thousand steps. One that takes so many waits for something that does not come.
const MAX_STEPS: usize = 100_000;
/// The most preemptions that the second half of the schedules tries: nearly all known bugs need no more than two.
const DEPTH: usize = 3;
/// One in so many steps, those who wait for time to pass are among those who may go on.
const PATIENCE: usize = 8;

/// Runs `scenario` under half as many random schedules, and as many that favour few preemptions at surprising places. A
/// failure prints its schedule; `SILTSTONE_SCHEDULE` with that text runs it again, and only it.
#[track_caller]
pub fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    let scenario = Arc::new(scenario);
    let run = |scheduler: Box<dyn Scheduler + Send>| {
        let scenario = Arc::clone(&scenario);
        Runner::new(scheduler, config()).run(move || scenario());
    };
    if let Ok(text) = std::env::var("SILTSTONE_SCHEDULE") {
        return run(Box::new(ReplayScheduler::new_from_encoded(&text)));
    }
    let (seed, schedules) = (from_env("SILTSTONE_SEED", 1), from_env("SILTSTONE_SCHEDULES", SCHEDULES));
    let half = schedules.div_ceil(2) as usize;
    run(Box::new(Patient::new(RandomScheduler::new_from_seed(seed, half))));
    run(Box::new(PctScheduler::new_from_seed(seed, DEPTH, half)));
}

/// Runs `body` once, under the random schedule that `seed` gives. It may take longer than a scenario.
pub fn simulate(seed: u64, body: impl Fn() + Send + Sync + 'static) {
    let mut config = config();
    config.max_steps = MaxSteps::FailAfter(50 * MAX_STEPS);
    Runner::new(Patient::new(RandomScheduler::new_from_seed(seed, 1)), config).run(body);
}

/// A number from the environment.
pub fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a whole number"))
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    config.max_steps = MaxSteps::FailAfter(MAX_STEPS);
    config.silence_warnings = true;
    config
}

/// Lets those who asked for others to go first, because they wait for time to pass, go on seldom: they would make up most of
/// each schedule otherwise.
struct Patient<S> {
    inner: S,
    waiting: Vec<TaskId>,
    steps: usize,
}

impl<S> Patient<S> {
    fn new(inner: S) -> Patient<S> {
        Patient { inner, waiting: Vec::new(), steps: 0 }
    }
}

impl<S: Scheduler> Scheduler for Patient<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        (self.waiting, self.steps) = (Vec::new(), 0);
        self.inner.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        self.waiting.retain(|task| Some(*task) != current);
        self.waiting.extend(current.filter(|_| is_yielding));
        self.steps += 1;
        let mut eager = runnable.to_vec();
        eager.retain(|task| !self.waiting.contains(&task.id()));
        let all = eager.is_empty() || self.steps.is_multiple_of(PATIENCE);
        self.inner.next_task(if all { runnable } else { &eager }, current, is_yielding)
    }

    fn next_u64(&mut self) -> u64 {
        self.inner.next_u64()
    }
}
