//! Compares `CURRENT` and the manifest on disk with what is in force.

use super::current::{Current, State};
use super::edit::Edit;
use super::replay::{self, Contents};
use super::set::{self, Manifest};
use crate::engine::filename::FileName;
use crate::vfs::Mode;
use crate::{Error, Result};

impl<H> Manifest<H> {
    /// Whether the files say what is in force. The caller keeps commits away meanwhile. Returns how many bytes were read.
    ///
    /// # Errors
    /// [`Error::Corruption`], [`Error::Incompatible`], [`Error::Io`].
    pub fn verify(&self) -> Result<u64> {
        let dir = self.dir();
        let current = Current::load(dir)?;
        let named = (current.database, current.manifest, current.state != State::Dirty);
        let wanted = (self.database(), self.number(), self.is_clean());
        if named != wanted {
            let path = dir.join(&FileName::Current.to_string());
            let detail = format!(
                "database {:016x}, manifest {}, clean {}; database {:016x}, manifest {}, clean {} expected",
                named.0, named.1, named.2, wanted.0, wanted.1, wanted.2
            );
            return Err(Error::corruption(&path, 0, "CURRENT", detail));
        }
        let (file, Contents { snapshot, end, torn, .. }) = replay::load(dir, &current, Mode::Read)?;
        let damaged = |offset, why: String| Err(Error::corruption(file.path(), offset, "manifest", why));
        if let Some(torn) = torn {
            return damaged(torn.offset, torn.why);
        }
        if end != self.end() {
            let (found, wanted) = (end, self.end());
            return damaged(
                end.offset.min(wanted.offset),
                format!(
                    "it ends at {} with {:08x}, {} with {:08x} expected",
                    found.offset, found.crc, wanted.offset, wanted.crc
                ),
            );
        }
        if by_number(snapshot) != by_number(set::whole(self.version(), self.registry())) {
            return damaged(0, "its edits lead to another state than the one in force".into());
        }
        file.len()
    }
}

fn by_number(mut snapshot: Edit) -> Edit {
    snapshot.added.sort_by_key(|(_, table)| table.number);
    snapshot
}
