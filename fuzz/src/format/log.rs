//! Log segments: a chain of records, `src/engine/wal/mod.rs`; the batches in them, `src/engine/batch.rs`.

use super::{HEADER, Place, Reader, piece, put_bytes, set, split_key, value_at};
use std::collections::BTreeMap;

/// The bytes of a record before its payload.
pub const RECORD: usize = 40;

/// The kind of an entry that deletes a range.
pub const DELETE_RANGE: u8 = 4;

pub const BATCH: u8 = 1;
pub const START: u8 = 2;
pub const SEAL: u8 = 3;

/// A record whose checksum is right.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub offset: usize,
    pub end: usize,
    pub kind: u8,
    /// Numbers before its first were given up.
    pub after_gap: bool,
    pub count: u32,
    pub first_seq: u64,
    pub synced: u64,
    pub payload: &'a [u8],
}

/// Makes the checksums of a segment's records right, up to the eight zeros that end it or a record that does not fit.
pub fn repair(place: &Place, file: &mut [u8]) {
    let mut offset = HEADER;
    while let Some(end) = end_of(file, offset) {
        if file[offset..offset + 8] == [0; 8] {
            return;
        }
        let crc = place.crc(offset, &[&file[offset + 4..end]]);
        set(file, offset, crc);
        offset = end;
    }
}

/// Where the record at `offset` ends by what it says, if the file is so long.
fn end_of(file: &[u8], offset: usize) -> Option<usize> {
    let len = Reader::new(piece(file, offset.checked_add(4)?, 4)?).u32()? as usize;
    let end = offset.checked_add(RECORD + len)?.next_multiple_of(8);
    (end <= file.len()).then_some(end)
}

/// The valid record at `offset`.
pub fn record<'a>(place: &Place, file: &'a [u8], offset: usize) -> Option<Record<'a>> {
    let end = end_of(file, offset)?;
    let mut r = Reader::new(&file[offset..end]);
    let (crc, len) = (r.u32()?, r.u32()?);
    let (kind, flags, zero) = (r.u8()?, r.u8()?, r.u16()?);
    let (count, first_seq, synced, number) = (r.u32()?, r.u64()?, r.u64()?, r.u64()?);
    let payload = r.take(len as usize)?;
    let valid = crc == place.crc(offset, &[&file[offset + 4..end]]) && number == place.number;
    let known = matches!(kind, BATCH | START | SEAL) && flags < 2 && zero == 0;
    let after_gap = flags == 1;
    (valid && known).then_some(Record { offset, end, kind, after_gap, count, first_seq, synced, payload })
}

/// What makes a record, but for its place.
#[derive(Debug, Clone, Default)]
pub struct NewRecord {
    pub kind: u8,
    pub flags: u8,
    pub count: u32,
    pub first_seq: u64,
    pub synced: u64,
    pub payload: Vec<u8>,
}

/// Appends a record to a segment.
pub fn append(place: &Place, file: &mut Vec<u8>, record: &NewRecord) {
    let offset = file.len();
    file.extend([0; 4]);
    file.extend((record.payload.len() as u32).to_le_bytes());
    file.extend([record.kind, record.flags, 0, 0]);
    file.extend(record.count.to_le_bytes());
    file.extend(record.first_seq.to_le_bytes());
    file.extend(record.synced.to_le_bytes());
    file.extend(place.number.to_le_bytes());
    file.extend_from_slice(&record.payload);
    file.resize(file.len().next_multiple_of(8), 0);
    let crc = place.crc(offset, &[&file[offset + 4..]]);
    set(file, offset, crc);
}

/// The record that a segment begins with.
pub fn start(previous: u64, base: u64, capacity: u64, first_seq: u64) -> NewRecord {
    let payload = [previous, base, capacity].map(u64::to_le_bytes).concat();
    NewRecord { kind: START, first_seq, synced: base, payload, ..NewRecord::default() }
}

/// The records of a segment, as far as each continues the one before.
pub fn chain<'a>(place: &Place, file: &'a [u8]) -> Vec<Record<'a>> {
    let mut chain: Vec<Record<'a>> = Vec::new();
    let (mut offset, mut next) = (HEADER, None);
    while let Some(record) = record(place, file, offset) {
        match next {
            None => next = Some(record.first_seq),
            Some(next) if record.first_seq < next => break,
            Some(next) if record.first_seq > next && !record.after_gap => break,
            _ => {}
        }
        if record.kind == BATCH {
            next = record.first_seq.checked_add(u64::from(record.count));
        }
        offset = record.end;
        chain.push(record);
    }
    chain
}

/// One write of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    pub kind: u8,
    pub key: &'a [u8],
    pub value: &'a [u8],
}

/// The writes of a batch's bytes, or `None` when they are not one.
pub fn entries(payload: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut r = Reader::new(payload);
    let mut entries = Vec::new();
    while !r.is_empty() {
        let kind = r.u8().filter(|kind| *kind <= 5)?;
        let key = r.bytes()?;
        let longest = if kind == DELETE_RANGE { 65_536 } else { 65_535 };
        split_key(key).filter(|(_, user_key)| user_key.len() <= longest)?;
        let value = if kind == 0 { &[] } else { r.bytes()? };
        if kind == DELETE_RANGE {
            range(key, value)?;
        }
        entries.push(Entry { kind, key, value });
    }
    Some(entries)
}

/// The bytes of a batch over the default keyspace.
pub fn batch(writes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in writes {
        out.push(u8::from(value.is_some()));
        put_bytes(&mut out, &[&[0], &key[..]].concat());
        if let Some(value) = value {
            put_bytes(&mut out, value);
        }
    }
    out
}

/// Whether this version can replay it.
pub fn is_supported(entry: &Entry<'_>) -> bool {
    entry.kind == DELETE_RANGE || value_at(entry.kind, entry.value, 0).is_some()
}

/// A keyspace, the first key of a range in it, and the first behind it; `None` for no end.
pub type KeysBetween<'a> = (u32, &'a [u8], Option<&'a [u8]>);

/// The keyspace of a range, its first user key, and the first behind it, which is `None` at the end of the keyspace; `None` when
/// it is not a range within one.
pub fn range<'a>(start: &'a [u8], end: &'a [u8]) -> Option<KeysBetween<'a>> {
    let (id, first) = split_key(start)?;
    if start >= end || first.len() > 65_536 {
        return None;
    }
    match split_key(end) {
        Some((same, behind)) if same == id => (behind.len() <= 65_536).then_some((id, first, Some(behind))),
        // The beginning of the next prefix there can be, of whatever length.
        _ => (end == behind_keyspace(&start[..start.len() - first.len()])).then_some((id, first, None)),
    }
}

/// The first byte string that is above all that begin with a prefix, of which there is one.
fn behind_keyspace(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while end.pop_if(|last| *last == 0xff).is_some() {}
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// The map of user keys at `now` after these batches, or `None` when one of them is no batch that this version can replay.
pub fn replay<'a>(
    records: impl IntoIterator<Item = Record<'a>>,
    now: u64,
) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut map = BTreeMap::new();
    // A record with the number 0 is not above the last number in tables, which is 0 when there are none.
    for record in records.into_iter().filter(|r| r.kind == BATCH && r.first_seq > 0) {
        let entries = entries(record.payload)?;
        if entries.len() != record.count as usize || !entries.iter().all(is_supported) {
            return None;
        }
        for entry in entries {
            if entry.kind == DELETE_RANGE {
                if let (0, first, behind) = range(entry.key, entry.value)? {
                    map.retain(|key: &Vec<u8>, _| {
                        &key[..] < first || behind.is_some_and(|end| &key[..] >= end)
                    });
                }
                continue;
            }
            let (0, key) = split_key(entry.key)? else { continue };
            match value_at(entry.kind, entry.value, now)? {
                Some(value) => drop(map.insert(key.to_vec(), value.to_vec())),
                None => drop(map.remove(key)),
            }
        }
    }
    Some(map)
}
