//! `man`: a page of the manual.

use anyhow::anyhow;
use clap::{Args, Command};
use std::io::Write;

/// Print a page of the manual
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Man {
    /// The command that the page is about; the program as a whole when not given
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

const HELP: &str = r"Examples:
  siltstone man serve | man -l -
  siltstone man > /usr/local/share/man/man1/siltstone.1
  siltstone man config show > /usr/local/share/man/man1/siltstone-config-show.1";

impl Man {
    /// Runs the command, whose arguments are `cli`.
    pub fn run(&self, mut cli: Command) -> anyhow::Result<()> {
        cli.build();
        let mut command = &cli;
        for name in &self.command {
            let inner = command.find_subcommand(name);
            command = inner.ok_or_else(|| {
                anyhow!("there is no command `{}`: `siltstone --help` names them", self.command.join(" "))
            })?;
        }
        // What a shell would be told, with the program's name in it, is what a page is called.
        let name = [&["siltstone".to_string()], self.command.as_slice()].concat().join("-");
        let mut page = Vec::new();
        clap_mangen::Man::new(command.clone().name(name)).render(&mut page)?;
        let mut out = std::io::stdout().lock();
        out.write_all(&page)?;
        Ok(out.flush()?)
    }
}
