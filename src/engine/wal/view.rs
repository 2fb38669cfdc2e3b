//! A segment as a reader sees it: how it begins, and what valid records lie behind a place.

use super::record::{self, Record, RecordType};
use super::segment::MIN_CAPACITY;
use crate::engine::checksum::Place;
use crate::engine::coding::Reader;
use crate::engine::header::HEADER_LEN;
use crate::engine::key::MAX_SEQ;
use crate::vfs::Mapped;
use crate::{Error, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// The search for records behind the end computes checksums over at most so many times the segment's length. Values that
/// were made to look like a great many long records cannot keep an open busy for longer.
const SEARCH_FACTOR: usize = 16;

/// The bytes of a segment.
pub struct View {
    /// Which segment it is.
    pub place: Place,
    /// Its file.
    pub path: PathBuf,
    /// All of it.
    pub map: Arc<dyn Mapped>,
}

/// What the first record of a segment says.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// The segment before.
    pub previous: u64,
    /// The log position of this one's first byte.
    pub base: u64,
    /// The lowest sequence number in it.
    pub next_seq: u64,
    /// The length it was prepared to.
    pub capacity: u64,
}

/// Valid records that do not continue the log.
#[derive(Debug, Default)]
pub struct Evidence {
    /// How many batches there are.
    pub records: u64,
    /// The highest position any of them vouches for.
    pub synced: u64,
    /// The first record whose numbers are not below those that the search was given: its offset and first number.
    pub first: Option<(usize, u64)>,
}

impl View {
    /// All bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.map.bytes()
    }

    /// What the first record says, when it is a valid `Start`.
    #[must_use]
    pub fn start(&self) -> Option<Start> {
        let (record, _) = record::decode(self.bytes(), &self.place, HEADER_LEN)?;
        let mut r = Reader::new(record.payload);
        let (previous, base, capacity) = (r.u64()?, r.u64()?, r.u64()?);
        let start = Start { previous, base, next_seq: record.first_seq, capacity };
        (record.kind == RecordType::Start).then_some(start)
    }

    /// # Errors
    /// [`Error::Corruption`] when the file is shorter than it was (W6).
    pub fn check_len(&self, start: Option<&Start>) -> Result<()> {
        let (len, expected) = (self.bytes().len() as u64, start.map_or(MIN_CAPACITY, |start| start.capacity));
        if len >= expected {
            return Ok(());
        }
        let detail = format!("the file has {len} bytes, but was prepared with at least {expected}");
        Err(Error::corruption(&self.path, len, "log segment", detail))
    }

    /// Of a file that is too short: the lowest number that a record behind its end may have had, unless the log ends within it.
    #[must_use]
    pub fn cut_off(&self) -> Option<u64> {
        let (mut offset, mut next_seq, mut sealed) = (HEADER_LEN, 0, false);
        while let Some((record, next)) = record::decode(self.bytes(), &self.place, offset) {
            next_seq = record.first_seq.saturating_add(u64::from(record.count));
            sealed = record.kind == RecordType::Seal;
            offset = next;
        }
        let ends = self.bytes().get(offset..).and_then(<[u8]>::first_chunk::<8>) == Some(&[0; 8]);
        (!sealed && !ends).then_some(next_seq)
    }

    /// # Errors
    /// [`Error::Corruption`] when a record has sequence numbers that there cannot be: no build wrote it.
    pub fn check_numbers(&self, record: &Record<'_>, offset: usize) -> Result<()> {
        let behind = record.first_seq.saturating_add(u64::from(record.count));
        if behind <= MAX_SEQ + 1 {
            return Ok(());
        }
        let detail = format!("sequence numbers up to {behind}, at most {MAX_SEQ} expected");
        Err(Error::corruption(&self.path, offset as u64, "log record", detail))
    }

    /// # Errors
    /// [`Error::Incompatible`] when a whole record of an unknown type lies at `offset`.
    pub fn refuse_newer(&self, offset: usize) -> Result<()> {
        match record::unknown(self.bytes(), &self.place, offset) {
            None => Ok(()),
            Some(found) => Err(Error::Incompatible {
                path: self.path.clone(),
                what: "log record type",
                found: format!("{found:?}"),
                supported: "types 1 to 3".into(),
            }),
        }
    }

    /// Whether something other than the end of an append lies at `offset` (W5): eight bytes that are not zeros, or the number of
    /// this segment where that of a record would be.
    #[must_use]
    pub fn is_torn(&self, offset: usize) -> bool {
        let rest = self.bytes().get(offset..).unwrap_or_default();
        let number = rest.get(32..).and_then(<[u8]>::first_chunk::<8>);
        rest.iter().take(8).any(|byte| *byte != 0) || number == Some(&self.place.number.to_le_bytes())
    }

    /// Whether something other than what a segment is prepared with lies where its first record would: zeros, or the first
    /// record of an earlier use of the file.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        let number = self.bytes().get(HEADER_LEN + 32..).and_then(<[u8]>::first_chunk::<8>);
        let earlier = Place { number: number.map_or(0, |n| u64::from_le_bytes(*n)), ..self.place };
        self.is_torn(HEADER_LEN) && record::decode(self.bytes(), &earlier, HEADER_LEN).is_none()
    }

    /// What valid records there are at or after `offset`, at any aligned place.
    #[must_use]
    pub fn evidence(&self, offset: usize, next_seq: u64) -> Evidence {
        let bytes = self.bytes();
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
                let goes_on = record.first_seq >= next_seq && record.kind != RecordType::Start;
                if goes_on && self.check_numbers(&record, at).is_ok() {
                    evidence.first.get_or_insert((at, record.first_seq));
                }
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
