//! The manifest: a chain of records, `src/engine/manifest/record.rs`; the edits in them, `src/engine/manifest/edit.rs`.

use super::{HEADER, MANIFEST, Place, Reader, piece, put_bytes, put_varint, set};
use std::collections::BTreeMap;

/// The bytes of a record before its payload.
const RECORD: usize = 12;

/// What an edit says of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub number: u64,
    pub len: u64,
    pub checksum: u32,
    /// Entries, tombstones, entries with an expiry.
    pub counts: [u64; 3],
    pub smallest: Vec<u8>,
    pub largest: Vec<u8>,
    /// Lowest and highest sequence number, that up to which range deletions are applied, earliest and latest expiry, raw
    /// bytes.
    pub numbers: [u64; 6],
}

/// Makes the checksums of all records right, and with them what each says of the one before.
pub fn repair(place: &Place, file: &mut [u8]) {
    let (mut offset, mut before) = (HEADER, 0);
    while let Some(end) = end_of(file, offset) {
        set(file, offset + 8, before);
        before = place.crc(offset, &[&file[offset + 4..end]]);
        set(file, offset, before);
        offset = end;
    }
}

fn end_of(file: &[u8], offset: usize) -> Option<usize> {
    let len = Reader::new(piece(file, offset, RECORD)?.get(4..)?).u32()? as usize;
    let end = offset.checked_add(RECORD + len)?;
    (end <= file.len()).then_some(end)
}

/// A manifest with these edits.
pub fn file(database: u64, number: u64, edits: &[Vec<u8>]) -> Vec<u8> {
    let place = Place { kind: MANIFEST, database, number };
    let mut file = place.header();
    for edit in edits {
        file.extend([0; 4]);
        file.extend((edit.len() as u32).to_le_bytes());
        file.extend([0; 4]);
        file.extend_from_slice(edit);
    }
    repair(&place, &mut file);
    file
}

/// A field of an edit.
pub fn field(out: &mut Vec<u8>, tag: u64, body: &[u8]) {
    put_varint(out, tag);
    put_bytes(out, body);
}

/// A field of an edit that is one number.
pub fn number(out: &mut Vec<u8>, tag: u64, value: u64) {
    let mut body = Vec::new();
    put_varint(&mut body, value);
    field(out, tag, &body);
}

/// An edit that says that logs from `first` to `newest` are needed, the first of them beginning at position 0.
pub fn logs(first: u64, newest: u64) -> Vec<u8> {
    let mut edit = Vec::new();
    number(&mut edit, 3, first);
    number(&mut edit, 4, newest);
    number(&mut edit, 13, 0);
    edit
}

/// Adds a table to an edit.
pub fn add_table(out: &mut Vec<u8>, level: u8, table: &Summary) {
    let mut body = vec![level];
    put_varint(&mut body, table.number);
    put_varint(&mut body, table.len);
    body.extend(table.checksum.to_le_bytes());
    table.counts.iter().for_each(|n| put_varint(&mut body, *n));
    put_bytes(&mut body, &table.smallest);
    put_bytes(&mut body, &table.largest);
    table.numbers.iter().for_each(|n| put_varint(&mut body, *n));
    field(out, 1, &body);
}

/// What a manifest leads to, as far as the harness needs to know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// By number, each with its level.
    pub tables: BTreeMap<u64, (u8, Summary)>,
    /// The lowest log needed and the newest.
    pub logs: (u64, u64),
    /// The deletions of ranges that tables may need, by their numbers: the first key, and the first behind it.
    pub deleted: BTreeMap<u64, (Vec<u8>, Vec<u8>)>,
    /// The names of keyspaces, by their ids.
    pub keyspaces: BTreeMap<u32, String>,
}

/// The state that the valid records lead to; `None` when one of them does not follow.
pub fn state(file: &[u8]) -> Option<State> {
    let place = Place::of(file)?;
    let mut state = State { logs: (1, 0), ..State::default() };
    let (mut offset, mut before) = (HEADER, 0);
    while let Some(end) = end_of(file, offset) {
        let mut r = Reader::new(&file[offset..end]);
        let (crc, _, previous) = (r.u32()?, r.u32()?, r.u32()?);
        if crc != place.crc(offset, &[&file[offset + 4..end]]) || previous != before {
            break;
        }
        state.follow(r.rest())?;
        (offset, before) = (end, crc);
    }
    Some(state)
}

impl State {
    fn follow(&mut self, edit: &[u8]) -> Option<()> {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        let (mut created, mut dropped) = (Vec::new(), Vec::new());
        let (mut deleted, mut done) = (Vec::new(), Vec::new());
        let mut r = Reader::new(edit);
        while !r.is_empty() {
            let (tag, mut body) = (r.varint()?, Reader::new(r.bytes()?));
            match tag {
                1 => added.push((body.u8()?, summary(&mut body)?)),
                2 => removed.push((body.u8()?, body.varint()?)),
                3 => self.logs.0 = self.logs.0.max(body.varint()?),
                4 => self.logs.1 = self.logs.1.max(body.varint()?),
                7 => {
                    let id = keyspace(&mut body)?;
                    created.push((id, String::from_utf8(body.rest().to_vec()).ok()?));
                }
                8 => dropped.push(keyspace(&mut body)?),
                11 => {
                    let seq = body.varint()?;
                    let (start, end) = (body.bytes()?, body.bytes()?);
                    super::log::range(start, end)?;
                    deleted.push((seq, (start.to_vec(), end.to_vec())));
                }
                14 => done.push(body.varint()?),
                _ => {}
            }
        }
        for id in dropped {
            self.keyspaces.remove(&id)?;
        }
        for (id, name) in created {
            if self.keyspaces.values().any(|other| *other == name)
                || self.keyspaces.insert(id, name).is_some()
            {
                return None;
            }
        }
        for seq in done {
            self.deleted.remove(&seq)?;
        }
        for (seq, range) in deleted {
            if self.deleted.insert(seq, range).is_some() {
                return None;
            }
        }
        for (level, number) in removed {
            self.tables.remove(&number).filter(|(there, _)| *there == level)?;
        }
        for (level, table) in added {
            if self.tables.insert(table.number, (level, table)).is_some() {
                return None;
            }
        }
        Some(())
    }
}

fn keyspace(r: &mut Reader<'_>) -> Option<u32> {
    u32::try_from(r.varint()?).ok()
}

fn summary(r: &mut Reader<'_>) -> Option<Summary> {
    Some(Summary {
        number: r.varint()?,
        len: r.varint()?,
        checksum: r.u32()?,
        counts: [r.varint()?, r.varint()?, r.varint()?],
        smallest: r.bytes()?.to_vec(),
        largest: r.bytes()?.to_vec(),
        numbers: [r.varint()?, r.varint()?, r.varint()?, r.varint()?, r.varint()?, r.varint()?],
    })
}
