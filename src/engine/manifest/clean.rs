//! Which deletions of ranges an edit makes needless.
//!
//! A table *needs* a deletion that covers keys of it when entries may be left in it that the deletion hides: when the deletion
//! is newer than some entry of the table and than what has been applied to it (`clean_seq`).
//!
//! (C1) A deletion is done when no table needs it: then nobody has it hide anything, for entries older than it are in tables by
//!      the time that it is in the manifest.
//! (C2) Where an older deletion lies under one that is done, it hides nothing there either: what the newer one hid, it hid.

use super::edit::Edit;
use super::level::{KeyRange, overlaps};
use super::version::Version;
use crate::engine::sstable::summary::TableSummary;
use crate::engine::tombstones::Tombstone;
use crate::planted::{Bug, planted};
use std::collections::BTreeSet;
use std::ops::Bound;

/// Whether the table has keys that the tombstone covers, and may have entries that it hides.
#[must_use]
pub fn needs(table: &TableSummary, tombstone: &Tombstone) -> bool {
    may_be_hidden(table, tombstone.seq) && overlaps(table, range(tombstone))
}

/// Whether entries may be left in a table that a tombstone with this number hides, if it covers them.
#[must_use]
pub fn may_be_hidden(table: &TableSummary, seq: u64) -> bool {
    table.clean_seq < seq && table.min_seq < seq
}

fn range(tombstone: &Tombstone) -> KeyRange<'_> {
    (Bound::Included(&*tombstone.start), Bound::Excluded(&*tombstone.end))
}

impl<H> Version<H> {
    /// Changes an edit of this version so that the deletions go that nobody needs after it: those in force, and those that it
    /// would add.
    pub fn retire(&self, edit: &mut Edit) {
        let gone: BTreeSet<u64> = edit.removed.iter().map(|(_, number)| *number).collect();
        let needed = |t: &Tombstone| {
            if planted(Bug::RangeDoneTooEarly) {
                return edit.added.is_empty();
            }
            let there = self.levels().iter().flat_map(|level| level.overlapping(range(t)));
            let mut there = there.map(|table| &table.summary).filter(|table| !gone.contains(&table.number));
            edit.added.iter().any(|(_, table)| needs(table, t))
                || there.any(|table| may_be_hidden(table, t.seq))
        };
        let new = edit.tombstones.iter().filter(|t| needed(t)).cloned().collect();
        let in_force = |seq: &u64| self.tombstones().get(*seq);
        let done = self.needed_by(&gone).into_iter().filter(|seq| in_force(seq).is_some_and(|t| !needed(t)));
        let told = edit.retired.iter().copied().filter(|seq| in_force(seq).is_some());
        let retired: BTreeSet<u64> = done.chain(told).collect();
        edit.tombstones = new;
        edit.retired = retired.into_iter().collect();
    }

    /// The deletions that one of these tables needs.
    fn needed_by(&self, tables: &BTreeSet<u64>) -> BTreeSet<u64> {
        let mut all = BTreeSet::new();
        if !self.has_tombstones() {
            return all;
        }
        for (_, table) in self.tables().filter(|(_, table)| tables.contains(&table.summary.number)) {
            let table = &table.summary;
            let behind = [&table.largest[..], &[0]].concat();
            for fragment in self.tombstones().fragments().overlapping(&table.smallest, &behind) {
                all.extend(fragment.seqs().filter(|seq| may_be_hidden(table, *seq)));
            }
        }
        all
    }
}
