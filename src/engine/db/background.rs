//! Who does the work that nobody waits for.
//!
//! Three threads, each with one concern, because a slow one must not hold up another: *log* (prepares segments, syncs for
//! those who do not lead a sync themselves, and at the interval), *flush*, *compact*. Priorities are strict by this division:
//! a flush never waits for a compaction. Under `Background::Stepped` there are no threads, and a caller in need of room
//! does one step after the other itself.
//!
//! A step that fails is reported, kept for `stats`, and tried again after a pause; writers meanwhile run into their deadline
//! with a named reason rather than into silence.

use super::inner::Inner;
use crate::engine::compaction::picker::Urgency;
use crate::engine::options::{Background, Durability};
use crate::engine::wal::segment;
use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a task that is to write more slowly rests before it looks again.
const REST: Duration = Duration::from_millis(1);
/// How long a thread rests after a step that failed.
const PAUSE: Duration = Duration::from_millis(200);
/// With nothing to do for this long the database counts as idle, and level 0 is merged down.
const IDLE: Duration = Duration::from_secs(1);

/// Starts the threads.
pub fn start(inner: &Arc<Inner>) -> Result<Vec<JoinHandle<()>>> {
    if inner.options.background == Background::Stepped {
        return Ok(Vec::new());
    }
    let threads: [(&str, fn(&Inner)); 3] =
        [("siltstone-log", log_loop), ("siltstone-flush", flush_loop), ("siltstone-compact", compact_loop)];
    threads
        .into_iter()
        .map(|(name, body)| {
            let inner = Arc::clone(inner);
            let thread = std::thread::Builder::new().name(name.into()).spawn(move || body(&inner));
            thread.map_err(|e| Error::io("start a thread for", inner_path(name), e))
        })
        .collect()
}

fn inner_path(name: &str) -> &std::path::Path {
    std::path::Path::new(name)
}

fn log_loop(inner: &Inner) {
    let limit = match inner.options.durability {
        Durability::Interval(interval) => Some(interval),
        _ => None,
    };
    while !inner.stop.load(Ordering::Acquire) {
        let seen = inner.signals.log.count();
        inner.report(inner.prepare_spare());
        if limit.is_some() || inner.group_sync.has_wakers() {
            let _ = inner.sync_all();
        }
        if inner.group_sync.has_wakers() && inner.group_sync.failure().is_none() {
            continue;
        }
        // Tasks that rest because writes are slowed down are let in by the clock, not by a signal.
        let resting = inner.signals.room.has_tasks().then_some(REST);
        inner.signals.log.wait(seen, resting.or(limit));
        inner.signals.room.wake_tasks();
    }
}

fn flush_loop(inner: &Inner) {
    while !inner.stop.load(Ordering::Acquire) {
        let seen = inner.signals.flush.count();
        let pause = match inner.report(inner.flush_sealed()) {
            Some(true) => continue,
            Some(false) => None,
            None => Some(PAUSE),
        };
        inner.signals.flush.wait(seen, pause);
    }
}

fn compact_loop(inner: &Inner) {
    let mut urgency = Urgency::Pressure;
    while !inner.stop.load(Ordering::Acquire) {
        let seen = inner.signals.compact.count();
        inner.report(inner.remove_obsolete());
        let wait = match inner.report(inner.compact_step(urgency)) {
            Some(true) => continue,
            Some(false) if urgency == Urgency::Pressure => Some(IDLE),
            Some(false) => None,
            None => Some(PAUSE),
        };
        let woken = inner.signals.compact.wait(seen, wait) != seen;
        urgency = if woken || wait == Some(PAUSE) { Urgency::Pressure } else { Urgency::Idle };
    }
}

impl Inner {
    /// One piece of the most urgent work; false when there is none. For `Background::Stepped`.
    pub fn step(&self) -> Result<bool> {
        let worked = self.flush_sealed()? || self.compact_step(Urgency::Pressure)?;
        self.remove_obsolete()?;
        self.prepare_spare()?;
        Ok(worked)
    }

    fn compact_step(&self, urgency: Urgency) -> Result<bool> {
        let _one_at_a_time = self.compacting.lock();
        self.compact_once(urgency)
    }

    /// Makes durable what has been written so far.
    pub fn sync_all(&self) -> Result<()> {
        let position = self.commit.lock().log.position();
        self.sync_to(position)
    }

    /// Makes the next log segment ready, unless one is.
    pub fn prepare_spare(&self) -> Result<()> {
        if self.commit.lock().spare.is_some() || self.poisoned().is_some() {
            return Ok(());
        }
        let number = self.next_log.fetch_add(1, Ordering::Relaxed);
        let used = self.used_segments.lock().pop();
        let segment = segment::prepare(&self.dir, self.log_place(number), self.segment_capacity(), used);
        let segment = self.poison_if_sync_failed(segment)?;
        self.commit.lock().spare = Some(segment);
        Ok(())
    }

    /// How large a segment is made: what fills a write buffer fits into it.
    pub fn segment_capacity(&self) -> u64 {
        (self.options.memtable_bytes as u64).clamp(segment::MIN_CAPACITY, 64 << 20)
    }

    /// Notes a background step's error; `None` then.
    fn report<T>(&self, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(Error::Closed) => None,
            Err(error) => {
                tracing::warn!(%error, "background work failed and will be tried again");
                *self.last_background_error.lock() = Some(error);
                self.signals.room.raise();
                None
            }
        }
    }
}
