//! An open file, which stays with its content whatever becomes of the name.

use super::MemVfs;
use super::content::{MAX_LEN, Piece};
use super::tree::{Change, Inode};
use crate::vfs::{File, Mapped, Mode};
use std::io;
use std::sync::Arc;

/// An open file of a [`MemVfs`].
#[derive(Clone)]
pub(in crate::vfs) struct MemFile {
    vfs: MemVfs,
    inode: Arc<Inode>,
    writable: bool,
}

impl MemFile {
    pub(super) fn new(vfs: MemVfs, inode: Arc<Inode>, mode: Mode) -> MemFile {
        MemFile { vfs, inode, writable: mode != Mode::Read }
    }

    /// See [`MemVfs::drop_unsynced`].
    pub(in crate::vfs) fn drop_unsynced(&self) {
        self.inode.state.write().drop_unsynced();
    }

    /// Makes a change after which the file reaches up to `end`.
    fn change(&self, end: Option<u64>, change: impl FnOnce() -> Change) -> io::Result<()> {
        if !self.writable {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is open for reading only"));
        }
        // The guard is held over the change, so that a crash image has all of it or nothing.
        let _state = self.vfs.begin();
        if end.is_none_or(|end| end > MAX_LEN) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.inode.state.write().change(change());
        Ok(())
    }
}

impl File for MemFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(self.inode.state.read().current.read(buf, offset))
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if buf.is_empty() {
            // It would change nothing, not even the length.
            return Ok(());
        }
        self.change(offset.checked_add(buf.len() as u64), || Change::Write(offset, Piece::of(buf)))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Some(len), || Change::SetLen(len))
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.inode.state.read().current.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        let _state = self.vfs.begin();
        self.inode.state.write().sync();
        Ok(())
    }

    fn map(&self) -> io::Result<Arc<dyn Mapped>> {
        Ok(Arc::new(self.inode.state.read().current.to_vec()))
    }
}
