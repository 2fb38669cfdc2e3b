//! `verify`: is every byte what was written?

use super::open::DataDir;
use super::output;
use super::progress::Progress;
use anyhow::bail;
use clap::Args;
use siltstone::{Options, VerifyReport};
use std::path::PathBuf;

/// Read every byte and check it, also of a database that does not open
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Verify {
    /// The folder of the database; that of --data-dir when not given
    dir: Option<PathBuf>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

const HELP: &str = r"Checks CURRENT, the manifest, every record of the log and every block of every
table, and that the files fit each other. Nothing is written, and the database
need not open; but nobody else may have it open meanwhile. The exit status is 1
when anything is damaged or could not be read; each finding is told with its
file and its place. What a crash left behind is a note and no damage.

Examples:
  siltstone verify
  siltstone verify /var/backups/shop
  siltstone verify /var/backups/shop --json | jq .problems";

impl Verify {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        let dir = data_dir.existing(self.dir.as_deref())?;
        let progress = Progress::of_work();
        let report = Options::default().verify(dir, &|now| progress.show(now));
        progress.clear();
        let report = report?;
        output::report(&report, self.json)?;
        conclude(&report, dir)
    }
}

fn conclude(report: &VerifyReport, dir: &std::path::Path) -> anyhow::Result<()> {
    if report.is_sound() {
        return Ok(());
    }
    let dir = dir.display();
    bail!(
        "the database in {dir} is damaged: restore the files named above from a copy, or salvage what is sound with `siltstone repair {dir} --into NEW`"
    )
}
