//! Takes what can be proved sound out of a table that may be damaged, and says what could not be had.
//!
//! The unit is the block: a block whose checksum is right, whose parts add up, and whose entries are in order behind those of
//! the blocks before, of kinds that this build knows, is taken whole; any other is lost whole. Header, filter and properties
//! are not needed, as long as they are merely damaged: where one of them, or the footer or the index, is *newer* than this
//! build, nobody knows what the entries mean, and the table is lost as a whole.
//!
//! With the index, a lost block's keys lie between two bounds. Without it the blocks are looked for ([`super::search`]), and
//! what is lost lies between the keys around it.

use super::block::Block;
use super::format::{Damage, Handle};
use super::index::Index;
use super::pieces::{TableFile, Trouble};
use super::properties::Properties;
use super::search::Search;
use super::verify::Walk;
use crate::engine::header::HEADER_LEN;
use crate::engine::key::{Kind, Trailer};
use crate::{Error, Result};
use std::ops::Bound;

/// A range of engine keys.
pub type Keys = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// Bytes of a table whose entries are lost.
#[derive(Debug)]
pub struct Lost {
    /// Where they lie, and why they are lost.
    pub trouble: Trouble,
    /// Every engine key that may have been in them; unbounded where nothing tells.
    pub keys: Keys,
}

/// Who takes what is found.
pub trait Salvor {
    /// An entry. They come in order.
    ///
    /// # Errors
    /// Ends the salvage.
    fn entry(&mut self, key: &[u8], trailer: Trailer, value: &[u8]) -> Result<()>;
    /// Entries that are lost.
    fn lost(&mut self, lost: Lost);
    /// Damage that cost nothing.
    fn harmless(&mut self, trouble: Trouble);
    /// So many bytes more of the table are done.
    fn done(&mut self, bytes: u64);
}

impl TableFile {
    /// Gives every entry that can be proved sound to `salvor`.
    ///
    /// # Errors
    /// What the salvor says.
    pub fn salvage(&self, salvor: &mut dyn Salvor) -> Result<()> {
        let (mut troubles, mut newer) = (Vec::new(), None);
        let parts = self.parts(&mut |trouble| match trouble.error {
            Error::Incompatible { .. } => newer = newer.take().or(Some(trouble)),
            _ => troubles.push(trouble),
        });
        if let Some(mut trouble) = newer {
            (trouble.offset, trouble.len) = (0, self.len);
            salvor.lost(Lost { trouble, keys: (Bound::Unbounded, Bound::Unbounded) });
            return Ok(());
        }
        troubles.into_iter().for_each(|trouble| salvor.harmless(trouble));
        let data_end = parts.footer.as_ref().map(|(_, data_end)| *data_end);
        let walk = Walk::new(parts.index.as_ref(), None);
        let salvage = Salvage { table: self, salvor, walk };
        match &parts.index {
            Some(index) => salvage.by_index(index, parts.properties.as_ref()),
            None => salvage.by_search(data_end, parts.properties),
        }
    }
}

struct Salvage<'a> {
    table: &'a TableFile,
    salvor: &'a mut dyn Salvor,
    walk: Walk<'a>,
}

/// What a search has found: pieces whose checksums are right, in order.
struct Found {
    pieces: Vec<Handle>,
    index: Option<Index>,
    properties: Option<Properties>,
    /// Why the search ended early.
    failed: Option<Error>,
}

/// What was passed over since the last sound block.
struct Gap {
    begin: u64,
    after: Bound<Vec<u8>>,
    error: Option<Error>,
}

impl Salvage<'_> {
    fn by_index(mut self, index: &Index, properties: Option<&Properties>) -> Result<()> {
        for ordinal in 0..index.len() {
            let handle = index.handle(ordinal);
            match self.block(ordinal, handle) {
                Ok(block) => self.give(&block)?,
                Err(error) => {
                    let first =
                        || properties.map_or(Bound::Unbounded, |p| Bound::Included(p.smallest.clone()));
                    let before = ordinal.checked_sub(1).map(|before| match index.bound(before) {
                        (key, Trailer(0)) => Bound::Excluded(key),
                        // Its versions go on in the block that is lost.
                        (key, _) => Bound::Included(key),
                    });
                    let keys = (before.unwrap_or_else(first), Bound::Included(index.bound(ordinal).0));
                    let trouble = Trouble { offset: handle.offset, len: handle.len, error };
                    self.salvor.lost(Lost { trouble, keys });
                }
            }
            self.salvor.done(handle.end() - handle.offset);
        }
        self.salvor.done(self.table.len.saturating_sub(index.data_end()) + HEADER_LEN as u64);
        Ok(())
    }

    /// Looks for the blocks up to the end of the data. Where the footer, which knows that, is lost too, the index may be among
    /// what is found.
    fn by_search(mut self, data_end: Option<u64>, known: Option<Properties>) -> Result<()> {
        let end = data_end.unwrap_or(self.table.len);
        let found = self.search(end);
        let properties = known.or(found.properties);
        if let Some(index) = &found.index {
            let Salvage { table, salvor, .. } = self;
            let again = Salvage { table, salvor, walk: Walk::new(Some(index), None) };
            return again.by_index(index, properties.as_ref());
        }
        let first = properties.as_ref().map_or(Bound::Unbounded, |p| Bound::Included(p.smallest.clone()));
        let mut gap = Gap { begin: HEADER_LEN as u64, after: first, error: None };
        for handle in found.pieces {
            match self.block(0, handle) {
                Ok(block) => {
                    if gap.begin < handle.offset {
                        self.lose(gap, handle.offset, Bound::Included(first_key(&block)));
                    }
                    self.give(&block)?;
                    let after = Bound::Included(self.walk.last_key().unwrap_or_default().to_vec());
                    gap = Gap { begin: handle.end(), after, error: None };
                }
                Err(error) => _ = gap.error.get_or_insert(error),
            }
        }
        gap.error = gap.error.or(found.failed);
        // Nothing is missing at the end when all data was found, or as many entries as the properties tell of.
        let all = Some(gap.begin) == data_end
            || properties.as_ref().is_some_and(|p| p.entries == self.walk.entries());
        if !all {
            self.lose(gap, end, properties.map_or(Bound::Unbounded, |p| Bound::Included(p.largest)));
        }
        self.salvor.done(self.table.len);
        Ok(())
    }

    /// A device that cannot deliver what is searched ends the search, but not the salvage of what was found.
    fn search(&self, end: u64) -> Found {
        let mut search = Search::new(self.table, end);
        let (mut pieces, mut offset) = (Vec::new(), HEADER_LEN as u64);
        let failed = loop {
            match self.next_piece(&mut search, offset) {
                Ok(Some(piece)) => {
                    offset = piece.end();
                    pieces.push(piece);
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        // The last piece may be the footer, if only its magic is damaged: its checksum stands where that of a piece would.
        let mut last = pieces.iter().rev().take(3);
        let index = last.clone().find_map(|piece| {
            let index = self.table.part(*piece, "table index", Index::decode).ok();
            index.filter(|index| pieces.iter().any(|piece| piece.offset == index.data_end()))
        });
        let properties = last.find_map(|piece| self.properties(*piece));
        Found { pieces, index, properties, failed }
    }

    /// The piece that begins at `offset`, or the next one that is a block or the properties.
    fn next_piece(&self, search: &mut Search<'_>, offset: u64) -> Result<Option<Handle>> {
        if let Some(piece) = search.at(offset)? {
            return Ok(Some(piece));
        }
        search.after(offset, &mut |piece| self.table.block(piece).is_ok() || self.properties(piece).is_some())
    }

    fn properties(&self, piece: Handle) -> Option<Properties> {
        self.table.part(piece, "table properties", Properties::decode).ok()
    }

    /// Reports what lies between the last sound block and the offset `next`.
    fn lose(&mut self, gap: Gap, next: u64, to: Bound<Vec<u8>>) {
        let Gap { begin, after, error } = gap;
        let error = error.unwrap_or_else(|| {
            let detail = "no block begins here whose checksum is right, and the index is lost";
            Error::corruption(self.table.file.path(), begin, "table block", detail)
        });
        let trouble = Trouble { offset: begin, len: next.saturating_sub(begin), error };
        self.salvor.lost(Lost { trouble, keys: (after, to) });
    }

    /// The block at `handle`, if it may follow those before.
    fn block(&mut self, ordinal: usize, handle: Handle) -> Result<Block> {
        let block = self.table.block(handle)?;
        let checked = known_kinds(&block).and_then(|()| self.walk.block(ordinal, &block));
        checked.map_err(|e| e.at(self.table.file.path(), handle.offset, "table block"))?;
        Ok(block)
    }

    fn give(&mut self, block: &Block) -> Result<()> {
        let view = block.view();
        let mut key = view.prefix().to_vec();
        for i in 0..block.len() {
            key.truncate(block.prefix_len());
            key.extend_from_slice(view.suffix(i));
            self.salvor.entry(&key, view.trailer(i), view.value(i))?;
        }
        Ok(())
    }
}

fn first_key(block: &Block) -> Vec<u8> {
    [block.view().prefix(), block.view().suffix(0)].concat()
}

fn known_kinds(block: &Block) -> Result<(), Damage> {
    let view = block.view();
    let unknown = (0..block.len()).map(|i| view.trailer(i)).find(|trailer| !is_known(*trailer));
    match unknown {
        None => Ok(()),
        Some(trailer) => Err(Damage::Unknown {
            what: "entry kind",
            found: (trailer.0 & 0xff).to_string(),
            supported: "puts and deletes",
        }),
    }
}

fn is_known(trailer: Trailer) -> bool {
    trailer.kind().is_ok_and(Kind::is_supported)
}
