//! The manifest in force: created, opened, extended, replaced, closed. The one place that writes it.
//!
//! The caller has the folder's lock and serialises calls. No reader ever waits for one: readers hold a [`Version`], and
//! get the next one when the caller hands it out, after [`Manifest::commit`] returned it.
//!
//! # The order of things, and every crash point
//!
//! **Commit**: append one record, sync. A crash before the sync leaves the old state, the new one, or a torn record, which
//! open cuts and reports. Tables an edit adds, and their names, must be durable before; what it removes may be deleted
//! after.
//!
//! **Create**: (1) write `000001.manifest`, (2) sync it, (3) sync the folder, (4) write and sync `CURRENT.tmp`, (5) rename
//! it to `CURRENT`, (6) sync the folder. A crash
//! - before 5 leaves no `CURRENT`: nothing is there yet, and the next open begins again. What was left is known by its
//!   names and because the manifest is not longer than a new one; anything more, a log or a table without `CURRENT` say,
//!   is a damaged database and is refused, see [`super::files`];
//! - between 5 and 6 leaves `CURRENT` or not; if so, 2 and 3 made what it names durable before.
//!
//! **Roll over** to manifest `n + 1`: the same steps with `n + 1` and a snapshot. A crash before 5 leaves `n` in force and a
//! stray `n + 1`, written anew by the next try; after it `n` is the stray one, and holds the same state. It is removed at
//! last; strays that a crash leaves are removed by the next open, like tables out of force.
//!
//! **First write after a clean close**: `CURRENT` is replaced by a dirty one (4 to 6) before anything else. A crash leaves
//! the clean one, which is then still true, or the dirty one. **Close** is the same in reverse.
//!
//! (S1) An edit that does not fit the version is an error and changes nothing; so is a full disk met before `CURRENT` was
//!      touched, or while a record was written that could be cut off again, durably.
//! (S2) After any other failure it is unknown what the disk holds. Every later change is refused with the first error;
//!      opening again finds out. A table named by the failed edit must not be deleted until then.

use super::current::{CleanEnd, Current, State};
use super::edit::Edit;
use super::record::{self, ChainEnd, MAX_PAYLOAD};
use super::registry::Registry;
use super::replay::{self, Contents, Torn};
use super::version::Version;
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::{self, FileKind, HEADER_LEN};
use crate::engine::sstable::summary::TableSummary;
use crate::planted::{Bug, planted};
use crate::vfs::{Clock, Dir, Mode, OpenFile};
use crate::{Error, Result};
use std::sync::Arc;

/// A manifest is not replaced before it has this length.
const MIN_ROLLOVER: u64 = 1 << 20;
/// A manifest is replaced before it gets longer than this, however long its snapshot is.
const MAX_ROLLOVER: u64 = 2 << 30;
/// The manifest of an open database, with the version it describes.
#[derive(Debug)]
pub struct Manifest<H> {
    dir: Dir,
    place: Place,
    file: OpenFile,
    end: ChainEnd,
    /// The length at which the next commit rolls over first.
    rollover: u64,
    /// True while `CURRENT` says clean.
    clean: bool,
    failed: Option<Arc<Error>>,
    version: Arc<Version<H>>,
    registry: Registry,
}

/// A database that was opened.
#[derive(Debug)]
pub struct Opened<H> {
    /// Its manifest.
    pub manifest: Manifest<H>,
    /// What the last close recorded, if the database was closed.
    pub clean: Option<CleanEnd>,
    /// What was cut from the end of the manifest.
    pub torn: Option<Torn>,
}

impl<H> Manifest<H> {
    /// Makes a new, empty database in `dir`. The folder exists and its own name is durable, its lock is held, and
    /// [`super::files::look`] has found nothing in it.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`]: then nothing is there yet, or all of it.
    pub fn create(dir: &Dir, clock: &dyn Clock) -> Result<Manifest<H>> {
        Manifest::create_from(dir, clock.random(), Version::empty(), Registry::default())
    }

    /// As [`Manifest::create`], for the database with this id, whose tables are there and durable, names included.
    ///
    /// # Errors
    /// As [`Manifest::create`].
    pub fn create_from(
        dir: &Dir,
        database: u64,
        version: Version<H>,
        registry: Registry,
    ) -> Result<Manifest<H>> {
        let place = Place { database, kind: FileKind::Manifest, number: 1 };
        let payload = first_payload(&version, &registry)?;
        let (file, end) = write_new(dir, &place, &payload)?;
        let staged = dirty(&place).stage(dir)?;
        file.sync()?;
        dir.sync()?;
        staged.install(dir)?;
        let version = Arc::new(version);
        Ok(Manifest {
            rollover: rollover_len(payload.len() as u64),
            clean: false,
            failed: None,
            dir: dir.clone(),
            place,
            file,
            end,
            version,
            registry,
        })
    }

    /// Opens the database in `dir`, whose lock is held. `make` gives the handle of each table in force; none is opened.
    ///
    /// # Errors
    /// [`Error::Corruption`], [`Error::Incompatible`], [`Error::Io`].
    pub fn open(dir: &Dir, make: &mut dyn FnMut(&TableSummary) -> H) -> Result<Opened<H>> {
        let opened = Manifest::read(dir, Mode::Write, make)?;
        let Manifest { file, end, .. } = &opened.manifest;
        if opened.torn.is_some() {
            file.set_len(end.offset)?;
        }
        if opened.clean.is_none() {
            // A process may have ended between writing an edit and syncing it. What was read is acted upon, by removing
            // files for instance, so it must not be gone after a power cut.
            file.sync()?;
        }
        Ok(opened)
    }

    /// As [`Manifest::open`] for one who only reads, without the lock. It takes no edits, and says `why`.
    ///
    /// # Errors
    /// As [`Manifest::open`], also when the one who writes gets in the way.
    pub fn observe(
        dir: &Dir,
        why: Arc<Error>,
        make: &mut dyn FnMut(&TableSummary) -> H,
    ) -> Result<Opened<H>> {
        let mut opened = Manifest::read(dir, Mode::Read, make)?;
        opened.manifest.failed = Some(why);
        Ok(opened)
    }

    fn read(dir: &Dir, mode: Mode, make: &mut dyn FnMut(&TableSummary) -> H) -> Result<Opened<H>> {
        let current = Current::load(dir)?;
        let (file, contents) = replay::load(dir, &current, mode)?;
        let Contents { snapshot, end, snapshot_len, torn } = contents;
        let clean = match current.state {
            State::Clean(end) => Some(end),
            State::Dirty => None,
        };
        let wrong = |why| Error::corruption(file.path(), HEADER_LEN as u64, "manifest", why);
        let registry = Registry::default().apply(&snapshot).map_err(wrong)?;
        let version = Version::empty().apply(&snapshot, make);
        let version = Arc::new(version.map_err(|v| wrong(v.to_string()))?);
        let manifest = Manifest {
            dir: dir.clone(),
            place: current.manifest_place(),
            file,
            end,
            rollover: rollover_len(snapshot_len),
            clean: clean.is_some(),
            failed: None,
            version,
            registry,
        };
        Ok(Opened { manifest, clean, torn })
    }

    /// The version in force.
    #[must_use]
    pub fn version(&self) -> &Arc<Version<H>> {
        &self.version
    }

    /// Logs, counters and keyspaces in force.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The database's random id.
    #[must_use]
    pub fn database(&self) -> u64 {
        self.place.database
    }

    /// The number of the manifest in force; all others are strays.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.place.number
    }

    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    pub(super) fn end(&self) -> ChainEnd {
        self.end
    }

    pub(super) fn is_clean(&self) -> bool {
        self.clean
    }

    /// Makes `edit` durable and puts it in force. Takes one sync, but for the first after a clean close and a roll-over.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the edit does not fit the version; [`Error::ReadOnly`] after a failure;
    /// [`Error::Io`] or [`Error::DiskFull`], see S1 and S2.
    pub fn commit(
        &mut self,
        edit: &Edit,
        make: &mut dyn FnMut(&TableSummary) -> H,
    ) -> Result<Arc<Version<H>>> {
        self.check_usable()?;
        let unfit =
            |why: String| Error::invalid(format!("the edit does not fit the version in force: {why}"));
        let registry = self.registry.apply(edit).map_err(unfit)?;
        let version = self.version.apply(edit, make).map_err(|v| unfit(v.to_string()))?;
        self.append(edit)?;
        self.registry = registry;
        self.version = Arc::new(version);
        Ok(Arc::clone(&self.version))
    }

    /// Records that the database is being written to, before anything is; [`Manifest::commit`] does so by itself.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] after a failure; [`Error::Io`] or [`Error::DiskFull`], see S1 and S2.
    pub fn mark_dirty(&mut self) -> Result<()> {
        self.check_usable()?;
        if !self.clean || planted(Bug::StaysClean) {
            return Ok(());
        }
        let staged = dirty(&self.place).stage(&self.dir)?;
        staged.install(&self.dir).map_err(|e| self.fail(e))?;
        self.clean = false;
        Ok(())
    }

    /// Records a clean close, after which `last_seq` is the last sequence number. A later commit undoes it; the number
    /// stays known, for it is written to the manifest first when that has only lower ones.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] after a failure; [`Error::Io`] or [`Error::DiskFull`], see S1 and S2.
    pub fn close(&mut self, last_seq: u64) -> Result<()> {
        self.check_usable()?;
        if last_seq > self.registry.last_seq {
            self.append(&Edit { last_seq: Some(last_seq), ..Edit::default() })?;
            self.registry.last_seq = last_seq;
        }
        let last_seq = self.registry.last_seq;
        let deletions = self.version.tombstones().len().saturating_add(self.registry.dropped());
        let deletions = u32::try_from(deletions).unwrap_or(u32::MAX);
        let end = CleanEnd { manifest_len: self.end.offset, chain: self.end.crc, last_seq, deletions };
        let staged = Current { state: State::Clean(end), ..dirty(&self.place) }.stage(&self.dir)?;
        staged.install(&self.dir).map_err(|e| self.fail(e))?;
        self.clean = true;
        Ok(())
    }

    /// Makes an edit that fits durable.
    fn append(&mut self, edit: &Edit) -> Result<()> {
        let payload = payload(edit)?;
        self.mark_dirty()?;
        if self.end.offset.saturating_add(payload.len() as u64) > self.rollover {
            self.roll_over()?;
            if planted(Bug::RollOverLosesEdit) {
                return Ok(());
            }
        }
        let mut bytes = Vec::new();
        let end = record::append(&mut bytes, &self.place, self.end, &payload);
        self.file.write_at(&bytes, self.end.offset).map_err(|e| self.undo(e))?;
        self.file.sync().map_err(|e| self.fail(e))?;
        self.end = end;
        Ok(())
    }

    /// Continues in a new manifest. One that cannot be written, for lack of space or of descriptors, is put off: the old one
    /// still serves, and an edit that frees space must not wait for space.
    fn roll_over(&mut self) -> Result<()> {
        let place = Place { number: self.place.number + 1, ..self.place };
        let staged = first_payload(&self.version, &self.registry).and_then(|payload| {
            let (file, end) = write_new(&self.dir, &place, &payload)?;
            Ok((payload.len() as u64, file, end, dirty(&place).stage(&self.dir)?))
        });
        let (snapshot_len, file, end, staged) = match staged {
            Ok(staged) => staged,
            Err(error) => return self.put_off(error),
        };
        file.sync().map_err(|e| self.fail(e))?;
        match self.dir.sync() {
            // Nothing names the new one yet.
            Err(error) if !error.is_failed_sync() => return self.put_off(error),
            synced => synced.and_then(|()| staged.install(&self.dir)).map_err(|e| self.fail(e))?,
        }
        let before = std::mem::replace(&mut self.place, place).number;
        self.file = file;
        self.end = end;
        self.rollover = rollover_len(snapshot_len);
        // One that cannot be removed now is removed by the next open.
        let _ = self.dir.remove(&FileName::Manifest(before).to_string());
        Ok(())
    }

    /// Goes on in the old manifest, unless that is far too long already.
    fn put_off(&mut self, error: Error) -> Result<()> {
        if self.end.offset >= MAX_ROLLOVER {
            return Err(error);
        }
        tracing::warn!(%error, "the manifest could not be rewritten; it goes on growing for now");
        self.rollover = self.end.offset.saturating_add(MIN_ROLLOVER);
        Ok(())
    }

    /// After a full disk: cuts off what there may be of the record, durably, and it is as if nothing had been written (S1).
    /// The sync is no repetition (V4): none has failed.
    fn undo(&mut self, error: Error) -> Error {
        if planted(Bug::LeaveHalfEdit) && error.is_transient() {
            return error;
        }
        if error.is_transient() && self.file.set_len(self.end.offset).and_then(|()| self.file.sync()).is_ok()
        {
            return error;
        }
        self.fail(error)
    }

    /// Whether edits are still taken: no failure left open what the disk holds (S2).
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.failed.is_none()
    }

    /// Has the next commit that would make the manifest longer than `len` roll over.
    #[cfg(test)]
    pub(super) fn roll_over_at(&mut self, len: u64) {
        self.rollover = len;
    }

    fn check_usable(&self) -> Result<()> {
        match &self.failed {
            None => Ok(()),
            Some(cause) => Err(Error::ReadOnly { cause: Arc::clone(cause) }),
        }
    }

    /// S2.
    fn fail(&mut self, error: Error) -> Error {
        self.failed = Some(Arc::new(error.clone()));
        error
    }
}

/// How long a new database's manifest is.
pub(super) fn initial_len() -> u64 {
    let payload = whole(&Version::<()>::empty(), &Registry::default()).encode();
    (HEADER_LEN + record::RECORD_HEADER_LEN + payload.len()) as u64
}

/// Writes, but does not sync, the manifest at `place` with a snapshot as its only record.
fn write_new(dir: &Dir, place: &Place, payload: &[u8]) -> Result<(OpenFile, ChainEnd)> {
    let mut bytes = header::encode(place).to_vec();
    let start = ChainEnd { offset: HEADER_LEN as u64, crc: 0 };
    let end = record::append(&mut bytes, place, start, payload);
    let file = dir.open(&FileName::Manifest(place.number).to_string(), Mode::Truncate)?;
    file.write_at(&bytes, 0)?;
    Ok((file, end))
}

/// The edit that leads from nothing to this state, all of it.
#[must_use]
pub fn whole<H>(version: &Version<H>, registry: &Registry) -> Edit {
    let tables = version.tables().map(|(level, table)| (level as u8, &table.summary));
    registry.snapshot(tables, version.tombstones().all())
}

fn first_payload<H>(version: &Version<H>, registry: &Registry) -> Result<Vec<u8>> {
    payload(&whole(version, registry))
}

fn payload(edit: &Edit) -> Result<Vec<u8>> {
    let bytes = edit.encode();
    if bytes.len() > MAX_PAYLOAD {
        return Err(Error::invalid(format!(
            "a manifest edit of {} bytes, at most {MAX_PAYLOAD} are possible",
            bytes.len()
        )));
    }
    Ok(bytes)
}

fn rollover_len(snapshot_len: u64) -> u64 {
    snapshot_len.saturating_mul(4).clamp(MIN_ROLLOVER, MAX_ROLLOVER)
}

fn dirty(place: &Place) -> Current {
    Current { database: place.database, manifest: place.number, state: State::Dirty }
}
