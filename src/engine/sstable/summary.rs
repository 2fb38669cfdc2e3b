//! What a table is, said in a few fields, for whoever lists tables.

use super::properties::Properties;
use crate::engine::checksum::Place;

/// A finished table: what the manifest stores, so that it need not be opened to be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSummary {
    /// The file's number.
    pub number: u64,
    /// Its length in bytes.
    pub len: u64,
    /// The CRC-32 of all its bytes.
    pub checksum: u32,
    /// How many entries it has, tombstones included.
    pub entries: u64,
    /// How many of them are deletions.
    pub tombstones: u64,
    /// How many range tombstones it has beside them.
    pub range_tombstones: u64,
    /// The first engine key; empty when there are no entries.
    pub smallest: Vec<u8>,
    /// The last engine key; empty when there are no entries.
    pub largest: Vec<u8>,
    /// The lowest sequence number; 0 when there are no entries.
    pub min_seq: u64,
    /// The highest sequence number.
    pub max_seq: u64,
    /// The earliest expiry of the entries that have one, in milliseconds since 1970; 0 when none has.
    pub min_expiry: u64,
    /// The latest expiry of the entries that have one; 0 when none has.
    pub max_expiry: u64,
    /// The bytes of all keys and values, before prefixes are stripped and blocks compressed.
    pub raw_bytes: u64,
}

impl TableSummary {
    /// The summary of the table at `place` with these properties.
    #[must_use]
    pub fn new(place: &Place, len: u64, checksum: u32, properties: &Properties) -> TableSummary {
        let p = properties.clone();
        TableSummary {
            number: place.number,
            len,
            checksum,
            entries: p.entries,
            tombstones: p.tombstones,
            range_tombstones: p.range_tombstones,
            smallest: p.smallest,
            largest: p.largest,
            min_seq: p.min_seq,
            max_seq: p.max_seq,
            min_expiry: p.min_expiry,
            max_expiry: p.max_expiry,
            raw_bytes: p.raw_key_bytes + p.raw_value_bytes,
        }
    }
}
