//! The command line: one file per subcommand, and what they share.
//!
//! Shared: [`descriptors`] (how many clients there is room for), [`text`] (keys as they are typed and printed), [`record`] (a line of a file and the entry it stands for),
//! [`input`] (files of such lines), [`output`] (entries as lines), [`open`] (the database), [`progress`] and [`report`]
//! (what is told on stderr).
//!
//! (L1) Standard output carries data only; everything told to a person goes to stderr.
//! (L2) The exit status is 0 only when all went well: 1 for a failure, 2 for a command line that makes no sense.
//! (L3) A command that only reads never creates a database.
//! (L4) A reader of our output that goes away, such as `head`, is no failure.

mod descriptors;
mod input;
mod open;
mod output;
mod progress;
mod record;
mod report;
mod text;

mod checkpoint;
mod compact;
mod delete;
mod dump;
mod get;
mod inspect;
mod load;
mod put;
mod repair;
mod scan;
mod serve;
mod stats;
mod verify;

use clap::{Parser, Subcommand};
use open::DataDir;
use std::process::ExitCode;

/// A durable, ordered key-value store in one folder of files.
#[derive(Debug, Parser)]
#[command(name = "siltstone", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    data_dir: DataDir,

    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = r"Begin here:
  siltstone put greeting 'hello, world'
  siltstone get greeting
  siltstone serve

Keys on the command line are text. Any other byte is written \xNN (two
hexadecimal digits), a backslash \\.
A database is open in one process at a time: while `siltstone serve` runs, talk
to the server instead. RUST_LOG=siltstone=debug tells on stderr what the engine
does.

`siltstone help COMMAND` explains a command, with examples.";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Get(get::Get),
    Put(put::Put),
    Delete(delete::Delete),
    Scan(scan::Scan),
    Load(load::Load),
    Dump(dump::Dump),
    Stats(stats::Stats),
    Verify(verify::Verify),
    Repair(repair::Repair),
    Checkpoint(checkpoint::Checkpoint),
    Compact(compact::Compact),
    Inspect(inspect::Inspect),
}

impl Command {
    fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        match self {
            Command::Serve(command) => command.run(data_dir),
            Command::Get(command) => command.run(data_dir),
            Command::Put(command) => command.run(data_dir),
            Command::Delete(command) => command.run(data_dir),
            Command::Scan(command) => command.run(data_dir),
            Command::Load(command) => command.run(data_dir),
            Command::Dump(command) => command.run(data_dir),
            Command::Stats(command) => command.run(data_dir),
            Command::Verify(command) => command.run(data_dir),
            Command::Repair(command) => command.run(data_dir),
            Command::Checkpoint(command) => command.run(data_dir),
            Command::Compact(command) => command.run(data_dir),
            Command::Inspect(command) => command.run(data_dir),
        }
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.run(&cli.data_dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if report::reader_went_away(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent_and_every_command_teaches_by_example() {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        for command in cli.get_subcommands().filter(|c| c.get_name() != "help") {
            let name = command.get_name();
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains(&format!("  siltstone {name}")), "`{name}` has no example:\n{help}");
            assert!(help.contains("--data-dir"), "`{name}` has no --data-dir");
            assert!(command.get_about().is_some(), "`{name}` does not say what it does");
        }
    }
}
