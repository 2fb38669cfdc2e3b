//! x
use shuttle::scheduler::{PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, Runner};

pub struct Patient<S> {
    inner: S,
    yielded: Vec<TaskId>,
    pub steps: usize,
}
impl<S: Scheduler> Scheduler for Patient<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.yielded.clear();
        self.inner.new_execution()
    }
    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, is_yielding: bool) -> Option<TaskId> {
        self.steps += 1;
        if let Some(current) = current {
            self.yielded.retain(|t| *t != current);
            if is_yielding { self.yielded.push(current); }
        }
        if self.steps % 8 != 0 {
            let eager: Vec<&Task> = runnable.iter().copied().filter(|t| !self.yielded.contains(&t.id())).collect();
            if !eager.is_empty() {
                return self.inner.next_task(&eager, current, is_yielding);
            }
        }
        self.inner.next_task(runnable, current, is_yielding)
    }
    fn next_u64(&mut self) -> u64 { self.inner.next_u64() }
}
impl<S> Drop for Patient<S> { fn drop(&mut self) { eprintln!("steps {}", self.steps); } }

pub fn check(n: usize, f: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    config.silence_warnings = true;
    config.max_steps = shuttle::MaxSteps::FailAfter(200_000);
    let f = std::sync::Arc::new(f);
    let g = f.clone();
    let t = std::time::Instant::now();
    Runner::new(Patient { inner: RandomScheduler::new_from_seed(1, n), yielded: vec![], steps: 0 }, config.clone()).run(move || g());
    eprintln!("random {:?}", t.elapsed() / n as u32);
    let t = std::time::Instant::now();
    Runner::new(Patient {inner: PctScheduler::new_from_seed(1, 3, n), yielded: vec![], steps: 1<<63}, config).run(move || f());
    eprintln!("pct {:?}", t.elapsed() / n as u32);
}
