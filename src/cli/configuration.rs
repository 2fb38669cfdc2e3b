//! `config`: what the server may be told, and what it was told.

use super::config::{self, Flags, sample};
use super::open::DataDir;
use clap::{Args, Subcommand};
use std::io::Write;
use std::path::PathBuf;

/// Print or check the configuration of the server
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Configuration {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print a file with every setting and its default
    #[command(after_help = "Examples:\n  siltstone config sample > siltstone.toml")]
    Sample,
    /// Print the settings that `serve` would have here, each with where it comes from; secrets are not shown
    #[command(after_help = SHOW_HELP)]
    Show {
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Tell all that is wrong with a file
    #[command(after_help = CHECK_HELP)]
    Check {
        /// The file
        file: PathBuf,
    },
}

const HELP: &str = r"Examples:
  siltstone config sample > siltstone.toml
  siltstone config check siltstone.toml
  siltstone config show --config siltstone.toml";

const SHOW_HELP: &str = r"Examples:
  siltstone config show
  siltstone config show --config /etc/siltstone.toml --listen 127.0.0.1:7000";

const CHECK_HELP: &str = r"The status is 0 when nothing is wrong. The environment plays no part.

Examples:
  siltstone config check /etc/siltstone.toml && systemctl restart siltstone";

impl Configuration {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        match &self.what {
            What::Sample => out.write_all(sample::all().as_bytes())?,
            What::Show { flags } => {
                let config = config::load(flags, data_dir)?;
                config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                out.write_all(sample::show(&config).as_bytes())?;
            }
            What::Check { file } => {
                let given = config::check(file)?;
                eprintln!("{}: nothing is wrong; it gives {given} settings", file.display());
            }
        }
        Ok(out.flush()?)
    }
}
