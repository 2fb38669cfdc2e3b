//! Where everything of the documents lies in its keyspace.
//!
//! ```text
//! keyspace siltstone/documents                      value
//! 0 0 0 0  1                                        who may write: the number of the last opening ([`super::Documents`] D2)
//! 0 0 0 0  2                                        the number that the next table gets
//! 0 0 0 0  3  database 0 table                      what is known of a table ([`super::catalogue`])
//! table    0 0     count byte…                      a document ([`super::raw`])
//! table    index   columns row                      an entry ([`super::index`])
//!
//! table    four bytes, big-endian, from 1 on; no two tables ever have the same
//! index    two bytes, big-endian, from 1 on; no two indexes of a table ever have the same
//! row      eight bytes, big-endian, ascending as documents come
//! count    how many bytes of the row follow: all from the first on that is not 0
//! ```
//!
//! The key of a document is short, so that keys differ in those eight bytes by which the engine compares most of them.

use std::ops::Deref;

/// The number of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableId(pub u32);

/// The number of an index of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexId(pub u16);

/// The number of a document of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(pub u64);

/// The name of the keyspace.
pub const KEYSPACE: &str = "siltstone/documents";
/// Who may write.
pub const FENCE: &[u8] = &[0, 0, 0, 0, 1];
/// The number that the next table gets.
pub const NEXT_TABLE: &[u8] = &[0, 0, 0, 0, 2];
/// What the keys of all tables begin with under which something is known of them.
pub const TABLES: &[u8] = &[0, 0, 0, 0, 3];

const ROWS: IndexId = IndexId(0);
/// A table and an index.
const PREFIX: usize = 6;

/// The key under which something is known of a table.
#[must_use]
pub fn of_table(database: &str, table: &str) -> Vec<u8> {
    [TABLES, database.as_bytes(), &[0], table.as_bytes()].concat()
}

/// The database and the table of such a key.
#[must_use]
pub fn table_names(key: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(key.strip_prefix(TABLES)?).ok()?.split_once('\0')
}

/// What all keys of a table begin with.
#[must_use]
pub fn all_of(table: TableId) -> Vec<u8> {
    table.0.to_be_bytes().to_vec()
}

/// What the keys of an index begin with.
#[must_use]
pub fn index(table: TableId, index: IndexId) -> Vec<u8> {
    [&table.0.to_be_bytes()[..], &index.0.to_be_bytes()].concat()
}

/// What the keys of the documents of a table begin with.
#[must_use]
pub fn rows(table: TableId) -> Vec<u8> {
    index(table, ROWS)
}

/// The key of a document: at most fifteen bytes.
#[derive(Debug, Clone, Copy)]
pub struct RowKey {
    bytes: [u8; 15],
    len: usize,
}

impl Deref for RowKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl AsRef<[u8]> for RowKey {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// The key of a document.
#[must_use]
pub fn row(table: TableId, row: Row) -> RowKey {
    let zeros = row.0.leading_zeros() as usize / 8;
    let count = 8 - zeros;
    let head = table.0.to_be_bytes().into_iter().chain(ROWS.0.to_be_bytes()).chain([count as u8]);
    let mut key = RowKey { bytes: [0; 15], len: PREFIX + 1 + count };
    let parts = head.chain(row.0.to_be_bytes().into_iter().skip(zeros));
    key.bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
    key
}

/// The row of the key of a document.
#[must_use]
pub fn row_of_document(key: &[u8]) -> Option<Row> {
    let (count, bytes) = key.get(PREFIX..)?.split_first()?;
    let is_short = usize::from(*count) == bytes.len() && bytes.len() <= 8 && bytes.first() != Some(&0);
    is_short.then(|| Row(bytes.iter().fold(0, |row, byte| row << 8 | u64::from(*byte))))
}

/// The row that stands at the end of the key of an entry.
#[must_use]
pub fn row_of(key: &[u8]) -> Option<Row> {
    Some(Row(u64::from_be_bytes(*key.last_chunk()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_these() {
        let table = TableId(0x0102);
        for (number, bytes) in [
            (0, &b"\0\0\x01\x02\0\0\0"[..]),
            (7, b"\0\0\x01\x02\0\0\x01\x07"),
            (256, b"\0\0\x01\x02\0\0\x02\x01\0"),
            (u64::MAX, b"\0\0\x01\x02\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff"),
        ] {
            assert_eq!(&*row(table, Row(number)), bytes);
            assert_eq!(row_of_document(bytes), Some(Row(number)));
            assert!(number == 0 || *row(table, Row(number - 1)) < *bytes);
        }
        for bytes in [&b"\0\0\x01\x02\0\0"[..], b"\0\0\x01\x02\0\0\x01", b"\0\0\x01\x02\0\0\x02\0\x01"] {
            assert_eq!(row_of_document(bytes), None);
        }
        assert_eq!(rows(table), b"\0\0\x01\x02\0\0");
        assert_eq!(index(table, IndexId(3)), b"\0\0\x01\x02\0\x03");
        assert_eq!(row_of(b"a\0\0\0\0\0\0\0\x07"), Some(Row(7)));
        let key = of_table("shop", "user");
        assert_eq!(key, b"\0\0\0\0\x03shop\0user");
        assert_eq!(table_names(&key), Some(("shop", "user")));
        assert_eq!(table_names(FENCE), None);
    }
}
