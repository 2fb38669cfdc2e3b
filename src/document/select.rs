//! The documents that a query asks for, one after the other, as a plan finds them.
//!
//! (L1) What comes does not depend on the plan: the same documents in the same order, whichever index was used or none.
//! (L2) A scan holds one document at a time; those that an index leads to are read a few at a time ([`super::ahead`]). Where its order is
//!      not the one that is wanted, its rows are gathered first, eight bytes each, and a sort keeps what it sorts by. Both are
//!      bounded: of too many rows, all documents are looked at instead; a sort of too much is refused.
//! (L3) Where the entries of an index say all that is shown ([`super::cover`]), they come in the place of their documents, for who does
//!      not want those whole.

use super::ahead::{Ahead, Next};
use super::cover::Cover;
use super::error::{Error, Result};
use super::filter::Refused;
use super::ground::{Found, Ground, Reads, entry, raw};
use super::index::Index;
use super::keys::{self, Row};
use super::plan::{IndexPlan, Part, Plan, plan};
use super::query::Asked;
use super::raw::{Encoded, Raw};
use super::sort::Sort;
use super::value::Value;
use crate::Slice;
use crate::store::{Entries, behind_prefix};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::collections::BinaryHeap;
use std::sync::Arc;

/// So many bytes a sort may keep.
const MOST_SORTED: usize = 64 << 20;

/// What of a document an entry of an index says, if that is all that is shown.
type CoverBy<'c> = dyn Fn(&Index, &Found) -> Option<Value> + 'c;

/// The documents, in order.
pub(super) struct Selection {
    /// Not needed where the source has the documents.
    ground: Option<Ground>,
    indexes: Arc<[Index]>,
    pub(super) asked: Asked,
    source: Source,
    pub(super) plan: Plan,
    /// What entries show in the place of their documents.
    pub(super) cover: Option<Cover>,
    pub(super) reads: Reads,
    ahead: Ahead,
    /// How many documents may still be wanted.
    wanted: u64,
}

/// What is known of a document that is asked for.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    /// All of it, as it is stored.
    Document(Slice),
    /// Of its members, in their order, those that are shown or count in the order.
    Members(Value),
}

enum Source {
    /// This, if it is any.
    Known(Option<(Row, Slice)>),
    /// All documents that the filter asks for, and how many were asked about.
    All(Entries, Arc<AtomicU64>),
    /// Those that the entries of an index lead to.
    Entries(Entries),
    /// The same, of entries that were gathered.
    Gathered(std::vec::IntoIter<Found>),
    /// These.
    Rows(std::vec::IntoIter<Row>),
    /// These, which have been found to be asked for.
    Found(std::vec::IntoIter<Row>),
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
        let wanted = wanted(&asked);
        Selection {
            ground: None,
            indexes: Arc::clone(indexes),
            asked,
            source: Source::Known(found),
            plan,
            cover: None,
            reads,
            ahead: Ahead::default(),
            wanted,
        }
    }

    /// Decides how to find the documents, and begins.
    pub(super) fn start(ground: Ground, indexes: &Arc<[Index]>, asked: Asked) -> Result<Selection> {
        let plan = plan(&asked.filter, &asked.sort, indexes);
        Selection::carry_out(ground, indexes, asked, plan, None)
    }

    /// Begins with a plan for what is asked, and what may be shown of entries.
    pub(super) fn carry_out(
        ground: Ground,
        indexes: &Arc<[Index]>,
        asked: Asked,
        plan: Plan,
        cover: Option<Cover>,
    ) -> Result<Selection> {
        let mut selection = Selection::known(None, indexes, asked, Plan::Scan);
        selection.cover = cover;
        let in_order = match plan {
            Plan::Index(plan) => selection.by_index(&ground, plan)?,
            Plan::Scan => selection.by_scan(&ground)?,
        };
        selection.ground = Some(ground);
        if !in_order {
            selection.cover = None;
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
        self.cover = None;
        let in_order = self.asked.sort.is_empty();
        let after = self.asked.after.as_deref().filter(|_| in_order).and_then(keys::row_of);
        let from = after.map_or(Row(0), |Row(row)| Row(row.saturating_add(1)));
        let (rows, asked) = ground.rows(from, &self.asked.filter)?;
        self.source = Source::All(rows, asked);
        Ok(in_order)
    }

    /// Whether what comes is in order.
    fn by_index(&mut self, ground: &Ground, plan: IndexPlan) -> Result<bool> {
        let Some(index) = self.indexes.get(plan.at) else { return self.by_scan(ground) };
        let unsorted = self.asked.sort.is_empty();
        let mut in_order = true;
        self.source = if plan.is_key {
            let found = ground.only_entry(&plan, index)?;
            self.reads.keys += u64::from(found.is_some());
            Source::Gathered(found.into_iter().collect::<Vec<_>>().into_iter())
        } else if plan.sorted || (unsorted && plan.in_row_order) {
            match &plan.parts[..] {
                [part] => Source::Entries(ground.part(index, &self.rest(part, &plan), plan.backwards)?),
                _ => Source::Known(None),
            }
        } else {
            in_order = unsorted;
            let reads = &mut self.reads;
            let entries = match self.cover.is_some() && unsorted {
                true => ground.gathered(&plan, index, reads)?,
                false => None,
            };
            if let Some(entries) = entries {
                Source::Gathered(entries.into_iter())
            } else if let Some(rows) = ground.rows_of(&plan, index, reads)? {
                self.cover = None;
                Source::Rows(rows.into_iter())
            } else {
                return self.by_scan(ground);
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
        self.wanted = u64::MAX;
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
        (self.wanted, self.ahead) = (wanted(&self.asked), Ahead::default());
        Ok(())
    }

    /// The next document that the filter asks for, as it is stored.
    pub(super) fn advance(&mut self) -> Result<Option<(Row, Slice)>> {
        Ok(match self.advance_by(None)? {
            Some((row, Shown::Document(document))) => Some((row, document)),
            _ => None,
        })
    }

    /// What is known of the next document that the filter asks for, when only what is shown of it counts.
    pub(super) fn advance_shown(&mut self) -> Result<Option<(Row, Shown)>> {
        // Not held while it is used.
        let cover = self.cover.take();
        let next = match &cover {
            Some(cover) => self.advance_by(Some(&|index, found| cover.members(index, found))),
            None => self.advance_by(None),
        };
        self.cover = cover;
        next
    }

    fn advance_by(&mut self, members: Option<&CoverBy<'_>>) -> Result<Option<(Row, Shown)>> {
        let next = self.find_next(members)?;
        self.wanted = self.wanted.saturating_sub(u64::from(next.is_some()));
        Ok(next)
    }

    fn find_next(&mut self, members: Option<&CoverBy<'_>>) -> Result<Option<(Row, Shown)>> {
        loop {
            let Some((row, shown)) = self.candidate(members)? else { return Ok(None) };
            let is_asked_for = match &self.source {
                Source::Found(_) => return Ok(Some((row, shown))),
                Source::Known(_) | Source::All(..) => true,
                // (plan P1)
                _ => matches!(&self.plan, Plan::Index(plan) if plan.exact),
            };
            let encoded;
            let bytes = match &shown {
                Shown::Document(document) => &**document,
                // What covers is exact.
                Shown::Members(_) if self.asked.after.is_none() => return Ok(Some((row, shown))),
                Shown::Members(members) => {
                    encoded = Encoded::of(members);
                    encoded.bytes()
                }
            };
            let raw = raw(bytes, row)?;
            if (is_asked_for || self.asked.filter.matches(raw)) && !self.is_before(raw, row) {
                return Ok(Some((row, shown)));
            }
        }
    }

    /// Whether it was on the page before, or lies before that.
    fn is_before(&self, document: Raw<'_>, row: Row) -> bool {
        self.asked.after.as_ref().is_some_and(|after| self.asked.sort.key(document, row) <= *after)
    }

    fn candidate(&mut self, members: Option<&CoverBy<'_>>) -> Result<Option<(Row, Shown)>> {
        match &mut self.source {
            Source::Known(found) => {
                return Ok(found.take().map(|(row, document)| (row, Shown::Document(document))));
            }
            Source::All(entries, asked) => {
                let found = entries.next().transpose();
                self.reads.documents = asked.load(Relaxed);
                let Some((key, document)) = found? else { return Ok(None) };
                let row = keys::row_of_document(&key)
                    .ok_or_else(|| Error::Damaged("the key of a document".into()))?;
                return Ok(Some((row, Shown::Document(document))));
            }
            _ => {}
        }
        let found = match self.ahead.next() {
            Some(Next::Read(row, document)) => Some((row, document)),
            Some(Next::Unread(row)) => Some(self.read_one(row)?),
            Some(Next::Failed(error)) => return Err(error),
            None => {
                let Some((row, entry)) = self.next_row()? else { return Ok(None) };
                if let (Some(members), Some(found), Some(index)) = (members, entry, self.index())
                    && let Some(members) = members(index, &found)
                {
                    return Ok(Some((row, Shown::Members(members))));
                }
                // Where entries may show what is wanted, the next one may.
                let size = if members.is_none() { self.ahead.size(self.wanted) } else { 1 };
                self.read(row, size)?
            }
        };
        match found {
            Some((row, Some(document))) => Ok(Some((row, Shown::Document(document)))),
            Some((row, None)) => {
                Err(Error::Damaged(format!("an index, which has the document {} that is not there,", row.0)))
            }
            None => Ok(None),
        }
    }

    /// The document of a row; up to `size` are read, with those of the rows that follow.
    fn read(&mut self, row: Row, size: usize) -> Result<Option<(Row, Option<Slice>)>> {
        let mut rows = vec![row];
        while rows.len() < size {
            match self.next_row() {
                Ok(Some((row, _))) => rows.push(row),
                Ok(None) => break,
                Err(error) => {
                    self.ahead.end_with(error);
                    break;
                }
            }
        }
        let Some(ground) = self.ground.as_ref().filter(|_| rows.len() > 1) else {
            return self.read_one(row).map(Some);
        };
        match ground.documents(&rows) {
            Ok(documents) => {
                self.reads.documents += rows.len() as u64;
                let first = documents.first().cloned().flatten();
                self.ahead.fill(rows, documents);
                self.ahead.next();
                Ok(Some((row, first)))
            }
            // (ahead A4)
            Err(_) => {
                self.ahead.leave(rows.split_off(1));
                self.read_one(row).map(Some)
            }
        }
    }

    fn read_one(&mut self, row: Row) -> Result<(Row, Option<Slice>)> {
        let Some(ground) = &self.ground else { return Ok((row, None)) };
        self.reads.documents += 1;
        let document = ground.document(row)?;
        self.ahead.note(1, document.as_ref().map_or(0, |document| document.len()));
        Ok((row, document))
    }

    /// The next row, and the entry that led to it, where it is at hand.
    fn next_row(&mut self) -> Result<Option<(Row, Option<Found>)>> {
        match &mut self.source {
            Source::Entries(entries) => {
                let Some((key, value)) = entries.next().transpose()? else { return Ok(None) };
                self.reads.keys += 1;
                let Some(index) = self.index() else { return Ok(None) };
                let (row, exact) = entry(index, &key, &value)?;
                Ok(Some((row, Some(Found { row, exact, key }))))
            }
            Source::Gathered(entries) => Ok(entries.next().map(|found| (found.row, Some(found)))),
            Source::Rows(rows) | Source::Found(rows) => Ok(rows.next().map(|row| (row, None))),
            Source::Known(_) | Source::All(..) => Ok(None),
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
        ground.rows_of(&plan, index, &mut Reads::default())
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

/// How many documents may be wanted.
fn wanted(asked: &Asked) -> u64 {
    asked.limit.map_or(u64::MAX, |limit| limit.saturating_add(asked.skip))
}
