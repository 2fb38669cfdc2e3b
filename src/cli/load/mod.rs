//! `load`: entries, or documents of a table, from files.
//!
//! What is read goes into batches, which are written without a sync each; one sync at the end makes all of it durable. A load
//! that is broken off leaves what it has written so far, and may simply be run again: entries take the place of those that are there,
//! documents that are there already, by their `pk`, are refused.

mod documents;
mod entries;

use super::documents::TableName;
use super::input::Format;
use super::open::DataDir;
use super::progress::Progress;
use anyhow::{Context, bail};
use clap::Args;
use siltstone::{Db, Options};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

/// Store the entries of files, NDJSON, CSV or TSV, or documents in a table
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Load {
    /// The files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The member or column that is the key; given several times, their texts are joined
    #[arg(long = "key", value_name = "FIELD")]
    keys: Vec<String>,
    /// What stands between the parts of a joined key
    #[arg(long, value_name = "TEXT", default_value = ":", requires = "keys")]
    separator: String,
    /// The form of the files; when not given, the ending of each says it, and NDJSON is assumed
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The table to put documents into, one JSON object a line; it is made if it is not there
    #[arg(long, value_name = "DATABASE/TABLE", conflicts_with_all = ["keys", "format"])]
    table: Option<TableName>,
    /// A file with the schema of the table; one that is there must have an equal one
    #[arg(long, value_name = "FILE", requires = "table")]
    schema: Option<PathBuf>,
}

const HELP: &str = r#"Without --key each line is an entry, as `dump` writes it:
  {"key":"greeting","value":"hello, world"}
  {"key":"user:17","value":{"name":"Ada"}}
  {"key_base64":"AP8=","value_base64":"iVBORw=="}
or a row of CSV or TSV with the columns `key` and `value`. A string is stored
as its bytes, any other JSON as JSON.

With --key each line is a document of any form; it is stored whole, as JSON,
under the key made of the members named:
  siltstone load users.ndjson --key country --key id        makes keys such as no:17

With --table each line is a document of a table, as `dump --table` writes it.
It is stored as the table's schema has it, and gets a `pk` if it has none. A
table that is made without --schema takes any document. Numbers stay exact.

A line that cannot be stored is refused and told with its number and all that
is wrong; all others are stored, and the exit status is then 1. Of several
entries with one key the last stays. The command returns when everything is on
stable storage.

Examples:
  siltstone load users.ndjson --key id
  siltstone load cities.csv --key country --key zip --separator /
  gunzip --stdout backup.ndjson.gz | siltstone load -
  siltstone load - --format tsv < table
  siltstone load users.ndjson --table shop/user --schema user.json"#;

/// So many refused lines are shown.
const SHOWN: usize = 5;

impl Load {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        // A file that is not there should be known before a database is made.
        let bytes = self.files.iter().map(|file| length(file)).sum::<anyhow::Result<Option<u64>>>()?;
        data_dir.with_options(Options::default(), |db| self.load(db, bytes))
    }

    fn load(&self, db: &Db, bytes: Option<u64>) -> anyhow::Result<()> {
        let progress = bytes.map_or_else(Progress::endless, Progress::of_bytes);
        let mut tally = Tally { progress, file: String::new(), refused: 0 };
        let loaded = match &self.table {
            Some(table) => documents::load(db, table, self.schema.as_deref(), &self.files, &mut tally),
            None => entries::load(db, self, &mut tally),
        };
        eprintln!("loaded {}", tally.progress.finish());
        loaded?;
        tally.finish()
    }
}

/// What has been read, and what was refused of it.
struct Tally {
    progress: Progress,
    file: String,
    refused: usize,
}

impl Tally {
    /// Goes on to a file.
    fn open(&mut self, file: &str) -> anyhow::Result<impl BufRead + use<>> {
        self.file = file.to_string();
        Ok(BufReader::with_capacity(256 << 10, self.progress.watch(open(file)?)))
    }

    fn refuse(&mut self, line: u64, why: &str) {
        self.refused += 1;
        if self.refused <= SHOWN {
            self.progress.tell(&format!("{}:{line}: refused: {why}", self.file));
        }
    }

    /// Sums up.
    fn finish(self) -> anyhow::Result<()> {
        if self.refused > SHOWN {
            eprintln!("{} more lines were refused", self.refused - SHOWN);
        }
        match self.refused {
            0 => Ok(()),
            1 => bail!("1 line was refused: correct it and load it again, what was loaded stays"),
            n => bail!("{n} lines were refused: correct them and load them again, what was loaded stays"),
        }
    }
}

/// The bytes of a file; `None` when nobody knows.
fn length(file: &str) -> anyhow::Result<Option<u64>> {
    if file == "-" {
        return Ok(None);
    }
    let metadata = std::fs::metadata(file).with_context(|| format!("could not open {file}"))?;
    if metadata.is_dir() {
        bail!("{file} is a folder: name the files in it");
    }
    Ok(metadata.is_file().then_some(metadata.len()))
}

fn open(file: &str) -> anyhow::Result<Box<dyn Read>> {
    if file == "-" {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let opened = File::open(file).with_context(|| format!("could not open {file}"))?;
    Ok(Box::new(opened))
}
