//! A second reading of the file formats, from `docs/format.md` and the drawings that it points to.
//!
//! The fuzzer changes bytes; behind a checksum it would not get far. So this walks a file as the documents say, without
//! the library, and makes its checksums right again ([`repair`]). It also reads logs, manifests and tables well enough to
//! say what a database over them must answer. Where the library and this disagree, one of them is wrong, or the
//! document is.
//!
//! Nothing here trusts a length: the bytes are the fuzzer's.

pub mod block;
pub mod current;
pub mod log;
pub mod manifest;
pub mod table;

/// The length of the header of every file.
pub const HEADER: usize = 32;
/// What files begin with.
pub const MAGIC: &[u8; 8] = b"siltston";

/// Kinds of files.
pub const LOG: u8 = 1;
pub const TABLE: u8 = 2;
pub const MANIFEST: u8 = 3;
pub const CURRENT: u8 = 4;

/// What checksums are bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub kind: u8,
    pub database: u64,
    pub number: u64,
}

impl Place {
    /// What the header of `file` says.
    pub fn of(file: &[u8]) -> Option<Place> {
        let header = file.first_chunk::<HEADER>()?;
        let mut r = Reader::new(&header[16..]);
        Some(Place { kind: header[8], database: r.u64()?, number: r.u64()? })
    }

    /// The checksum of `parts` at `offset`.
    pub fn crc(&self, offset: usize, parts: &[&[u8]]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.database.to_le_bytes());
        hasher.update(&self.number.to_le_bytes());
        hasher.update(&(offset as u64).to_le_bytes());
        hasher.update(&[self.kind]);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize()
    }

    /// A file's header.
    pub fn header(&self) -> Vec<u8> {
        let mut header = [&MAGIC[..], &[self.kind, 1, 0, 0], &[0; 4]].concat();
        header.extend(self.database.to_le_bytes());
        header.extend(self.number.to_le_bytes());
        repair_header(&mut header);
        header
    }
}

/// Makes every checksum of a file right, as far as the file can be walked. Its other bytes stay.
pub fn repair(file: &mut [u8]) {
    repair_header(file);
    let Some(place) = Place::of(file) else { return };
    match place.kind {
        LOG => log::repair(&place, file),
        TABLE => table::repair(&place, file),
        MANIFEST => manifest::repair(&place, file),
        CURRENT => current::repair(&place, file),
        _ => {}
    }
}

fn repair_header(file: &mut [u8]) {
    if let Some(header) = file.first_chunk_mut::<HEADER>() {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&header[..12]);
        hasher.update(&header[16..]);
        header[12..16].copy_from_slice(&hasher.finalize().to_le_bytes());
    }
}

/// Puts a checksum in its place, if the file reaches so far.
fn set(file: &mut [u8], at: usize, crc: u32) {
    if let Some(slot) = at.checked_add(4).and_then(|end| file.get_mut(at..end)) {
        slot.copy_from_slice(&crc.to_le_bytes());
    }
}

/// `len` bytes at `at`, if they are there.
fn piece(file: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    file.get(at..at.checked_add(len)?)
}

/// Reads numbers off bytes.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    /// A little-endian number of up to eight bytes.
    pub fn number(&mut self, bytes: usize) -> Option<u64> {
        let taken = self.take(bytes)?;
        Some(taken.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.number(1).map(|n| n as u8)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.number(2).map(|n| n as u16)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.number(4).map(|n| n as u32)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.number(8)
    }

    /// Seven bits a byte, least significant first; each value in its shortest form only.
    pub fn varint(&mut self) -> Option<u64> {
        let len = 1 + self.rest.iter().take_while(|byte| **byte >= 0x80).count();
        let bytes = self.take(len)?;
        let value = bytes.iter().rev().fold(0u128, |value, byte| {
            // Ten bytes have 70 bits; more are too many anyway, and are kept from running over.
            (value << 7 | u128::from(byte & 0x7f)).min(u128::from(u64::MAX) + 1)
        });
        let shortest = len == 1 || bytes[len - 1] != 0;
        u64::try_from(value).ok().filter(|_| shortest && len <= 10)
    }

    /// A length as a varint, and so many bytes.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.varint()?;
        self.take(usize::try_from(len).ok()?)
    }
}

pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The hash that tags and filters are made from.
pub fn hash(engine_key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(engine_key)
}

/// The value that an entry has at `now`, in milliseconds since 1970: one of kind 5 begins with its expiry. `None` for a
/// kind that is reserved, or an expiry that is cut off.
pub fn value_at(kind: u8, value: &[u8], now: u64) -> Option<Option<&[u8]>> {
    match kind {
        0 => Some(None),
        1 => Some(Some(value)),
        5 => {
            let mut r = Reader::new(value);
            let expiry = r.u64()?;
            Some((expiry > now).then_some(r.rest))
        }
        _ => None,
    }
}

/// The keyspace at the beginning of an engine key, and the user's key behind it. The first two bits say how long the
/// keyspace is, which is never longer than it need be.
pub fn split_key(engine_key: &[u8]) -> Option<(u32, &[u8])> {
    let first = *engine_key.first()?;
    let (len, bits, least) = match first >> 6 {
        0 | 1 => (1, 7, 0),
        2 => (2, 14, 1 << 7),
        _ => (4, 30, 1 << 14),
    };
    let (prefix, user_key) = engine_key.split_at_checked(len)?;
    let id = prefix.iter().fold(0, |id: u32, byte| id << 8 | u32::from(*byte)) & ((1 << bits) - 1);
    // The last id there could be is not used, so that there is a key behind each keyspace.
    (id >= least && id < (1 << 30) - 1).then_some((id, user_key))
}
