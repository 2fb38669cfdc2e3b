//! The content of a data block, and its encoder.
//!
//! ```text
//! content
//!   values           one after the other
//!   suffixes         the keys without the prefix that all keys of the block share
//!   value lengths    count × value width     absent when all values have one length
//!   suffix lengths   count × suffix width    absent when all suffixes have one length
//!   sequences        count × sequence width  added to the base; absent when all are the base
//!   kinds            count × 1               absent when all kinds are alike
//!   tags             count × 1               the top byte of `key::hash` of the key
//!   prefix           what all keys begin with
//!   tail, 24 B
//!     0  8  base: the lowest sequence number << 8 | the kind of all entries, or 0xff when kinds are stored
//!     8  4  the length of each value, or of all values together when the lengths are stored
//!    12  4  the same for the suffixes
//!    16  4  the length of the prefix
//!    20  2  count, at least 1
//!    22  1  widths: value length (bits 0-2, at most 4), suffix length (bits 3-4), sequence (bits 5-7)
//!    23  1  reserved, 0
//! ```
//!
//! (B1) Entries are in strictly ascending order: key ascending, trailer descending. So all versions of a key lie side by
//!      side, the newest first, and share a tag.
//! (B2) The parts fill the content exactly: what the tail says must add up to its length.
//! (B3) At least the 24 bytes of the tail follow whatever is read, so that any number is read by one load of 8 bytes
//!      and a mask.
//!
//! Lengths are stored instead of offsets because offsets do not compress, and values come first because an LZ4 that
//! meets the incompressible keys first begins to skip, and misses the matches in the values: offsets, keys, values made
//! 16 KiB blocks a third larger. Restart points with prefix compression were larger too, and 3 to 10 times slower.

use super::format::Damage;
use crate::engine::coding::Reader;
use crate::engine::key::{self, MAX_SEQ, Trailer};
use std::ops::Range;

/// The length of the fixed end of a block.
pub const TAIL_LEN: usize = 24;
/// The most entries a block may have.
pub const MAX_COUNT: usize = u16::MAX as usize;
/// The kind in the base that says that kinds are stored.
pub const MIXED_KINDS: u8 = 0xff;

/// The tag of a key with this hash.
#[must_use]
pub fn tag(hash: u64) -> u8 {
    hash.to_be_bytes()[0]
}

/// The fixed end of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tail {
    /// Lowest sequence number and common kind.
    pub base: u64,
    /// Length of each value, or of all.
    pub value_len: u32,
    /// Length of each suffix, or of all.
    pub suffix_len: u32,
    /// Length of the common prefix.
    pub prefix_len: u32,
    /// How many entries.
    pub count: u16,
    /// Bytes of a value length, a suffix length, a sequence number.
    pub widths: [u8; 3],
    /// 0.
    pub reserved: u8,
}

impl Tail {
    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let [value, suffix, sequence] = self.widths;
        out.extend_from_slice(&self.base.to_le_bytes());
        for len in [self.value_len, self.suffix_len, self.prefix_len] {
            out.extend_from_slice(&len.to_le_bytes());
        }
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&[value | suffix << 3 | sequence << 5, self.reserved]);
    }

    /// Reads it from the end of a block's content; `None` when the content is too short.
    #[must_use]
    pub fn decode(content: &[u8]) -> Option<Tail> {
        let mut r = Reader::new(content.last_chunk::<TAIL_LEN>()?);
        let base = r.u64()?;
        let (value_len, suffix_len, prefix_len) = (r.u32()?, r.u32()?, r.u32()?);
        let (count, widths, reserved) = (r.u16()?, r.u8()?, r.u8()?);
        let widths = [widths & 7, widths >> 3 & 3, widths >> 5];
        Some(Tail { base, value_len, suffix_len, prefix_len, count, widths, reserved })
    }
}

/// Where the parts of a block lie.
pub struct Parts {
    /// The values, one after the other.
    pub values: Range<usize>,
    /// The suffixes, one after the other.
    pub suffixes: Range<usize>,
    /// The lengths of the values, if stored.
    pub value_lens: Range<usize>,
    /// The lengths of the suffixes, if stored.
    pub suffix_lens: Range<usize>,
    /// What is added to the lowest sequence number, if stored.
    pub sequences: Range<usize>,
    /// The kinds, if stored.
    pub kinds: Range<usize>,
    /// The tags.
    pub tags: Range<usize>,
    /// The prefix.
    pub prefix: Range<usize>,
}

impl Parts {
    /// The parts the tail describes, which must fill the content exactly (B2).
    ///
    /// # Errors
    /// [`Damage`] of either kind.
    pub fn of(tail: &Tail, len: usize) -> Result<Parts, Damage> {
        let [value_width, suffix_width, sequence_width] = tail.widths;
        if tail.reserved != 0 {
            let found = format!("flags {:#04x}", tail.reserved);
            return Err(Damage::Unknown { what: "block flags", found, supported: "none" });
        }
        let count = u64::from(tail.count);
        if count == 0 || value_width > 4 || tail.base >> 8 > MAX_SEQ {
            return Damage::corrupt(format!("a block cannot have this tail: {tail:?}"));
        }
        let total = |len: u32, width: u8| u64::from(len) * if width == 0 { count } else { 1 };
        let mixed = u64::from(tail.base.to_le_bytes()[0] == MIXED_KINDS);
        let lens = [
            total(tail.value_len, value_width),
            total(tail.suffix_len, suffix_width),
            count * u64::from(value_width),
            count * u64::from(suffix_width),
            count * u64::from(sequence_width),
            count * mixed,
            count,
            u64::from(tail.prefix_len),
        ];
        // At most 65535 times 4 GiB, eight times: no overflow.
        let sum = lens.iter().sum::<u64>() + TAIL_LEN as u64;
        if sum != len as u64 {
            return Damage::corrupt(format!("its parts add up to {sum} bytes, {len} expected"));
        }
        // Each part is at most `len`, so it fits.
        let mut end = 0usize;
        let [values, suffixes, value_lens, suffix_lens, sequences, kinds, tags, prefix] = lens.map(|len| {
            let start = end;
            end += len as usize;
            start..end
        });
        Ok(Parts { values, suffixes, value_lens, suffix_lens, sequences, kinds, tags, prefix })
    }
}

/// Collects the entries of one block.
#[derive(Debug, Default)]
pub struct BlockBuilder {
    values: Vec<u8>,
    value_lens: Vec<u32>,
    // Whole keys: what they share is known at the end.
    keys: Vec<u8>,
    key_lens: Vec<u32>,
    trailers: Vec<Trailer>,
    tags: Vec<u8>,
}

impl BlockBuilder {
    /// Adds an entry. The caller keeps (B1), [`MAX_COUNT`] and the limits of keys and values.
    pub fn add(&mut self, key: &[u8], tag: u8, trailer: Trailer, value: &[u8]) {
        self.values.extend_from_slice(value);
        self.value_lens.push(value.len() as u32);
        self.keys.extend_from_slice(key);
        self.key_lens.push(key.len() as u32);
        self.trailers.push(trailer);
        self.tags.push(tag);
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// True when it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// About how long the content will be, with one more entry of so many bytes of key and value.
    #[must_use]
    pub fn estimated_len(&self, more: usize) -> usize {
        // Tag, lengths and sequence number of each entry; the prefix is not known yet.
        self.values.len() + self.keys.len() + more + (self.len() + 1) * 4 + TAIL_LEN
    }

    /// Appends the content to `out` and begins the next block. There must be an entry.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let prefix_len = self.prefix_len();
        let suffix_lens = self.key_lens.iter().map(|len| len - prefix_len as u32);
        let (value_len, value_width) = alike_or_total(self.value_lens.iter().copied());
        let (suffix_len, suffix_width) = alike_or_total(suffix_lens.clone());

        out.extend_from_slice(&self.values);
        let mut keys = self.keys.as_slice();
        let mut prefix = &[][..];
        for len in &self.key_lens {
            let (key, rest) = keys.split_at_checked(*len as usize).unwrap_or_default();
            let (shared, suffix) = key.split_at_checked(prefix_len).unwrap_or_default();
            out.extend_from_slice(suffix);
            (prefix, keys) = (shared, rest);
        }
        put_numbers(out, value_width, self.value_lens.iter().map(|len| u64::from(*len)));
        put_numbers(out, suffix_width, suffix_lens.map(u64::from));
        let (base, sequence_width) = self.put_trailers(out);
        out.extend_from_slice(&self.tags);
        out.extend_from_slice(prefix);
        let tail = Tail {
            base,
            value_len,
            suffix_len,
            prefix_len: prefix_len as u32,
            count: self.len() as u16,
            widths: [value_width, suffix_width, sequence_width],
            reserved: 0,
        };
        tail.encode(out);
        self.clear();
    }

    /// Keys are sorted, so what the first and the last share is shared by all.
    fn prefix_len(&self) -> usize {
        let first = self.key_lens.first().and_then(|len| self.keys.get(..*len as usize));
        let last = self.key_lens.last().and_then(|len| {
            let start = self.keys.len().checked_sub(*len as usize)?;
            self.keys.get(start..)
        });
        key::common_prefix(first.unwrap_or_default(), last.unwrap_or_default())
    }

    /// Appends sequences and kinds; returns the base and the width of a sequence.
    fn put_trailers(&self, out: &mut Vec<u8>) -> (u64, u8) {
        let seqs = self.trailers.iter().map(|t| t.seq());
        let lowest = seqs.clone().min().unwrap_or(0);
        let highest = seqs.clone().max().unwrap_or(0);
        let width = width(highest - lowest);
        put_numbers(out, width, seqs.map(|seq| seq - lowest));
        let mut kinds = self.trailers.iter().map(|t| t.0.to_le_bytes()[0]);
        let first = kinds.clone().next().unwrap_or(0);
        let kind = if kinds.clone().all(|kind| kind == first) {
            first
        } else {
            out.extend(&mut kinds);
            MIXED_KINDS
        };
        (lowest << 8 | u64::from(kind), width)
    }

    /// Lets go of the memory of a huge entry that has been here: of each part at most `most` bytes are kept.
    pub fn give_back(&mut self, most: usize) {
        self.values.shrink_to(most);
        self.keys.shrink_to(most);
    }

    fn clear(&mut self) {
        self.values.clear();
        self.value_lens.clear();
        self.keys.clear();
        self.key_lens.clear();
        self.trailers.clear();
        self.tags.clear();
    }
}

/// The one length of all with width 0, or the sum with the width that each needs.
fn alike_or_total(mut lens: impl Iterator<Item = u32> + Clone) -> (u32, u8) {
    let first = lens.clone().next().unwrap_or(0);
    if lens.clone().all(|len| len == first) {
        return (first, 0);
    }
    let longest = lens.clone().max().unwrap_or(0);
    (lens.by_ref().sum(), width(u64::from(longest)))
}

/// How many bytes a number needs.
fn width(v: u64) -> u8 {
    8 - (v.leading_zeros() / 8) as u8
}

fn put_numbers(out: &mut Vec<u8>, width: u8, numbers: impl Iterator<Item = u64>) {
    if width == 0 {
        return;
    }
    for number in numbers {
        // All eight bytes, then the surplus taken back: faster than a copy of a length known only at run time.
        out.extend_from_slice(&number.to_le_bytes());
        out.truncate(out.len() - (8 - usize::from(width)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::key::Kind;

    #[test]
    fn golden_of_unlike_entries() {
        let mut builder = BlockBuilder::default();
        builder.add(b"key", 7, Trailer::new(0x301, Kind::Put), b"new");
        builder.add(b"key", 7, Trailer::new(0x101, Kind::Delete), b"");
        builder.add(b"key2", 9, Trailer::new(0x102, Kind::Put), b"v");
        let mut out = Vec::new();
        builder.finish(&mut out);
        let golden = b"newv2\x03\x00\x01\x00\x00\x01\x00\x02\x00\x00\x01\x00\x01\x00\x01\x07\x07\x09key\
            \xff\x01\x01\0\0\0\0\0\x04\0\0\0\x01\0\0\0\x03\0\0\0\x03\0\x49\0";
        assert_eq!(out.escape_ascii().to_string(), golden.escape_ascii().to_string());
        assert!(builder.is_empty());
    }

    #[test]
    fn golden_of_like_entries() {
        let mut builder = BlockBuilder::default();
        builder.add(b"a1", 7, Trailer::new(5, Kind::Put), b"x");
        builder.add(b"a2", 8, Trailer::new(5, Kind::Put), b"y");
        let mut out = b"before".to_vec();
        builder.finish(&mut out);
        let golden = b"beforexy12\x07\x08a\x01\x05\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x02\0\0\0";
        assert_eq!(out.escape_ascii().to_string(), golden.escape_ascii().to_string());
    }

    #[test]
    fn tails_round_trip() {
        let tail = Tail {
            base: u64::MAX - 7,
            value_len: 1 << 30,
            suffix_len: 65_539,
            prefix_len: 3,
            count: u16::MAX,
            widths: [4, 3, 7],
            reserved: 0,
        };
        let mut out = b"before".to_vec();
        tail.encode(&mut out);
        assert_eq!(Tail::decode(&out), Some(tail));
        assert_eq!(Tail::decode(&out[..TAIL_LEN - 1]), None);
    }

    #[test]
    fn widths_are_the_least_that_fit() {
        for (v, expected) in [(0, 0), (1, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 3), (u64::MAX, 8)] {
            assert_eq!(width(v), expected, "{v}");
        }
    }
}
