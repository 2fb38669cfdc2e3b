//! Queries that the entries of an index answer alone: all that is asked, shown and sorted by stands in them.
//!
//! ```text
//! entry   table index  "amd64"  29  row          asked  {"Architecture": "amd64"}    shown  ["Size"]    {"Size": 29}
//! ```
//!
//! (C1) The plan is exact, so an entry in its parts is one of a document that is asked for; and the index is not multikey, so each such
//!      document has one entry, and no column an array.
//! (C2) What is shown are members of the document itself, which are columns of the index; so is what is sorted by, since a page
//!      remembers where it ended by that.
//! (C3) An entry that does not say how its values were written ([`super::index`]) is not used: its document is read.
//! (C4) Members come in the order of the document: that of its schema, or, without one, there is no more than one.

use super::ground::Found;
use super::index::{Index, MISSING};
use super::order::{self, Direction};
use super::path::Path;
use super::plan::{IndexPlan, Plan};
use super::schema::{PK, Schema};
use super::sort::Sort;
use super::value::Value;

/// The bytes of a key in front of its columns.
pub(super) const PREFIX: usize = 6;

/// What entries of an index show.
#[derive(Debug)]
pub(super) struct Cover {
    /// The members in their order, and in which column each is.
    members: Vec<(String, usize)>,
    /// So many columns of an entry are looked at.
    columns: usize,
}

impl Cover {
    /// What the entries of a plan's index show, if that is all of it.
    pub(super) fn of(
        plan: &Plan,
        indexes: &[Index],
        shown: Option<&[Path]>,
        sort: &Sort,
        schema: Option<&Schema>,
    ) -> Option<Cover> {
        let (Plan::Index(plan), Some(shown)) = (plan, shown) else { return None };
        let index = indexes.get(plan.at).filter(|index| is_exact(plan, index))?;
        // (C4)
        let place = |name: &str| match schema {
            Some(schema) => schema
                .columns()
                .position(|column| column.name() == name)
                .or((name == PK).then_some(usize::MAX)),
            None => (shown.len() == 1).then_some(0),
        };
        let mut members = Vec::new();
        for path in shown {
            let name = path.single()?;
            members.push((place(name)?, name.to_owned(), column(index, path)?));
        }
        members.sort_by_key(|(place, ..)| *place);
        let mut members: Vec<(String, usize)> =
            members.into_iter().map(|(_, name, column)| (name, column)).collect();
        for sorted in sort.columns().iter().map(|column| &column.path) {
            let name = sorted.single()?;
            if members.iter().all(|(shown, _)| shown != name) {
                members.push((name.to_owned(), column(index, sorted)?));
            }
        }
        let columns = members.iter().map(|(_, column)| column + 1).max()?;
        Some(Cover { members, columns })
    }

    /// The members that an entry has of its document; `None` when it does not say how they were written (C3).
    pub(super) fn members(&self, index: &Index, found: &Found) -> Option<Value> {
        let mut rest = found.key.get(PREFIX..).filter(|_| found.exact)?;
        let mut values = Vec::with_capacity(self.columns);
        for column in index.columns.iter().take(self.columns) {
            let (value, behind) = first(rest, column.direction)?;
            values.push(value);
            rest = behind;
        }
        let member = |(name, column): &(String, usize)| {
            let value = values.get_mut(*column)?.take()?;
            Some((name.clone(), value))
        };
        Some(Value::Object(self.members.iter().filter_map(member).collect()))
    }
}

/// Whether each entry in the parts of a plan stands for a document that is asked for, and is its only one (C1).
pub(super) fn is_exact(plan: &IndexPlan, index: &Index) -> bool {
    plan.exact && !index.multikey
}

/// In which column of an index a member of the document is.
pub(super) fn column(index: &Index, path: &Path) -> Option<usize> {
    path.single()?;
    index.columns.iter().position(|column| column.path == *path)
}

/// The bytes of a column in the key of an entry; `None` when one up to it does not say how it was written (C3).
pub(super) fn split<'k>(key: &'k [u8], index: &Index, column: usize) -> Option<&'k [u8]> {
    let mut rest = key.get(PREFIX..)?;
    for before in index.columns.get(..column)? {
        rest = first(rest, before.direction)?.1;
    }
    let behind = first(rest, index.columns.get(column)?.direction)?.1;
    rest.get(..rest.len() - behind.len())
}

/// The value of a column, if the document has any there, and what follows it.
pub(super) fn first(bytes: &[u8], direction: Direction) -> Option<(Option<Value>, &[u8])> {
    let missing = if direction == Direction::Descending { !MISSING } else { MISSING };
    match bytes.split_first() {
        Some((byte, rest)) if *byte == missing => Some((None, rest)),
        _ => {
            let (value, len) = order::decode(bytes, direction)?;
            Some((Some(value), bytes.get(len..)?))
        }
    }
}
