//! Makes a new database out of what can be proved sound of a damaged one.
//!
//! Reading order: [`source`] decides which tables and which log to take, [`mod@tables`] and [`log`] take what is sound of
//! them, [`target`] is the new database, [`report`] says what came of it, [`keys`] how ranges of keys are told.
//!
//! ```text
//! manifest whole      tables ─ sound blocks ─▶ new tables, level by level ┐
//!                     log    ─ sound batches ─▶ new tables of level 0     ┴▶ manifest, CURRENT ─▶ verify
//! manifest damaged    all tables and the log ─▶ staged tables ─ merge ─▶ one sorted run ─────────┘
//! ```
//!
//! (P1) The old folder is only read. Its lock is taken where there is one to take.
//! (P2) Sound is a block of a table of this database whose checksum, structure and order are right (`sstable::salvage`), and a
//!      batch of its log (`wal::reader`, H1 to H3), whole. Nothing else is taken: every value in the new database was once
//!      written for its key.
//! (P3) With a whole manifest, tables keep their levels and entries their sequence numbers, so the new database answers as the
//!      old one but for what is lost, which is told. Tables that the manifest does not name are not used: they were compacted
//!      away, or never finished, and hold nothing that others do not.
//! (P4) Without one it is not known which tables are in force, unless the database had been closed: then those in the folder.
//!      Otherwise all are merged by sequence number, but those that a readable edit took away. That is not always right: where
//!      a compaction had dropped a deletion, or had given the newest version the number 0, a table that it had replaced, and
//!      that was not removed yet, brings back what it hid. The report says that this may be so.
//!      Deletions of ranges that were in the manifest are lost with it, for whether one was done by then tells only its end;
//!      `CURRENT` says how many there were.
//! (P5) Behind a hole in the log everything that is sound is taken. So the new database need not be a state that the old one
//!      ever had; the hole is told, with the numbers of the writes in it.
//! (P6) Files of a newer format are not guessed at: when `CURRENT` or the manifest is one, nothing is done at all.

pub mod keys;
pub mod report;

mod log;
mod source;
mod tables;
mod target;

use crate::engine::check::folder::{Folder, Said};
use crate::engine::check::meter::{Meter, Watch};
use crate::engine::check::report::{Finding, VerifyReport};
use crate::engine::compaction::output::{Output, write_tables};
use crate::engine::compaction::retain::Retain;
use crate::engine::compaction::shape::LAST;
use crate::engine::filename::FileName;
use crate::engine::iter::Merge;
use crate::engine::manifest::Edit;
use crate::engine::options::Options;
use crate::engine::read::{LazyTable, LevelCursor, TableRef};
use crate::engine::sstable::TableSummary;
use crate::engine::tombstones::Fragments;
use crate::vfs::Dir;
use crate::{Error, Result};
use keys::Keyspaces;
use log::take_log;
use report::{RepairReport, TablesBy};
use source::Source;
use std::path::Path;
use std::sync::Arc;
use tables::copy_table;
use target::Target;

impl Options {
    /// Salvages what can be proved sound of the database in `from`, which need not open, into a new database in `into`, a
    /// folder that is empty or not there. The old one is only read. `watch` is told how far it has come.
    ///
    /// What was lost is in the report. The new database was checked, and is closed; of the options those count that say how
    /// tables are made, and [`vfs`](Options::vfs), [`clock`](Options::clock), [`background`](Options::background).
    ///
    /// # Errors
    /// [`Error::NotADatabase`] when there is nothing to salvage, [`Error::Locked`] when one of the two is open,
    /// [`Error::InvalidArgument`] when `into` is not empty or lies in `from`, [`Error::Incompatible`] when the database is newer
    /// than this build, [`Error::Io`], [`Error::DiskFull`]. Then nothing is left in `into`.
    pub fn repair(
        &self,
        from: impl AsRef<Path>,
        into: impl AsRef<Path>,
        watch: Watch<'_>,
    ) -> Result<RepairReport> {
        self.check()?;
        let (from, into) = (from.as_ref(), into.as_ref());
        let mut damage = VerifyReport::default();
        let folder = Folder::open(Dir::new(Arc::clone(&self.vfs), from), &mut damage)?;
        let said = folder.read(&mut damage);
        let database = database_of(&folder, &said)?;
        let mut target = Target::new(self, from, into)?;
        let source = Source::of(&folder, database, &said);
        let keyspaces = Keyspaces::new(source.registry.keyspaces.clone());
        let mut report = RepairReport::new((from, into), source.by, keyspaces, damage);
        if source.by == TablesBy::Folder {
            report.deletions_forgotten = said.clean_end().map_or(0, |end| end.deletions);
        }
        for name in &source.foreign {
            let file = folder.dir.join(&name.to_string());
            let detail = "it belongs to another database, and was left alone".to_string();
            report.notes.push(Finding { file, offset: 0, what: "table", detail });
        }
        let edit = salvage(&folder, database, &source, &target, watch, &mut report)?;
        target.finish(&edit, edit.last_seq.unwrap_or_default())?;
        drop(target);
        let found = self.verify(into, &|_| {})?;
        match found.problems.into_iter().next() {
            None => Ok(report),
            Some(f) => Err(Error::corruption(&f.file, f.offset, f.what, f.detail)),
        }
    }
}

/// The id of the database, if this build can make sense of it.
fn database_of(folder: &Folder, said: &Said) -> Result<u64> {
    if let Some(newer) = &said.newer {
        return Err(newer.clone());
    }
    said.database.ok_or_else(|| Error::NotADatabase {
        path: folder.dir.path().to_path_buf(),
        why: "not even one file has a readable header: restore it from a copy".into(),
    })
}

/// Writes the tables of the new database, and returns the edit that puts them in force.
fn salvage(
    folder: &Folder,
    database: u64,
    source: &Source<'_>,
    target: &Target<'_>,
    watch: Watch<'_>,
    report: &mut RepairReport,
) -> Result<Edit> {
    let meter = Meter::new(watch, source.bytes(folder));
    let deepest =
        source.tables.iter().filter_map(|t| t.expected).map(|(level, _)| *level).max().unwrap_or(0).max(1);
    let mut added = Vec::new();
    let mut tombstones = source.tombstones.clone();
    for table in &source.tables {
        let level = table.expected.map_or(0, |(level, _)| *level);
        let compression = if level >= deepest {
            target.options.compression.bottom
        } else {
            target.options.compression.upper
        };
        let copied = copy_table(folder, database, table, target, compression, (&meter, report))?;
        added.extend(copied.map(|summary| (level, summary)));
    }
    let from_log = take_log(folder, database, &source.log, target, (&meter, report))?;
    added.extend(from_log.tables.into_iter().map(|summary| (0, summary)));
    let newest = added.iter().map(|(_, summary)| summary.max_seq).max().unwrap_or(0);
    let last_seq = newest.max(from_log.last_seq).max(source.registry.last_seq);
    tombstones.extend(from_log.deleted);
    if source.by != TablesBy::Manifest {
        added = merge(added, &std::mem::take(&mut tombstones).iter().collect(), target)?;
    }
    report.entries_written = added.iter().map(|(_, summary)| summary.entries).sum();
    // Entries of a keyspace that a whole manifest does not name were dropped with it.
    let created_keyspaces = report.keyspaces.created(source.by != TablesBy::Manifest);
    let next_keyspace = Some(source.registry.next_keyspace);
    let last_seq = Some(last_seq);
    Ok(Edit { added, tombstones, last_seq, created_keyspaces, next_keyspace, ..Edit::default() })
}

/// Merges tables that may overlap in any way into one sorted run of the last level, without what these deletions hide, and
/// removes them.
fn merge(
    staged: Vec<(u8, TableSummary)>,
    deleted: &Fragments,
    target: &Target<'_>,
) -> Result<Vec<(u8, TableSummary)>> {
    let dir = target.files.dir();
    dir.sync()?;
    let open = |summary: &TableSummary| {
        let handle = LazyTable::new(Arc::clone(&target.files), summary);
        LevelCursor::new(vec![Arc::new(TableRef { summary: summary.clone(), handle })]).leaving_no_trace()
    };
    let mut cursor = Merge::new(staged.iter().map(|(_, summary)| open(summary)).collect());
    let mut retain = Retain::new(&[u64::MAX], 0);
    let output = Output {
        files: &target.files,
        next_number: &target.next_table,
        template: target.template(target.options.compression.bottom),
        table_bytes: target.options.table_bytes,
        input_bytes: 2 * staged.len() * target.options.block_bytes,
        deleted,
        dropped: None,
        still_wanted: &|| Ok(()),
    };
    let merged = write_tables(&mut cursor, &mut retain, &mut |_| true, &output)?;
    drop(cursor);
    for (_, summary) in &staged {
        dir.remove(&FileName::Table(summary.number).to_string())?;
    }
    Ok(merged.into_iter().map(|summary| (LAST as u8, summary)).collect())
}
