//! Carrying out what the picker decided.
//!
//! One compaction runs at a time, beside the flush. So the inputs of a running compaction cannot vanish under it, and what a
//! flush adds meanwhile lies above them.
//!
//! (C4) A key is at the bottom of a compaction when no table outside its inputs, at the output level or deeper, or in the
//!      same level beside them, can hold it. Flushes add only newer versions, so this stays true while it runs.

use super::inner::Inner;
use crate::Result;
use crate::engine::compaction::output::{Output, write_tables};
use crate::engine::compaction::picker::{self, Choice, Urgency};
use crate::engine::compaction::retain::Retain;
use crate::engine::compaction::shape::{Config, Expiry, Shape};
use crate::engine::event::{CompactionBegun, CompactionEnded, CompactionKind, Event, TableRemoved};
use crate::engine::iter::Merge;
use crate::engine::manifest::Edit;
use crate::engine::options::{Compression, Options};
use crate::engine::read::{LevelCursor, Source, TableFiles, TableRef, Version};
use crate::engine::sstable::TableOptions;
use crate::engine::tombstones::Fragments;
use crate::sync::atomic::Ordering;
use std::ops::Bound;
use std::sync::Arc;

/// What the picker needs to know of the options.
fn config(options: &Options, small_steps: bool) -> Config {
    Config {
        small_steps,
        level0_trigger: 4,
        table_bytes: options.table_bytes,
        level_ratio: u64::from(options.level_ratio),
        base_bytes: 4 * options.table_bytes,
    }
}

/// How tables are made with these options.
pub fn table_options(options: &Options, files: &TableFiles, compression: Compression) -> TableOptions {
    let Options { block_bytes, filter_bits, .. } = *options;
    TableOptions { place: files.place(0), block_bytes, compression, filter_bits, clean_seq: 0 }
}

/// How many bytes compaction owes.
pub fn debt(version: &Version, options: &Options) -> u64 {
    Shape::of(version, u64::MAX).debt(&config(options, false))
}

impl Inner {
    /// Tells the throttle how full things are.
    pub fn update_pressure(&self) {
        let view = self.super_version.load();
        let [level0, ..] = view.version.levels();
        self.throttle.update(level0.tables().len(), debt(&view.version, &self.options));
    }

    /// Does one compaction; false when none is worth it.
    pub fn compact_once(&self, urgency: Urgency) -> Result<bool> {
        let view = self.super_version.load_full();
        let version = Arc::clone(&view.version);
        let shape = self.shape(&version, view.dropped.as_deref());
        let choice = {
            let mut cursors = self.picker_cursors.lock();
            let choice = picker::pick(&shape, &config(&self.options, self.is_disk_full()), &cursors, urgency);
            choice.inspect(|choice| cursors.advance(&shape, choice))
        };
        match choice {
            None => Ok(false),
            Some(choice) => self.carry_out(&version, choice),
        }
    }

    /// Does one step of compacting `lower..upper` down to the bottom; false when it is there.
    pub fn compact_range_once(&self, lower: &[u8], upper: Option<&[u8]>) -> Result<bool> {
        let view = self.super_version.load_full();
        let version = Arc::clone(&view.version);
        let shape = self.shape(&version, view.dropped.as_deref());
        let range = (Bound::Included(lower), upper.map_or(Bound::Unbounded, Bound::Excluded));
        match picker::pick_range(&shape, &config(&self.options, self.is_disk_full()), range) {
            None => Ok(false),
            Some(choice) => self.carry_out(&version, choice),
        }
    }

    fn shape<'a>(&self, version: &'a Version, dropped: Option<&'a Fragments>) -> Shape<'a> {
        let (boundaries, horizon) = self.boundaries();
        let lag = u64::try_from(self.options.expiry_lag.as_millis()).unwrap_or(u64::MAX);
        let shape = Shape::of(version, boundaries.first().copied().unwrap_or(0));
        shape.at(Expiry { horizon, lag }).without(dropped)
    }

    /// Does what was chosen; true.
    fn carry_out(&self, version: &Arc<Version>, choice: Choice) -> Result<bool> {
        self.check_unpoisoned()?;
        let begun = facts(version, &choice);
        self.events.tell(Event::CompactionBegun(begun.clone()));
        let started = self.options.clock.monotonic();
        let outcome = self.poison_if_sync_failed(self.prepare_edit(version, choice));
        let outcome = outcome.and_then(|edit| {
            let added = edit.added.clone();
            self.install(edit, 0).map(|()| added)
        });
        let took = self.options.clock.monotonic().saturating_sub(started);
        let CompactionBegun { kind, level, output_level, tables, input_bytes } = begun;
        let new =
            outcome.as_ref().ok().filter(|_| kind == CompactionKind::Merge).map_or(&[][..], |added| added);
        self.events.tell(Event::CompactionEnded(CompactionEnded {
            kind,
            level,
            output_level,
            tables,
            input_bytes,
            tables_written: new.len(),
            written_bytes: new.iter().map(|(_, table)| table.len).sum(),
            took,
            error: outcome.as_ref().err().cloned(),
        }));
        outcome?;
        self.signals.room.raise();
        Ok(true)
    }

    fn prepare_edit(&self, version: &Arc<Version>, choice: Choice) -> Result<Edit> {
        match choice {
            Choice::Move { from, to, tables, .. } => {
                let mut edit = self.edit();
                for table in numbered(version, from, &tables) {
                    edit.removed.push((from as u8, table.summary.number));
                    edit.added.push((to as u8, table.summary.clone()));
                }
                Ok(edit)
            }
            Choice::Drop { tables, level, .. } => {
                let tables = numbered(version, level, &tables);
                Ok(Edit { removed: removals(level, &tables).collect(), ..self.edit() })
            }
            Choice::Merge { level, inputs, output_level, output_inputs, .. } => {
                let upper = numbered(version, level, &inputs);
                let lower = numbered(version, output_level, &output_inputs);
                self.merge(version, (level, upper), (output_level, lower))
            }
        }
    }

    fn merge(
        &self,
        version: &Arc<Version>,
        (level, upper): (usize, Vec<Arc<TableRef>>),
        (output_level, lower): (usize, Vec<Arc<TableRef>>),
    ) -> Result<Edit> {
        let started = self.options.clock.monotonic();
        let read: u64 = upper.iter().chain(&lower).map(|t| t.summary.len).sum();
        let removed = removals(level, &upper).chain(removals(output_level, &lower)).collect::<Vec<_>>();
        let sources: Vec<Source> = sources(level, &upper).chain(sources(output_level, &lower)).collect();
        let runs = sources.len();
        let mut cursor = Merge::new(sources);
        let (boundaries, horizon) = self.boundaries();
        let mut retain = Retain::new(&boundaries, horizon);
        let dropped = self.super_version.load().dropped.clone();
        let mut outside = Outside::new(version, level, output_level, &removed);
        let output = Output {
            files: &self.files,
            next_number: &self.next_table,
            template: TableOptions {
                clean_seq: boundaries.first().map_or(0, |oldest| version.flushed().min(*oldest)),
                ..self.table_options(self.compression_at(version, output_level))
            },
            deleted: version.tombstones().fragments(),
            dropped: dropped.as_deref(),
            // So that tables end where keyspaces do.
            table_bytes: self.options.table_bytes.min(u64::MAX - 1),
            input_bytes: 2 * runs * self.options.block_bytes,
            still_wanted: &|| self.compaction_still_wanted(),
        };
        let added = write_tables(&mut cursor, &mut retain, &mut |key| !outside.may_hold(key), &output)?;
        let written: u64 = added.iter().map(|s| s.len).sum();
        let took = self.options.clock.monotonic().saturating_sub(started);
        self.counters.compacted(read, written, took);
        Ok(Edit {
            added: added.into_iter().map(|s| (output_level as u8, s)).collect(),
            removed,
            next_table: Some(self.next_table.load(Ordering::Relaxed)),
            ..self.edit()
        })
    }

    /// The deepest level that holds data gets the compression that saves most, the others the fast one.
    fn compression_at(&self, version: &Version, level: usize) -> Compression {
        let deepest = version.levels().iter().rposition(|l| !l.is_empty()).unwrap_or(0).max(1);
        if level >= deepest { self.options.compression.bottom } else { self.options.compression.upper }
    }

    /// How tables of this database are made.
    pub fn table_options(&self, compression: Compression) -> TableOptions {
        table_options(&self.options, &self.files, compression)
    }

    /// Removes the files of tables that nobody needs any more. One that cannot be removed is tried again the next time.
    pub fn remove_obsolete(&self) -> Result<()> {
        let tell = |number| self.events.tell(Event::TableRemoved(TableRemoved { number }));
        self.files.remove_removable(&mut { tell })
    }
}

/// What there is to tell of a choice.
fn facts(version: &Version, choice: &Choice) -> CompactionBegun {
    let (kind, level, output_level, inputs, output_inputs) = match choice {
        Choice::Move { from, to, tables, .. } => (CompactionKind::Move, *from, *to, tables, &[][..]),
        Choice::Drop { tables, level, .. } => (CompactionKind::Drop, *level, *level, tables, &[][..]),
        Choice::Merge { level, inputs, output_level, output_inputs, .. } => {
            (CompactionKind::Merge, *level, *output_level, inputs, &output_inputs[..])
        }
    };
    let all = [numbered(version, level, inputs), numbered(version, output_level, output_inputs)].concat();
    let input_bytes = all.iter().map(|t| t.summary.len).sum();
    CompactionBegun { kind, level, output_level, tables: all.len(), input_bytes }
}

fn numbered(version: &Version, level: usize, numbers: &[u64]) -> Vec<Arc<TableRef>> {
    let tables = version.levels().get(level).map_or(&[][..], |l| l.tables());
    tables.iter().filter(|t| numbers.contains(&t.summary.number)).cloned().collect()
}

fn removals(level: usize, tables: &[Arc<TableRef>]) -> impl Iterator<Item = (u8, u64)> {
    tables.iter().map(move |t| (level as u8, t.summary.number))
}

/// Tables of level 0 overlap, so each is a run of its own; deeper ones follow one another.
fn sources(level: usize, tables: &[Arc<TableRef>]) -> impl Iterator<Item = Source> {
    let per_run = if level == 0 { 1 } else { tables.len().max(1) };
    tables.chunks(per_run).map(|run| Source::Level(LevelCursor::new(run.to_vec()).leaving_no_trace()))
}

/// The tables beside and below a compaction, asked with keys that only grow.
struct Outside {
    /// Per level, the tables not among the inputs, sorted; level 0's are asked one by one.
    runs: Vec<Vec<Arc<TableRef>>>,
    /// Where in each run the last key fell.
    at: Vec<usize>,
}

impl Outside {
    fn new(version: &Version, level: usize, output_level: usize, inputs: &[(u8, u64)]) -> Outside {
        let mut runs: Vec<Vec<_>> = Vec::new();
        for (number, tables) in version.levels().iter().enumerate() {
            let is_input = |t: &Arc<TableRef>| inputs.contains(&(number as u8, t.summary.number));
            let outside = tables.tables().iter().filter(|t| !is_input(t)).cloned();
            match number {
                // An older version may lie in the same level only in level 0, in a table that was left out.
                0 if level == 0 => runs.extend(outside.map(|t| vec![t])),
                n if n > level || n >= output_level => runs.push(outside.collect()),
                _ => {}
            }
        }
        let at = vec![0; runs.len()];
        Outside { runs, at }
    }

    fn may_hold(&mut self, key: &[u8]) -> bool {
        self.runs.iter().zip(&mut self.at).any(|(run, at)| {
            while run.get(*at).is_some_and(|t| &*t.summary.largest < key) {
                *at += 1;
            }
            run.get(*at).is_some_and(|t| &*t.summary.smallest <= key)
        })
    }
}
