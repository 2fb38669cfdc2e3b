//! Documents into a table: what a write puts into its batch, and the batch into the engine.
//!
//! (W1) Whether a value of a unique index is free is judged by what is there when the batch is made, under the lock of the table, less
//!      what the batch takes away, plus what it puts before: so the documents of one batch meet each other as well.

use super::{Shape, Table, pk_of, row_key};
use crate::document::catalogue::PK;
use crate::document::error::{Error, Result};
use crate::document::index::{Column, Entry, Index};
use crate::document::keys::{self, Row};
use crate::document::query::{DEPTH, is_deeper};
use crate::document::raw::{Encoded, Raw};
use crate::document::value::{MAX_BYTES, Malformed, Value};
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
    /// Adds a document, and gives it back as it was stored: as the schema has it, with its name, `pk`.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::NotUnique`]; an index that cannot hold it; [`Error::TooLarge`].
    pub fn insert(&self, document: impl Into<Value>) -> Result<Value> {
        self.insert_now(document.into())?.wait()
    }

    /// Adds what serde makes a document of.
    ///
    /// # Errors
    /// As [`Table::insert`].
    pub fn insert_as<T: Serialize>(&self, document: &T) -> Result<Value> {
        let no_document = |malformed: Malformed| Error::Invalid(Value::from(malformed.to_string()));
        self.insert(Value::of(document).map_err(no_document)?)
    }

    /// Adds documents, all or none, in one write.
    ///
    /// # Errors
    /// As [`Table::insert`]; of the first document that cannot be added.
    pub fn insert_many(&self, documents: impl IntoIterator<Item = Value>) -> Result<Vec<Value>> {
        self.insert_many_now(documents)?.wait()
    }

    /// As [`Table::insert`], without waiting until it is durable.
    ///
    /// # Errors
    /// As [`Table::insert`].
    pub fn insert_now(&self, document: Value) -> Result<Pending<Value>> {
        let (mut stored, commit) = self.insert_many_now([document])?.into_parts();
        Ok(Pending::new(stored.pop().unwrap_or(Value::Null), commit))
    }

    /// As [`Table::insert_many`], without waiting until they are durable.
    ///
    /// # Errors
    /// As [`Table::insert`].
    pub fn insert_many_now(&self, documents: impl IntoIterator<Item = Value>) -> Result<Pending<Vec<Value>>> {
        let shape = self.shape()?;
        let (mut stored, mut encoded, mut bytes) = (Vec::new(), Vec::new(), 0);
        for document in documents {
            let document = self.prepare(&shape, document)?;
            let of = encode(&document)?;
            bytes += of.bytes().len();
            check_batch(bytes)?;
            stored.push(document);
            encoded.push(of);
        }
        if stored.is_empty() {
            return Ok(Pending::new(stored, Commit::ready(Ok(()))));
        }
        let mut writing = self.lock()?;
        let mut changes = Changes::new(self, self.shape()?);
        let Row(first) = writing.next;
        for (row, document) in (first..).zip(&encoded) {
            changes.put(Row(row), document)?;
        }
        let commit = changes.write()?;
        writing.next = Row(first + encoded.len() as u64);
        Ok(Pending::new(stored, commit))
    }

    /// A new document, as it will be stored.
    pub(super) fn prepare(&self, shape: &Shape, document: Value) -> Result<Value> {
        check_depth(&document)?;
        let document = match &shape.record.schema {
            Some(schema) => schema.insertion(document).map_err(|errors| Error::Invalid(errors.to_value()))?,
            None => document,
        };
        let pk = pk_of(&document).map(|pk| matches!(pk, Value::Null | Value::Array(_) | Value::Object(_)));
        match (document, pk) {
            (_, Some(true)) => Err(invalid(PK, "It is a text, a number, or true or false.")),
            (document, Some(false)) => Ok(document),
            (Value::Object(mut members), None) => {
                members.push((PK.to_owned(), Value::from(self.store.names.next())));
                Ok(Value::Object(members))
            }
            _ => Err(invalid("_schema", "Invalid input type.")),
        }
    }
}

/// A document's error of one member.
pub(super) fn invalid(member: &str, why: &str) -> Error {
    Error::Invalid(Value::object([(member, Value::Array(vec![Value::from(why)]))]))
}

fn check_depth(document: &Value) -> Result<()> {
    if is_deeper(document, DEPTH) {
        return Err(Error::TooLarge(format!("values lie deeper than {DEPTH} in each other")));
    }
    Ok(())
}

/// The bytes of a document, if it is not too large.
pub(super) fn encode(document: &Value) -> Result<Encoded> {
    let encoded = Encoded::of(document);
    let len = encoded.bytes().len();
    if len > MAX_BYTES {
        return Err(Error::TooLarge(format!(
            "the document has {len} bytes, at most {MAX_BYTES} are possible"
        )));
    }
    Ok(encoded)
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
    deletes: Vec<Vec<u8>>,
    puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Unique entries that go.
    released: BTreeSet<Vec<u8>>,
    /// Unique entries that come, the row with each.
    claimed: BTreeSet<Vec<u8>>,
    /// Indexes that become multikey, by their place.
    multikey: BTreeSet<usize>,
    /// Claims to look at once all that is released is known.
    open: Vec<(Entry, usize, Encoded)>,
    bytes: usize,
}

impl<'t> Changes<'t> {
    pub(super) fn new(table: &'t Table, shape: Arc<Shape>) -> Changes<'t> {
        Changes {
            table,
            shape,
            deletes: Vec::new(),
            puts: Vec::new(),
            released: BTreeSet::new(),
            claimed: BTreeSet::new(),
            multikey: BTreeSet::new(),
            open: Vec::new(),
            bytes: 0,
        }
    }

    /// A document that is new.
    pub(super) fn put(&mut self, row: Row, document: &Encoded) -> Result<()> {
        self.change(row, None, Some(document))
    }

    /// A document comes, goes, or is replaced.
    pub(super) fn change(&mut self, row: Row, old: Option<Raw<'_>>, new: Option<&Encoded>) -> Result<()> {
        let shape = Arc::clone(&self.shape);
        for (at, index) in shape.indexes.iter().enumerate() {
            let entries = |document| index.entries(shape.record.id, row, document).map_err(Error::Index);
            let before = old.map(entries).transpose()?.unwrap_or_default();
            let after = new.map(|new| entries(new.raw())).transpose()?.unwrap_or_default();
            if after.multikey && !index.multikey {
                self.multikey.insert(at);
            }
            let stays = |entry: &Entry| after.list.iter().any(|other| other.key == entry.key);
            for entry in before.list.iter().filter(|entry| !stays(entry)) {
                self.take_away(row, index, entry)?;
            }
            for entry in after.list.into_iter().filter(|entry| !before.list.contains(entry)) {
                self.bytes += entry.key.len() + entry.value.len();
                let is_new = !before.list.iter().any(|old| old.key == entry.key);
                match new.filter(|_| entry.claims && is_new) {
                    Some(document) => self.open.push((entry, at, document.clone())),
                    None => self.puts.push((entry.key, entry.value)),
                }
            }
        }
        let key = row_key(shape.record.id, row).to_vec();
        match new {
            Some(new) => {
                self.bytes += key.len() + new.bytes().len();
                self.puts.push((key, new.bytes().to_vec()));
            }
            None => self.deletes.push(key),
        }
        check_batch(self.bytes)
    }

    fn take_away(&mut self, row: Row, index: &Index, entry: &Entry) -> Result<()> {
        if entry.claims {
            // While an index is being built, another document may have the value already: then it keeps it.
            if !index.ready && !self.is_of(row, index, entry)? {
                return Ok(());
            }
            self.released.insert(entry.key.clone());
        }
        self.bytes += entry.key.len();
        self.deletes.push(entry.key.clone());
        Ok(())
    }

    fn is_of(&self, row: Row, index: &Index, entry: &Entry) -> Result<bool> {
        let found = self.table.store.find(&entry.key)?;
        Ok(found.is_some_and(|value| index.read(&entry.key, &value).is_some_and(|(of, _)| of == row)))
    }

    /// Writes all of it, if every value of a unique index is free (W1).
    pub(super) fn write(mut self) -> Result<Commit> {
        for (entry, at, document) in std::mem::take(&mut self.open) {
            let taken = !self.claimed.insert(entry.key.clone())
                || (!self.released.contains(&entry.key) && self.table.store.find(&entry.key)?.is_some());
            if taken {
                return Err(match self.shape.indexes.get(at) {
                    Some(index) => not_unique(index, document.raw()),
                    None => Error::Superseded,
                });
            }
            self.puts.push((entry.key, entry.value));
        }
        let store = &self.table.store;
        let mut batch = store.batch();
        if !self.multikey.is_empty() {
            self.note_multikey(&mut batch);
        }
        let mut within = batch.within(store.keyspace);
        // What is put wins over what is deleted, so it comes behind.
        self.deletes.iter().for_each(|key| within.delete(key));
        self.puts.iter().for_each(|(key, value)| within.put(key, value));
        Ok(store.engine.write(batch, None)?)
    }

    /// The indexes tell less from now on, so that is known before it is written (table T2).
    fn note_multikey(&self, batch: &mut WriteBatch) {
        let mut record = self.shape.record.clone();
        for at in &self.multikey {
            if let Some(index) = record.indexes.get_mut(*at) {
                index.multikey = true;
            }
        }
        self.table.note(batch, &record);
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
        self.store.find(&row_key(self.id(), row))
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
