//! The `siltstone` program: a user of the crate like any other.
//!
//! It declares one module and imports nothing of the library but public names; the compiler holds it to that, since a
//! binary is a crate of its own.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
