//! Where documents and the entries of indexes are read: a view of the engine, and a table in it.
//!
//! (G1) The one document of a key is read without a view: its entry, then its row, then the filter is asked. When the shape is the same
//!      before and behind (table T2), the answer was true at a moment. No entry: when that was read, no document had the key. A row
//!      that the filter asks for: when that was read, its document had the key, and by the index no other did. All else, a row that is
//!      gone or was changed between the two, tells nothing, and a view is taken. Who changes documents reads the entry so, and the row
//!      under the lock of the table.

use super::error::{Error, Result};
use super::filter::Filter;
use super::index::Index;
use super::keys::{self, Row, TableId};
use super::plan::{IndexPlan, Part};
use super::raw::Raw;
use crate::store::{Entries, Scan, StorageEngine, View, behind_prefix};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::{KeyspaceRef, Slice};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

/// So many rows are gathered of an index: 8 MiB of them.
const MOST_ROWS: usize = 1 << 20;
/// So many bytes of entries are gathered that stand for their documents.
const MOST_GATHERED: usize = 8 << 20;

/// Where a query is answered.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) view: Arc<dyn View>,
    pub(super) keyspace: KeyspaceRef,
    pub(super) table: TableId,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// Entries of an index.
    pub(super) keys: u64,
    pub(super) documents: u64,
}

/// An entry of an index.
pub(super) struct Found {
    pub(super) row: Row,
    /// Whether its columns say how the values were written.
    pub(super) exact: bool,
    pub(super) key: Slice,
}

impl Ground {
    /// The document of a row.
    pub(super) fn document(&self, row: Row) -> Result<Option<Slice>> {
        let found = self.view.find(self.keyspace, &keys::row(self.table, row))?;
        Ok(found.map(|found| found.value))
    }

    /// As [`Ground::document`] of each.
    pub(super) fn documents(&self, rows: &[Row]) -> Result<Vec<Option<Slice>>> {
        let keys: Vec<_> = rows.iter().map(|row| keys::row(self.table, *row)).collect();
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let found = self.view.find_many(self.keyspace, &keys)?;
        Ok(found.into_iter().map(|found| Some(found?.value)).collect())
    }

    /// The rows from one on that a filter asks for, and how many it was asked about so far. What is no document is among them.
    pub(super) fn rows(&self, from: Row, filter: &Arc<Filter>) -> Result<(Entries, Arc<AtomicU64>)> {
        let behind = behind_prefix(&keys::rows(self.table)).unwrap_or_default();
        let from = keys::row(self.table, from);
        let (filter, asked) = (Arc::clone(filter), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&asked);
        let is = move |_: &[u8], document: &[u8]| {
            // One thread walks at a time, so nothing is lost.
            count.store(count.load(Relaxed) + 1, Relaxed);
            Raw::of(document).is_none_or(|document| filter.matches(document))
        };
        let scan = Scan::between(Included(&from[..]), Excluded(&behind[..]));
        Ok((self.view.range_where(self.keyspace, scan, Box::new(is))?, asked))
    }

    pub(super) fn part(&self, index: &Index, part: &Part, backwards: bool) -> Result<Entries> {
        let prefix = keys::index(self.table, index.id);
        let from = [&prefix[..], &part.from].concat();
        let to = match &part.to {
            Some(to) => Some([&prefix[..], to].concat()),
            None => behind_prefix(&prefix),
        };
        let to = to.as_ref().map_or(Unbounded, Excluded);
        let scan = Scan::between(Included(&from), to);
        Ok(self.view.range(self.keyspace, if backwards { scan.reversed() } else { scan })?)
    }

    /// The only entry there can be, if it is there.
    pub(super) fn only_entry(&self, plan: &IndexPlan, index: &Index) -> Result<Option<Found>> {
        let Some(part) = plan.parts.first() else { return Ok(None) };
        let key = [&keys::index(self.table, index.id)[..], &part.from].concat();
        let Some(found) = self.view.find(self.keyspace, &key)? else { return Ok(None) };
        let (row, exact) = entry(index, &key, &found.value)?;
        Ok(Some(Found { row, exact, key: Slice::from(key) }))
    }

    /// The rows of the parts of an index, ascending; `None` when there are too many.
    pub(super) fn rows_of(
        &self,
        plan: &IndexPlan,
        index: &Index,
        reads: &mut Reads,
    ) -> Result<Option<Vec<Row>>> {
        let mut rows = Vec::new();
        for part in &plan.parts {
            for found in self.part(index, part, false)? {
                let (key, value) = found?;
                reads.keys += 1;
                rows.push(entry(index, &key, &value)?.0);
                if rows.len() > MOST_ROWS {
                    return Ok(None);
                }
            }
        }
        rows.sort_unstable();
        rows.dedup();
        Ok(Some(rows))
    }

    /// As [`Ground::rows_of`], with their entries.
    pub(super) fn gathered(
        &self,
        plan: &IndexPlan,
        index: &Index,
        reads: &mut Reads,
    ) -> Result<Option<Vec<Found>>> {
        let (mut all, mut bytes) = (Vec::new(), 0);
        for part in &plan.parts {
            for found in self.part(index, part, false)? {
                let (key, value) = found?;
                reads.keys += 1;
                bytes += key.len() + size_of::<Found>();
                if bytes > MOST_GATHERED {
                    return Ok(None);
                }
                let (row, exact) = entry(index, &key, &value)?;
                all.push(Found { row, exact, key });
            }
        }
        all.sort_unstable_by_key(|found| found.row);
        Ok(Some(all))
    }
}

/// The value of a document, which is one if nobody wrote but we.
pub(super) fn raw(document: &[u8], row: Row) -> Result<Raw<'_>> {
    Raw::of(document).ok_or_else(|| Error::Damaged(format!("the document {}", row.0)))
}

pub(super) fn entry(index: &Index, key: &[u8], value: &[u8]) -> Result<(Row, bool)> {
    index.read(key, value).ok_or_else(|| Error::Damaged(format!("an entry of the index {}", index.name)))
}

/// The row of the key of a plan, if there is one (G1).
pub(super) fn only_row(
    engine: &dyn StorageEngine,
    keyspace: KeyspaceRef,
    (table, index): (TableId, &Index),
    plan: &IndexPlan,
) -> Result<Option<Row>> {
    let Some(part) = plan.parts.first() else { return Ok(None) };
    let key = [&keys::index(table, index.id)[..], &part.from].concat();
    let Some(found) = engine.find(keyspace, &key)? else { return Ok(None) };
    entry(index, &key, &found.value).map(|(row, _)| Some(row))
}

/// The document of the key of a plan, if there is one; `None` when that cannot be told so (G1).
pub(super) fn only_document(
    engine: &dyn StorageEngine,
    keyspace: KeyspaceRef,
    (table, index): (TableId, &Index),
    filter: &Filter,
    plan: &IndexPlan,
) -> Result<Option<Option<(Row, Slice)>>> {
    let Some(row) = only_row(engine, keyspace, (table, index), plan)? else { return Ok(Some(None)) };
    let Some(found) = engine.find(keyspace, &keys::row(table, row))? else { return Ok(None) };
    let is_asked_for = filter.matches(raw(&found.value, row)?);
    Ok(is_asked_for.then_some(Some((row, found.value))))
}
