//! Finds the blocks of a table whose index is lost.
//!
//! Nothing in front of a block says how long it is. But its checksum is bound to the offset where it begins, and stands
//! right behind it with its compression:
//!
//! ```text
//! begins at `offset`   payload …………  compression  crc        the next block begins here
//!                      └─ a running checksum ──┘   └ equal?
//! ```
//!
//! So the end of a block that begins at a known place is the first place where the running checksum is the number that
//! follows; by chance that happens once in 2³² bytes, and whoever takes the payload for a block decodes it, which such a
//! chance does not survive. Where a block is damaged its end is not found, and the beginning of the next one is looked for at
//! every byte.
//!
//! (Z1) The search for a beginning is bounded: it computes checksums over at most [`BUDGET`] bytes for a table, and takes no
//!      block for longer than twice the longest found before it, or [`LONGEST`] at first.

use super::format::{Handle, TRAILER_LEN};
use super::pieces::TableFile;
use crate::Result;

/// How much is read at once.
const WINDOW: u64 = 64 << 10;
/// How many bytes the search for beginnings may compute checksums over.
const BUDGET: u64 = 1 << 30;
/// How long the blocks are taken to be that the search looks for, before any was found.
const LONGEST: u64 = 32 << 10;
/// The greatest number of a compression.
const MAX_COMPRESSION: u8 = super::compression::ZSTD;

/// A walk over the pieces of a table, from its first to `end`.
pub struct Search<'a> {
    table: &'a TableFile,
    end: u64,
    longest: u64,
    budget: u64,
}

impl<'a> Search<'a> {
    /// A search that ends at the offset `end`.
    #[must_use]
    pub fn new(table: &'a TableFile, end: u64) -> Search<'a> {
        Search { table, end: end.min(table.len), longest: 0, budget: BUDGET }
    }

    /// The piece that begins at `offset`, if one does whose checksum is right.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn at(&mut self, offset: u64) -> Result<Option<Handle>> {
        let found = self.find_end(offset, self.end)?;
        self.longest = self.longest.max(found.map_or(0, |handle| handle.len));
        Ok(found)
    }

    /// The first piece that begins behind `offset` and that `accept`s.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn after(&mut self, offset: u64, accept: &mut dyn FnMut(Handle) -> bool) -> Result<Option<Handle>> {
        let most = if self.longest == 0 { LONGEST } else { 2 * self.longest } + TRAILER_LEN;
        for at in offset + 1..self.end {
            let end = (at + most).min(self.end);
            match self.budget.checked_sub(end - at) {
                Some(left) => self.budget = left,
                None => return Ok(None),
            }
            if let Some(found) = self.find_end(at, end)?.filter(|handle| accept(*handle)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn find_end(&self, offset: u64, end: u64) -> Result<Option<Handle>> {
        let mut crc = self.table.place.hasher(offset);
        let mut at = offset;
        while at < end {
            // With the checksum that would follow the last byte of the window.
            let window = self.table.read(at, (WINDOW + 4).min(end - at))?;
            let mut bytes = window.windows(5);
            for found in bytes.by_ref().take(WINDOW as usize) {
                let [compression, stored @ ..] = found else { break };
                crc.update(&[*compression]);
                let stored = stored.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
                if *compression <= MAX_COMPRESSION && at > offset && crc.clone().finalize() == stored {
                    return Ok(Some(Handle { offset, len: at - offset }));
                }
                at += 1;
            }
            if (window.len() as u64) < WINDOW + 4 {
                return Ok(None);
            }
        }
        Ok(None)
    }
}
