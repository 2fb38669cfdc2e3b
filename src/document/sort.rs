//! In which order documents come.
//!
//! ```text
//! sort   {PATH: 1 or -1, …}  |  [[PATH, 1 or -1], …]  |  "PATH"      the first counts most
//! ```
//!
//! (S1) A document is sorted by the first value that lies at each path, arrays as arrays; one that has none comes before all that have.
//!      Values compare as [`super::order`] says, dates of columns of dates as moments.
//! (S2) Of documents that are equal in all of it, the one comes first that was inserted first, when the last path ascends, and last
//!      when it descends. So the descending order is the ascending one backwards, and there is only one of each.

use super::collation::Collation;
use super::filter::Refused;
use super::filter::parse::{inner, refuse};
use super::index::{Column, MISSING};
use super::keys::Row;
use super::order::{self, Direction};
use super::path::Path;
use super::raw::{Encoded, Raw};
use super::value::Value;

/// By how many paths documents may be sorted.
pub const MOST_PATHS: usize = 16;

/// An order of documents.
#[derive(Debug, Clone, Default)]
pub struct Sort {
    columns: Vec<Column>,
    collations: Vec<Collation>,
}

impl Sort {
    /// Reads an order.
    ///
    /// # Errors
    /// It is none, and why.
    pub fn parse(sort: &Value, collation: &dyn Fn(&Path) -> Collation) -> Result<Sort, Refused> {
        let columns = columns(sort, "sort")?;
        if columns.len() > MOST_PATHS {
            return refuse("sort", format!("at most {MOST_PATHS} paths are possible"));
        }
        let collations = columns.iter().map(|column| collation(&column.path)).collect();
        Ok(Sort { columns, collations })
    }

    /// Whether documents come as they were inserted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// What counts, the most first.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Which way documents go that are equal (S2).
    #[must_use]
    pub fn ties(&self) -> Direction {
        self.columns.last().map_or(Direction::Ascending, |column| column.direction)
    }

    /// Bytes that sort as the documents do.
    #[must_use]
    pub(super) fn key(&self, document: Raw<'_>, row: Row) -> Vec<u8> {
        let mut key = Vec::new();
        for (column, collation) in self.columns.iter().zip(&self.collations) {
            let begin = key.len();
            let mut first = None;
            column.path.any(document, &mut |value| {
                first = Some(value);
                true
            });
            match first {
                Some(value) => {
                    let moment = collation.of(value);
                    order::encode(moment.as_ref().map_or(value, Encoded::raw), column.direction, &mut key);
                }
                None => {
                    key.push(MISSING);
                    order::invert(column.direction, begin, &mut key);
                }
            }
        }
        let Row(bits) = row;
        key.extend((if self.ties() == Direction::Descending { !bits } else { bits }).to_be_bytes());
        key
    }

    /// The row at the end of such bytes.
    pub(super) fn row(&self, key: &[u8]) -> Option<Row> {
        let bits = u64::from_be_bytes(*key.last_chunk()?);
        Some(Row(if self.ties() == Direction::Descending { !bits } else { bits }))
    }
}

/// Reads paths with directions.
pub(super) fn columns(value: &Value, at: &str) -> Result<Vec<Column>, Refused> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(path) => Ok(vec![column(path, Direction::Ascending, at)?]),
        Value::Object(members) => {
            let member = |(path, way): &(String, Value)| column(path, direction(way, &inner(at, path))?, at);
            members.iter().map(member).collect()
        }
        Value::Array(list) => {
            let element = |(place, element): (usize, &Value)| {
                let at = inner(at, place);
                match element {
                    Value::String(path) => column(path, Direction::Ascending, &at),
                    Value::Array(pair) => match &pair[..] {
                        [Value::String(path), way] => column(path, direction(way, &at)?, &at),
                        _ => refuse(&at, "a path and 1 or -1 are expected"),
                    },
                    _ => refuse(&at, "a path, or a pair of a path and 1 or -1, is expected"),
                }
            };
            list.iter().enumerate().map(element).collect()
        }
        _ => refuse(at, "an object of paths with 1 or -1 is expected"),
    }
}

fn column(path: &str, direction: Direction, at: &str) -> Result<Column, Refused> {
    match Path::parse(path) {
        Some(path) => Ok(Column { path, direction }),
        None => refuse(&inner(at, path), "this is no path: names are not empty, and do not begin with `$`"),
    }
}

fn direction(way: &Value, at: &str) -> Result<Direction, Refused> {
    let way = match way {
        Value::Number(number) => number.value().integer(),
        _ => None,
    };
    match way {
        Some(1) => Ok(Direction::Ascending),
        Some(-1) => Ok(Direction::Descending),
        _ => refuse(at, "1 (ascending) or -1 (descending) is expected"),
    }
}
