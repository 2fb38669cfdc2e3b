//! The file `CURRENT`: which manifest is in force, and what it was like when the database was last closed.
//!
//! ```text
//! offset  size
//!      0    32  header, `engine::header`; its number is that of the manifest in force
//!     32     1  state: 0 dirty, 1 clean
//!     33     7  zero
//!     40     8  clean: the length of the manifest; dirty: zero
//!     48     4  clean: the crc of its last record; dirty: zero
//!     52     4  clean: how many deletions only the manifest knows; dirty: zero
//!     56     8  clean: the last sequence number; dirty: zero
//!     64     4  crc of bytes 32..64, bound to the place
//! ```
//!
//! (T1) It is only ever replaced as a whole: written as `CURRENT.tmp`, synced, renamed, and the folder synced. A crash
//!      leaves the old one or the new one.
//! (T2) While it says *clean*, the manifest has exactly this length and ends with this record. So one that was shortened,
//!      replaced, or restored from an older copy is noticed at open. It says *dirty* before anything else is written.

use crate::engine::checksum::Place;
use crate::engine::coding::Reader;
use crate::engine::filename::FileName;
use crate::engine::header::{self, FileKind, HEADER_LEN};
use crate::planted::{Bug, planted};
use crate::vfs::{Dir, Mode, OpenFile};
use crate::{Error, Result};
use std::path::Path;

/// The length of the file.
pub const CURRENT_LEN: usize = HEADER_LEN + 36;
const BODY_LEN: usize = 32;

/// What `CURRENT` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// The database's random id.
    pub database: u64,
    /// The number of the manifest in force.
    pub manifest: u64,
    /// How the database was left.
    pub state: State,
}

/// How a database was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is open, or its process ended without closing it.
    Dirty,
    /// It was closed, and nothing has been written since.
    Clean(CleanEnd),
}

/// What a clean close records, see T2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanEnd {
    /// The length of the manifest.
    pub manifest_len: u64,
    /// The crc of its last record.
    pub chain: u32,
    /// The last sequence number in use.
    pub last_seq: u64,
    /// How many deletions of ranges are in the manifest, and keyspaces were dropped: without it, what they deleted is back.
    pub deletions: u32,
}

impl Current {
    /// Where the manifest it names lies.
    #[must_use]
    pub fn manifest_place(&self) -> Place {
        Place { database: self.database, kind: FileKind::Manifest, number: self.manifest }
    }

    fn place(&self) -> Place {
        Place { kind: FileKind::Current, ..self.manifest_place() }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (state, end) = match self.state {
            State::Dirty => (0, CleanEnd { manifest_len: 0, chain: 0, last_seq: 0, deletions: 0 }),
            State::Clean(end) => (1, end),
        };
        let mut body = vec![state, 0, 0, 0, 0, 0, 0, 0];
        body.extend_from_slice(&end.manifest_len.to_le_bytes());
        body.extend_from_slice(&end.chain.to_le_bytes());
        body.extend_from_slice(&end.deletions.to_le_bytes());
        body.extend_from_slice(&end.last_seq.to_le_bytes());
        let crc = self.place().crc(HEADER_LEN as u64, &[&body]);
        let mut out = header::encode(&self.place()).to_vec();
        out.extend_from_slice(&body);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the whole file.
    ///
    /// # Errors
    /// [`Error::Corruption`]; [`Error::Incompatible`] when it is newer.
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Current> {
        let place = header::decode(path, bytes)?;
        let damaged = |offset, why: String| Error::corruption(path, offset, "CURRENT", why);
        if place.kind != FileKind::Current {
            return Err(damaged(0, format!("its header says it is {:?}", place.kind)));
        }
        let (Some(body), CURRENT_LEN) = (bytes.get(HEADER_LEN..HEADER_LEN + BODY_LEN), bytes.len()) else {
            return Err(damaged(0, format!("{} bytes, {CURRENT_LEN} expected", bytes.len())));
        };
        let found = place.crc(HEADER_LEN as u64, &[body]).to_le_bytes();
        if bytes.get(HEADER_LEN + BODY_LEN..) != Some(&found[..]) {
            return Err(damaged(HEADER_LEN as u64, "its checksum is wrong".into()));
        }
        let Some((state, end)) = read_body(body) else {
            return Err(damaged(HEADER_LEN as u64, "bytes that must be zero are not".into()));
        };
        let state = match state {
            0 => State::Dirty,
            1 => State::Clean(end),
            other => {
                return Err(Error::Incompatible {
                    path: path.to_path_buf(),
                    what: "database state",
                    found: other.to_string(),
                    supported: "states 0 and 1".into(),
                });
            }
        };
        Ok(Current { database: place.database, manifest: place.number, state })
    }

    /// Reads it from the folder of a database.
    ///
    /// # Errors
    /// As [`Current::decode`]; [`Error::Io`] when it is not there.
    pub fn load(dir: &Dir) -> Result<Current> {
        let file = dir.open(&FileName::Current.to_string(), Mode::Read)?;
        Current::decode(file.path(), &file.read_all(4096)?)
    }

    /// Writes it beside the one in force. As long as it is not installed nothing has happened.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn stage(&self, dir: &Dir) -> Result<Staged> {
        let file = dir.open(&FileName::CurrentTmp.to_string(), Mode::Truncate)?;
        file.write_at(&self.encode(), 0)?;
        Ok(Staged { file })
    }
}

/// A `CURRENT` that is written but not yet in force.
#[derive(Debug)]
#[must_use]
pub struct Staged {
    file: OpenFile,
}

impl Staged {
    /// Puts it in force, durably.
    ///
    /// # Errors
    /// [`Error::Io`]. It is then unknown which one is in force after a crash: nothing may be written any more.
    pub fn install(self, dir: &Dir) -> Result<()> {
        self.file.sync()?;
        dir.rename(&FileName::CurrentTmp.to_string(), &FileName::Current.to_string())?;
        if planted(Bug::SkipFolderSyncAfterRename) {
            return Ok(());
        }
        dir.sync()
    }
}

fn read_body(body: &[u8]) -> Option<(u8, CleanEnd)> {
    let mut r = Reader::new(body);
    let (state, zeros) = (r.u8()?, r.array::<7>()?);
    let (manifest_len, chain, deletions, last_seq) = (r.u64()?, r.u32()?, r.u32()?, r.u64()?);
    let end = CleanEnd { manifest_len, chain, last_seq, deletions };
    (zeros == [0; 7]).then_some((state, end))
}
