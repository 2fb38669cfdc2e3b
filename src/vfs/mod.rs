//! Files, and nothing about databases.
//!
//! # The contract
//!
//! (V1) `write_at` writes all bytes or fails; after a failure the bytes in that range are undefined, bytes elsewhere
//!      are untouched.
//! (V2) What a file holds is durable only after `File::sync_data` or `sync_all` returned `Ok`; that a name exists
//!      (after create, rename, remove) only after `Vfs::sync_dir` of its directory returned `Ok`. A directory is a
//!      name in its parent, too.
//! (V3) Nothing orders two writes, or two names, but a sync between them. Length is metadata like any other: after a
//!      crash a file may be longer than what of its content survived (zeros between), or shorter.
//! (V4) A failed sync is never repeated by the engine: the operating system may have dropped the pages.
//! (V5) A map shows the file as it was when mapped; the engine maps only finished files that never change.
//! (V6) A hard link is one more name for the same file: what of it was durable is so under each name, and the new name
//!      itself is durable after `Vfs::sync_dir` of its directory (V2). Either name may go without the other. The engine
//!      links only finished files that never change.
//!
//! The engine reaches files only through [`Dir`] and [`OpenFile`], which attach the operation and the path to every
//! error. Implementations: [`std`](mod@std) for the operating system, [`mem`] in memory with crash images,
//! [`fault`] which fails what a rule names.

pub mod fault;
pub mod mem;
pub mod std;
#[cfg(test)]
mod tests;

use crate::{Error, Result};
use ::std::fmt::Debug;
use ::std::io;
use ::std::path::{Path, PathBuf};
use ::std::sync::Arc;
use ::std::time::Duration;

/// How [`Vfs::open`] opens a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For reading only; the file must exist.
    Read,
    /// For reading and writing; the file must exist.
    Write,
    /// As [`Mode::Write`], for many small pieces one behind the other, mostly within the length that there is. What that may
    /// be good for is the implementation's business; it may take it for [`Mode::Write`].
    Log,
    /// For reading and writing; the file must not exist.
    CreateNew,
    /// For reading and writing; created when absent, emptied when present.
    Truncate,
}

/// A file system. All paths are absolute or relative to the process, as the caller gave them.
pub trait Vfs: Send + Sync + Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// What the operating system says; `AlreadyExists` and `NotFound` as [`Mode`] demands.
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>>;
    /// Creates a directory and its missing parents; no error when it exists.
    ///
    /// # Errors
    /// What the operating system says.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable (V2).
    ///
    /// # Errors
    /// What the operating system says.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Renames within one directory, replacing the target in one step.
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives the file `from` the further name `to`, which must not exist, perhaps in another directory (V6).
    ///
    /// A file system that cannot do so says `Unsupported`, as this default does; the engine then copies the file.
    ///
    /// # Errors
    /// What the operating system says; `AlreadyExists` when there is a file `to`.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Removes a file. Maps and handles of it stay good.
    ///
    /// # Errors
    /// What the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, in any order.
    ///
    /// # Errors
    /// What the operating system says; `NotFound` when there is no such directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// The length of a file, or `None` when there is none.
    ///
    /// # Errors
    /// What the operating system says, but for `NotFound`.
    fn len(&self, path: &Path) -> io::Result<Option<u64>>;
    /// Takes the exclusive lock on a file, creating it if need be. The lock ends with the value, or with the process.
    /// `None` when someone else has it.
    ///
    /// # Errors
    /// What the operating system says.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>>;
}

/// An open file. All methods take `&self`: a file may be read while it is appended to.
#[expect(clippy::len_without_is_empty, reason = "a length in bytes, not a collection")]
pub trait File: Send + Sync {
    /// Reads up to `buf.len()` bytes at `offset`; fewer only at the end of the file.
    ///
    /// # Errors
    /// What the operating system says.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `buf` at `offset`, growing the file if need be (V1).
    ///
    /// # Errors
    /// What the operating system says.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts or extends (with zeros) the file.
    ///
    /// # Errors
    /// What the operating system says.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// The length in bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn len(&self) -> io::Result<u64>;
    /// Makes content and length durable, but not times (`fdatasync`).
    ///
    /// # Errors
    /// What the operating system says; see (V4).
    fn sync_data(&self) -> io::Result<()>;
    /// The whole file for reading (V5). Implementations without maps read it into memory.
    ///
    /// # Errors
    /// What the operating system says.
    fn map(&self) -> io::Result<Arc<dyn Mapped>>;
}

/// The bytes of a mapped file.
pub trait Mapped: Send + Sync {
    /// All of them.
    fn bytes(&self) -> &[u8];
}

/// A file that was read into memory instead.
impl Mapped for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// Time and randomness, passed in so that a test runs from a seed.
pub trait Clock: Send + Sync + Debug {
    /// Wall-clock time, in milliseconds since 1970. May jump either way.
    fn wall_ms(&self) -> u64;
    /// Time since some fixed start; never goes back.
    fn monotonic(&self) -> Duration;
    /// 64 random bits.
    fn random(&self) -> u64;
    /// Lets the calling thread rest. A simulated clock only moves its time.
    fn sleep(&self, time: Duration);
}

/// A directory of a file system, with errors that name the path.
#[derive(Debug, Clone)]
pub struct Dir {
    vfs: Arc<dyn Vfs>,
    root: PathBuf,
}

impl Dir {
    /// The directory `root` on `vfs`. Nothing is touched yet.
    #[must_use]
    pub fn new(vfs: Arc<dyn Vfs>, root: impl Into<PathBuf>) -> Dir {
        Dir { vfs, root: root.into() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The path of a file in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The file system it lies on.
    #[must_use]
    pub fn vfs(&self) -> &Arc<dyn Vfs> {
        &self.vfs
    }

    /// Opens the file `name`.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn open(&self, name: &str, mode: Mode) -> Result<OpenFile> {
        let path = self.join(name);
        let op = if matches!(mode, Mode::Read | Mode::Write | Mode::Log) { "open" } else { "create" };
        match self.vfs.open(&path, mode) {
            Ok(inner) => Ok(OpenFile { path: path.into(), inner: inner.into() }),
            Err(e) => Err(Error::io(op, &path, e)),
        }
    }

    /// Creates the directory itself, durably.
    ///
    /// Each directory is made durable before the next one is created in it, and the name of the deepest one that exists is
    /// made durable once more: whoever created it may have been interrupted before doing so.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn create_all(&self) -> Result<()> {
        let all: Vec<&Path> = self.root.ancestors().filter(|p| !p.as_os_str().is_empty()).collect();
        let mut new = 0;
        while let Some(path) = all.get(new)
            && self.is_missing(path)?
        {
            new += 1;
        }
        if let Some(existing) = all.get(new) {
            match self.sync_name(existing) {
                // Somebody else's directory, in one that we may not read.
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced?,
            }
        }
        for path in all.iter().take(new).rev() {
            self.vfs.create_dir_all(path).map_err(|e| Error::io("create directory", path, e))?;
            self.sync_name(path)?;
        }
        Ok(())
    }

    /// Whether there is no such directory; one that we may not read is there.
    fn is_missing(&self, path: &Path) -> Result<bool> {
        match self.vfs.list(path) {
            Ok(_) => Ok(false),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            Err(e) => Err(Error::io("list", path, e)),
        }
    }

    /// Makes a directory's name in its parent durable.
    fn sync_name(&self, path: &Path) -> Result<()> {
        if let Some(parent) = path.parent() {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            self.vfs.sync_dir(parent).map_err(|e| Error::io("sync directory", parent, e))?;
        }
        Ok(())
    }

    /// Makes its names durable.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&self) -> Result<()> {
        self.vfs.sync_dir(&self.root).map_err(|e| Error::io("sync directory", &self.root, e))
    }

    /// Renames a file within the directory.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        let path = self.join(from);
        self.vfs.rename(&path, &self.join(to)).map_err(|e| Error::io("rename", &path, e))
    }

    /// Gives a file a further name: the same one, in the directory `into` (V6).
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn link(&self, name: &str, into: &Dir) -> Result<()> {
        let path = into.join(name);
        self.vfs.hard_link(&self.join(name), &path).map_err(|e| Error::io("link", &path, e))
    }

    /// Removes a file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.join(name);
        self.vfs.remove(&path).map_err(|e| Error::io("remove", &path, e))
    }

    /// The names in it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn list(&self) -> Result<Vec<String>> {
        self.vfs.list(&self.root).map_err(|e| Error::io("list", &self.root, e))
    }

    /// The length of a file in it, or `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn len(&self, name: &str) -> Result<Option<u64>> {
        let path = self.join(name);
        self.vfs.len(&path).map_err(|e| Error::io("look up", &path, e))
    }

    /// Takes the lock file `name`.
    ///
    /// # Errors
    /// [`Error::Locked`] when someone else has it; [`Error::Io`].
    pub fn lock(&self, name: &str) -> Result<Box<dyn Send + Sync>> {
        let path = self.join(name);
        match self.vfs.lock(&path) {
            Ok(Some(lock)) => Ok(lock),
            Ok(None) => Err(Error::Locked { path }),
            Err(e) => Err(Error::io("lock", &path, e)),
        }
    }
}

/// A piece of a file that the device cannot deliver.
#[derive(Debug)]
pub struct Unreadable {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub len: u64,
    /// What the operating system says.
    pub error: Error,
}

/// How much is read at once around what cannot be read, and how small a piece is given up.
const AROUND: usize = 1 << 20;
const SECTOR: usize = 4 << 10;

/// An open file, with errors that name its path. Cheap to clone.
#[derive(Clone)]
pub struct OpenFile {
    path: Arc<Path>,
    inner: Arc<dyn File>,
}

impl Debug for OpenFile {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        f.debug_tuple("OpenFile").field(&self.path).finish()
    }
}

#[expect(clippy::len_without_is_empty, reason = "a length in bytes, not a collection")]
impl OpenFile {
    /// No file at all, where one is expected that nobody will touch: reading and writing fail.
    pub(crate) fn none(path: &Path) -> OpenFile {
        OpenFile { path: path.into(), inner: Arc::new(NoFile) }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fills `buf` from `offset` on; returns how many bytes there were, fewer only at the end of the file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.inner.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::io("read", &self.path, e)),
            }
        }
        Ok(done)
    }

    /// All of the file, for small ones: at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Corruption`] when it is larger than `limit`.
    pub fn read_all(&self, limit: u64) -> Result<Vec<u8>> {
        let len = self.len()?;
        if len > limit {
            return Err(Error::corruption(
                &self.path,
                0,
                "file",
                format!("{len} bytes, at most {limit} expected"),
            ));
        }
        let mut buf = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let n = self.read_at(&mut buf, 0)?;
        buf.truncate(n);
        Ok(buf)
    }

    /// All of the file, with zeros in place of what cannot be read, and where that is: for files that may be damaged, on
    /// devices that may be. At most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::Io`] when not even its length is known; [`Error::Corruption`] when it is larger than `limit`.
    pub fn read_around(&self, limit: u64) -> Result<(Vec<u8>, Vec<Unreadable>)> {
        let len = self.len()?;
        if len > limit {
            let detail = format!("{len} bytes, at most {limit} expected");
            return Err(Error::corruption(&self.path, 0, "file", detail));
        }
        let (mut bytes, mut unreadable) = (vec![0; usize::try_from(len).unwrap_or(usize::MAX)], Vec::new());
        for (i, piece) in bytes.chunks_mut(AROUND).enumerate() {
            let at = (i * AROUND) as u64;
            if self.read_at(piece, at).is_ok() {
                continue;
            }
            for (j, sector) in piece.chunks_mut(SECTOR).enumerate() {
                let (offset, len) = (at + (j * SECTOR) as u64, sector.len() as u64);
                if let Err(error) = self.read_at(sector, offset) {
                    sector.fill(0);
                    unreadable.push(Unreadable { offset, len, error });
                }
            }
        }
        Ok((bytes, unreadable))
    }

    /// Writes all of `buf` at `offset`.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn write_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        self.inner.write_at(buf, offset).map_err(|e| Error::io("write", &self.path, e))
    }

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn set_len(&self, len: u64) -> Result<()> {
        self.inner.set_len(len).map_err(|e| Error::io("set the length of", &self.path, e))
    }

    /// Its length.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn len(&self) -> Result<u64> {
        self.inner.len().map_err(|e| Error::io("look up the length of", &self.path, e))
    }

    /// Makes content and length durable.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`]; never to be repeated (V4).
    pub fn sync(&self) -> Result<()> {
        self.inner.sync_data().map_err(|e| Error::io("sync", &self.path, e))
    }

    /// The whole file for reading.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn map(&self) -> Result<Arc<dyn Mapped>> {
        self.inner.map().map_err(|e| Error::io("map", &self.path, e))
    }
}

/// See [`OpenFile::none`].
struct NoFile;

impl File for NoFile {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn len(&self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn map(&self) -> io::Result<Arc<dyn Mapped>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
