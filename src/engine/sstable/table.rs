//! An open table, and point reads from it.
//!
//! Opening maps the file and reads footer, index, filter and properties; data blocks are read when they are asked for.
//! An uncompressed block is served from the map without a copy: what the cache keeps of it is bookkeeping, some hundred
//! bytes. A compressed one is unpacked into memory of its own, which the cache keeps.
//!
//! (O1) The checksum of a block is checked whenever it is unpacked; of an uncompressed one once, before it is first used.
//! (O2) The map lives as long as the table, every block of it that someone holds, and every value shared with such a
//!      block; removing the file disturbs none of them. No descriptor is kept.

use super::block::{Block, Bytes};
use super::compression;
use super::filter::Filter;
use super::format::{self, Damage, Footer, Handle};
use super::index::Index;
use super::properties::Properties;
use crate::engine::cache::{Cache, Slots, Weigh};
use crate::engine::checksum::Place;
use crate::engine::header;
use crate::engine::key::Trailer;
use crate::engine::memory::{Held, Memory, Use};
use crate::engine::slice::Slice;
use crate::planted::{Bug, planted};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::vfs::{Mapped, OpenFile};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Values up to this length are copied out of their block; longer ones share it. A kept value of a few bytes would
/// otherwise keep a whole block.
const COPY_BYTES: usize = 512;

/// What the allocator takes for each of a table's lists, and for the map's bookkeeping, about.
const AROUND: usize = 300;

/// A table, open for reading.
pub struct Table {
    path: PathBuf,
    place: Place,
    map: Arc<dyn Mapped>,
    meta: Meta,
    slots: Slots<Block>,
    /// A bit for each block whose checksum was found right (O1).
    checked: Box<[AtomicU64]>,
    held: Held,
}

/// What a table holds beside its data.
pub struct Meta {
    /// Where its blocks lie.
    pub footer: Footer,
    /// Which data block holds what.
    pub index: Index,
    /// Which keys are certainly not there.
    pub filter: Option<Filter>,
    /// What it says about itself.
    pub properties: Properties,
}

/// What becomes of a block that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It goes to the cache.
    Cached,
    /// It goes to the cache when nothing has to leave that for it.
    WhereRoomIs,
    /// It is used once, and leaves the cache alone.
    Once,
}

impl Table {
    /// Opens the table in `file`, which is the one at `place` and has `len` bytes.
    ///
    /// # Errors
    /// [`Error::Corruption`] or [`Error::Incompatible`] when header, footer, index, filter or properties are not what
    /// was written; [`Error::Io`].
    pub fn open(
        file: &OpenFile,
        place: Place,
        len: u64,
        cache: &Arc<Cache<Block>>,
        memory: &Arc<Memory>,
    ) -> Result<Arc<Table>> {
        let map = file.map()?;
        let found = map.bytes().len() as u64;
        if found != len {
            let detail = format!("the file has {found} bytes, {len} expected");
            return Err(Error::corruption(file.path(), found.min(len), "table", detail));
        }
        let meta = Meta::read(file.path(), &place, map.bytes())?;
        let blocks = meta.index.len();
        let table = Table {
            path: file.path().to_path_buf(),
            place,
            map,
            slots: cache.slots(blocks),
            checked: std::iter::repeat_with(AtomicU64::default).take(blocks.div_ceil(64)).collect(),
            meta,
            held: memory.hold(Use::Tables, 0),
        };
        table.held.set(table.measure());
        Ok(Arc::new(table))
    }

    /// The newest entry of `key` with a sequence number of at most `snapshot`; `hash` is `key::hash(key)`.
    ///
    /// # Errors
    /// [`Error::Corruption`] or [`Error::Incompatible`] when the block is not what was written.
    pub fn get(&self, key: &[u8], hash: u64, snapshot: u64) -> Result<Option<(Trailer, Slice)>> {
        if self.may_contain(hash) { self.lookup(key, hash, snapshot) } else { Ok(None) }
    }

    /// False when the key with this hash is certainly not here.
    #[inline]
    #[must_use]
    pub fn may_contain(&self, hash: u64) -> bool {
        self.meta.filter.as_ref().is_none_or(|filter| filter.may_contain(hash))
    }

    /// As [`Table::get`], for a caller that has asked [`Table::may_contain`] already.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn lookup(&self, key: &[u8], hash: u64, snapshot: u64) -> Result<Option<(Trailer, Slice)>> {
        let at = Trailer::upper(snapshot);
        let ordinal = self.meta.index.search(key, at);
        if ordinal == self.meta.index.len() {
            return Ok(None);
        }
        let hit = self.slots.get(ordinal);
        if let Some(block) = &*hit {
            return Ok(probe(block, key, hash, at));
        }
        Ok(probe(&self.read(ordinal, Keep::Cached)?, key, hash, at))
    }

    /// As [`Table::get`], as far as that is known without reading a block; `None` when it is not.
    #[must_use]
    pub fn get_cached(&self, key: &[u8], hash: u64, snapshot: u64) -> Option<Option<(Trailer, Slice)>> {
        if !self.may_contain(hash) {
            return Some(None);
        }
        let at = Trailer::upper(snapshot);
        let ordinal = self.meta.index.search(key, at);
        if ordinal == self.meta.index.len() {
            return Some(None);
        }
        let hit = self.slots.get(ordinal);
        hit.as_ref().map(|block| probe(block, key, hash, at))
    }

    fn measure(&self) -> usize {
        let filter = self.meta.filter.as_ref().map_or(0, Filter::memory);
        let keys = self.meta.properties.smallest.len() + self.meta.properties.largest.len();
        let lists = self.meta.index.memory() + filter + self.slots.overhead() + size_of_val(&*self.checked);
        size_of::<Table>() + AROUND + self.path.as_os_str().len() + keys + lists
    }

    /// The CRC-32 of the whole file, which the manifest knows.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        crc32fast::hash(self.bytes())
    }

    pub(super) fn slots(&self) -> &Slots<Block> {
        &self.slots
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.map.bytes()
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Block `ordinal`, from the cache if it is there.
    pub(super) fn block(&self, ordinal: usize, keep: Keep) -> Result<Arc<Block>> {
        match &*self.slots.get(ordinal) {
            Some(block) => Ok(Arc::clone(block)),
            None => self.read(ordinal, keep),
        }
    }

    /// Block `ordinal`, from the file.
    pub(super) fn read(&self, ordinal: usize, keep: Keep) -> Result<Arc<Block>> {
        let handle = self.meta.index.handle(ordinal);
        let block = self.decode(ordinal, handle);
        let block = Arc::new(block.map_err(|e| e.at(&self.path, handle.offset, "table block"))?);
        match keep {
            Keep::Cached => self.slots.insert(ordinal, &block),
            Keep::WhereRoomIs => self.slots.insert_where_room_is(ordinal, &block),
            Keep::Once => {}
        }
        Ok(block)
    }

    fn decode(&self, ordinal: usize, handle: Handle) -> Result<Block, Damage> {
        let file = self.map.bytes();
        let (kind, payload) = if self.is_checked(ordinal) {
            format::payload(file, handle)?
        } else {
            format::checked_payload(&self.place, file, handle)?
        };
        if kind != compression::NONE {
            let content = compression::unpack(kind, payload)?;
            return Block::decode(Bytes::Owned(content.into()));
        }
        // `payload` has found the range in the file, so the offset fits.
        let start = handle.offset as usize;
        let range = start..start + payload.len();
        let block = Block::decode(Bytes::Mapped { map: Arc::clone(&self.map), range })?;
        self.set_checked(ordinal);
        Ok(block)
    }

    fn is_checked(&self, ordinal: usize) -> bool {
        let word = self.checked.get(ordinal / 64);
        word.is_some_and(|word| word.load(Relaxed) >> (ordinal % 64) & 1 == 1)
    }

    fn set_checked(&self, ordinal: usize) {
        if let Some(word) = self.checked.get(ordinal / 64) {
            word.fetch_or(1 << (ordinal % 64), Relaxed);
        }
    }
}

/// How many bytes of memory it takes while it is open, cached blocks and the map not counted.
impl Weigh for Table {
    fn weight(&self) -> usize {
        self.held.bytes()
    }
}

impl Meta {
    /// Reads and checks everything but the data blocks.
    ///
    /// # Errors
    /// [`Error::Corruption`] or [`Error::Incompatible`], at the offset of the piece in question.
    pub fn read(path: &Path, place: &Place, file: &[u8]) -> Result<Meta> {
        header::expect(path, file, place)?;
        let footer_at = Footer::offset(file.len() as u64);
        let (footer, data_end) =
            Footer::decode(place, file).map_err(|e| e.at(path, footer_at, "table footer"))?;
        let index = read_meta(path, place, file, footer.index, "table index", Index::decode)?;
        if index.data_end() != data_end {
            let detail = format!("its blocks end at {}, {data_end} expected", index.data_end());
            return Err(Error::corruption(path, footer.index.offset, "table index", detail));
        }
        let filter = match footer.filter {
            Some(handle) => Some(read_meta(path, place, file, handle, "table filter", Filter::decode)?),
            None => None,
        };
        let what = "table properties";
        let properties = read_meta(path, place, file, footer.properties, what, Properties::decode)?;
        Ok(Meta { footer, index, filter, properties })
    }
}

/// Reads one block that is not data.
fn read_meta<T>(
    path: &Path,
    place: &Place,
    file: &[u8],
    handle: Handle,
    what: &'static str,
    decode: impl FnOnce(&[u8]) -> Result<T, Damage>,
) -> Result<T> {
    let unchecked = planted(Bug::UncheckedFilter) && what == "table filter";
    let payload = || {
        if unchecked { format::payload(file, handle) } else { format::checked_payload(place, file, handle) }
    };
    let read = || decode(compression::never_packed(payload()?)?);
    read().map_err(|e| e.at(path, handle.offset, what))
}

fn probe(block: &Arc<Block>, key: &[u8], hash: u64, at: Trailer) -> Option<(Trailer, Slice)> {
    let i = block.view().find(key, hash, at)?;
    Some(entry(block, i))
}

/// The entry of a block at `i`, as it is handed out.
pub(super) fn entry(block: &Arc<Block>, i: usize) -> (Trailer, Slice) {
    let view = block.view();
    let value = view.value(i);
    let value = if value.len() <= COPY_BYTES {
        Slice::copy_of(value)
    } else {
        let (start, len) = block.value_span(i);
        Slice::share(block, start, len)
    };
    (view.trailer(i), value)
}
