//! Documents of files, into a table.

use super::Tally;
use crate::cli::documents::{self, TableName};
use crate::cli::input;
use anyhow::{Context, bail};
use siltstone::Db;
use siltstone::document::raw::Encoded;
use siltstone::document::schema::Schema;
use siltstone::document::value::Value;
use siltstone::document::{Documents, Error, Table};
use siltstone::store::Commit;
use std::path::Path;

/// A batch is written when it has so many documents, or when their lines have so many bytes.
const BATCH_DOCUMENTS: usize = 1000;
const BATCH_BYTES: usize = 8 << 20;

/// Loads the files, and makes everything durable that was read.
pub fn load(
    db: &Db,
    name: &TableName,
    schema: Option<&Path>,
    files: &[String],
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let table = table(&documents::open(db)?, name, schema)?;
    let mut loader = Loader { table, batch: Vec::new(), bytes: 0, last: None, tally };
    let result = files.iter().try_for_each(|file| {
        let reader = loader.tally.open(file)?;
        let read = input::lines(reader, |line, text| loader.take(line, text));
        // Lines are told of by the file they are in.
        read.and_then(|()| loader.write()).with_context(|| format!("could not load {file}"))
    });
    // What is durable last is so after all that was written before it.
    let finished = loader.write().and_then(|()| Ok(loader.last.take().map_or(Ok(()), Commit::wait)?));
    result?;
    finished
}

/// The table, which is made if it is not there.
fn table(documents: &Documents, name: &TableName, schema: Option<&Path>) -> anyhow::Result<Table> {
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path)?;
        documents::parse(&text).map_err(anyhow::Error::msg)
    };
    let read =
        |path: &Path| read(path).with_context(|| format!("could not read the schema in {}", path.display()));
    let schema = schema.map(read).transpose()?;
    match documents.table(&name.database, &name.table) {
        Err(Error::NoTable { .. }) => documents
            .create_table(&name.database, &name.table, schema.as_ref())
            .with_context(|| format!("could not make the table {name}")),
        found => {
            let found = found?;
            let parsed = |schema: Value| Schema::parse(&schema).context("the schema is none");
            let there = found.schema().map(parsed).transpose()?;
            if let Some(wanted) = schema.map(parsed).transpose()?
                && there.as_ref() != Some(&wanted)
            {
                bail!("{name} is there with another schema: load into another table, or leave --schema out");
            }
            Ok(found)
        }
    }
}

/// Collects documents into batches and inserts them.
struct Loader<'a> {
    table: Table,
    /// The documents, each with its line.
    batch: Vec<(u64, Encoded)>,
    bytes: usize,
    /// When the last write is durable.
    last: Option<Commit>,
    tally: &'a mut Tally,
}

impl Loader<'_> {
    fn take(&mut self, line: u64, text: Result<&str, String>) -> anyhow::Result<()> {
        match text.and_then(|text| Ok((text.len(), documents::document(text)?))) {
            Ok((bytes, document)) => {
                self.batch.push((line, document));
                self.bytes += bytes;
            }
            Err(why) => self.tally.refuse(line, &why),
        }
        if self.batch.len() >= BATCH_DOCUMENTS || self.bytes >= BATCH_BYTES {
            self.write()?;
        }
        Ok(())
    }

    /// Inserts the batch as one; where a document is refused, each by itself, so that all others come in.
    fn write(&mut self) -> anyhow::Result<()> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        match self.insert(batch.iter().map(|(_, document)| document.clone()).collect()) {
            Err(error) if documents::is_refusal(&error) => {}
            inserted => return Ok(inserted?),
        }
        for (line, document) in batch {
            match self.insert(vec![document]) {
                Err(error) if documents::is_refusal(&error) => {
                    self.tally.refuse(line, &documents::reason(&error));
                }
                inserted => inserted?,
            }
        }
        Ok(())
    }

    fn insert(&mut self, documents: Vec<Encoded>) -> Result<(), Error> {
        let (stored, commit) = self.table.insert_many_now(documents)?.into_parts();
        stored.iter().for_each(|_| self.tally.progress.add_entry());
        self.last = Some(commit);
        Ok(())
    }
}
