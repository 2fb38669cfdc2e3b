//! `get`: one value.

use super::open::DataDir;
use super::{output, text};
use anyhow::bail;
use clap::Args;
use siltstone::Db;
use siltstone::store::Value;
use std::io::{IsTerminal, Write};

/// Print the value of a key
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Get {
    /// The key, as text; \xNN is any byte, \\ a backslash
    key: text::Key,
}

const HELP: &str = r"The value goes to standard output exactly as it is, with a line end after it
only on a terminal. A value that was stored as JSON is printed as JSON. The
exit status is 1 when there is no such key.

Examples:
  siltstone get greeting
  siltstone get logo.png > logo.png
  siltstone get 'blob:\x00\xff' --data-dir /var/lib/shop";

impl Get {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        data_dir.with(|db| self.print(db))
    }

    fn print(&self, db: &Db) -> anyhow::Result<()> {
        let Some(stored) = db.get(&self.key)? else {
            bail!("there is no key `{}`; `siltstone scan` shows those there are", text::show(&self.key.0));
        };
        let mut out = output::stdout();
        match Value::decode(&stored) {
            Value::Bytes(bytes) => out.write_all(&bytes)?,
            Value::Json(json) => out.write_all(json.as_bytes())?,
            Value::Hash(hash) => bail!(
                "`{}` is a hash of {} fields, which a server shows: `siltstone serve`, and HGETALL",
                text::show(&self.key.0),
                hash.fields
            ),
        }
        if std::io::stdout().is_terminal() {
            out.write_all(b"\n")?;
        }
        Ok(out.flush()?)
    }
}
