//! Linearizability: histories of many threads, explained by an order, or not.
//!
//! In reading order: [`checker`] searches for the order, [`checks`] shows that it finds what it looks for; [`engine`] is what
//! the threads see of a database, [`run`] makes a history and checks it, [`faulty`] shows that wrong engines are caught;
//! [`accounts`] checks by sums what is too large for a search.
//!
//! `SILTSTONE_LINEAR_OPS` sets how many operations are done in all, at most 500 to a history.

mod accounts;
#[path = "../../common/linear.rs"]
pub mod checker;
mod checks;
mod engine;
mod faulty;
mod run;

use crate::support::{from_env, seeds};
use run::Totals;

/// Operations of a history.
const OPS: u64 = 500;

#[test]
fn every_history_is_linearizable() {
    let first = from_env("SILTSTONE_SEED", 1);
    let wanted = from_env("SILTSTONE_LINEAR_OPS", 100_000);
    let (mut totals, mut histories) = (Totals::default(), 0);
    for seed in seeds("linear").into_iter().chain(first..) {
        totals += run::run(seed, OPS, |db| db).unwrap_or_else(|why| panic!("SILTSTONE_SEED={seed}: {why}"));
        histories += 1;
        if totals.ops >= wanted {
            break;
        }
    }
    let Totals { ops, flushes, compactions, crashes } = totals;
    println!(
        "{ops} operations in {histories} histories from seed {first}: {crashes} crashes, {flushes} flushes, {compactions} compactions"
    );
    assert!(crashes > 0 && flushes > histories && compactions > 0, "there was no pressure");
}
