//! Documents into a table: what a write puts into its batch, and the batch into the engine.
//!
//! (W1) Whether a value of a unique index is free is judged by what is there when the batch is made, under the lock of the table, less
//!      what the batch takes away, plus what it puts before: so the documents of one batch meet each other as well.

use super::read::Document;
use super::{Shape, Table};
use crate::document::catalogue::PK;
use crate::document::error::{Error, Result};
use crate::document::index::{Column, Entry, Index};
use crate::document::keys::{self, Row};
use crate::document::raw::{Encoded, Raw};
use crate::document::value::{Kind, MAX_BYTES, MAX_DEPTH, Value};
use crate::store::Commit;
use crate::{Slice, WriteBatch};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// So many bytes one write may have.
const MOST_BATCH: usize = 256 << 20;

/// A write that is done and seen, and will be durable.
#[derive(Debug)]
#[must_use = "a write is acknowledged only when it was waited for"]
pub struct Pending<T> {
    value: T,
    commit: Commit,
}

/// What an update did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Updated {
    /// How many documents were asked for.
    pub matched: u64,
    /// How many of them are others now.
    pub modified: u64,
    /// Whether one was inserted, since none was there.
    pub inserted: bool,
}

/// What to do where no document is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upsert {
    /// Nothing.
    No,
    /// Insert one: what the query says that members are equal to, changed by the update.
    Yes,
}

impl<T> Pending<T> {
    pub(super) fn new(value: T, commit: Commit) -> Pending<T> {
        Pending { value, commit }
    }

    /// Waits until it is durable.
    ///
    /// # Errors
    /// It could not be made durable.
    pub fn wait(self) -> Result<T> {
        self.commit.wait()?;
        Ok(self.value)
    }

    /// What came of it, and what to wait for: a client of a network, say, has its answer when that is durable.
    pub fn into_parts(self) -> (T, Commit) {
        (self.value, self.commit)
    }
}

impl Pending<Updated> {
    /// Whether nothing was asked for.
    pub(super) fn is_idle(&self) -> bool {
        self.value.matched == 0
    }
}

impl Table {
    /// Adds a document, and gives it back as it was stored: as the schema has it, with its name, `pk`. One that is a text is read
    /// with [`Encoded::parse`], and no tree is made of it.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::NotUnique`]; an index that cannot hold it; [`Error::TooLarge`].
    pub fn insert(&self, document: impl Into<Encoded>) -> Result<Document> {
        self.insert_now(document)?.wait()
    }

    /// Adds what serde makes a document of.
    ///
    /// # Errors
    /// As [`Table::insert`].
    pub fn insert_as<T: Serialize>(&self, document: &T) -> Result<Document> {
        self.insert(
            Encoded::of_serde(document).map_err(|malformed| Error::Invalid(malformed.to_string().into()))?,
        )
    }

    /// Adds documents, all or none, in one write.
    ///
    /// # Errors
    /// As [`Table::insert`]; of the first document that cannot be added.
    pub fn insert_many(
        &self,
        documents: impl IntoIterator<Item = impl Into<Encoded>>,
    ) -> Result<Vec<Document>> {
        self.insert_many_now(documents)?.wait()
    }

    /// As [`Table::insert`], without waiting until it is durable.
    ///
    /// # Errors
    /// As [`Table::insert`].
    pub fn insert_now(&self, document: impl Into<Encoded>) -> Result<Pending<Document>> {
        let new = self.prepare(&*self.shape()?, document.into())?;
        let (row, commit) = self.write_new(std::slice::from_ref(&new))?;
        Ok(Pending::new(Document::new(row, new.encoded), commit))
    }

    /// As [`Table::insert_many`], without waiting until they are durable.
    ///
    /// # Errors
    /// As [`Table::insert`].
    pub fn insert_many_now(
        &self,
        documents: impl IntoIterator<Item = impl Into<Encoded>>,
    ) -> Result<Pending<Vec<Document>>> {
        let shape = self.shape()?;
        let (mut new, mut bytes) = (Vec::new(), 0);
        for document in documents {
            let document = self.prepare(&shape, document.into())?;
            bytes += document.encoded.bytes().len();
            check_batch(bytes)?;
            new.push(document);
        }
        if new.is_empty() {
            return Ok(Pending::new(Vec::new(), Commit::ready(Ok(()))));
        }
        let (Row(first), commit) = self.write_new(&new)?;
        let stored = (first..).zip(new).map(|(row, document)| Document::new(Row(row), document.encoded));
        Ok(Pending::new(stored.collect(), commit))
    }

    /// Writes new documents. The row of the first of them.
    fn write_new(&self, new: &[New]) -> Result<(Row, Commit)> {
        let mut writing = self.lock()?;
        let mut changes = Changes::new(self, self.shape()?);
        let Row(first) = writing.next;
        for (row, document) in (first..).zip(new) {
            changes.insert(Row(row), document)?;
        }
        let commit = changes.write()?;
        writing.next = Row(first + new.len() as u64);
        Ok((Row(first), commit))
    }

    /// A new document, as it will be stored.
    pub(super) fn prepare(&self, shape: &Shape, document: Encoded) -> Result<New> {
        check_depth(document.raw())?;
        let new_name = || Encoded::of(&Value::from(self.store.names.next()));
        let (encoded, is_named) = match &shape.record.schema {
            Some(schema) => {
                let row = schema.row(document.raw());
                let mut row = row.map_err(|errors| Error::Invalid(errors.to_value()))?;
                let is_named = is_named(row.as_raw())?;
                if !is_named {
                    row.add(PK, new_name().raw());
                }
                (row.finish(), is_named)
            }
            None => match is_named(document.raw())? {
                true => (document, true),
                false => (document.with(PK, new_name().raw()), false),
            },
        };
        check_len(&encoded)?;
        Ok(New { encoded, is_named })
    }
}

/// A document that is to be added.
pub(super) struct New {
    pub(super) encoded: Encoded,
    /// Whether it came with a name.
    is_named: bool,
}

/// Whether a document has a name, which is such as a name can be.
fn is_named(document: Raw<'_>) -> Result<bool> {
    match document.get(PK).map(Raw::kind) {
        _ if document.kind() != Kind::Object => Err(invalid("_schema", "Invalid input type.")),
        Some(Kind::Null | Kind::Array | Kind::Object) => {
            Err(invalid(PK, "It is a text, a number, or true or false."))
        }
        found => Ok(found.is_some()),
    }
}

/// A document's error of one member.
pub(super) fn invalid(member: &str, why: &str) -> Error {
    Error::Invalid(Value::object([(member, Value::Array(vec![Value::from(why)]))]))
}

fn check_depth(document: Raw<'_>) -> Result<()> {
    if document.is_too_deep() {
        return Err(Error::TooLarge(format!("values lie deeper than {MAX_DEPTH} in each other")));
    }
    Ok(())
}

/// Whether a document is as long as it may be.
pub(super) fn check_len(document: &Encoded) -> Result<()> {
    // The lengths that stand before a text take no more than the text.
    let len = document.raw().text_len().max(document.bytes().len() / 2);
    if len > MAX_BYTES {
        return Err(Error::TooLarge(format!(
            "the document has {len} bytes, at most {MAX_BYTES} are possible"
        )));
    }
    Ok(())
}

fn check_batch(bytes: usize) -> Result<()> {
    if bytes > MOST_BATCH {
        let why = format!("one write may have {} MiB: write in parts", MOST_BATCH >> 20);
        return Err(Error::TooLarge(why));
    }
    Ok(())
}

/// What one write changes, gathered under the lock of the table.
pub(super) struct Changes<'t> {
    table: &'t Table,
    shape: Arc<Shape>,
    batch: WriteBatch,
    /// Unique entries that go.
    released: BTreeSet<Vec<u8>>,
    /// Unique entries that come: with the place of their index, the row, and whether it has to be asked if they are free.
    claims: Vec<(Entry, usize, Row, Ask)>,
    /// Indexes that become multikey, by their place.
    multikey: BTreeSet<usize>,
}

/// Whether a name that was made a moment ago is asked for: it is like no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Yes,
    No,
}

impl<'t> Changes<'t> {
    pub(super) fn new(table: &'t Table, shape: Arc<Shape>) -> Changes<'t> {
        Changes {
            table,
            shape,
            batch: table.store.batch(),
            released: BTreeSet::new(),
            claims: Vec::new(),
            multikey: BTreeSet::new(),
        }
    }

    /// A document that is new.
    pub(super) fn insert(&mut self, row: Row, document: &New) -> Result<()> {
        let ask = if document.is_named { Ask::Yes } else { Ask::No };
        self.write_entries(row, None, Some(document.encoded.raw()), ask, |_| true)?;
        self.put(row, &document.encoded)
    }

    /// A document goes.
    pub(super) fn remove(&mut self, row: Row, old: Raw<'_>) -> Result<()> {
        self.write_entries(row, Some(old), None, Ask::Yes, |_| true)?;
        let store = &self.table.store;
        self.batch.within(store.keyspace).delete(keys::row(self.shape.record.id, row));
        check_batch(self.batch.byte_len())
    }

    /// A document is replaced by one in which only members may be others that `touches` tells.
    pub(super) fn replace(
        &mut self,
        row: Row,
        old: Raw<'_>,
        new: &Encoded,
        touches: impl Fn(&str) -> bool,
    ) -> Result<()> {
        self.write_entries(row, Some(old), Some(new.raw()), Ask::Yes, |index| index.looks_at(&touches))?;
        self.put(row, new)
    }

    fn put(&mut self, row: Row, document: &Encoded) -> Result<()> {
        let key = keys::row(self.shape.record.id, row);
        self.batch.within(self.table.store.keyspace).put(key, document.bytes());
        check_batch(self.batch.byte_len())
    }

    /// What changes in the indexes that are concerned.
    fn write_entries(
        &mut self,
        row: Row,
        old: Option<Raw<'_>>,
        new: Option<Raw<'_>>,
        pk: Ask,
        is_concerned: impl Fn(&Index) -> bool,
    ) -> Result<()> {
        let shape = Arc::clone(&self.shape);
        let keyspace = self.table.store.keyspace;
        for (at, index) in shape.indexes.iter().enumerate().filter(|(_, index)| is_concerned(index)) {
            let entries = |document| index.entries(shape.record.id, row, document).map_err(Error::Index);
            let before = old.map(entries).transpose()?.unwrap_or_default();
            let after = new.map(entries).transpose()?.unwrap_or_default();
            if after.multikey && !index.multikey {
                self.multikey.insert(at);
            }
            let stays = |entry: &Entry| after.list.iter().any(|other| other.key == entry.key);
            for entry in before.list.iter().filter(|entry| !stays(entry)) {
                self.take_away(row, index, entry)?;
            }
            for entry in after.list {
                match before.list.iter().find(|old| old.key == entry.key) {
                    Some(old) if *old == entry => {}
                    // As in `take_away`: somebody else has it, and the building will say so.
                    Some(_) if entry.claims && !index.ready && !self.is_of(row, index, &entry)? => {}
                    None if entry.claims => {
                        self.claims.push((entry, at, row, if at == 0 { pk } else { Ask::Yes }));
                    }
                    _ => self.batch.within(keyspace).put(entry.key, entry.value),
                }
            }
        }
        Ok(())
    }

    fn take_away(&mut self, row: Row, index: &Index, entry: &Entry) -> Result<()> {
        if entry.claims {
            // While an index is being built, another document may have the value already: then it keeps it.
            if !index.ready && !self.is_of(row, index, entry)? {
                return Ok(());
            }
            self.released.insert(entry.key.clone());
        }
        self.batch.within(self.table.store.keyspace).delete(&entry.key);
        Ok(())
    }

    fn is_of(&self, row: Row, index: &Index, entry: &Entry) -> Result<bool> {
        let found = self.table.store.find(&entry.key)?;
        Ok(found.is_some_and(|value| index.read(&entry.key, &value).is_some_and(|(of, _)| of == row)))
    }

    /// Writes all of it, if every value of a unique index is free (W1).
    pub(super) fn write(mut self) -> Result<Commit> {
        let store = &self.table.store;
        let mut claimed = BTreeSet::new();
        for (entry, at, row, ask) in std::mem::take(&mut self.claims) {
            // What is put wins over what is deleted, so it comes behind.
            self.batch.within(store.keyspace).put(&entry.key, &entry.value);
            let is_free =
                ask == Ask::No || self.released.contains(&entry.key) || store.find(&entry.key)?.is_none();
            if !(claimed.insert(entry.key) && is_free) {
                return Err(self.not_unique(at, row));
            }
        }
        if !self.multikey.is_empty() {
            self.note_multikey();
        }
        let written = store.engine.write(self.batch, None);
        if written.is_err() && !self.multikey.is_empty() {
            // Nothing was noted, so who writes next has to.
            self.table.state.shape.store(self.shape);
        }
        Ok(written?)
    }

    /// Somebody else has the value that the document of a row has in an index.
    fn not_unique(&self, at: usize, row: Row) -> Error {
        let key = keys::row(self.shape.record.id, row);
        let document = self.batch.iter().find(|(other, _)| **other == *key).and_then(|(_, value)| value);
        match (self.shape.indexes.get(at), document.and_then(Raw::of)) {
            (Some(index), Some(document)) => not_unique(index, document),
            _ => Error::Damaged("what is to be written".into()),
        }
    }

    /// The indexes tell less from now on, so that is known before it is written (table T2).
    fn note_multikey(&mut self) {
        let mut record = self.shape.record.clone();
        for at in &self.multikey {
            if let Some(index) = record.indexes.get_mut(*at) {
                index.multikey = true;
            }
        }
        self.table.note(&mut self.batch, &record);
        self.table.state.shape.store(Arc::new(Shape::new(record)));
    }
}

impl Table {
    /// Adds to a batch what is known of the table.
    pub(super) fn note(&self, batch: &mut WriteBatch, record: &crate::document::catalogue::Table) {
        let key = keys::of_table(&self.name.0, &self.name.1);
        batch.within(self.store.keyspace).put(key, record.encode());
    }

    /// The document of a row, as it is now.
    pub(super) fn document(&self, row: Row) -> Result<Option<Slice>> {
        self.store.find(&keys::row(self.id(), row))
    }
}

/// Somebody else has the value that a document has in a unique index.
pub(super) fn not_unique(index: &Index, document: Raw<'_>) -> Error {
    let value = |column: &Column| {
        let mut first = None;
        column.path.any(document, &mut |value| {
            first = value.to_value();
            true
        });
        first.unwrap_or(Value::Null)
    };
    let fields: Vec<String> = index.columns.iter().map(|column| column.path.to_string()).collect();
    let mut values: Vec<Value> = index.columns.iter().map(value).collect();
    let value = match values.len() {
        1 => values.pop().unwrap_or(Value::Null),
        _ => Value::Array(values),
    };
    Error::NotUnique { field: fields.join(","), value }
}
