//! `compact`: merge all tables now.

use super::open::DataDir;
use clap::Args;

/// Merge all tables now, so that what was deleted or overwritten gives its space back
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Compact {}

const HELP: &str = r"A database does this by itself, in the background and piece by piece. By hand
it is useful before a copy is made, or after most of the data was deleted. It
writes everything once, so it needs about as much free space as the data has.

Examples:
  siltstone compact
  siltstone compact --data-dir /var/lib/shop";

impl Compact {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        data_dir.with(|db| Ok(db.compact_range::<&[u8]>(..)?))
    }
}
