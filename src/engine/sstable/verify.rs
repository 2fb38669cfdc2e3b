//! Checks everything a table promises, byte by byte, and says all that is wrong.
//!
//! Opening checks what is needed to find data; reading checks the checksum of what it reads. This reads all of it from
//! the file, past map and cache, and checks what only a bug, or bad memory, could have broken: the order of the entries,
//! the bounds of the index, tags, filter and properties. A damaged piece does not keep it from the others; only without
//! footer or index are the data blocks not told apart, and then that is said.

use super::block::Block;
use super::block_builder::tag;
use super::filter::Filter;
use super::format::Damage;
use super::index::Index;
use super::pieces::{Parts, TableFile, Trouble};
use super::properties::Properties;
use super::summary::TableSummary;
use crate::engine::header::HEADER_LEN;
use crate::engine::key::{self, Trailer};
use crate::engine::options::Compression;
use crate::{Error, Result};
use std::ops::Range;

/// What [`TableFile::verify`] found.
#[derive(Debug, Default)]
pub struct Verified {
    /// What the table is, when all of it is sound. The caller compares that with what the manifest says.
    pub summary: Option<TableSummary>,
    /// Bytes that were not checked, since what tells them apart is damaged.
    pub unchecked: Option<Range<u64>>,
}

impl TableFile {
    /// Checks every byte. `tell` gets all that is wrong, in the order of the file but for footer and index, which come
    /// first; `done` how many bytes more have been read.
    pub fn verify(&self, tell: &mut dyn FnMut(Trouble), done: &mut dyn FnMut(u64)) -> Verified {
        let mut found = 0;
        let verified = self.pieces_and_sum(
            &mut |trouble| {
                found += 1;
                tell(trouble);
            },
            done,
        );
        Verified { summary: verified.summary.filter(|_| found == 0), ..verified }
    }

    fn pieces_and_sum(&self, tell: &mut dyn FnMut(Trouble), done: &mut dyn FnMut(u64)) -> Verified {
        let parts = self.parts(tell);
        let Some(index) = &parts.index else {
            done(self.len);
            let end = parts.footer.as_ref().map_or(self.len, |(_, data_end)| *data_end);
            return Verified { summary: None, unchecked: Some(HEADER_LEN as u64..end) };
        };
        let mut walk = Walk::new(Some(index), parts.filter.as_ref());
        let mut damaged_blocks = false;
        for ordinal in 0..index.len() {
            let handle = index.handle(ordinal);
            let checked = self.block(handle).and_then(|block| {
                let checked = walk.block(ordinal, &block);
                checked.map_err(|e| e.at(self.file.path(), handle.offset, "table block"))
            });
            if let Err(error) = checked {
                damaged_blocks = true;
                tell(Trouble { offset: handle.offset, len: handle.len, error });
            }
            done(handle.end() - handle.offset);
        }
        done(self.len - index.data_end().min(self.len) + HEADER_LEN as u64);
        if damaged_blocks {
            return Verified::default();
        }
        let summary = self.summary(&parts, walk.finish()).unwrap_or_else(|trouble| {
            tell(trouble);
            None
        });
        Verified { summary, unchecked: None }
    }

    /// What a table is whose pieces are all sound, if they say the same of it.
    fn summary(&self, parts: &Parts, mut counted: Properties) -> Result<Option<TableSummary>, Trouble> {
        let (Some((footer, _)), Some(stored)) = (parts.footer, &parts.properties) else { return Ok(None) };
        // What was asked for is not in the data.
        counted.block_bytes = stored.block_bytes;
        counted.filter_bits = stored.filter_bits;
        counted.compression = stored.compression;
        // And what was left out is not there to be counted.
        counted.clean_seq = stored.clean_seq;
        if counted != *stored {
            let detail = format!("they are {stored:?}, but the data says {counted:?}");
            let offset = footer.properties.offset;
            let error = Error::corruption(self.file.path(), offset, "table properties", detail);
            return Err(Trouble { offset, len: footer.properties.len, error });
        }
        match self.checksum() {
            Ok(checksum) => Ok(Some(TableSummary::new(&self.place, self.len, checksum, stored))),
            Err(error) => Err(Trouble { offset: 0, len: self.len, error }),
        }
    }
}

/// A walk over the entries of a table, with the one before.
pub struct Walk<'a> {
    index: Option<&'a Index>,
    filter: Option<&'a Filter>,
    at: At,
}

/// How far a walk has come.
#[derive(Clone)]
struct At {
    counted: Properties,
    key: Vec<u8>,
    trailer: Trailer,
    hash: u64,
}

impl<'a> Walk<'a> {
    /// Before the first entry. What is not given is not compared.
    #[must_use]
    pub fn new(index: Option<&'a Index>, filter: Option<&'a Filter>) -> Walk<'a> {
        let counted = Properties::new(0, 0, Compression::None);
        Walk { index, filter, at: At { counted, key: Vec::new(), trailer: Trailer(0), hash: 0 } }
    }

    /// Checks all entries of the next block, which has this ordinal in the index.
    ///
    /// # Errors
    /// What is wrong with the first entry that is; then it is as if the block had not been there.
    pub fn block(&mut self, ordinal: usize, block: &Block) -> Result<(), Damage> {
        let before = self.at.clone();
        let walked = self.walk(ordinal, block);
        if walked.is_err() {
            self.at = before;
        }
        walked
    }

    /// The last key that was walked over; `None` before the first.
    #[must_use]
    pub fn last_key(&self) -> Option<&[u8]> {
        (self.at.counted.entries > 0).then_some(&*self.at.key)
    }

    /// How many entries were walked over.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.at.counted.entries
    }

    /// What all entries were, for the properties.
    fn finish(self) -> Properties {
        Properties { largest: self.at.key, ..self.at.counted }
    }

    fn walk(&mut self, ordinal: usize, block: &Block) -> Result<(), Damage> {
        let view = block.view();
        let mut key = view.prefix().to_vec();
        for i in 0..block.len() {
            key.truncate(block.prefix_len());
            key.extend_from_slice(view.suffix(i));
            let problem = self.at.entry(self.filter, &key, view.trailer(i), view.value(i), view.tag(i));
            let problem = problem.or_else(|| self.bounds(ordinal, i, block.len()));
            if let Some(problem) = problem {
                return Damage::corrupt(format!("entry {i}, key \"{}\": {problem}", key.escape_ascii()));
            }
        }
        Ok(())
    }

    /// What is wrong with the bounds around a block, seen from its first and last entry.
    fn bounds(&self, ordinal: usize, i: usize, len: usize) -> Option<String> {
        let (index, at) = (self.index?, &self.at);
        let after_the_bound_before = match ordinal.checked_sub(1) {
            Some(before) if i == 0 => is_before(&index.bound(before), &at.key, at.trailer),
            _ => true,
        };
        let beyond_its_bound = i + 1 == len && is_before(&index.bound(ordinal), &at.key, at.trailer);
        (!after_the_bound_before || beyond_its_bound)
            .then(|| format!("it lies outside the bounds of block {ordinal}"))
    }
}

impl At {
    /// Counts the next entry; what is wrong with it, if anything is.
    fn entry(
        &mut self,
        filter: Option<&Filter>,
        key: &[u8],
        trailer: Trailer,
        value: &[u8],
        found: Option<u8>,
    ) -> Option<String> {
        let first = self.counted.entries == 0;
        let order = self.key.as_slice().cmp(key);
        if !first && (order.is_gt() || (order.is_eq() && self.trailer <= trailer)) {
            return Some(format!("it comes after \"{}\"", self.key.escape_ascii()));
        }
        if first || order.is_lt() {
            self.hash = key::hash(key);
            self.key.clear();
            self.key.extend_from_slice(key);
            if filter.is_some_and(|filter| !filter.may_contain(self.hash)) {
                return Some("it is not in the filter".into());
            }
        }
        self.trailer = trailer;
        if found != Some(tag(self.hash)) {
            return Some(format!("its tag is {found:?}, {} expected", tag(self.hash)));
        }
        self.counted.count(key, trailer, value).err()
    }
}

fn is_before(bound: &(Vec<u8>, Trailer), key: &[u8], trailer: Trailer) -> bool {
    let order = bound.0.as_slice().cmp(key);
    order.is_lt() || (order.is_eq() && bound.1 > trailer)
}
