//! The grammar of a table file.
//!
//! ```text
//! table        header  data-block*  filter-block?  index-block  properties-block  footer
//! header       32 B, see `engine::header`
//! …-block      payload  trailer                without gaps, from the header to the footer
//! trailer      compression u8, crc u32         5 B
//! payload      compression 0, none             the content
//!              compression 1, lz4              length of the content u32, lz4 block
//!              compression 2, zstd             length of the content u32, zstd frame
//!
//! footer, 88 B
//! offset  size
//!      0    16  handle of the filter: offset u64, length u64; zeros when there is none
//!     16    16  handle of the index
//!     32    16  handle of the properties
//!     48    16  handle of the range tombstones: reserved, zeros
//!     64    12  reserved, zeros
//!     76     4  crc of bytes 0..76
//!     80     8  magic "tablend."
//! ```
//!
//! The content of data blocks is drawn in `block_builder`, that of the others in `filter`, `index` and `properties`.
//! These others are never compressed: they are read once, when the table is opened. A handle counts the payload, not
//! its trailer.
//!
//! (T1) Every checksum is bound to the file and the offset it belongs to (`engine::checksum`); that of a trailer covers
//!      payload and compression, that of the footer its first 76 bytes, at the offset of the footer.
//! (T2) Every byte of the file belongs to the header, a block with its trailer, or the footer: a flipped bit anywhere
//!      is noticed by `Table::verify`.
//! (T3) What is reserved is written as zeros, and anything else there is refused: it means something this build does
//!      not know.

use crate::engine::checksum::Place;
use crate::engine::coding::Reader;
use crate::engine::header::HEADER_LEN;
use crate::planted::{Bug, planted};
use crate::{Error, Result};
use std::path::Path;

/// The length of what follows each payload.
pub const TRAILER_LEN: u64 = 5;
/// The length of the footer.
pub const FOOTER_LEN: usize = 88;
/// The longest payload or content of a block: one entry of the greatest size fits.
pub const MAX_BLOCK_LEN: u64 = 1 << 31;

const MAGIC: [u8; 8] = *b"tablend.";
const FOOTER_CRC_AT: usize = 76;

/// Where a payload lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Handle {
    /// The offset of its first byte.
    pub offset: u64,
    /// How many bytes it has, its trailer not counted.
    pub len: u64,
}

impl Handle {
    /// The offset after the trailer; saturates, so that a handle from disk can be asked.
    #[must_use]
    pub fn end(self) -> u64 {
        self.offset.saturating_add(self.len).saturating_add(TRAILER_LEN)
    }
}

/// Where the blocks that are not data lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footer {
    /// The filter, if there is one.
    pub filter: Option<Handle>,
    /// The index.
    pub index: Handle,
    /// The properties.
    pub properties: Handle,
}

/// What is wrong with a piece of a file, as its decoder sees it: without path and offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// The bytes are not what was written.
    Corrupt(String),
    /// A newer version, or a build with other features, wrote them.
    Unknown {
        /// What is unknown.
        what: &'static str,
        /// What is there.
        found: String,
        /// What this build reads.
        supported: &'static str,
    },
}

impl Damage {
    /// Damage of the first kind.
    pub fn corrupt<T>(detail: impl Into<String>) -> Result<T, Damage> {
        Err(Damage::Corrupt(detail.into()))
    }

    /// The error, with the facts only the caller has.
    #[must_use]
    pub fn at(self, path: &Path, offset: u64, what: &'static str) -> Error {
        match self {
            Damage::Corrupt(detail) => Error::corruption(path, offset, what, detail),
            Damage::Unknown { what, found, supported } => Error::Incompatible {
                path: path.to_path_buf(),
                what,
                found: format!("{found} at offset {offset}"),
                supported: supported.into(),
            },
        }
    }
}

/// The trailer of a payload that lies at `offset`.
#[must_use]
pub fn trailer(place: &Place, offset: u64, payload: &[u8], compression: u8) -> [u8; TRAILER_LEN as usize] {
    let [a, b, c, d] = checksum(place, offset, payload, compression).to_le_bytes();
    [compression, a, b, c, d]
}

fn checksum(place: &Place, offset: u64, payload: &[u8], compression: u8) -> u32 {
    let from = if planted(Bug::ChecksumMissesLength) { payload.len().min(4) } else { 0 };
    place.crc(offset, &[payload.get(from..).unwrap_or_default(), &[compression]])
}

/// The payload at `handle` in the bytes of a file, with its compression; its checksum is not looked at.
///
/// # Errors
/// [`Damage`] when it does not lie in the file.
pub fn payload(file: &[u8], handle: Handle) -> Result<(u8, &[u8]), Damage> {
    let found = (|| {
        let start = usize::try_from(handle.offset).ok()?;
        let len = usize::try_from(handle.len).ok()?;
        let mut r = Reader::new(file.get(start..)?);
        let payload = r.take(len)?;
        let compression = r.u8()?;
        r.u32()?;
        Some((compression, payload))
    })();
    found.ok_or_else(|| {
        let detail = format!("{} bytes of payload do not fit in the file of {}", handle.len, file.len());
        Damage::Corrupt(detail)
    })
}

/// As [`payload`], with the checksum checked.
///
/// # Errors
/// [`Damage`] when it does not lie in the file, or differs from what was written.
pub fn checked_payload<'a>(place: &Place, file: &'a [u8], handle: Handle) -> Result<(u8, &'a [u8]), Damage> {
    // `payload` has found it, with its trailer, in the file, so the offsets fit.
    payload(file, handle)?;
    checked_piece(
        place,
        handle.offset,
        file.get(handle.offset as usize..handle.end() as usize).unwrap_or_default(),
    )
}

/// The payload of `piece`, which is a payload with its trailer that lies at `offset`, and its compression.
///
/// # Errors
/// [`Damage`] when it differs from what was written.
pub fn checked_piece<'a>(place: &Place, offset: u64, piece: &'a [u8]) -> Result<(u8, &'a [u8]), Damage> {
    let Some((payload, [compression, stored @ ..])) = piece.split_last_chunk::<{ TRAILER_LEN as usize }>()
    else {
        return Damage::corrupt(format!("{} bytes are too few for a payload and its trailer", piece.len()));
    };
    let stored = u32::from_le_bytes(*stored);
    let found = checksum(place, offset, payload, *compression);
    if found != stored {
        return Damage::corrupt(format!("checksum {found:08x}, {stored:08x} expected"));
    }
    Ok((*compression, payload))
}

impl Footer {
    /// The footer that lies at `offset`.
    #[must_use]
    pub fn encode(&self, place: &Place, offset: u64) -> [u8; FOOTER_LEN] {
        let mut out = Vec::with_capacity(FOOTER_LEN);
        for handle in [self.filter.unwrap_or_default(), self.index, self.properties, Handle::default()] {
            out.extend_from_slice(&handle.offset.to_le_bytes());
            out.extend_from_slice(&handle.len.to_le_bytes());
        }
        out.extend_from_slice(&[0; 12]);
        out.extend_from_slice(&place.crc(offset, &[&out]).to_le_bytes());
        out.extend_from_slice(&MAGIC);
        let mut footer = [0; FOOTER_LEN];
        footer.copy_from_slice(&out);
        footer
    }

    /// Reads the footer at the end of `file` and checks that header, blocks and footer fill it (T2), but for the data
    /// blocks, which the index knows. Returns the end of the data blocks too.
    ///
    /// # Errors
    /// [`Damage`]; it belongs to the offset [`Footer::offset`] says.
    pub fn decode(place: &Place, file: &[u8]) -> Result<(Footer, u64), Damage> {
        Footer::decode_end(place, file.len() as u64, file)
    }

    /// As [`Footer::decode`], given only the end of a file of `len` bytes.
    ///
    /// # Errors
    /// As [`Footer::decode`].
    pub fn decode_end(place: &Place, len: u64, end: &[u8]) -> Result<(Footer, u64), Damage> {
        let at = Footer::offset(len);
        let bytes = end.last_chunk::<FOOTER_LEN>();
        let Some(bytes) = bytes.filter(|_| at >= HEADER_LEN as u64) else {
            return Damage::corrupt(format!(
                "the file of {len} bytes is too short for a header and a footer"
            ));
        };
        let (content, _) = bytes.split_at(FOOTER_CRC_AT);
        let mut r = Reader::new(bytes);
        let mut handle = || Some(Handle { offset: r.u64()?, len: r.u64()? });
        let (Some(filter), Some(index), Some(properties), Some(tombstones)) =
            (handle(), handle(), handle(), handle())
        else {
            return Damage::corrupt("too short");
        };
        let (reserved, stored, magic) = (r.array::<12>(), r.u32(), r.array::<8>());
        if magic != Some(MAGIC) {
            return Damage::corrupt(format!("magic {magic:02x?}, {MAGIC:02x?} expected"));
        }
        let found = place.crc(at, &[content]);
        if stored != Some(found) {
            return Damage::corrupt(format!("checksum {found:08x}, {stored:08x?} expected"));
        }
        if tombstones != Handle::default() || reserved != Some([0; 12]) {
            return Err(Damage::Unknown {
                what: "a footer field",
                found: format!("{tombstones:?}, {reserved:?}"),
                supported: "zeros there",
            });
        }
        let footer = Footer { filter: (filter != Handle::default()).then_some(filter), index, properties };
        let first = footer.filter.unwrap_or(index);
        let ends = [footer.filter.map_or(index.offset, Handle::end), index.end(), properties.end()];
        if ends != [index.offset, properties.offset, at] || first.offset < HEADER_LEN as u64 {
            return Damage::corrupt(format!("its blocks do not fill the file: {footer:?}"));
        }
        Ok((footer, first.offset))
    }

    /// Where the footer of a file of `len` bytes begins; 0 when the file is too short for one.
    #[must_use]
    pub fn offset(len: u64) -> u64 {
        len.saturating_sub(FOOTER_LEN as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::header::FileKind;

    const PLACE: Place = Place { database: 7, kind: FileKind::Table, number: 9 };

    /// A file of a header, an index of 3 bytes and properties of 2.
    fn file() -> Vec<u8> {
        let mut file = vec![0; HEADER_LEN];
        for payload in [&b"abc"[..], b"de"] {
            let trailer = trailer(&PLACE, file.len() as u64, payload, 0);
            file.extend_from_slice(payload);
            file.extend_from_slice(&trailer);
        }
        let footer = footer().encode(&PLACE, file.len() as u64);
        file.extend_from_slice(&footer);
        file
    }

    fn footer() -> Footer {
        Footer {
            filter: None,
            index: Handle { offset: 32, len: 3 },
            properties: Handle { offset: 40, len: 2 },
        }
    }

    #[test]
    fn a_footer_round_trips_and_every_flipped_bit_is_noticed() {
        let file = file();
        assert_eq!(Footer::decode(&PLACE, &file), Ok((footer(), 32)));
        let at = Footer::offset(file.len() as u64) as usize;
        for bit in at * 8..file.len() * 8 {
            let mut bad = file.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Footer::decode(&PLACE, &bad).is_err(), "bit {bit}");
        }
        for len in 0..file.len() {
            assert!(Footer::decode(&PLACE, &file[..len]).is_err());
        }
    }

    #[test]
    fn a_footer_must_fill_the_file() {
        for (index, properties) in [((33, 3), (40, 2)), ((32, 2), (40, 2)), ((32, 3), (40, u64::MAX))] {
            let mut file = file();
            let at = Footer::offset(file.len() as u64);
            let handle = |(offset, len)| Handle { offset, len };
            let footer = Footer { filter: None, index: handle(index), properties: handle(properties) };
            file.truncate(at as usize);
            file.extend_from_slice(&footer.encode(&PLACE, at));
            let Err(Damage::Corrupt(detail)) = Footer::decode(&PLACE, &file) else { panic!("accepted") };
            // Where the index begins is the index's own matter: the end of the data is compared with it.
            assert!(detail.contains("do not fill"), "{detail}");
        }
    }

    #[test]
    fn what_is_reserved_is_refused_as_unknown() {
        for byte in [48, 56, 64, 75] {
            let mut file = file();
            let at = Footer::offset(file.len() as u64) as usize;
            file[at + byte] = 1;
            let crc = PLACE.crc(at as u64, &[&file[at..at + FOOTER_CRC_AT]]);
            file[at + FOOTER_CRC_AT..at + 80].copy_from_slice(&crc.to_le_bytes());
            assert!(matches!(Footer::decode(&PLACE, &file), Err(Damage::Unknown { .. })), "{byte}");
        }
    }

    #[test]
    fn payloads_are_checked_against_place_and_offset() {
        let file = file();
        let index = Handle { offset: 32, len: 3 };
        assert_eq!(checked_payload(&PLACE, &file, index), Ok((0, &b"abc"[..])));
        assert!(checked_payload(&Place { number: 8, ..PLACE }, &file, index).is_err());
        for handle in [(31, 3), (33, 3), (32, 4), (32, u64::MAX), (u64::MAX, 3), (1000, 0)] {
            let handle = Handle { offset: handle.0, len: handle.1 };
            assert!(checked_payload(&PLACE, &file, handle).is_err(), "{handle:?}");
        }
    }
}
