//! `repair`: what is sound of a damaged database becomes a new one.

use super::open::DataDir;
use super::output;
use super::progress::Progress;
use anyhow::bail;
use clap::Args;
use siltstone::Options;
use std::path::PathBuf;

/// Salvage what is sound of a damaged database into a new one
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Repair {
    /// The folder of the damaged database; that of --data-dir when not given
    dir: Option<PathBuf>,
    /// The folder of the new one: not there yet, or empty
    #[arg(long, value_name = "NEW")]
    into: PathBuf,
    /// The report as one JSON object
    #[arg(long)]
    json: bool,
}

const HELP: &str = r"The damaged database is only read. Of its tables and its log every piece is
taken whose checksum is right, and nothing else; the new database is checked at
the end. The report says what was lost: by range of keys, and by file and
offset. The exit status is 1 when anything was, or may have been.

The new database takes as much room as the sound part of the old one, while it
is made up to twice that.

Examples:
  siltstone repair --into rescued
  siltstone repair /var/lib/shop --into /var/lib/shop-rescued
  siltstone repair /var/lib/shop --into /mnt/shop --json > report.json";

impl Repair {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        let dir = data_dir.existing(self.dir.as_deref())?;
        let progress = Progress::of_work();
        let report = Options::default().repair(dir, &self.into, &|now| progress.show(now));
        progress.clear();
        let report = report?;
        output::report(&report, self.json)?;
        if report.is_complete() {
            return Ok(());
        }
        bail!("{} is made, but it may lack what is told above", self.into.display())
    }
}
