//! Full buffers become one table of level 0.
//!
//! (F1) Buffers are flushed oldest first, all that wait at once, into one table: each further file in level 0 costs every
//!      read a look.
//! (F2) The snapshot boundaries are read after the buffers are fixed (`snapshot_list` S1).
//! (F5) The deletions of ranges in the buffers hold for everything in them that is older, and go to the manifest, in the edit
//!      that makes the log needless, for what is in tables.
//! (F3) A log segment is let go only after the edit that makes it needless is durable.
//! (F4) On a full disk one buffer is flushed at a time, and no segment is kept: so each flush gives back more space than it
//!      took before the next one begins (`space`).

use super::inner::{Inner, LogStart};
use crate::engine::compaction::output::{Output, write_tables};
use crate::engine::compaction::retain::{Retain, still_needed};
use crate::engine::event::{Event, FlushBegun, FlushEnded};
use crate::engine::filename::FileName;
use crate::engine::iter::Merge;
use crate::engine::manifest::Edit;
use crate::engine::memtable::Memtable;
use crate::engine::sstable::TableOptions;
use crate::engine::tombstones::Tombstone;
use crate::engine::wal::segment;
use crate::planted::{Bug, planted};
use crate::sync::atomic::Ordering;
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many used segments are kept: one to be written again, and the reserve (`space`).
const KEEP_USED: usize = 2;

impl Inner {
    /// Flushes the buffers that wait; false when none did.
    pub fn flush_sealed(&self) -> Result<bool> {
        self.check_unpoisoned()?;
        self.with_all_space(|| self.poison_if_sync_failed(self.flush_waiting()))
    }

    fn flush_waiting(&self) -> Result<bool> {
        let (waiting, log) = self.waiting();
        if waiting.is_empty() {
            return Ok(false);
        }
        let started = self.options.clock.monotonic();
        let (buffers, buffer_bytes) = (waiting.len(), waiting.iter().map(|m| m.bytes()).sum());
        self.events.tell(Event::FlushBegun(FlushBegun { buffers, buffer_bytes }));
        let outcome = self.flush(&waiting, log);
        let took = self.options.clock.monotonic().saturating_sub(started);
        let (written_bytes, error) =
            (outcome.as_ref().map_or(0, |bytes| *bytes), outcome.as_ref().err().cloned());
        self.events.tell(Event::FlushEnded(FlushEnded { buffers, written_bytes, took, error }));
        self.counters.flushed(outcome?, took);
        self.release_logs(log)?;
        self.signals.room.raise();
        self.signals.compact.raise();
        Ok(true)
    }

    /// Writes these buffers to a table and puts it in force in their place; gives its bytes.
    fn flush(&self, waiting: &[Arc<Memtable>], log: LogStart) -> Result<u64> {
        let last_seq = waiting.iter().filter_map(|m| m.max_seq()).max();
        let snapshots = self.boundaries();
        let (tombstones, retired) = self.deleted_ranges(waiting, &snapshots.0);
        let summaries = self.write_level0(waiting, &snapshots, &tombstones, last_seq.unwrap_or(0))?;
        let bytes: u64 = summaries.iter().map(|s| s.len).sum();
        let edit = Edit {
            added: summaries.into_iter().map(|s| (0, s)).collect(),
            tombstones: if planted(Bug::FlushForgetsRange) { Vec::new() } else { tombstones },
            retired,
            min_log: Some(log.segment),
            log_base: Some(log.base),
            newest_log: Some(self.group_sync.segment()),
            last_seq,
            next_table: Some(self.next_table.load(Ordering::Relaxed)),
            ..self.edit()
        };
        if planted(Bug::RemoveLogBeforeEdit) {
            self.release_logs(log)?;
        }
        self.install(edit, waiting.len()).map(|()| bytes)
    }

    /// The buffers that wait for their flush, and where the log of what is not among them begins.
    fn waiting(&self) -> (Vec<Arc<Memtable>>, LogStart) {
        let buffers = self.buffers.lock();
        let most = if self.is_disk_full() { 1 } else { buffers.sealed.len() };
        let waiting = buffers.sealed.iter().take(most).map(|(memtable, _)| Arc::clone(memtable)).collect();
        let rest = buffers.sealed.get(most).map_or(buffers.active, |(_, start)| *start);
        (waiting, rest)
    }

    /// The deletions of ranges in these buffers, oldest first, and the numbers of those in force that these make needless.
    fn deleted_ranges(&self, waiting: &[Arc<Memtable>], snapshots: &[u64]) -> (Vec<Tombstone>, Vec<u64>) {
        let new: Vec<&Tombstone> = waiting.iter().flat_map(|m| m.deleted_ranges()).collect();
        if new.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let version = Arc::clone(&self.super_version.load().version);
        let old = version.tombstones();
        let covered: BTreeSet<u64> = (new.iter())
            .flat_map(|t| old.fragments().overlapping(&t.start, &t.end).flat_map(|fragment| fragment.seqs()))
            .collect();
        let old = covered.iter().filter_map(|seq| old.get(*seq));
        let needed = still_needed(old.chain(new.iter().copied()), snapshots);
        let retired = covered.iter().copied().filter(|seq| !needed.contains(seq)).collect();
        (new.into_iter().filter(|t| needed.contains(&t.seq)).cloned().collect(), retired)
    }

    fn write_level0(
        &self,
        waiting: &[Arc<Memtable>],
        (boundaries, horizon): &(Vec<u64>, u64),
        tombstones: &[Tombstone],
        last_seq: u64,
    ) -> Result<Vec<crate::engine::sstable::TableSummary>> {
        let mut cursor = Merge::new(waiting.iter().flat_map(|m| m.cursors()).collect());
        let mut retain = Retain::new(boundaries, *horizon);
        let dropped = self.super_version.load().dropped.clone();
        let clean_seq = boundaries.first().map_or(0, |oldest| last_seq.min(*oldest));
        let output = Output {
            files: &self.files,
            next_number: &self.next_table,
            template: TableOptions { clean_seq, ..self.table_options(self.options.compression.upper) },
            deleted: &tombstones.iter().collect(),
            dropped: dropped.as_deref(),
            table_bytes: u64::MAX,
            // The buffers are counted as such.
            input_bytes: 0,
            // A flush is not given up at close: close waits for it.
            still_wanted: &|| Ok(()),
        };
        write_tables(&mut cursor, &mut retain, &mut |_| false, &output)
    }

    /// Lets go of the log segments before `first`: some are kept to be written again, the rest removed.
    fn release_logs(&self, first: LogStart) -> Result<()> {
        self.commit.lock().log.release(first.base);
        let keep = if self.is_disk_full() { 0 } else { KEEP_USED };
        for name in self.dir.list()? {
            if let Some(FileName::Log(number)) = FileName::parse(&name)
                && number < first.segment
            {
                let mut used = self.used_segments.lock();
                let whole = self.dir.len(&name)? >= Some(self.segment_capacity());
                if whole && used.len() < keep && self.set_aside(number)? {
                    used.push(number);
                } else {
                    self.dir.remove(&name)?;
                }
            }
        }
        Ok(())
    }

    /// Keeps a log segment to be written again; false when there is no space even for its new name.
    fn set_aside(&self, number: u64) -> Result<bool> {
        match self.note_space(segment::set_aside(&self.dir, number)) {
            Err(Error::DiskFull { .. }) => Ok(false),
            kept => kept.map(|()| true),
        }
    }
}
