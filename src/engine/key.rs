//! Keys inside the engine: order, sequence numbers, kinds, hashes, heads.
//!
//! An *engine key* is the keyspace prefix and the user's key, one byte string. An *entry* is an engine key, a
//! [`Trailer`] (sequence number and kind) and a value. Entries are ordered by engine key ascending, bytewise, then by
//! trailer *descending*, so that the newest version of a key comes first.
//!
//! (K1) No two entries of a database have the same engine key and sequence number.
//! (K2) Within one keyspace the order of engine keys is the order of user keys, and all keys of a keyspace lie together.

mod bounds;

pub use bounds::{is_stored_range, prefix_bounds, range_bounds, stored_bounds};

use xxhash_rust::xxh3::xxh3_64;

/// The longest key a user may give, in bytes.
pub const MAX_KEY_LEN: usize = 65_535;
/// The longest value a user may give, in bytes.
pub const MAX_VALUE_LEN: usize = 1 << 30;
/// The highest sequence number: 56 bits.
pub const MAX_SEQ: u64 = (1 << 56) - 1;

/// What an entry means. On disk: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// The key is gone.
    Delete = 0,
    /// The key has this value.
    Put = 1,
    /// The value is an operand of a merge. Reserved.
    Merge = 2,
    /// The value says where the value lies. Reserved.
    Indirect = 3,
    /// All keys from this one up to the value, exclusive, are gone. In the log only.
    DeleteRange = 4,
    /// As `Put`, but the value begins with its expiry, [`EXPIRY_LEN`] bytes: milliseconds since 1970. From then on it is as if
    /// the key had been deleted.
    PutExpiring = 5,
}

impl Kind {
    /// The kind with this number on disk, reserved ones included.
    #[must_use]
    pub fn from_u8(v: u8) -> Option<Kind> {
        Some(match v {
            0 => Kind::Delete,
            1 => Kind::Put,
            2 => Kind::Merge,
            3 => Kind::Indirect,
            4 => Kind::DeleteRange,
            5 => Kind::PutExpiring,
            _ => return None,
        })
    }

    /// True when this build can answer reads that meet the kind.
    #[must_use]
    pub fn is_supported(self) -> bool {
        matches!(self, Kind::Delete | Kind::Put | Kind::PutExpiring)
    }

    /// True when this build can take the kind from the log.
    #[must_use]
    pub fn is_supported_in_log(self) -> bool {
        self.is_supported() || self == Kind::DeleteRange
    }
}

/// How many bytes of a value its expiry takes.
pub const EXPIRY_LEN: usize = 8;

/// The expiry that the value of a `PutExpiring` begins with, in milliseconds since 1970; `None` when it is too short.
#[must_use]
pub fn expiry(value: &[u8]) -> Option<u64> {
    value.first_chunk::<EXPIRY_LEN>().map(|bytes| u64::from_le_bytes(*bytes))
}

/// A sequence number in the upper 56 bits and a kind in the lower 8, compared as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trailer(pub u64);

impl Trailer {
    /// Joins the two.
    #[must_use]
    pub fn new(seq: u64, kind: Kind) -> Trailer {
        debug_assert!(seq <= MAX_SEQ, "sequence numbers have 56 bits");
        Trailer(seq << 8 | kind as u64)
    }

    /// Where a search for the newest entry with a sequence number up to `seq` begins: no entry with such a number
    /// sorts before it, and every entry with a higher one does.
    #[must_use]
    pub fn upper(seq: u64) -> Trailer {
        Trailer(seq << 8 | 0xff)
    }

    /// The sequence number.
    #[must_use]
    pub fn seq(self) -> u64 {
        self.0 >> 8
    }

    /// The kind, or its number when it is unknown.
    ///
    /// # Errors
    /// The number, when no kind has it.
    pub fn kind(self) -> Result<Kind, u8> {
        let number = (self.0 & 0xff) as u8;
        Kind::from_u8(number).ok_or(number)
    }
}

/// Which keyspace an engine key belongs to.
///
/// Its prefix is an order-preserving varint: one byte below 0x80, two up to 0x3fff, then four with the top bits `11`.
/// So the default keyspace costs one byte a key, which the blocks of tables strip as common prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyspaceId(pub u32);

impl KeyspaceId {
    /// The keyspace that `Db`'s own methods use.
    pub const DEFAULT: KeyspaceId = KeyspaceId(0);
    /// The highest id there can be: the last but one of 30 bits, so that behind each keyspace there is a key.
    pub const MAX: u32 = (1 << 30) - 2;

    /// Appends the prefix of this keyspace.
    pub fn put_prefix(self, out: &mut Vec<u8>) {
        let id = self.0;
        debug_assert!(id <= Self::MAX, "keyspace ids have 30 bits");
        match id {
            0..0x80 => out.push(id as u8),
            0x80..0x4000 => out.extend_from_slice(&(id as u16 | 0x8000).to_be_bytes()),
            _ => out.extend_from_slice(&(id | 0xc000_0000).to_be_bytes()),
        }
    }

    /// How many bytes the prefix has.
    #[must_use]
    pub fn prefix_len(self) -> usize {
        match self.0 {
            0..0x80 => 1,
            0x80..0x4000 => 2,
            _ => 4,
        }
    }

    /// The keyspace and the user key of an engine key; `None` when it has no whole prefix, or one that is longer than it
    /// need be: each keyspace has one prefix only, or its keys would not lie together (K2).
    #[must_use]
    pub fn split(engine_key: &[u8]) -> Option<(KeyspaceId, &[u8])> {
        let first = *engine_key.first()?;
        let (id, len) = match first >> 6 {
            0 | 1 => (u32::from(first), 1),
            2 => (u32::from(u16::from_be_bytes(*engine_key.first_chunk()?) & 0x3fff), 2),
            _ => (u32::from_be_bytes(*engine_key.first_chunk()?) & 0x3fff_ffff, 4),
        };
        let id = KeyspaceId(id);
        (id.prefix_len() == len && id.0 <= Self::MAX).then_some((id, engine_key.get(len..)?))
    }
}

/// The hash of an engine key, computed once per operation and shared by the write buffer, every filter and every
/// block. On disk: the filters and tags depend on it.
#[must_use]
pub fn hash(engine_key: &[u8]) -> u64 {
    xxh3_64(engine_key)
}

/// The first eight bytes of `key` after `skip`, as a number that orders like them; short keys are padded with zeros.
/// Equal heads say nothing: the whole keys must be compared.
#[inline]
#[must_use]
pub fn head(key: &[u8], skip: usize) -> u64 {
    let tail = key.get(skip..).unwrap_or_default();
    if let Some(chunk) = tail.first_chunk::<8>() {
        return u64::from_be_bytes(*chunk);
    }
    let mut padded = [0; 8];
    for (slot, byte) in padded.iter_mut().zip(tail) {
        *slot = *byte;
    }
    u64::from_be_bytes(padded)
}

/// How many leading bytes two keys share.
#[must_use]
pub fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyspace_prefixes_keep_order() {
        let ids = [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0xffff, 0x10000, KeyspaceId::MAX];
        let mut last = Vec::new();
        for id in ids.map(KeyspaceId) {
            let mut key = Vec::new();
            id.put_prefix(&mut key);
            assert_eq!(key.len(), id.prefix_len());
            key.extend_from_slice(b"user");
            assert_eq!(KeyspaceId::split(&key), Some((id, &b"user"[..])));
            assert!(last < key);
            last = key;
        }
    }

    /// Found by fuzzing: such a key counted as one of keyspace 0, and lay outside its range.
    #[test]
    fn a_prefix_that_is_longer_than_it_need_be_is_none() {
        for key in [&b"\x80\0k"[..], b"\x80\x7fk", b"\xc0\0\0\0k", b"\xc0\0\x3f\xffk"] {
            assert_eq!(KeyspaceId::split(key), None, "{key:02x?}");
        }
        for cut in [&b""[..], b"\x80", b"\xc0\0\x40", b"\xff\xff\xff\xff"] {
            assert_eq!(KeyspaceId::split(cut), None, "{cut:02x?}");
        }
    }

    #[test]
    fn heads_order_like_keys_or_tie() {
        let keys: [&[u8]; 7] = [b"", b"\0", b"a", b"a\0", b"abcdefgh", b"abcdefghi", b"b"];
        for a in keys {
            for b in keys {
                let (x, y) = (head(a, 0), head(b, 0));
                assert!(x == y || (x < y) == (a < b), "{a:?} {b:?}");
            }
        }
        assert_eq!(head(b"xxab", 2), head(b"ab", 0));
    }

    #[test]
    fn newer_trailers_are_found_first() {
        let t = Trailer::new(5, Kind::Put);
        assert_eq!((t.seq(), t.kind()), (5, Ok(Kind::Put)));
        assert!(Trailer::upper(5) > t && Trailer::upper(4) < t);
        assert_eq!(Trailer(0x7f).kind(), Err(0x7f));
    }
}
