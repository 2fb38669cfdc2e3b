//! What several modules need: randomness from a seed, how large a run is, seeds that failed once, work for all cores, and
//! awaiting without a runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// SplitMix64: small, fast, and the same everywhere.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// What `memtable_bytes` makes buffers full of so many small entries: an arena's first chunk, the smallest hash table, and what
/// the list takes for each.
pub const fn buffer_of(entries: usize) -> usize {
    4096 + 512 + 64 * entries
}

/// The least memory budget with blocks of so many bytes.
pub const fn least_memory(block_bytes: usize) -> usize {
    (1 << 20) + 64 * block_bytes
}

/// A number from the environment, for runs longer than CI's.
pub fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a whole number"))
}

/// The seeds that made a harness fail once: the first word of each line of its list in `tests/seeds`.
pub fn seeds(harness: &str) -> Vec<u64> {
    let path = format!("{}/tests/seeds/{harness}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split(' ').next().unwrap().parse().expect("a seed")).collect()
}

/// Does `work` for each seed from the first on, on as many threads as there are cores, until the sum of what it gives
/// reaches `goal`. The first failure ends it.
pub fn on_all_cores(first: u64, goal: u64, work: impl Fn(u64) -> u64 + Sync) -> u64 {
    let (next, sum) = (AtomicU64::new(first), AtomicU64::new(0));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let run = || {
            while sum.load(Ordering::Relaxed) < goal {
                let done = work(next.fetch_add(1, Ordering::Relaxed));
                sum.fetch_add(done, Ordering::Relaxed);
            }
        };
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(run)).collect();
        for thread in threads {
            thread.join().unwrap_or_else(|failure| {
                sum.store(u64::MAX, Ordering::Relaxed);
                std::panic::resume_unwind(failure)
            });
        }
    });
    sum.into_inner()
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Awaits without a runtime.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
