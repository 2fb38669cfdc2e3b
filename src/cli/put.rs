//! `put`: one entry.

use super::open::DataDir;
use super::{record, text};
use clap::Args;
use siltstone::Options;

/// Set a key to a value
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Put {
    /// The key, as text; \xNN is any byte, \\ a backslash
    key: text::Key,
    /// The value: this text, byte for byte, without escapes
    #[arg(allow_hyphen_values = true)]
    value: String,
}

const HELP: &str = r#"When the command returns with exit status 0 the value is on stable storage. The
database is made if there is none. A value that is JSON and not text, or that
is not text at all, is stored with `load`.

Examples:
  siltstone put greeting 'hello, world'
  siltstone put user:17 Ada --data-dir /var/lib/shop
  echo '{"key":"user:17","value":{"name":"Ada"}}' | siltstone load -"#;

impl Put {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        let value = record::stored_bytes(self.value.as_bytes());
        data_dir.with_options(Options::default(), |db| Ok(db.put(&self.key, value)?))
    }
}
