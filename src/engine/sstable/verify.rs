//! Checks everything a table promises, byte by byte.
//!
//! Opening checks what is needed to find data; reading checks the checksum of what it reads. This reads all of it from
//! the file, past the cache, and checks what only a bug, or bad memory, could have broken: the order of the entries,
//! the bounds of the index, tags, filter and properties.

use super::block::{Block, Bytes};
use super::block_builder::tag;
use super::compression;
use super::format::{self, Damage, Handle};
use super::index::Index;
use super::properties::Properties;
use super::summary::TableSummary;
use super::table::{Meta, Table};
use crate::engine::key::{self, Trailer};
use crate::{Error, Result};

impl Table {
    /// Checks every byte, and returns what the table is, its checksum included; the caller compares that with what the
    /// manifest says.
    ///
    /// # Errors
    /// [`Error::Corruption`] or [`Error::Incompatible`], with the offset of the first thing that is wrong.
    pub fn verify(&self) -> Result<TableSummary> {
        let (file, place) = (self.bytes(), self.place());
        // Once more, since the file may have changed under the table.
        let meta = Meta::read(self.path(), place, file)?;
        let stored = &meta.properties;
        let counted = Properties::new(0, 0, stored.compression);
        let mut walk = Walk { meta: &meta, counted, key: Vec::new(), trailer: Trailer(0), hash: 0 };
        for ordinal in 0..meta.index.len() {
            let handle = meta.index.handle(ordinal);
            let checked = self.unpacked(handle).and_then(|content| walk.block(ordinal, content));
            checked.map_err(|e| e.at(self.path(), handle.offset, "table block"))?;
        }
        walk.counted.largest = walk.key;
        // What was asked for is not in the data.
        walk.counted.block_bytes = stored.block_bytes;
        walk.counted.filter_bits = stored.filter_bits;
        if walk.counted != *stored {
            let detail = format!("they are {stored:?}, but the data says {:?}", walk.counted);
            let offset = meta.footer.properties.offset;
            return Err(Error::corruption(self.path(), offset, "table properties", detail));
        }
        Ok(TableSummary::new(place, file.len() as u64, self.checksum(), stored))
    }

    /// The content of a data block, in memory of its own.
    pub(super) fn unpacked(&self, handle: Handle) -> Result<Vec<u8>, Damage> {
        match format::checked_payload(self.place(), self.bytes(), handle)? {
            (compression::NONE, payload) => Ok(payload.to_vec()),
            (kind, payload) => compression::unpack(kind, payload),
        }
    }
}

/// A walk over all entries, with the one before.
struct Walk<'a> {
    meta: &'a Meta,
    counted: Properties,
    key: Vec<u8>,
    trailer: Trailer,
    hash: u64,
}

impl Walk<'_> {
    fn block(&mut self, ordinal: usize, content: Vec<u8>) -> Result<(), Damage> {
        let block = Block::decode(Bytes::Owned(content.into()))?;
        let view = block.view();
        let mut key = view.prefix().to_vec();
        for i in 0..block.len() {
            key.truncate(block.prefix_len());
            key.extend_from_slice(view.suffix(i));
            let problem = self.entry(&key, view.trailer(i), view.value(i), view.tag(i));
            let problem = problem.or_else(|| self.bounds(ordinal, i, block.len()));
            if let Some(problem) = problem {
                return Damage::corrupt(format!("entry {i}, key \"{}\": {problem}", key.escape_ascii()));
            }
        }
        Ok(())
    }

    /// Counts the next entry; what is wrong with it, if anything is.
    fn entry(&mut self, key: &[u8], trailer: Trailer, value: &[u8], found: Option<u8>) -> Option<String> {
        let first = self.counted.entries == 0;
        let order = self.key.as_slice().cmp(key);
        if !first && (order.is_gt() || (order.is_eq() && self.trailer <= trailer)) {
            return Some(format!("it comes after \"{}\"", self.key.escape_ascii()));
        }
        if first || order.is_lt() {
            self.hash = key::hash(key);
            self.key.clear();
            self.key.extend_from_slice(key);
            if self.meta.filter.as_ref().is_some_and(|filter| !filter.may_contain(self.hash)) {
                return Some("it is not in the filter".into());
            }
        }
        self.trailer = trailer;
        if found != Some(tag(self.hash)) {
            return Some(format!("its tag is {found:?}, {} expected", tag(self.hash)));
        }
        self.counted.count(key, trailer, value).err()
    }

    /// What is wrong with the bounds around a block, seen from its first and last entry.
    fn bounds(&self, ordinal: usize, i: usize, len: usize) -> Option<String> {
        let index: &Index = &self.meta.index;
        let after_the_bound_before = match ordinal.checked_sub(1) {
            Some(before) if i == 0 => is_before(&index.bound(before), &self.key, self.trailer),
            _ => true,
        };
        let beyond_its_bound = i + 1 == len && is_before(&index.bound(ordinal), &self.key, self.trailer);
        (!after_the_bound_before || beyond_its_bound)
            .then(|| format!("it lies outside the bounds of block {ordinal}"))
    }
}

fn is_before(bound: &(Vec<u8>, Trailer), key: &[u8], trailer: Trailer) -> bool {
    let order = bound.0.as_slice().cmp(key);
    order.is_lt() || (order.is_eq() && bound.1 > trailer)
}
