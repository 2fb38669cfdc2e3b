//! Running a model of a small part: under loom in every order that its memory orderings allow, with at most
//! [`PREEMPTIONS`]; under shuttle in as many orders as the scenarios of `tests/schedules`, but with more in it.

/// How often a thread is interrupted at most.
#[cfg(loom)]
const PREEMPTIONS: usize = 3;
/// How many steps one order of events may have.
#[cfg(loom)]
const MAX_STEPS: usize = 20_000;

/// Checks `model`, which asserts what must hold, in all orders.
#[cfg(loom)]
pub fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));
    builder.max_branches = MAX_STEPS;
    builder.check(move || {
        super::race::forget();
        model();
    });
}

/// Checks `model`, which asserts what must hold, in many orders.
#[cfg(shuttle)]
pub fn check(model: impl Fn() + Send + Sync + 'static) {
    use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
    let number =
        |name, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seed, half) = (number("SILTSTONE_SEED", 1), number("SILTSTONE_SCHEDULES", 20_000).div_ceil(2));
    let model = std::sync::Arc::new(model);
    let random: Box<dyn Scheduler + Send> = Box::new(RandomScheduler::new_from_seed(seed, half as usize));
    for scheduler in [random, Box::new(PctScheduler::new_from_seed(seed, 3, half as usize))] {
        let model = std::sync::Arc::clone(&model);
        let mut config = shuttle::Config::new();
        (config.stack_size, config.silence_warnings) = (256 << 10, true);
        shuttle::Runner::new(scheduler, config).run(move || model());
    }
}
