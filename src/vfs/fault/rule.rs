//! Which operations fail, and how. (F1) to (F3) of [`super`] are kept here.

use std::io;
use std::path::Path;

/// A class of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// Opening a file that exists.
    Open,
    /// Creating or emptying a file, and creating a directory.
    Create,
    /// `File::read_at`.
    Read,
    /// `File::write_at`.
    Write,
    /// `File::set_len`.
    SetLen,
    /// `File::sync_data`.
    Sync,
    /// `File::map`.
    Map,
    /// `Vfs::sync_dir`.
    SyncDir,
    /// `Vfs::rename`.
    Rename,
    /// `Vfs::hard_link`.
    Link,
    /// `Vfs::remove`.
    Remove,
    /// Asking for a length or for the names of a directory.
    Look,
    /// `Vfs::lock`.
    Lock,
}

/// What the operating system gives as the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The device failed (`EIO`).
    Device,
    /// The disk is full (`ENOSPC`).
    NoSpace,
    /// Permission denied (`EACCES`).
    Denied,
    /// Too many open files (`EMFILE`).
    TooManyFiles,
    /// Interrupted by a signal (`EINTR`).
    Interrupted,
}

/// What happens to an operation besides its failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// Nothing: it is not done.
    NotDone,
    /// It is done, and fails all the same: a rename that happened, a write that arrived.
    Done,
    /// Of a write, only the first so many bytes arrive.
    ShortWrite(usize),
    /// A sync loses everything written to the file since the last one, and a later sync succeeds without it. Only over
    /// a [`MemVfs`](crate::vfs::mem::MemVfs); elsewhere as `NotDone`.
    DropUnsynced,
    /// A read gives half of the bytes asked for, without an error. Other operations are left alone.
    ShortRead,
}

/// A rule: which operations fail, and how. Unless told otherwise, once, with [`Failure::Device`], and not done.
#[derive(Debug, Clone)]
#[must_use]
pub struct Fault {
    nth: u64,
    times: u64,
    op: Option<Op>,
    suffix: Option<String>,
    failure: Failure,
    effect: Effect,
}

/// All rules, and what they have seen.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub ops: u64,
    pub injected: u64,
    /// Each with the number of operations it has matched.
    list: Vec<(Fault, u64)>,
}

impl Fault {
    /// Lets `n` matching operations pass and fails the next.
    pub fn nth(n: u64) -> Fault {
        let (failure, effect) = (Failure::Device, Effect::NotDone);
        Fault { nth: n, times: 1, op: None, suffix: None, failure, effect }
    }

    /// Matches only this class of operations.
    pub fn on(self, op: Op) -> Fault {
        Fault { op: Some(op), ..self }
    }

    /// Matches only files whose name ends with `suffix`.
    pub fn named(self, suffix: impl Into<String>) -> Fault {
        Fault { suffix: Some(suffix.into()), ..self }
    }

    /// Fails this many matching operations in a row, then is healed.
    pub fn times(self, times: u64) -> Fault {
        Fault { times, ..self }
    }

    /// Fails every matching operation from then on.
    pub fn forever(self) -> Fault {
        self.times(u64::MAX)
    }

    /// The reason that is given.
    pub fn failing_with(self, failure: Failure) -> Fault {
        Fault { failure, ..self }
    }

    /// What happens besides.
    pub fn with(self, effect: Effect) -> Fault {
        Fault { effect, ..self }
    }

    fn matches(&self, op: Op, paths: &[&Path]) -> bool {
        let ends = |suffix: &String| {
            let mut names = paths.iter().filter_map(|path| path.file_name()?.to_str());
            names.any(|name| name.ends_with(suffix.as_str()))
        };
        self.op.is_none_or(|it| it == op) && self.suffix.as_ref().is_none_or(ends)
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> io::Error {
        match failure {
            Failure::Device => io::Error::other("injected: the device failed"),
            Failure::NoSpace => io::Error::new(io::ErrorKind::StorageFull, "injected: no space left"),
            Failure::Denied => io::Error::new(io::ErrorKind::PermissionDenied, "injected: permission denied"),
            // There is no kind for it; who wants to recognise it compares the number.
            Failure::TooManyFiles if cfg!(unix) => io::Error::from_raw_os_error(24),
            Failure::TooManyFiles => io::Error::other("injected: too many open files"),
            Failure::Interrupted => io::Error::new(io::ErrorKind::Interrupted, "injected: interrupted"),
        }
    }
}

impl Rules {
    pub fn add(&mut self, fault: Fault) {
        self.list.push((fault, 0));
    }

    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// Counts an operation, and says what is to become of it.
    pub fn next(&mut self, op: Op, paths: &[&Path]) -> Option<(Effect, Failure)> {
        self.ops += 1;
        let mut found = None;
        for (fault, seen) in self.list.iter_mut().filter(|(fault, _)| fault.matches(op, paths)) {
            let due = *seen >= fault.nth && *seen - fault.nth < fault.times;
            *seen += 1;
            if due && found.is_none() && (fault.effect != Effect::ShortRead || op == Op::Read) {
                found = Some((fault.effect, fault.failure));
            }
        }
        self.injected += u64::from(found.is_some());
        found
    }
}
