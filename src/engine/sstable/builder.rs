//! Writes a table from entries that come in order.
//!
//! ```text
//! add ─▶ BlockBuilder ─ full ─▶ pack ─▶ buffer of 1 MiB ─▶ write_at
//!     └▶ hashes, index, properties ─ finish ─▶ buffer ─▶ write_at, sync
//! ```
//!
//! (W1) Entries come in strictly ascending order (key ascending, trailer descending). Others are refused, for a wrong table
//!      would give wrong answers for ever. That is an error and no assertion, since a table that is merged may be wrong.
//! (W2) The file is written from its first byte to its last, and its checksum grows with it. It is synced once, at the
//!      end; until `finish` has returned, the file is worth nothing, and its owner removes it.
//! (W3) After an error the builder must be dropped.

use super::block_builder::{BlockBuilder, MAX_COUNT, tag};
use super::compression::{self, Packer};
use super::filter;
use super::format::{self, Footer, Handle};
use super::index::IndexBuilder;
use super::properties::Properties;
use super::summary::TableSummary;
use crate::engine::checksum::Place;
use crate::engine::header::{self, FileKind};
use crate::engine::iter::unordered;
use crate::engine::key::{self, MAX_KEY_LEN, MAX_VALUE_LEN, Trailer};
use crate::engine::options::Compression;
use crate::planted::{Bug, planted};
use crate::vfs::OpenFile;
use crate::{Error, Result};

/// How many bytes are collected before they are written, unless told otherwise.
const WRITE_BYTES: usize = 1 << 20;
/// The largest block that may be asked for; a single large entry may still make a larger one.
const MAX_BLOCK_BYTES: usize = 1 << 24;
/// A key with its keyspace prefix.
const MAX_ENGINE_KEY_LEN: usize = MAX_KEY_LEN + 4;
/// A value with its expiry, and some room.
const MAX_ENTRY_VALUE_LEN: usize = MAX_VALUE_LEN + 64;

/// How a table is written.
#[derive(Debug, Clone, Copy)]
pub struct TableOptions {
    /// Which file it is.
    pub place: Place,
    /// When a block is full: bytes of content, about.
    pub block_bytes: usize,
    /// What is done with full blocks.
    pub compression: Compression,
    /// How many bits the filter has for each key; 0 for no filter.
    pub filter_bits: u32,
    /// Range deletions up to this sequence number hide none of its entries.
    pub clean_seq: u64,
}

/// A table in the making. Dropping it abandons the table; the file stays to be removed.
pub struct TableBuilder {
    file: OpenFile,
    options: TableOptions,
    // What is on its way to the file: `buffer` belongs at offset `written`.
    buffer: Vec<u8>,
    written: u64,
    checksum: crc32fast::Hasher,
    // The block in the making, and memory for packing it.
    block: BlockBuilder,
    content: Vec<u8>,
    packer: Packer,
    // What is known at the end only.
    index: IndexBuilder,
    hashes: Vec<u64>,
    properties: Properties,
    // The entry before.
    last_key: Vec<u8>,
    last_trailer: Trailer,
    last_hash: u64,
    /// How many bytes are collected before they are written.
    write_bytes: usize,
}

impl TableBuilder {
    /// Begins a table in `file`, which is new and empty.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the compression is not in this build.
    pub fn new(file: OpenFile, options: TableOptions) -> Result<TableBuilder> {
        assert!(options.place.kind == FileKind::Table, "a table lies in a table file");
        compression::check_built_in(options.compression)?;
        let options = TableOptions { block_bytes: options.block_bytes.min(MAX_BLOCK_BYTES), ..options };
        let buffer = header::encode(&options.place).to_vec();
        let properties = Properties::new(options.block_bytes, options.filter_bits, options.compression);
        Ok(TableBuilder {
            file,
            buffer,
            written: 0,
            checksum: crc32fast::Hasher::new(),
            block: BlockBuilder::default(),
            content: Vec::new(),
            packer: Packer::default(),
            index: IndexBuilder::default(),
            hashes: Vec::new(),
            properties: Properties { clean_seq: options.clean_seq, ..properties },
            last_key: Vec::new(),
            last_trailer: Trailer(0),
            last_hash: 0,
            write_bytes: WRITE_BYTES,
            options,
        })
    }

    /// Collects at most about so many bytes before they are written.
    #[must_use]
    pub fn writing_every(mut self, bytes: usize) -> TableBuilder {
        self.write_bytes = bytes.min(WRITE_BYTES);
        self.buffer.reserve(self.write_bytes + self.options.block_bytes);
        self
    }

    /// How much memory it takes, and will take at the most when it is finished: the filter is there twice then.
    #[must_use]
    pub fn memory(&self) -> usize {
        let filter = filter::estimated_len(self.hashes.len(), self.options.filter_bits) as usize;
        let blocks = self.content.capacity() + 2 * self.block.estimated_len(0);
        self.buffer.capacity()
            + blocks
            + self.hashes.capacity() * size_of::<u64>()
            + 2 * filter
            + self.index.memory()
    }

    /// Adds the next entry (W1). `hash` is `key::hash(key)`, when the caller has it already.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the entry is over a limit or has no expiry although its kind demands one;
    /// [`Error::Corruption`] when it does not come after the one before, as from a table that nobody's builder made;
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn add(&mut self, key: &[u8], hash: Option<u64>, trailer: Trailer, value: &[u8]) -> Result<()> {
        if key.len() > MAX_ENGINE_KEY_LEN || value.len() > MAX_ENTRY_VALUE_LEN {
            let (k, v) = (key.len(), value.len());
            return Err(Error::invalid(format!("an entry of {k} key and {v} value bytes is too large")));
        }
        let same_key = self.properties.entries > 0 && self.check_order(key, trailer)?;
        if !same_key {
            self.last_hash = hash.unwrap_or_else(|| key::hash(key));
        }
        let size = key.len() + value.len();
        let full = self.block.estimated_len(size) > self.options.block_bytes || self.block.len() == MAX_COUNT;
        if full && !self.block.is_empty() {
            self.finish_block(Some(key))?;
        }
        self.properties.count(key, trailer, value).map_err(Error::invalid)?;
        if !same_key {
            self.last_key.clear();
            self.last_key.extend_from_slice(key);
            if self.options.filter_bits > 0 {
                self.hashes.push(self.last_hash);
            }
        }
        self.last_trailer = trailer;
        self.block.add(key, tag(self.last_hash), trailer, value);
        Ok(())
    }

    /// About how long the file would be, were it finished now.
    #[must_use]
    pub fn estimated_len(&self) -> u64 {
        let content = if self.block.is_empty() { 0 } else { self.block.estimated_len(0) };
        self.written
            + (self.buffer.len() + content + format::FOOTER_LEN) as u64
            + filter::estimated_len(self.hashes.len(), self.options.filter_bits)
            + self.index.estimated_len()
    }

    /// Writes what is left, and makes the file durable. The name is made durable by the caller, in its directory.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`]; the file is worth nothing then.
    pub fn finish(mut self) -> Result<TableSummary> {
        if !self.block.is_empty() {
            self.finish_block(None)?;
        }
        self.properties.largest = std::mem::take(&mut self.last_key);
        let filter = filter::build(&std::mem::take(&mut self.hashes), self.options.filter_bits);
        let footer = Footer {
            filter: filter.map(|filter| self.put_payload(&filter, compression::NONE)).transpose()?,
            index: self.put_payload(&self.index.finish(), compression::NONE)?,
            properties: self.put_payload(&self.properties.encode(), compression::NONE)?,
        };
        let footer = footer.encode(&self.options.place, self.offset());
        self.buffer.extend_from_slice(&footer);
        self.write()?;
        if !planted(Bug::SkipTableSync) {
            self.file.sync()?;
        }
        let checksum = self.checksum.finalize();
        Ok(TableSummary::new(&self.options.place, self.written, checksum, &self.properties))
    }

    /// True when the key is that of the entry before.
    fn check_order(&self, key: &[u8], trailer: Trailer) -> Result<bool> {
        let order = self.last_key.as_slice().cmp(key);
        let same_key = order.is_eq();
        if order.is_gt() || (same_key && trailer >= self.last_trailer) {
            return Err(unordered(key, &self.last_key));
        }
        Ok(same_key)
    }

    /// Ends the block; `next` is the first key of the next one.
    fn finish_block(&mut self, next: Option<&[u8]>) -> Result<()> {
        self.content.clear();
        self.block.finish(&mut self.content);
        // A huge entry may have been through here; of its copies there are never more than two.
        let most = 2 * (self.write_bytes + self.options.block_bytes);
        self.block.give_back(most);
        let content = std::mem::take(&mut self.content);
        let mut packer = std::mem::take(&mut self.packer);
        let handle = match packer.pack(self.options.compression, &content) {
            Some((kind, payload)) => self.put_payload(payload, kind)?,
            None => self.put_payload(&content, compression::NONE)?,
        };
        packer.give_back(most);
        (self.content, self.packer) = (content, packer);
        self.content.clear();
        self.content.shrink_to(most);
        self.index.add(handle.len, (&self.last_key, self.last_trailer), next);
        if self.buffer.len() >= self.write_bytes {
            self.write()?;
        }
        Ok(())
    }

    /// Appends a payload and its trailer. A large one is not collected, but written at once.
    fn put_payload(&mut self, payload: &[u8], compression: u8) -> Result<Handle> {
        let offset = self.offset();
        if payload.len() > self.write_bytes {
            self.write()?;
            self.write_piece(payload)?;
        } else {
            self.buffer.extend_from_slice(payload);
        }
        let trailer = format::trailer(&self.options.place, offset, payload, compression);
        self.buffer.extend_from_slice(&trailer);
        Ok(Handle { offset, len: payload.len() as u64 })
    }

    fn offset(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn write(&mut self) -> Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        self.write_piece(&buffer)?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    /// Writes what comes next in the file (W2).
    fn write_piece(&mut self, piece: &[u8]) -> Result<()> {
        self.file.write_at(piece, self.written)?;
        self.checksum.update(piece);
        self.written += piece.len() as u64;
        Ok(())
    }
}
