//! `dump`: all entries, or the documents of a table, as `load` reads them.

use super::documents::{self, TableName};
use super::input::Format;
use super::open::DataDir;
use super::output::{self, Writer};
use super::progress::Progress;
use clap::Args;
use siltstone::Db;
use siltstone::document::Query;
use siltstone::store::Value;
use std::io::{IsTerminal, Write};

/// Write all entries, or the documents of a table, to standard output, as `load` takes them back
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Dump {
    /// The form of the output
    #[arg(long, value_enum, default_value = "ndjson")]
    format: Format,
    /// The table whose documents are written, one JSON object a line; entries are not
    #[arg(long, value_name = "DATABASE/TABLE", conflicts_with = "format")]
    table: Option<TableName>,
}

const HELP: &str = r#"A line for each entry, in the order of the keys, all of one moment:
  {"key":"greeting","value":"hello, world"}
  {"key":"user:17","value":{"name":"Ada"}}
Bytes that are not text stand in `key_base64` and `value_base64`; a value that
a program stored in a form that only the library reads stands in
`stored_base64`. CSV and TSV have these as columns, and `value_json` for values
that are JSON. In every format `load` restores every byte.

With --table a line for each document of a table, in the order in which they
were inserted, all of one moment. `load --table` takes them back, with their
`pk`; the schema and the indexes of the table are not among them (`siltstone
shell` shows both). Without --table documents are left out: the command then
tells which tables there are, and its exit status is 1, as it is when there are
hashes. `siltstone checkpoint` copies everything.

Examples:
  siltstone dump > backup.ndjson
  siltstone dump | gzip > backup.ndjson.gz
  siltstone dump --format csv > table.csv
  siltstone dump --table shop/user > users.ndjson
  siltstone dump --data-dir old | siltstone load - --data-dir new"#;

impl Dump {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        data_dir.with(|db| match &self.table {
            Some(table) => write_table(db, table),
            None => self.write(db),
        })
    }

    fn write(&self, db: &Db) -> anyhow::Result<()> {
        let mut progress = progress();
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
        let tables: Vec<String> = documents::tables(db)?.iter().map(TableName::to_string).collect();
        anyhow::ensure!(
            tables.is_empty(),
            "{} tables of documents were left out: `siltstone dump --table` writes them one by one ({}); \
             `siltstone checkpoint` copies everything",
            tables.len(),
            tables.join(", ")
        );
        Ok(())
    }
}

fn write_table(db: &Db, name: &TableName) -> anyhow::Result<()> {
    let mut progress = progress();
    let mut out = output::stdout();
    let table = documents::open(db)?.table(&name.database, &name.table)?;
    for document in table.find(Query::all())? {
        writeln!(out, "{}", document?)?;
        progress.add_entry();
    }
    out.flush()?;
    eprintln!("dumped {}", progress.finish());
    Ok(())
}

/// None where the entries themselves are shown.
fn progress() -> Progress {
    if std::io::stdout().is_terminal() { Progress::hidden() } else { Progress::endless() }
}
