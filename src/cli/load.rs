//! `load`: entries from files.
//!
//! Entries go into batches, which are written without a sync each; one sync at the end makes all of it durable. A load
//! that is broken off leaves what it has written so far, and may simply be run again.

use super::input::{self, Format, Sink};
use super::open::DataDir;
use super::progress::Progress;
use super::record::{Record, Shape};
use anyhow::{Context, bail};
use clap::Args;
use siltstone::{Db, Durability, Options, WriteBatch};
use std::fs::File;
use std::io::{BufReader, Read};

/// Store the entries of files: NDJSON, CSV, TSV
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

A line that cannot be stored is refused and told with its number and the
reason; all others are stored, and the exit status is then 1. Of several
entries with one key the last stays. The command returns when everything is on
stable storage.

Examples:
  siltstone load users.ndjson --key id
  siltstone load cities.csv --key country --key zip --separator /
  gunzip --stdout backup.ndjson.gz | siltstone load -
  siltstone load - --format tsv < table"#;

/// A batch is written when it has so many bytes, or so many entries.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_ENTRIES: usize = 10_000;
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
        let mut loader = Loader { db, batch: WriteBatch::new(), progress, file: "", refused: 0 };
        let result = self.files.iter().try_for_each(|file| self.load_file(file, &mut loader));
        let finished = loader.finish();
        result?;
        finished
    }

    fn load_file<'a>(&'a self, file: &'a str, loader: &mut Loader<'a>) -> anyhow::Result<()> {
        let shape = match self.keys.as_slice() {
            [] => Shape::Entry,
            members => Shape::Document { members: members.to_vec(), separator: self.separator.clone() },
        };
        let format = self.format.unwrap_or_else(|| Format::of_name(file));
        loader.file = file;
        let reader = loader.progress.watch(open(file)?);
        let reader = BufReader::with_capacity(256 << 10, reader);
        input::read(reader, format, &shape, loader).with_context(|| format!("could not load {file}"))
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

/// Collects entries into batches and writes them.
struct Loader<'a> {
    db: &'a Db,
    batch: WriteBatch,
    progress: Progress,
    file: &'a str,
    refused: usize,
}

impl Sink for Loader<'_> {
    fn take(&mut self, line: u64, entry: Result<Record, String>) -> anyhow::Result<()> {
        match entry {
            Ok(Record { key, value }) => {
                self.batch.put(key, value);
                self.progress.add_entry();
            }
            Err(why) => self.refuse(line, &why),
        }
        if self.batch.byte_len() >= BATCH_BYTES || self.batch.len() >= BATCH_ENTRIES {
            self.write()?;
        }
        Ok(())
    }
}

impl Loader<'_> {
    fn refuse(&mut self, line: u64, why: &str) {
        self.refused += 1;
        if self.refused <= SHOWN {
            self.progress.tell(&format!("{}:{line}: refused: {why}", self.file));
        }
    }

    fn write(&mut self) -> siltstone::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.db.write_with(batch, Durability::Os)
    }

    /// Makes everything durable and sums up.
    fn finish(mut self) -> anyhow::Result<()> {
        self.write()?;
        self.db.sync()?;
        eprintln!("loaded {}", self.progress.finish());
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
