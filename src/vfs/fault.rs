//! A file system that fails on command.
//!
//! [`FaultVfs`] wraps another one and passes everything on, but for the operations that a [`Fault`] names: "the third
//! sync of a file that ends in `.log`, and every one after it". All operations are numbered from 0, reads too, so a loop
//! `for i in 0..` that fails operation `i` visits every place an error can come from; it is done when a run ends with
//! [`FaultVfs::injected`] still 0. No random numbers are involved: the same work meets the same faults.
//!
//! ```
//! use siltstone::vfs::fault::{Failure, Fault, FaultVfs, Op};
//! use siltstone::vfs::{Dir, Mode, mem::MemVfs};
//! use std::sync::Arc;
//!
//! # fn main() -> siltstone::Result<()> {
//! let vfs = FaultVfs::over_mem(MemVfs::new());
//! let dir = Dir::new(Arc::new(vfs.clone()), "/");
//! vfs.inject(Fault::nth(1).on(Op::Write).named(".log").failing_with(Failure::NoSpace));
//!
//! let file = dir.open("1.log", Mode::CreateNew)?;
//! file.write_at(b"fits", 0)?;
//! assert!(file.write_at(b"does not", 4).unwrap_err().is_transient());
//! file.write_at(b"fits again", 4)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where the rules end
//!
//! (F1) A rule counts the operations it matches, whether another rule fails them or not. The first rule in the order of
//!      injection that is due decides.
//! (F2) A file keeps the name it was opened under, also when it is renamed later. A rename matches by either name, and so
//!      does a hard link.
//! (F3) An effect that does not fit the operation is a plain failure: a short write of a sync just fails. Only
//!      [`Effect::ShortRead`], which is no failure, leaves other operations alone.
//! (F4) Space is counted by the lengths of files, holes included, and comes back with a removal, a cut or a
//!      replacement, even while the old file is still open. A further name takes none, and the space comes back with the
//!      first of the names that goes.

mod rule;
mod space;

#[cfg(test)]
mod tests;

pub use rule::{Effect, Failure, Fault, Op};

use super::mem::{MemFile, MemVfs};
use super::{File, Mapped, Mode, Vfs};
use crate::sync::plain::Mutex;
use rule::Rules;
use space::Space;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file system that passes operations on to another one, or fails them. Clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct FaultVfs {
    inner: Arc<dyn Vfs>,
    /// The same as `inner`, when that can lose writes.
    mem: Option<MemVfs>,
    plan: Arc<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    rules: Mutex<Rules>,
    space: Space,
}

impl FaultVfs {
    /// Over any file system.
    #[must_use]
    pub fn new(inner: Arc<dyn Vfs>) -> FaultVfs {
        FaultVfs { inner, mem: None, plan: Arc::default() }
    }

    /// Over one in memory, which can also lose unsynced writes ([`Effect::DropUnsynced`]).
    #[must_use]
    pub fn over_mem(mem: MemVfs) -> FaultVfs {
        FaultVfs { mem: Some(mem.clone()), ..FaultVfs::new(Arc::new(mem)) }
    }

    /// Adds a rule, which counts from now on.
    pub fn inject(&self, fault: Fault) {
        self.plan.rules.lock().add(fault);
    }

    /// Limits what may still be written, in bytes by which files grow; `None` is no limit, as at the start. A write
    /// that does not fit arrives up to the limit and fails with [`Failure::NoSpace`].
    pub fn set_free_space(&self, bytes: Option<u64>) {
        self.plan.space.set(bytes);
    }

    /// What may still be written.
    #[must_use]
    pub fn free_space(&self) -> Option<u64> {
        self.plan.space.get()
    }

    /// Forgets all rules and the limit of space.
    pub fn heal(&self) {
        self.plan.rules.lock().clear();
        self.set_free_space(None);
    }

    /// How many operations there were, failed ones included.
    #[must_use]
    pub fn op_count(&self) -> u64 {
        self.plan.rules.lock().ops
    }

    /// How many operations met a rule that was due.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.plan.rules.lock().injected
    }
}

impl Plan {
    /// Counts an operation, and says what is to become of it.
    fn next(&self, op: Op, paths: &[&Path]) -> Option<(Effect, Failure)> {
        self.rules.lock().next(op, paths)
    }

    /// Does an operation that has no effects of its own, unless it is to fail.
    fn run<T>(&self, op: Op, paths: &[&Path], act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.next(op, paths) {
            None => act(),
            Some((effect, failure)) => {
                if effect == Effect::Done {
                    act()?;
                }
                Err(failure.into())
            }
        }
    }
}

impl Vfs for FaultVfs {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        let op = if matches!(mode, Mode::Read | Mode::Write | Mode::Log) { Op::Open } else { Op::Create };
        let open = || -> io::Result<(Box<dyn File>, Option<MemFile>)> {
            match &self.mem {
                Some(mem) => mem.open_file(path, mode).map(|file| (Box::new(file.clone()) as _, Some(file))),
                None => Ok((self.inner.open(path, mode)?, None)),
            }
        };
        let (inner, mem) = self.plan.run(op, &[path], || match mode {
            Mode::Truncate => self.plan.space.freeing(&*self.inner, path, open),
            _ => open(),
        })?;
        Ok(Box::new(FaultFile { path: path.into(), inner, mem, plan: Arc::clone(&self.plan) }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.plan.run(Op::Create, &[path], || self.inner.create_dir_all(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.plan.run(Op::SyncDir, &[path], || self.inner.sync_dir(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let rename = || self.inner.rename(from, to);
        self.plan.run(Op::Rename, &[from, to], || {
            if from == to { rename() } else { self.plan.space.freeing(&*self.inner, to, rename) }
        })
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.plan.run(Op::Link, &[from, to], || self.inner.hard_link(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let remove = || self.inner.remove(path);
        self.plan.run(Op::Remove, &[path], || self.plan.space.freeing(&*self.inner, path, remove))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.plan.run(Op::Look, &[dir], || self.inner.list(dir))
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        self.plan.run(Op::Look, &[path], || self.inner.len(path))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        self.plan.run(Op::Lock, &[path], || self.inner.lock(path))
    }
}

struct FaultFile {
    path: Box<Path>,
    inner: Box<dyn File>,
    /// The same as `inner`, when that can lose writes.
    mem: Option<MemFile>,
    plan: Arc<Plan>,
}

impl File for FaultFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match self.plan.next(Op::Read, &[&self.path]) {
            None => self.inner.read_at(buf, offset),
            Some((Effect::ShortRead, _)) => {
                // Half of one byte is one byte: none would mean the end of the file.
                let half = buf.len().div_ceil(2);
                self.inner.read_at(buf.get_mut(..half).unwrap_or_default(), offset)
            }
            Some((_, failure)) => Err(failure.into()),
        }
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let write = |part: &[u8]| self.plan.space.write(&*self.inner, part, offset);
        match self.plan.next(Op::Write, &[&self.path]) {
            None => write(buf),
            Some((effect, failure)) => {
                match effect {
                    Effect::Done => write(buf)?,
                    Effect::ShortWrite(kept) => write(buf.get(..kept).unwrap_or(buf))?,
                    _ => {}
                }
                Err(failure.into())
            }
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.plan.run(Op::SetLen, &[&self.path], || self.plan.space.set_len(&*self.inner, len))
    }

    fn len(&self) -> io::Result<u64> {
        self.plan.run(Op::Look, &[&self.path], || self.inner.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.plan.next(Op::Sync, &[&self.path]) {
            None => self.inner.sync_data(),
            Some((effect, failure)) => {
                match (effect, &self.mem) {
                    (Effect::Done, _) => self.inner.sync_data()?,
                    (Effect::DropUnsynced, Some(mem)) => mem.drop_unsynced(),
                    _ => {}
                }
                Err(failure.into())
            }
        }
    }

    fn map(&self) -> io::Result<Arc<dyn Mapped>> {
        self.plan.run(Op::Map, &[&self.path], || self.inner.map())
    }
}
