//! Packing and unpacking the payloads of data blocks.
//!
//! A packed payload is the length of its content (u32) and what the codec made of it. A block that would not become an
//! eighth shorter is kept as it is: unpacking costs time at every read, and must buy something.
//!
//! (X1) The declared length is bounded before memory is taken: by the largest block there can be, and by the most that
//!      the codec can pack into the bytes there are.
//! (X2) A kind that is unknown, or whose codec was left out of this build, is [`Damage::Unknown`], not corruption.
//!
//! Contexts of the codecs live as long as their thread: setting one up costs more than packing a block. The streaming
//! interfaces were rejected for that reason, and dictionaries because many live ones thrash the caches.

use super::format::{Damage, MAX_BLOCK_LEN};
use crate::engine::coding::Reader;
use crate::engine::options::Compression;
use crate::{Error, Result};

/// The content as it is. On disk: never renumber.
pub const NONE: u8 = 0;
/// An LZ4 block. On disk: never renumber.
pub const LZ4: u8 = 1;
/// A Zstandard frame. On disk: never renumber.
pub const ZSTD: u8 = 2;

const LEN: usize = 4;

/// Refuses a compression that this build cannot write.
///
/// # Errors
/// [`Error::InvalidArgument`].
pub fn check_built_in(compression: Compression) -> Result<()> {
    match compression {
        Compression::Lz4 if !lz4::BUILT_IN => {
            Err(Error::invalid("compression lz4 is not in this build: enable the feature `lz4`"))
        }
        Compression::Zstd(_) if !zstandard::BUILT_IN => {
            Err(Error::invalid("compression zstd is not in this build: enable the feature `zstd`"))
        }
        _ => Ok(()),
    }
}

/// Packs one content after the other, in memory it keeps.
#[derive(Debug, Default)]
pub struct Packer {
    // The packed payload; never shortened, so that it is zeroed once and not for every block.
    scratch: Vec<u8>,
}

impl Packer {
    /// The payload for `content` and its kind, or `None` when it is not worth it.
    pub fn pack(&mut self, compression: Compression, content: &[u8]) -> Option<(u8, &[u8])> {
        let room = (content.len() - content.len() / 8).checked_sub(LEN)?;
        let (kind, needed) = match compression {
            Compression::None => return None,
            Compression::Lz4 => (LZ4, lz4::room_for(content.len())),
            Compression::Zstd(_) => (ZSTD, room),
        };
        if self.scratch.len() < LEN + needed {
            self.scratch.resize(LEN + needed, 0);
        }
        let (len, packed) = self.scratch.split_first_chunk_mut::<LEN>()?;
        *len = u32::try_from(content.len()).ok()?.to_le_bytes();
        let packed = packed.get_mut(..needed)?;
        let used = match compression {
            Compression::Zstd(level) => zstandard::pack(level, content, packed),
            _ => lz4::pack(content, packed),
        };
        let used = used.filter(|used| *used <= room)?;
        Some((kind, self.scratch.get(..LEN + used)?))
    }
}

impl Packer {
    /// Lets go of the memory of a huge block that has been here: at most `most` bytes are kept.
    pub fn give_back(&mut self, most: usize) {
        self.scratch.truncate(most);
        self.scratch.shrink_to(most);
    }
}

/// The content of a payload with its kind, where nothing is ever packed: of a block that is not data.
///
/// # Errors
/// [`Damage::Unknown`].
pub fn never_packed((kind, payload): (u8, &[u8])) -> Result<&[u8], Damage> {
    if kind == NONE {
        return Ok(payload);
    }
    Err(Damage::Unknown {
        what: "compression",
        found: format!("number {kind} of a block that is not data"),
        supported: "none there",
    })
}

/// The content of a packed payload of this kind, which is not [`NONE`].
///
/// # Errors
/// [`Damage`] of either kind.
pub fn unpack(kind: u8, payload: &[u8]) -> Result<Vec<u8>, Damage> {
    let (name, built_in, ratio) = match kind {
        // A sequence of LZ4 adds at most 255 bytes for each byte of its length.
        LZ4 => ("lz4", lz4::BUILT_IN, 255),
        // A block of Zstandard has at least 3 bytes and makes at most 128 KiB.
        ZSTD => ("zstd", zstandard::BUILT_IN, 1 << 16),
        _ => return unknown(&format!("number {kind}")),
    };
    if !built_in {
        return unknown(&format!("{name}, which was left out of this build"));
    }
    let mut r = Reader::new(payload);
    let (Some(declared), packed) = (r.u32(), r.rest()) else {
        return Damage::corrupt(format!("{} bytes are too few for a packed block", payload.len()));
    };
    if u64::from(declared) > MAX_BLOCK_LEN.min((packed.len() as u64 + 1) * ratio) {
        return Damage::corrupt(format!("{} bytes of {name} cannot hold {declared}", packed.len()));
    }
    let content = match kind {
        LZ4 => lz4::unpack(packed, declared as usize),
        _ => zstandard::unpack(packed, declared as usize),
    };
    match content {
        Ok(content) if content.len() == declared as usize => Ok(content),
        Ok(content) => Damage::corrupt(format!("{} bytes of content, {declared} expected", content.len())),
        Err(detail) => Damage::corrupt(format!("{name}: {detail}")),
    }
}

fn unknown<T>(found: &str) -> Result<T, Damage> {
    Err(Damage::Unknown {
        what: "compression",
        found: found.into(),
        supported: match (lz4::BUILT_IN, zstandard::BUILT_IN) {
            (true, true) => "none, lz4 and zstd",
            (true, false) => "none and lz4",
            (false, true) => "none and zstd",
            (false, false) => "uncompressed tables only",
        },
    })
}

#[cfg(feature = "lz4")]
mod lz4 {
    use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into};
    use std::cell::RefCell;

    pub const BUILT_IN: bool = true;

    thread_local! {
        // Two tables, because one that has once seen a large block stays large, and a large one is slower to clear.
        static SMALL: RefCell<CompressTable> = RefCell::new(CompressTable::small());
        static LARGE: RefCell<Option<CompressTable>> = const { RefCell::new(None) };
    }

    pub fn room_for(len: usize) -> usize {
        lz4_flex::block::get_maximum_output_size(len)
    }

    pub fn pack(content: &[u8], out: &mut [u8]) -> Option<usize> {
        if content.len() < usize::from(u16::MAX) {
            return SMALL.with_borrow_mut(|table| compress_into_with_table(content, out, table).ok());
        }
        LARGE.with_borrow_mut(|table| {
            let table = table.get_or_insert_with(CompressTable::large);
            compress_into_with_table(content, out, table).ok()
        })
    }

    pub fn unpack(packed: &[u8], len: usize) -> Result<Vec<u8>, String> {
        let mut content = vec![0; len];
        let used = decompress_into(packed, &mut content).map_err(|e| e.to_string())?;
        content.truncate(used);
        Ok(content)
    }
}

#[cfg(not(feature = "lz4"))]
mod lz4 {
    pub const BUILT_IN: bool = false;

    pub fn room_for(_len: usize) -> usize {
        0
    }

    pub fn pack(_content: &[u8], _out: &mut [u8]) -> Option<usize> {
        None
    }

    pub fn unpack(_packed: &[u8], _len: usize) -> Result<Vec<u8>, String> {
        Err("left out of this build".into())
    }
}

#[cfg(feature = "zstd")]
mod zstandard {
    use std::cell::RefCell;
    use zstd::bulk::{Compressor, Decompressor};

    pub const BUILT_IN: bool = true;

    thread_local! {
        static PACK: RefCell<Option<(i8, Compressor<'static>)>> = const { RefCell::new(None) };
        static UNPACK: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    }

    pub fn pack(level: i8, content: &[u8], out: &mut [u8]) -> Option<usize> {
        PACK.with_borrow_mut(|slot| {
            if slot.as_ref().is_none_or(|(of, _)| *of != level) {
                *slot = Some((level, Compressor::new(i32::from(level)).ok()?));
            }
            let (_, compressor) = slot.as_mut()?;
            // The only failure is that it does not fit, and then it is not worth it.
            compressor.compress_to_buffer(content, out).ok()
        })
    }

    pub fn unpack(packed: &[u8], len: usize) -> Result<Vec<u8>, String> {
        UNPACK.with_borrow_mut(|slot| {
            let decompressor = match slot {
                Some(decompressor) => decompressor,
                None => slot.insert(Decompressor::new().map_err(|e| e.to_string())?),
            };
            let mut content = Vec::with_capacity(len);
            decompressor.decompress_to_buffer(packed, &mut content).map_err(|e| e.to_string())?;
            Ok(content)
        })
    }
}

#[cfg(not(feature = "zstd"))]
mod zstandard {
    pub const BUILT_IN: bool = false;

    pub fn pack(_level: i8, _content: &[u8], _out: &mut [u8]) -> Option<usize> {
        None
    }

    pub fn unpack(_packed: &[u8], _len: usize) -> Result<Vec<u8>, String> {
        Err("left out of this build".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in() -> impl Iterator<Item = Compression> {
        let all = [Compression::Lz4, Compression::Zstd(-1), Compression::Zstd(1), Compression::Zstd(3)];
        all.into_iter().filter(|c| check_built_in(*c).is_ok())
    }

    #[test]
    fn contents_round_trip_and_contexts_are_reused() {
        for compression in built_in() {
            let mut packer = Packer::default();
            for len in [100, 4096, 70_000, 1 << 20, 4096, 1000] {
                let content: Vec<u8> = (0..len).map(|i| (i % 97 / 7) as u8).collect();
                let (kind, payload) = packer.pack(compression, &content).unwrap();
                assert!(payload.len() < len * 7 / 8 + 1, "{compression:?} {len}");
                assert_eq!(unpack(kind, payload).unwrap(), content, "{compression:?} {len}");
            }
        }
    }

    #[test]
    fn what_does_not_shrink_by_an_eighth_is_kept() {
        let mut x = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (x >> 56) as u8
        })
        .take(4096)
        .collect();
        for compression in built_in() {
            let mut packer = Packer::default();
            assert_eq!(packer.pack(compression, &noise), None);
            for len in 0..8 {
                assert_eq!(packer.pack(compression, &[0; 8][..len]), None, "{len}");
            }
            let (_, tail) = noise.split_at(400);
            let mostly: Vec<u8> = [&[0; 400], tail].concat();
            assert_eq!(packer.pack(compression, &mostly), None, "a tenth is not enough");
        }
        assert_eq!(Packer::default().pack(Compression::None, &[0; 1000]), None);
    }

    #[test]
    fn damage_and_lies_about_the_length_are_errors() {
        for compression in built_in() {
            let mut packer = Packer::default();
            let (kind, payload) = packer.pack(compression, &[7; 3000]).unwrap();
            let good = payload.to_vec();
            for len in 0..good.len() {
                assert!(unpack(kind, &good[..len]).is_err(), "{compression:?} {len}");
            }
            for declared in [0u32, 2999, 3001, 1 << 20, 1 << 31, u32::MAX] {
                let mut bad = good.clone();
                bad[..LEN].copy_from_slice(&declared.to_le_bytes());
                assert!(matches!(unpack(kind, &bad), Err(Damage::Corrupt(_))), "{declared}");
            }
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                // The checksum of the block notices this; here it only must not panic or take memory without bound.
                let _ = unpack(kind, &bad);
            }
        }
    }

    #[test]
    fn unknown_kinds_are_not_corruption() {
        for kind in [3, 255] {
            assert!(matches!(unpack(kind, &[0; 20]), Err(Damage::Unknown { .. })), "{kind}");
        }
    }
}
