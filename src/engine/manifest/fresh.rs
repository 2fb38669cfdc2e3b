//! A folder in which a database is made otherwise than by opening one: by a repair, or as a checkpoint.
//!
//! Whoever makes it puts tables there, durable as any; then [`Fresh::finish`] syncs the folder and writes the manifest that
//! names them, and `CURRENT`.
//!
//! (N1) `CURRENT` comes last, after all that it stands for is durable (`set`, *Create*). So what an interruption leaves either is
//!      the whole database, or does not open: tables without `CURRENT` are refused (`files::look`).
//! (N2) The folder was empty, so all of it is ours: after an error all of it is removed, `CURRENT` first.

use super::edit::Edit;
use super::registry::Registry;
use super::set::Manifest;
use super::version::Version;
use crate::engine::filename::FileName;
use crate::vfs::{Dir, Vfs};
use crate::{Error, Result};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A folder that was empty, and is locked.
pub struct Fresh {
    dir: Dir,
    lock: Option<Box<dyn Send + Sync>>,
    finished: bool,
}

impl Fresh {
    /// Makes the folder `into`, or takes an empty one, for a database that comes from the one in `from`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when it holds anything, or lies in `from` or in another database; [`Error::Locked`],
    /// [`Error::Io`], [`Error::DiskFull`].
    pub fn new(vfs: &Arc<dyn Vfs>, from: &Path, into: &Path) -> Result<Fresh> {
        if plain(into).starts_with(plain(from)) {
            return Err(lies_in(into, from));
        }
        refuse_inside_another(&**vfs, into)?;
        let dir = Dir::new(Arc::clone(vfs), into);
        match dir.list() {
            Ok(names) if names.is_empty() => {}
            Ok(_) => return Err(not_empty(into)),
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        dir.create_all()?;
        let lock = Some(dir.lock(&FileName::Lock.to_string())?);
        // Somebody else may have been faster, and be done.
        if dir.list()?.iter().any(|name| FileName::parse(name) != Some(FileName::Lock)) {
            return Err(not_empty(into));
        }
        Ok(Fresh { dir, lock, finished: false })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Makes of the tables that `edit` adds, whose content is durable, the database with this id, and leaves it closed.
    ///
    /// # Errors
    /// [`Error::Corruption`] when they do not make a database; [`Error::Io`], [`Error::DiskFull`].
    pub fn finish(&mut self, database: u64, edit: &Edit, last_seq: u64) -> Result<()> {
        let unfit = |why: String| Error::corruption(self.dir.path(), 0, "set of tables", why);
        let version = Version::<()>::empty().apply(edit, &mut |_| ()).map_err(|v| unfit(v.to_string()))?;
        let registry = Registry::default().apply(edit).map_err(unfit)?;
        self.dir.sync()?;
        Manifest::create_from(&self.dir, database, version, registry)?.close(last_seq)?;
        self.finished = true;
        self.lock = None;
        Ok(())
    }
}

impl Drop for Fresh {
    /// What was made of a database that did not come to its end is of no use.
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let mut names: Vec<_> =
            self.dir.list().unwrap_or_default().iter().filter_map(|name| FileName::parse(name)).collect();
        names.sort_unstable_by_key(|name| *name != FileName::Current);
        for name in names {
            // What cannot be removed is seen by whoever looks: the folder is not empty.
            let _ = self.dir.remove(&name.to_string());
        }
    }
}

/// A path without the parts that mean nothing, as in `./data`.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

fn lies_in(into: &Path, from: &Path) -> Error {
    let (into, from) = (into.display(), from.display());
    Error::invalid(format!("{into} lies in {from}, which is not changed: name another folder"))
}

fn not_empty(into: &Path) -> Error {
    Error::invalid(format!("{} is not empty: name a new folder, or an empty one", into.display()))
}

/// The same folder has many spellings, so the folders above are asked what they are, too.
fn refuse_inside_another(vfs: &dyn Vfs, into: &Path) -> Result<()> {
    for above in into.ancestors().skip(1) {
        let current = above.join(FileName::Current.to_string());
        match vfs.len(&current) {
            Ok(Some(_)) => return Err(lies_in(into, above)),
            Ok(None) => {}
            // Somebody else's folder, or none at all: making ours tells.
            Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::NotADirectory) => {}
            Err(e) if e.kind() == ErrorKind::IsADirectory => {}
            Err(e) => return Err(Error::io("look up", &current, e)),
        }
    }
    Ok(())
}
