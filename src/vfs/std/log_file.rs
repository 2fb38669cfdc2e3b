//! A file that is written through a map: a log gets many small pieces, one behind the other.
//!
//! ```text
//!  0                     start            start + WINDOW                length
//!  |---------------------|================|-----------------------------|- - - - - - - -
//!     written              mapped           not reached yet               what makes it longer: `pwrite`
//! ```
//!
//! A copy of 80 bytes into the map takes 20 ns, a `pwrite` of them 1,370 beside other work (docs/decisions/0019). What is written so is what
//! `pwrite` would have written: the map and the file are the same pages, which outlive the process, and which `fdatasync` writes.
//! (On Linux `msync` is nothing but an `fsync` of a range; a page's first change is noticed by a fault, and makes it dirty.)
//!
//! (M1) No store faults for want of space or of a readable block: a window is made present and writable when it is mapped, and
//!      that tells of an error instead of raising a signal. Where a change would need space again later, in file systems that
//!      never write in place, there is no map: only those of [`IN_PLACE`] have one.
//! (M2) The map ends where the file does, and the file is not cut while it is mapped.
//! (M3) What cannot be mapped is written as any other file, and that gives the errors.

use super::StdFile;
use crate::sync::plain::Mutex;
use crate::vfs::{File, Mapped};
use memmap2::{Advice, MmapMut, MmapOptions};
use std::fs;
use std::io;
use std::sync::Arc;

/// So much is mapped at a time. All of it is dirty from then on, and written by the next sync, so it is little.
const WINDOW: usize = 64 << 10;
/// Longer pieces are written as to any other file: a system call for so many bytes is cheaper than the faults.
const LONGEST: usize = WINDOW / 4;

/// File systems that change a block where it is, by their numbers in `statfs`: ext2 to ext4, XFS, tmpfs.
const IN_PLACE: [u64; 3] = [0xef53, 0x5846_5342, 0x0102_1994];

/// A file whose length there is already is written through a map.
pub(super) struct LogFile {
    file: StdFile,
    window: Mutex<Window>,
}

enum Window {
    /// The bytes from an offset on.
    At(u64, MmapMut),
    /// None yet.
    Closed,
    /// None can be had (M3).
    Never,
}

impl LogFile {
    pub(super) fn new(file: fs::File) -> LogFile {
        let is_in_place = rustix::fs::fstatfs(&file)
            .is_ok_and(|found| u64::try_from(found.f_type).is_ok_and(|number| IN_PLACE.contains(&number)));
        let window = if is_in_place { Window::Closed } else { Window::Never };
        LogFile { file: StdFile(file), window: Mutex::new(window) }
    }
}

impl Window {
    /// Copies `buf` into the file, if a window can be had for it.
    fn write(&mut self, file: &StdFile, buf: &[u8], offset: u64) -> bool {
        if let Window::At(start, map) = self
            && copy(map, *start, buf, offset)
        {
            return true;
        }
        if let Window::Never = self {
            return false;
        }
        match map(file, offset, buf.len()) {
            Ok(Some(mut map)) => {
                let copied = copy(&mut map, offset, buf, offset);
                *self = Window::At(offset, map);
                copied
            }
            Ok(None) => false,
            Err(_) => {
                *self = Window::Never;
                false
            }
        }
    }
}

fn copy(map: &mut MmapMut, start: u64, buf: &[u8], offset: u64) -> bool {
    let Some(from) = offset.checked_sub(start).and_then(|from| usize::try_from(from).ok()) else {
        return false;
    };
    let Some(part) = from.checked_add(buf.len()).and_then(|to| map.get_mut(from..to)) else { return false };
    part.copy_from_slice(buf);
    true
}

/// The bytes of `file` from `offset` on, as many as a window has or the file; `None` when those are fewer than `wanted`.
#[expect(unsafe_code, reason = "a map of a file is unsafe by nature; the argument is at the call")]
fn map(file: &StdFile, offset: u64, wanted: usize) -> io::Result<Option<MmapMut>> {
    let rest = file.len()?.saturating_sub(offset);
    let len = usize::try_from(rest).unwrap_or(usize::MAX).min(WINDOW);
    if len < wanted.max(1) {
        return Ok(None);
    }
    // SAFETY: the bytes of a map must not change while a slice of them lives, nor be cut off at any time. A slice lives only
    // while `copy` writes it, under the lock of the window, and nothing is read from it. Only the engine writes to its files, it
    // has one handle for writing to a log, and the lock keeps every other process of ours out of the folder; those who read
    // do so by system calls. Nobody cuts a log but `set_len`, which closes the window first (M2).
    let map = unsafe { MmapOptions::new().offset(offset).len(len).map_mut(&file.0)? };
    map.advise(Advice::PopulateWrite)?;
    Ok(Some(map))
}

impl File for LogFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if buf.len() <= LONGEST && self.window.lock().write(&self.file, buf, offset) {
            return Ok(());
        }
        self.file.write_at(buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut window = self.window.lock();
        if let Window::At(..) = *window {
            *window = Window::Closed;
        }
        self.file.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn map(&self) -> io::Result<Arc<dyn Mapped>> {
        self.file.map()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::std::StdVfs;
    use crate::vfs::{Mode, Vfs};
    use std::path::Path;

    fn zeros(path: &Path, len: usize) -> LogFile {
        fs::write(path, vec![0; len]).unwrap();
        LogFile::new(fs::File::options().read(true).write(true).open(path).unwrap())
    }

    fn is_mapped(file: &LogFile) -> bool {
        matches!(*file.window.lock(), Window::At(..))
    }

    /// Pieces of every length, in a row, over the borders of windows and over the end of the file: what a plain file would hold.
    #[test]
    fn holds_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let file = zeros(&path, 3 * WINDOW + 100);
        let (mut expected, mut at) = (vec![0; 3 * WINDOW + 100], 32);
        for n in 0_usize.. {
            let piece = vec![(n % 251) as u8 + 1; n * 37 % 3000 + usize::from(n % 100 == 99) * LONGEST];
            if at + piece.len() > 4 * WINDOW {
                break;
            }
            file.write_at(&piece, at as u64).unwrap();
            expected.resize(expected.len().max(at + piece.len()), 0);
            expected[at..at + piece.len()].copy_from_slice(&piece);
            at += piece.len().saturating_sub(8);
        }
        file.sync_data().unwrap();
        assert_eq!(file.len().unwrap(), expected.len() as u64);
        assert!(fs::read(&path).unwrap() == expected);
        let mut read = vec![0; 5000];
        assert_eq!(file.read_at(&mut read, WINDOW as u64).unwrap(), 5000);
        assert!(read == expected[WINDOW..][..5000]);
    }

    /// Not a test of ours alone: where these tests run, a map is expected, or the others show nothing.
    #[test]
    fn maps_where_blocks_stay() {
        let dir = tempfile::tempdir().unwrap();
        let file = zeros(&dir.path().join("f"), WINDOW);
        let expected = !matches!(*file.window.lock(), Window::Never);
        file.write_at(b"short", 10).unwrap();
        assert_eq!(is_mapped(&file), expected);
    }

    #[test]
    fn a_file_is_cut_only_after_its_map_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let file = zeros(&path, 2 * WINDOW);
        file.write_at(b"before", 5000).unwrap();
        file.set_len(100).unwrap();
        assert!(!is_mapped(&file));
        file.write_at(b"behind", 5000).unwrap();
        assert_eq!(file.len().unwrap(), 5006);
        let content = fs::read(&path).unwrap();
        assert!(content[..5000].iter().all(|byte| *byte == 0) && &content[5000..] == b"behind");
    }

    #[test]
    fn what_cannot_be_mapped_is_written_all_the_same_or_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, vec![0; WINDOW]).unwrap();
        // Write access is needed for the map, and for `pwrite`.
        let file = LogFile::new(fs::File::open(&path).unwrap());
        assert!(file.write_at(b"no", 0).is_err());
        assert!(matches!(*file.window.lock(), Window::Never));
        let file = zeros(&path, WINDOW);
        *file.window.lock() = Window::Never;
        file.write_at(b"yes", 7).unwrap();
        assert_eq!(&fs::read(&path).unwrap()[7..10], b"yes");
    }

    #[test]
    fn a_log_is_opened_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        assert!(StdVfs.open(&path, Mode::Log).is_err());
        fs::write(&path, vec![0; WINDOW]).unwrap();
        let file = StdVfs.open(&path, Mode::Log).unwrap();
        file.write_at(b"piece", 3).unwrap();
        StdVfs.remove(&path).unwrap();
        file.write_at(b"more", 8).unwrap();
        let mut read = [0; 9];
        assert_eq!(file.read_at(&mut read, 3).unwrap(), 9);
        assert_eq!(&read, b"piecemore");
    }
}
