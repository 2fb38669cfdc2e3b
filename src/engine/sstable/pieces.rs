//! A table read piece by piece from its file, for those who go on when a piece is damaged or cannot be read.
//!
//! The read path maps a table, and a page of a map that the device cannot deliver ends the process. Here every piece is
//! read by a call of its own, so such a page is an error of one piece like any other. One piece at a time is in memory.

use super::block::{Block, Bytes};
use super::compression;
use super::filter::Filter;
use super::format::{self, Damage, FOOTER_LEN, Footer, Handle};
use super::index::Index;
use super::properties::Properties;
use crate::engine::checksum::Place;
use crate::engine::header::{self, HEADER_LEN};
use crate::vfs::OpenFile;
use crate::{Error, Result};

/// How much is read at once where pieces do not matter.
const WINDOW: u64 = 1 << 20;

/// The file of a table.
#[derive(Debug)]
pub struct TableFile {
    /// The file.
    pub file: OpenFile,
    /// Which table it should be.
    pub place: Place,
    /// Its length.
    pub len: u64,
}

/// A piece of a file that is damaged, or could not be read.
#[derive(Debug)]
pub struct Trouble {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub len: u64,
    /// What is wrong.
    pub error: Error,
}

/// What a table holds beside its data, as far as it is sound.
#[derive(Default)]
pub struct Parts {
    /// Where its blocks lie, and where the data ends.
    pub footer: Option<(Footer, u64)>,
    /// Which data block holds what.
    pub index: Option<Index>,
    /// Which keys are certainly not there; `None` also when the table has no filter.
    pub filter: Option<Filter>,
    /// What it says about itself.
    pub properties: Option<Properties>,
}

impl TableFile {
    /// The table at `place`, which should lie in `file`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn new(file: OpenFile, place: Place) -> Result<TableFile> {
        let len = file.len()?;
        Ok(TableFile { file, place, len })
    }

    /// Reads everything but the data, and tells what is wrong with it.
    pub fn parts(&self, tell: &mut dyn FnMut(Trouble)) -> Parts {
        self.sound(Handle { offset: 0, len: HEADER_LEN as u64 }, self.header(), tell);
        let at = Footer::offset(self.len);
        let footer = self.sound(Handle { offset: at, len: self.len - at }, self.footer(), tell);
        let Some((Footer { filter, index, properties }, data_end)) = footer else { return Parts::default() };
        Parts {
            footer,
            index: self.sound(index, self.index(index, data_end), tell),
            filter: filter.and_then(|filter| {
                self.sound(filter, self.part(filter, "table filter", Filter::decode), tell)
            }),
            properties: {
                let read = self.part(properties, "table properties", Properties::decode);
                self.sound(properties, read, tell)
            },
        }
    }

    fn sound<T>(&self, at: Handle, read: Result<T>, tell: &mut dyn FnMut(Trouble)) -> Option<T> {
        read.map_err(|error| tell(Trouble { offset: at.offset, len: at.len, error })).ok()
    }

    fn header(&self) -> Result<()> {
        header::expect(self.file.path(), &self.read(0, HEADER_LEN as u64)?, &self.place)
    }

    fn footer(&self) -> Result<(Footer, u64)> {
        let at = Footer::offset(self.len);
        let end = self.read(at, FOOTER_LEN as u64)?;
        Footer::decode_end(&self.place, self.len, &end)
            .map_err(|e| e.at(self.file.path(), at, "table footer"))
    }

    fn index(&self, handle: Handle, data_end: u64) -> Result<Index> {
        self.part(handle, "table index", |bytes| {
            let index = Index::decode(bytes)?;
            match index.data_end() {
                end if end == data_end => Ok(index),
                end => Damage::corrupt(format!("its blocks end at {end}, {data_end} expected")),
            }
        })
    }

    /// The block at `handle`, which is not data.
    pub(super) fn part<T>(
        &self,
        handle: Handle,
        what: &'static str,
        decode: impl FnOnce(&[u8]) -> Result<T, Damage>,
    ) -> Result<T> {
        let piece = self.piece(handle)?;
        let read = format::checked_piece(&self.place, handle.offset, &piece);
        let decoded = read.and_then(compression::never_packed).and_then(decode);
        decoded.map_err(|e| e.at(self.file.path(), handle.offset, what))
    }

    /// The data block at `handle`, with its checksum checked.
    ///
    /// # Errors
    /// [`Error::Corruption`], [`Error::Incompatible`], [`Error::Io`].
    pub fn block(&self, handle: Handle) -> Result<Block> {
        let mut piece = self.piece(handle)?;
        let content = match format::checked_piece(&self.place, handle.offset, &piece) {
            Ok((compression::NONE, payload)) => Ok(payload.len()).map(|len| {
                piece.truncate(len);
                piece
            }),
            Ok((kind, payload)) => compression::unpack(kind, payload),
            Err(damage) => Err(damage),
        };
        let block = content.and_then(|content| Block::decode(Bytes::Owned(content.into())));
        block.map_err(|e| e.at(self.file.path(), handle.offset, "table block"))
    }

    /// A payload with its trailer.
    pub(super) fn piece(&self, handle: Handle) -> Result<Vec<u8>> {
        let piece = self.read(handle.offset, handle.end().saturating_sub(handle.offset))?;
        if handle.end() > self.len {
            let detail = format!("it has {} bytes, but the file ends at {}", handle.len, self.len);
            return Err(Error::corruption(self.file.path(), handle.offset, "table block", detail));
        }
        Ok(piece)
    }

    /// Up to `len` bytes at `offset`: fewer at the end of the file.
    pub(super) fn read(&self, offset: u64, len: u64) -> Result<Vec<u8>> {
        let there = self.len.saturating_sub(offset).min(len);
        let mut bytes = vec![0; usize::try_from(there).unwrap_or(usize::MAX)];
        let read = self.file.read_at(&mut bytes, offset)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// The CRC-32 of the whole file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn checksum(&self) -> Result<u32> {
        let mut hasher = crc32fast::Hasher::new();
        for at in (0..self.len).step_by(WINDOW as usize) {
            hasher.update(&self.read(at, WINDOW)?);
        }
        Ok(hasher.finalize())
    }
}
