//! Reading the log back. The rule by which it ends is in the folder's `mod.rs`.
//!
//! What is found behind the end is *evidence*: the highest position that any valid record there vouches for. Comparing it
//! with the position of the end tells damage from a torn tail.

use super::record::{self, Record, RecordType};
use super::segment::MIN_CAPACITY;
use crate::engine::checksum::Place;
use crate::engine::coding::Reader;
use crate::engine::filename::FileName;
use crate::engine::header::{self, FileKind, HEADER_LEN};
use crate::vfs::{Dir, Mapped, Mode};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The search for records behind the end computes checksums over at most so many times the segment's length. Values that
/// were made to look like a great many long records cannot keep an open busy for longer.
const SEARCH_FACTOR: usize = 16;

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
    /// The newest one whose beginning is known to be durable; below `first` when none is.
    pub newest: u64,
}

/// How far the log reached.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The segment it ended in; 0 when there was none.
    pub segment: u64,
    /// The log position of its end.
    pub position: u64,
    /// The lowest sequence number that a later record may begin with.
    pub next_seq: u64,
    /// The segments that were read, ascending. They may not be durable to their ends yet.
    pub segments: Vec<u64>,
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
    let mut chain = Chain { request, found, end: None };
    for &number in request.numbers.iter().filter(needed) {
        chain.segment(number, apply)?;
    }
    chain.finish()
}

fn missing(dir: &Dir, number: u64) -> Error {
    let path = dir.join(&FileName::Log(number).to_string());
    Error::corruption(&path, 0, "log segment", "the file is missing")
}

/// The end of what was read so far.
struct End {
    path: PathBuf,
    offset: u64,
    /// The segment that a `Seal` says comes next.
    next: Option<u64>,
}

struct Chain<'a> {
    request: &'a Request<'a>,
    found: Recovered,
    end: Option<End>,
}

/// A mapped segment.
struct Segment {
    place: Place,
    path: PathBuf,
    map: Arc<dyn Mapped>,
}

/// What the first record of a segment says.
struct Start {
    previous: u64,
    base: u64,
    next_seq: u64,
}

/// Valid records that do not continue the log.
#[derive(Default)]
struct Evidence {
    records: u64,
    /// The highest position any of them vouches for.
    synced: u64,
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
        segment.refuse_newer(HEADER_LEN)?;
        match segment.start()? {
            Some(start) if self.attaches(&start) => self.read(&segment, &start, apply),
            _ => self.judge(&segment, HEADER_LEN, None),
        }
    }

    /// Whether a segment that begins so continues what was read so far. One whose beginning was written in vain, and
    /// then passed over, may claim the right place; its numbers are too low.
    fn attaches(&self, start: &Start) -> bool {
        let follows = self.end.is_none() || self.found.segment == start.previous;
        follows && self.found.position == start.base && start.next_seq >= self.found.next_seq
    }

    fn read(
        &mut self,
        segment: &Segment,
        start: &Start,
        apply: &mut dyn FnMut(&Record<'_>, &Path, u64) -> Result<()>,
    ) -> Result<()> {
        let bytes = segment.map.bytes();
        let (mut offset, mut sealed) = (HEADER_LEN, None);
        self.found.next_seq = start.next_seq;
        while let Some((record, next)) = record::decode(bytes, &segment.place, offset) {
            if record.first_seq < self.found.next_seq
                || (record.first_seq > self.found.next_seq && !record.after_gap)
            {
                break;
            }
            match record.kind {
                RecordType::Batch => {
                    apply(&record, &segment.path, offset as u64)?;
                    self.found.batches += 1;
                    self.found.next_seq = record.first_seq.saturating_add(u64::from(record.count));
                }
                RecordType::Start => {}
                RecordType::Seal => {}
            }
            sealed = self.sealed(&record)?;
            self.found.bytes += (next - offset) as u64;
            offset = next;
        }
        segment.refuse_newer(offset)?;
        self.found.segment = segment.place.number;
        self.found.segments.push(segment.place.number);
        self.found.position = start.base.saturating_add(offset as u64);
        self.end = Some(End { path: segment.path.clone(), offset: offset as u64, next: sealed });
        let torn = segment.is_torn(offset).then_some("a record that was not written whole");
        self.judge(segment, offset, torn)
    }

    /// The segment that a `Seal` says comes next. It was durable before the seal was written.
    fn sealed(&self, record: &Record<'_>) -> Result<Option<u64>> {
        if record.kind != RecordType::Seal {
            return Ok(None);
        }
        let next = record.payload.first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
        match next.filter(|next| !self.request.numbers.contains(next)) {
            Some(missed) => Err(missing(self.request.dir, missed)),
            None => Ok(next),
        }
    }

    /// Decides what the records mean that lie in a segment at or behind `offset`, where the log does not go on: damage,
    /// or a cut.
    fn judge(&mut self, segment: &Segment, offset: usize, torn: Option<&'static str>) -> Result<()> {
        let evidence = segment.evidence(offset);
        let position = self.found.position;
        if evidence.synced > position {
            let detail = format!(
                "no valid record, but {} vouches for the log up to position {}, {} bytes behind it",
                segment.path.display(),
                evidence.synced,
                evidence.synced - position
            );
            return Err(match &self.end {
                Some(end) if end.next != Some(segment.place.number) => {
                    Error::corruption(&end.path, end.offset, "log record", detail)
                }
                _ => Error::corruption(&segment.path, offset as u64, "log record", detail),
            });
        }
        if evidence.records > 0 || torn.is_some() {
            self.found.cuts.push(Cut {
                file: segment.path.clone(),
                offset: offset as u64,
                records: evidence.records,
                reason: torn.unwrap_or("records behind the end of the log that were never promised"),
            });
        }
        Ok(())
    }

    /// The beginning of the newest segment known was durable, and with it all before: the log must reach it.
    fn finish(self) -> Result<Recovered> {
        let Request { dir, first, newest, .. } = *self.request;
        if newest < first || self.found.segment >= newest {
            return Ok(self.found);
        }
        let detail = format!("no valid record, but the log is known to go on in segment {newest}");
        let first_of = |number| (dir.join(&FileName::Log(number).to_string()), HEADER_LEN as u64);
        let (path, offset) = match self.end {
            Some(End { next: Some(next), .. }) => first_of(next),
            Some(end) => (end.path, end.offset),
            None => first_of(first),
        };
        Err(Error::corruption(&path, offset, "log record", detail))
    }
}

impl Segment {
    /// What the first record says, when it is a valid `Start`.
    ///
    /// # Errors
    /// [`Error::Corruption`] when the file is shorter than it was (W6).
    fn start(&self) -> Result<Option<Start>> {
        let start = record::decode(self.map.bytes(), &self.place, HEADER_LEN).and_then(|(record, _)| {
            let mut r = Reader::new(record.payload);
            let (previous, base, capacity) = (r.u64()?, r.u64()?, r.u64()?);
            let start = Start { previous, base, next_seq: record.first_seq };
            (record.kind == RecordType::Start).then_some((start, capacity))
        });
        let (start, capacity) = start.unzip();
        let (len, expected) = (self.map.bytes().len() as u64, capacity.unwrap_or(MIN_CAPACITY));
        if len < expected {
            let detail = format!("the file has {len} bytes, but was prepared with at least {expected}");
            return Err(Error::corruption(&self.path, len, "log segment", detail));
        }
        Ok(start)
    }

    /// # Errors
    /// [`Error::Incompatible`] when a whole record of an unknown type lies at `offset`.
    fn refuse_newer(&self, offset: usize) -> Result<()> {
        match record::unknown(self.map.bytes(), &self.place, offset) {
            None => Ok(()),
            Some(found) => Err(Error::Incompatible {
                path: self.path.clone(),
                what: "log record type",
                found: format!("{found:?}"),
                supported: "types 1 to 3".into(),
            }),
        }
    }

    /// Whether something other than the end of an append lies at `offset` (W5).
    fn is_torn(&self, offset: usize) -> bool {
        self.map.bytes().iter().skip(offset).take(8).any(|byte| *byte != 0)
    }

    /// What valid records there are at or after `offset`, at any aligned place.
    fn evidence(&self, offset: usize) -> Evidence {
        let bytes = self.map.bytes();
        let number = self.place.number.to_le_bytes();
        let from = offset.next_multiple_of(record::ALIGN);
        let (mut evidence, mut skip_to) = (Evidence::default(), from);
        let mut budget = bytes.len().saturating_mul(SEARCH_FACTOR);
        // The segment's number stands at byte 32 of a record: only where it does, a checksum is worth computing.
        for (i, field) in bytes.get(from + 32..).unwrap_or_default().chunks_exact(8).enumerate() {
            let at = from + i * 8;
            if field != number || at < skip_to {
                continue;
            }
            if let Some((record, next)) = record::decode(bytes, &self.place, at) {
                evidence.records += u64::from(record.kind == RecordType::Batch);
                evidence.synced = evidence.synced.max(record.synced);
                skip_to = next;
                continue;
            }
            let claimed = record::claimed_len(bytes, at).filter(|len| *len <= bytes.len() - at);
            match budget.checked_sub(claimed.unwrap_or(0)) {
                Some(left) => budget = left,
                None => break,
            }
        }
        evidence
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
        let Record { kind, count, first_seq, synced, payload, .. } = record;
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
