//! Every byte of every table, against what the manifest says of it.

use super::meter::Meter;
use super::report::VerifyReport;
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::FileKind;
use crate::engine::options::Background;
use crate::engine::sstable::{TableFile, TableSummary};
use crate::planted::{Bug, planted};
use crate::sync::map_in_parallel;
use crate::vfs::{Dir, Mode};
use crate::{Error, Result};

/// A table to check, and what it should be, if that is known.
#[derive(Debug)]
pub struct Job<'a> {
    /// Its number.
    pub number: u64,
    /// What the manifest says of it.
    pub expected: Option<&'a TableSummary>,
}

/// Checks all of `jobs`, on a pool of this call's own; stepped, on the caller's thread alone.
///
/// # Errors
/// [`Error::InvalidArgument`] when the system gives no threads.
pub fn check_tables(
    dir: &Dir,
    database: u64,
    jobs: &[Job<'_>],
    background: Background,
    meter: &Meter<'_>,
) -> Result<VerifyReport> {
    let check = |job: &Job<'_>| check_table(dir, database, job, meter);
    let all: Vec<VerifyReport> = if background == Background::Stepped || jobs.len() < 2 {
        jobs.iter().map(check).collect()
    } else {
        map_in_parallel("siltstone-verify", jobs, check).ok_or_else(|| {
            Error::invalid("the system gives no threads to verify with: end other work and try again")
        })?
    };
    let mut report = VerifyReport::default();
    all.into_iter().for_each(|one| report.merge(one));
    Ok(report)
}

fn check_table(dir: &Dir, database: u64, job: &Job<'_>, meter: &Meter<'_>) -> VerifyReport {
    let mut report = VerifyReport { files: 1, tables: 1, ..VerifyReport::default() };
    if planted(Bug::VerifySkipsTables) {
        return report;
    }
    let name = FileName::Table(job.number).to_string();
    let place = Place { database, kind: FileKind::Table, number: job.number };
    let opened = dir.open(&name, Mode::Read).and_then(|file| TableFile::new(file, place));
    let table = match opened {
        Ok(table) => table,
        Err(error) => {
            let len = job.expected.map_or(0, |expected| expected.len);
            report.add(error, 0, len);
            return report;
        }
    };
    let path = table.file.path();
    let mut tell = |trouble: crate::engine::sstable::pieces::Trouble| {
        report.add(trouble.error, trouble.offset, trouble.len);
    };
    let found = table.verify(&mut tell, &mut |bytes| meter.add(path, bytes));
    report.bytes = table.len;
    if let Some(range) = found.unchecked {
        let why = "the index, which tells the blocks apart, is damaged: they were not checked";
        report.add_unread(path.to_path_buf(), range.start, range.end.saturating_sub(range.start), why);
    }
    if let Some(summary) = found.summary {
        report.entries = summary.entries;
        if let Some(difference) = job.expected.and_then(|expected| summary.difference(expected)) {
            let detail = format!("it is not what the manifest says: {difference}");
            report.add(Error::corruption(path, 0, "table", detail), 0, table.len);
        }
    }
    report
}
