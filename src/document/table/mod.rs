//! A table: documents, and the indexes over them.
//!
//! (T1) Rows are given out under the lock of the table, in the order in which the documents are written. So the order of rows is
//!      that of insertion, for everyone who looks.
//! (T2) What is known of a table, its shape, is replaced as a whole. Whoever reads takes the shape, then a view of the engine, and looks
//!      whether the shape is still the same; if not, it begins anew. A change after which an index tells less, because it goes, or
//!      has become multikey, replaces the shape before it is written; one after which it tells more, after that. So an index that a
//!      shape has is complete in the view.
//! (T3) A write is one batch, with its documents and all entries of theirs that change, or nothing.
//!
//! Reading order: this page, `read`, `distinct`, `write`, `change`, `build`, `verify`.

mod build;
mod change;
mod distinct;
mod read;
mod verify;
mod write;

pub use build::Progress;
pub use read::{Cursor, Document, Explanation, Page, Typed};
pub use verify::Verified;
pub use write::{Pending, Updated, Upsert};

use super::Store;
use super::catalogue::{self, collation};
use super::collation::Collation;
use super::error::{Error, Result};
use super::ground::Ground;
use super::index::Index;
use super::keys::{Row, TableId};
use super::path::Path;
use super::query::{Asked, Query};
use super::schema::Schema;
use super::value::Value;
use crate::sync::ArcSwap;
use crate::sync::plain::{Mutex, MutexGuard};
use std::sync::Arc;
use std::time::Duration;

/// Nobody keeps the lock of a table for so long, unless the engine below has stalled: then its own deadline comes first.
const PATIENCE: Duration = Duration::from_secs(60);

/// A table. A clone is the same.
#[derive(Clone)]
pub struct Table {
    store: Arc<Store>,
    state: Arc<State>,
    /// The database, and its own name.
    name: (String, String),
}

/// What all handles of a table share.
pub(super) struct State {
    shape: ArcSwap<Shape>,
    /// Held by who writes (T1).
    writing: Mutex<Writing>,
}

/// What is known of a table (T2).
pub(super) struct Shape {
    record: catalogue::Table,
    indexes: Arc<[Index]>,
    gone: bool,
}

/// What only who writes knows.
pub(super) struct Writing {
    next: Row,
}

impl State {
    pub(super) fn new(record: catalogue::Table, next: Row) -> State {
        State { shape: ArcSwap::from_pointee(Shape::new(record)), writing: Mutex::new(Writing { next }) }
    }
}

impl Shape {
    fn new(record: catalogue::Table) -> Shape {
        Shape { indexes: record.indexes().into(), record, gone: false }
    }

    fn collation(&self, path: &Path) -> Collation {
        collation(self.record.schema.as_ref(), path)
    }
}

impl Table {
    pub(super) fn new(store: Arc<Store>, state: Arc<State>, name: (String, String)) -> Table {
        Table { store, state, name }
    }

    /// The name of its database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.name.0
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name.1
    }

    /// Its schema, if it has one, with all that was left out filled in.
    #[must_use]
    pub fn schema(&self) -> Option<Value> {
        self.state.shape.load().record.schema.as_ref().map(Schema::to_value)
    }

    pub(super) fn id(&self) -> TableId {
        self.state.shape.load().record.id
    }

    /// From now on there is no such table for those who still have it, or there is again.
    pub(super) fn set_gone(&self, gone: bool) {
        let shape = self.state.shape.load_full();
        self.state.shape.store(Arc::new(Shape { gone, ..Shape::new(shape.record.clone()) }));
    }

    /// Takes the lock of the table.
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, Writing>> {
        let busy = || Error::Busy { table: self.name.1.clone() };
        self.state.writing.try_lock_for(PATIENCE).ok_or_else(busy)
    }

    /// The shape, for who has the lock.
    fn shape(&self) -> Result<Arc<Shape>> {
        let shape = self.state.shape.load_full();
        if shape.gone { Err(self.no_table()) } else { Ok(shape) }
    }

    /// The shape and a view that fit each other (T2).
    fn stand(&self) -> Result<(Arc<Shape>, Ground)> {
        loop {
            let shape = self.shape()?;
            if let Some(ground) = self.ground(&shape)? {
                return Ok((shape, ground));
            }
        }
    }

    /// A view that fits a shape, if that is still the one (T2).
    fn ground(&self, shape: &Arc<Shape>) -> Result<Option<Ground>> {
        let view = self.store.engine.view()?;
        let ground = Ground { view, keyspace: self.store.keyspace, table: shape.record.id };
        Ok(self.is_still(shape).then_some(ground))
    }

    /// Whether nothing has replaced this shape.
    fn is_still(&self, shape: &Arc<Shape>) -> bool {
        Arc::ptr_eq(shape, &self.state.shape.load())
    }

    fn asked(&self, shape: &Shape, query: &Query) -> Result<Asked> {
        Asked::parse(query, shape.record.id, &|path| shape.collation(path))
    }

    fn no_table(&self) -> Error {
        Error::NoTable { table: self.name.1.clone() }
    }
}
