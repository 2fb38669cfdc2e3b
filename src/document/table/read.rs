//! Documents out of a table.

use super::{Shape, Table};
use crate::Slice;
use crate::document::cover::Cover;
use crate::document::error::{Error, Result};
use crate::document::ground::{Reads, only_document, raw};
use crate::document::keys::{Row, TableId};
use crate::document::plan::{Plan, plan};
use crate::document::projection::Projection;
use crate::document::query::{Asked, Query, page};
use crate::document::raw::{Encoded, Raw};
use crate::document::select::{Selection, Shown};
use crate::document::value::Value;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::sync::Arc;

/// The documents that a query asks for, as they were when it was asked.
pub struct Cursor {
    query: Query,
    table: TableId,
    selection: Selection,
    skip: u64,
    left: u64,
    last: Option<(Row, Shown)>,
    failed: bool,
}

/// A document as it is stored: its members are looked for when they are asked for, and no tree is made of it.
#[derive(Debug, Clone)]
pub struct Document {
    row: Row,
    bytes: Slice,
}

impl Document {
    pub(super) fn new(row: Row, document: Encoded) -> Document {
        Document { row, bytes: Slice::own(document.into_bytes()) }
    }

    /// Its bytes, to be read.
    #[must_use]
    pub fn raw(&self) -> Raw<'_> {
        Raw::of(&self.bytes).unwrap_or(Raw::NULL)
    }

    /// As a tree.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn to_value(&self) -> Result<Value> {
        self.raw().to_value().ok_or_else(|| self.damaged())
    }

    /// It as JSON, as it is stored: without white space, in UTF-8. It is not looked through.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn json(&self) -> Result<&str> {
        self.raw().json().ok_or_else(|| self.damaged())
    }

    /// Appends it as JSON in ASCII.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn write_json(&self, out: &mut String) -> Result<()> {
        self.raw().write_json(out).ok_or_else(|| self.damaged())
    }

    fn damaged(&self) -> Error {
        Error::Damaged(format!("the document {}", self.row.0))
    }
}

/// The documents that a query asks for, as a type of one's own.
pub struct Typed<T>(Cursor, String, PhantomData<T>);

/// Some documents, and how to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The documents.
    pub documents: Vec<Value>,
    /// What [`Query::after`] takes for those that follow; `None` when there are none.
    pub next: Option<String>,
}

/// How a query was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The name of the index, or `None` for a scan of all documents.
    pub index: Option<String>,
    /// How many of its columns bound what is read.
    pub bounded_columns: usize,
    /// Whether documents came in the order that was wanted, without being sorted.
    pub in_order: bool,
    /// Whether all that is shown stands in the entries of the index, and documents are read only where those do not say how it was
    /// written.
    pub covered: bool,
    /// How many entries of indexes were read.
    pub keys_read: u64,
    /// How many documents were read.
    pub documents_read: u64,
    /// How many documents were asked for.
    pub returned: u64,
    /// How long it took, in microseconds.
    pub micros: u64,
}

impl Explanation {
    /// As an object.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let index = self.index.as_deref();
        Value::object([
            ("plan", Value::from(if index.is_some() { "index" } else { "scan" })),
            ("index", index.map_or(Value::Null, Value::from)),
            ("bounded_columns", Value::from(self.bounded_columns as u64)),
            ("in_order", Value::from(self.in_order)),
            ("covered", Value::from(self.covered)),
            ("keys_read", Value::from(self.keys_read)),
            ("documents_read", Value::from(self.documents_read)),
            ("returned", Value::from(self.returned)),
            ("micros", Value::from(self.micros)),
        ])
    }
}

impl Table {
    /// The documents that a query asks for, in the order they were inserted in if it does not say another. They are read as they are
    /// taken, a few at a time; later writes do not change them.
    ///
    /// # Errors
    /// [`Error::Query`]; a sort that takes too much.
    pub fn find(&self, query: impl Into<Query>) -> Result<Cursor> {
        let query = query.into();
        let (skip, left) = (query.skip, query.limit.unwrap_or(u64::MAX));
        let selection = self.select(&query)?;
        Ok(Cursor { query, table: self.id(), selection, skip, left, last: None, failed: false })
    }

    fn select(&self, query: &Query) -> Result<Selection> {
        loop {
            let shape = self.shape()?;
            let asked = self.asked(&shape, query)?;
            let plan = plan(&asked.filter, &asked.sort, &shape.indexes);
            let shown = asked.projection.as_ref().and_then(Projection::paths);
            let cover = Cover::of(&plan, &shape.indexes, shown, &asked.sort, shape.record.schema.as_ref());
            if cover.is_none()
                && let Some(found) = self.find_by_key(&shape, &asked, &plan)?
            {
                return Ok(Selection::known(found, &shape.indexes, asked, plan));
            }
            if let Some(ground) = self.ground(&shape)? {
                return Selection::carry_out(ground, &shape.indexes, asked, plan, cover);
            }
        }
    }

    /// The document that a query for a key asks for, if there is one (ground G1); `None` when that is no such query, or more has to be
    /// looked at.
    fn find_by_key(
        &self,
        shape: &Arc<Shape>,
        asked: &Asked,
        plan: &Plan,
    ) -> Result<Option<Option<(Row, Slice)>>> {
        let Plan::Index(plan) = plan else { return Ok(None) };
        let Some(index) = shape.indexes.get(plan.at).filter(|_| plan.is_key && asked.after.is_none()) else {
            return Ok(None);
        };
        let (store, place) = (&self.store, (shape.record.id, index));
        let found = only_document(&*store.engine, store.keyspace, place, &asked.filter, plan)?;
        Ok(found.filter(|_| self.is_still(shape)))
    }

    /// The first of them, if there is one.
    ///
    /// # Errors
    /// As [`Table::find`].
    pub fn find_one(&self, query: impl Into<Query>) -> Result<Option<Value>> {
        self.find(query.into().limit(1))?.next().transpose()
    }

    /// The documents as a type of one's own.
    ///
    /// # Errors
    /// As [`Table::find`]. A document that is not of the type is an item of the iterator, [`Error::Invalid`].
    pub fn find_as<T: DeserializeOwned>(&self, query: impl Into<Query>) -> Result<Typed<T>> {
        Ok(Typed(self.find(query)?, String::new(), PhantomData))
    }

    /// So many documents as the query's limit says, and how to go on behind them.
    ///
    /// ```
    /// # use siltstone::{document::{Documents, Query}, store::MemoryEngine};
    /// # use serde_json::json;
    /// # let documents = Documents::open(std::sync::Arc::new(MemoryEngine::new()))?;
    /// let users = documents.create_table("shop", "user", None)?;
    /// users.insert_many((0..5).map(|n| json!({"n": n})))?;
    /// let query = Query::all().sort(json!({"n": -1})).limit(3);
    /// let page = users.page(query.clone())?;
    /// assert_eq!(page.documents.len(), 3);
    /// let rest = users.page(query.after(page.next.unwrap()))?;
    /// assert_eq!(rest.documents[0].get("n").unwrap().to_string(), "1");
    /// assert!(rest.next.is_none());
    /// # Ok::<(), siltstone::document::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Table::find`].
    pub fn page(&self, query: impl Into<Query>) -> Result<Page> {
        let mut cursor = self.find(query)?;
        let documents = cursor.by_ref().collect::<Result<_>>()?;
        Ok(Page { documents, next: cursor.next_page()? })
    }

    /// How many documents there are. Skip and limit count.
    ///
    /// # Errors
    /// As [`Table::find`].
    pub fn count(&self, query: impl Into<Query>) -> Result<u64> {
        let query = Query { sort: Value::Null, projection: Value::Null, ..query.into() };
        let (shape, ground) = self.stand()?;
        let asked = self.asked(&shape, &query)?;
        let (skip, limit) = (asked.skip, asked.limit.unwrap_or(u64::MAX));
        let count = match Selection::count(&ground, &shape.indexes, &asked)? {
            Some(count) => count,
            None => count_documents(Selection::start(ground, &shape.indexes, asked)?)?,
        };
        Ok(count.saturating_sub(skip).min(limit))
    }

    /// How a query is answered; it is carried out for that.
    ///
    /// # Errors
    /// As [`Table::find`].
    pub fn explain(&self, query: impl Into<Query>) -> Result<Explanation> {
        let begin = self.store.clock.monotonic();
        let mut cursor = self.find(query)?;
        let mut returned = 0;
        while cursor.advance_shown()?.is_some() {
            returned += 1;
        }
        let Reads { keys, documents } = cursor.selection.reads;
        let unsorted = cursor.selection.asked.sort.is_empty();
        let (bounded_columns, in_order) = match &cursor.selection.plan {
            Plan::Scan => (0, unsorted),
            Plan::Index(plan) => (plan.columns, plan.sorted || unsorted),
        };
        let index = cursor.selection.index().map(|index| index.name.clone());
        let taken = self.store.clock.monotonic().saturating_sub(begin);
        let micros = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        Ok(Explanation {
            index,
            bounded_columns,
            in_order,
            covered: cursor.selection.cover.is_some(),
            keys_read: keys,
            documents_read: documents,
            returned,
            micros,
        })
    }
}

fn count_documents(mut selection: Selection) -> Result<u64> {
    let mut count = 0;
    while selection.advance()?.is_some() {
        count += 1;
    }
    Ok(count)
}

impl Cursor {
    /// The next that `step` finds, behind those that are passed over.
    fn advance_by<T>(&mut self, step: impl Fn(&mut Selection) -> Result<Option<T>>) -> Result<Option<T>> {
        while self.left > 0 {
            let Some(found) = step(&mut self.selection)? else { return Ok(None) };
            if self.skip == 0 {
                self.left -= 1;
                return Ok(Some(found));
            }
            self.skip -= 1;
        }
        Ok(None)
    }

    pub(super) fn advance(&mut self) -> Result<Option<(Row, Slice)>> {
        self.advance_by(Selection::advance)
    }

    fn advance_shown(&mut self) -> Result<Option<(Row, Shown)>> {
        self.advance_by(Selection::advance_shown)
    }

    fn show(&self, row: Row, shown: &Shown) -> Result<Value> {
        let value = match shown {
            Shown::Document(document) => raw(document, row)?
                .to_value()
                .ok_or_else(|| Error::Damaged(format!("the document {}", row.0)))?,
            Shown::Members(members) => members.clone(),
        };
        Ok(match &self.selection.asked.projection {
            Some(projection) => projection.apply(value),
            None => value,
        })
    }

    /// The next document whole, whatever the query shows of it, as it is stored: the way to look at much of which little is needed.
    ///
    /// ```
    /// # use siltstone::{document::Documents, store::MemoryEngine};
    /// # use serde_json::json;
    /// # let documents = Documents::open(std::sync::Arc::new(MemoryEngine::new()))?;
    /// let users = documents.create_table("shop", "user", None)?;
    /// users.insert(json!({"name": "Ada", "age": 36}))?;
    /// let mut found = users.find(json!({"age": 36}))?;
    /// let ada = found.next_document()?.unwrap();
    /// assert_eq!(ada.raw().get("name").unwrap().text(), Some("Ada"));
    /// assert!(found.next_document()?.is_none());
    /// # Ok::<(), siltstone::document::Error>(())
    /// ```
    ///
    /// # Errors
    /// As the iterator.
    pub fn next_document(&mut self) -> Result<Option<Document>> {
        let Some((row, bytes)) = self.advance()? else { return Ok(None) };
        raw(&bytes, row)?;
        self.last = Some((row, Shown::Document(bytes.clone())));
        Ok(Some(Document { row, bytes }))
    }

    /// Appends the next document as JSON in ASCII, without making a tree of it if all of it is shown; false when there is none.
    ///
    /// # Errors
    /// As the iterator.
    pub fn next_json(&mut self, out: &mut String) -> Result<bool> {
        let Some((row, shown)) = self.advance_shown()? else { return Ok(false) };
        match (&shown, &self.selection.asked.projection) {
            (Shown::Document(document), None) => {
                let written = raw(document, row)?.write_json(out);
                written.ok_or_else(|| Error::Damaged(format!("the document {}", row.0)))?;
            }
            _ => out.push_str(&self.show(row, &shown)?.to_string()),
        }
        self.last = Some((row, shown));
        Ok(true)
    }

    /// What [`Query::after`] takes for the documents behind those that were taken; `None` when there are none. The cursor is at its end
    /// then.
    ///
    /// # Errors
    /// As [`Table::find`].
    pub fn next_page(&mut self) -> Result<Option<String>> {
        let Some((row, shown)) = self.last.take() else { return Ok(None) };
        if self.selection.advance_shown()?.is_none() {
            return Ok(None);
        }
        self.left = 0;
        let sort = &self.selection.asked.sort;
        let key = match &shown {
            Shown::Document(document) => sort.key(raw(document, row)?, row),
            Shown::Members(members) => sort.key(Encoded::of(members).raw(), row),
        };
        Ok(Some(page(&self.query, self.table, &key)))
    }
}

impl Iterator for Cursor {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Result<Value>> {
        if self.failed {
            return None;
        }
        let next = self.advance_shown().and_then(|found| match found {
            Some((row, shown)) => {
                let value = self.show(row, &shown)?;
                self.last = Some((row, shown));
                Ok(Some(value))
            }
            None => Ok(None),
        });
        // What failed does not go on.
        self.failed = next.is_err();
        next.transpose()
    }
}

impl<T: DeserializeOwned> Iterator for Typed<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let no_type = |error: serde_json::Error| Error::Invalid(Value::from(error.to_string()));
        self.1.clear();
        match self.0.next_json(&mut self.1) {
            Ok(true) => Some(serde_json::from_str(&self.1).map_err(no_type)),
            Ok(false) => None,
            Err(error) => {
                self.0.left = 0;
                Some(Err(error))
            }
        }
    }
}
