//! Documents: values of JSON, exactly as they were written, the order they have, and which of them are asked for.
//!
//! ```
//! use siltstone::document::order;
//! use siltstone::document::raw::Encoded;
//! use siltstone::document::value::Value;
//!
//! let of = |text| Value::parse(text).map(|value| Encoded::of(&value));
//! let (a, b) = (of("9007199254740993")?, of("9007199254740992.0")?);
//! assert!(order::compare(a.raw(), b.raw()).is_gt());
//!
//! use siltstone::document::filter::Filter;
//! let query = Value::parse(r#"{"age": {"$gte": 24, "$lt": 35}, "tags": "new"}"#)?;
//! let row = of(r#"{"age": 30.0, "tags": ["new", "open"]}"#)?;
//! assert!(Filter::parse(&query)?.matches(row.raw()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A store of documents
//!
//! [`Documents`] stands on a [`StorageEngine`]. It has tables, by the name of a database and their own; a table has a schema or none, and
//! indexes, the first of which is that of `pk`, the name of each document.
//!
//! (D1) A document and all its entries in indexes are written in one batch, so at every moment, and after every crash, an index
//!      says what the documents say.
//! (D2) Only the last opening of an engine's documents may write: every batch requires that its number still stands there. So locks in
//!      memory are enough to keep values unique.
//! (D3) Whoever writes to a table holds its lock while it reads what it depends on and until its batch has its place in the order, not
//!      until that is durable. Who reads takes no lock: a view of the engine, and the indexes that were there before and after it was
//!      taken ([`table`] T2). The document of a key is found without a view (`ground` G1).
//!
//! Reading order: [`number`], [`value`], [`raw`], [`order`], [`path`], [`filter`], [`projection`], [`update`], [`schema`]; [`keys`], [`index`], [`catalogue`],
//! [`sort`], `plan`, `ground`, `ahead`, `cover`, `select`, [`table`].

mod ahead;
pub mod catalogue;
pub mod collation;
mod convert;
mod cover;
pub mod error;
mod escape;
pub mod filter;
mod ground;
pub mod index;
pub mod keys;
mod names;
pub mod number;
pub mod order;
pub mod path;
mod plan;
pub mod projection;
pub mod query;
pub mod raw;
pub mod schema;
mod select;
pub mod sort;
pub mod table;
mod tree;
pub mod update;
pub mod value;

pub use error::{Error, Result};
pub use query::Query;
pub use table::Table;

use crate::store::{Scan, StorageEngine, behind_prefix};
use crate::sync::plain::{Mutex, RwLock};
use crate::vfs::{Clock, std::StdClock};
use crate::{KeyspaceRef, WriteBatch};
use catalogue::Definition;
use keys::TableId;
use names::Names;
use schema::Schema;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use table::State;
use value::Value;

/// Databases of tables of documents, over one engine. A clone is the same.
#[derive(Clone)]
pub struct Documents(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    /// The tables, by database and name.
    tables: RwLock<BTreeMap<(String, String), Arc<State>>>,
    /// Held while tables come and go.
    making: Mutex<()>,
}

/// What all tables need.
struct Store {
    engine: Arc<dyn StorageEngine>,
    keyspace: KeyspaceRef,
    /// Of this opening (D2).
    number: [u8; 8],
    names: Names,
    clock: Arc<dyn Clock>,
}

impl Documents {
    /// Opens the documents of an engine, which may have been opened before: who has them still can read and no more write.
    ///
    /// # Errors
    /// The engine has no keyspaces, views, conditions or deletions of ranges; what kept it from answering.
    pub fn open(engine: Arc<dyn StorageEngine>) -> Result<Documents> {
        Documents::open_with(engine, Arc::new(StdClock::new()))
    }

    /// The same with a clock of one's own, from which random bits and the times that [`Table::explain`] tells are taken.
    ///
    /// # Errors
    /// As [`Documents::open`].
    pub fn open_with(engine: Arc<dyn StorageEngine>, clock: Arc<dyn Clock>) -> Result<Documents> {
        if !can_hold(&*engine) {
            return Err(crate::Error::invalid(
                "documents need an engine with keyspaces, views, ordered ranges, conditions and deletions of ranges",
            )
            .into());
        }
        let keyspace = engine.keyspace(keys::KEYSPACE)?;
        let last = engine.find(keyspace, keys::FENCE)?;
        let last = last.and_then(|found| Some(u64::from_be_bytes(*found.value.first_chunk()?)));
        let number = last.unwrap_or(0).wrapping_add(1).to_be_bytes();
        let mut batch = WriteBatch::new();
        batch.within(keyspace).put(keys::FENCE, number);
        engine.write(batch, None)?.wait()?;
        let names = Names::new(&*clock);
        let store = Arc::new(Store { engine, keyspace, number, names, clock });
        let tables = RwLock::new(store.tables()?);
        Ok(Documents(Arc::new(Inner { store, tables, making: Mutex::new(()) })))
    }

    /// Whether an engine has tables of documents already; nothing is opened for that.
    ///
    /// # Errors
    /// What kept the engine from answering.
    pub fn are_in(engine: &dyn StorageEngine) -> Result<bool> {
        if !can_hold(engine) {
            return Ok(false);
        }
        let behind = behind_prefix(keys::TABLES).unwrap_or_default();
        let first = Scan::between(Bound::Included(keys::TABLES), Bound::Excluded(&behind)).limited(1);
        let keyspace = engine.keyspace(keys::KEYSPACE)?;
        Ok(engine.view()?.range(keyspace, first)?.next().transpose()?.is_some())
    }

    /// A table.
    ///
    /// # Errors
    /// [`Error::NoTable`].
    pub fn table(&self, database: &str, table: &str) -> Result<Table> {
        let name = (database.to_owned(), table.to_owned());
        let state = self.0.tables.read().get(&name).cloned();
        let Some(state) = state else { return Err(Error::NoTable { table: name.1 }) };
        Ok(Table::new(Arc::clone(&self.0.store), state, name))
    }

    /// Makes a table. Its documents are as `schema` says, if there is one.
    ///
    /// # Errors
    /// [`Error::TableExists`]; [`Error::Schema`] also for a name that cannot be one.
    pub fn create_table(&self, database: &str, table: &str, schema: Option<&Value>) -> Result<Table> {
        for name in [database, table] {
            check_name(name).map_err(|why| Error::Schema(filter::Refused { at: name.to_owned(), why }))?;
        }
        let schema = schema.map(Schema::parse).transpose().map_err(Error::Schema)?;
        let _alone = self.0.making.lock();
        let name = (database.to_owned(), table.to_owned());
        if self.0.tables.read().contains_key(&name) {
            return Err(Error::TableExists { table: name.1 });
        }
        let store = &self.0.store;
        let next = store.find(keys::NEXT_TABLE)?;
        let id = next.and_then(|found| Some(u32::from_be_bytes(*found.first_chunk()?))).unwrap_or(1);
        let Some(next) = id.checked_add(1) else {
            return Err(Error::TooLarge("there were more tables than have numbers".into()));
        };
        let record = record(TableId(id), schema)?;
        let mut batch = store.batch();
        batch.within(store.keyspace).put(keys::NEXT_TABLE, next.to_be_bytes());
        batch.within(store.keyspace).put(keys::of_table(database, table), record.encode());
        store.engine.write(batch, None)?.wait()?;
        let state = Arc::new(State::new(record, keys::Row(0)));
        self.0.tables.write().insert(name.clone(), Arc::clone(&state));
        Ok(Table::new(Arc::clone(store), state, name))
    }

    /// Removes a table with all its documents.
    ///
    /// # Errors
    /// [`Error::NoTable`].
    pub fn drop_table(&self, database: &str, table: &str) -> Result<()> {
        let _alone = self.0.making.lock();
        let gone = self.table(database, table)?;
        let held = gone.lock()?;
        let store = &self.0.store;
        let all = keys::all_of(gone.id());
        let mut batch = store.batch();
        batch.within(store.keyspace).delete(keys::of_table(database, table));
        store.delete_all(&mut batch, &all);
        // Before it is written (table T2): whoever has the table finds that it is gone.
        gone.set_gone(true);
        let written = store.engine.write(batch, None);
        match &written {
            Ok(_) => _ = self.0.tables.write().remove(&(database.to_owned(), table.to_owned())),
            Err(_) => gone.set_gone(false),
        }
        drop(held);
        Ok(written?.wait()?)
    }

    /// The names of the tables of a database, in order.
    #[must_use]
    pub fn tables(&self, database: &str) -> Vec<String> {
        let tables = self.0.tables.read();
        tables.keys().filter(|(of, _)| of == database).map(|(_, table)| table.clone()).collect()
    }

    /// The names of the databases that have tables, in order.
    #[must_use]
    pub fn databases(&self) -> Vec<String> {
        let tables = self.0.tables.read();
        let mut names: Vec<String> = tables.keys().map(|(database, _)| database.clone()).collect();
        names.dedup();
        names
    }

    /// The engine below.
    #[must_use]
    pub fn engine(&self) -> &Arc<dyn StorageEngine> {
        &self.0.store.engine
    }
}

/// Whether an engine can do what documents need.
fn can_hold(engine: &dyn StorageEngine) -> bool {
    let can = engine.capabilities();
    let reads = can.keyspaces && can.views && can.ordered_ranges;
    reads && can.range_deletes && can.atomic_batches && can.conditional_batches
}

/// What is noted of a new table.
fn record(id: TableId, schema: Option<Schema>) -> Result<catalogue::Table> {
    let mut table = catalogue::Table { id, schema, next_index: 1, indexes: Vec::new() };
    let schema = table.schema.as_ref();
    let unique = schema.into_iter().flat_map(Schema::unique_columns).map(str::to_owned);
    let names: Vec<String> = std::iter::once(catalogue::PK.to_owned()).chain(unique).collect();
    for name in names {
        let definition = Definition::unique(&name).filter(|_| table.indexes.len() < catalogue::MOST_INDEXES);
        let Some(definition) = definition else {
            let why = format!("a table has at most {} indexes", catalogue::MOST_INDEXES);
            return Err(Error::Schema(filter::Refused { at: name, why }));
        };
        table.add(definition, None);
    }
    Ok(table)
}

impl Store {
    /// A batch that only this opening may write (D2).
    fn batch(&self) -> WriteBatch {
        let mut batch = WriteBatch::new();
        batch.within(self.keyspace).require_value(keys::FENCE, self.number);
        batch
    }

    fn find(&self, key: &[u8]) -> Result<Option<crate::Slice>> {
        Ok(self.engine.find(self.keyspace, key)?.map(|found| found.value))
    }

    /// Adds to a batch that all keys with a prefix go.
    fn delete_all(&self, batch: &mut WriteBatch, prefix: &[u8]) {
        let mut within = batch.within(self.keyspace);
        match behind_prefix(prefix) {
            Some(behind) => within.delete_range(prefix..&behind[..]),
            None => within.delete_range(prefix..),
        }
    }

    /// All tables that are noted.
    fn tables(&self) -> Result<BTreeMap<(String, String), Arc<State>>> {
        let view = self.engine.view()?;
        let behind = behind_prefix(keys::TABLES).unwrap_or_default();
        let all = Scan::between(Bound::Included(keys::TABLES), Bound::Excluded(&behind));
        let mut tables = BTreeMap::new();
        for entry in view.range(self.keyspace, all)? {
            let (key, value) = entry?;
            let damaged =
                || Error::Damaged(format!("what is noted of the table {:?}", String::from_utf8_lossy(&key)));
            let (database, table) = keys::table_names(&key).ok_or_else(damaged)?;
            let record = catalogue::Table::decode(&value).ok_or_else(damaged)?;
            let next = self.next_row(&*view, record.id)?;
            tables.insert((database.to_owned(), table.to_owned()), Arc::new(State::new(record, next)));
        }
        Ok(tables)
    }

    /// The row behind the last one of a table.
    fn next_row(&self, view: &dyn crate::store::View, table: TableId) -> Result<keys::Row> {
        let rows = keys::rows(table);
        let behind = behind_prefix(&rows).unwrap_or_default();
        let last = Scan::between(Bound::Included(&rows), Bound::Excluded(&behind)).reversed().limited(1);
        let last = view.range(self.keyspace, last)?.next().transpose()?;
        let Some((key, _)) = last else { return Ok(keys::Row(0)) };
        let row =
            keys::row_of_document(&key).ok_or_else(|| Error::Damaged("the key of a document".into()))?;
        Ok(keys::Row(row.0.saturating_add(1)))
    }
}

/// Says what is wrong with the name of a database or a table.
fn check_name(name: &str) -> Result<(), String> {
    crate::store::check_name(name).map_err(|error| error.to_string())
}
