//! Takes what is sound of the log, and writes it to tables.

use super::keys::Keyspaces;
use super::report::{Loss, RepairReport};
use super::source::LogFrom;
use super::target::Target;
use crate::Result;
use crate::engine::batch;
use crate::engine::check::folder::{Folder, load_around};
use crate::engine::check::log::check_batch;
use crate::engine::check::meter::Meter;
use crate::engine::check::report::{Finding, VerifyReport};
use crate::engine::compaction::output::{Output, write_tables};
use crate::engine::compaction::retain::Retain;
use crate::engine::iter::Merge;
use crate::engine::key::{Kind, Trailer, hash};
use crate::engine::memtable::{self, Memtable};
use crate::engine::sstable::TableSummary;
use crate::engine::tombstones::Tombstone;
use crate::engine::wal::reader::{Hole, Request, salvage};
use crate::engine::wal::record::Record;
use crate::vfs::{Dir, Mode};
use std::cell::RefCell;
use std::path::Path;

/// The tables that the log became, the oldest first, and the number of its last write.
pub struct FromLog {
    /// Each holds newer writes than the one before.
    pub tables: Vec<TableSummary>,
    /// The deletions of ranges, oldest first. They are applied within each table.
    pub deleted: Vec<Tombstone>,
    /// 0 when there was none.
    pub last_seq: u64,
}

/// Reads the log as an open would, and on behind every hole.
///
/// # Errors
/// What writing gives. What reading gives is a loss.
pub fn take_log(
    folder: &Folder,
    database: u64,
    from: &LogFrom,
    target: &Target<'_>,
    (meter, report): (&Meter<'_>, &mut RepairReport),
) -> Result<FromLog> {
    let unread = RefCell::new(VerifyReport::default());
    let load = |dir: &Dir, name: &str| {
        let file = dir.open(name, Mode::Read)?;
        meter.add(file.path(), file.len()?);
        load_around(&file, &mut unread.borrow_mut())
    };
    let request = Request {
        dir: &folder.dir,
        database,
        numbers: &from.numbers,
        first: from.first,
        base: from.base,
        newest: from.newest,
        limit: u64::MAX,
        load: &load,
    };
    let mut filling = Filling::new(target, report.keyspaces.clone());
    let holes = RefCell::new(Vec::new());
    let mut apply = |record: &Record<'_>, path: &Path, offset: u64| {
        let from_seq = record.first_seq;
        let to_seq = Some(from_seq.saturating_add(u64::from(record.count)));
        match check_batch(record, path, offset) {
            _ if from_seq <= from.flushed => Ok(()),
            Ok(()) => filling.take(record),
            Err(error) => {
                holes.borrow_mut().push(Hole { error, from_seq, to_seq });
                Ok(())
            }
        }
    };
    let read = salvage(&request, &mut apply, &mut |hole| holes.borrow_mut().push(hole))?;
    for cut in read.cuts {
        let detail = format!("{}; {} whole records behind it are left out", cut.reason, cut.records);
        report.notes.push(Finding { file: cut.file, offset: cut.offset, what: "log record", detail });
    }
    holes.into_inner().into_iter().for_each(|hole| tell(hole, from.flushed, report));
    filling.write()?;
    report.batches = filling.batches;
    report.keyspaces = filling.keyspaces;
    Ok(FromLog { last_seq: filling.last_seq, tables: filling.tables, deleted: filling.deleted })
}

/// A write buffer that becomes a table whenever it is full.
struct Filling<'a> {
    target: &'a Target<'a>,
    buffer: memtable::Writer,
    tables: Vec<TableSummary>,
    deleted: Vec<Tombstone>,
    batches: u64,
    last_seq: u64,
    keyspaces: Keyspaces,
}

impl<'a> Filling<'a> {
    fn new(target: &'a Target<'a>, keyspaces: Keyspaces) -> Filling<'a> {
        let buffer = empty_buffer(target);
        let (tables, deleted) = (Vec::new(), Vec::new());
        Filling { target, buffer, tables, deleted, batches: 0, last_seq: 0, keyspaces }
    }

    /// Takes a batch that was checked.
    fn take(&mut self, record: &Record<'_>) -> Result<()> {
        self.buffer.batch(record.count as usize, |buffer| {
            for (seq, entry) in (record.first_seq..).zip(batch::entries(record.payload).flatten()) {
                self.last_seq = self.last_seq.max(seq);
                if entry.kind == Kind::DeleteRange {
                    buffer.delete_range(entry.key, entry.value, seq);
                    continue;
                }
                buffer.insert(entry.key, hash(entry.key), Trailer::new(seq, entry.kind), entry.value);
                self.keyspaces.saw(entry.key);
            }
        });
        self.batches += 1;
        let is_full = self.buffer.memtable().bytes() >= self.target.files.memory().buffer_bytes();
        if is_full { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        let full = std::mem::replace(&mut self.buffer, empty_buffer(self.target));
        if full.memtable().is_empty() {
            return Ok(());
        }
        let mut cursor = Merge::new(full.memtable().cursors());
        let mut retain = Retain::new(&[u64::MAX], 0);
        let deleted: Vec<Tombstone> = full.memtable().deleted_ranges().cloned().collect();
        let output = Output {
            files: &self.target.files,
            next_number: &self.target.next_table,
            template: self.target.template(self.target.options.compression.upper),
            table_bytes: u64::MAX,
            input_bytes: 0,
            deleted: &deleted.iter().collect(),
            dropped: None,
            still_wanted: &|| Ok(()),
        };
        self.tables.extend(write_tables(&mut cursor, &mut retain, &mut |_| false, &output)?);
        self.deleted.extend(deleted);
        Ok(())
    }
}

fn empty_buffer(target: &Target<'_>) -> memtable::Writer {
    let memory = target.files.memory();
    Memtable::new(memtable::Config::of(target.options, memory), memory).0
}

/// Tells a hole: what it costs, or that it costs nothing because all of it is in tables.
fn tell(hole: Hole, flushed: u64, report: &mut RepairReport) {
    let Hole { error, from_seq, to_seq } = hole;
    let finding = Finding::of(error, 0);
    let from = from_seq.max(flushed.saturating_add(1));
    if to_seq.is_some_and(|to| to <= from) {
        return report.harmless.push(finding);
    }
    report.lost.push(Loss {
        file: finding.file,
        offset: finding.offset,
        len: 0,
        why: format!("{}: {}", finding.what, finding.detail),
        keys: None,
        sequence: Some((from, to_seq)),
    });
}
