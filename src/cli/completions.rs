//! `completions`: what a shell needs to complete our commands.

use clap::{Args, Command};
use clap_complete::Shell;
use std::io::Write;

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

const HELP: &str = r"Examples:
  siltstone completions bash > /etc/bash_completion.d/siltstone
  siltstone completions zsh > ~/.zfunc/_siltstone
  siltstone completions fish > ~/.config/fish/completions/siltstone.fish";

impl Completions {
    /// Runs the command, whose arguments are `cli`.
    pub fn run(&self, mut cli: Command) -> anyhow::Result<()> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut cli, "siltstone", &mut text);
        let mut out = std::io::stdout().lock();
        out.write_all(&text)?;
        Ok(out.flush()?)
    }
}
