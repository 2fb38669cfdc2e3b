//! Short lists of operations that went wrong once, each with its story. To add one, paste what the shrinker printed.

use super::data::{Space, V};
use super::lives::Lives::Close;
use super::op::Op::{self, Lives, Upkeep, Walks, Writes};
use super::options::Set;
use super::run;
use super::upkeep::Upkeep::{Compact, Flush};
use super::walks::Span::All;
use super::walks::Walks::{OpenRange, StepRange};
use super::writes::Writes::Put;
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
