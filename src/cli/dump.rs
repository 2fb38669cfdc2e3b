//! `dump`: all entries, as `load` reads them.

use super::input::Format;
use super::open::DataDir;
use super::output::{self, Writer};
use super::progress::Progress;
use clap::Args;
use siltstone::Db;
use siltstone::store::Value;
use std::io::IsTerminal;

/// Write all entries to standard output, as `load` takes them back
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Dump {
    /// The form of the output
    #[arg(long, value_enum, default_value = "ndjson")]
    format: Format,
}

const HELP: &str = r#"A line for each entry, in the order of the keys, all of one moment:
  {"key":"greeting","value":"hello, world"}
  {"key":"user:17","value":{"name":"Ada"}}
Bytes that are not text stand in `key_base64` and `value_base64`; a value that
a program stored in a form that only the library reads stands in
`stored_base64`. CSV and TSV have these as columns, and `value_json` for values
that are JSON. In every format `load` restores every byte.

Examples:
  siltstone dump > backup.ndjson
  siltstone dump | gzip > backup.ndjson.gz
  siltstone dump --format csv > table.csv
  siltstone dump --data-dir old | siltstone load - --data-dir new"#;

impl Dump {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        data_dir.with(|db| self.write(db))
    }

    fn write(&self, db: &Db) -> anyhow::Result<()> {
        let on_terminal = std::io::stdout().is_terminal();
        let mut progress = if on_terminal { Progress::hidden() } else { Progress::endless() };
        let mut writer = Writer::new(output::stdout(), self.format)?;
        let mut hashes = 0;
        for entry in db.iter() {
            let (key, value) = entry?;
            if let Value::Hash(_) = Value::decode(&value) {
                hashes += 1;
                continue;
            }
            writer.entry(&key, &value)?;
            progress.add_entry();
        }
        writer.finish()?;
        eprintln!("dumped {}", progress.finish());
        // Their fields lie elsewhere, and a dump that left them out unsaid would be no backup.
        anyhow::ensure!(
            hashes == 0,
            "{hashes} hashes were left out: a dump has no form for them; `siltstone checkpoint` copies everything"
        );
        Ok(())
    }
}
