//! Tables, `src/engine/sstable/format.rs`, and the properties in them, `properties.rs` beside it.

use super::manifest::Summary;
use super::{HEADER, Place, Reader, piece, set};

/// What follows each payload: compression and checksum.
pub const TRAILER: usize = 5;
/// The length of the footer.
pub const FOOTER: usize = 88;

/// Where a payload lies, its trailer not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Handle {
    pub offset: usize,
    pub len: usize,
}

/// Where the pieces of a table lie.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    pub blocks: Vec<Handle>,
    pub filter: Option<Handle>,
    pub index: Handle,
    pub properties: Handle,
}

impl Layout {
    /// What the footer and the index of a table say, whatever its checksums.
    pub fn of(file: &[u8]) -> Option<Layout> {
        let footer = file.len().checked_sub(FOOTER)?;
        let mut r = Reader::new(&file[footer..]);
        let mut handle = || {
            let (offset, len) = (r.u64()?, r.u64()?);
            Some(Handle { offset: usize::try_from(offset).ok()?, len: usize::try_from(len).ok()? })
        };
        let (filter, index, properties) = (handle()?, handle()?, handle()?);
        let blocks = piece(file, index.offset, index.len).and_then(blocks).unwrap_or_default();
        let filter = (filter != Handle::default()).then_some(filter);
        Some(Layout { blocks, filter, index, properties })
    }

    /// All pieces with a trailer.
    pub fn pieces(&self) -> impl Iterator<Item = Handle> {
        self.blocks.iter().copied().chain(self.filter).chain([self.index, self.properties])
    }
}

/// Makes the checksums of all pieces and of the footer right.
pub fn repair(place: &Place, file: &mut [u8]) {
    let Some(layout) = Layout::of(file) else { return };
    for Handle { offset, len } in layout.pieces() {
        // The trailer's first byte, the compression, is covered too.
        let Some(covered) = len.checked_add(1).and_then(|len| piece(file, offset, len)) else { continue };
        let crc = place.crc(offset, &[covered]);
        set(file, offset + len + 1, crc);
    }
    let footer = file.len() - FOOTER;
    let crc = place.crc(footer, &[&file[footer..footer + 76]]);
    set(file, footer + 76, crc);
}

/// Where the blocks lie by an index, `src/engine/sstable/index.rs`.
fn blocks(index: &[u8]) -> Option<Vec<Handle>> {
    let mut r = Reader::new(index);
    let (kind, count) = (r.u8()?, r.varint()?);
    r.bytes()?;
    let (mut blocks, mut offset) = (Vec::new(), HEADER);
    // Each entry has at least two bytes.
    for _ in 0..count.min(index.len() as u64) {
        let packed = r.varint()?;
        r.take(usize::try_from(packed >> 1).ok()?)?;
        if packed & 1 == 1 {
            r.u64()?;
        }
        let len = usize::try_from(r.varint()?).ok()?;
        blocks.push(Handle { offset, len });
        offset = offset.checked_add(len)?.checked_add(TRAILER)?;
    }
    (kind == 1).then_some(blocks)
}

/// What the properties of a table say, in the words of the manifest; the file's number, length and checksum added.
pub fn summary(file: &[u8]) -> Option<Summary> {
    let layout = Layout::of(file)?;
    let mut r = Reader::new(piece(file, layout.properties.offset, layout.properties.len)?);
    r.u8()?;
    let mut numbers = [0; 12];
    for number in &mut numbers {
        *number = r.varint()?;
    }
    r.u16()?;
    let (smallest, largest) = (r.bytes()?.to_vec(), r.bytes()?.to_vec());
    let [
        entries,
        tombstones,
        expiring,
        min_seq,
        max_seq,
        clean_seq,
        min_expiry,
        max_expiry,
        keys,
        values,
        ..,
    ] = numbers;
    Some(Summary {
        number: Place::of(file)?.number,
        len: file.len() as u64,
        checksum: crc32fast::hash(file),
        counts: [entries, tombstones, expiring],
        smallest,
        largest,
        numbers: [min_seq, max_seq, clean_seq, min_expiry, max_expiry, keys.checked_add(values)?],
    })
}

/// What a manifest would say of a table that it can only guess at.
pub fn some_summary(file: &[u8]) -> Summary {
    Summary {
        number: Place::of(file).map_or(1, |place| place.number),
        len: file.len() as u64,
        checksum: crc32fast::hash(file),
        counts: [1, 0, 0],
        smallest: vec![0],
        largest: vec![0, 0xff],
        numbers: [1, 1, 0, 0, 0, 2],
    }
}

/// A table of these pieces: data blocks with their compressions, filter, index, properties.
pub fn file(
    place: &Place,
    blocks: &[(u8, Vec<u8>)],
    filter: Option<&[u8]>,
    index: &[u8],
    properties: &[u8],
) -> Vec<u8> {
    let mut file = place.header();
    for (compression, payload) in blocks {
        push(place, &mut file, *compression, payload);
    }
    let filter = filter.map(|filter| push(place, &mut file, 0, filter)).unwrap_or_default();
    let index = push(place, &mut file, 0, index);
    let properties = push(place, &mut file, 0, properties);
    let footer = file.len();
    for handle in [filter, index, properties, Handle::default()] {
        file.extend((handle.offset as u64).to_le_bytes());
        file.extend((handle.len as u64).to_le_bytes());
    }
    file.extend([0; 12]);
    let crc = place.crc(footer, &[&file[footer..]]);
    file.extend(crc.to_le_bytes());
    file.extend_from_slice(b"tablend.");
    file
}

fn push(place: &Place, file: &mut Vec<u8>, compression: u8, payload: &[u8]) -> Handle {
    let offset = file.len();
    file.extend_from_slice(payload);
    file.push(compression);
    let crc = place.crc(offset, &[&file[offset..]]);
    file.extend(crc.to_le_bytes());
    Handle { offset, len: payload.len() }
}
