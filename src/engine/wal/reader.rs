//! Reading the log back. The rule by which it ends is in the folder's `mod.rs`.
//!
//! What is found behind the end is *evidence*: the highest position that any valid record there vouches for. Comparing it
//! with the position of the end tells damage from a torn tail.
//!
//! Damage ends an open ([`recover`]). For those who want what is left ([`salvage`]) it is a *hole*, and reading goes on:
//!
//! (H1) Without a hole both read the same.
//! (H2) Behind a hole in a segment it goes on at the first valid record whose numbers follow. When the next segment tells
//!      that the log went on there from a later place than was reached, what lies between in the segment before is taken too,
//!      up to that place: what lies behind it was left out by a recovery, and its numbers were used again.
//! (H3) Numbers always ascend, and a batch is taken whole or not at all.

use super::record::{self, Record, RecordType};
use super::view::{Evidence, Start, View};
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::{self, FileKind, HEADER_LEN};
use crate::planted::{Bug, planted};
use crate::vfs::{Dir, Mapped};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which segments to read, as the manifest and the folder have it.
pub struct Request<'a> {
    /// The database's folder.
    pub dir: &'a Dir,
    /// Its id.
    pub database: u64,
    /// The segments in the folder, ascending.
    pub numbers: &'a [u64],
    /// The oldest one that is needed.
    pub first: u64,
    /// The log position of its first byte; `None` when that is not known, and is where the first one says.
    pub base: Option<u64>,
    /// The newest one whose beginning is known to be durable; below `first` when none is.
    pub newest: u64,
    /// The log position that is read up to; what lies behind it is not looked at.
    pub limit: u64,
    /// How the bytes of a segment are had.
    pub load: Load<'a>,
}

/// Gives the bytes of a file of a folder.
pub type Load<'a> = &'a dyn Fn(&Dir, &str) -> Result<Arc<dyn Mapped>>;

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

/// A piece of the log that was durable, and is damaged or missing.
#[derive(Debug)]
pub struct Hole {
    /// What is damaged, and where.
    pub error: Error,
    /// The sequence numbers of what may be lost with it: from this one on …
    pub from_seq: u64,
    /// … up to this one, exclusive: the same where nothing is lost, `None` where nothing tells.
    pub to_seq: Option<u64>,
}

/// Takes a batch, with the file and offset it comes from.
pub type Apply<'a> = &'a mut dyn FnMut(&Record<'_>, &Path, u64) -> Result<()>;

/// Reads all batches in order and gives each to `apply`.
///
/// # Errors
/// [`Error::Corruption`] when something that was durable is damaged or missing, [`Error::Incompatible`] for a newer
/// format, [`Error::Io`], and what `apply` returns.
pub fn recover(request: &Request<'_>, apply: Apply<'_>) -> Result<Recovered> {
    read(request, apply, &mut |hole| Err(hole.error))
}

/// As [`recover`], but goes on behind what is damaged, which `hole` is told.
///
/// # Errors
/// What `apply` returns.
pub fn salvage(request: &Request<'_>, apply: Apply<'_>, hole: &mut dyn FnMut(Hole)) -> Result<Recovered> {
    read(request, apply, &mut |found| {
        hole(found);
        Ok(())
    })
}

type Tell<'a> = &'a mut dyn FnMut(Hole) -> Result<()>;

fn read(request: &Request<'_>, apply: Apply<'_>, tell: Tell<'_>) -> Result<Recovered> {
    let (position, broken) = (request.base.unwrap_or(0), request.base.is_none());
    let found = Recovered { position, ..Recovered::default() };
    let mut chain = Chain { request, found, end: None, broken, told_of_newest: false, apply, tell };
    for must in [request.first, request.newest] {
        if request.newest >= request.first && !request.numbers.contains(&must) {
            chain.missing(must)?;
        }
    }
    for &number in request.numbers.iter().filter(|n| **n >= request.first) {
        chain.segment(number)?;
    }
    chain.finish()
}

/// The end of what was read so far.
#[derive(Clone)]
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
    /// A segment is missing or cannot be read: the next one need not begin where the one before it ends.
    broken: bool,
    /// That the newest segment cannot be read was told.
    told_of_newest: bool,
    apply: Apply<'a>,
    tell: Tell<'a>,
}

impl Chain<'_> {
    /// Damage that costs nothing by itself: what follows is read from where it was to be read from.
    fn tell(&mut self, error: Error) -> Result<()> {
        let seq = self.found.next_seq;
        (self.tell)(Hole { error, from_seq: seq, to_seq: Some(seq) })
    }

    /// Damage behind which the record with the number `to` is the next.
    fn tell_hole(&mut self, error: Error, to: Option<u64>) -> Result<()> {
        (self.tell)(Hole { error, from_seq: self.found.next_seq, to_seq: to })
    }

    fn missing(&mut self, number: u64) -> Result<()> {
        self.broken = true;
        let path = self.request.dir.join(&FileName::Log(number).to_string());
        self.tell_hole(Error::corruption(&path, 0, "log segment", "the file is missing"), None)
    }

    fn open(&self, number: u64) -> Result<View> {
        let name = FileName::Log(number).to_string();
        let place = Place { database: self.request.database, kind: FileKind::Log, number };
        let map = (self.request.load)(self.request.dir, &name)?;
        Ok(View { place, path: self.request.dir.join(&name), map })
    }

    fn segment(&mut self, number: u64) -> Result<()> {
        if self.found.position >= self.request.limit {
            return Ok(());
        }
        let view = match self.open(number) {
            Ok(view) => view,
            Err(error) => {
                self.broken = true;
                return self.tell_hole(error, None);
            }
        };
        let start = view.start();
        if let Err(error) = header::expect(&view.path, view.bytes(), &view.place) {
            let newer = matches!(error, Error::Incompatible { .. });
            match start {
                // The header alone is damaged.
                Some(_) if !newer => self.tell(error)?,
                _ => self.tell_hole(error, None)?,
            }
            if newer {
                self.broken = true;
                return Ok(());
            }
        }
        if let Err(error) = view.refuse_newer(HEADER_LEN) {
            self.tell_hole(error, None)?;
        }
        if let Err(error) = view.check_len(start.as_ref()) {
            match view.cut_off() {
                Some(seq) => {
                    (self.tell)(Hole { error, from_seq: seq.max(self.found.next_seq), to_seq: None })?;
                }
                None => self.tell(error)?,
            }
        }
        match start {
            Some(start) if self.attaches(&start) => self.read(&view, &start),
            _ => self.pass(&view, start),
        }
    }

    /// Whether a segment that begins so continues what was read so far. One whose beginning was written in vain, and
    /// then passed over, may claim the right place; its numbers are too low.
    fn attaches(&self, start: &Start) -> bool {
        if start.next_seq < self.found.next_seq {
            return false;
        }
        let follows = self.end.is_none() || self.found.segment == start.previous;
        let somewhere_behind = self.broken && start.base >= self.found.position;
        follows && self.found.position == start.base || somewhere_behind
    }

    fn read(&mut self, view: &View, start: &Start) -> Result<()> {
        let (before, was_broken) = (self.found.batches, std::mem::take(&mut self.broken));
        self.found.next_seq = start.next_seq;
        self.read_from(view, start.base, HEADER_LEN)?;
        // A segment without a batch may have been begun in vain: then it is not the one that goes on.
        self.broken |= was_broken && self.found.batches == before;
        Ok(())
    }

    /// Reads the segment that begins at log position `base` from `offset` on, behind every hole in it too.
    fn read_from(&mut self, view: &View, base: u64, mut offset: usize) -> Result<()> {
        self.found.segment = view.place.number;
        self.found.segments.push(view.place.number);
        loop {
            let next;
            (offset, next) = self.run(view, base, offset)?;
            self.found.position = base.saturating_add(offset as u64);
            self.end = Some(End { path: view.path.clone(), offset: offset as u64, next });
            if self.found.position >= self.request.limit {
                return Ok(());
            }
            if let Err(error) = view.refuse_newer(offset) {
                self.tell_hole(error, None)?;
            }
            let torn = view.is_torn(offset).then_some("a record that was not written whole");
            let evidence = view.evidence(offset, self.found.next_seq);
            let Some(error) = self.judge(view, offset, &evidence, torn) else { return Ok(()) };
            if let Some(next) = self.continuation() {
                self.rest_of_previous(&next, error)?;
                (self.found.position, self.found.next_seq) = (next.base, next.next_seq);
                return Ok(());
            }
            self.tell_hole(error, evidence.first.map(|(_, seq)| seq))?;
            let Some((behind, seq)) = evidence.first else { return Ok(()) };
            (offset, self.found.next_seq) = (behind, seq);
        }
    }

    /// Reads records as long as they follow one another. Returns where they end, and the segment that a `Seal` names.
    fn run(&mut self, view: &View, base: u64, mut offset: usize) -> Result<(usize, Option<u64>)> {
        let mut sealed = None;
        while base.saturating_add(offset as u64) < self.request.limit
            && let Some((record, next)) = record::decode(view.bytes(), &view.place, offset)
        {
            if record.first_seq < self.found.next_seq
                || (record.first_seq > self.found.next_seq && !record.after_gap)
            {
                break;
            }
            if let Err(error) = view.check_numbers(&record, offset) {
                self.tell_hole(error, None)?;
                break;
            }
            if planted(Bug::CutTooFar)
                && record::decode(view.bytes(), &view.place, next).is_none()
                && view.is_torn(next)
            {
                break;
            }
            if record.kind == RecordType::Batch {
                self.take(&record, &view.path, offset as u64)?;
            }
            sealed = self.sealed(&record)?;
            self.found.bytes += (next - offset) as u64;
            offset = next;
        }
        Ok((offset, sealed))
    }

    fn take(&mut self, record: &Record<'_>, path: &Path, offset: u64) -> Result<()> {
        (self.apply)(record, path, offset)?;
        self.found.batches += 1;
        self.found.next_seq = record.first_seq.saturating_add(u64::from(record.count));
        Ok(())
    }

    /// The segment that a `Seal` says comes next. It was durable before the seal was written.
    fn sealed(&mut self, record: &Record<'_>) -> Result<Option<u64>> {
        if record.kind != RecordType::Seal {
            return Ok(None);
        }
        let next = record.payload.first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
        if let Some(missed) = next.filter(|next| !self.request.numbers.contains(next)) {
            self.missing(missed)?;
        }
        Ok(next)
    }

    /// Decides what the records mean that lie in a segment at or behind `offset`, where the log does not go on: damage,
    /// for which the error is returned, or a cut.
    fn judge(
        &mut self,
        view: &View,
        offset: usize,
        evidence: &Evidence,
        torn: Option<&'static str>,
    ) -> Option<Error> {
        let position = self.found.position;
        if evidence.synced > position && !planted(Bug::EndLogSilently) {
            let detail = format!(
                "no valid record, but {} vouches for the log up to position {}, {} bytes behind it",
                view.path.display(),
                evidence.synced,
                evidence.synced - position
            );
            return Some(match &self.end {
                Some(end) if end.next != Some(view.place.number) => {
                    Error::corruption(&end.path, end.offset, "log record", detail)
                }
                _ => Error::corruption(&view.path, offset as u64, "log record", detail),
            });
        }
        if evidence.records > 0 || torn.is_some() {
            self.found.cuts.push(Cut {
                file: view.path.clone(),
                offset: offset as u64,
                records: evidence.records,
                reason: torn.unwrap_or("records behind the end of the log that were never promised"),
            });
        }
        None
    }

    /// A segment that does not continue what was read: left alone, unless it shows that something is missing before it, or is
    /// known to have begun.
    fn pass(&mut self, view: &View, start: Option<Start>) -> Result<()> {
        let evidence = view.evidence(HEADER_LEN, self.found.next_seq);
        let begun = start.is_none() && view.place.number == self.request.newest;
        let torn =
            (start.is_none() && view.is_begun()).then_some("a segment whose beginning was not written whole");
        let error = match self.judge(view, HEADER_LEN, &evidence, torn) {
            Some(error) => error,
            None if begun => {
                let detail = "no valid record, but the log is known to go on here";
                Error::corruption(&view.path, HEADER_LEN as u64, "log record", detail)
            }
            None => return Ok(()),
        };
        match (start, evidence.first) {
            (Some(start), _) if start.next_seq >= self.found.next_seq => {
                self.rest_of_previous(&start, error)?;
                self.read(view, &start)
            }
            // Its beginning is damaged, and so its position is not known but from the segment before.
            (None, Some((offset, seq))) => {
                self.tell_hole(error, Some(seq))?;
                self.found.next_seq = seq;
                self.read_from(view, self.found.position, offset)
            }
            _ => {
                self.told_of_newest |= begun;
                self.tell_hole(error, None)
            }
        }
    }

    /// How the segment begins that went on where the one that is being read ended, if there is one.
    fn continuation(&self) -> Option<Start> {
        let later = self.request.numbers.iter().filter(|number| **number > self.found.segment);
        let starts = later.filter_map(|number| self.open(*number).ok()?.start());
        // Those that were begun in vain, if any, claim an earlier place.
        starts
            .filter(|start| start.previous == self.found.segment && start.base >= self.found.position)
            .max_by_key(|start| start.base)
    }

    /// Takes what lies behind the end of what was read, up to where the next segment begins (H2). `error` is what showed that
    /// there should be something.
    fn rest_of_previous(&mut self, next: &Start, error: Error) -> Result<()> {
        let end = self.end.clone().filter(|_| self.found.segment == next.previous);
        let Some((end, Ok(view))) = end.map(|end| (end, self.open(next.previous))) else {
            return self.tell_hole(error, Some(next.next_seq));
        };
        // What was taken for the end of the log there is not.
        self.found.cuts.retain(|cut| cut.file != end.path || cut.offset != end.offset);
        let base = self.found.position.saturating_sub(end.offset);
        let (mut offset, mut error) = (end.offset as usize, Some(error));
        let plain = |at: usize| Error::corruption(&view.path, at as u64, "log record", "no valid record");
        while let Some((at, seq)) = view.evidence(offset, self.found.next_seq).first
            && let Some((record, behind)) = record::decode(view.bytes(), &view.place, at)
            && base.saturating_add(behind as u64) <= next.base
            && seq.saturating_add(u64::from(record.count)) <= next.next_seq
        {
            if at > offset {
                self.tell_hole(error.take().unwrap_or_else(|| plain(offset)), Some(seq))?;
            }
            if record.kind == RecordType::Batch {
                self.take(&record, &view.path, at as u64)?;
            }
            offset = behind;
        }
        if base.saturating_add(offset as u64) < next.base || error.is_some() {
            self.tell_hole(error.unwrap_or_else(|| plain(offset)), Some(next.next_seq))?;
        }
        Ok(())
    }

    /// The beginning of the newest segment known was durable, and with it all before: the log must reach it.
    fn finish(mut self) -> Result<Recovered> {
        let Request { dir, first, newest, .. } = *self.request;
        if newest < first || self.found.segment >= newest || self.told_of_newest {
            return Ok(self.found);
        }
        let detail = format!("no valid record, but the log is known to go on in segment {newest}");
        let first_of = |number| (dir.join(&FileName::Log(number).to_string()), HEADER_LEN as u64);
        let (path, offset) = match &self.end {
            Some(End { next: Some(next), .. }) => first_of(*next),
            Some(end) => (end.path.clone(), end.offset),
            None => first_of(first),
        };
        self.tell_hole(Error::corruption(&path, offset, "log record", detail), None)?;
        Ok(self.found)
    }
}
