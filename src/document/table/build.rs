//! Indexes of a table come and go while it is used.
//!
//! An index is noted first, as one that is being built: from then on writers keep its entries, for all documents alike, and readers do not
//! use it. Then the documents that were there get their entries, a chunk at a time under the lock of the table, and with each chunk it is
//! noted up to which row they have them. With the last one it is ready.
//!
//! (B1) After a crash at any point it goes on from the row that is noted: entries that are there already are put once more.
//! (B2) Two documents with one value of a unique index, whenever the second came, end the building: the index goes, and nothing else.

use super::write::not_unique;
use super::{Shape, Table};
use crate::WriteBatch;
use crate::document::catalogue::{self, Definition, MOST_INDEXES};
use crate::document::error::{Error, Result};
use crate::document::filter::Refused;
use crate::document::ground::raw;
use crate::document::index::Index;
use crate::document::keys::{self, IndexId, Row};
use crate::document::value::Value;
use crate::store::{Commit, Scan, behind_prefix};
use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included};
use std::sync::Arc;

/// So many documents get their entries while writers wait.
const CHUNK: usize = 500;
/// Or so many bytes of them.
const CHUNK_BYTES: usize = 1 << 20;

/// How far the building of an index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many documents have got their entries, since it began or went on.
    pub done: u64,
    /// Whether it is ready.
    pub ready: bool,
}

impl Table {
    /// Makes an index, waits until it is ready, and gives its name. If it is there already, or was being built when the program ended, that is all the
    /// same. Reads and writes go on meanwhile. `progress` is called every few hundred documents, under no lock.
    ///
    /// ```
    /// # use siltstone::{document::Documents, store::MemoryEngine};
    /// # use serde_json::json;
    /// # let documents = Documents::open(std::sync::Arc::new(MemoryEngine::new()))?;
    /// let users = documents.create_table("shop", "user", None)?;
    /// users.insert(json!({"name": "Ada", "age": 36}))?;
    /// users.create_index(json!({"columns": {"age": 1}}), |_| {})?;
    /// assert_eq!(users.explain(json!({"age": {"$gt": 30}}))?.index.as_deref(), Some("age_1"));
    /// # Ok::<(), siltstone::document::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Index`] when there cannot be such an index, or another one has its name; [`Error::NotUnique`].
    pub fn create_index(
        &self,
        definition: impl Into<Value>,
        mut progress: impl FnMut(Progress),
    ) -> Result<String> {
        let definition = Definition::parse(&definition.into()).map_err(Error::Index)?;
        let name = definition.name.clone();
        let Some(id) = self.begin(definition)? else { return Ok(name) };
        let mut done = 0;
        loop {
            match self.chunk(id) {
                Ok((count, commit)) => {
                    done += count;
                    progress(Progress { done, ready: commit.is_some() });
                    if let Some(commit) = commit {
                        commit.wait()?;
                        return Ok(name);
                    }
                }
                Err(error @ (Error::NotUnique { .. } | Error::Index(_))) => {
                    self.remove(id)?.wait()?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes on with the indexes that were being built when the program ended.
    ///
    /// # Errors
    /// As [`Table::create_index`]: the one that cannot be built is gone then.
    pub fn resume_indexes(&self) -> Result<()> {
        let shape = self.shape()?;
        let unfinished = shape.record.indexes.iter().filter(|record| record.built.is_some());
        unfinished
            .map(|record| &record.definition)
            .try_for_each(|one| self.create_index(one.to_value(), |_| {}).map(drop))
    }

    /// Removes an index. That of `pk`, and those of unique columns of the schema, stay.
    ///
    /// # Errors
    /// [`Error::Index`] for one that is not there, or stays.
    pub fn drop_index(&self, name: &str) -> Result<()> {
        let shape = self.shape()?;
        let refuse = |why: &str| Err(Error::Index(Refused { at: name.to_owned(), why: why.to_owned() }));
        let Some(record) = shape.record.indexes.iter().find(|record| record.definition.name == name) else {
            return refuse("there is no such index");
        };
        let schema = shape.record.schema.iter();
        if name == catalogue::PK
            || schema.flat_map(|schema| schema.unique_columns()).any(|column| column == name)
        {
            return refuse("the schema wants it");
        }
        Ok(self.remove(record.id)?.wait()?)
    }

    /// The indexes: what was asked for, and whether they are ready.
    ///
    /// # Errors
    /// [`Error::NoTable`].
    pub fn indexes(&self) -> Result<Vec<(Definition, bool)>> {
        let shape = self.shape()?;
        Ok(shape
            .record
            .indexes
            .iter()
            .map(|record| (record.definition.clone(), record.built.is_none()))
            .collect())
    }

    /// Notes an index; `None` when it is ready already.
    fn begin(&self, definition: Definition) -> Result<Option<IndexId>> {
        let _held = self.lock()?;
        let shape = self.shape()?;
        let refuse = |why: String| Err(Error::Index(Refused { at: definition.name.clone(), why }));
        let same = |record: &&catalogue::Record| record.definition.name == definition.name;
        match shape.record.indexes.iter().find(same) {
            Some(there) if there.definition == definition => return Ok(there.built.map(|_| there.id)),
            Some(_) => return refuse("there is another index of this name".into()),
            None if shape.record.indexes.len() >= MOST_INDEXES || shape.record.next_index == u16::MAX => {
                return refuse(format!("a table has at most {MOST_INDEXES} indexes"));
            }
            None => {}
        }
        let mut record = shape.record.clone();
        let id = IndexId(record.next_index);
        record.add(definition, Some(Row(0)));
        let mut batch = self.store.batch();
        self.note(&mut batch, &record);
        self.store.engine.write(batch, None)?.wait()?;
        self.state.shape.store(Arc::new(Shape::new(record)));
        Ok(Some(id))
    }

    /// Gives some more documents their entries: how many they were, and, if they were the last, when that is durable.
    fn chunk(&self, id: IndexId) -> Result<(u64, Option<Commit>)> {
        let _held = self.lock()?;
        let shape = self.shape()?;
        let mut record = shape.record.clone();
        let gone =
            || Error::Index(Refused { at: String::new(), why: "the index was dropped meanwhile".into() });
        let place = record.indexes.iter().position(|record| record.id == id).ok_or_else(gone)?;
        let (Some(noted), Some(index)) = (record.indexes.get_mut(place), shape.indexes.get(place)) else {
            return Err(gone());
        };
        let Some(Row(from)) = noted.built else { return Ok((0, Some(Commit::ready(Ok(()))))) };
        let mut batch = self.store.batch();
        let entries = self.entries_from(Row(from), index, &mut batch)?;
        noted.multikey |= entries.multikey;
        noted.built = entries.next;
        self.note(&mut batch, &record);
        let commit = self.store.engine.write(batch, None)?;
        self.state.shape.store(Arc::new(Shape::new(record)));
        Ok((entries.count, entries.next.is_none().then_some(commit)))
    }

    /// Adds to a batch the entries of the documents from a row on, as many as fit a chunk.
    fn entries_from(&self, from: Row, index: &Index, batch: &mut WriteBatch) -> Result<Chunk> {
        let table = self.id();
        let begin = keys::row(table, from);
        let behind = behind_prefix(&keys::rows(table)).unwrap_or_default();
        let view = self.store.engine.view()?;
        let all = Scan::between(Included(&begin[..]), Excluded(&behind[..]));
        let mut chunk = Chunk::default();
        let (mut claimed, mut bytes) = (BTreeSet::new(), 0);
        for found in view.range(self.store.keyspace, all)? {
            let (key, document) = found?;
            let row =
                keys::row_of_document(&key).ok_or_else(|| Error::Damaged("the key of a document".into()))?;
            if chunk.count as usize >= CHUNK || bytes >= CHUNK_BYTES {
                chunk.next = Some(row);
                break;
            }
            let of = raw(&document, row)?;
            let entries = index.entries(table, row, of).map_err(Error::Index)?;
            chunk.multikey |= entries.multikey;
            for entry in entries.list {
                if entry.claims
                    && !(claimed.insert(entry.key.clone()) && self.is_free(row, index, &entry.key)?)
                {
                    return Err(not_unique(index, of));
                }
                batch.within(self.store.keyspace).put(&entry.key, &entry.value);
            }
            chunk.count += 1;
            bytes += document.len();
        }
        Ok(chunk)
    }

    /// Whether nobody else has a unique entry.
    fn is_free(&self, row: Row, index: &Index, key: &[u8]) -> Result<bool> {
        let found = self.store.find(key)?;
        Ok(found.is_none_or(|value| index.read(key, &value).is_some_and(|(of, _)| of == row)))
    }

    /// Takes an index away. Nobody uses it from before its entries go (table T2).
    fn remove(&self, id: IndexId) -> Result<Commit> {
        let _held = self.lock()?;
        let before = self.shape()?;
        let mut record = before.record.clone();
        record.indexes.retain(|record| record.id != id);
        let mut batch = self.store.batch();
        self.note(&mut batch, &record);
        self.store.delete_all(&mut batch, &keys::index(record.id, id));
        self.state.shape.store(Arc::new(Shape::new(record)));
        match self.store.engine.write(batch, None) {
            Ok(commit) => Ok(commit),
            Err(error) => {
                self.state.shape.store(before);
                Err(error.into())
            }
        }
    }
}

/// Some documents that got their entries.
#[derive(Debug, Default)]
struct Chunk {
    count: u64,
    /// Where it goes on, if it does.
    next: Option<Row>,
    multikey: bool,
}
