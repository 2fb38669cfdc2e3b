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
    /// How many of them have an expiry.
    pub expiring: u64,
    /// The first engine key; empty when there are no entries.
    pub smallest: Vec<u8>,
    /// The last engine key; empty when there are no entries.
    pub largest: Vec<u8>,
    /// The lowest sequence number; 0 when there are no entries.
    pub min_seq: u64,
    /// The highest sequence number.
    pub max_seq: u64,
    /// No entry is left that a range deletion with a sequence number up to this one hides.
    pub clean_seq: u64,
    /// The earliest expiry of the entries that have one, in milliseconds since 1970; 0 when none has.
    pub min_expiry: u64,
    /// The latest expiry of the entries that have one; 0 when none has.
    pub max_expiry: u64,
    /// The bytes of all keys and values, before prefixes are stripped and blocks compressed.
    pub raw_bytes: u64,
}

impl TableSummary {
    /// Whether `key` lies between its first key and its last.
    #[inline]
    #[must_use]
    pub fn may_hold(&self, key: &[u8]) -> bool {
        self.smallest.as_slice() <= key && key <= self.largest.as_slice()
    }

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
            expiring: p.expiring,
            smallest: p.smallest,
            largest: p.largest,
            min_seq: p.min_seq,
            max_seq: p.max_seq,
            clean_seq: p.clean_seq,
            min_expiry: p.min_expiry,
            max_expiry: p.max_expiry,
            raw_bytes: p.raw_key_bytes + p.raw_value_bytes,
        }
    }

    /// What of it is not as `expected`, in words; `None` when all is.
    #[must_use]
    pub fn difference(&self, expected: &TableSummary) -> Option<String> {
        let number = |t: &TableSummary| {
            [
                ("number", t.number),
                ("bytes", t.len),
                ("checksum", u64::from(t.checksum)),
                ("entries", t.entries),
                ("tombstones", t.tombstones),
                ("expiring entries", t.expiring),
                ("range deletions applied up to", t.clean_seq),
                ("lowest sequence number", t.min_seq),
                ("highest sequence number", t.max_seq),
                ("earliest expiry", t.min_expiry),
                ("latest expiry", t.max_expiry),
                ("raw bytes", t.raw_bytes),
            ]
        };
        let numbers =
            number(self).into_iter().zip(number(expected)).filter(|(found, wanted)| found != wanted);
        let mut all: Vec<String> = numbers
            .map(|((name, found), (_, wanted))| format!("{name} {found}, {wanted} expected"))
            .collect();
        for (name, found, wanted) in [
            ("smallest key", &self.smallest, &expected.smallest),
            ("largest key", &self.largest, &expected.largest),
        ] {
            if found != wanted {
                let (found, wanted) = (found.escape_ascii(), wanted.escape_ascii());
                all.push(format!("{name} \"{found}\", \"{wanted}\" expected"));
            }
        }
        (!all.is_empty()).then(|| all.join("; "))
    }
}
