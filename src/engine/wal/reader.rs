//! Reading the log back. The rule by which it ends is in the folder's `mod.rs`.
//!
//! What is found behind the end is *evidence*: the highest position that any valid record there vouches for. Comparing it
//! with the position of the end tells damage from a torn tail.

use super::record::{self, Record, RecordType};
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::{self, FileKind, HEADER_LEN};
use crate::vfs::{Dir, Mapped, Mode};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which segments to read, as the manifest and the folder have it.
#[derive(Debug)]
pub struct Request<'a> {
    /// The database's folder.
    pub dir: &'a Dir,
    /// Its id.
    pub database: u64,
    /// The segments in the folder, ascending.
    pub numbers: &'a [u64],
    /// The oldest one that is needed.
    pub first: u64,
    /// The log position of its first byte.
    pub base: u64,
    /// The newest one that is known to have been in use; below `first` when none is needed.
    pub newest: u64,
}

/// How far the log reached.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The segment it ended in; 0 when there was none.
    pub segment: u64,
    /// The log position of its end.
    pub position: u64,
    /// The highest sequence number that a later record must exceed.
    pub next_seq: u64,
    /// How many batches were read.
    pub batches: u64,
    /// How many bytes of log they took.
    pub bytes: u64,
    /// What was left out.
    pub cuts: Vec<Cut>,
}

/// A piece of the log that was not promised to anyone, and was left out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Cut {
    /// The segment.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// How many whole records lay behind the place.
    pub records: u64,
    /// Why, in words.
    pub reason: &'static str,
}

/// Reads all batches in order and gives each to `apply`, with the file and offset it comes from.
///
/// # Errors
/// [`Error::Corruption`] when something that was durable is damaged or missing, [`Error::Incompatible`] for a newer
/// format, [`Error::Io`], and what `apply` returns.
pub fn recover(
    request: &Request<'_>,
    apply: &mut dyn FnMut(&Record<'_>, &Path, u64) -> Result<()>,
) -> Result<Recovered> {
    let needed = |n: &&u64| **n >= request.first;
    for must in [request.first, request.newest] {
        if request.newest >= request.first && !request.numbers.contains(&must) {
            return Err(missing(request.dir, must));
        }
    }
    let found = Recovered { position: request.base, ..Recovered::default() };
    let mut chain = Chain { request, found, end: None, evidence: Vec::new() };
    for &number in request.numbers.iter().filter(needed) {
        chain.segment(number, apply)?;
    }
    chain.judge()
}

fn missing(dir: &Dir, number: u64) -> Error {
    let path = dir.join(&FileName::Log(number).to_string());
    Error::corruption(&path, 0, "log segment", "the file is missing")
}

/// The end of what was read so far.
struct End {
    path: PathBuf,
    offset: u64,
    torn: bool,
}

/// Valid records that do not continue the log.
struct Evidence {
    path: PathBuf,
    offset: u64,
    records: u64,
    /// The highest position any of them vouches for.
    synced: u64,
}

struct Chain<'a> {
    request: &'a Request<'a>,
    found: Recovered,
    end: Option<End>,
    evidence: Vec<Evidence>,
}

/// A mapped segment.
struct Segment {
    place: Place,
    path: PathBuf,
    map: Arc<dyn Mapped>,
}

impl Chain<'_> {
    fn segment(
        &mut self,
        number: u64,
        apply: &mut dyn FnMut(&Record<'_>, &Path, u64) -> Result<()>,
    ) -> Result<()> {
        let name = FileName::Log(number).to_string();
        let place = Place { database: self.request.database, kind: FileKind::Log, number };
        let file = self.request.dir.open(&name, Mode::Read)?;
        let segment = Segment { place, path: self.request.dir.join(&name), map: file.map()? };
        header::expect(&segment.path, segment.map.bytes(), &place)?;
        match segment.start() {
            Some((previous, base)) if self.attaches(previous, base) => self.read(&segment, base, apply),
            _ => {
                self.collect(&segment, HEADER_LEN, 0);
                Ok(())
            }
        }
    }

    /// Whether a segment that claims to begin at `base` after `previous` continues what was read so far.
    fn attaches(&self, previous: u64, base: u64) -> bool {
        match self.end {
            None => self.found.position == base,
            Some(_) => self.found.segment == previous && self.found.position == base,
        }
    }

    fn read(
        &mut self,
        segment: &Segment,
        base: u64,
        apply: &mut dyn FnMut(&Record<'_>, &Path, u64) -> Result<()>,
    ) -> Result<()> {
        let bytes = segment.map.bytes();
        let mut offset = HEADER_LEN;
        while let Some((record, next)) = record::decode(bytes, &segment.place, offset) {
            if record.first_seq < self.found.next_seq {
                break;
            }
            match record.kind {
                RecordType::Batch => {
                    apply(&record, &segment.path, offset as u64)?;
                    self.found.batches += 1;
                    self.found.next_seq = record.first_seq + u64::from(record.count);
                }
                RecordType::Start => {}
                RecordType::Seal => self.check_sealed(&record)?,
            }
            self.found.bytes += (next - offset) as u64;
            offset = next;
        }
        self.found.segment = segment.place.number;
        self.found.position = base + offset as u64;
        let torn = segment.carries_number(offset);
        self.end = Some(End { path: segment.path.clone(), offset: offset as u64, torn });
        self.collect(segment, offset, self.found.next_seq);
        Ok(())
    }

    /// A sealed segment names the next one, which was durable before the seal was written.
    fn check_sealed(&self, seal: &Record<'_>) -> Result<()> {
        let next = seal.payload.first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
        match next {
            Some(next) if self.request.numbers.contains(&next) => Ok(()),
            Some(next) => Err(missing(self.request.dir, next)),
            None => Ok(()),
        }
    }

    /// Notes the valid records at or after `offset` whose sequence numbers are not below `from_seq`.
    fn collect(&mut self, segment: &Segment, offset: usize, from_seq: u64) {
        let mut evidence =
            Evidence { path: segment.path.clone(), offset: offset as u64, records: 0, synced: 0 };
        segment.scan(offset, |record| {
            if record.first_seq >= from_seq {
                evidence.records += u64::from(record.kind == RecordType::Batch);
                evidence.synced = evidence.synced.max(record.synced);
            }
        });
        self.evidence.push(evidence);
    }

    fn judge(mut self) -> Result<Recovered> {
        let position = self.found.position;
        for evidence in &self.evidence {
            if evidence.synced > position {
                let (path, offset) = match &self.end {
                    Some(end) => (&end.path, end.offset),
                    None => (&evidence.path, evidence.offset),
                };
                let detail = format!(
                    "no valid record, but {} vouches for the log up to position {}, {} bytes behind it",
                    evidence.path.display(),
                    evidence.synced,
                    evidence.synced.saturating_sub(position)
                );
                return Err(Error::corruption(path, offset, "log record", detail));
            }
            if evidence.records > 0 {
                self.found.cuts.push(Cut {
                    file: evidence.path.clone(),
                    offset: evidence.offset,
                    records: evidence.records,
                    reason: "records behind the end of the log that were never promised",
                });
            }
        }
        if let Some(end) = self.end.filter(|end| end.torn) {
            let reason = "a record that was not written whole";
            self.found.cuts.push(Cut { file: end.path, offset: end.offset, records: 0, reason });
        }
        if self.found.segment == 0 && self.request.newest >= self.request.first {
            // The segment was known to be in use, yet not even its first record is there.
            let path = self.request.dir.join(&FileName::Log(self.request.newest).to_string());
            return Err(Error::corruption(
                &path,
                HEADER_LEN as u64,
                "log record",
                "the first record is missing",
            ));
        }
        Ok(self.found)
    }
}

impl Segment {
    /// The segment before and the base position, when the first record is a valid `Start`.
    fn start(&self) -> Option<(u64, u64)> {
        let (record, _) = record::decode(self.map.bytes(), &self.place, HEADER_LEN)?;
        let (previous, base) = record.payload.split_at_checked(8)?;
        let number = |bytes: &[u8]| bytes.first_chunk().map(|b| u64::from_le_bytes(*b));
        (record.kind == RecordType::Start).then_some((number(previous)?, number(base)?))
    }

    /// Whether what lies at `offset` names this segment, as a record of it that is not whole would.
    fn carries_number(&self, offset: usize) -> bool {
        let field = self.map.bytes().get(offset + 32..offset + 40);
        field == Some(&self.place.number.to_le_bytes()[..])
    }

    /// Calls `see` for every valid record that begins at or after `offset`, at any aligned place.
    fn scan(&self, offset: usize, mut see: impl FnMut(&Record<'_>)) {
        let bytes = self.map.bytes();
        let number = self.place.number.to_le_bytes();
        let from = offset.next_multiple_of(record::ALIGN);
        let mut skip_to = from;
        // The segment's number stands at byte 32 of a record: only where it does, a checksum is worth computing.
        for (i, field) in bytes.get(from + 32..).unwrap_or_default().chunks_exact(8).enumerate() {
            let at = from + i * 8;
            if field == number
                && at >= skip_to
                && let Some((record, next)) = record::decode(bytes, &self.place, at)
            {
                see(&record);
                skip_to = next;
            }
        }
    }
}

/// A segment as text, record by record.
///
/// # Errors
/// [`Error::Corruption`] for a header that is not one of a segment.
pub fn describe(path: &Path, bytes: &[u8], out: &mut dyn std::fmt::Write) -> Result<std::fmt::Result> {
    let place = header::decode(path, bytes)?;
    Ok(describe_records(&place, bytes, out))
}

fn describe_records(place: &Place, bytes: &[u8], out: &mut dyn std::fmt::Write) -> std::fmt::Result {
    writeln!(out, "log segment {} of database {:016x}, {} bytes", place.number, place.database, bytes.len())?;
    let mut offset = HEADER_LEN;
    while let Some((record, next)) = record::decode(bytes, place, offset) {
        let Record { kind, count, first_seq, synced, payload } = record;
        writeln!(
            out,
            "{offset:>10}  {kind:?}  seq {first_seq}  entries {count}  synced {synced}  {} bytes",
            payload.len()
        )?;
        if kind == RecordType::Batch {
            for entry in crate::engine::batch::entries(payload) {
                match entry {
                    Ok(e) => writeln!(
                        out,
                        "            {:?} \"{}\" ({} bytes)",
                        e.kind,
                        e.key.escape_ascii(),
                        e.value.len()
                    )?,
                    Err((at, why)) => writeln!(out, "            damaged at {at}: {why}")?,
                }
            }
        }
        offset = next;
    }
    writeln!(out, "{offset:>10}  end of the log")
}
