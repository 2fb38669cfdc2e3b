//! Random operations on a database and on a sorted map: the same answers, whatever the options, through reopenings and power
//! cuts.
//!
//! ```text
//!             seed ─▶ shape ─▶ stream of operations
//!                                │            │
//!                     on the map ▼            ▼ on a database, opened with a set of options
//!                             answers   =   answers, for every set
//! ```
//!
//! In reading order: [`data`], keys and values; [`op`], the operations, with a file for each idea: [`writes`], [`ranges`],
//! [`spaces`], [`reads`], [`walks`], [`snapshots`], [`transactions`], [`upkeep`], [`lives`], [`time`]; [`map`] and [`database`], what they are done to; [`answer`];
//! [`options`]; [`run`], one list of operations; [`after`], what is checked at its end; [`shrink`], a list that goes wrong
//! made short; [`found`], short lists that went wrong once.
//!
//! Two tests run streams. One has random options and power cuts that lose what was not durable; the database must then hold
//! the state after some prefix of the writes, with all that were durable. The other has every set of options, and its
//! power cuts come after a sync, so that every history must be the same (a metamorphic test, as Pebble has it).
//!
//! A run is decided by its seed, which a failure prints, with the shortest list of operations that was found to fail:
//! `SILTSTONE_SEED=… cargo test --test it model` repeats it. `SILTSTONE_MODEL_OPS` and `SILTSTONE_METAMORPHIC_OPS` set how
//! many operations the two do in all.

mod after;
mod answer;
mod data;
mod database;
mod found;
mod lives;
mod map;
mod op;
mod options;
mod ranges;
mod reads;
mod run;
mod shrink;
mod snapshots;
mod spaces;
mod time;
mod transactions;
mod upkeep;
mod walks;
mod writes;

use crate::support::{Random, from_env, on_all_cores, seeds};
use op::{Op, Stream};
use options::{NAMED, Set};
use run::{Difference, Run};
use std::cell::RefCell;
use std::sync::Mutex;

/// How many sets of random options a stream meets.
const RANDOM: u64 = 4;

#[test]
fn random_operations_agree_with_a_map() {
    let (first, goal) = (from_env("SILTSTONE_SEED", 1), from_env("SILTSTONE_MODEL_OPS", 400_000));
    let sum = Mutex::new(Run::default());
    let run = |seed: u64| {
        let (stream, set) = (Stream::new(seed, length(seed), true), Set::Random(seed));
        match run::beside_a_map(&stream.ops, stream.space, &set) {
            Ok(run) => *sum.lock().unwrap() += run,
            Err(difference) => panic!("SILTSTONE_SEED={seed}: {}", story(&stream, &set, &difference)),
        };
        stream.ops.len() as u64
    };
    let _ = seeds("model").into_iter().map(run).sum::<u64>();
    let done = on_all_cores(first, goal, run);
    println!("{done} operations from seed {first}: {:?}", sum.lock().unwrap());
    sum.into_inner().unwrap().assert_some_of_each();
}

#[test]
fn every_set_of_options_gives_the_same_history() {
    let (first, goal) = (from_env("SILTSTONE_SEED", 1), from_env("SILTSTONE_METAMORPHIC_OPS", 400_000));
    let sum = Mutex::new(Run::default());
    let run = |seed: u64| {
        let stream = Stream::new(seed, length(seed), false);
        let history = run::history(&stream);
        let sets = sets(seed);
        for set in &sets {
            match run::repeat(&stream, set, &history) {
                Ok(run) => *sum.lock().unwrap() += run,
                Err(difference) => {
                    let others = who_agrees(&stream, &sets, &history);
                    panic!("SILTSTONE_SEED={seed}: {}\n{others}", story(&stream, set, &difference));
                }
            }
        }
        (stream.ops.len() * sets.len()) as u64
    };
    let _ = seeds("metamorphic").into_iter().map(run).sum::<u64>();
    let done = on_all_cores(first, goal, run);
    let (sets, sum) = (sets(first).len(), sum.into_inner().unwrap());
    println!("{done} operations from seed {first} under {sets} sets of options: {sum:?}");
    sum.assert_some_of_each();
}

/// Short streams are cheap to run under many options, long ones fill levels.
fn length(seed: u64) -> usize {
    [300, 1000, 3000][seed as usize % 3]
}

/// All named sets, one that goes through them, and random ones.
fn sets(seed: u64) -> Vec<Set> {
    let named = (0..NAMED.len()).map(Set::Fixed);
    let random = (0..RANDOM).map(|n| Set::Random(seed * RANDOM + n));
    named.chain([Set::Changing(seed as usize % NAMED.len())]).chain(random).collect()
}

/// What went wrong, in words, with the shortest list of operations that does.
fn story(stream: &Stream, set: &Set, difference: &Difference) -> String {
    // With threads the same operations may take another way, and go wrong only now and then.
    let times = if set.has_threads() { 5 } else { 1 };
    let last = RefCell::new(difference.clone());
    let goes_wrong = |ops: &[Op]| {
        let again = (0..times).filter_map(|_| match set.has_threads() {
            true => run::in_words(ops, stream.space, set),
            false => run::beside_a_map(ops, stream.space, set).err(),
        });
        let same = again.into_iter().find(|again| again.kind() == difference.kind());
        same.map(|same| *last.borrow_mut() = same).is_some()
    };
    let ops = shrink::shrink(&stream.ops, difference.at, goes_wrong);
    format!(
        "with the options {}, of {} operations, {difference}\n\
         in tests/it/model/found.rs, this goes wrong, too:\n{}{}",
        set.name(),
        stream.ops.len(),
        shrink::as_test(stream.space, set, &ops),
        run::in_words(&ops, stream.space, set).unwrap_or(last.into_inner()),
    )
}

/// Which of the sets agree with the map, and which do not, and where.
fn who_agrees(stream: &Stream, sets: &[Set], history: &[u64]) -> String {
    let of = |set: &Set| match run::repeat(stream, set, history) {
        Ok(_) => format!("{}: as the map\n", set.name()),
        Err(difference) => format!("{}: differs at operation {}\n", set.name(), difference.at),
    };
    sets.iter().map(of).collect()
}

/// The shrinker finds the two operations of a thousand that matter.
#[test]
fn a_list_that_goes_wrong_is_made_short() {
    let mut ops = Stream::new(1, 1000, false).ops;
    let (one, other) = (ops[Random::new(1).below(400)].clone(), ops[700].clone());
    let matters = |op: &&Op| **op == one || **op == other;
    let goes_wrong = |ops: &[Op]| ops.contains(&one) && ops.contains(&other);
    ops.push(Op::Upkeep(upkeep::Upkeep::Everything));
    let short = shrink::shrink(&ops, ops.len(), goes_wrong);
    assert_eq!(short.iter().filter(matters).count(), 2);
    assert_eq!(short.len(), 2, "{short:?}");
}
