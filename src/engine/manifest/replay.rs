//! Reading a manifest from its bytes: every edit in it, one after the other, and whether it is whole.
//!
//! What comes out is one edit that leads from nothing to the state, so a version is built once, not once per edit. Nothing
//! is written here; what a crash left at the end is reported, and cut by [`super::set`].

use super::current::{CleanEnd, Current, State};
use super::edit::Edit;
use super::record::{self, ChainEnd, Step};
use super::registry::Registry;
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::{self, HEADER_LEN};
use crate::engine::sstable::summary::TableSummary;
use crate::vfs::{Dir, Mode, OpenFile};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// No manifest is longer: `set` replaces it at half of this.
const MAX_LEN: u64 = 4 << 30;

/// The rest of an edit that a crash interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// Where it began.
    pub offset: u64,
    /// How many bytes there were.
    pub len: u64,
    /// Why they are no record.
    pub why: String,
}

/// What a manifest says, read from its bytes alone.
#[derive(Debug)]
pub struct Contents {
    /// The edit that leads from nothing to the state.
    pub snapshot: Edit,
    /// Where the chain ends.
    pub end: ChainEnd,
    /// The length of the first record's payload.
    pub snapshot_len: u64,
    /// What follows the chain.
    pub torn: Option<Torn>,
}

/// Opens the manifest that `current` names and reads it.
///
/// # Errors
/// [`Error::Corruption`], [`Error::Incompatible`], [`Error::Io`].
pub fn load(dir: &Dir, current: &Current, mode: Mode) -> Result<(OpenFile, Contents)> {
    let name = FileName::Manifest(current.manifest).to_string();
    if dir.len(&name)?.is_none() {
        let why = "it does not exist, but CURRENT names it";
        return Err(Error::corruption(&dir.join(&name), 0, "manifest", why));
    }
    let file = dir.open(&name, mode)?;
    let bytes = file.read_all(MAX_LEN)?;
    header::expect(file.path(), &bytes, &current.manifest_place())?;
    let contents = read(file.path(), &current.manifest_place(), &bytes)?;
    if let State::Clean(clean) = current.state {
        check_clean(file.path(), bytes.len() as u64, &contents, clean)?;
    }
    Ok((file, contents))
}

/// Reads the whole manifest at `place`. Its header has been checked.
///
/// # Errors
/// [`Error::Corruption`], [`Error::Incompatible`].
pub fn read(path: &Path, place: &Place, bytes: &[u8]) -> Result<Contents> {
    let mut tables = BTreeMap::new();
    let mut registry = Registry::default();
    let mut end = ChainEnd { offset: HEADER_LEN as u64, crc: 0 };
    let mut snapshot_len = None;
    let torn = loop {
        match record::step(path, place, bytes, end)? {
            Step::Record(record) => {
                let at = end.offset;
                let edit = Edit::decode(path, at + record::RECORD_HEADER_LEN as u64, record.payload)?;
                let damaged = |why| Error::corruption(path, at, "manifest edit", why);
                registry.absorb(&edit).map_err(damaged)?;
                replay(&mut tables, edit).map_err(damaged)?;
                snapshot_len.get_or_insert(record.payload.len() as u64);
                end = record.end;
            }
            Step::End => break None,
            Step::Torn(why) => {
                break Some(Torn { offset: end.offset, len: bytes.len() as u64 - end.offset, why });
            }
        }
    };
    let Some(snapshot_len) = snapshot_len else {
        let why = torn.map_or("it has no record".into(), |torn| torn.why);
        return Err(Error::corruption(path, end.offset, "manifest snapshot", why));
    };
    let snapshot = registry.snapshot(tables.values().map(|(level, table)| (*level, table)));
    Ok(Contents { snapshot, end, snapshot_len, torn })
}

/// Follows an edit without building a version: tables by number, each with its level.
fn replay(tables: &mut BTreeMap<u64, (u8, TableSummary)>, edit: Edit) -> Result<(), String> {
    for (level, number) in edit.removed {
        match tables.remove(&number) {
            Some((there, _)) if there == level => {}
            _ => return Err(format!("table {number} is removed from level {level}, but it is not there")),
        }
    }
    for (level, table) in edit.added {
        let number = table.number;
        if tables.insert(number, (level, table)).is_some() {
            return Err(format!("table {number} is added to level {level}, but it is already there"));
        }
    }
    Ok(())
}

/// T2 of `current`.
fn check_clean(path: &Path, len: u64, contents: &Contents, clean: CleanEnd) -> Result<()> {
    let why = if len != clean.manifest_len {
        format!("{len} bytes, {} expected since the last close", clean.manifest_len)
    } else if let Some(torn) = &contents.torn {
        torn.why.clone()
    } else if contents.end.crc != clean.chain {
        format!(
            "its last checksum is {:08x}, {:08x} expected since the last close",
            contents.end.crc, clean.chain
        )
    } else if contents.snapshot.last_seq != Some(clean.last_seq) {
        let last = contents.snapshot.last_seq.unwrap_or_default();
        format!("sequence numbers up to {last}, {} expected since the last close", clean.last_seq)
    } else {
        return Ok(());
    };
    Err(Error::corruption(path, contents.end.offset.min(clean.manifest_len), "manifest", why))
}
