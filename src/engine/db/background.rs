//! Who does the work that nobody waits for.
//!
//! Three threads that last, each with one concern, because a slow one must not hold up another: *log* (prepares segments, syncs for
//! those who do not lead a sync themselves, and at the interval), *flush*, *compact*. Priorities are strict by this division:
//! a flush never waits for a compaction. Under `Background::Stepped` there are no threads, and a caller in need of room
//! does one step after the other itself.
//!
//! A step that fails is reported, kept for `stats`, and tried again after a pause; writers meanwhile run into their deadline
//! with a named reason rather than into silence.

use super::inner::Inner;
use super::warm::open_tables;
use crate::engine::compaction::picker::Urgency;
use crate::engine::options::Background;
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
    type Body = fn(&Inner);
    let threads: [(&str, Body); 4] = [
        ("siltstone-log", log_loop),
        ("siltstone-flush", flush_loop),
        ("siltstone-compact", compact_loop),
        ("siltstone-open", open_tables),
    ];
    let without_tables = inner.super_version.load().version.table_count() == 0;
    threads
        .into_iter()
        .filter(|(name, _)| *name != "siltstone-open" || !without_tables)
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
    let clock = &*inner.options.clock;
    while !inner.stop.load(Ordering::Acquire) {
        let seen = inner.signals.log.count();
        inner.report(inner.prepare_spare());
        if inner.sync_deadline.has_come(clock) || inner.group_sync.has_wakers() {
            // Whoever waits gets the error; the next write does in any case.
            let _ = inner.sync_all();
        }
        if inner.group_sync.has_wakers() && inner.group_sync.failure().is_none() {
            continue;
        }
        // Tasks that rest because writes are slowed down are let in by the clock, not by a signal.
        let resting = inner.signals.room.has_tasks().then_some(REST);
        inner.signals.log.wait(seen, resting.or(inner.sync_deadline.remaining(clock)));
        inner.signals.room.wake_tasks();
    }
}

fn flush_loop(inner: &Inner) {
    while !inner.stop.load(Ordering::Acquire) {
        let seen = inner.signals.flush.count();
        let flushed = inner.flush_sealed();
        *inner.flush_error.lock() = flushed.as_ref().err().cloned();
        let pause = match inner.report(flushed) {
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

    /// Sees to it that what has been written so far is durable within so long.
    pub fn sync_within(&self, interval: Duration) -> Result<()> {
        let clock = &*self.options.clock;
        let earlier = self.sync_deadline.ask(interval, clock);
        match self.options.background {
            Background::Threads if earlier => self.signals.log.raise(),
            Background::Stepped if self.sync_deadline.has_come(clock) => self.sync_all()?,
            _ => {}
        }
        Ok(())
    }

    /// Makes durable what has been written so far.
    pub fn sync_all(&self) -> Result<()> {
        let position = self.commit.lock().log.position();
        self.sync_to(position)
    }

    /// Makes the next log segment ready, once the present one is half full. Each is four times as large as the one before,
    /// up to [`Inner::segment_capacity`]: a database that is opened for a few writes fills no megabytes with zeros.
    pub fn prepare_spare(&self) -> Result<()> {
        let capacity = {
            let committer = self.commit.lock();
            if committer.spare.is_some() || !committer.log.wants_next() || self.poisoned().is_some() {
                return Ok(());
            }
            (committer.log.capacity() * 4).min(self.segment_capacity())
        };
        let number = self.next_log.fetch_add(1, Ordering::Relaxed);
        let used = self.used_segments.lock().pop();
        let segment = segment::prepare(&self.dir, self.log_place(number), capacity, used);
        let segment = self.poison_if_sync_failed(segment)?;
        self.commit.lock().spare = Some(segment);
        Ok(())
    }

    /// How large a segment is made at most: what fills a write buffer fits into it.
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
