//! Files and directories, each with what is durable and what is pending.
//!
//! ```text
//! Tree ── Directory 0 "/" ── names ──▶ File(Inode) | Directory n
//!           names    what a look shows                Inode: current   what a read shows
//!           durable  as of the last sync_dir                 durable   as of the last sync_data
//!           pending  changes since, in order                 pending   changes since, in order
//! ```
//!
//! Invariant (T1): `names` is `durable` with all of `pending` applied, and so is `current`.
//! (T2) Locks are taken in this order: the tree, then one inode. Readers of a file take only the inode.
//! (T3) A directory is never removed, so its index is good for ever.
//! (T4) A file may have several names, in one directory or in several: each of them holds the same `Inode`.

use super::content::{Content, Piece};
use crate::sync::plain::RwLock;
use crate::sync::plain::atomic::AtomicBool;
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// All directories; the first is the root.
pub(super) struct Tree {
    pub dirs: Vec<Directory>,
}

#[derive(Default)]
pub(super) struct Directory {
    pub names: Names,
    pub durable: Names,
    pub pending: Vec<NameChange>,
}

pub(super) type Names = BTreeMap<Arc<str>, Node>;

#[derive(Clone)]
pub(super) enum Node {
    File(Arc<Inode>),
    Dir(usize),
}

/// A change of a directory. A rename is one change: it happens or it does not.
#[derive(Clone)]
pub(super) enum NameChange {
    Create(Arc<str>, Node),
    Rename(Arc<str>, Arc<str>, Node),
    Remove(Arc<str>),
}

#[derive(Default)]
pub(super) struct Inode {
    pub state: RwLock<FileState>,
    pub locked: AtomicBool,
}

#[derive(Default)]
pub(super) struct FileState {
    pub current: Content,
    pub durable: Content,
    pub pending: Vec<Change>,
}

/// A change of a file.
pub(super) enum Change {
    Write(u64, Piece),
    SetLen(u64),
}

impl Tree {
    pub fn new() -> Tree {
        Tree { dirs: vec![Directory::default()] }
    }

    /// The directory at `path`, with its index.
    pub fn dir(&self, path: &Path) -> io::Result<(usize, &Directory)> {
        self.walk(&parts(path)?)
    }

    /// The directory above `path` and the last name of it.
    pub fn parent(&self, path: &Path) -> io::Result<(usize, &Directory, Arc<str>)> {
        let mut parts = parts(path)?;
        let name = parts.pop().ok_or(io::ErrorKind::IsADirectory)?;
        let (index, dir) = self.walk(&parts)?;
        Ok((index, dir, name.into()))
    }

    /// The file at `path`.
    pub fn file(&self, path: &Path) -> io::Result<&Arc<Inode>> {
        let (_, dir, name) = self.parent(path)?;
        match dir.names.get(&name) {
            Some(Node::File(inode)) => Ok(inode),
            Some(Node::Dir(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn walk(&self, parts: &[&str]) -> io::Result<(usize, &Directory)> {
        let mut at = 0;
        for part in parts {
            at = match self.dirs.get(at).and_then(|dir| dir.names.get(*part)) {
                Some(Node::Dir(next)) => *next,
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => return Err(io::ErrorKind::NotFound.into()),
            };
        }
        let dir = self.dirs.get(at).ok_or(io::ErrorKind::NotFound)?;
        Ok((at, dir))
    }

    /// Changes the names of the directory `index`; durable only after [`Tree::sync_dir`].
    pub fn change(&mut self, index: usize, change: NameChange) {
        if let Some(dir) = self.dirs.get_mut(index) {
            change.apply(&mut dir.names);
            dir.pending.push(change);
        }
    }

    pub fn sync_dir(&mut self, index: usize) {
        if let Some(dir) = self.dirs.get_mut(index) {
            dir.pending.drain(..).for_each(|change| change.apply(&mut dir.durable));
        }
    }

    /// Creates the directories of `path` that are missing; returns the index of the last, and of each that got a name.
    pub fn create_dirs(&mut self, path: &Path) -> io::Result<(usize, Vec<usize>)> {
        let (mut at, mut changed) = (0, Vec::new());
        for part in parts(path)? {
            at = match self.dirs.get(at).and_then(|dir| dir.names.get(part)) {
                Some(Node::Dir(next)) => *next,
                Some(Node::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                None => {
                    let next = self.dirs.len();
                    self.dirs.push(Directory::default());
                    self.change(at, NameChange::Create(part.into(), Node::Dir(next)));
                    changed.push(at);
                    next
                }
            };
        }
        Ok((at, changed))
    }

    /// The paths of all files, in order.
    pub fn files(&self) -> Vec<PathBuf> {
        let (mut files, mut todo) = (Vec::new(), vec![(PathBuf::from("/"), 0)]);
        while let Some((path, index)) = todo.pop() {
            for (name, node) in self.dirs.get(index).into_iter().flat_map(|dir| &dir.names) {
                match node {
                    Node::File(_) => files.push(path.join(&**name)),
                    Node::Dir(next) => todo.push((path.join(&**name), *next)),
                }
            }
        }
        files.sort();
        files
    }
}

impl NameChange {
    pub fn apply(&self, names: &mut Names) {
        match self {
            NameChange::Create(name, node) => _ = names.insert(Arc::clone(name), node.clone()),
            NameChange::Remove(name) => _ = names.remove(name),
            NameChange::Rename(from, to, node) => {
                names.remove(from);
                names.insert(Arc::clone(to), node.clone());
            }
        }
    }

    /// The names it touches.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let (first, second) = match self {
            NameChange::Create(name, _) | NameChange::Remove(name) => (name, None),
            NameChange::Rename(from, to, _) => (from, Some(to)),
        };
        std::iter::once(first).chain(second)
    }
}

impl FileState {
    /// A file of which everything is durable.
    pub fn durable(content: Content) -> FileState {
        FileState { current: content.clone(), durable: content, pending: Vec::new() }
    }

    pub fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.pending.push(change);
    }

    /// Makes `durable` equal to `current`, at the cost of what has changed and not of the length.
    ///
    /// Each page a write touched is taken over in its final state, whatever happened to it in between: a cut that
    /// comes after the write cuts it here too, and a write after the cut takes it over once more.
    pub fn sync(&mut self) {
        for change in self.pending.drain(..) {
            match change {
                Change::Write(offset, piece) => self.durable.share(&self.current, offset, piece.len()),
                Change::SetLen(len) => self.durable.set_len(len),
            }
        }
    }

    /// Forgets every write since the last sync, and keeps the length.
    pub fn drop_unsynced(&mut self) {
        let len = self.current.len();
        *self = FileState::durable(std::mem::take(&mut self.durable));
        if len != self.current.len() {
            self.change(Change::SetLen(len));
        }
    }
}

impl Change {
    pub fn apply(&self, content: &mut Content) {
        match self {
            Change::Write(offset, piece) => piece.write(content, *offset),
            Change::SetLen(len) => content.set_len(*len),
        }
    }
}

/// The names of a path from the root. The current directory is the root.
fn parts(path: &Path) -> io::Result<Vec<&str>> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => parts.push(name.to_str().ok_or(io::ErrorKind::InvalidInput)?),
            Component::ParentDir => _ = parts.pop(),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    Ok(parts)
}
