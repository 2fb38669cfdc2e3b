//! The operating system's files, clock and randomness. Nothing else in the crate touches them.
//!
//! Each method is one system call, so the contract of [`super`] is the operating system's own. What is worth knowing:
//!
//! (S1) `sync_data` is `fdatasync` (`F_FULLFSYNC` on Apple systems), and `sync_dir` opens the directory and syncs that.
//!      Windows has no such call: there the names are left to the journal of NTFS, which keeps them in order.
//! (S2) The lock is an advisory lock on an open file (`flock`, `LockFileEx`). It belongs to the open file and not to the
//!      process, so a second lock in the same process is refused as well; and it ends when the process ends.
//! (S3) A directory is not a file: `open` and `len` of one are errors.
//! (S4) A hard link is refused across file systems, by those that have none (FAT says that it is not permitted), and
//!      beyond a number of names that differs; `AlreadyExists` is told apart from these.
//!
//! Rejected: a lock file that holds a process id (stale after a crash), `fcntl` locks (they do not see a second open in
//! the same process, and closing any other handle of the file drops them), `O_DIRECT` (reads are mapped).

mod limit;
#[cfg(target_os = "linux")]
mod log_file;

pub use limit::memory_limit;

use super::{Clock, File, Mapped, Mode, Vfs};
use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct StdVfs;

/// The operating system's clock and random numbers.
#[derive(Debug, Clone, Copy)]
pub struct StdClock {
    start: Instant,
}

impl Vfs for StdVfs {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            Mode::Read => {}
            Mode::Write | Mode::Log => _ = options.write(true),
            Mode::CreateNew => _ = options.write(true).create_new(true),
            Mode::Truncate => _ = options.write(true).create(true).truncate(true),
        }
        let file = options.open(path)?;
        // On unix a directory opens for reading like a file, and only the first read would tell.
        if mode == Mode::Read && file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        #[cfg(target_os = "linux")]
        if mode == Mode::Log {
            return Ok(Box::new(log_file::LogFile::new(file)));
        }
        Ok(Box::new(StdFile(file)))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    #[cfg(unix)]
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(here(path))?.sync_all()
    }

    #[cfg(not(unix))]
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::metadata(here(path)).map(|_| ())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// A name that is not Unicode is none of ours. It is shown with replacement characters rather than left out, so
    /// that the folder does not look empty.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(here(dir))?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) => Ok(Some(found.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(Lock(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}

/// Bytes that nobody can guess, for what guards a secret: there is no second best, so without them this fails.
pub(crate) fn secret_bytes<const N: usize>() -> crate::Result<[u8; N]> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            Err(crate::Error::io("draw random bytes", Path::new(""), io::Error::other(error.to_string())))
        }
    }
}

impl StdClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    pub fn new() -> StdClock {
        StdClock { start: Instant::now() }
    }
}

impl Default for StdClock {
    fn default() -> StdClock {
        StdClock::new()
    }
}

impl Clock for StdClock {
    fn wall_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    /// Random bits name databases apart and jitter waits; they guard no secret. So where the operating system has none
    /// to give (it always does once it has booted), the nanoseconds of the clock are better than a failure.
    fn random(&self) -> u64 {
        secret_bytes().map(u64::from_le_bytes).unwrap_or_else(|_| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            (now.as_secs().rotate_left(32) ^ u64::from(now.subsec_nanos()))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        })
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

struct StdFile(fs::File);

impl File for StdFile {
    #[cfg(unix)]
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, buf, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.0, buf, offset)
    }

    #[cfg(unix)]
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, buf, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, mut buf: &[u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match std::os::windows::fs::FileExt::seek_write(&self.0, buf, offset)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => (buf, offset) = (buf.get(n..).unwrap_or_default(), offset + n as u64),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    #[expect(unsafe_code, reason = "a map of a file is unsafe by nature; the argument is at the call")]
    fn map(&self) -> io::Result<Arc<dyn Mapped>> {
        // SAFETY: the bytes of a map must not change or be cut off while a slice of them lives. The engine maps only
        // finished files (V5): it never writes to or truncates a file after mapping it, it removes such a file only by
        // name (the map keeps the content alive), and the lock keeps every other process of ours out of the folder. The
        // map is read-only, and `bytes` lends it no longer than the map itself lives.
        let map = unsafe { memmap2::Mmap::map(&self.0)? };
        Ok(Arc::new(Map(map)))
    }
}

struct Map(memmap2::Mmap);

impl Mapped for Map {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

struct Lock(fs::File);

impl Drop for Lock {
    /// Closing would do, but for a child process that was forked and has not yet run its program: it holds a copy of
    /// the open file. An explicit unlock frees the lock for all copies.
    fn drop(&mut self) {
        // Nothing can be done about a failure, and closing the file follows at once.
        let _ = self.0.unlock();
    }
}

/// The parent of a relative path of one part is the empty path, which means the current directory.
fn here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_contract() {
        let dir = tempfile::tempdir().unwrap();
        crate::vfs::tests::check_contract(Arc::new(StdVfs), dir.path());
    }

    #[test]
    fn a_lock_is_refused_under_any_spelling() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        let lock = StdVfs.lock(&path).unwrap().unwrap();
        #[cfg(unix)]
        {
            let link = dir.path().join("link");
            std::os::unix::fs::symlink(dir.path(), &link).unwrap();
            assert!(StdVfs.lock(&link.join("LOCK")).unwrap().is_none());
        }
        assert!(StdVfs.lock(&dir.path().join(".").join("LOCK")).unwrap().is_none());
        drop(lock);
        assert!(StdVfs.lock(&path).unwrap().is_some());
    }

    #[test]
    fn the_lock_of_another_open_file_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        let other = fs::File::create(&path).unwrap();
        other.lock().unwrap();
        assert!(StdVfs.lock(&path).unwrap().is_none());
        drop(other);
        assert!(StdVfs.lock(&path).unwrap().is_some());
    }

    #[test]
    fn a_map_outlives_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let file = StdVfs.open(&path, Mode::CreateNew).unwrap();
        file.write_at(b"kept", 0).unwrap();
        let map = file.map().unwrap();
        drop(file);
        StdVfs.remove(&path).unwrap();
        assert_eq!(map.bytes(), b"kept");
    }

    #[test]
    fn the_empty_path_is_the_current_directory() {
        StdVfs.sync_dir(Path::new("")).unwrap();
        assert!(!StdVfs.list(Path::new("")).unwrap().is_empty());
    }

    #[test]
    fn the_clock_runs() {
        let clock = StdClock::default();
        let (wall, before) = (clock.wall_ms(), clock.monotonic());
        assert!(wall > 1_600_000_000_000, "{wall}");
        clock.sleep(Duration::ZERO);
        assert!(clock.monotonic() >= before);
        assert_ne!(clock.random(), clock.random());
    }
}
