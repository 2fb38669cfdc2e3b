//! The first 32 bytes of every file.
//!
//! ```text
//! offset  size
//!      0     8  magic "siltston"
//!      8     1  file kind
//!      9     1  format version
//!     10     2  encryption scheme: 0, none; others are refused until there is one
//!     12     4  CRC-32 of bytes 0..12 and 16..32
//!     16     8  database id
//!     24     8  file number
//! ```
//!
//! The database id is random, made once; with the number it lets every checksum be bound to its place.

pub use super::checksum::FileKind;

use super::checksum::Place;
use super::filename::MAX_NUMBER;
use crate::planted::{Bug, planted};
use crate::{Error, Result};
use std::path::Path;

/// The length of the header.
pub const HEADER_LEN: usize = 32;
/// The format version this build writes.
pub const FORMAT_VERSION: u8 = 1;
const MAGIC: [u8; 8] = *b"siltston";

/// The header of the file at `place`.
#[must_use]
pub fn encode(place: &Place) -> [u8; HEADER_LEN] {
    let mut out = Vec::with_capacity(HEADER_LEN);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[place.kind as u8, FORMAT_VERSION, 0, 0]);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&place.database.to_le_bytes());
    out.extend_from_slice(&place.number.to_le_bytes());
    let mut header = [0; HEADER_LEN];
    header.copy_from_slice(&out);
    let crc = crc(&header);
    if let Some(slot) = header.get_mut(12..16) {
        slot.copy_from_slice(&crc.to_le_bytes());
    }
    header
}

fn crc(header: &[u8; HEADER_LEN]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header.get(..12).unwrap_or_default());
    hasher.update(header.get(16..).unwrap_or_default());
    hasher.finalize()
}

/// Reads the header of a file of any kind.
///
/// # Errors
/// [`Error::Corruption`] when it is not one of ours or damaged, [`Error::Incompatible`] when it is newer.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<Place> {
    let damaged = |detail: String| Error::corruption(path, 0, "file header", detail);
    let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
        return Err(damaged(format!("{} bytes, at least {HEADER_LEN} expected", bytes.len())));
    };
    let mut r = super::coding::Reader::new(header);
    let (
        Some(magic),
        Some(kind),
        Some(version),
        Some(encryption),
        Some(stored),
        Some(database),
        Some(number),
    ) = (r.array::<8>(), r.u8(), r.u8(), r.u16(), r.u32(), r.u64(), r.u64())
    else {
        return Err(damaged("too short".into()));
    };
    if magic != MAGIC {
        return Err(damaged(format!("magic {magic:02x?}, {MAGIC:02x?} expected")));
    }
    let found = crc(header);
    if found != stored {
        return Err(damaged(format!("checksum {found:08x}, {stored:08x} expected")));
    }
    let newer = |what: &'static str, found: String, supported: &str| Error::Incompatible {
        path: path.to_path_buf(),
        what,
        found,
        supported: supported.into(),
    };
    if version != FORMAT_VERSION && !planted(Bug::AcceptNewerFormat) {
        return Err(newer("format version", version.to_string(), "version 1"));
    }
    if encryption != 0 {
        return Err(newer("encryption scheme", encryption.to_string(), "unencrypted files"));
    }
    let Some(kind) = FileKind::from_u8(kind) else {
        return Err(newer("file kind", kind.to_string(), "kinds 1 to 4"));
    };
    if number > MAX_NUMBER {
        return Err(damaged(format!("file number {number}, at most {MAX_NUMBER} expected")));
    }
    Ok(Place { database, kind, number })
}

/// Checks that a file that begins with `bytes` is the one at `place`.
///
/// # Errors
/// As [`decode`]; [`Error::Corruption`] when the file belongs elsewhere.
pub fn expect(path: &Path, bytes: &[u8], place: &Place) -> Result<()> {
    let found = decode(path, bytes)?;
    if found == *place {
        return Ok(());
    }
    let detail = format!(
        "it is {:?} {} of database {:016x}, {:?} {} of database {:016x} expected",
        found.kind, found.number, found.database, place.kind, place.number, place.database
    );
    Err(Error::corruption(path, 0, "file header", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { database: 0x1122_3344_5566_7788, kind: FileKind::Table, number: 7 };

    #[test]
    fn golden() {
        let golden =
            b"siltston\x02\x01\x00\x00\xb5\x8e\x79\x5f\x88\x77\x66\x55\x44\x33\x22\x11\x07\0\0\0\0\0\0\0";
        let bytes = encode(&PLACE);
        assert_eq!(bytes.get(..12), golden.get(..12));
        assert_eq!(bytes.get(16..), golden.get(16..));
        assert_eq!(decode(Path::new("f"), &bytes).unwrap(), PLACE);
    }

    /// Found by fuzzing: the number after such a one does not fit.
    #[test]
    fn a_number_that_there_cannot_be_is_refused() {
        let path = Path::new("f");
        assert!(decode(path, &encode(&Place { number: MAX_NUMBER, ..PLACE })).is_ok());
        for number in [MAX_NUMBER + 1, u64::MAX] {
            let refused = decode(path, &encode(&Place { number, ..PLACE })).unwrap_err();
            assert!(refused.is_corruption(), "{refused}");
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = encode(&PLACE);
        for bit in 0..HEADER_LEN * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(Path::new("f"), &bad).is_err(), "bit {bit}");
        }
        for len in 0..HEADER_LEN {
            assert!(decode(Path::new("f"), &good[..len]).is_err());
        }
    }
}
