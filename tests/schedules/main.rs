//! The real engine, its threads and all, on a scheduler that decides at every lock, atomic and file operation who goes on.
//!
//! | module | what is looked for |
//! |---|---|
//! | [`closing`] | a close that never returns, that is not the last word, or that loses what was acknowledged |
//! | [`durability`] | a writer that waits for ever, is told too early that its write is durable, or is told nothing of a failure |
//! | [`ranges`] | what was deleted in a range or with its keyspace and shows again, or half of it, and what a known gap hides |
//! | [`reading`] | half a batch, an older state, a snapshot that moves, a file that is gone while it is read |
//! | [`room`] | a writer that waits for room for ever, or for longer than its deadline |
//! | [`simulation`] | anything at all, over several lives with faults and power cuts, from one number |
//! | [`transactions`] | two transactions that both commit, though no order explains it, or an increment that is lost |
//! | [`tasks`] | a task that is never woken, a checkpoint or a look from outside that is no state |
//! | [`work`] | flushes, compactions and statistics that wait for each other, or leave files behind |
//!
//! Runs under `RUSTFLAGS="--cfg shuttle"` only, since the engine is compiled over other locks then (`docs/contributing.md`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[cfg(shuttle)]
mod closing;
#[cfg(shuttle)]
mod durability;
#[cfg(shuttle)]
mod explore;
#[cfg(all(shuttle, feature = "planted-bugs"))]
#[path = "../common/planted/mod.rs"]
mod planted;
#[cfg(shuttle)]
mod ranges;
#[cfg(shuttle)]
mod reading;
#[cfg(shuttle)]
mod room;
#[cfg(shuttle)]
mod simulation;
#[cfg(shuttle)]
mod tasks;
#[cfg(shuttle)]
mod transactions;
#[cfg(shuttle)]
mod work;
#[cfg(shuttle)]
mod world;

#[cfg(not(shuttle))]
#[test]
fn runs_in_a_build_of_its_own() {
    println!("RUSTFLAGS=\"--cfg shuttle\" cargo test --profile proof --test schedules");
}
