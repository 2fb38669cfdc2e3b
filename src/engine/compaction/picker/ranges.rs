//! What deletions of ranges, and keyspaces that were dropped, have to do with picking: the space of what is gone comes back,
//! without anybody asking for it.
//!
//! (R1) A table that deletions hide wholly, for all readers, is *dropped* unread. Nothing comes back from under it: what lies
//!      deeper they hide as well, until it is gone, too. So is one that has nothing but keys of dropped keyspaces.
//! (R2) A table that may hold something hidden is rewritten when nothing else is to be done, in place. After that it holds nothing
//!      that was hidden when the job began, and says so (`clean_seq`); so it is rewritten at most once for each deletion.
//! (R3) So is a table that may hold something of a dropped keyspace. What comes out has keys of one keyspace in each table, so
//!      none of them lies across a dropped one.

use super::{Choice, Picker, Reason};
use crate::engine::manifest::LEVELS;
use crate::engine::manifest::clean::may_be_hidden;
use crate::engine::sstable::summary::TableSummary;
use crate::engine::tombstones::Fragments;

impl Picker<'_> {
    /// R1: all such tables of the first level that has any.
    pub(super) fn wholly_deleted(&self) -> Option<Choice> {
        let is_gone = |t: &TableSummary, ranges: &Fragments, seq: u64, reader: u64| {
            !ranges.is_empty() && ranges.cover_all(&t.smallest, &t.largest, seq, reader)
        };
        let oldest = self.shape.oldest_snapshot();
        let gone = |t: &&&TableSummary| {
            self.shape.deleted().is_some_and(|deleted| is_gone(t, deleted, t.max_seq, oldest))
                || self.shape.dropped().is_some_and(|dropped| is_gone(t, dropped, 0, u64::MAX))
        };
        (0..LEVELS).find_map(|level| {
            let tables: Vec<u64> = self.shape.level(level).iter().filter(gone).map(|t| t.number).collect();
            (!tables.is_empty()).then_some(Choice::Drop { tables, level, reason: Reason::Deleted })
        })
    }

    /// R2, R3: one of the `wanted` tables below level 0.
    pub(super) fn partly_deleted(&self, wanted: impl Fn(&TableSummary) -> bool) -> Option<Choice> {
        let holds = |t: &TableSummary| wanted(t) && (self.may_hold_deleted(t) || self.may_hold_dropped(t));
        (1..LEVELS).rev().find_map(|level| {
            let at = self.shape.level(level).iter().position(|t| holds(t))?;
            Some(self.in_place(level, self.with_tied(level, at), Reason::Deleted))
        })
    }

    fn may_hold_deleted(&self, table: &TableSummary) -> bool {
        let Some(deleted) = self.shape.deleted().filter(|deleted| !deleted.is_empty()) else { return false };
        let behind = [&table.largest[..], &[0]].concat();
        deleted.overlapping(&table.smallest, &behind).any(|fragment| {
            let newest = fragment.newest_up_to(self.shape.oldest_snapshot());
            newest.is_some_and(|seq| may_be_hidden(table, seq))
        })
    }

    fn may_hold_dropped(&self, table: &TableSummary) -> bool {
        let behind = [&table.largest[..], &[0]].concat();
        self.shape.dropped().is_some_and(|d| d.overlapping(&table.smallest, &behind).next().is_some())
    }
}
