//! The bytes of a file, in pages that copies share until one of them is written to.
//!
//! A clone costs one pointer per page, so a crash image of a small store takes microseconds. A page that is missing, in
//! the middle or at the end, reads as zeros: megabytes of preallocated zeros cost nothing.
//!
//! Invariant (C1): bytes of a stored page beyond the length are zero, so that growing shows zeros.

use std::ops::Range;
use std::sync::Arc;

/// What the kernel writes back as one piece.
pub(super) const PAGE: usize = 4096;

/// No test needs a longer file; a longer one is a bug in offset arithmetic, which gets an error instead of all memory.
pub(super) const MAX_LEN: u64 = 1 << 36;

type Page = [u8; PAGE];

static ZEROS: Page = [0; PAGE];

/// The content of a file at one time.
#[derive(Clone, Default)]
pub(super) struct Content {
    pages: Vec<Option<Arc<Page>>>,
    len: u64,
}

/// The bytes of one write, kept until a sync. The zeros of a preallocation are not stored.
#[derive(Clone)]
pub(super) enum Piece {
    Zeros(usize),
    Data(Arc<[u8]>),
}

impl Content {
    pub fn len(&self) -> u64 {
        self.len
    }

    /// How many pages are stored; all later ones are zero.
    pub fn stored_pages(&self) -> usize {
        self.pages.len()
    }

    pub fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.pages.truncate(len.div_ceil(PAGE as u64) as usize);
            self.erase(len, (self.pages.len() * PAGE) as u64);
        }
        self.len = len;
    }

    /// Fills `buf` from `offset` on, up to the end.
    pub fn read(&self, buf: &mut [u8], offset: u64) -> usize {
        let end = self.len.min(offset.saturating_add(buf.len() as u64));
        let mut rest = buf;
        for (page, within) in segments(offset, end) {
            let (part, tail) = std::mem::take(&mut rest).split_at_mut(within.len());
            rest = tail;
            match self.pages.get(page).and_then(Option::as_ref).and_then(|page| page.get(within)) {
                Some(bytes) => part.copy_from_slice(bytes),
                None => part.fill(0),
            }
        }
        end.saturating_sub(offset) as usize
    }

    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len as usize];
        self.read(&mut bytes, 0);
        bytes
    }

    /// Writes `data` at `offset`, growing the file if need be.
    pub fn write(&mut self, data: &[u8], offset: u64) {
        if data.is_empty() {
            return;
        }
        let end = offset + data.len() as u64;
        let mut rest = data;
        for (page, within) in segments(offset, end) {
            let (part, tail) = rest.split_at(within.len());
            rest = tail;
            if part != zeros(part.len()) {
                self.page_mut(page, within).copy_from_slice(part);
            } else {
                self.erase_in_page(page, within);
            }
        }
        self.len = self.len.max(end);
    }

    /// Writes `len` zeros at `offset`, growing the file if need be.
    pub fn write_zeros(&mut self, len: usize, offset: u64) {
        if len == 0 {
            return;
        }
        let end = offset + len as u64;
        self.erase(offset, end);
        self.len = self.len.max(end);
    }

    /// Takes over the pages that a write of `len` bytes at `offset` touched from `newer`, sharing them.
    pub fn share(&mut self, newer: &Content, offset: u64, len: usize) {
        let end = offset + len as u64;
        let stored = (self.pages.len().max(newer.pages.len()) * PAGE) as u64;
        for (page, _) in segments(offset, end.min(stored)) {
            match newer.pages.get(page).and_then(Option::as_ref) {
                Some(bytes) => *self.slot(page) = Some(Arc::clone(bytes)),
                None => {
                    if let Some(slot) = self.pages.get_mut(page) {
                        *slot = None;
                    }
                }
            }
        }
        self.len = self.len.max(end);
    }

    /// Zeroes a range without growing.
    fn erase(&mut self, offset: u64, end: u64) {
        let stored = (self.pages.len() * PAGE) as u64;
        for (page, within) in segments(offset, end.min(stored)) {
            self.erase_in_page(page, within);
        }
    }

    fn erase_in_page(&mut self, page: usize, within: Range<usize>) {
        let Some(slot) = self.pages.get_mut(page) else { return };
        if within.len() == PAGE {
            *slot = None;
        } else if let Some(bytes) = slot {
            Arc::make_mut(bytes).get_mut(within).unwrap_or_default().fill(0);
        }
    }

    fn page_mut(&mut self, page: usize, within: Range<usize>) -> &mut [u8] {
        let bytes = self.slot(page).get_or_insert_with(|| Arc::new(ZEROS));
        Arc::make_mut(bytes).get_mut(within).unwrap_or_default()
    }

    #[expect(clippy::indexing_slicing, reason = "the vector was just made longer than `page`")]
    fn slot(&mut self, page: usize) -> &mut Option<Arc<Page>> {
        if self.pages.len() <= page {
            self.pages.resize(page + 1, None);
        }
        &mut self.pages[page]
    }
}

impl Piece {
    pub fn of(data: &[u8]) -> Piece {
        if data.chunks(PAGE).all(|part| part == zeros(part.len())) {
            Piece::Zeros(data.len())
        } else {
            Piece::Data(data.into())
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Piece::Zeros(len) => *len,
            Piece::Data(data) => data.len(),
        }
    }

    /// Writes the bytes `range` of a piece that belongs at `offset`.
    pub fn write_part(&self, to: &mut Content, offset: u64, range: Range<usize>) {
        let at = offset + range.start as u64;
        match self {
            Piece::Zeros(_) => to.write_zeros(range.len(), at),
            Piece::Data(data) => to.write(data.get(range).unwrap_or_default(), at),
        }
    }

    /// Writes all of it at `offset`.
    pub fn write(&self, to: &mut Content, offset: u64) {
        self.write_part(to, offset, 0..self.len());
    }
}

/// The parts of `start..end` page by page: the number of the page and the range within it.
pub(super) fn segments(start: u64, end: u64) -> impl Iterator<Item = (usize, Range<usize>)> {
    let mut at = start;
    std::iter::from_fn(move || {
        let left = end.checked_sub(at).filter(|&left| left > 0)?;
        let from = (at % PAGE as u64) as usize;
        let page = (at / PAGE as u64) as usize;
        let to = from + ((PAGE - from) as u64).min(left) as usize;
        at += (to - from) as u64;
        Some((page, from..to))
    })
}

fn zeros(len: usize) -> &'static [u8] {
    ZEROS.get(..len).unwrap_or(&ZEROS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn segments_cover_the_range() {
        let all = |start, end| segments(start, end).collect::<Vec<_>>();
        assert_eq!(all(5, 5), []);
        assert_eq!(all(5, 2), []);
        assert_eq!(all(5, 7), [(0, 5..7)]);
        assert_eq!(all(4095, 8193), [(0, 4095..4096), (1, 0..4096), (2, 0..1)]);
    }

    #[test]
    fn zeros_are_not_stored() {
        let mut content = Content::default();
        content.write(&vec![0; 1 << 20], 0);
        Piece::of(&vec![0; 1 << 20]).write(&mut content, 1 << 20);
        content.set_len(1 << 30);
        assert_eq!((content.pages.len(), content.len()), (0, 1 << 30));
        content.write(b"x", 5000);
        assert_eq!(content.pages.len(), 2);
        content.write(&[0; 8192], 0);
        assert!(content.pages.iter().all(Option::is_none));
    }

    #[test]
    fn clones_share_pages_and_do_not_see_each_other() {
        let mut a = Content::default();
        a.write(&[1; 3 * PAGE], 0);
        let mut b = a.clone();
        b.write(&[2; 3], PAGE as u64);
        let shared =
            a.pages.iter().zip(&b.pages).map(|(a, b)| Arc::ptr_eq(a.as_ref().unwrap(), b.as_ref().unwrap()));
        assert_eq!(shared.collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(a.to_vec(), [1; 3 * PAGE]);
        assert_eq!(&b.to_vec()[PAGE - 1..PAGE + 4], [1, 2, 2, 2, 1]);
    }

    /// Random operations against a plain vector.
    #[test]
    fn behaves_like_a_vector() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let (mut content, mut model) = (Content::default(), Vec::new());
            for step in 0..60u8 {
                let offset = random.below(3 * PAGE);
                let limit = if random.flip() { 10 } else { 2 * PAGE };
                let len = random.below(limit);
                match random.below(4) {
                    0 => {
                        content.set_len(offset as u64);
                        model.resize(offset, 0);
                    }
                    kind => {
                        let data = vec![if kind == 1 { 0 } else { step + 1 }; len];
                        if len > 0 {
                            model.resize(model.len().max(offset + len), 0);
                            model[offset..offset + len].copy_from_slice(&data);
                        }
                        match kind {
                            2 => content.write(&data, offset as u64),
                            _ => Piece::of(&data).write(&mut content, offset as u64),
                        }
                    }
                }
                assert!(content.to_vec() == model, "seed {seed} step {step}");
            }
        }
    }
}
