//! The documents that a query asks for, one after the other, as a plan finds them.
//!
//! (L1) What comes does not depend on the plan: the same documents in the same order, whichever index was used or none.
//! (L2) A scan, and an index that is read in the order that is wanted, hold one document at a time. Otherwise the rows of an index are
//!      gathered first, eight bytes each, and a sort keeps what it sorts by. Both are bounded: of too many rows, all documents are
//!      looked at instead; a sort of too much is refused.
//! (L3) The one document of a key is read without a view: its entry, then its row, then the filter is asked. When the shape is the same
//!      before and behind (table T2), the answer was true at a moment. No entry: when that was read, no document had the key. A row
//!      that the filter asks for: when that was read, its document had the key, and by the index no other did. All else, a row that is
//!      gone or was changed between the two, tells nothing, and a view is taken.

use super::error::{Error, Result};
use super::filter::{Filter, Refused};
use super::index::Index;
use super::keys::{self, Row, TableId};
use super::plan::{IndexPlan, Part, Plan, plan};
use super::query::Asked;
use super::raw::Raw;
use super::sort::Sort;
use crate::store::{Entries, Scan, StorageEngine, View, behind_prefix};
use crate::{KeyspaceRef, Slice};
use std::collections::BinaryHeap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

/// So many rows are gathered of an index: 8 MiB of them.
const MOST_ROWS: usize = 1 << 20;
/// So many bytes a sort may keep.
const MOST_SORTED: usize = 64 << 20;

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

/// The documents, in order.
pub(super) struct Selection {
    /// Not needed where the source has the documents.
    ground: Option<Ground>,
    indexes: Arc<[Index]>,
    pub(super) asked: Asked,
    source: Source,
    pub(super) plan: Plan,
    pub(super) reads: Reads,
}

enum Source {
    /// This, if it is any.
    Known(Option<(Row, Slice)>),
    /// All documents.
    All(Entries),
    /// Those that the entries of an index lead to.
    Entries(Entries),
    /// These.
    Rows(std::vec::IntoIter<Row>),
    /// These, which have been found to be asked for.
    Found(std::vec::IntoIter<Row>),
}

impl Ground {
    /// The document of a row.
    pub(super) fn document(&self, row: Row) -> Result<Option<Slice>> {
        let found = self.view.find(self.keyspace, &keys::row(self.table, row))?;
        Ok(found.map(|found| found.value))
    }

    fn rows(&self, from: Row) -> Result<Entries> {
        let behind = behind_prefix(&keys::rows(self.table)).unwrap_or_default();
        let from = keys::row(self.table, from);
        Ok(self.view.range(self.keyspace, Scan::between(Included(&from[..]), Excluded(&behind[..])))?)
    }

    fn part(&self, index: &Index, part: &Part, backwards: bool) -> Result<Entries> {
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

    /// The row of the only entry there can be, if it is there.
    fn only_row(&self, plan: &IndexPlan, index: &Index) -> Result<Option<Row>> {
        let Some(part) = plan.parts.first() else { return Ok(None) };
        let key = [&keys::index(self.table, index.id)[..], &part.from].concat();
        let found = self.view.find(self.keyspace, &key)?;
        found.map(|found| Ok(entry(index, &key, &found.value)?.0)).transpose()
    }

    /// The rows of the parts of an index, ascending; `None` when there are too many.
    fn rows_of(&self, plan: &IndexPlan, index: &Index, reads: &mut Reads) -> Result<Option<Vec<Row>>> {
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
}

/// The value of a document, which is one if nobody wrote but we.
pub(super) fn raw(document: &[u8], row: Row) -> Result<Raw<'_>> {
    Raw::of(document).ok_or_else(|| Error::Damaged(format!("the document {}", row.0)))
}

fn entry(index: &Index, key: &[u8], value: &[u8]) -> Result<(Row, bool)> {
    index.read(key, value).ok_or_else(|| Error::Damaged(format!("an entry of the index {}", index.name)))
}

/// The document of the key of a plan, if there is one; `None` when that cannot be told so (L3).
pub(super) fn only_document(
    engine: &dyn StorageEngine,
    keyspace: KeyspaceRef,
    (table, index): (TableId, &Index),
    filter: &Filter,
    plan: &IndexPlan,
) -> Result<Option<Option<(Row, Slice)>>> {
    let Some(part) = plan.parts.first() else { return Ok(Some(None)) };
    let key = [&keys::index(table, index.id)[..], &part.from].concat();
    let Some(found) = engine.find(keyspace, &key)? else { return Ok(Some(None)) };
    let (row, _) = entry(index, &key, &found.value)?;
    let Some(found) = engine.find(keyspace, &keys::row(table, row))? else { return Ok(None) };
    let is_asked_for = filter.matches(raw(&found.value, row)?);
    Ok(is_asked_for.then_some(Some((row, found.value))))
}

impl Selection {
    /// What is known already.
    pub(super) fn known(
        found: Option<(Row, Slice)>,
        indexes: &Arc<[Index]>,
        asked: Asked,
        plan: Plan,
    ) -> Selection {
        let read = u64::from(found.is_some());
        let reads = Reads { keys: read, documents: read };
        Selection {
            ground: None,
            indexes: Arc::clone(indexes),
            asked,
            source: Source::Known(found),
            plan,
            reads,
        }
    }

    /// Decides how to find the documents, and begins.
    pub(super) fn start(ground: Ground, indexes: &Arc<[Index]>, asked: Asked) -> Result<Selection> {
        let plan = plan(&asked.filter, &asked.sort, indexes);
        Selection::carry_out(ground, indexes, asked, plan)
    }

    /// Begins with a plan for what is asked.
    pub(super) fn carry_out(
        ground: Ground,
        indexes: &Arc<[Index]>,
        asked: Asked,
        plan: Plan,
    ) -> Result<Selection> {
        let (indexes, reads) = (Arc::clone(indexes), Reads::default());
        let source = Source::Known(None);
        let mut selection = Selection { ground: None, indexes, asked, source, plan: Plan::Scan, reads };
        let in_order = match plan {
            Plan::Index(plan) => selection.by_index(&ground, plan)?,
            Plan::Scan => selection.by_scan(&ground)?,
        };
        selection.ground = Some(ground);
        if !in_order {
            selection.sort_all()?;
        }
        Ok(selection)
    }

    /// The index that is used.
    pub(super) fn index(&self) -> Option<&Index> {
        match &self.plan {
            Plan::Index(plan) => self.indexes.get(plan.at),
            Plan::Scan => None,
        }
    }

    /// Whether what comes is in order.
    fn by_scan(&mut self, ground: &Ground) -> Result<bool> {
        let in_order = self.asked.sort.is_empty();
        let after = self.asked.after.as_deref().filter(|_| in_order).and_then(keys::row_of);
        let from = after.map_or(Row(0), |Row(row)| Row(row.saturating_add(1)));
        self.source = Source::All(ground.rows(from)?);
        Ok(in_order)
    }

    /// Whether what comes is in order.
    fn by_index(&mut self, ground: &Ground, plan: IndexPlan) -> Result<bool> {
        let Some(index) = self.indexes.get(plan.at) else { return self.by_scan(ground) };
        let unsorted = self.asked.sort.is_empty();
        let mut in_order = true;
        self.source = if plan.is_key {
            let row = ground.only_row(&plan, index)?;
            self.reads.keys += u64::from(row.is_some());
            Source::Rows(row.into_iter().collect::<Vec<_>>().into_iter())
        } else if plan.sorted || (unsorted && plan.in_row_order) {
            match &plan.parts[..] {
                [part] => Source::Entries(ground.part(index, &self.rest(part, &plan), plan.backwards)?),
                _ => Source::Known(None),
            }
        } else {
            in_order = unsorted;
            match ground.rows_of(&plan, index, &mut self.reads)? {
                Some(rows) => Source::Rows(rows.into_iter()),
                None => return self.by_scan(ground),
            }
        };
        self.plan = Plan::Index(plan);
        Ok(in_order)
    }

    /// What of a part lies behind the last page, if that can be said; it is looked at once more.
    fn rest(&self, part: &Part, plan: &IndexPlan) -> Part {
        let mut part = part.clone();
        // All columns are of the sort, so its key is the entry's.
        if let Some(after) = self.asked.after.as_ref().filter(|_| plan.sorted && plan.columns == 0) {
            match plan.backwards {
                false => part.from = part.from.max(after.clone()),
                true => part.to = behind_prefix(&after.iter().map(|byte| !byte).collect::<Vec<_>>()),
            }
        }
        part
    }

    /// Looks at all there are, and keeps those that are wanted in order.
    fn sort_all(&mut self) -> Result<()> {
        // One more tells that something follows.
        let skip = self.asked.skip;
        let most = self.asked.limit.map(|limit| skip.saturating_add(limit).saturating_add(1));
        let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let (mut kept, mut bytes) = (BinaryHeap::new(), 0);
        while let Some((row, document)) = self.advance()? {
            let key = self.asked.sort.key(raw(&document, row)?, row);
            bytes += key.len() + size_of::<Vec<u8>>();
            kept.push(key);
            if kept.len() > most {
                bytes -= kept.pop().map_or(0, |key| key.len() + size_of::<Vec<u8>>());
            }
            if bytes > MOST_SORTED {
                let why = format!(
                    "sorting takes more than {} MiB: give it a limit, or an index of just these paths",
                    MOST_SORTED >> 20
                );
                return Err(Error::Query(Refused { at: "sort".into(), why }));
            }
        }
        let sorted = kept.into_sorted_vec();
        let rows: Vec<Row> = sorted.iter().filter_map(|key| self.asked.sort.row(key)).collect();
        self.source = Source::Found(rows.into_iter());
        Ok(())
    }

    /// The next document that the filter asks for, as it is stored.
    pub(super) fn advance(&mut self) -> Result<Option<(Row, Slice)>> {
        loop {
            let Some((row, document)) = self.candidate()? else { return Ok(None) };
            if matches!(self.source, Source::Found(_) | Source::Known(_)) {
                return Ok(Some((row, document)));
            }
            let raw = raw(&document, row)?;
            if self.asked.filter.matches(raw) && !self.is_before(raw, row) {
                return Ok(Some((row, document)));
            }
        }
    }

    /// Whether it was on the page before, or lies before that.
    fn is_before(&self, document: Raw<'_>, row: Row) -> bool {
        self.asked.after.as_ref().is_some_and(|after| self.asked.sort.key(document, row) <= *after)
    }

    fn candidate(&mut self) -> Result<Option<(Row, Slice)>> {
        let row = match &mut self.source {
            Source::Known(found) => return Ok(found.take()),
            Source::All(entries) => {
                let Some((key, document)) = entries.next().transpose()? else { return Ok(None) };
                self.reads.documents += 1;
                let row = keys::row_of(&key).ok_or_else(|| Error::Damaged("the key of a document".into()))?;
                return Ok(Some((row, document)));
            }
            Source::Entries(entries) => {
                let Some((key, value)) = entries.next().transpose()? else { return Ok(None) };
                self.reads.keys += 1;
                match self.index() {
                    Some(index) => Some(entry(index, &key, &value)?.0),
                    None => None,
                }
            }
            Source::Rows(rows) | Source::Found(rows) => rows.next(),
        };
        let (Some(row), Some(ground)) = (row, &self.ground) else { return Ok(None) };
        self.reads.documents += 1;
        match ground.document(row)? {
            Some(document) => Ok(Some((row, document))),
            None => {
                Err(Error::Damaged(format!("an index, which has the document {} that is not there,", row.0)))
            }
        }
    }

    /// The rows among which those are that are asked for, for who asks again when it has them; `None` when there are too many to gather,
    /// or an order counts.
    pub(super) fn candidates(ground: &Ground, indexes: &[Index], asked: &Asked) -> Result<Option<Vec<Row>>> {
        if asked.skip > 0 || asked.limit.is_some() || asked.after.is_some() {
            return Ok(None);
        }
        let Plan::Index(plan) = plan(&asked.filter, &Sort::default(), indexes) else { return Ok(None) };
        let Some(index) = indexes.get(plan.at) else { return Ok(None) };
        match plan.is_key {
            true => Ok(Some(ground.only_row(&plan, index)?.into_iter().collect())),
            false => ground.rows_of(&plan, index, &mut Reads::default()),
        }
    }

    /// How many there are, if the index alone can tell.
    pub(super) fn count(ground: &Ground, indexes: &[Index], asked: &Asked) -> Result<Option<u64>> {
        if asked.after.is_some() {
            return Ok(None);
        }
        let (at, parts) = match plan(&asked.filter, &Sort::default(), indexes) {
            Plan::Index(plan) if plan.exact => (plan.at, plan.parts),
            // Every document has a name, and entries are shorter than documents.
            Plan::Scan if asked.filter.is_empty() => (0, vec![Part { from: Vec::new(), to: None }]),
            _ => return Ok(None),
        };
        let Some(index) = indexes.get(at) else { return Ok(None) };
        let mut keys = 0;
        for part in &parts {
            for found in ground.part(index, part, false)? {
                found?;
                keys += 1;
            }
        }
        Ok(Some(keys))
    }
}
