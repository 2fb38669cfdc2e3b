//! A full disk: what is given up for it, what is still taken, and when it is over.
//!
//! When work that writes finds no space, the database takes only deletions until there is some again. Deletions need space
//! too: a place in the log, then a table, then a record in the manifest, and only the compaction that follows gives any
//! back. That is what the *reserve* is for: the log segment that is always ready, or kept to be written again. Its file is
//! removed, and a flush finds that much space. It makes log segments needless, which are removed as well, each larger than
//! the table that its entries became. So one flush after the other, one buffer at a time, leaves no less space than it
//! found. Segments that are made meanwhile are of the smallest size.
//!
//! (E1) A segment that a `Seal` may name is not given up: a power cut may bring that record back, and with it a log that goes
//!      on where there is nothing.
//! (E2) It is over when what failed has been done, no buffer waits, and a new reserve could be written.
//! (E3) A compaction takes space before it gives any back, and runs beside deletions and their flushes. When these find none
//!      and there is no reserve, it is broken off, and what it has written removed: it can be tried again, they must not fail.
//!
//! A new database has no reserve until its log has grown to a second segment: it has next to nothing to delete, either.
//!
//! Rejected: a file that does nothing but take up space. It would have to be as large as a write buffer's table to be of
//! use, in every database, however small; the log has such files anyway.

use super::inner::Inner;
use super::troubles::Trouble;
use crate::engine::batch;
use crate::engine::event::{DiskFull, Event, Work};
use crate::engine::filename::FileName;
use crate::engine::key::Kind;
use crate::engine::options::Background;
use crate::engine::wal::segment;
use crate::error::StallReason;
use crate::sync::atomic::Ordering;
use crate::{Error, Result};
use std::time::Duration;

/// How long whoever waits for a compaction to give way looks again, should it miss a wake-up.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Inner {
    /// Whether only deletions are taken.
    pub fn is_disk_full(&self) -> bool {
        self.status.is_disk_full()
    }

    /// Passes on how something went; when it found no space, only deletions are taken from now on.
    pub fn note_space<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error @ Error::DiskFull { .. }) = &outcome {
            let trouble = Trouble::new(error.clone(), &*self.options.clock);
            self.troubles.met(trouble.clone());
            if self.status.set_disk_full() {
                self.events.tell(Event::DiskFull(DiskFull { error: error.clone() }));
                self.troubles.set_disk_full(Some(trouble));
                self.signals.log.raise();
            }
        }
        outcome
    }

    /// Does a compaction, with the space of the reserve if it finds no other.
    pub fn with_reserve<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        let gives_way = || self.compaction_gives_way.load(Ordering::Acquire);
        self.while_freeing(&|| Ok(!gives_way() && self.give_up_reserve()?), work)
    }

    /// Does work that must go on for deletions to be taken, with all the space that can be had. Not for compactions: it may
    /// wait for the one that runs.
    pub fn with_all_space<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        self.while_freeing(&|| self.free_space(), work)
    }

    /// Does work again as long as it finds no space and `free` some.
    fn while_freeing<T>(&self, free: &dyn Fn() -> Result<bool>, work: impl Fn() -> Result<T>) -> Result<T> {
        loop {
            let outcome = self.note_space(work());
            let full = matches!(outcome, Err(Error::DiskFull { .. })) && self.poisoned().is_none();
            if !(full && free()?) {
                return outcome;
            }
        }
    }

    /// Gives up what can be given up; false when there is nothing.
    fn free_space(&self) -> Result<bool> {
        Ok(self.give_up_reserve()? || self.break_off_compaction())
    }

    /// Has the running compaction give way, and waits for it (E3); false when none runs.
    fn break_off_compaction(&self) -> bool {
        let before = self.compactions_broken_off.load(Ordering::Acquire);
        self.compaction_gives_way.store(true, Ordering::Release);
        let mut was_running = false;
        loop {
            let seen = self.signals.room.count();
            if self.compactions_broken_off.load(Ordering::Acquire) != before {
                return true;
            }
            if !self.compacting.is_locked() {
                self.compaction_gives_way.store(false, Ordering::Release);
                return was_running;
            }
            was_running = true;
            self.signals.room.wait(seen, Some(LOOK_AGAIN));
        }
    }

    /// An error when a compaction is to end before it is done.
    pub fn compaction_still_wanted(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Closed);
        }
        match self.want_of_space() {
            Some(trouble) if self.compaction_gives_way.load(Ordering::Acquire) => Err(trouble.error),
            _ => Ok(()),
        }
    }

    /// Whether a compaction that ended with `outcome` was broken off for others, who are told that its files are gone.
    pub fn has_given_way<T>(&self, outcome: &Result<T>) -> bool {
        let full = matches!(outcome, Err(Error::DiskFull { .. }));
        let gave_way = full && self.compaction_gives_way.swap(false, Ordering::AcqRel);
        if gave_way {
            self.compactions_broken_off.fetch_add(1, Ordering::AcqRel);
            self.signals.room.raise();
        }
        gave_way
    }

    /// Why only deletions are taken, if that is so.
    pub fn want_of_space(&self) -> Option<Trouble> {
        self.troubles.disk_full().filter(|_| self.is_disk_full())
    }

    /// An error unless the batch does nothing but delete.
    pub fn refuse_puts(&self, payload: &[u8]) -> Result<()> {
        let deletes = |kind| matches!(kind, Kind::Delete | Kind::DeleteRange);
        if batch::entries(payload).all(|entry| entry.is_ok_and(|entry| deletes(entry.kind))) {
            return Ok(());
        }
        match self.want_of_space() {
            Some(trouble) => Err(trouble.error),
            None => Ok(()),
        }
    }

    /// How a write went; `None` when it found no space for its deletions, and should try again with that of the reserve.
    pub fn unless_reserve_helps(&self, applied: Result<u64>, payload: &[u8]) -> Result<Option<u64>> {
        match applied {
            Err(full @ Error::DiskFull { .. }) => {
                let helps = self.is_disk_full() && self.refuse_puts(payload).is_ok() && self.free_space()?;
                if helps { Ok(None) } else { Err(full) }
            }
            applied => applied.map(Some),
        }
    }

    /// The error for a write that waits for work that finds no space: waiting would not help it.
    pub fn full_disk_behind(&self, reason: StallReason) -> Option<Error> {
        self.troubles.want_of_space(match reason {
            StallReason::WriteBuffersFull | StallReason::LogSegment => Work::Flush,
            StallReason::Level0Full | StallReason::CompactionDebt => Work::Compaction,
        })
    }

    /// Gives up the reserve; false when there is none.
    pub fn give_up_reserve(&self) -> Result<bool> {
        if let Some(used) = self.used_segments.lock().pop() {
            self.dir.remove(&FileName::Spare(used).to_string())?;
            return Ok(true);
        }
        let ready = {
            let mut committer = self.commit.lock();
            if committer.spare_may_be_named { None } else { committer.spare.take() }
        };
        let Some(ready) = ready else { return Ok(false) };
        self.spare_asked.store(false, Ordering::Relaxed);
        self.dir.remove(&FileName::Log(ready.place.number).to_string())?;
        Ok(true)
    }

    /// Looks whether there is space again (E2).
    pub fn look_for_space(&self) -> Result<bool> {
        if !self.is_disk_full() {
            return Ok(true);
        }
        let waits = self.compaction_wants_space.load(Ordering::Relaxed);
        if waits || !self.buffers.lock().sealed.is_empty() || !self.make_reserve()? {
            return Ok(false);
        }
        if self.status.set_disk_not_full() {
            self.events.tell(Event::DiskFullOver);
            self.troubles.set_disk_full(None);
            self.signals.room.raise();
        }
        Ok(true)
    }

    /// Writes a reserve, or so much to see that there is space for it; false when there is not.
    fn make_reserve(&self) -> Result<bool> {
        self.check_unpoisoned()?;
        let capacity = self.largest_segment.load(Ordering::Relaxed);
        let number = self.next_log.fetch_add(1, Ordering::Relaxed);
        match segment::reserve(&self.dir, number, capacity) {
            Err(Error::DiskFull { .. }) => return Ok(false),
            made => made?,
        }
        let mut used = self.used_segments.lock();
        if used.is_empty() {
            used.push(number);
        } else {
            self.dir.remove(&FileName::Spare(number).to_string())?;
        }
        Ok(true)
    }

    /// For `Background::Stepped`: does what keeps writes from going on, if there is space for it now. Gives `refused` otherwise.
    pub fn step_for_space(&self, refused: Error) -> Result<()> {
        if self.options.background != Background::Stepped || !self.is_disk_full() {
            return Err(refused);
        }
        while self.flush_sealed()? {}
        self.step()?;
        if self.look_for_space()? { Ok(()) } else { Err(refused) }
    }
}
