//! Segments before and after their life as log: made ready, taken again.
//!
//! A crash at any point of [`prepare`] leaves either a `.spare` file, which the next open removes, or a finished `.log`
//! without records, which recovery passes over. A failure removes the `.spare` file, so that failing again and again for
//! want of space does not take more of it.

use crate::Result;
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header;
use crate::vfs::{Dir, Mode, OpenFile};

/// No segment is shorter (wal W6).
pub const MIN_CAPACITY: u64 = 64 << 10;
/// Zeros are written in pieces of this size. The page cache may keep what is written at once in one folio, and counts a later
/// write of a few bytes to it as one of the whole folio; so the pieces are small.
const FILL_PIECE: usize = 64 << 10;
/// They are synced whenever so many bytes are reached: a writer's own sync that comes in between waits for so much and not for
/// the whole segment. More of its syncs meet one, but the slowest are shorter.
const SYNC_EVERY: u64 = 1 << 20;

/// A segment that is ready to be written: header in place, filled, durable under its name.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Its place.
    pub place: Place,
    /// The file.
    pub file: OpenFile,
    /// Its length.
    pub capacity: u64,
}

/// Makes the segment at `place` ready, of `capacity` bytes or a few more. A used file, by its spare number, is taken again
/// if given. It is opened in `mode`. That can take seconds: `give_way` is called over and over meanwhile, for what must not wait so long.
///
/// # Errors
/// [`crate::Error::Io`] or [`crate::Error::DiskFull`].
pub fn prepare(
    dir: &Dir,
    place: Place,
    capacity: u64,
    used: Option<u64>,
    mode: Mode,
    give_way: &dyn Fn(),
) -> Result<Segment> {
    let spare = FileName::Spare(used.unwrap_or(place.number)).to_string();
    let begin = if used.is_some() { Mode::Write } else { Mode::Truncate };
    make(dir, &spare, begin, &place, capacity, give_way).inspect_err(|_| {
        // What cannot be removed now is removed by the next open.
        let _ = dir.remove(&spare);
    })?;
    dir.sync()?;
    // Opened anew, so that errors name the file as it is called from now on.
    let file = dir.open(&FileName::Log(place.number).to_string(), mode)?;
    let capacity = file.len()?;
    Ok(Segment { place, file, capacity })
}

fn make(dir: &Dir, spare: &str, mode: Mode, place: &Place, capacity: u64, give_way: &dyn Fn()) -> Result<()> {
    let file = dir.open(spare, mode)?;
    file.write_at(&header::encode(place), 0)?;
    fill(&file, capacity.max(MIN_CAPACITY), give_way)?;
    file.sync()?;
    dir.rename(spare, &FileName::Log(place.number).to_string())
}

/// Writes real zeros from the end of `file` up to `capacity`: blocks that only `fallocate` promised would still cost
/// the first write of each a metadata update.
fn fill(file: &OpenFile, capacity: u64, give_way: &dyn Fn()) -> Result<()> {
    let mut at = file.len()?;
    let zeros = vec![0; capacity.saturating_sub(at).min(FILL_PIECE as u64) as usize];
    let mut next_sync = at + SYNC_EVERY;
    while at < capacity {
        let n = (capacity - at).min(FILL_PIECE as u64) as usize;
        file.write_at(zeros.get(..n).unwrap_or_default(), at)?;
        at += n as u64;
        give_way();
        if at >= next_sync {
            file.sync()?;
            next_sync = at + SYNC_EVERY;
        }
    }
    Ok(())
}

/// Makes a segment that may be taken as a used one later, and holds its space until then. It need not outlive a crash.
///
/// # Errors
/// [`crate::Error::Io`] or [`crate::Error::DiskFull`]; nothing is left then.
pub fn reserve(dir: &Dir, number: u64, capacity: u64) -> Result<()> {
    let spare = FileName::Spare(number).to_string();
    let filled =
        dir.open(&spare, Mode::Truncate).and_then(|file| fill(&file, capacity.max(MIN_CAPACITY), &|| ()));
    filled.inspect_err(|_| {
        // What cannot be removed now is removed by the next open.
        let _ = dir.remove(&spare);
    })
}

/// Puts a segment that is no longer needed aside, to be taken again.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn set_aside(dir: &Dir, number: u64) -> Result<()> {
    dir.rename(&FileName::Log(number).to_string(), &FileName::Spare(number).to_string())
}
