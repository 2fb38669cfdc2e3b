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
use crate::engine::tombstones::Tombstone;
use crate::vfs::{Dir, Mode, OpenFile};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
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
        let (end, last_seq) = (contents.end, contents.snapshot.last_seq.unwrap_or_default());
        check_clean(file.path(), bytes.len() as u64, (end, contents.torn.as_ref()), last_seq, clean)?;
    }
    Ok((file, contents))
}

/// Reads the whole manifest at `place`. Its header has been checked.
///
/// # Errors
/// [`Error::Corruption`], [`Error::Incompatible`].
pub fn read(path: &Path, place: &Place, bytes: &[u8]) -> Result<Contents> {
    let replay = Replay::walk(path, place, bytes, &mut Err)?;
    let (snapshot, end) = (replay.snapshot(), replay.end);
    let Some(snapshot_len) = replay.snapshot_len else {
        let why = replay.torn.map_or("it has no record".into(), |torn| torn.why);
        return Err(Error::corruption(path, end.offset, "manifest snapshot", why));
    };
    Ok(Contents { snapshot, end, snapshot_len, torn: replay.torn })
}

/// A walk over all edits.
pub struct Replay {
    /// The tables in force by number, each with its level.
    pub tables: BTreeMap<u64, (u8, TableSummary)>,
    /// Tables that an edit took out of force for good.
    pub gone: BTreeSet<u64>,
    /// The deletions of ranges in force, by number.
    pub tombstones: BTreeMap<u64, Tombstone>,
    /// Everything else.
    pub registry: Registry,
    /// Where the chain ends.
    pub end: ChainEnd,
    /// The length of the payload of the first record; `None` when that cannot be read.
    pub snapshot_len: Option<u64>,
    /// What follows the chain.
    pub torn: Option<Torn>,
}

impl Replay {
    /// Follows the chain to its end. Where `tell` takes an error for an answer, it goes on behind the damage: at the next whole
    /// record, whose edit then need not fit.
    ///
    /// # Errors
    /// What `tell` returns.
    pub fn walk(
        path: &Path,
        place: &Place,
        bytes: &[u8],
        tell: &mut dyn FnMut(Error) -> Result<()>,
    ) -> Result<Replay> {
        let mut replay = Replay {
            tables: BTreeMap::new(),
            gone: BTreeSet::new(),
            tombstones: BTreeMap::new(),
            registry: Registry::default(),
            end: ChainEnd { offset: HEADER_LEN as u64, crc: 0 },
            snapshot_len: None,
            torn: None,
        };
        let mut whole = true;
        loop {
            let at = replay.end.offset;
            match record::step(path, place, bytes, replay.end) {
                Ok(Step::Record(record)) => {
                    replay.end = record.end;
                    if at == HEADER_LEN as u64 {
                        replay.snapshot_len = Some(record.payload.len() as u64);
                    }
                    match replay.take(path, at, record.payload) {
                        // Behind a hole an edit may speak of tables that nobody has heard of.
                        Err(error) if whole || !error.is_corruption() => tell(error)?,
                        _ => {}
                    }
                }
                Ok(Step::End) => return Ok(replay),
                Ok(Step::Torn(why)) => {
                    replay.torn =
                        Some(Torn { offset: at, len: (bytes.len() as u64).saturating_sub(at), why });
                    return Ok(replay);
                }
                Err(error) => {
                    tell(error)?;
                    whole = false;
                    match record::resume(place, bytes, at) {
                        Some(behind) => replay.end = behind,
                        None => return Ok(replay),
                    }
                }
            }
        }
    }

    /// The edit that leads from nothing to where the walk has come.
    #[must_use]
    pub fn snapshot(&self) -> Edit {
        let tables = self.tables.values().map(|(level, table)| (*level, table));
        self.registry.snapshot(tables, self.tombstones.values())
    }

    fn take(&mut self, path: &Path, at: u64, payload: &[u8]) -> Result<()> {
        let edit = Edit::decode(path, at + record::RECORD_HEADER_LEN as u64, payload)?;
        let fits = self.registry.absorb(&edit);
        let fits = fits.and(self.follow(edit));
        fits.map_err(|why| Error::corruption(path, at, "manifest edit", why))
    }

    /// Follows an edit without building a version. All of it, also when something in it does not fit, which is returned.
    fn follow(&mut self, edit: Edit) -> Result<(), String> {
        let mut fits = Ok(());
        for (level, number) in edit.removed {
            self.gone.insert(number);
            match self.tables.remove(&number) {
                Some((there, _)) if there == level => {}
                _ => fits = Err(format!("table {number} is removed from level {level}, but it is not there")),
            }
        }
        for (level, table) in edit.added {
            let number = table.number;
            self.gone.remove(&number);
            if self.tables.insert(number, (level, table)).is_some() {
                fits = Err(format!("table {number} is added to level {level}, but it is already there"));
            }
        }
        for seq in edit.retired {
            if self.tombstones.remove(&seq).is_none() {
                fits = Err(format!("range deletion {seq} is done, but there is none"));
            }
        }
        for tombstone in edit.tombstones {
            let seq = tombstone.seq;
            if self.tombstones.insert(seq, tombstone).is_some() {
                fits = Err(format!("range deletion {seq} is added, but it is already there"));
            }
        }
        fits
    }
}

/// T2 of `current`: whether a manifest of `len` bytes, read as far as `end`, with numbers up to `last_seq`, is the one that
/// was closed.
///
/// # Errors
/// [`Error::Corruption`].
pub fn check_clean(
    path: &Path,
    len: u64,
    (end, torn): (ChainEnd, Option<&Torn>),
    last_seq: u64,
    clean: CleanEnd,
) -> Result<()> {
    let why = if len != clean.manifest_len {
        format!("{len} bytes, {} expected since the last close", clean.manifest_len)
    } else if let Some(torn) = torn {
        torn.why.clone()
    } else if end.crc != clean.chain {
        format!("its last checksum is {:08x}, {:08x} expected since the last close", end.crc, clean.chain)
    } else if last_seq != clean.last_seq {
        format!("sequence numbers up to {last_seq}, {} expected since the last close", clean.last_seq)
    } else {
        return Ok(());
    };
    Err(Error::corruption(path, end.offset.min(clean.manifest_len), "manifest", why))
}
