//! How edits lie in the manifest: a chain of records.
//!
//! ```text
//! manifest = header               32 bytes, `engine::header`
//!            record+              the first is a snapshot: the edit that leads from nothing to the state at the time
//! record   = crc                  u32   of all that follows, bound to the place and the record's offset
//!            len                  u32   of the payload
//!            prev                 u32   the crc of the record before; of the first: 0
//!            payload              `edit`
//! ```
//!
//! (M1) A record can be checked by itself, and its `prev` ties it to everything before. So a record that was replaced,
//!      moved or taken from another file is noticed, and so is a record behind a damaged one.
//! (M2) A record is written whole, by one write at the end of the file, then synced; nothing is written after a failure.
//!      So a crash can only leave a torn *last* record. Bytes that are no record and have no valid record anywhere after
//!      them are that; with one after them they are damage.
//!
//! Rejected: leaving `prev` out of the record and only mixing it into the crc. Then a record behind a damaged one can be
//! verified only if the damaged one's crc survived, and M2 would take damage for a torn tail.

use crate::engine::checksum::Place;
use crate::engine::coding::Reader;
use crate::{Error, Result};
use std::path::Path;

/// The bytes of a record before its payload.
pub const RECORD_HEADER_LEN: usize = 12;
/// The longest payload: a snapshot of millions of tables.
pub const MAX_PAYLOAD: usize = 1 << 30;

/// How many bytes the search for a record after damage may check: more than any torn tail needs. Bytes that were made to
/// look like a great many long records are then called damage, which they are.
const SEARCH_LIMIT: u64 = 4 << 30;

/// Where a chain of records ends: what the next record builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainEnd {
    /// The offset of the next record.
    pub offset: u64,
    /// The crc of the last record.
    pub crc: u32,
}

/// A record whose checksum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The edit in it.
    pub payload: &'a [u8],
    /// The crc of the record before.
    pub prev: u32,
    /// Where the chain ends after it.
    pub end: ChainEnd,
}

/// What follows at some offset of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// A record that continues the chain.
    Record(Record<'a>),
    /// Nothing: the chain ends with the file.
    End,
    /// Bytes that are no record, and no record after them, see M2. Says what is wrong with them.
    Torn(String),
}

/// Appends the record with `payload` that continues the chain at `end`, and returns where the chain then ends.
pub fn append(out: &mut Vec<u8>, place: &Place, end: ChainEnd, payload: &[u8]) -> ChainEnd {
    let len = (payload.len() as u32).to_le_bytes();
    let prev = end.crc.to_le_bytes();
    let crc = place.crc(end.offset, &[&len, &prev, payload]);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&len);
    out.extend_from_slice(&prev);
    out.extend_from_slice(payload);
    ChainEnd { offset: end.offset + (RECORD_HEADER_LEN + payload.len()) as u64, crc }
}

/// Takes the next step of the chain that has come to `end`, in a manifest that is `bytes` as a whole.
///
/// # Errors
/// [`Error::Corruption`] when the bytes there are neither a record of this chain nor a torn tail.
pub fn step<'a>(path: &Path, place: &Place, bytes: &'a [u8], end: ChainEnd) -> Result<Step<'a>> {
    let damaged = |why: String| Err(Error::corruption(path, end.offset, "manifest record", why));
    if end.offset == bytes.len() as u64 {
        return Ok(Step::End);
    }
    match read(place, bytes, end.offset) {
        Ok(record) if record.prev == end.crc => Ok(Step::Record(record)),
        Ok(record) => damaged(format!(
            "it continues a record with checksum {:08x}, but the one before it has {:08x}",
            record.prev, end.crc
        )),
        Err(why) => match search(place, bytes, end.offset + 1) {
            Search::Found(later) => damaged(format!("{why}, yet a whole record follows at {later}")),
            Search::TooLong => damaged(format!("{why}, and what follows is no torn record either")),
            Search::Nothing => Ok(Step::Torn(why)),
        },
    }
}

/// Where a chain goes on behind damage: at the first whole record from `start` on, as if it continued what is before it.
#[must_use]
pub fn resume(place: &Place, bytes: &[u8], start: u64) -> Option<ChainEnd> {
    let Search::Found(offset) = search(place, bytes, start) else { return None };
    let record = read(place, bytes, offset).ok()?;
    Some(ChainEnd { offset, crc: record.prev })
}

enum Search {
    Found(u64),
    Nothing,
    TooLong,
}

/// Looks for a record at any offset from `start` on.
fn search(place: &Place, bytes: &[u8], start: u64) -> Search {
    let mut checked = 0u64;
    for at in start..bytes.len() as u64 {
        if read(place, bytes, at).is_ok() {
            return Search::Found(at);
        }
        checked += RECORD_HEADER_LEN as u64 + claimed_len(bytes, at);
        if checked > SEARCH_LIMIT {
            return Search::TooLong;
        }
    }
    Search::Nothing
}

/// How many bytes of payload were checked for a record at `offset`.
fn claimed_len(bytes: &[u8], offset: u64) -> u64 {
    let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
    let mut r = Reader::new(rest);
    let len = r.u32().and_then(|_| r.u32()).map_or(0, u64::from);
    if len <= rest.len() as u64 { len } else { 0 }
}

/// The record at `offset`, or what is wrong with it.
fn read<'a>(place: &Place, bytes: &'a [u8], offset: u64) -> Result<Record<'a>, String> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let mut r = Reader::new(bytes.get(start..).unwrap_or_default());
    let (Some(stored), Some(len), Some(prev)) = (r.u32(), r.u32(), r.u32()) else {
        return Err(format!("{} bytes, {RECORD_HEADER_LEN} expected", bytes.len() - start.min(bytes.len())));
    };
    let Some(payload) = r.take(len as usize) else {
        return Err(format!("a payload of {len} bytes, but the file has {} more", r.rest().len()));
    };
    let found = place.crc(offset, &[&len.to_le_bytes(), &prev.to_le_bytes(), payload]);
    if found != stored {
        return Err(format!("checksum {found:08x}, {stored:08x} expected"));
    }
    Ok(Record { payload, prev, end: ChainEnd { offset: offset + r.position() as u64, crc: stored } })
}
