//! `inspect`: a file of a database as text.

use super::open::DataDir;
use super::output;
use anyhow::Context;
use clap::Args;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

/// Print a file of a database as text
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Inspect {
    /// The file; a name without a folder is looked for in the database's folder too
    file: PathBuf,
}

const HELP: &str = r"Shows a log, a table, a manifest or CURRENT as it lies on disk, without opening
the database, so also while a server has it open. A damaged file is shown up to
the damage.

Examples:
  siltstone inspect CURRENT
  siltstone inspect data/000007.manifest
  siltstone inspect 000031.table --data-dir /var/lib/shop | less";

impl Inspect {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        let inside = data_dir.path().join(&self.file);
        let file = if !self.file.exists() && inside.exists() { &inside } else { &self.file };
        let mut text = Text { out: output::stdout(), failed: None };
        let inspected = siltstone::inspect(file, &mut text);
        let Text { mut out, failed } = text;
        if let Some(error) = failed {
            return Err(error).context("could not print the file");
        }
        out.flush()?;
        Ok(inspected?)
    }
}

/// Bytes as a place for text. The system's own error is kept, since text knows only that there was one.
struct Text<W> {
    out: W,
    failed: Option<io::Error>,
}

impl<W: Write> fmt::Write for Text<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_all(text.as_bytes()).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}
