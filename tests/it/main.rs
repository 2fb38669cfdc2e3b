//! All integration tests, one binary: a module per danger.
//!
//! | module | the danger |
//! |---|---|
//! | [`cli`] | the command line says that all went well and it did not, or the other way round |
//! | [`concurrency`] | threads at the same time see half a batch, an older state, a file that is gone, or wait for ever |
//! | [`crash`] | a power cut loses what was promised, shows what was never written, or leaves a database that does not open |
//! | [`damage`] | a file is damaged, and wrong data is returned, or right data is gone without a word |
//! | [`errors`] | bad input or a wrong folder gives an error that does not help, or harms what is there |
//! | [`faults`] | a file operation fails, or the disk is full, and the database panics, hangs, lies or loses |
//! | [`packages`] | what works on made-up keys does not work on real ones |
//! | [`kill`] | the program is killed, and something it acknowledged is gone, or something nobody sent is there |
//! | [`smoke`] | the first things a user would try do not work |
//! | [`model`] | the database and a sorted map disagree after some sequence of operations, reopenings and power cuts |
//! | [`tidy`] | the house falls into disorder: an upward import, a cycle, a second place that touches the disk |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[cfg(feature = "cli")]
mod cli;
mod concurrency;
mod crash;
mod damage;
mod errors;
mod faults;
mod history;
#[cfg(feature = "cli")]
mod kill;
#[cfg(feature = "cli")]
mod ledger;
mod model;
#[cfg(feature = "cli")]
mod packages;
#[cfg(feature = "cli")]
mod program;
mod smoke;
mod support;
mod tidy;
