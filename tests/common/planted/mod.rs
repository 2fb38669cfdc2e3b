//! The tests of the tests: every bug of `src/planted.rs` is found by a harness, and without a bug every harness passes.
//!
//! This module is part of each test binary that holds harnesses. It runs that binary again, as a process of its own, with
//! one bug switched on and a small budget; the bug is found when a test fails, the process dies, or it hangs. How long a
//! harness takes without a bug is measured first, and what takes many times longer hangs.
//!
//! By default the harnesses are tried in the order of [`BUGS`], likeliest first, until one finds the bug. With
//! `SILTSTONE_PLANTED_MATRIX=full` all of them are, and the whole matrix is printed.

mod child;
mod lists;

use child::{Outcome, run};
use lists::{BUGS, HARNESSES, Harness};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A harness that takes so many times as long as without a bug hangs, but not before the least of times.
const TIMES_AS_LONG: u32 = 6;
const LEAST_PATIENCE: Duration = Duration::from_secs(20);
/// Nothing may take longer than this without a bug.
const MOST: Duration = Duration::from_secs(600);

/// The harnesses of this binary, each with the time it takes without a bug.
type Timed = Vec<(&'static Harness, Duration)>;

#[test]
fn every_bug_is_found_and_no_harness_fails_without_one() {
    let full = std::env::var("SILTSTONE_PLANTED_MATRIX").is_ok_and(|mode| mode == "full");
    check_names();
    let started = Instant::now();
    let harnesses = time_without_a_bug();
    let bugs: Vec<_> = BUGS.iter().filter(|(_, likely)| full || harness(likely[0]).is_here()).collect();
    let rows = in_parallel(&bugs, |(bug, likely)| try_bug(bug, likely, &harnesses, full));
    let missed: Vec<&str> = rows.iter().filter(|row| row.found.is_empty()).map(|row| row.bug).collect();
    print!("{}", table(&rows, &harnesses));
    println!("of {} bugs {} found, in {:.0?}", rows.len(), rows.len() - missed.len(), started.elapsed());
    // In a full matrix there are the bugs of other binaries, too.
    let own = |bug: &&str| BUGS.iter().any(|(name, likely)| name == bug && harness(likely[0]).is_here());
    let missed: Vec<&str> = missed.into_iter().filter(own).collect();
    assert!(missed.is_empty(), "no harness finds {missed:?}");
}

/// Every bug there is has its row, every harness in a row exists.
fn check_names() {
    let there: BTreeSet<&str> = siltstone::PLANTED_BUG_NAMES.iter().copied().collect();
    let listed: BTreeSet<&str> = BUGS.iter().map(|(bug, _)| *bug).collect();
    assert!(there == listed, "{:?} are in one list only", there.symmetric_difference(&listed));
    BUGS.iter().flat_map(|(_, likely)| *likely).for_each(|name| assert!(!harness(name).tests.is_empty()));
}

fn harness(name: &str) -> &'static Harness {
    HARNESSES.iter().find(|h| h.name == name).unwrap_or_else(|| panic!("there is no harness {name}"))
}

fn time_without_a_bug() -> Timed {
    let here: Vec<_> = HARNESSES.iter().filter(|h| h.is_here()).collect();
    in_parallel(&here, |harness| {
        let started = Instant::now();
        let outcome = run(harness, "", MOST);
        println!("no bug, {}: {outcome:?} after {:.1?}", harness.name, started.elapsed());
        assert!(outcome == Outcome::Passed, "{} without a bug: {outcome:?}", harness.name);
        (*harness, started.elapsed())
    })
}

/// What was tried on a bug, and what came of it.
struct Row {
    bug: &'static str,
    /// By harness: the test that failed, or another way it ended.
    found: BTreeMap<&'static str, String>,
}

fn try_bug(bug: &'static str, likely: &[&str], harnesses: &Timed, all: bool) -> Row {
    let mut order: Vec<_> = harnesses.iter().collect();
    order.sort_by_key(|(harness, _)| {
        likely.iter().position(|name| *name == harness.name).unwrap_or(usize::MAX)
    });
    let mut row = Row { bug, found: BTreeMap::new() };
    for (harness, without) in order {
        let patience = (*without * TIMES_AS_LONG).max(LEAST_PATIENCE);
        let started = Instant::now();
        let outcome = run(harness, bug, patience);
        println!("{bug}, {}: {outcome:?} after {:.1?}", harness.name, started.elapsed());
        if let Outcome::Found(how) = outcome {
            row.found.insert(harness.name, how);
            if !all {
                break;
            }
        }
    }
    row
}

/// The matrix in Markdown: what is found by what.
fn table(rows: &[Row], harnesses: &Timed) -> String {
    let names: Vec<&str> = harnesses.iter().map(|(harness, _)| harness.name).collect();
    let mut text = format!(
        "| bug | {} | the first to find it |\n|---|{}---|\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for Row { bug, found } in rows {
        let cells = names.iter().map(|name| if found.contains_key(name) { "found" } else { "" });
        let first = names.iter().find_map(|name| found.get(name)).map_or("", String::as_str);
        text += &format!("| {bug} | {} | {first} |\n", cells.collect::<Vec<_>>().join(" | "));
    }
    text
}

/// Does something for each of `items`, as many at a time as there are cores; gives the results in order.
fn in_parallel<T: Sync, R: Send>(items: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(items.iter().enumerate());
    let done = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let Some((at, item)) = next.lock().unwrap().next() else { return };
            let result = act(item);
            done.lock().unwrap().insert(at, result);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    done.into_inner().unwrap().into_values().collect()
}
