//! `delete`: one key less.

use super::open::DataDir;
use super::text;
use clap::Args;

/// Remove a key
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Delete {
    /// The key, as text; \xNN is any byte, \\ a backslash
    key: text::Key,
}

const HELP: &str = r"When the command returns with exit status 0 the key is gone for good. A key
that is not there is no failure.

Examples:
  siltstone delete greeting
  siltstone delete 'blob:\x00\xff'";

impl Delete {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        data_dir.with(|db| Ok(db.delete(&self.key)?))
    }
}
