//! An in-memory file system that can show what a power cut would leave.
//!
//! [`MemVfs`] remembers for each file what was synced and which writes came after, and for each directory which names
//! are durable and which changes are not. At any moment, or just before any numbered operation, it gives a *crash
//! image*: a new, independent file system as the machine would find it after a power cut, while this one goes on. How
//! much of the rest survives is the [`CrashPolicy`]. [`SimClock`] is the time to go with it.
//!
//! ```
//! use siltstone::vfs::{Dir, Mode, mem::{CrashPolicy, MemVfs}};
//! use std::{path::Path, sync::Arc};
//!
//! # fn main() -> siltstone::Result<()> {
//! let disk = MemVfs::new();
//! let dir = Dir::new(Arc::new(disk.clone()), "/");
//! let file = dir.open("notes", Mode::CreateNew)?;
//! dir.sync()?;                                         // the name is durable
//! file.write_at(b"kept", 0)?;
//! file.sync()?;                                        // and so are four bytes
//! file.write_at(b" perhaps", 4)?;
//!
//! let after = disk.crash_image(CrashPolicy::Strict, 0);
//! assert_eq!(after.read_file(Path::new("notes")).unwrap(), b"kept");
//! assert_eq!(disk.read_file(Path::new("notes")).unwrap(), b"kept perhaps");
//! # Ok(())
//! # }
//! ```
//!
//! # Crash at every operation, in one run
//!
//! Operations that change something are numbered from 0: creating, truncating and locking, `write_at`, `set_len`,
//! `sync_data`, `sync_dir`, `create_dir_all`, `rename`, `hard_link`, `remove`. Reads are not counted, because a crash before a read
//! is a crash before the next change. Run the work once, with [`MemVfs::schedule_crashes`] for all operations and
//! policies; note [`MemVfs::op_count`] at each acknowledgement; then open each of [`MemVfs::take_crash_images`] and compare.
//!
//! A directory is a name in its parent like any file, so a new one is durable only after a `sync_dir` of the parent.
//! The current directory is the root, and names are Unicode. A file is at most 64 GiB long.

mod clock;
mod content;
mod crash;
mod file;
mod tree;

#[cfg(test)]
mod tests;

pub use clock::SimClock;
pub use crash::CrashPolicy;

pub(super) use file::MemFile;

use super::{File, Mode, Vfs};
use crate::random::Random;
use crate::sync::plain::atomic::Ordering;
use crate::sync::plain::{Mutex, MutexGuard};
use content::Content;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tree::{Change, FileState, Inode, NameChange, Node, Tree};

/// A file system in memory. Clones are handles of the same one.
#[derive(Clone)]
pub struct MemVfs {
    shared: Arc<Mutex<State>>,
}

struct State {
    tree: Tree,
    ops: u64,
    schedule: BTreeMap<u64, Vec<(CrashPolicy, u64)>>,
    images: VecDeque<CrashImage>,
}

/// A crash image that was scheduled, and how it came about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CrashImage {
    /// The number of the operation just before which the power was cut.
    pub at_op: u64,
    /// What survived.
    pub policy: CrashPolicy,
    /// The seed of the choices.
    pub seed: u64,
    /// The file system afterwards.
    pub vfs: MemVfs,
}

impl std::fmt::Debug for MemVfs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("MemVfs").field("ops", &state.ops).field("files", &state.tree.files()).finish()
    }
}

impl Default for MemVfs {
    fn default() -> MemVfs {
        MemVfs::new()
    }
}

/// Crash images.
impl MemVfs {
    /// An empty file system: a root directory.
    #[must_use]
    pub fn new() -> MemVfs {
        MemVfs::from_tree(Tree::new())
    }

    fn from_tree(tree: Tree) -> MemVfs {
        let state = State { tree, ops: 0, schedule: BTreeMap::new(), images: VecDeque::new() };
        MemVfs { shared: Arc::new(Mutex::new(state)) }
    }

    /// The file system as after a power cut now. It is independent: all of it is durable, nothing is locked or
    /// scheduled, and its operations count from 0.
    #[must_use]
    pub fn crash_image(&self, policy: CrashPolicy, seed: u64) -> MemVfs {
        self.shared.lock().image(policy, seed)
    }

    /// How many operations that change something there were, failed ones included.
    #[must_use]
    pub fn op_count(&self) -> u64 {
        self.shared.lock().ops
    }

    /// Has an image taken just before operation number `at_op`, which is when [`op_count`](Self::op_count) is `at_op`.
    /// A number that is already past gives no image.
    pub fn schedule_crash(&self, at_op: u64, policy: CrashPolicy, seed: u64) {
        self.schedule_crashes([at_op], &[policy], seed);
    }

    /// Has an image taken for every one of `at_ops` and every one of `policies`.
    pub fn schedule_crashes(
        &self,
        at_ops: impl IntoIterator<Item = u64>,
        policies: &[CrashPolicy],
        seed: u64,
    ) {
        let mut state = self.shared.lock();
        for at_op in at_ops {
            state.schedule.entry(at_op).or_default().extend(policies.iter().map(|policy| (*policy, seed)));
        }
    }

    /// The oldest scheduled image that was taken and not yet fetched.
    #[must_use]
    pub fn take_crash_image(&self) -> Option<MemVfs> {
        let mut state = self.shared.lock();
        state.take_due_images();
        state.images.pop_front().map(|image| image.vfs)
    }

    /// All scheduled images that were taken and not yet fetched, oldest first.
    #[must_use]
    pub fn take_crash_images(&self) -> Vec<CrashImage> {
        let mut state = self.shared.lock();
        state.take_due_images();
        state.images.drain(..).collect()
    }

    /// Makes a file lose every write since its last sync, as an operating system does that marks pages clean after it
    /// failed to write them: reads show the old bytes, the length stays, and a later sync succeeds without them.
    ///
    /// # Errors
    /// `NotFound` when there is no such file.
    pub fn drop_unsynced(&self, path: &Path) -> io::Result<()> {
        self.shared.lock().tree.file(path)?.state.write().drop_unsynced();
        Ok(())
    }
}

/// Straight to the files, for tests that damage them. Nothing here is counted, and everything is durable at once.
impl MemVfs {
    /// The paths of all files, in order.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.shared.lock().tree.files()
    }

    /// All bytes of a file.
    ///
    /// # Errors
    /// `NotFound` when there is no such file.
    pub fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.shared.lock().tree.file(path)?.state.read().current.to_vec())
    }

    /// Gives a file these bytes, creating it and its directories if need be. All pending changes of names in its
    /// directory become durable with it.
    ///
    /// # Errors
    /// When the path leads through a file or to a directory.
    pub fn write_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.shared.lock();
        let (_, changed) = state.tree.create_dirs(path.parent().unwrap_or(Path::new("")))?;
        changed.into_iter().for_each(|dir| state.tree.sync_dir(dir));
        let (inode, dir) = state.open_or_create(path)?;
        state.tree.sync_dir(dir);
        let mut content = Content::default();
        content.write(bytes, 0);
        *inode.state.write() = FileState::durable(content);
        Ok(())
    }

    /// Removes a file. All pending changes of names in its directory become durable with it.
    ///
    /// # Errors
    /// `NotFound` when there is no such file.
    pub fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.shared.lock();
        let dir = state.remove(path)?;
        state.tree.sync_dir(dir);
        Ok(())
    }
}

impl MemVfs {
    /// Counts an operation that changes something, after taking the images scheduled before it.
    fn begin(&self) -> MutexGuard<'_, State> {
        let mut state = self.shared.lock();
        state.take_due_images();
        state.ops += 1;
        state
    }

    /// As [`Vfs::open`], with the type that can be told to lose its writes.
    pub(super) fn open_file(&self, path: &Path, mode: Mode) -> io::Result<MemFile> {
        let inode = match mode {
            Mode::Read | Mode::Write | Mode::Log => Arc::clone(self.shared.lock().tree.file(path)?),
            Mode::CreateNew => self.begin().create_new(path)?,
            Mode::Truncate => {
                let mut state = self.begin();
                let (inode, _) = state.open_or_create(path)?;
                let mut file = inode.state.write();
                if file.current.len() > 0 {
                    file.change(Change::SetLen(0));
                }
                drop(file);
                inode
            }
        };
        Ok(MemFile::new(self.clone(), inode, mode))
    }
}

impl State {
    fn image(&self, policy: CrashPolicy, seed: u64) -> MemVfs {
        // Mixing in the operation gives one seed other choices at each crash point.
        let mut random = Random::new(seed ^ self.ops.wrapping_mul(0xd6e8_feb8_6659_fd93));
        MemVfs::from_tree(self.tree.image(policy, &mut random))
    }

    fn take_due_images(&mut self) {
        let at_op = self.ops;
        for (policy, seed) in self.schedule.remove(&at_op).unwrap_or_default() {
            let vfs = self.image(policy, seed);
            self.images.push_back(CrashImage { at_op, policy, seed, vfs });
        }
    }

    fn create_new(&mut self, path: &Path) -> io::Result<Arc<Inode>> {
        let (index, dir, name) = self.tree.parent(path)?;
        if dir.names.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = Arc::new(Inode::default());
        self.tree.change(index, NameChange::Create(name, Node::File(Arc::clone(&inode))));
        Ok(inode)
    }

    /// The file, and the index of its directory.
    fn open_or_create(&mut self, path: &Path) -> io::Result<(Arc<Inode>, usize)> {
        let index = self.tree.parent(path)?.0;
        let inode = match self.tree.file(path) {
            Ok(inode) => Arc::clone(inode),
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.create_new(path)?,
            Err(e) => return Err(e),
        };
        Ok((inode, index))
    }

    /// Removes a file; returns the index of its directory.
    fn remove(&mut self, path: &Path) -> io::Result<usize> {
        self.tree.file(path)?;
        let (index, _, name) = self.tree.parent(path)?;
        self.tree.change(index, NameChange::Remove(name));
        Ok(index)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = Arc::clone(self.tree.file(from)?);
        let (index, _, old) = self.tree.parent(from)?;
        let (target, dir, new) = self.tree.parent(to)?;
        if target != index {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a rename stays within its directory"));
        }
        if matches!(dir.names.get(&new), Some(Node::Dir(_))) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if old != new {
            self.tree.change(index, NameChange::Rename(old, new, Node::File(inode)));
        }
        Ok(())
    }

    fn hard_link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = Arc::clone(self.tree.file(from)?);
        let (index, dir, name) = self.tree.parent(to)?;
        if dir.names.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.tree.change(index, NameChange::Create(name, Node::File(inode)));
        Ok(())
    }
}

impl Vfs for MemVfs {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        Ok(Box::new(self.open_file(path, mode)?))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.begin().tree.create_dirs(path).map(|_| ())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.begin();
        let (index, _) = state.tree.dir(path)?;
        state.tree.sync_dir(index);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.begin().rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.begin().hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.begin().remove(path).map(|_| ())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.shared.lock();
        let (_, dir) = state.tree.dir(dir)?;
        Ok(dir.names.keys().map(|name| name.to_string()).collect())
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        match self.shared.lock().tree.file(path) {
            Ok(inode) => Ok(Some(inode.state.read().current.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let (inode, _) = self.begin().open_or_create(path)?;
        if inode.locked.swap(true, Ordering::AcqRel) {
            return Ok(None);
        }
        Ok(Some(Box::new(Lock(inode))))
    }
}

struct Lock(Arc<Inode>);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.locked.store(false, Ordering::Release);
    }
}
