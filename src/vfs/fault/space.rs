//! How much may still be written before the disk is full.
//!
//! Invariant: the lock is held over a write and the look at the length before it, so that two writers cannot both take
//! the same last bytes. Without a limit nothing is locked for longer than a look.

use super::Failure;
use crate::sync::plain::Mutex;
use crate::vfs::{File, Vfs};
use std::io;
use std::path::Path;

/// The bytes left; `None` is no limit.
#[derive(Debug, Default)]
pub(super) struct Space {
    left: Mutex<Option<u64>>,
}

impl Space {
    pub fn set(&self, bytes: Option<u64>) {
        *self.left.lock() = bytes;
    }

    pub fn get(&self) -> Option<u64> {
        *self.left.lock()
    }

    /// Writes what fits.
    pub fn write(&self, file: &dyn File, buf: &[u8], offset: u64) -> io::Result<()> {
        let mut guard = self.left.lock();
        let Some(left) = guard.as_mut() else {
            drop(guard);
            return file.write_at(buf, offset);
        };
        let len = file.len()?;
        let room = len.saturating_add(*left).saturating_sub(offset);
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(buf.len());
        let part = buf.get(..fits).unwrap_or(buf);
        if !part.is_empty() {
            file.write_at(part, offset)?;
            *left -= (offset + fits as u64).saturating_sub(len);
        }
        if fits < buf.len() { Err(Failure::NoSpace.into()) } else { Ok(()) }
    }

    pub fn set_len(&self, file: &dyn File, len: u64) -> io::Result<()> {
        let mut guard = self.left.lock();
        let Some(left) = guard.as_mut() else {
            drop(guard);
            return file.set_len(len);
        };
        let all = left.saturating_add(file.len()?);
        let rest = all.checked_sub(len).ok_or_else(|| io::Error::from(Failure::NoSpace))?;
        file.set_len(len)?;
        *left = rest;
        Ok(())
    }

    /// Does what makes the file at `path` vanish or empty, and takes its bytes back.
    pub fn freeing<T>(
        &self,
        vfs: &dyn Vfs,
        path: &Path,
        act: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let mut guard = self.left.lock();
        let Some(left) = guard.as_mut() else {
            drop(guard);
            return act();
        };
        let freed = vfs.len(path)?.unwrap_or_default();
        let done = act()?;
        *left = left.saturating_add(freed);
        Ok(done)
    }
}
