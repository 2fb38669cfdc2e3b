//! Short lists of operations that went wrong once, each with its story. To add one, paste what the shrinker printed.

use super::data::{Space, V};
use super::lives::Lives::{Close, Kill, PowerCut};
use super::op::Op::{self, Lives, Ranges, Upkeep, Walks, Writes};
use super::options::Set;
use super::ranges::Ranges::Delete;
use super::run;
use super::upkeep::Upkeep::{Compact, Flush};
use super::walks::Span::{All, Prefix};
use super::walks::Walks::{OpenRange, StepRange};
use super::writes::Writes::Put;
use siltstone::vfs::mem::CrashPolicy::Reorder;
use std::ops::Bound::Unbounded;

#[track_caller]
fn check(space: Space, set: Set, ops: &[Op]) {
    if let Some(difference) = run::in_words(ops, space, &set) {
        panic!("{difference}");
    }
}

/// Tables are opened by their first reader. An iterator of a database that was closed came to a table that the next
/// one had compacted and removed meanwhile.
#[test]
fn an_iterator_of_a_closed_database_reads_tables_that_the_next_one_removes() {
    check(
        Space { keys: 200, longest: false },
        Set::Fixed(1),
        &[
            Writes(Put { key: 103, value: V { stamp: 1, len: 9 } }),
            Upkeep(Flush),
            Walks(OpenRange { slot: 0, span: All }),
            Lives(Close),
            Writes(Put { key: 103, value: V { stamp: 2, len: 9 } }),
            Upkeep(Compact { lower: Unbounded, upper: Unbounded }),
            Walks(StepRange { slot: 0, moves: vec![2] }),
        ],
    );
}

/// The flush of a recovery put the deletion of a range into the manifest that had nothing left to hide. No table needed it, so
/// none that went took it along.
#[test]
fn a_deleted_range_that_recovery_finds_done_is_not_kept() {
    check(
        Space { keys: 60, longest: false },
        Set::Random(120),
        &[
            Lives(Kill),
            Writes(Put { key: 43, value: V { stamp: 185, len: 1 } }),
            Ranges(Delete { span: Prefix { key: 63, len: 4 } }),
            Writes(Put { key: 26, value: V { stamp: 186, len: 1 } }),
            Lives(PowerCut { policy: Reorder, seed: 9297188, lossy: true }),
        ],
    );
}
