//! Checking a database that is open and goes on working.
//!
//! The tables of one version stay what they are as long as the version is held, and each is checked as offline. The manifest is
//! compared with what is in force, under its lock, so no edit comes between. Of the log everything is checked that is known
//! to be durable and was still needed when it had been read: segments are let go, and used again, as buffers are flushed.

use super::inner::{Inner, LogStart};
use crate::Result;
use crate::engine::check::log::{Extent, check_log};
use crate::engine::check::meter::Meter;
use crate::engine::check::report::{Finding, VerifyReport};
use crate::engine::check::tables::{Job, check_tables};
use crate::engine::filename::FileName;
use std::sync::Arc;

/// How often the log is read anew when a flush let go of what was being read.
const TRIES: usize = 5;

/// Checks the present version, the manifest and the log.
pub fn verify(inner: &Arc<Inner>) -> Result<VerifyReport> {
    inner.check_readable()?;
    let mut report = VerifyReport::default();
    let view = inner.super_version.load_full();
    let tables = || view.version.tables().map(|(_, table)| &table.summary);
    let jobs: Vec<Job<'_>> = tables().map(|t| Job { number: t.number, expected: Some(t) }).collect();
    let meter = Meter::new(&|_| {}, 0);
    report.merge(check_tables(&inner.dir, inner.database, &jobs, inner.options.background, &meter)?);
    if inner.observes {
        inner.forgive_removed(&mut report);
    } else {
        inner.verify_manifest(&mut report);
        inner.verify_log(&mut report)?;
    }
    report.finish();
    Ok(report)
}

impl Inner {
    /// A table that the one who writes has removed meanwhile is no damage. Manifest and log were read whole when they were
    /// opened for reading only, and are not what they were.
    fn forgive_removed(&self, report: &mut VerifyReport) {
        let is_gone = |finding: &mut Finding| {
            let name = finding.file.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| matches!(self.dir.len(name), Ok(None)))
        };
        for gone in report.problems.extract_if(.., is_gone).collect::<Vec<_>>() {
            let why = "it was removed meanwhile by the one who writes; it can be read on here";
            report.add_unread(gone.file, 0, 0, why);
        }
    }

    fn verify_manifest(&self, report: &mut VerifyReport) {
        let manifest = self.manifest.lock();
        if !manifest.is_usable() {
            let path = self.dir.join(&FileName::Manifest(manifest.number()).to_string());
            let why = "an edit of it failed, so what it holds is not certain before the next open";
            return report.add_unread(path, 0, 0, why);
        }
        match manifest.verify() {
            Ok(bytes) => {
                report.files += 2;
                report.bytes += bytes;
            }
            Err(error) => report.add(error, 0, 0),
        }
    }

    fn verify_log(&self, report: &mut VerifyReport) -> Result<()> {
        for _ in 0..TRIES {
            let (first, newest, synced) = self.durable_log();
            if synced <= first.base {
                return Ok(());
            }
            let numbers = self.segments(first.segment)?;
            let mut found = VerifyReport::default();
            let extent = Extent {
                database: self.database,
                numbers: &numbers,
                first: first.segment,
                base: first.base,
                newest,
                limit: synced,
            };
            check_log(&self.dir, extent, &mut found);
            if found.is_sound() || self.durable_log().0 == first {
                // Records that are on their way are no cut.
                found.notes.clear();
                report.merge(found);
                return Ok(());
            }
        }
        let why = "it was replaced by newer segments while it was read";
        report.add_unread(self.dir.path().to_path_buf(), 0, 0, why);
        Ok(())
    }

    /// Where the log that is needed begins, the newest segment whose beginning is durable, and up to where all is.
    fn durable_log(&self) -> (LogStart, u64, u64) {
        let _no_rotation = self.commit.lock();
        let buffers = self.buffers.lock();
        let first = buffers.sealed.front().map_or(buffers.active, |(_, begun)| *begun);
        // In this order: the segment may be older than the position, never the other way round.
        let newest = self.group_sync.segment();
        (first, newest, self.group_sync.synced())
    }

    fn segments(&self, first: u64) -> Result<Vec<u64>> {
        let number = |name: &String| match FileName::parse(name) {
            Some(FileName::Log(number)) if number >= first => Some(number),
            _ => None,
        };
        let mut numbers: Vec<u64> = self.dir.list()?.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}
