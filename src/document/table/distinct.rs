//! The different values at a path.
//!
//! (V1) Of equal values that are written differently, 1 and 1.0, the one is told that comes first in the order of the query. Where
//!      nothing is sorted that is the one with the least row, and entries of an index may be read in any order.

use super::{Shape, Table};
use crate::document::cover::{PREFIX, column, first, is_exact, split};
use crate::document::error::{Error, Result};
use crate::document::filter::Refused;
use crate::document::ground::{Ground, entry, raw};
use crate::document::index::Index;
use crate::document::keys::Row;
use crate::document::order::{self, Direction};
use crate::document::path::Path;
use crate::document::plan::{Part, Plan, plan};
use crate::document::query::Query;
use crate::document::raw::{Encoded, Raw};
use crate::document::sort::Sort;
use crate::document::value::{Kind, Value};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::sync::Arc;

/// So many bytes of values are kept.
const MOST_DISTINCT: usize = 64 << 20;

/// Different values, each with its place in the order of the query.
#[derive(Default)]
struct Distinct {
    found: BTreeMap<Vec<u8>, (u64, Value)>,
    bytes: usize,
}

/// An index whose entries have all values at a path that are asked for.
struct Covering {
    ground: Ground,
    shape: Arc<Shape>,
    /// Which index it is, and which of its columns.
    index: usize,
    column: usize,
    parts: Vec<Part>,
}

impl Table {
    /// The different values that lie at a path in the documents, elements of arrays each by itself, in their order.
    ///
    /// # Errors
    /// As [`Table::find`]; a path that is none; [`Error::TooLarge`].
    pub fn distinct(&self, path: &str, query: impl Into<Query>) -> Result<Vec<Value>> {
        let parsed = Path::parse(path).ok_or_else(|| {
            Error::Query(Refused {
                at: path.into(),
                why: "this is no path: names are not empty, and do not begin with `$`".into(),
            })
        })?;
        let query = query.into();
        let mut distinct = Distinct::default();
        if let Some(covering) = self.covering(&parsed, &query)? {
            covering.walk(&parsed, &mut distinct)?;
        } else {
            let mut cursor = self.find(query)?;
            let mut place = 0;
            while let Some((row, document)) = cursor.advance()? {
                distinct.keep_all(&parsed, raw(&document, row)?, place)?;
                place += 1;
            }
        }
        Ok(distinct.found.into_values().map(|(_, value)| value).collect())
    }

    /// The index that answers it alone, if there is one, and no order or number counts.
    fn covering(&self, path: &Path, query: &Query) -> Result<Option<Covering>> {
        loop {
            let shape = self.shape()?;
            let asked = self.asked(&shape, query)?;
            if !asked.sort.is_empty() || asked.skip > 0 || asked.limit.is_some() || asked.after.is_some() {
                return Ok(None);
            }
            let of_all = |(_, index): &(usize, &Index)| {
                index.ready && !index.multikey && index.partial.is_none() && column(index, path).is_some()
            };
            let (at, parts) = match plan(&asked.filter, &Sort::default(), &shape.indexes) {
                Plan::Index(plan) => {
                    let index = shape.indexes.get(plan.at);
                    if !index.is_some_and(|index| is_exact(&plan, index)) {
                        return Ok(None);
                    }
                    (plan.at, plan.parts)
                }
                Plan::Scan if asked.filter.is_empty() => {
                    let all = shape.indexes.iter().enumerate().filter(of_all);
                    let Some((at, _)) = all.min_by_key(|(_, index)| index.columns.len()) else {
                        return Ok(None);
                    };
                    (at, vec![Part { from: Vec::new(), to: None }])
                }
                Plan::Scan => return Ok(None),
            };
            let Some(column) = shape.indexes.get(at).and_then(|index| column(index, path)) else {
                return Ok(None);
            };
            if let Some(ground) = self.ground(&shape)? {
                return Ok(Some(Covering { ground, shape, index: at, column, parts }));
            }
        }
    }
}

impl Covering {
    fn walk(&self, path: &Path, distinct: &mut Distinct) -> Result<()> {
        let Some(index) = self.shape.indexes.get(self.index) else { return Ok(()) };
        // What the entry before had in the column, and its row.
        let (mut last, mut last_row) = (Vec::new(), Row(u64::MAX));
        for part in &self.parts {
            for found in self.ground.part(index, part, false)? {
                let (key, value) = found?;
                let (row, exact) = entry(index, &key, &value)?;
                // No value's bytes are the beginning of another's (order O2).
                let columns = key.get(PREFIX..).filter(|_| exact && self.column == 0).unwrap_or_default();
                if last_row < row && columns.starts_with(&last) {
                    continue;
                }
                match split(&key, index, self.column).filter(|_| exact) {
                    Some(bytes) => {
                        self.keep(index, bytes, row, distinct)?;
                        last.clear();
                        last.extend_from_slice(bytes);
                        last_row = row;
                    }
                    None => match self.ground.document(row)? {
                        Some(document) => distinct.keep_all(path, raw(&document, row)?, row.0)?,
                        None => {
                            let why =
                                format!("an index, which has the document {} that is not there,", row.0);
                            return Err(Error::Damaged(why));
                        }
                    },
                }
            }
        }
        Ok(())
    }

    /// Keeps what an entry has in the column, if that is anything.
    fn keep(&self, index: &Index, bytes: &[u8], row: Row, distinct: &mut Distinct) -> Result<()> {
        let direction =
            index.columns.get(self.column).map_or(Direction::Ascending, |column| column.direction);
        match first(bytes, direction) {
            Some((Some(value), _)) => distinct.keep(Encoded::of(&value).raw(), row.0),
            _ => Ok(()),
        }
    }
}

impl Distinct {
    /// Keeps all values that a document has at a path.
    fn keep_all(&mut self, path: &Path, document: Raw<'_>, place: u64) -> Result<()> {
        let mut kept = Ok(());
        path.any(document, &mut |value| {
            let mut keep = |value: Raw<'_>| {
                kept = self.keep(value, place);
                kept.is_err()
            };
            match value.kind() {
                Kind::Array => value.elements().any(&mut keep),
                _ => keep(value),
            }
        });
        kept
    }

    fn keep(&mut self, value: Raw<'_>, place: u64) -> Result<()> {
        let mut key = Vec::new();
        order::encode(value, Direction::Ascending, &mut key);
        match self.found.entry(key) {
            // (V1)
            Occupied(mut known) if place < known.get().0 => {
                // It may be written longer than the other.
                self.bytes += value.text_len();
                known.insert((place, value.to_value().unwrap_or(Value::Null)));
            }
            Occupied(_) => {}
            Vacant(new) => {
                self.bytes += new.key().len() + value.text_len() + size_of::<(Vec<u8>, (u64, Value))>();
                new.insert((place, value.to_value().unwrap_or(Value::Null)));
            }
        }
        if self.bytes > MOST_DISTINCT {
            let most = MOST_DISTINCT >> 20;
            let why = format!("the different values have more than {most} MiB: narrow the query");
            return Err(Error::TooLarge(why));
        }
        Ok(())
    }
}
