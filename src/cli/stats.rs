//! `stats`: what the database counts about itself.

use super::open::DataDir;
use super::output;
use clap::Args;
use siltstone::Db;

/// Print what the database counts about itself
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Stats {
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

const HELP: &str = r"Sizes and numbers of tables by level, of logs and of memory. Counters begin
when a database is opened, so here they tell of this command only.

Examples:
  siltstone stats
  siltstone stats --json | jq .";

impl Stats {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        data_dir.with(|db| self.print(db))
    }

    fn print(&self, db: &Db) -> anyhow::Result<()> {
        Ok(output::report(&db.stats(), self.json)?)
    }
}
