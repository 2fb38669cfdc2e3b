//! What a table says about itself, so that it can be understood, and a lost manifest rebuilt, without anything else.
//!
//! ```text
//! properties  kind u8 = 1, then varints: entries, tombstones, expiring entries, lowest and highest sequence
//!             number, sequence number up to which range deletions are applied, earliest and latest expiry,
//!             raw key bytes, raw value bytes, block bytes asked for, filter bits asked for;
//!             compression asked for u8, its level i8; smallest key bytes, largest key bytes
//! bytes       length varint, that many bytes
//! ```
//!
//! (R1) The builder and `Table::verify` count with the same code, [`Properties::count`]; verify compares the outcome with
//!      what is stored.

use super::compression;
use super::format::Damage;
use crate::engine::coding::{Reader, put_bytes, put_varint};
use crate::engine::key::{Kind, Trailer};
use crate::engine::options::Compression;

const KIND: u8 = 1;
const NUMBERS: usize = 12;

/// The properties of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties {
    /// How many entries there are, tombstones included.
    pub entries: u64,
    /// How many entries are deletions.
    pub tombstones: u64,
    /// How many entries have an expiry.
    pub expiring: u64,
    /// The lowest sequence number; 0 without entries.
    pub min_seq: u64,
    /// The highest sequence number.
    pub max_seq: u64,
    /// No entry is left that a range deletion with a sequence number up to this one hides.
    pub clean_seq: u64,
    /// The earliest expiry of those that have one; 0 when none has.
    pub min_expiry: u64,
    /// The latest expiry of those that have one; 0 when none has.
    pub max_expiry: u64,
    /// The bytes of all keys.
    pub raw_key_bytes: u64,
    /// The bytes of all values.
    pub raw_value_bytes: u64,
    /// The block size that was asked for.
    pub block_bytes: u64,
    /// The filter bits a key that were asked for.
    pub filter_bits: u64,
    /// The compression that was asked for; a block may be kept uncompressed all the same.
    pub compression: Compression,
    /// The first key; empty without entries.
    pub smallest: Vec<u8>,
    /// The last key; empty without entries.
    pub largest: Vec<u8>,
}

impl Properties {
    /// Those of a table without entries.
    #[must_use]
    pub fn new(block_bytes: usize, filter_bits: u32, compression: Compression) -> Properties {
        Properties {
            entries: 0,
            tombstones: 0,
            expiring: 0,
            min_seq: 0,
            max_seq: 0,
            clean_seq: 0,
            min_expiry: 0,
            max_expiry: 0,
            raw_key_bytes: 0,
            raw_value_bytes: 0,
            block_bytes: block_bytes as u64,
            filter_bits: u64::from(filter_bits),
            compression,
            smallest: Vec::new(),
            largest: Vec::new(),
        }
    }

    /// Counts the next entry, but for `largest`, which is set once at the end.
    ///
    /// # Errors
    /// A sentence, when the entry cannot be one: an unknown kind, or an expiring value without an expiry.
    pub fn count(&mut self, key: &[u8], trailer: Trailer, value: &[u8]) -> Result<(), String> {
        let seq = trailer.seq();
        if self.entries == 0 {
            self.smallest = key.to_vec();
            (self.min_seq, self.max_seq) = (seq, seq);
        }
        self.entries += 1;
        self.min_seq = self.min_seq.min(seq);
        self.max_seq = self.max_seq.max(seq);
        self.raw_key_bytes += key.len() as u64;
        self.raw_value_bytes += value.len() as u64;
        match trailer.kind() {
            Ok(Kind::Delete) => self.tombstones += 1,
            Ok(Kind::PutExpiring) => match value.first_chunk::<8>() {
                Some(expiry) => self.count_expiry(u64::from_le_bytes(*expiry)),
                None => return Err(format!("an expiring value of {} bytes has no expiry", value.len())),
            },
            Ok(_) => {}
            Err(number) => return Err(format!("an entry has the unknown kind {number}")),
        }
        Ok(())
    }

    fn count_expiry(&mut self, expiry: u64) {
        let first = self.expiring == 0;
        self.expiring += 1;
        self.min_expiry = if first { expiry } else { self.min_expiry.min(expiry) };
        self.max_expiry = self.max_expiry.max(expiry);
    }

    /// The properties as they are written.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![KIND];
        for number in self.numbers() {
            put_varint(&mut out, number);
        }
        let (kind, level) = match self.compression {
            Compression::None => (compression::NONE, 0),
            Compression::Lz4 => (compression::LZ4, 0),
            Compression::Zstd(level) => (compression::ZSTD, level),
        };
        out.extend_from_slice(&[kind, level.to_le_bytes()[0]]);
        put_bytes(&mut out, &self.smallest);
        put_bytes(&mut out, &self.largest);
        out
    }

    /// Reads what [`Properties::encode`] wrote.
    ///
    /// # Errors
    /// [`Damage`] of either kind.
    pub fn decode(bytes: &[u8]) -> Result<Properties, Damage> {
        match bytes.first() {
            None => return Damage::corrupt("they are empty"),
            Some(&KIND) => {}
            Some(kind) => {
                let found = format!("number {kind}");
                return Err(Damage::Unknown { what: "properties kind", found, supported: "kind 1" });
            }
        }
        match Self::parse(bytes) {
            Some(properties) => Ok(properties),
            None => Damage::corrupt("their fields do not fill them"),
        }
    }

    fn parse(bytes: &[u8]) -> Option<Properties> {
        let mut r = Reader::new(bytes);
        r.u8()?;
        let mut numbers = [0; NUMBERS];
        for number in &mut numbers {
            *number = r.varint()?;
        }
        let compression = match (r.u8()?, i8::from_le_bytes(r.array()?)) {
            (compression::NONE, 0) => Compression::None,
            (compression::LZ4, 0) => Compression::Lz4,
            (compression::ZSTD, level) => Compression::Zstd(level),
            _ => return None,
        };
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
            raw_key_bytes,
            raw_value_bytes,
            block_bytes,
            filter_bits,
        ] = numbers;
        r.is_empty().then_some(Properties {
            entries,
            tombstones,
            expiring,
            min_seq,
            max_seq,
            clean_seq,
            min_expiry,
            max_expiry,
            raw_key_bytes,
            raw_value_bytes,
            block_bytes,
            filter_bits,
            compression,
            smallest,
            largest,
        })
    }

    fn numbers(&self) -> [u64; NUMBERS] {
        [
            self.entries,
            self.tombstones,
            self.expiring,
            self.min_seq,
            self.max_seq,
            self.clean_seq,
            self.min_expiry,
            self.max_expiry,
            self.raw_key_bytes,
            self.raw_value_bytes,
            self.block_bytes,
            self.filter_bits,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> Properties {
        let mut p = Properties::new(4096, 10, Compression::Zstd(-1));
        let expiring = |at: u64| [&at.to_le_bytes()[..], b"rest"].concat();
        p.count(b"a", Trailer::new(7, Kind::Put), b"123").unwrap();
        p.count(b"b", Trailer::new(9, Kind::PutExpiring), &expiring(500)).unwrap();
        p.count(b"b", Trailer::new(5, Kind::Delete), b"").unwrap();
        p.count(b"cc", Trailer::new(6, Kind::PutExpiring), &expiring(300)).unwrap();
        p.largest = b"cc".to_vec();
        p
    }

    #[test]
    fn golden() {
        let golden = b"\x01\x04\x01\x02\x05\x09\0\xac\x02\xf4\x03\x05\x1b\x80\x20\x0a\x02\xff\x01a\x02cc";
        assert_eq!(counted().encode().escape_ascii().to_string(), golden.escape_ascii().to_string());
        assert_eq!(Properties::decode(golden), Ok(counted()));
    }

    #[test]
    fn entries_that_cannot_be_are_refused() {
        let mut p = counted();
        assert!(p.count(b"d", Trailer::new(1, Kind::PutExpiring), b"1234567").is_err());
        assert!(p.count(b"d", Trailer(0x77), b"").is_err());
    }

    #[test]
    fn damage_is_an_error_or_other_properties() {
        let good = counted().encode();
        for len in 0..good.len() {
            assert!(Properties::decode(&good[..len]).is_err(), "{len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(Properties::decode(&bad), Ok(counted()), "{bit}");
        }
    }
}
