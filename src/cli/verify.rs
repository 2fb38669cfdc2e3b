//! `verify`: is every byte what was written?

use super::open::DataDir;
use super::output;
use anyhow::bail;
use clap::Args;
use siltstone::Db;
use std::io::Write;

/// Read every table and check every checksum
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Verify {}

const HELP: &str = r"No table is changed. The exit status is 1 when anything is damaged; each damage
is told with its file and its place.

Examples:
  siltstone verify
  siltstone verify --data-dir /var/backups/shop";

impl Verify {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        data_dir.with(print)
    }
}

fn print(db: &Db) -> anyhow::Result<()> {
    let report = db.verify()?;
    let mut out = output::stdout();
    write!(out, "{report}")?;
    out.flush()?;
    if report.is_sound() {
        return Ok(());
    }
    bail!(
        "the database is damaged: restore the files named above from a copy, or `siltstone dump` what can still be read"
    )
}
