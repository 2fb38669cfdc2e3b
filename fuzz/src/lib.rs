//! Fuzz targets for everything that reads bytes, and for operations as a whole; `docs/contributing.md` says how to run them.
//!
//! ```text
//! fuzz_targets/     a program for each target, three lines each
//! src/targets/      what the targets do, and what must hold
//! src/format/       a second reading of the file formats, from their documents
//! src/choices.rs    lists out of bytes, for the targets that take no file
//! src/store.rs      small databases in memory, and what must hold of any that opens
//! src/memory.rs     how much memory an input may cost
//! corpus/           inputs to begin with, one folder for each target, small and few
//! regressions/      inputs that once failed, for ever
//! examples/seeds.rs writes the seeds of the corpora out of real databases
//! tests/replay.rs   runs all of these inputs once
//! ```
//!
//! Only public names of `siltstone` are used: what is found here, a user or an attacker could meet.

pub mod choices;
pub mod format;
/// The oracle of the library's own tests: what a database may hold after a crash.
#[allow(dead_code, reason = "the tests of the library use all of it")]
#[path = "../../tests/it/history.rs"]
mod history;
pub mod memory;
pub mod store;
pub mod targets;
