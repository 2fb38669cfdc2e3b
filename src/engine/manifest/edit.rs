//! One step from a version of the database to the next, and its bytes.
//!
//! ```text
//! edit  = field*
//! field = tag      varint
//!         body     varint length, bytes
//!
//! tag  body                                                            on disk: never renumber
//!   1  a table is added: level u8, number varint, len varint, checksum u32, entries varint, tombstones varint,
//!      expiring varint, smallest bytes, largest bytes, min seq varint, max seq varint, clean seq varint,
//!      min expiry varint, max expiry varint, raw bytes varint
//!   2  a table is removed: level u8, number varint
//!   3  the lowest log still needed: varint
//!   4  the newest log: varint
//!   5  the highest sequence number in tables: varint
//!   6  the lowest table number never used: varint
//!   7  a keyspace is created: id varint, name in UTF-8
//!   8  a keyspace is dropped: id varint
//!   9  the lowest keyspace id never used: varint
//!  10  a log is sealed: number varint, length of what was written to it varint, checksum u32
//!  11  a range of keys was deleted: seq varint, first key bytes, first key behind it bytes
//!  12  reserved: the options the files were written with
//!  13  the log position of the first byte of the lowest log still needed: varint
//!  14  no table needs the deletion of a range any more: seq varint
//!  16  what values of a keyspace live for: id varint, milliseconds varint, 0 for ever
//!  17  the time, in milliseconds since 1970: varint
//! ```
//!
//! (E1) A field whose tag is below 128 and unknown is refused: skipping it could lose data. One from 128 on may be skipped.
//! (E2) A field is used to its last byte, and none of 3, 4, 5, 6, 9, 13, 17 comes twice.
//! (E3) Removals come before additions, so a table may be removed from one level and added to another.
//! (E4) A deleted range begins and ends in one keyspace, as in the log.

use super::LEVELS;
use crate::engine::coding::{Reader, put_bytes, put_varint};
use crate::engine::filename::MAX_NUMBER;
use crate::engine::key::{KeyspaceId, MAX_SEQ, is_stored_range};
use crate::engine::sstable::summary::TableSummary;
use crate::engine::tombstones::Tombstone;
use crate::{Error, Result};
use std::path::Path;

const ADDED: u64 = 1;
const REMOVED: u64 = 2;
const MIN_LOG: u64 = 3;
const NEWEST_LOG: u64 = 4;
const LAST_SEQ: u64 = 5;
const NEXT_TABLE: u64 = 6;
const KEYSPACE_CREATED: u64 = 7;
const KEYSPACE_DROPPED: u64 = 8;
const NEXT_KEYSPACE: u64 = 9;
const LOG_SEALED: u64 = 10;
const RANGE_DELETED: u64 = 11;
const RANGE_CLEAN: u64 = 14;
const LOG_BASE: u64 = 13;
const KEYSPACE_TTL: u64 = 16;
const TIME: u64 = 17;
/// Fields from here on may be skipped by a build that does not know them.
const FIRST_OPTIONAL: u64 = 128;
/// No log position is higher, so that one can be added to another.
const MAX_POSITION: u64 = 1 << 62;

/// What changes from one version of the database to the next. What is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// Tables that come into force, each with its level.
    pub added: Vec<(u8, TableSummary)>,
    /// Tables that go out of force: level and number.
    pub removed: Vec<(u8, u64)>,
    /// Deletions of ranges that are not in the log any more, and concern tables.
    pub tombstones: Vec<Tombstone>,
    /// The numbers of those that concern none any more.
    pub retired: Vec<u64>,
    /// The lowest log still needed.
    pub min_log: Option<u64>,
    /// The log position of its first byte.
    pub log_base: Option<u64>,
    /// The newest log whose beginning is durable.
    pub newest_log: Option<u64>,
    /// The highest sequence number used so far. What added tables hold counts by itself.
    pub last_seq: Option<u64>,
    /// The lowest table number never used. Numbers of added tables count by themselves.
    pub next_table: Option<u64>,
    /// Keyspaces that begin to exist.
    pub created_keyspaces: Vec<(KeyspaceId, String)>,
    /// Keyspaces that end.
    pub dropped_keyspaces: Vec<KeyspaceId>,
    /// What values of a keyspace live for, in milliseconds; 0 for ever.
    pub keyspace_ttls: Vec<(KeyspaceId, u64)>,
    /// The time, in milliseconds since 1970: it will not be earlier again.
    pub time: Option<u64>,
    /// The lowest keyspace id never used. Ids of created keyspaces count by themselves.
    pub next_keyspace: Option<u32>,
    /// Logs that will not be written to again.
    pub sealed_logs: Vec<SealedLog>,
}

/// How far a log was written when it was closed, so that a shortened one is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedLog {
    /// The log.
    pub number: u64,
    /// Where its last record ends.
    pub len: u64,
    /// The checksum that its last record carries.
    pub checksum: u32,
}

impl Edit {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (mut bytes, mut body) = (Vec::new(), Vec::new());
        let out = &mut bytes;
        for (level, number) in &self.removed {
            field(out, REMOVED, &mut body, |b| {
                b.push(*level);
                put_varint(b, *number);
            });
        }
        for (level, table) in &self.added {
            field(out, ADDED, &mut body, |b| {
                b.push(*level);
                encode_table(b, table);
            });
        }
        let numbers = [
            (MIN_LOG, self.min_log),
            (NEWEST_LOG, self.newest_log),
            (LAST_SEQ, self.last_seq),
            (NEXT_TABLE, self.next_table),
            (NEXT_KEYSPACE, self.next_keyspace.map(u64::from)),
            (LOG_BASE, self.log_base),
            (TIME, self.time),
        ];
        for (tag, number) in numbers {
            if let Some(number) = number {
                field(out, tag, &mut body, |b| put_varint(b, number));
            }
        }
        self.encode_ranges(out, &mut body);
        for (id, name) in &self.created_keyspaces {
            field(out, KEYSPACE_CREATED, &mut body, |b| {
                put_varint(b, u64::from(id.0));
                b.extend_from_slice(name.as_bytes());
            });
        }
        for (id, ttl) in &self.keyspace_ttls {
            field(out, KEYSPACE_TTL, &mut body, |b| {
                put_varint(b, u64::from(id.0));
                put_varint(b, *ttl);
            });
        }
        for id in &self.dropped_keyspaces {
            field(out, KEYSPACE_DROPPED, &mut body, |b| put_varint(b, u64::from(id.0)));
        }
        for log in &self.sealed_logs {
            field(out, LOG_SEALED, &mut body, |b| {
                put_varint(b, log.number);
                put_varint(b, log.len);
                b.extend_from_slice(&log.checksum.to_le_bytes());
            });
        }
        bytes
    }

    fn encode_ranges(&self, out: &mut Vec<u8>, body: &mut Vec<u8>) {
        for seq in &self.retired {
            field(out, RANGE_CLEAN, body, |b| put_varint(b, *seq));
        }
        for tombstone in &self.tombstones {
            field(out, RANGE_DELETED, body, |b| {
                put_varint(b, tombstone.seq);
                put_bytes(b, &tombstone.start);
                put_bytes(b, &tombstone.end);
            });
        }
    }

    /// Reads an edit that begins at `offset` of the manifest `path`.
    ///
    /// # Errors
    /// [`Error::Corruption`]; [`Error::Incompatible`] as E1 says.
    pub fn decode(path: &Path, offset: u64, bytes: &[u8]) -> Result<Edit> {
        let mut edit = Edit::default();
        let mut r = Reader::new(bytes);
        while !r.is_empty() {
            let at = offset + r.position() as u64;
            let damaged = |why: &str| Error::corruption(path, at, "manifest edit", why);
            let (Some(tag), Some(body)) = (r.varint(), r.bytes()) else {
                return Err(damaged("a field is cut off"));
            };
            let mut body = Reader::new(body);
            match edit.read_field(tag, &mut body) {
                Some(true) if body.is_empty() => {}
                Some(false) if tag >= FIRST_OPTIONAL => {}
                Some(false) => {
                    return Err(Error::Incompatible {
                        path: path.to_path_buf(),
                        what: "manifest field",
                        found: tag.to_string(),
                        supported: "fields 1 to 11, 13, 14, 16 and 17".into(),
                    });
                }
                _ => {
                    return Err(damaged(&format!(
                        "field {tag} is cut off, too long, repeated or out of range"
                    )));
                }
            }
        }
        Ok(edit)
    }

    /// `None` when the body cannot be right, `Some(false)` when the tag is unknown.
    fn read_field(&mut self, tag: u64, r: &mut Reader<'_>) -> Option<bool> {
        match tag {
            ADDED => self.added.push((read_level(r)?, read_table(r)?)),
            REMOVED => self.removed.push((read_level(r)?, r.varint()?)),
            MIN_LOG => set_once(&mut self.min_log, r.varint_up_to(MAX_NUMBER)?)?,
            NEWEST_LOG => set_once(&mut self.newest_log, r.varint_up_to(MAX_NUMBER)?)?,
            LAST_SEQ => set_once(&mut self.last_seq, r.varint_up_to(MAX_SEQ)?)?,
            NEXT_TABLE => set_once(&mut self.next_table, r.varint_up_to(MAX_NUMBER)?)?,
            LOG_BASE => set_once(&mut self.log_base, r.varint_up_to(MAX_POSITION)?)?,
            TIME => set_once(&mut self.time, r.varint()?)?,
            KEYSPACE_TTL => self.keyspace_ttls.push((read_keyspace(r)?, r.varint()?)),
            NEXT_KEYSPACE => set_once(&mut self.next_keyspace, u32::try_from(r.varint()?).ok()?)?,
            KEYSPACE_CREATED => {
                let id = read_keyspace(r)?;
                let name = r.take(r.rest().len())?;
                self.created_keyspaces.push((id, std::str::from_utf8(name).ok()?.to_owned()));
            }
            RANGE_DELETED => self.tombstones.push(read_tombstone(r)?),
            RANGE_CLEAN => self.retired.push(r.varint_up_to(MAX_SEQ)?),
            KEYSPACE_DROPPED => self.dropped_keyspaces.push(read_keyspace(r)?),
            LOG_SEALED => {
                self.sealed_logs.push(SealedLog {
                    number: r.varint()?,
                    len: r.varint()?,
                    checksum: r.u32()?,
                });
            }
            _ => return Some(false),
        }
        Some(true)
    }
}

fn field(out: &mut Vec<u8>, tag: u64, body: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    body.clear();
    fill(body);
    put_varint(out, tag);
    put_bytes(out, body);
}

fn encode_table(out: &mut Vec<u8>, t: &TableSummary) {
    put_varint(out, t.number);
    put_varint(out, t.len);
    out.extend_from_slice(&t.checksum.to_le_bytes());
    put_varint(out, t.entries);
    put_varint(out, t.tombstones);
    put_varint(out, t.expiring);
    put_bytes(out, &t.smallest);
    put_bytes(out, &t.largest);
    for number in [t.min_seq, t.max_seq, t.clean_seq, t.min_expiry, t.max_expiry, t.raw_bytes] {
        put_varint(out, number);
    }
}

fn read_table(r: &mut Reader<'_>) -> Option<TableSummary> {
    Some(TableSummary {
        number: r.varint_up_to(MAX_NUMBER)?,
        len: r.varint()?,
        checksum: r.u32()?,
        entries: r.varint()?,
        tombstones: r.varint()?,
        expiring: r.varint()?,
        smallest: r.bytes()?.to_vec(),
        largest: r.bytes()?.to_vec(),
        min_seq: r.varint()?,
        max_seq: r.varint_up_to(MAX_SEQ)?,
        clean_seq: r.varint_up_to(MAX_SEQ)?,
        min_expiry: r.varint()?,
        max_expiry: r.varint()?,
        raw_bytes: r.varint()?,
    })
}

fn read_tombstone(r: &mut Reader<'_>) -> Option<Tombstone> {
    let seq = r.varint_up_to(MAX_SEQ)?;
    let (start, end) = (r.bytes()?, r.bytes()?);
    is_stored_range(start, end).then(|| Tombstone { seq, start: start.into(), end: end.into() })
}

fn read_level(r: &mut Reader<'_>) -> Option<u8> {
    r.u8().filter(|level| usize::from(*level) < LEVELS)
}

fn read_keyspace(r: &mut Reader<'_>) -> Option<KeyspaceId> {
    u32::try_from(r.varint()?).ok().filter(|id| *id <= KeyspaceId::MAX).map(KeyspaceId)
}

fn set_once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}
