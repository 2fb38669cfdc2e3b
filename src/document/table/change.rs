//! Documents of a table that change, or go: all that are asked for, or none.
//!
//! (G1) Which documents are asked for is found out without the lock; under it each is read again, and asked again. So a long
//!      search holds nobody up, nothing is changed that is not asked for at that moment, and no change is lost.

use super::write::{Changes, Pending, Updated, Upsert, check_len, invalid};
use super::{Shape, Table};
use crate::document::catalogue::PK;
use crate::document::error::{Error, Result};
use crate::document::ground::{only_row, raw};
use crate::document::keys::Row;
use crate::document::plan::{Plan, plan};
use crate::document::query::{Asked, Query};
use crate::document::raw::{Encoded, Raw};
use crate::document::select::Selection;
use crate::document::sort::Sort;
use crate::document::update::Update;
use crate::document::value::{Kind, Value};
use crate::store::Commit;
use std::sync::Arc;

impl Table {
    /// Changes all documents that a query asks for. `change` is an object whose members replace those of the documents, or
    /// operators ([`Update`]).
    ///
    /// # Errors
    /// [`Error::Query`], [`Error::Update`], [`Error::PkUpdate`]; what [`Table::insert`] gives. Nothing is changed then.
    pub fn update(&self, query: impl Into<Query>, change: impl Into<Value>) -> Result<Updated> {
        self.update_now(query.into(), &change.into(), Upsert::No)?.wait()
    }

    /// The same, and inserts a document if none is asked for.
    ///
    /// # Errors
    /// As [`Table::update`].
    pub fn upsert(&self, query: impl Into<Query>, change: impl Into<Value>) -> Result<Updated> {
        self.update_now(query.into(), &change.into(), Upsert::Yes)?.wait()
    }

    /// Puts a document in the place of the first that a query asks for; its name and its place in the order stay. Whether there was
    /// one.
    ///
    /// # Errors
    /// As [`Table::insert`]; [`Error::PkUpdate`] when the document has another name.
    pub fn replace(&self, query: impl Into<Query>, document: impl Into<Encoded>) -> Result<bool> {
        let (query, document) = (query.into().limit(1), document.into());
        let replaced = self.rewrite(&query, |_| true, |shape, old| self.replaced(shape, old, document.raw()));
        Ok(replaced?.wait()?.matched > 0)
    }

    /// Removes all documents that a query asks for, and tells how many they were.
    ///
    /// # Errors
    /// [`Error::Query`].
    pub fn delete(&self, query: impl Into<Query>) -> Result<u64> {
        self.delete_now(query.into())?.wait()
    }

    /// As [`Table::delete`], without waiting until it is durable.
    ///
    /// # Errors
    /// As [`Table::delete`].
    pub fn delete_now(&self, query: Query) -> Result<Pending<u64>> {
        let (asked, rows) = self.rows(&query)?;
        let _held = self.lock()?;
        let mut changes = Changes::new(self, self.shape()?);
        let mut count = 0;
        for row in rows {
            let Some(document) = self.document(row)? else { continue };
            let old = raw(&document, row)?;
            if asked.filter.matches(old) {
                changes.remove(row, old)?;
                count += 1;
            }
        }
        Ok(Pending::new(count, written(changes, count)?))
    }

    /// As [`Table::update`], without waiting until it is durable.
    ///
    /// # Errors
    /// As [`Table::update`].
    pub fn update_now(&self, query: Query, change: &Value, upsert: Upsert) -> Result<Pending<Updated>> {
        let shape = self.shape()?;
        let update = Update::parse_with(change, &|path| shape.collation(path)).map_err(Error::Update)?;
        if update.touches(PK) {
            let (database, table) = self.name.clone();
            return Err(Error::PkUpdate { table, database });
        }
        loop {
            let touches = |name: &str| update.touches(name);
            let pending = self.rewrite(&query, touches, |shape, old| {
                update.applied_to(old, shape.record.schema.as_ref())
            })?;
            if !pending.is_idle() || upsert == Upsert::No {
                return Ok(pending);
            }
            // Somebody else may have been faster, and then there is one to be changed.
            if let Some(inserted) = self.insert_instead(&query, &update)? {
                return Ok(inserted);
            }
        }
    }

    /// Writes what `change` makes of each document that a query asks for; only members that it `touches` are others then.
    fn rewrite(
        &self,
        query: &Query,
        touches: impl Fn(&str) -> bool,
        change: impl Fn(&Shape, Raw<'_>) -> Result<Encoded>,
    ) -> Result<Pending<Updated>> {
        let (asked, rows) = self.rows(query)?;
        let _held = self.lock()?;
        let shape = self.shape()?;
        let mut changes = Changes::new(self, Arc::clone(&shape));
        let mut updated = Updated::default();
        for row in rows {
            let Some(document) = self.document(row)? else { continue };
            let old = raw(&document, row)?;
            if !asked.filter.matches(old) {
                continue;
            }
            updated.matched += 1;
            let new = change(&shape, old)?;
            check_len(&new)?;
            if new.bytes() != &document[..] {
                changes.replace(row, old, &new, &touches)?;
                updated.modified += 1;
            }
        }
        Ok(Pending::new(updated, written(changes, updated.modified)?))
    }

    /// Inserts what a query says that members are equal to, changed; unless there is such a document by now.
    fn insert_instead(&self, query: &Query, update: &Update) -> Result<Option<Pending<Updated>>> {
        let mut writing = self.lock()?;
        if self.find_one(query.clone())?.is_some() {
            return Ok(None);
        }
        let shape = self.shape()?;
        let mut document = equalities(&query.filter)?;
        update.apply(&mut document).map_err(Error::Update)?;
        let document = self.prepare(&shape, document.into())?;
        let mut changes = Changes::new(self, shape);
        let row = writing.next;
        changes.insert(row, &document)?;
        let commit = changes.write()?;
        writing.next = Row(row.0 + 1);
        Ok(Some(Pending::new(Updated { matched: 0, modified: 0, inserted: true }, commit)))
    }

    /// The rows of the documents that a query asks for at this moment, and perhaps of others, which are asked again (G1).
    fn rows(&self, query: &Query) -> Result<(Asked, Vec<Row>)> {
        let (shape, asked, ground) = loop {
            let shape = self.shape()?;
            let asked = self.asked(&shape, query)?;
            if let Some(row) = self.row_of_key(&shape, &asked)? {
                return Ok((asked, row.into_iter().collect()));
            }
            if let Some(ground) = self.ground(&shape)? {
                break (shape, asked, ground);
            }
        };
        if let Some(rows) = Selection::candidates(&ground, &shape.indexes, &asked)? {
            return Ok((asked, rows));
        }
        let skip = usize::try_from(asked.skip).unwrap_or(usize::MAX);
        let limit = asked.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let mut selection = Selection::start(ground, &shape.indexes, asked)?;
        let all = std::iter::from_fn(|| selection.advance().transpose());
        let rows = all.skip(skip).take(limit).map(|found| Ok(found?.0)).collect::<Result<_>>()?;
        Ok((selection.asked, rows))
    }

    /// The row of the key that a query asks for, if there is one (ground G1); `None` when that is no such query.
    fn row_of_key(&self, shape: &Arc<Shape>, asked: &Asked) -> Result<Option<Option<Row>>> {
        if asked.skip > 0 || asked.limit == Some(0) || asked.after.is_some() {
            return Ok(None);
        }
        let Plan::Index(plan) = plan(&asked.filter, &Sort::default(), &shape.indexes) else {
            return Ok(None);
        };
        let Some(index) = shape.indexes.get(plan.at).filter(|_| plan.is_key) else { return Ok(None) };
        let store = &self.store;
        let row = only_row(&*store.engine, store.keyspace, (shape.record.id, index), &plan)?;
        Ok(self.is_still(shape).then_some(row))
    }

    /// The document that takes the place of another.
    fn replaced(&self, shape: &Shape, old: Raw<'_>, new: Raw<'_>) -> Result<Encoded> {
        if new.kind() != Kind::Object {
            return Err(invalid("_schema", "Invalid input type."));
        }
        let pk = old.get(PK).unwrap_or(Raw::NULL);
        let new = match new.get(PK) {
            Some(other) if !other.is_same(pk) => {
                let (database, table) = self.name.clone();
                return Err(Error::PkUpdate { table, database });
            }
            Some(_) => new.to_encoded(),
            None => new.to_encoded().with(PK, pk),
        };
        Ok(self.prepare(shape, new)?.encoded)
    }
}

/// Writes what was gathered, if that is anything.
fn written(changes: Changes<'_>, count: u64) -> Result<Commit> {
    if count == 0 { Ok(Commit::ready(Ok(()))) } else { changes.write() }
}

/// The document of which a query says what its members are.
fn equalities(filter: &Value) -> Result<Value> {
    let mut document = Value::Object(Vec::new());
    let Value::Object(members) = filter else { return Ok(document) };
    let equal = members.iter().filter(|(name, _)| !name.starts_with('$')).filter_map(|(path, condition)| {
        let value = match condition {
            Value::Object(_) => condition.get("$eq")?,
            value => value,
        };
        Some((path.clone(), value.clone()))
    });
    let members: Vec<(String, Value)> = equal.collect();
    let set = Value::object([("$set", Value::Object(members))]);
    Update::parse(&set).and_then(|update| update.apply(&mut document)).map_err(Error::Update)?;
    Ok(document)
}
