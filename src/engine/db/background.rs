//! Who does the work that nobody waits for.
//!
//! Three threads that last, each with one concern, because a slow one must not hold up another: *log* (prepares segments, syncs for
//! those who do not lead a sync themselves, and at the interval), *flush*, *compact*. Priorities are strict by this division:
//! a flush never waits for a compaction. Under `Background::Stepped` there are no threads, and a caller in need of room
//! does one step after the other itself.
//!
//! A step that fails is reported, kept for `stats` (`troubles`), and tried again after a pause, which grows while it goes on
//! failing; writers meanwhile get the reason, at their deadline or, where waiting does not help, at once.

use super::inner::Inner;
use super::warm::open_tables;
use crate::engine::compaction::picker::Urgency;
use crate::engine::event::Work;
use crate::engine::options::Background;
use crate::engine::sstable::TableSummary;
use crate::engine::wal::segment::{self, Segment};
use crate::planted::{Bug, planted};
use crate::sync::atomic::Ordering;
use crate::sync::thread::{self, JoinHandle};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// How long a task that is to write more slowly rests before it looks again.
const REST: Duration = Duration::from_millis(1);
/// How long a thread rests after a step that failed, at first and at most.
const PAUSE: Duration = Duration::from_millis(200);
/// See [`PAUSE`].
const LONGEST_PAUSE: Duration = Duration::from_millis(3200);
/// With nothing to do for this long the database counts as idle, and level 0 is merged down.
const IDLE: Duration = Duration::from_secs(1);
/// How long the deletion of a range waits in the write buffer, unless it frees whole tables: with it many more of them may come,
/// and tables are rewritten once for all.
const DELETED_REST: Duration = Duration::from_secs(60);
/// How long the compaction thread waits at most for data to expire, or for a snapshot to go that sees what was deleted.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Starts the threads.
pub fn start(inner: &Arc<Inner>) -> Result<Vec<JoinHandle<()>>> {
    if inner.observes || inner.options.background == Background::Stepped {
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
            let thread = thread::Builder::new().name(name.into()).spawn(move || body(&inner));
            thread.map_err(|e| Error::io("start a thread for", inner_path(name), e))
        })
        .collect()
}

fn inner_path(name: &str) -> &std::path::Path {
    std::path::Path::new(name)
}

/// Rests that grow.
struct Pauses(Duration);

impl Pauses {
    fn new() -> Pauses {
        Pauses(PAUSE)
    }

    /// The rest after a step, if it failed.
    fn after(&mut self, failed: bool) -> Option<Duration> {
        let pause = self.0;
        self.0 = if failed { (pause * 2).min(LONGEST_PAUSE) } else { PAUSE };
        failed.then_some(pause)
    }
}

fn log_loop(inner: &Inner) {
    let clock = &*inner.options.clock;
    let (mut let_in, mut pauses) = (Duration::ZERO, Pauses::new());
    while let Some(seen) = inner.signals.log.next_round(&inner.stop) {
        let prepared = inner.prepare_spare().and_then(|()| inner.look_for_space());
        let pause = pauses.after(inner.report(Work::Log, prepared) != Some(true));
        inner.sync_for_others();
        if inner.group_sync.has_wakers() && inner.group_sync.failure().is_none() {
            continue;
        }
        let limits = [inner.let_tasks_look(&mut let_in), inner.sync_deadline.remaining(clock), pause];
        inner.signals.log.wait(seen, limits.into_iter().flatten().min());
    }
}

fn flush_loop(inner: &Inner) {
    let mut pauses = Pauses::new();
    while let Some(seen) = inner.signals.flush.next_round(&inner.stop) {
        let flushed = inner.flush_sealed();
        *inner.flush_error.lock() = flushed.as_ref().err().cloned();
        let flushed = inner.report(Work::Flush, flushed);
        let pause = pauses.after(flushed.is_none());
        if flushed != Some(true) {
            inner.signals.flush.wait(seen, pause);
        }
    }
}

fn compact_loop(inner: &Inner) {
    let (mut urgency, mut pauses, mut deleted_since) = (Urgency::Pressure, Pauses::new(), None);
    while let Some(seen) = inner.signals.compact.next_round(&inner.stop) {
        inner.report(Work::Removal, inner.remove_obsolete());
        // That nothing was to be sealed says nothing of flushes that fail.
        if let failed @ Err(_) = inner.seal_expired() {
            inner.report(Work::Flush, failed);
        }
        if urgency == Urgency::Idle
            && let failed @ Err(_) = inner.seal_deleted(&mut deleted_since)
        {
            inner.report(Work::Flush, failed);
        }
        let compacted = inner.report(Work::Compaction, inner.compact_step(urgency));
        let pause = pauses.after(compacted.is_none());
        if compacted == Some(true) {
            continue;
        }
        let due = match urgency {
            Urgency::Pressure => Some(IDLE),
            Urgency::Idle => inner.until_something_is_due(deleted_since),
        };
        let woken = inner.signals.compact.wait(seen, pause.or(due)) != seen;
        urgency = if woken || pause.is_some() { Urgency::Pressure } else { Urgency::Idle };
    }
}

impl Inner {
    /// Wakes the tasks that wait for room, at most once in [`REST`] since `last`; gives how long until the next time. Those
    /// that rest because writes are slowed down are let in by the clock, not by a signal. Each of them raises the log
    /// thread's signal when it begins to wait, so waking them whenever that is raised would keep both of them busy.
    fn let_tasks_look(&self, last: &mut Duration) -> Option<Duration> {
        if !self.signals.room.has_tasks() {
            return None;
        }
        let now = self.options.clock.monotonic();
        let rest = REST.saturating_sub(now.saturating_sub(*last));
        if rest.is_zero() {
            *last = now;
            self.signals.room.wake_tasks();
            return Some(REST);
        }
        Some(rest)
    }

    /// One piece of the most urgent work; false when there is none. For `Background::Stepped`.
    pub fn step(&self) -> Result<bool> {
        let worked = self.flush_sealed()? || self.compact_step(Urgency::Pressure)?;
        self.remove_obsolete()?;
        self.report(Work::Log, self.prepare_spare());
        Ok(worked)
    }

    /// What the threads would do at once after a write. For `Background::Stepped`; other work waits until room is needed.
    pub fn step_after_write(&self) {
        if self.is_disk_full() {
            self.report(Work::Flush, self.flush_sealed());
        }
        if self.spare_asked.load(Ordering::Relaxed) {
            self.report(Work::Log, self.prepare_spare());
        }
    }

    /// Sends the active buffer to its flush when it has held expired data for longer than the lag.
    fn seal_expired(&self) -> Result<()> {
        let is_due = |earliest: u64| self.due_at(earliest) <= self.boundaries().1;
        if !self.super_version.load().active.min_expiry().is_some_and(is_due) {
            return Ok(());
        }
        self.check_writable()?;
        let mut committer = self.commit.lock();
        let waiting = self.buffers.lock().sealed.len();
        if waiting == 0 { self.seal(&mut committer) } else { Ok(()) }
    }

    /// Sends the active buffer to its flush when a range was deleted in it, and the space is to come back: at once where that
    /// sets whole tables free. `since`: when a deletion was first seen there.
    fn seal_deleted(&self, since: &mut Option<Duration>) -> Result<()> {
        let view = self.super_version.load();
        let Some(covered) = view.active.covered(u64::MAX) else {
            *since = None;
            return Ok(());
        };
        let now = self.options.clock.monotonic();
        let waited = now.saturating_sub(*since.get_or_insert(now));
        let mut tables = view.version.tables().map(|(_, t)| &t.summary);
        let frees = |t: &TableSummary| covered.cover_all(&t.smallest, &t.largest, t.max_seq, u64::MAX);
        if waited < DELETED_REST && !tables.any(frees) {
            return Ok(());
        }
        self.check_writable()?;
        let mut committer = self.commit.lock();
        let waiting = self.buffers.lock().sealed.len();
        if waiting == 0 { self.seal(&mut committer) } else { Ok(()) }
    }

    /// How long until expired or deleted data is to be cleared away; `None` when there is none.
    fn until_something_is_due(&self, deleted_since: Option<Duration>) -> Option<Duration> {
        let view = self.super_version.load();
        let of_tables = view.version.tables().map(|(_, t)| &t.summary).filter(|t| t.expiring > 0);
        let earliest = of_tables.map(|t| t.min_expiry).chain(view.active.min_expiry()).min();
        let wait = earliest.map(|at| Duration::from_millis(self.due_at(at).saturating_sub(self.now())));
        let now = self.options.clock.monotonic();
        let rest = deleted_since.map(|since| (since + DELETED_REST).saturating_sub(now));
        let needed = view.version.has_tombstones().then_some(LOOK_AGAIN);
        // The wall clock may be set, and a snapshot may hold things back, so it looks again every now and then.
        let due = [wait, rest, needed].into_iter().flatten().min()?;
        Some(due.clamp(IDLE, LOOK_AGAIN))
    }

    fn due_at(&self, expiry: u64) -> u64 {
        let lag = u64::try_from(self.options.expiry_lag.as_millis()).unwrap_or(u64::MAX);
        expiry.saturating_add(lag)
    }

    fn compact_step(&self, urgency: Urgency) -> Result<bool> {
        let _one_at_a_time = self.compacting.lock();
        if urgency == Urgency::Idle {
            return self.compact_once(urgency);
        }
        let compacted = self.with_reserve(|| self.compact_once(urgency));
        self.has_given_way(&compacted);
        let waits = matches!(compacted, Err(Error::DiskFull { .. }));
        self.compaction_wants_space.store(waits, Ordering::Relaxed);
        compacted
    }

    /// Sees to it that what has been written so far is durable within so long.
    pub fn sync_within(&self, interval: Duration) -> Result<()> {
        if planted(Bug::IntervalNeverSyncs) {
            return Ok(());
        }
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
            match self.is_disk_full() {
                true => segment::MIN_CAPACITY,
                false => (committer.log.capacity() * 4).min(self.segment_capacity()),
            }
        };
        let segment = match self.is_disk_full() {
            true => self.with_all_space(|| self.make_segment(capacity, None, &|| ()))?,
            false => {
                // The last one is the reserve.
                let used = {
                    let mut used = self.used_segments.lock();
                    if used.len() > 1 { used.pop() } else { None }
                };
                // A slow disk takes seconds for it, and this is the thread that syncs for tasks. Without threads there is nobody
                // else to wait for it.
                let has_threads = self.options.background == Background::Threads;
                let give_way = || {
                    if has_threads {
                        self.sync_for_others()
                    }
                };
                self.note_space(self.make_segment(capacity, used, &give_way))?
            }
        };
        self.largest_segment.fetch_max(capacity, Ordering::Relaxed);
        self.commit.lock().spare = Some(segment);
        Ok(())
    }

    /// Syncs for those who do not lead a sync themselves, and when the interval has passed.
    fn sync_for_others(&self) {
        if self.sync_deadline.has_come(&*self.options.clock) || self.group_sync.has_wakers() {
            // Whoever waits gets the error; the next write does in any case.
            let _ = self.sync_all();
        }
    }

    fn make_segment(&self, capacity: u64, used: Option<u64>, give_way: &dyn Fn()) -> Result<Segment> {
        let number = self.next_log.fetch_add(1, Ordering::Relaxed);
        let (place, mode) = (self.log_place(number), self.options.durability.log_mode());
        let made = segment::prepare(&self.dir, place, capacity, used, mode, give_way);
        self.poison_if_sync_failed(made)
    }

    /// How large a segment is made at most: what fills a write buffer fits into it.
    pub fn segment_capacity(&self) -> u64 {
        (self.memory.buffer_bytes() as u64).clamp(segment::MIN_CAPACITY, 64 << 20)
    }

    /// Notes how a step in the background went; `None` when it failed.
    fn report<T>(&self, work: Work, outcome: Result<T>) -> Option<T> {
        let failed = outcome.is_err();
        let outcome = self.troubles.note(work, outcome, &*self.options.clock, &self.events);
        if failed {
            // Whoever waits for the work is told.
            self.signals.room.raise();
        }
        outcome
    }
}
