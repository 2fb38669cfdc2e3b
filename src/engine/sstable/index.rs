//! Which block of a table can hold an entry.
//!
//! ```text
//! index     kind u8 = 1, blocks varint, prefix bytes, entry*
//! entry     suffix length << 1 | spans: varint
//!           suffix                      of the separator, after the prefix that all separators share
//!           trailer u64                 of the last entry of the block, only with `spans`
//!           payload length: varint      of the block; blocks lie without gaps behind the file header
//! bytes     length varint, that many bytes
//! ```
//!
//! A *separator* is the shortest key at or after the last key of its block and before the first key of the next one.
//! When the versions of one key go on in the next block there is none between: then the separator is that key, and with
//! the trailer of the block's last entry (`spans`) it is a *bound* that still tells the two blocks apart. Without, the
//! trailer of a bound is 0: after all versions of the separator.
//!
//! (I1) The bounds ascend strictly (separator ascending, trailer descending), and last entry of block i <= bound i < first
//!      entry of block i + 1. So the first block whose bound is at or after `(key, trailer)` holds the first entry
//!      at or after it, or none does before the next block's first entry; a point read never needs a second block.
//! (I2) Heads are taken after the prefix that all separators share; a key that does not begin with it is before or after all.
//!
//! In memory: one array of heads, searched first, so that a search of 16 k blocks stays within 128 KiB; the separators
//! are looked at only where heads are equal.

use super::format::{Damage, Handle, TRAILER_LEN};
use crate::engine::coding::{Reader, put_bytes, put_varint};
use crate::engine::header::HEADER_LEN;
use crate::engine::key::{self, Trailer};
use std::cmp::Ordering;

const KIND: u8 = 1;

/// A decoded index.
pub struct Index {
    prefix: Box<[u8]>,
    heads: Box<[u64]>,
    /// The separators without the prefix, one after the other, and where each ends.
    suffixes: Box<[u8]>,
    ends: Box<[u32]>,
    /// The trailers of the bounds; empty when all are 0.
    trailers: Box<[u64]>,
    /// Where each block begins, and where the last one and its trailer end.
    offsets: Box<[u64]>,
}

impl Index {
    /// Reads an index and checks the order of its bounds (I1).
    ///
    /// # Errors
    /// [`Damage`] of either kind.
    pub fn decode(bytes: &[u8]) -> Result<Index, Damage> {
        match bytes.first() {
            None => return Damage::corrupt("it is empty"),
            Some(&KIND) => {}
            Some(kind) => {
                let found = format!("number {kind}");
                return Err(Damage::Unknown { what: "index kind", found, supported: "kind 1" });
            }
        }
        let Some(index) = Self::parse(bytes) else {
            return Damage::corrupt("its entries do not fill it");
        };
        for i in 1..index.len() {
            if !index.is_before(i - 1, index.suffix(i), index.trailer(i)) {
                return Damage::corrupt(format!("separators {} and {i} are out of order", i - 1));
            }
        }
        Ok(index)
    }

    fn parse(bytes: &[u8]) -> Option<Index> {
        let mut r = Reader::new(bytes);
        r.u8()?;
        // An entry takes at least two bytes: no memory is taken for blocks that cannot be there.
        let blocks = usize::try_from(r.varint()?).ok().filter(|n| *n <= r.rest().len() / 2)?;
        let prefix: Box<[u8]> = r.bytes()?.into();
        let mut heads = Vec::with_capacity(blocks);
        let mut ends = Vec::with_capacity(blocks);
        let mut offsets = Vec::with_capacity(blocks + 1);
        let mut trailers = Vec::new();
        let mut suffixes = Vec::new();
        let mut offset = HEADER_LEN as u64;
        offsets.push(offset);
        for i in 0..blocks {
            let packed = r.varint()?;
            let suffix = r.take(usize::try_from(packed >> 1).ok()?)?;
            heads.push(key::head(suffix, 0));
            suffixes.extend_from_slice(suffix);
            ends.push(u32::try_from(suffixes.len()).ok()?);
            if packed & 1 == 1 {
                trailers.resize(i, 0);
                trailers.push(r.u64()?);
            }
            offset = offset.checked_add(r.varint()?)?.checked_add(TRAILER_LEN)?;
            offsets.push(offset);
        }
        r.is_empty().then_some(())?;
        Some(Index {
            prefix,
            heads: heads.into(),
            suffixes: suffixes.into(),
            ends: ends.into(),
            trailers: trailers.into(),
            offsets: offsets.into(),
        })
    }

    /// How many blocks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// The first block whose bound is at or after `(key, at)`; `len` when all are before.
    #[must_use]
    pub fn search(&self, key: &[u8], at: Trailer) -> usize {
        let Some(suffix) = key.strip_prefix(&*self.prefix) else {
            return if key < &*self.prefix { 0 } else { self.len() };
        };
        let head = key::head(suffix, 0);
        let mut low = self.heads.partition_point(|h| *h < head);
        let equal = self.heads.get(low..).unwrap_or_default();
        let mut high = match equal.first() {
            Some(first) if *first == head => low + equal.partition_point(|h| *h == head),
            _ => return low,
        };
        while low < high {
            let middle = low + (high - low) / 2;
            if self.is_before(middle, suffix, at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Where block `i` lies; an empty handle when there is none.
    #[must_use]
    pub fn handle(&self, i: usize) -> Handle {
        match self.offsets.get(i..).and_then(<[u64]>::first_chunk::<2>) {
            Some([offset, end]) => Handle { offset: *offset, len: end - offset - TRAILER_LEN },
            None => Handle::default(),
        }
    }

    /// The offset behind the last block.
    #[must_use]
    pub fn data_end(&self) -> u64 {
        self.offsets.last().copied().unwrap_or(HEADER_LEN as u64)
    }

    /// The bound of block `i`: separator and trailer.
    #[must_use]
    pub fn bound(&self, i: usize) -> (Vec<u8>, Trailer) {
        ([&self.prefix, self.suffix(i)].concat(), self.trailer(i))
    }

    /// How many bytes of memory it takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of_val(&*self.heads)
            + size_of_val(&*self.suffixes)
            + size_of_val(&*self.ends)
            + size_of_val(&*self.trailers)
            + size_of_val(&*self.offsets)
    }

    fn is_before(&self, i: usize, suffix: &[u8], at: Trailer) -> bool {
        match self.suffix(i).cmp(suffix) {
            Ordering::Equal => self.trailer(i) > at,
            other => other == Ordering::Less,
        }
    }

    fn suffix(&self, i: usize) -> &[u8] {
        let start = i.checked_sub(1).and_then(|i| self.ends.get(i)).copied().unwrap_or(0);
        let end = self.ends.get(i).copied().unwrap_or(0);
        self.suffixes.get(start as usize..end as usize).unwrap_or_default()
    }

    fn trailer(&self, i: usize) -> Trailer {
        Trailer(self.trailers.get(i).copied().unwrap_or(0))
    }
}

/// Collects the index while the blocks are written.
#[derive(Debug, Default)]
pub struct IndexBuilder {
    separators: Vec<u8>,
    blocks: Vec<BlockEntry>,
}

#[derive(Debug)]
struct BlockEntry {
    separator_end: usize,
    spans: Option<Trailer>,
    payload_len: u64,
}

impl IndexBuilder {
    /// Adds a block that ends with the entry `last` and is followed by one that begins with the key `next`, if any.
    pub fn add(&mut self, payload_len: u64, last: (&[u8], Trailer), next: Option<&[u8]>) {
        let (key, trailer) = last;
        let spans = (next == Some(key)).then_some(trailer);
        match next {
            Some(next) if next != key => put_separator(&mut self.separators, key, next),
            _ => self.separators.extend_from_slice(key),
        }
        self.blocks.push(BlockEntry { separator_end: self.separators.len(), spans, payload_len });
    }

    /// About how long the index will be.
    #[must_use]
    pub fn estimated_len(&self) -> u64 {
        (self.separators.len() + self.blocks.len() * 4) as u64
    }

    /// How much memory it takes, and will take when it is finished.
    #[must_use]
    pub fn memory(&self) -> usize {
        let per_block = size_of::<BlockEntry>() + size_of::<&[u8]>() + 8;
        3 * self.separators.capacity() + self.blocks.capacity() * per_block
    }

    /// The index as it is written.
    #[must_use]
    pub fn finish(&self) -> Vec<u8> {
        let mut starts = 0;
        let separators = self.blocks.iter().map(|block| {
            let separator = self.separators.get(starts..block.separator_end).unwrap_or_default();
            starts = block.separator_end;
            separator
        });
        let separators: Vec<&[u8]> = separators.collect();
        let prefix_len = match (separators.first(), separators.last()) {
            (Some(first), Some(last)) => key::common_prefix(first, last),
            _ => 0,
        };
        let mut out = vec![KIND];
        put_varint(&mut out, self.blocks.len() as u64);
        let first = separators.first().copied().unwrap_or_default();
        put_bytes(&mut out, first.get(..prefix_len).unwrap_or_default());
        for (block, separator) in self.blocks.iter().zip(separators) {
            let suffix = separator.get(prefix_len..).unwrap_or_default();
            put_varint(&mut out, (suffix.len() as u64) << 1 | u64::from(block.spans.is_some()));
            out.extend_from_slice(suffix);
            if let Some(trailer) = block.spans {
                out.extend_from_slice(&trailer.0.to_le_bytes());
            }
            put_varint(&mut out, block.payload_len);
        }
        out
    }
}

/// Appends a shortest key that is at or after `last` and before `next`; `last` is before `next`.
fn put_separator(out: &mut Vec<u8>, last: &[u8], next: &[u8]) {
    let shared = key::common_prefix(last, next);
    if shared < last.len() {
        if shared + 1 < next.len() {
            // One byte of difference is enough, and something of `next` is left after it.
            out.extend_from_slice(next.get(..=shared).unwrap_or_default());
            return;
        }
        // `next` ends with the byte that differs: only a key that begins like `last` is before it.
        let raised = last.iter().enumerate().skip(shared).find_map(|(i, byte)| {
            let raised = byte.checked_add(1)?;
            (i > shared || next.get(i).is_some_and(|limit| raised < *limit)).then_some((i, raised))
        });
        if let Some((i, raised)) = raised {
            out.extend_from_slice(last.get(..i).unwrap_or_default());
            out.push(raised);
            return;
        }
    }
    out.extend_from_slice(last);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::key::Kind;

    fn separator(last: &[u8], next: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_separator(&mut out, last, next);
        out
    }

    /// Three blocks; the versions of `b` go on from the first to the second.
    fn built() -> Vec<u8> {
        let mut builder = IndexBuilder::default();
        builder.add(10, (b"key-b", Trailer::new(5, Kind::Put)), Some(b"key-b"));
        builder.add(20, (b"key-bcd", Trailer::new(9, Kind::Put)), Some(b"key-dddd"));
        builder.add(300, (b"key-dz", Trailer::new(1, Kind::Put)), None);
        builder.finish()
    }

    #[test]
    fn separators_lie_between_and_are_short() {
        let cases: [(&[u8], &[u8], &[u8]); 12] = [
            (b"abc", b"abdef", b"abd"),
            (b"abc", b"abd", b"abc"),
            (b"abcde", b"abd", b"abce"),
            (b"abc", b"abe", b"abd"),
            (b"abc", b"abcd", b"abc"),
            (b"", b"a", b""),
            (b"a", b"b", b"a"),
            (b"axyz", b"b", b"ay"),
            (b"a\xff\xff", b"b", b"a\xff\xff"),
            (b"a\xff\x01\x07", b"b", b"a\xff\x02"),
            (b"user:0001", b"user:0002:x", b"user:0002"),
            (b"a", b"a\0", b"a"),
        ];
        for (last, next, expected) in cases {
            let got = separator(last, next);
            assert!(last <= got.as_slice() && got.as_slice() < next, "{last:?} {next:?}");
            assert_eq!(got.escape_ascii().to_string(), expected.escape_ascii().to_string());
        }
    }

    #[test]
    fn random_separators_lie_between() {
        let mut x = 1u64;
        let mut key = || {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let letters = [0u8, 1, 0xfe, 0xff];
            let len = (x >> 60) % 6;
            (0..len).map(|i| letters[(x >> (30 + 2 * i)) as usize % 4]).collect::<Vec<u8>>()
        };
        for _ in 0..20_000 {
            let (a, b) = (key(), key());
            if a < b {
                let got = separator(&a, &b);
                assert!(a <= got && got < b && got.len() <= a.len().max(b.len()), "{a:?} {b:?} {got:?}");
            }
        }
    }

    #[test]
    fn golden() {
        let golden = b"\x01\x03\x04key-\x03b\x01\x05\0\0\0\0\0\0\x0a\x02d\x14\x04dz\xac\x02";
        assert_eq!(built().escape_ascii().to_string(), golden.escape_ascii().to_string());
    }

    #[test]
    fn searches_find_the_block() {
        let index = Index::decode(&built()).unwrap();
        let upper = Trailer::upper;
        let cases: [(&[u8], Trailer, usize); 14] = [
            (b"", upper(9), 0),
            (b"key", upper(9), 0),
            (b"key-", upper(9), 0),
            (b"key-a", upper(9), 0),
            (b"key-b", upper(9), 0),
            (b"key-b", upper(5), 0),
            (b"key-b", upper(4), 1),
            (b"key-b\0", upper(9), 1),
            (b"key-c", upper(9), 1),
            (b"key-d", Trailer(0), 1),
            (b"key-d\0", upper(9), 2),
            (b"key-dz", Trailer(0), 2),
            (b"key-dz\0", upper(9), 3),
            (b"kez", upper(9), 3),
        ];
        for (key, at, expected) in cases {
            assert_eq!(index.search(key, at), expected, "{} {at:?}", key.escape_ascii());
        }
        assert_eq!(index.handle(0), Handle { offset: 32, len: 10 });
        assert_eq!(index.handle(2), Handle { offset: 72, len: 300 });
        assert_eq!((index.handle(3), index.data_end()), (Handle::default(), 377));
        assert_eq!(index.bound(0), (b"key-b".to_vec(), Trailer::new(5, Kind::Put)));
        assert_eq!(index.bound(1), (b"key-d".to_vec(), Trailer(0)));
    }

    #[test]
    fn equal_heads_are_told_apart_by_the_rest() {
        let mut builder = IndexBuilder::default();
        let keys: Vec<String> = (0..100).map(|i| format!("aaaaaaaaaaaaaaaa{i:03}-")).collect();
        for (i, key) in keys.iter().enumerate() {
            builder.add(1, (key.as_bytes(), Trailer(7)), keys.get(i + 1).map(String::as_bytes));
        }
        // Another head at both ends, so that the common prefix is empty.
        let mut both = IndexBuilder::default();
        both.add(1, (b"a", Trailer(7)), keys.first().map(String::as_bytes));
        for (i, key) in keys.iter().enumerate() {
            both.add(
                1,
                (key.as_bytes(), Trailer(7)),
                keys.get(i + 1).map_or(Some(b"b"), |k| Some(k.as_bytes())),
            );
        }
        both.add(1, (b"b", Trailer(7)), None);
        for (index, shift) in [(builder, 0), (both, 1)] {
            let index = Index::decode(&index.finish()).unwrap();
            for (i, key) in keys.iter().enumerate() {
                assert_eq!(index.search(key.as_bytes(), Trailer::upper(9)), i + shift, "{key}");
            }
        }
    }

    #[test]
    fn an_empty_index_has_no_block() {
        let index = Index::decode(&IndexBuilder::default().finish()).unwrap();
        assert_eq!((index.len(), index.search(b"a", Trailer(0)), index.data_end()), (0, 0, 32));
    }

    #[test]
    fn damage_is_an_error_or_harmless() {
        let good = built();
        for len in 0..good.len() {
            assert!(Index::decode(&good[..len]).is_err(), "{len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(index) = Index::decode(&bad) {
                let i = index.search(b"key-b", Trailer::upper(4));
                let _ = (index.handle(i), index.bound(i), index.memory());
            }
        }
        let mut unordered = IndexBuilder::default();
        unordered.add(1, (b"b", Trailer(0)), None);
        unordered.add(1, (b"b", Trailer(0)), None);
        assert!(Index::decode(&unordered.finish()).is_err());
    }
}
