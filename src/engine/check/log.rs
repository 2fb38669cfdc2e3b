//! Every record of the log, and what lies behind its end.
//!
//! A segment is made of zeros, so what lies behind the records is zeros too, or what an earlier use of the file left. That
//! means nothing, and no checksum covers it: bytes there that are not zeros are a note, not a problem, and so are more of them
//! than the segment was prepared with.

use super::folder::{load_around, read_around};
use super::report::VerifyReport;
use crate::engine::batch;
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::{FileKind, HEADER_LEN};
use crate::engine::wal::reader::{Request, salvage};
use crate::engine::wal::record::{self, Record};
use crate::engine::wal::view::View;
use crate::vfs::{Dir, Mode};
use crate::{Error, Result};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// Which part of the log to check.
#[derive(Debug, Clone, Copy)]
pub struct Extent<'a> {
    /// The id of the database.
    pub database: u64,
    /// The segments in the folder, ascending.
    pub numbers: &'a [u64],
    /// The oldest one that is needed.
    pub first: u64,
    /// The log position of its first byte.
    pub base: u64,
    /// The newest one whose beginning is known to be durable; below `first` when none is.
    pub newest: u64,
    /// The log position to stop at.
    pub limit: u64,
}

/// Checks every record of the log.
pub fn check_log(dir: &Dir, extent: Extent<'_>, report: &mut VerifyReport) {
    let Extent { database, numbers, first, base, newest, limit } = extent;
    let found = RefCell::new(VerifyReport::default());
    let load = |dir: &Dir, name: &str| load_around(&dir.open(name, Mode::Read)?, &mut found.borrow_mut());
    let request = Request { dir, database, numbers, first, base: Some(base), newest, limit, load: &load };
    let mut apply = |record: &Record<'_>, path: &Path, offset: u64| {
        if let Err(error) = check_batch(record, path, offset) {
            found.borrow_mut().add(error, offset, record.payload.len() as u64);
        }
        Ok(())
    };
    // Nothing given to it fails.
    let read = salvage(&request, &mut apply, &mut |hole| found.borrow_mut().add(hole.error, 0, 0));
    let read = read.unwrap_or_default();
    let mut found = found.into_inner();
    found.files = read.segments.len();
    found.bytes = read.bytes;
    found.batches = read.batches;
    for cut in &read.cuts {
        let detail = format!("{}; {} whole records behind it are left out", cut.reason, cut.records);
        found.note(cut.file.clone(), cut.offset, "log record", detail);
    }
    if limit < u64::MAX && read.position < limit {
        let name = FileName::Log(read.segment.max(first)).to_string();
        let (path, offset) =
            read.cuts.last().map_or_else(|| (dir.join(&name), 0), |cut| (cut.file.clone(), cut.offset));
        let detail = format!("the log ends at position {}, but is durable up to {limit}", read.position);
        found.add(Error::corruption(&path, offset, "log record", detail), offset, 0);
    }
    report.merge(found);
}

/// Whether a batch is what its record says.
///
/// # Errors
/// [`Error::Corruption`], [`Error::Incompatible`].
pub fn check_batch(record: &Record<'_>, path: &Path, offset: u64) -> Result<()> {
    let mut count = 0;
    for entry in batch::entries(record.payload) {
        let entry = entry
            .map_err(|(at, why)| Error::corruption(path, offset + at as u64, "batch in a log record", why))?;
        if !entry.kind.is_supported_in_log() {
            return Err(Error::Incompatible {
                path: path.to_path_buf(),
                what: "entry kind",
                found: (entry.kind as u8).to_string(),
                supported: "puts, expiring ones, and deletes, of ranges too".into(),
            });
        }
        count += 1;
    }
    if count != record.count {
        let detail = format!("{count} entries, {} expected", record.count);
        return Err(Error::corruption(path, offset, "batch in a log record", detail));
    }
    Ok(())
}

/// Notes what lies behind the records of a segment about which nothing else was told.
pub fn check_behind(dir: &Dir, database: u64, number: u64, report: &mut VerifyReport) {
    let name = FileName::Log(number).to_string();
    let path = dir.join(&name);
    let told = report.problems.iter().chain(&report.notes).any(|finding| finding.file == path);
    let mut ignored = VerifyReport::default();
    let bytes = dir.open(&name, Mode::Read).and_then(|file| read_around(&file, &mut ignored));
    let Some(bytes) = bytes.ok().filter(|_| !told) else { return };
    let place = Place { database, kind: FileKind::Log, number };
    let view = View { place, path: path.clone(), map: Arc::new(bytes) };
    let (bytes, mut end) = (view.bytes(), HEADER_LEN);
    while let Some((_, next)) = record::decode(bytes, &place, end) {
        end = next;
    }
    // A segment that has no room left grows; one that has, does not.
    if let Some(start) =
        view.start().filter(|start| (end as u64..bytes.len() as u64).contains(&start.capacity))
    {
        let more = bytes.len() as u64 - start.capacity;
        let detail = format!("{more} bytes beyond those it was prepared with: they mean nothing");
        report.note(path.clone(), start.capacity, "log segment", detail);
    }
    let behind = bytes.get(end..).unwrap_or_default();
    if let Some(at) = behind.iter().position(|byte| *byte != 0) {
        let count = behind.iter().filter(|byte| **byte != 0).count();
        let detail = format!(
            "{count} bytes behind the end of the log are not zeros: an earlier use of the file left them, or they are damaged and mean nothing"
        );
        report.note(path, (end + at) as u64, "log segment", detail);
    }
}
