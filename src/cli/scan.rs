//! `scan`: a range of entries.

use super::open::DataDir;
use super::{output, text};
use clap::{Args, ValueEnum};
use siltstone::{Db, Slice};
use std::io::Write;
use std::ops::Bound;

/// Print entries in the order of their keys
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Scan {
    /// Only keys that begin with this text
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["from", "to"])]
    prefix: Option<text::Key>,
    /// Only this key and those after it
    #[arg(long, value_name = "KEY")]
    from: Option<text::Key>,
    /// Only this key and those before it
    #[arg(long, value_name = "KEY")]
    to: Option<text::Key>,
    /// From the last key to the first
    #[arg(long)]
    reverse: bool,
    /// At most this many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Keys without their values
    #[arg(long)]
    keys_only: bool,
    /// How to print them
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Key, tab, value; bytes that are no text as \xNN
    Text,
    /// A JSON object on each line, as `load` takes it
    Ndjson,
}

const HELP: &str = r"Keys are ordered by their bytes, which for text is the order of Unicode. All
entries are of one moment, whatever is written meanwhile.

Examples:
  siltstone scan --prefix user: --limit 10
  siltstone scan --from 2026-01 --to 2026-02 --reverse
  siltstone scan --keys-only | wc -l
  siltstone scan --prefix user: --format ndjson > users.ndjson";

impl Scan {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        data_dir.with(|db| self.print(db))
    }

    fn print(&self, db: &Db) -> anyhow::Result<()> {
        let entries = self.entries(db);
        let mut out = output::stdout();
        for entry in entries.take(self.limit.unwrap_or(usize::MAX)) {
            let (key, value) = entry?;
            let value = (!self.keys_only).then_some(&*value);
            match self.format {
                Format::Text => output::line(&mut out, &key, value)?,
                Format::Ndjson => output::ndjson(&mut out, &key, value)?,
            }
        }
        Ok(out.flush()?)
    }

    fn entries(&self, db: &Db) -> Box<dyn Iterator<Item = siltstone::Result<(Slice, Slice)>>> {
        let bound =
            |key: &Option<text::Key>| key.clone().map_or(Bound::Unbounded, |key| Bound::Included(key.0));
        let range = match &self.prefix {
            Some(prefix) => db.prefix(prefix),
            None => db.range((bound(&self.from), bound(&self.to))),
        };
        if self.reverse { Box::new(range.rev()) } else { Box::new(range) }
    }
}
