//! All integration tests, one binary: a module per danger.
//!
//! | module | the danger |
//! |---|---|
//! | [`checkpoint`] | a copy that was made while writes went on is half of one, or the two databases harm each other |
//! | [`cli`] | the command line says that all went well and it did not, or the other way round |
//! | [`concurrency`] | threads at the same time see half a batch, an older state, a file that is gone, or wait for ever |
//! | [`crash`] | a power cut loses what was promised, shows what was never written, or leaves a database that does not open |
//! | [`damage`] | a file is damaged, and wrong data is returned, or right data is gone without a word |
//! | [`documents`] | an index changes an answer, a unique value is there twice, or half a change is seen |
//! | [`errors`] | bad input or a wrong folder gives an error that does not help, or harms what is there |
//! | [`events`] | what happens is not told, or not in its order; or the one who is told brings the database down |
//! | [`expiry`] | what has expired is seen, or comes back, or keeps its space |
//! | [`faults`] | a file operation fails, or the disk is full, and the database panics, hangs, lies or loses |
//! | [`futures`] | a task is never woken, waits for a disk, or cannot be dropped |
//! | [`golden`] | this build does not read what an earlier one wrote, or touches what a later one wrote |
//! | [`read_only`] | whoever only looks on changes something, or sees a state that never was, or takes a busy writer for damage |
//! | [`repair`] | what is sound is lost together with what is damaged, or nobody says what was |
//! | [`security`] | the server lets in whom its operator keeps out, or the other way round |
//! | [`operations`] | the server runs otherwise than its operator said, or cannot be started, watched and stopped |
//! | [`pages`] | a walk that is interrupted misses a key, or gives one twice |
//! | [`packages`] | what works on made-up keys does not work on real ones |
//! | [`kill`] | the program is killed, and something it acknowledged is gone, or something nobody sent is there |
//! | [`limits`] | descriptors, memory or stack run out, or somebody claims to need a great deal of them |
//! | [`keyspaces`] | keys of one keyspace show in another, or a batch over two of them is torn |
//! | [`linear`] | threads at the same time see what no order of their operations explains |
//! | `planted` | a test finds nothing because it cannot: bugs planted on purpose must be found (feature `planted-bugs`) |
//! | [`seams`] | files, indexes or engines of a user are not given, or not held to, what the documentation promises |
//! | `shell` | commands that are piped are misunderstood, refused ones pass unnoticed, a measurement measures nothing |
//! | [`smoke`] | the first things a user would try do not work |
//! | [`soak`] | after hours of work something has grown: memory, descriptors, threads, files, or the time that a write takes |
//! | [`many`] | many keys that are read at once are not what each of them would be, or of different moments |
//! | [`model`] | the database and a sorted map disagree after some sequence of operations, reopenings and power cuts |
//! | [`transactions`] | a transaction commits on what has changed, fails on what has not, or happens by half |
//! | [`stats`] | a number that is told is wrong, or in a form that its readers refuse |
//! | [`tidy`] | the house falls into disorder: an upward import, a cycle, a second place that touches the disk |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod batches;
mod checkpoint;
#[cfg(feature = "cli")]
mod cli;
mod concurrency;
mod crash;
mod damage;
mod documents;
mod errors;
mod events;
mod expiry;
mod faults;
#[path = "../common/footprint.rs"]
mod footprint;
mod futures;
mod golden;
mod history;
mod keyspaces;
#[cfg(feature = "cli")]
mod kill;
#[cfg(feature = "cli")]
mod ledger;
mod limits;
mod linear;
mod many;
mod memory;
mod model;
#[cfg(feature = "cli")]
mod operations;
#[cfg(feature = "cli")]
mod packages;
mod pages;
#[cfg(all(feature = "planted-bugs", feature = "cli"))]
#[path = "../common/planted/mod.rs"]
mod planted;
#[cfg(feature = "cli")]
mod program;
mod ranges;
mod read_only;
mod repair;
mod seams;
#[cfg(feature = "cli")]
mod security;
mod shell;
mod smoke;
mod soak;
mod stats;
mod support;
mod tables;
mod tidy;
mod transactions;
