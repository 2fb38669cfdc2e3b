//! The folder of a database that may be damaged: its files, its lock, and what `CURRENT` and the manifest still say.
//!
//! Nothing is written. The lock is taken where there is a `LOCK` file to take it on; where there is none, it is not made.
//!
//! (O1) `CURRENT` says which manifest is in force. Where it cannot, its header may still; where that is lost too, the
//!      manifest that knows the most is taken.
//! (O2) The id of the database is that in the header of `CURRENT`, unless most of the other files have another one: then it is
//!      `CURRENT` that belongs elsewhere. Where it is lost, it is the one that most files have.
//! (O3) A manifest is *whole* when no record is damaged and, after a clean close, it ends where `CURRENT` says.

use super::report::{Finding, VerifyReport};
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::{self, FileKind, HEADER_LEN};
use crate::engine::manifest::current::{CleanEnd, Current, State};
use crate::engine::manifest::replay::{Replay, check_clean};
use crate::vfs::{Dir, Mapped, Mode, OpenFile};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// No file that is read as a whole is longer: a manifest has at most 4 GiB, a segment little more than its capacity.
const MAX_WHOLE: u64 = 8 << 30;

/// A folder, with its lock where it could be taken.
pub struct Folder {
    /// The folder.
    pub dir: Dir,
    /// The files of ours in it, and their lengths.
    pub lens: BTreeMap<FileName, u64>,
    _lock: Option<Box<dyn Send + Sync>>,
}

/// What the folder says of itself.
pub struct Said {
    /// The id of the database; `None` when no file tells.
    pub database: Option<u64>,
    /// How the database was left; `None` when `CURRENT` cannot be read.
    pub state: Option<State>,
    /// The manifest in force, as far as it can be read.
    pub listed: Option<Listed>,
    /// Something there is newer than this build, so nobody knows what the rest means.
    pub newer: Option<Error>,
}

/// What a manifest says.
pub struct Listed {
    /// Its number.
    pub number: u64,
    /// Tables, logs and counters.
    pub replay: Replay,
    /// See O3.
    pub whole: bool,
}

impl Said {
    /// Whether the last close was clean.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.clean_end().is_some()
    }

    /// What the last close recorded, if it was clean.
    #[must_use]
    pub fn clean_end(&self) -> Option<CleanEnd> {
        clean_end(self.state)
    }
}

fn clean_end(state: Option<State>) -> Option<CleanEnd> {
    match state {
        Some(State::Clean(end)) => Some(end),
        _ => None,
    }
}

impl Folder {
    /// Looks at the folder and takes its lock.
    ///
    /// # Errors
    /// [`Error::NotADatabase`] when it holds none, [`Error::Locked`] when it is open elsewhere, [`Error::Io`].
    pub fn open(dir: Dir, report: &mut VerifyReport) -> Result<Folder> {
        let refuse = |why: &str| Error::NotADatabase { path: dir.path().to_path_buf(), why: why.into() };
        let names = dir.list().map_err(|e| match e {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                refuse("there is no such folder; name another")
            }
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotADirectory => {
                refuse("it is a file, or lies in one; name a folder")
            }
            other => other,
        })?;
        let mut lens = BTreeMap::new();
        for name in &names {
            if let Some(parsed) = FileName::parse(name) {
                lens.insert(parsed, dir.len(name)?.unwrap_or(0));
            }
        }
        if lens.keys().all(|name| matches!(name, FileName::Lock | FileName::CurrentTmp)) {
            return Err(refuse("it holds no file of one; name another folder"));
        }
        let lock = take_lock(&dir, &lens, report)?;
        Ok(Folder { dir, lens, _lock: lock })
    }

    /// Reads `CURRENT` and the manifest. All that is wrong with them goes to `report`.
    pub fn read(&self, report: &mut VerifyReport) -> Said {
        let mut newer = None;
        let mut tell = |error: Error, report: &mut VerifyReport| {
            if matches!(error, Error::Incompatible { .. }) {
                newer.get_or_insert_with(|| error.clone());
            }
            report.add(error, 0, 0);
        };
        let (mut current, mut place) = self.read_current(&mut |error| tell(error, report));
        let common = self.most_common_id(place.map(|place| place.database));
        if let (Some(found), Some(common)) = (place, common)
            && found.database != common
        {
            let path = self.dir.join(&FileName::Current.to_string());
            let detail = format!(
                "it is of database {:016x}, but most of the other files are of {common:016x}",
                found.database
            );
            tell(Error::corruption(&path, 0, "CURRENT", detail), report);
            (current, place) = (None, None);
        }
        let database = place.map(|place| place.database).or(common);
        let state = current.map(|current| current.state);
        let number = match (place, database) {
            (Some(place), _) => Some(place.number),
            (None, Some(database)) => self.most_knowing(database),
            (None, None) => None,
        };
        let listed = number.zip(database).and_then(|(number, database)| {
            let place = Place { database, kind: FileKind::Manifest, number };
            report.files += 1;
            self.read_manifest(&place, clean_end(state), report, &mut tell)
        });
        Said { database, state, listed, newer }
    }

    /// What `CURRENT` says, and where it says it belongs, which may be readable when the rest is not.
    fn read_current(&self, tell: &mut dyn FnMut(Error)) -> (Option<Current>, Option<Place>) {
        let name = FileName::Current.to_string();
        let path = self.dir.join(&name);
        if !self.lens.contains_key(&FileName::Current) {
            tell(Error::corruption(&path, 0, "CURRENT", "the file is missing"));
            return (None, None);
        }
        let mut bytes = vec![0; 4096];
        let read = self.dir.open(&name, Mode::Read).and_then(|file| file.read_at(&mut bytes, 0));
        match read {
            Ok(read) => bytes.truncate(read),
            Err(error) => {
                tell(error);
                return (None, None);
            }
        }
        match Current::decode(&path, &bytes) {
            Ok(current) => (Some(current), Some(current.manifest_place())),
            Err(error) => {
                tell(error);
                let place = header::decode(&path, &bytes).ok();
                (None, place.filter(|place| place.kind == FileKind::Current))
            }
        }
    }

    fn read_manifest(
        &self,
        place: &Place,
        clean: Option<CleanEnd>,
        report: &mut VerifyReport,
        tell: &mut dyn FnMut(Error, &mut VerifyReport),
    ) -> Option<Listed> {
        let name = FileName::Manifest(place.number);
        let path = self.dir.join(&name.to_string());
        if !self.lens.contains_key(&name) {
            tell(Error::corruption(&path, 0, "manifest", "it does not exist, but CURRENT names it"), report);
            return None;
        }
        let mut whole = true;
        let mut tell = |error: Error, report: &mut VerifyReport| {
            whole = false;
            tell(error, report);
        };
        let bytes = match self.whole(name, report) {
            Ok(bytes) => bytes,
            Err(error) => {
                tell(error, report);
                return None;
            }
        };
        report.bytes += bytes.len() as u64;
        if let Err(error) = header::expect(&path, &bytes, place) {
            tell(error, report);
        }
        let replay = Replay::walk(&path, place, &bytes, &mut |error| {
            tell(error, report);
            Ok(())
        });
        // The walk goes on whatever it meets, since it is never told to stop.
        let replay = replay.ok()?;
        if replay.snapshot_len.is_none() {
            let why = replay.torn.as_ref().map_or("it has no record", |torn| &*torn.why).to_string();
            tell(Error::corruption(&path, HEADER_LEN as u64, "manifest snapshot", why), report);
        }
        match (clean, &replay.torn) {
            (Some(clean), torn) => {
                let (end, last_seq) = ((replay.end, torn.as_ref()), replay.registry.last_seq);
                if let Err(error) = check_clean(&path, bytes.len() as u64, end, last_seq, clean) {
                    tell(error, report);
                }
            }
            (None, Some(torn)) if whole => report.note(
                path,
                torn.offset,
                "manifest record",
                format!("{} bytes of an edit that was not written whole: {}", torn.len, torn.why),
            ),
            _ => {}
        }
        Some(Listed { number: place.number, replay, whole })
    }

    /// O1: the manifest that knows of the highest numbers.
    fn most_knowing(&self, database: u64) -> Option<u64> {
        let known = self.lens.keys().filter_map(|name| {
            let FileName::Manifest(number) = *name else { return None };
            let place = Place { database, kind: FileKind::Manifest, number };
            let bytes = self.whole(*name, &mut VerifyReport::default()).ok()?;
            let path = self.dir.join(&name.to_string());
            let Replay { registry: r, snapshot_len, .. } =
                Replay::walk(&path, &place, &bytes, &mut |_| Ok(())).ok()?;
            snapshot_len.map(|_| (r.last_seq, r.next_table, r.newest_log, number))
        });
        let any = self.lens.keys().filter_map(|name| match name {
            FileName::Manifest(number) => Some(*number),
            _ => None,
        });
        known.max().map(|(.., number)| number).or_else(|| any.max())
    }

    /// O2.
    fn most_common_id(&self, current: Option<u64>) -> Option<u64> {
        let mut votes: BTreeMap<u64, usize> = BTreeMap::new();
        for name in self.lens.keys().filter(|name| **name != FileName::Current) {
            if let Some(place) = self.header(*name) {
                *votes.entry(place.database).or_default() += 1;
            }
        }
        // Of as many, the one that `CURRENT` has.
        votes.into_iter().max_by_key(|(id, votes)| (*votes, Some(*id) == current)).map(|(id, _)| id)
    }

    /// The length of these files together.
    #[must_use]
    pub fn bytes(&self, names: impl IntoIterator<Item = FileName>) -> u64 {
        names.into_iter().filter_map(|name| self.lens.get(&name)).fold(0, |sum, len| sum.saturating_add(*len))
    }

    /// The header of a file, when it can be read.
    #[must_use]
    pub fn header(&self, name: FileName) -> Option<Place> {
        let name = name.to_string();
        let mut bytes = [0; HEADER_LEN];
        let read = self.dir.open(&name, Mode::Read).and_then(|file| file.read_at(&mut bytes, 0)).ok()?;
        header::decode(&self.dir.join(&name), bytes.get(..read)?).ok()
    }

    /// All bytes of a file, with zeros for what cannot be read, which is reported.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Corruption`] when it is far too long.
    pub fn whole(&self, name: FileName, report: &mut VerifyReport) -> Result<Vec<u8>> {
        read_around(&self.dir.open(&name.to_string(), Mode::Read)?, report)
    }
}

/// See [`Folder::whole`].
///
/// # Errors
/// As there.
pub fn read_around(file: &OpenFile, report: &mut VerifyReport) -> Result<Vec<u8>> {
    let (bytes, unreadable) = file.read_around(MAX_WHOLE)?;
    for piece in unreadable {
        report.add(piece.error, piece.offset, piece.len);
    }
    Ok(bytes)
}

/// See [`Folder::whole`]; for the log, which is read as a map is.
///
/// # Errors
/// As there.
pub fn load_around(file: &OpenFile, report: &mut VerifyReport) -> Result<Arc<dyn Mapped>> {
    Ok(Arc::new(read_around(file, report)?))
}

fn take_lock(
    dir: &Dir,
    lens: &BTreeMap<FileName, u64>,
    report: &mut VerifyReport,
) -> Result<Option<Box<dyn Send + Sync>>> {
    let name = FileName::Lock.to_string();
    let path = dir.join(&name);
    match lens.get(&FileName::Lock) {
        None => {
            report.note(
                path,
                0,
                "lock",
                "there is no LOCK, so whether somebody has the database open is not known",
            );
            return Ok(None);
        }
        Some(0) => {}
        Some(len) => {
            let detail = format!("{len} bytes, but it should be empty");
            report.problems.push(Finding { file: path.clone(), offset: 0, what: "lock", detail });
        }
    }
    match dir.lock(&name) {
        Ok(lock) => Ok(Some(lock)),
        Err(error @ Error::Locked { .. }) => Err(error),
        // On a medium that cannot be written, for instance.
        Err(error) => {
            let detail = format!("{error}; so whether somebody has the database open is not known");
            report.note(path, 0, "lock", detail);
            Ok(None)
        }
    }
}
