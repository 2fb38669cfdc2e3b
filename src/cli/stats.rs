//! `stats`: what the database counts about itself.

use super::open::DataDir;
use super::output;
use clap::Args;
use siltstone::Db;
use std::path::PathBuf;

/// Print what the database counts about itself
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Stats {
    /// The folder of the database, instead of --data-dir
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// As one JSON object
    #[arg(long, conflicts_with = "prometheus")]
    json: bool,
    /// In the text format that Prometheus reads
    #[arg(long)]
    prometheus: bool,
}

const HELP: &str = r"Sizes and numbers of tables by level, of logs and of memory. Counters begin
when a database is opened, so here they tell of this command only.

Examples:
  siltstone stats
  siltstone stats /var/lib/shop --json | jq .memory
  siltstone stats --prometheus";

impl Stats {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        data_dir.with_at(self.dir.as_deref(), |db| self.print(db))
    }

    fn print(&self, db: &Db) -> anyhow::Result<()> {
        match self.prometheus {
            true => Ok(output::report(&db.stats().prometheus(), false)?),
            false => Ok(output::report(&db.stats(), self.json)?),
        }
    }
}
