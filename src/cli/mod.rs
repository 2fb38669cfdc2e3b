//! The command line: one file per subcommand, and what they share.
//!
//! Shared: [`config`] (the settings of the server), [`documents`] (tables by their names), [`descriptors`] (how many clients there is room for), [`log`], [`notify`]
//! and [`signals`] (the server among its surroundings), [`text`] (keys as they are typed and printed), [`record`] (a line of a file and the entry it stands for),
//! [`input`] (files of such lines), [`output`] (entries as lines), [`open`] (the database), [`progress`] and [`report`]
//! (what is told on stderr), [`server_access`] (where a server is, and who asks).
//! (what is told on stderr), [`initial`] (the databases and tables that a server begins with), [`password`] (one that is typed), [`tls`] (certificates).
//!
//! (L1) Standard output carries data only; everything told to a person goes to stderr.
//! (L2) The exit status is 0 only when all went well: 1 for a failure, 2 for a command line that makes no sense.
//! (L3) A command that only reads never creates a database.
//! (L4) A reader of our output that goes away, such as `head`, is no failure.

mod config;
mod descriptors;
mod documents;
mod initial;
mod input;
mod log;
mod notify;
mod open;
mod output;
mod password;
mod progress;
mod record;
mod report;
mod server_access;
mod signals;
mod text;
mod tls;

mod bench;
mod checkpoint;
mod compact;
mod completions;
mod configuration;
mod delete;
mod dump;
mod get;
mod inspect;
mod load;
mod man;
mod ping;
mod put;
mod repair;
mod scan;
mod serve;
mod shell;
mod stats;
mod user;
mod verify;

use clap::{CommandFactory, Parser, Subcommand};
use open::DataDir;
use std::process::ExitCode;

/// A durable, ordered key-value store in one folder of files.
#[derive(Debug, Parser)]
#[command(name = "siltstone", version = version(), propagate_version = true, arg_required_else_help = true)]
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
    Config(configuration::Configuration),
    Ping(ping::Ping),
    Shell(shell::Shell),
    Bench(bench::Bench),
    User(user::User),
    Completions(completions::Completions),
    Man(man::Man),
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
            Command::Config(command) => command.run(data_dir),
            Command::Ping(command) => command.run(data_dir),
            Command::Shell(command) => command.run(data_dir),
            Command::Bench(command) => command.run(data_dir),
            Command::User(command) => command.run(),
            Command::Completions(command) => command.run(Cli::command()),
            Command::Man(command) => command.run(Cli::command()),
        }
    }
}

/// The version, with the commit where whoever builds a package says it: `SILTSTONE_COMMIT=$(git rev-parse --short=12 HEAD)
/// cargo build …`. A build script that asks git would run for everybody who embeds the library.
fn version() -> String {
    let commit = option_env!("SILTSTONE_COMMIT").map(|commit| format!(" ({commit})"));
    [env!("CARGO_PKG_VERSION"), &commit.unwrap_or_default()].concat()
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // The server logs as its configuration says.
    if !matches!(cli.command, Command::Serve(_)) {
        log::start(&std::env::var(config::RUST_LOG).unwrap_or_default(), false);
    }
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

    #[test]
    fn the_arguments_are_consistent_and_every_command_teaches_by_example() {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        let inner = |command: &clap::Command| {
            let commands = command.get_subcommands().filter(|c| c.get_name() != "help");
            commands.cloned().collect::<Vec<_>>()
        };
        for command in inner(&cli).into_iter().flat_map(|c| [inner(&c), vec![c]].concat()) {
            let name = command.get_bin_name().unwrap().strip_prefix("siltstone ").unwrap();
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains(&format!("  siltstone {name}")), "`{name}` has no example:\n{help}");
            assert!(help.contains("--data-dir"), "`{name}` has no --data-dir");
            assert!(command.get_about().is_some(), "`{name}` does not say what it does");
        }
    }
}
