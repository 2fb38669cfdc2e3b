//! A decoded data block: point probes, searches, and access by position.
//!
//! Decoding looks once at everything that later accesses rely on, and turns stored lengths into offsets; the content
//! itself stays where it is, in memory of its own or in the mapped file. The layout is drawn in `block_builder`.
//!
//! (D1) After decoding, every range a [`View`] computes for a position below `len` lies in the content, and every
//!      sequence number has at most 56 bits. A position at or beyond `len` gives empty ranges, never a panic.
//! (D2) That entries are in order is not checked here but by `Table::verify`: bytes whose checksum is right are trusted
//!      to be what the builder wrote. An unordered block gives wrong answers, never a panic.
//!
//! A probe compares one byte of hash per entry, many at a time, and then the keys that remain: 1 in 256 of the others.
//! A search compares heads of eight bytes, loaded straight from the suffixes. Since every position is reached in one
//! step, going backward costs what going forward costs.

use super::block_builder::{Parts, TAIL_LEN, Tail, tag};
use super::format::Damage;
use crate::engine::cache::Weigh;
use crate::engine::key::{MAX_SEQ, Trailer};
use crate::engine::slice::Backing;
use crate::vfs::Mapped;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

/// A decoded block.
pub struct Block {
    bytes: Bytes,
    count: usize,
    values: Spans,
    suffixes: Spans,
    suffixes_at: usize,
    sequences_at: usize,
    sequence_width: usize,
    sequence_mask: u64,
    kinds_at: Option<usize>,
    base: u64,
    tags: Range<usize>,
    prefix: Range<usize>,
}

/// Where the content of a block lies.
pub enum Bytes {
    /// In memory of its own: it was compressed.
    Owned(Box<[u8]>),
    /// In the mapped file.
    Mapped {
        /// The whole file.
        map: Arc<dyn Mapped>,
        /// The content in it.
        range: Range<usize>,
    },
}

/// Where the pieces of one part lie, relative to its start.
enum Spans {
    /// All have this length.
    Alike(usize),
    /// Piece `i` lies between the offsets `i` and `i + 1`, the last of which is repeated. In place: a list elsewhere is one more wait for
    /// memory in each read, and blocks of large values have few.
    Few([u32; FEW]),
    /// The same for more pieces.
    Offsets(Box<[u32]>),
}

/// So many offsets are held in place.
const FEW: usize = 8;

/// A block with its content at hand, for a few accesses in a row.
#[derive(Clone, Copy)]
pub struct View<'a> {
    block: &'a Block,
    bytes: &'a [u8],
}

impl Backing for Block {
    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped { map, range } => map.bytes().get(range.clone()).unwrap_or_default(),
        }
    }
}

impl Weigh for Block {
    fn weight(&self) -> usize {
        let owned = match &self.bytes {
            Bytes::Owned(bytes) => bytes.len(),
            Bytes::Mapped { .. } => 0,
        };
        // The two counters of its `Arc`, and its entry in the ring of the cache.
        let around = 16 + 24;
        size_of::<Block>() + around + owned + self.values.memory() + self.suffixes.memory()
    }
}

impl Block {
    /// Reads a block (D1).
    ///
    /// # Errors
    /// [`Damage`] of either kind.
    pub fn decode(bytes: Bytes) -> Result<Block, Damage> {
        let mut block = Block {
            bytes,
            count: 0,
            values: Spans::Alike(0),
            suffixes: Spans::Alike(0),
            suffixes_at: 0,
            sequences_at: 0,
            sequence_width: 0,
            sequence_mask: 0,
            kinds_at: None,
            base: 0,
            tags: 0..0,
            prefix: 0..0,
        };
        let content = Backing::bytes(&block);
        let Some(tail) = Tail::decode(content) else {
            return Damage::corrupt(format!("{} bytes are too few for a block", content.len()));
        };
        let parts = Parts::of(&tail, content.len())?;
        let values = Spans::decode(content, &parts.values, &parts.value_lens, tail.widths[0])?;
        let suffixes = Spans::decode(content, &parts.suffixes, &parts.suffix_lens, tail.widths[1])?;

        block.count = usize::from(tail.count);
        block.values = values.unwrap_or(Spans::Alike(tail.value_len as usize));
        block.suffixes = suffixes.unwrap_or(Spans::Alike(tail.suffix_len as usize));
        block.suffixes_at = parts.suffixes.start;
        block.sequences_at = parts.sequences.start;
        block.sequence_width = usize::from(tail.widths[2]);
        block.sequence_mask = mask(tail.widths[2]);
        block.kinds_at = (!parts.kinds.is_empty()).then_some(parts.kinds.start);
        block.base = tail.base;
        block.tags = parts.tags;
        block.prefix = parts.prefix;
        block.check_sequences()?;
        Ok(block)
    }

    /// Looks at a byte of each of its cache lines. They come from memory side by side then; whoever goes through the content from one
    /// length to the next would wait for each.
    pub fn touch(&self) {
        std::hint::black_box(Backing::bytes(self).iter().step_by(64).fold(0, |all, byte| all ^ byte));
    }

    /// Looks at itself: at what leads to its content, and what says where in there everything is.
    #[inline]
    pub fn touch_self(&self) {
        let (values, suffixes) = (self.values.get(0).1, self.suffixes.get(0).1);
        std::hint::black_box(
            values ^ suffixes ^ self.tags.end ^ self.prefix.end ^ self.sequences_at ^ self.count,
        );
    }

    /// Looks at what a search by tags meets; in a block of few entries that is all but the values.
    #[inline]
    pub fn touch_keys(&self) {
        let bytes = Backing::bytes(self);
        let at = |at: usize| bytes.get(at).copied().unwrap_or_default();
        let few = self.tags.start.saturating_sub(128).max(self.suffixes_at);
        std::hint::black_box(at(few) ^ at(self.tags.start) ^ at(self.prefix.end));
    }

    /// How many entries it has; at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// The length of what all keys begin with.
    #[must_use]
    pub fn prefix_len(&self) -> usize {
        self.prefix.len()
    }

    /// The block with its content at hand.
    #[inline]
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { block: self, bytes: Backing::bytes(self) }
    }

    /// Where the value of the entry at position `i` lies in the content: start and length.
    #[inline]
    #[must_use]
    pub fn value_span(&self, i: usize) -> (usize, usize) {
        self.values.get(i)
    }

    /// The greatest sequence number must fit; looked at one by one only when the width would allow a greater one.
    fn check_sequences(&self) -> Result<(), Damage> {
        if (self.base >> 8) + self.sequence_mask <= MAX_SEQ {
            return Ok(());
        }
        let view = self.view();
        let highest = (0..self.count).map(|i| view.delta(i)).max().unwrap_or(0);
        if (self.base >> 8) + highest > MAX_SEQ {
            return Damage::corrupt(format!("a sequence number is over the limit of {MAX_SEQ}"));
        }
        Ok(())
    }
}

impl<'a> View<'a> {
    /// What all keys begin with.
    #[must_use]
    pub fn prefix(self) -> &'a [u8] {
        self.bytes.get(self.block.prefix.clone()).unwrap_or_default()
    }

    /// The key of the entry at `i`, without the prefix.
    #[inline]
    #[must_use]
    pub fn suffix(self, i: usize) -> &'a [u8] {
        let (start, len) = self.block.suffixes.get(i);
        let start = self.block.suffixes_at + start;
        self.bytes.get(start..start + len).unwrap_or_default()
    }

    /// Compares the key of the entry at `i` with another.
    #[must_use]
    pub fn cmp_key(self, i: usize, key: &[u8]) -> Ordering {
        match key.split_at_checked(self.prefix().len()) {
            Some((front, rest)) => self.prefix().cmp(front).then_with(|| self.suffix(i).cmp(rest)),
            // Longer than the other, the prefix cannot be equal to it.
            None => self.prefix().cmp(key),
        }
    }

    /// The value of the entry at `i`.
    #[inline]
    #[must_use]
    pub fn value(self, i: usize) -> &'a [u8] {
        let (start, len) = self.block.values.get(i);
        self.bytes.get(start..start + len).unwrap_or_default()
    }

    /// Sequence number and kind of the entry at `i`.
    #[inline]
    #[must_use]
    pub fn trailer(self, i: usize) -> Trailer {
        // Wraps only beyond `len`, where the load gives nothing meaningful.
        let base = self.block.base.wrapping_add(self.delta(i) << 8);
        match self.block.kinds_at {
            None => Trailer(base),
            Some(at) => {
                let kind = self.bytes.get(at + i).copied().unwrap_or_default();
                Trailer(base & !0xff | u64::from(kind))
            }
        }
    }

    /// The tag of the entry at `i`.
    #[must_use]
    pub fn tag(self, i: usize) -> Option<u8> {
        self.tags().get(i).copied()
    }

    /// The newest entry of `key` at or after `at`: the first one with a trailer of at most `at`.
    #[must_use]
    pub fn find(self, key: &[u8], hash: u64, at: Trailer) -> Option<usize> {
        let suffix = key.strip_prefix(self.prefix())?;
        let first = memchr::memchr_iter(tag(hash), self.tags()).find(|i| self.suffix(*i) == suffix)?;
        if self.trailer(first) <= at {
            return Some(first);
        }
        // Newer versions than asked for come first (B1); there may be thousands of them.
        let i = self.lower_bound(first + 1, suffix, at);
        (i < self.block.count && self.suffix(i) == suffix).then_some(i)
    }

    /// The position of the first entry at or after `(key, at)`; `len` when all are before.
    #[must_use]
    pub fn seek(self, key: &[u8], at: Trailer) -> usize {
        let prefix = self.prefix();
        match key.strip_prefix(prefix) {
            Some(suffix) => self.lower_bound(0, suffix, at),
            None if key < prefix => 0,
            None => self.block.count,
        }
    }

    fn lower_bound(self, from: usize, suffix: &[u8], at: Trailer) -> usize {
        let head = crate::engine::key::head(suffix, 0);
        let (mut low, mut high) = (from, self.block.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.is_before(middle, suffix, head, at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// True when the entry at `i` is before `(suffix, at)`.
    #[inline]
    fn is_before(self, i: usize, suffix: &[u8], head: u64, at: Trailer) -> bool {
        match self.head(i).cmp(&head) {
            Ordering::Equal => match self.suffix(i).cmp(suffix) {
                Ordering::Equal => self.trailer(i) > at,
                other => other == Ordering::Less,
            },
            other => other == Ordering::Less,
        }
    }

    /// As `key::head` of the suffix, by one load and a mask (B3).
    #[inline]
    fn head(self, i: usize) -> u64 {
        let (start, len) = self.block.suffixes.get(i);
        let word = load(self.bytes, self.block.suffixes_at + start);
        let beyond = 64 - 8 * len.min(8) as u32;
        u64::from_be_bytes(word) & u64::MAX.checked_shl(beyond).unwrap_or(0)
    }

    /// What is added to the lowest sequence number.
    #[inline]
    fn delta(self, i: usize) -> u64 {
        let at = self.block.sequences_at + i * self.block.sequence_width;
        u64::from_le_bytes(load(self.bytes, at)) & self.block.sequence_mask
    }

    fn tags(self) -> &'a [u8] {
        self.bytes.get(self.block.tags.clone()).unwrap_or_default()
    }
}

impl Spans {
    /// Offsets out of the stored lengths, which must add up to the part; `None` when none are stored.
    fn decode(
        content: &[u8],
        part: &Range<usize>,
        lens: &Range<usize>,
        width: u8,
    ) -> Result<Option<Spans>, Damage> {
        if width == 0 {
            return Ok(None);
        }
        let mask = mask(width);
        let mut end = 0u64;
        let ends = lens.clone().step_by(usize::from(width)).map(|at| {
            end += u64::from_le_bytes(load(content, at)) & mask;
            // A sum that does not fit is greater than any part, and is refused below.
            end as u32
        });
        let offsets = std::iter::once(0).chain(ends);
        let spans = if lens.len() / usize::from(width) < FEW {
            let mut few = [part.len() as u32; FEW];
            few.iter_mut().zip(offsets).for_each(|(place, offset)| *place = offset);
            Spans::Few(few)
        } else {
            Spans::Offsets(offsets.collect())
        };
        if end != part.len() as u64 {
            return Damage::corrupt(format!("lengths add up to {end}, {} expected", part.len()));
        }
        Ok(Some(spans))
    }

    /// Start and length of piece `i`; an empty one when there is none.
    #[inline]
    fn get(&self, i: usize) -> (usize, usize) {
        let offsets = match self {
            Spans::Alike(len) => return (i * len, *len),
            Spans::Few(offsets) => &offsets[..],
            Spans::Offsets(offsets) => offsets,
        };
        match offsets.get(i..).and_then(<[u32]>::first_chunk::<2>) {
            Some([start, end]) => (*start as usize, (end - start) as usize),
            None => (0, 0),
        }
    }

    fn memory(&self) -> usize {
        match self {
            Spans::Alike(_) | Spans::Few(_) => 0,
            Spans::Offsets(offsets) => size_of_val(&**offsets),
        }
    }
}

/// The bits of a number of so many bytes, below 8.
fn mask(width: u8) -> u64 {
    (1 << (8 * u32::from(width.min(7)))) - 1
}

/// Eight bytes at `at`; the tail sees to it that they exist (B3).
#[inline]
fn load(bytes: &[u8], at: usize) -> [u8; 8] {
    bytes.get(at..).and_then(<[u8]>::first_chunk::<8>).copied().unwrap_or_default()
}

const _: () = assert!(TAIL_LEN >= 8, "B3");

#[cfg(test)]
mod tests;
