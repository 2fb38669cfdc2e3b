//! What is known of a table without opening it: the manifest stores it, the read path and the picker use it.

/// What is known of a table without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSummary {
    /// The number of its file.
    pub number: u64,
    /// The length of its file in bytes.
    pub len: u64,
    /// The checksum of the whole file.
    pub checksum: u32,
    /// How many entries it has, of every kind.
    pub entries: u64,
    /// How many of them are `Delete`.
    pub tombstones: u64,
    /// How many of them are `DeleteRange`.
    pub range_tombstones: u64,
    /// The first engine key it says anything about.
    pub smallest: Vec<u8>,
    /// The last engine key it says anything about.
    pub largest: Vec<u8>,
    /// The lowest sequence number in it.
    pub min_seq: u64,
    /// The highest sequence number in it.
    pub max_seq: u64,
    /// The earliest expiry in it, in milliseconds since 1970.
    pub min_expiry: u64,
    /// The latest expiry in it, in milliseconds since 1970.
    pub max_expiry: u64,
    /// The bytes of all keys and values, uncompressed.
    pub raw_bytes: u64,
}
