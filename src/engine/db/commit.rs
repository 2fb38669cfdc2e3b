//! The way of a write: log, buffer, visible; then, if asked for, durable.
//!
//! All of it happens in one short critical section, in the order of the sequence numbers: the record goes into the log with
//! one `write`, its entries into the active buffer, and the new visible number is stored before the lock is let go.
//! So visibility in order, the place in the log and sealing need no further thought. The sync, which is dearer than all of it by
//! far, happens outside (`group_sync`).
//!
//! (W2) holds because the log is written under the lock; (D1) and (D2) because visible is stored and buffers are sealed
//! under it.

use super::guard::{Checked, Guard};
use super::inner::{Committer, Inner, LogStart};
use crate::engine::batch;
use crate::engine::key::{Kind, MAX_SEQ, Trailer, hash};
use crate::engine::memtable::{self, MAX_ENTRIES, Memtable};
use crate::engine::options::Background;
use crate::engine::read::SuperVersion;
use crate::error::StallReason;
use crate::planted::{Bug, planted};
use crate::sync::MutexGuard;
use crate::sync::atomic::Ordering;
use crate::{Error, Result};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How many full buffers may wait for their flush before writers do.
pub const MAX_SEALED: usize = 2;
/// A write that waits, until this is dropped.
struct Waits<'a> {
    inner: &'a Inner,
    reason: StallReason,
    since: Duration,
}

impl Waits<'_> {
    fn begin(inner: &Inner, reason: StallReason) -> Waits<'_> {
        let since = inner.options.clock.monotonic();
        inner.events.stall_begins(reason, since);
        Waits { inner, reason, since }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.inner.no_longer_waits(self.reason, self.since);
    }
}

/// How often a waiting writer looks again, should it miss a wake-up.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Inner {
    /// Writes a batch and makes it visible; returns the log position that must be synced to make it durable.
    pub fn write(&self, payload: &[u8], count: u32) -> Result<u64> {
        self.write_if(payload, count, &mut ())
    }

    /// As [`Inner::write`], if `guard` lets it.
    pub fn write_if(&self, payload: &[u8], count: u32, guard: &mut impl Guard) -> Result<u64> {
        if count == 0 {
            return self.take_place(payload, count, guard, || {
                self.check_writable()?;
                Ok(self.commit.lock())
            });
        }
        self.rest_if_throttled(payload.len())?;
        let position = self.take_place(payload, count, guard, || self.lock_with_room(payload))?;
        if self.options.background == Background::Stepped {
            self.step_after_write();
            self.events.deliver();
        }
        Ok(position)
    }

    /// As [`Inner::write_if`], but never waits: who writes so has asked [`Inner::poll_room`], and the active buffer takes what
    /// was let in even when it is full.
    pub fn write_now(&self, payload: &[u8], count: u32, guard: &mut impl Guard) -> Result<u64> {
        self.take_place(payload, count, guard, || {
            let mut committer = self.commit.lock();
            self.check_takes(payload)?;
            if count > 0 {
                self.make_room(&mut committer, payload.len())?;
            }
            Ok(committer)
        })
    }

    /// Gives a batch its place in the order, under the lock that `lock` takes.
    fn take_place<'a>(
        &'a self,
        payload: &[u8],
        count: u32,
        guard: &mut impl Guard,
        lock: impl Fn() -> Result<MutexGuard<'a, Committer>>,
    ) -> Result<u64> {
        loop {
            guard.prepare(self)?;
            let early = planted(Bug::GuardBeforeLock).then(|| guard.check(self));
            let mut committer = lock()?;
            match early.unwrap_or_else(|| guard.check(self))? {
                Checked::Holds => {}
                Checked::Stale => continue,
                Checked::Clash(key, why) => {
                    drop(committer);
                    return Err(self.refusal(&key, why));
                }
            }
            if count == 0 {
                // Nothing of its own, but what came before it is to be as durable as it is.
                return Ok(committer.log.position());
            }
            let applied = self.apply(&mut committer, payload, count);
            drop(committer);
            if let Some(position) = self.unless_reserve_helps(applied, payload)? {
                return Ok(position);
            }
        }
    }

    /// Ready when a write of `bytes` can go ahead.
    pub fn poll_room(&self, bytes: usize, context: &Context<'_>) -> Poll<Result<()>> {
        self.check_writable()?;
        if self.room(bytes)? {
            return Poll::Ready(Ok(()));
        }
        if self.options.background == Background::Stepped {
            return Poll::Ready(self.step_until_room());
        }
        self.signals.room.register(context.waker());
        // The log thread has those who wait look again every now and then.
        self.signals.log.raise();
        // What one waits for may have happened just before registering.
        self.check_writable()?;
        if self.room(bytes)? { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn step_until_room(&self) -> Result<()> {
        while !self.room(0)? {
            if !self.step()? {
                let reason = self.throttle.stopped().unwrap_or(StallReason::WriteBuffersFull);
                return Err(Error::Stalled { reason, waited: Duration::ZERO });
            }
        }
        Ok(())
    }

    /// Whether a write of `bytes` can go ahead; an error when there has been no room for longer than the deadline.
    fn room(&self, bytes: usize) -> Result<bool> {
        let reason = match self.throttle.stopped() {
            Some(reason) => reason,
            None if self.is_full() => StallReason::WriteBuffersFull,
            None => {
                self.tasks_stall_no_more();
                return Ok(self.admit(bytes).is_ok());
            }
        };
        let now = self.options.clock.monotonic();
        let mut full_since = self.full_since.lock();
        if full_since.is_none() {
            self.events.stall_begins(reason, now);
        }
        let (_, since) = *full_since.get_or_insert((reason, now));
        let waited = now.saturating_sub(since);
        drop(full_since);
        self.check_worth_waiting(reason, waited).map(|()| false)
    }

    /// Notes that tasks have room, or that there will be none of them any more.
    pub fn tasks_stall_no_more(&self) {
        if let Some((reason, since)) = self.full_since.lock().take() {
            self.no_longer_waits(reason, since);
        }
    }

    fn no_longer_waits(&self, reason: StallReason, since: Duration) {
        let now = self.options.clock.monotonic();
        self.counters.stalled(reason, now.saturating_sub(since));
        self.events.stall_ends(now);
    }

    /// An error when a write has waited too long, or for something that does not come by itself.
    fn check_worth_waiting(&self, reason: StallReason, waited: Duration) -> Result<()> {
        match self.full_disk_behind(reason) {
            Some(full) => Err(full),
            None if waited >= self.options.stall_deadline => Err(Error::Stalled { reason, waited }),
            None => Ok(()),
        }
    }

    fn apply(&self, committer: &mut Committer, payload: &[u8], count: u32) -> Result<u64> {
        let first = committer.next_seq;
        let last = first + u64::from(count) - 1;
        if last > MAX_SEQ {
            return Err(Error::invalid(
                "the database has used up its sequence numbers: dump it and load it anew",
            ));
        }
        if !committer.log.has_room(payload.len()) {
            self.next_segment(committer)?;
        }
        // Even if the append fails the numbers are gone: a piece of the record may be in the file (wal W1).
        committer.next_seq = last + 1;
        let large = payload.len() > committer.log_memory.bytes();
        if large {
            committer.log_memory.set(payload.len());
        }
        let appended = committer.log.append(first, count, payload, self.group_sync.synced());
        if large {
            committer.log.keep(self.memory.log_bytes());
            committer.log_memory.set(committer.log.memory());
        }
        if planted(Bug::ReuseSequence) && appended.is_err() {
            committer.next_seq = first;
        }
        let mut logged = self.note_space(self.poison_unless_transient(appended));
        if !planted(Bug::PublishBeforeLogged) {
            logged = Ok(logged?);
        }
        if committer.log.wants_next() && !self.spare_asked.swap(true, Ordering::Relaxed) {
            self.signals.log.raise();
        }
        if planted(Bug::VisibleBeforeApplied) {
            self.visible.0.store(last, Ordering::Release);
            crate::sync::thread::yield_now();
        }
        let first_range = self.put_all(&mut committer.active, payload, first, count)?;
        self.gaps.note_puts(payload, last);
        self.counters.wrote(payload.len(), committer.log.position());
        self.visible.0.store(last, Ordering::Release);
        if first_range {
            // What it hides is to be cleared away when there is nothing else to do.
            self.signals.compact.raise();
        }
        logged
    }

    /// Puts a batch where readers find it once it is visible. True when it deletes the first range of the buffer.
    fn put_all(&self, active: &mut memtable::Writer, payload: &[u8], first: u64, count: u32) -> Result<bool> {
        let ranges = active.memtable().range_tombstones();
        let seq = active.batch(count as usize, |buffer| {
            let mut seq = first;
            for entry in batch::entries(payload) {
                let entry =
                    entry.map_err(|(at, why)| Error::invalid(format!("batch, at byte {at}: {why}")))?;
                put_in_buffer(buffer, &entry, seq);
                if planted(Bug::BatchInTwoSteps) {
                    self.visible.0.store(seq, Ordering::Release);
                }
                seq += 1;
            }
            Ok::<u64, Error>(seq)
        })?;
        debug_assert_eq!(seq, first + u64::from(count), "the count of a batch is the number of its entries");
        Ok(ranges == 0 && active.memtable().range_tombstones() > 0)
    }

    /// Goes on in the spare segment, if one is ready; if not, the present one grows. After a full disk the same spare is
    /// tried again: making another would need space.
    fn next_segment(&self, committer: &mut Committer) -> Result<()> {
        let Some(spare) = committer.spare.clone() else { return Ok(()) };
        let (next_seq, synced) = (committer.next_seq, self.group_sync.synced());
        committer.spare_may_be_named = true;
        let rotated = committer.log.rotate(spare, next_seq, synced);
        self.note_space(self.poison_unless_transient(rotated))?;
        committer.spare = None;
        committer.spare_may_be_named = false;
        self.spare_asked.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Takes the commit lock when the active buffer has room, waiting for that if need be.
    fn lock_with_room(&self, payload: &[u8]) -> Result<MutexGuard<'_, Committer>> {
        let mut waits: Option<Waits<'_>> = None;
        loop {
            let seen = self.signals.room.count();
            let mut committer = self.commit.lock();
            if let Err(refused) = self.check_takes(payload) {
                drop(committer);
                self.step_for_space(refused)?;
                continue;
            }
            let Some(reason) = self.make_room(&mut committer, payload.len())? else { return Ok(committer) };
            drop(committer);
            let waits = waits.get_or_insert_with(|| Waits::begin(self, reason));
            self.wait_for_room(reason, seen, waits.since)?;
        }
    }

    /// One wait of a writer; an error when it has waited too long.
    fn wait_for_room(&self, reason: StallReason, seen: u64, since: Duration) -> Result<()> {
        if self.options.background == Background::Stepped {
            let worked = self.step();
            self.events.deliver();
            return match worked? {
                true => Ok(()),
                false => Err(Error::Stalled { reason, waited: Duration::ZERO }),
            };
        }
        let waited = self.options.clock.monotonic().saturating_sub(since);
        self.check_worth_waiting(reason, waited)?;
        self.signals.room.wait(seen, Some(LOOK_AGAIN));
        Ok(())
    }

    /// Seals the active buffer when it is full and may be; the reason why a batch of so many bytes cannot be taken otherwise.
    fn make_room(&self, committer: &mut Committer, bytes: usize) -> Result<Option<StallReason>> {
        let active = committer.active.memtable();
        let waiting = self.buffers.lock().sealed.len();
        let full = self.is_full_buffer(active) || self.is_too_large(active, bytes, waiting);
        if !full && !self.is_to_be_flushed_early(committer) {
            return Ok(None);
        }
        if let Some(reason) = self.throttle.stopped() {
            return Ok(Some(reason));
        }
        if waiting >= MAX_SEALED || active.is_empty() {
            return Ok(Some(StallReason::WriteBuffersFull));
        }
        self.seal(committer)?;
        let too_large = self.is_too_large(committer.active.memtable(), bytes, waiting + 1);
        Ok(too_large.then_some(StallReason::WriteBuffersFull))
    }

    fn is_full_buffer(&self, active: &Memtable) -> bool {
        let bytes = active.bytes();
        let full = bytes >= self.memory.room_of_buffer(bytes) || active.entries() >= MAX_ENTRIES;
        full && !active.is_empty()
    }

    /// Whether a batch should not go where something else is: it is large for what the buffer has room for, and it or the
    /// `waiting` buffers will be gone soon. One that is too large for all room is taken when it has it to itself.
    fn is_too_large(&self, active: &Memtable, bytes: usize, waiting: usize) -> bool {
        if !self.memory.is_large(bytes) || (active.is_empty() && waiting == 0) {
            return false;
        }
        let own = active.bytes();
        own + bytes > self.memory.room_of_buffer(own)
    }

    /// On a full disk the log is kept short: what it takes up goes on in a small segment, and the rest is given back.
    fn is_to_be_flushed_early(&self, committer: &Committer) -> bool {
        self.is_disk_full() && committer.spare.is_some() && !committer.active.memtable().is_empty()
    }

    fn is_full(&self) -> bool {
        let view = self.super_version.load();
        view.sealed.len() >= MAX_SEALED && self.is_full_buffer(&view.active)
    }

    /// How full the active buffer is, once no further one can be sealed; 0 before.
    fn buffer_fill(&self) -> f64 {
        let view = self.super_version.load();
        if view.sealed.len() < MAX_SEALED {
            return 0.0;
        }
        let bytes = view.active.bytes();
        bytes as f64 / self.memory.room_of_buffer(bytes) as f64
    }

    /// Makes the active buffer wait for its flush, and begins a new one.
    pub fn seal(&self, committer: &mut Committer) -> Result<()> {
        if committer.spare.is_some() {
            self.next_segment(committer)?;
        }
        let config = memtable::Config::of(&self.options, &self.memory);
        let (writer, active) = Memtable::new(config, &self.memory);
        let full = std::mem::replace(&mut committer.active, writer);
        let start = LogStart { segment: committer.log.number(), base: committer.log.base() };
        let mut buffers = self.buffers.lock();
        let begun = std::mem::replace(&mut buffers.active, start);
        buffers.sealed.push_back((Arc::clone(full.memtable()), begun));
        let old = self.super_version.load();
        let sealed = buffers.sealed.iter().rev().map(|(memtable, _)| Arc::clone(memtable)).collect();
        let version = Arc::clone(&old.version);
        let dropped = old.dropped.clone();
        self.super_version.store(Arc::new(SuperVersion::new(active, sealed, version, dropped)));
        drop(buffers);
        self.signals.flush.raise();
        Ok(())
    }

    /// Waits until a write of `bytes` is let in; an error when that takes too long.
    fn rest_if_throttled(&self, bytes: usize) -> Result<()> {
        let mut waited = Duration::ZERO;
        while let Err(rest) = self.admit(bytes) {
            self.check_writable()?;
            if waited >= self.options.stall_deadline {
                let reason = self.throttle.reason().unwrap_or(StallReason::WriteBuffersFull);
                return Err(Error::Stalled { reason, waited });
            }
            self.options.clock.sleep(rest);
            self.counters.slowed(rest);
            waited += rest;
        }
        Ok(())
    }

    /// Asks the throttle. Nobody is slowed down who does the background work himself.
    fn admit(&self, bytes: usize) -> Result<(), Duration> {
        match self.options.background {
            Background::Threads => {
                self.throttle.admit(bytes, self.buffer_fill_if_pressed(), &*self.options.clock)
            }
            Background::Stepped => Ok(()),
        }
    }

    /// The buffer's fill squeezed to its last quarter, where slowing down begins.
    fn buffer_fill_if_pressed(&self) -> f64 {
        ((self.buffer_fill() - 0.75) * 4.0).clamp(0.0, 1.0)
    }
}

/// Puts an entry of a batch where readers find it.
pub fn put_in_buffer(buffer: &mut memtable::Writer, entry: &batch::Entry<'_>, seq: u64) {
    match entry.kind {
        Kind::DeleteRange => buffer.delete_range(entry.key, entry.value, seq),
        kind => buffer.insert(entry.key, hash(entry.key), Trailer::new(seq, kind), entry.value),
    }
}
