//! What the handles share, and how it ends.
//!
//! Close goes in this order, and a crash at any point of it is like one before it:
//!
//! 1. No more calls are let in. The commit lock is taken once, so the last write under way has finished.
//! 2. Background threads are told to stop, and awaited; a running compaction gives up within a thousand entries.
//! 3. The buffers are flushed. Then no log segment is needed, and an edit says so.
//! 4. The manifest is closed cleanly; log segments and spares are removed.
//! 5. For iterators that go on: tables that nobody has read yet are opened. The lock is let go.

use super::background;
use super::commit::MAX_SEALED;
use super::inner::{Inner, Signals};
use super::open::RecoveryReport;
use crate::engine::event::{Event, Recovered};
use crate::engine::filename::FileName;
use crate::engine::manifest::Edit;
use crate::engine::read::LazyTable;
use crate::sync::Mutex;
use crate::sync::atomic::Ordering;
use crate::sync::thread::JoinHandle;
use crate::{Error, Result};
use std::sync::{Arc, Weak};

/// An open database with its threads and its lock. Dropping it closes it.
pub struct Handle {
    inner: Arc<Inner>,
    report: RecoveryReport,
    /// Gone once closed.
    running: Mutex<Option<Running>>,
}

struct Running {
    threads: Vec<JoinHandle<()>>,
    listening: Option<JoinHandle<()>>,
    _lock: Box<dyn Send + Sync>,
}

impl Handle {
    pub fn start(inner: Inner, lock: Box<dyn Send + Sync>, report: RecoveryReport) -> Result<Handle> {
        let inner = Arc::new(inner);
        inner.update_pressure();
        let compact = Arc::clone(&inner.signals.compact);
        inner.files.when_removable(move || compact.raise());
        inner.events.tell(Event::Recovered(recovered(&report)));
        let listening = inner.events.start()?;
        let threads = background::start(&inner).inspect_err(|_| _ = inner.events.end())?;
        inner.events.deliver();
        let running = Mutex::new(Some(Running { threads, listening, _lock: lock }));
        Ok(Handle { inner, report, running })
    }

    #[inline]
    pub fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    pub fn report(&self) -> &RecoveryReport {
        &self.report
    }

    /// Closes. Iterators are among the `holders` of the database, if there are more than one.
    pub fn close(&self, holders: usize) -> Result<()> {
        // Whoever comes second waits here until the first is through.
        let mut running = self.running.lock();
        let Some(Running { threads, listening, _lock }) = running.take() else { return Ok(()) };
        let poisoned = self.inner.poisoned().cloned();
        self.inner.set_closed();
        drop(self.inner.commit.lock());
        self.inner.stop_threads(threads);
        self.inner.readers.end();
        // A checkpoint that is being made gives up; it names files that may be gone when the folder is opened again.
        drop(self.inner.checkpointing.lock());
        // For those who await a commit: nobody else would wake them now.
        let synced = self.inner.sync_all();
        let closed = match poisoned {
            _ if self.inner.observes => Ok(()),
            // What the files hold is not certain: leave them to the next open.
            Some(cause) => Err(Error::ReadOnly { cause }),
            None => synced.and_then(|()| self.inner.shut_down()),
        };
        if holders > 1 {
            self.inner.open_tables_for_iterators();
        }
        drop(_lock);
        // Not held any longer: the listener may be about to close as well.
        drop(running);
        self.inner.end_events(listening);
        closed
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.close(0) {
            tracing::warn!(%error, "closing failed; the next open reads the log");
        }
    }
}

fn recovered(report: &RecoveryReport) -> Recovered {
    Recovered {
        clean: report.clean,
        batches: report.batches,
        log_bytes: report.log_bytes,
        cuts: report.cuts.len(),
        orphans_removed: report.orphans_removed.len(),
        took: report.took,
    }
}

impl Inner {
    /// Tells the last events.
    fn end_events(&self, listening: Option<JoinHandle<()>>) {
        self.tasks_stall_no_more();
        let await_it = self.events.end();
        self.events.deliver();
        // It catches panics, so there is no other end.
        let _ = listening.filter(|_| await_it).map(JoinHandle::join);
    }

    fn stop_threads(&self, threads: Vec<JoinHandle<()>>) {
        self.stop.store(true, Ordering::Release);
        let Signals { log, flush, compact, room } = &self.signals;
        for signal in [log, flush, compact, room] {
            signal.raise();
        }
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a background thread has panicked");
            }
        }
    }

    /// Whoever opens the folder next may remove tables that iterators of this database have not come to yet. What is open
    /// stays readable, so all that anybody may still come to is opened now and kept open, whatever memory that takes.
    fn open_tables_for_iterators(&self) {
        let view = self.super_version.load();
        let replaced: Vec<_> = self.replaced.lock().iter().filter_map(Weak::upgrade).collect();
        for table in view.version.tables().map(|(_, table)| table).chain(&replaced) {
            // A table that cannot be opened gives its error to whoever reads it.
            let _ = table.handle.keep_open();
        }
    }

    fn shut_down(&self) -> Result<()> {
        if !self.commit.lock().active.memtable().is_empty() {
            let mut committer = self.commit.lock();
            self.seal(&mut committer)?;
        }
        while self.flush_sealed()? {}
        self.remove_obsolete()?;
        let (segment, base) = {
            let committer = self.commit.lock();
            (committer.log.number(), committer.log.position())
        };
        let mut manifest = self.manifest.lock();
        let edit = Edit { min_log: Some(segment + 1), log_base: Some(base), ..self.edit() };
        let mut make = |summary: &_| LazyTable::new(Arc::clone(&self.files), summary);
        manifest.commit(&edit, &mut make)?;
        manifest.close(self.visible.0.load(Ordering::Acquire))?;
        for name in self.dir.list()? {
            if matches!(FileName::parse(&name), Some(FileName::Log(_) | FileName::Spare(_))) {
                self.dir.remove(&name)?;
            }
        }
        self.dir.sync()
    }

    /// Seals the active buffer and waits until everything that was in buffers is in tables.
    pub fn flush_all(&self) -> Result<()> {
        let flushed = self.flush_all_buffers();
        self.events.deliver();
        flushed
    }

    fn flush_all_buffers(&self) -> Result<()> {
        self.begin_flush()?;
        let mut goal = None;
        loop {
            let seen = self.signals.room.count();
            if self.flush_has_reached(&mut goal)? {
                return Ok(());
            }
            if self.options.background == crate::engine::options::Background::Stepped {
                self.flush_sealed()?;
                continue;
            }
            self.signals.room.wait(seen, None);
        }
    }

    /// From now on an error of the flush thread is one of whoever waits for a flush.
    pub fn begin_flush(&self) -> Result<()> {
        self.check_writable()?;
        *self.flush_error.lock() = None;
        // The thread may be resting after a failure.
        self.signals.flush.raise();
        Ok(())
    }

    /// Whether all that was written before the first call is in tables; if not, look again when `room` was raised. The active buffer
    /// is sealed as soon as that is possible, and `goal` is where it ended.
    pub fn flush_has_reached(&self, goal: &mut Option<u64>) -> Result<bool> {
        self.check_writable()?;
        if goal.is_none() {
            *goal = self.seal_if_room()?;
        }
        if goal.is_some_and(|goal| !self.waits_for_flush(goal)) {
            return Ok(true);
        }
        match self.flush_error.lock().take() {
            Some(error) => Err(error),
            None => Ok(false),
        }
    }

    /// Seals the active buffer unless as many wait as may; gives up to where buffers must be flushed then.
    fn seal_if_room(&self) -> Result<Option<u64>> {
        let mut committer = self.commit.lock();
        if !committer.active.memtable().is_empty() {
            if self.buffers.lock().sealed.len() >= MAX_SEALED {
                return Ok(None);
            }
            self.seal(&mut committer)?;
        }
        Ok(Some(committer.next_seq - 1))
    }

    /// Whether a buffer with an entry up to `goal` waits for its flush.
    fn waits_for_flush(&self, goal: u64) -> bool {
        self.buffers.lock().sealed.iter().any(|(m, _)| m.min_seq().is_some_and(|seq| seq <= goal))
    }

    /// Compacts a range of engine keys to the bottom, on the calling thread.
    pub fn compact_range(&self, lower: &[u8], upper: Option<&[u8]>) -> Result<()> {
        let compacted = self.compact_range_to_the_bottom(lower, upper);
        self.events.deliver();
        compacted
    }

    fn compact_range_to_the_bottom(&self, lower: &[u8], upper: Option<&[u8]>) -> Result<()> {
        self.flush_all()?;
        loop {
            let _one_at_a_time = self.compacting.lock();
            self.check_writable()?;
            let outcome = self.with_reserve(|| self.compact_range_once(lower, upper));
            if self.has_given_way(&outcome) {
                drop(_one_at_a_time);
                self.flush_all()?;
                continue;
            }
            let worked = outcome?;
            // At once: the next step may need the space.
            self.remove_obsolete()?;
            if !worked {
                drop(_one_at_a_time);
                // Another compaction may have found no space, which this one has given back.
                self.compaction_wants_space.store(false, Ordering::Relaxed);
                return self.look_for_space().map(|_| ());
            }
        }
    }
}
