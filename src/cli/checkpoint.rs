//! `checkpoint`: a copy of the database that shares its tables.

use super::open::DataDir;
use anyhow::Context;
use clap::Args;
use siltstone::Options;
use std::path::PathBuf;

/// Make a copy of the database that shares its tables
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Checkpoint {
    /// The folder of the database
    dir: PathBuf,
    /// The folder of the copy: not there yet, or empty
    into: PathBuf,
}

const HELP: &str = r"The copy opens like any database, and later writes to the one do not show in the
other. It takes next to no time and room where both folders are on one file
system: the tables get a further name, and take their room only once. Elsewhere
they are copied.

Both have the same id, so never mix their files. To restore a copy, put all of
it into an empty folder.

Examples:
  siltstone checkpoint data data-monday
  siltstone checkpoint /var/lib/shop /var/backups/shop-2026-01-01";

impl Checkpoint {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        let dir = data_dir.existing(Some(&self.dir))?;
        let what = || format!("could not open the database in {}", dir.display());
        let db = Options::default().create_if_missing(false).open(dir).with_context(what)?;
        let made = db.checkpoint(&self.into);
        let closed = db.close();
        let made = made.with_context(|| format!("no copy is in {}", self.into.display()))?;
        eprintln!("{}: {made}", self.into.display());
        Ok(closed?)
    }
}
