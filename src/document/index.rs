//! Indexes: which entries a document has in one.
//!
//! ```text
//! key     table index column… row      each column as `order` has it, in its direction; 0x08 where the document has nothing
//!         table index column…          in a unique index, when each column is there and not null: the row is in the value
//! value   row?                         in those of the second form
//!         0x01?                        when the columns do not say how the values were written: 25.0, an array, a date
//! row     eight bytes, big-endian; inverted when the last column descends, so that an index read backwards is its reverse
//! ```
//!
//! (I1) Every document has an entry, in a partial index every document that its filter asks for. So an index finds all of them.
//! (I2) A column whose value is an array has an entry for the array, and one for each of its elements; several such columns have one
//!      for each combination. An index is `multikey` from the first such document on: the same document may then be met more than
//!      once, and bounds may not be put together.
//! (I3) The key of a unique entry is there at most once, so a value is taken when it is there. Documents without a value, or with
//!      null, do not meet.

use super::collation::Collation;
use super::filter::{Filter, Refused};
use super::keys::{self, IndexId, Row, TableId};
use super::order::{self, Direction};
use super::path::Path;
use super::raw::{Encoded, Part, Raw};
use super::value::Kind;

/// How many entries a document may have in one index.
pub const MOST_ENTRIES: usize = 1000;
/// How many columns an index may have.
pub const MOST_COLUMNS: usize = 16;
/// How many bytes the columns of an entry may have together: what fits a key, with the table, the index and the row.
pub const MOST_BYTES: usize = 65_000;

/// The bytes of a key around its columns.
const PREFIX: usize = 6;
const ROW: usize = 8;

/// Stands for a value that is not there: before all that are.
pub(super) const MISSING: u8 = 0x08;
/// The columns do not say how the values were written.
const INEXACT: u8 = 1;

/// One column of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Where its values lie.
    pub path: Path,
    /// Which way it goes.
    pub direction: Direction,
}

/// An index, as it is used.
#[derive(Debug, Clone)]
pub(super) struct Index {
    pub(super) id: IndexId,
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// How each column is compared.
    pub(super) collations: Vec<Collation>,
    pub(super) unique: bool,
    /// Which documents have entries; all of them without one.
    pub(super) partial: Option<Filter>,
    /// (I2)
    pub(super) multikey: bool,
    /// Whether every document has its entries already.
    pub(super) ready: bool,
}

/// An entry of a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    /// Whether nobody else may have this key (I3).
    pub(super) claims: bool,
}

/// All entries of a document in one index.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// By key, none twice.
    pub(super) list: Vec<Entry>,
    /// Whether they make the index `multikey`.
    pub(super) multikey: bool,
}

/// The values of one column.
struct Values {
    /// As bytes, and whether nobody else may have that value (I3).
    encoded: Vec<(Vec<u8>, bool)>,
    multikey: bool,
    exact: bool,
}

impl Index {
    /// The entries of a document.
    pub(super) fn entries(&self, table: TableId, row: Row, document: Raw<'_>) -> Result<Entries, Refused> {
        if self.partial.as_ref().is_some_and(|filter| !filter.matches(document)) {
            return Ok(Entries::default());
        }
        if let Some(entry) = self.only_entry(table, row, document) {
            self.check_len(entry.key.len())?;
            return Ok(Entries { list: vec![entry], multikey: false });
        }
        let columns = self.columns.iter().zip(&self.collations);
        let columns: Vec<Values> =
            columns.map(|(column, collation)| values(column, collation, document)).collect();
        let count = columns.iter().try_fold(1_usize, |count, column| count.checked_mul(column.encoded.len()));
        if count.is_none_or(|count| count > MOST_ENTRIES) {
            return self.refuse(format!(
                "it would have more than {MOST_ENTRIES} entries in the index {}",
                self.name
            ));
        }
        // Known before they are put together, for there may be many.
        let longest =
            |column: &Values| column.encoded.iter().map(|(value, _)| value.len()).max().unwrap_or(0);
        self.check_len(columns.iter().map(longest).sum::<usize>() + PREFIX + ROW)?;
        let multikey = columns.iter().any(|column| column.multikey);
        let exact = columns.iter().all(|column| column.exact);
        let mut keys = vec![(keys::index(table, self.id), self.unique)];
        for column in &columns {
            keys = keys
                .iter()
                .flat_map(|(key, claims)| {
                    let with = move |(value, claim): &(Vec<u8>, bool)| {
                        ([key, &value[..]].concat(), *claims && *claim)
                    };
                    column.encoded.iter().map(with)
                })
                .collect();
        }
        let entry = |(key, claims)| self.entry(key, row, claims, exact);
        Ok(Entries { list: keys.into_iter().map(entry).collect(), multikey })
    }

    /// The entry of a document that has one value in each column, or none; most have.
    fn only_entry(&self, table: TableId, row: Row, document: Raw<'_>) -> Option<Entry> {
        let mut key = keys::index(table, self.id);
        let (mut claims, mut exact) = (self.unique, true);
        for (column, collation) in self.columns.iter().zip(&self.collations) {
            let value = only_value(column, document)?;
            claims &= value.is_some_and(|value| value.kind() != Kind::Null);
            let begin = key.len();
            match (value, value.and_then(|value| collation.of(value))) {
                (None, _) => {
                    key.push(MISSING);
                    order::invert(column.direction, begin, &mut key);
                }
                (Some(_), Some(moment)) => {
                    exact = false;
                    order::encode(moment.raw(), column.direction, &mut key);
                }
                (Some(value), None) => {
                    exact &= is_exact(value);
                    order::encode(value, column.direction, &mut key);
                }
            }
        }
        Some(self.entry(key, row, claims, exact))
    }

    /// Whether its entries may be others when members are that `touches` tells.
    pub(super) fn looks_at(&self, touches: impl Fn(&str) -> bool) -> bool {
        let first = |column: &Column| column.path.names().next().is_some_and(&touches);
        self.partial.is_some() || self.columns.iter().any(first)
    }

    fn check_len(&self, key: usize) -> Result<(), Refused> {
        let len = key.saturating_sub(PREFIX + ROW);
        if len > MOST_BYTES {
            let why =
                format!("it has {len} bytes in the index {}, which holds up to {MOST_BYTES}", self.name);
            return self.refuse(why);
        }
        Ok(())
    }

    fn entry(&self, mut key: Vec<u8>, row: Row, claims: bool, exact: bool) -> Entry {
        let mut value = Vec::new();
        if claims {
            value.extend(row.0.to_be_bytes());
        } else {
            key.extend(self.row_bytes(row));
        }
        if !exact {
            value.push(INEXACT);
        }
        Entry { key, value, claims }
    }

    /// The row as it stands at the end of a key.
    pub(super) fn row_bytes(&self, row: Row) -> [u8; 8] {
        let bits = if self.descends() { !row.0 } else { row.0 };
        bits.to_be_bytes()
    }

    /// Whether its last column does, and the rows therefore do.
    pub(super) fn descends(&self) -> bool {
        self.columns.last().is_some_and(|column| column.direction == Direction::Descending)
    }

    /// The row of an entry, and whether its columns say how the values were written.
    pub(super) fn read(&self, key: &[u8], value: &[u8]) -> Option<(Row, bool)> {
        match value.split_first_chunk() {
            Some((row, flags)) => Some((Row(u64::from_be_bytes(*row)), flags.is_empty())),
            None => {
                let Row(bits) = keys::row_of(key)?;
                Some((Row(if self.descends() { !bits } else { bits }), value.is_empty()))
            }
        }
    }

    fn refuse<T>(&self, why: String) -> Result<T, Refused> {
        let columns: Vec<String> = self.columns.iter().map(|column| column.path.to_string()).collect();
        Err(Refused { at: columns.join(","), why })
    }
}

/// The value that a document has in a column, if it has any; `None` when it has several, or an array.
fn only_value<'a>(column: &Column, document: Raw<'a>) -> Option<Option<Raw<'a>>> {
    let (mut found, mut several) = (None, false);
    match column.path.single() {
        Some(name) if document.kind() == Kind::Object => found = document.get(name),
        _ => {
            several = column.path.any(document, &mut |value| found.replace(value).is_some());
        }
    }
    let several = several || found.is_some_and(|value| value.kind() == Kind::Array);
    (!several).then_some(found)
}

/// What a document has in a column.
fn values(column: &Column, collation: &Collation, document: Raw<'_>) -> Values {
    let mut values = Values { encoded: Vec::new(), multikey: false, exact: true };
    column.path.any(document, &mut |value| {
        values.push(value, column, collation);
        for element in value.elements().take(MOST_ENTRIES + 1) {
            values.push(element, column, collation);
        }
        values.multikey |= value.kind() == Kind::Array;
        values.encoded.len() > MOST_ENTRIES
    });
    values.multikey |= values.encoded.len() > 1;
    values.encoded.sort_unstable();
    values.encoded.dedup();
    if values.encoded.is_empty() {
        let mut missing = vec![MISSING];
        order::invert(column.direction, 0, &mut missing);
        values.encoded.push((missing, false));
    }
    values
}

impl Values {
    fn push(&mut self, value: Raw<'_>, column: &Column, collation: &Collation) {
        let moment = collation.of(value);
        self.exact &= moment.is_none() && is_exact(value);
        let mut encoded = Vec::new();
        order::encode(moment.as_ref().map_or(value, Encoded::raw), column.direction, &mut encoded);
        self.encoded.push((encoded, value.kind() != Kind::Null));
    }
}

/// Whether the order's bytes say how the value was written.
fn is_exact(value: Raw<'_>) -> bool {
    match value.part() {
        Part::Number(text) => order::is_canonical(text),
        Part::Array(_) | Part::Object(_) | Part::Instant(_) => false,
        _ => true,
    }
}
