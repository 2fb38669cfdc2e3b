//! What expiry has to do with picking: expired data goes within a stated time, without anybody reading it.
//!
//! (X1) A table in which everything has expired for all readers, or is a tombstone, is *dropped* unread, as soon as nothing
//!      older lies where it could come back: in no level below, and for level 0 in no older table of it. And as soon as no
//!      snapshot is older than anything in it: a transaction that reads at that snapshot asks what was written since.
//! (X2) A table is *due* when its earliest expiry is longer ago than the lag. It is rewritten: into the level below where it
//!      meets keys there, in place otherwise. What comes out has nothing that had expired when the job began, so a table is
//!      rewritten for this reason at most once in a lag.
//! (X3) One that is longer overdue than twice the lag comes before anything else; before that, whatever else there is to do
//!      comes first, and may take the expired data with it.

use super::{Choice, Picker, Reason};
use crate::engine::manifest::LEVELS;
use crate::engine::sstable::summary::TableSummary;

impl Picker<'_> {
    /// X1: all such tables of the first level that has any.
    pub(super) fn wholly_expired(&self) -> Option<Choice> {
        (0..LEVELS).find_map(|level| {
            let tables = self.shape.level(level);
            let gone = tables.iter().enumerate().filter(|(at, t)| {
                self.has_ended(t) && !self.meets_below(level, t) && !self.meets_beside(level, *at)
            });
            let tables: Vec<u64> = gone.map(|(_, t)| t.number).collect();
            (!tables.is_empty()).then_some(Choice::Drop { tables, level, reason: Reason::Expiry })
        })
    }

    /// X2: what gets rid of the expired data of a table that is due by so many lags.
    pub(super) fn due(&self, lags: u64) -> Option<Choice> {
        let expiry = self.shape.expiry();
        let wanted = |t: &TableSummary| expiry.is_due(t, lags);
        if let Some(choice) = self.level0(Reason::Expiry, wanted) {
            return Some(choice);
        }
        (1..LEVELS).find_map(|level| {
            let at = self.shape.level(level).iter().position(|t| wanted(t))?;
            let inputs = self.with_tied(level, at);
            Some(match self.below(level, &inputs).is_empty() {
                false => self.merge_down(level, inputs, Reason::Expiry),
                true => self.in_place(level, inputs, Reason::Expiry),
            })
        })
    }

    /// What gets rid of expired data in one of the `wanted` tables of a level that has nothing below it.
    pub(super) fn expired(&self, level: usize, wanted: impl Fn(&TableSummary) -> bool) -> Option<Choice> {
        let expiry = self.shape.expiry();
        let at = self.shape.level(level).iter().position(|t| wanted(t) && expiry.is_due(t, 0))?;
        Some(self.in_place(level, self.with_tied(level, at), Reason::Expiry))
    }

    fn has_ended(&self, table: &TableSummary) -> bool {
        table.expiring > 0
            && table.expiring + table.tombstones == table.entries
            && table.max_expiry <= self.shape.expiry().horizon
            && table.max_seq <= self.shape.oldest_snapshot()
    }

    /// True when an older version of a key of the table may lie in its own level.
    fn meets_beside(&self, level: usize, at: usize) -> bool {
        let tables = self.shape.level(level);
        match (level, tables.get(at)) {
            (0, Some(table)) => tables.iter().skip(at + 1).any(|older| super::share_keys(older, table)),
            _ => self.with_tied(level, at).len() > 1,
        }
    }
}
