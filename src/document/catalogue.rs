//! What is known of a table: its schema and its indexes, as JSON in the keyspace.
//!
//! ```text
//! {"id": 7, "schema": {…} or null, "next_index": 3,
//!  "indexes": [{"id": 1, "name": "pk", "columns": [["pk", 1]], "unique": true, "partial": null, "multikey": false,
//!               "built": null or the row up to which documents have their entries}]}
//! ```
//!
//! (C1) A table has at most [`MOST_INDEXES`] indexes, with different names. The first one is that of `pk`.

use super::collation::Collation;
use super::filter::parse::{inner, refuse};
use super::filter::{Filter, Refused};
use super::index::{Column, Index, MOST_COLUMNS};
use super::keys::{IndexId, Row, TableId};
use super::order::Direction;
use super::path::Path;
use super::schema::Schema;
use super::sort::columns;
use super::value::{Number, Value};

/// How many indexes a table may have.
pub const MOST_INDEXES: usize = 64;
/// How many characters the name of an index may have.
pub const MOST_NAME: usize = 64;
/// The member that names a document; its index is called the same.
pub use super::schema::PK;

/// An index that is wanted, or is there.
///
/// ```
/// # use siltstone::document::{catalogue::Definition, value::Value};
/// let by_age = Definition::parse(&Value::parse(r#"{"columns": {"age": -1, "name": 1}}"#)?)?;
/// assert_eq!(by_age.name, "age_-1_name_1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// What it is called.
    pub name: String,
    /// What it is sorted by, the most important first.
    pub columns: Vec<Column>,
    /// Whether no two documents may have the same values.
    pub unique: bool,
    /// Which documents it has; all without one.
    pub partial: Option<Value>,
}

/// An index, as it is noted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) id: IndexId,
    pub(super) definition: Definition,
    pub(super) multikey: bool,
    /// Up to here documents have their entries; all have when it is not there.
    pub(super) built: Option<Row>,
}

/// A table, as it is noted.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) id: TableId,
    pub(super) schema: Option<Schema>,
    pub(super) next_index: u16,
    pub(super) indexes: Vec<Record>,
}

impl Definition {
    /// An index of columns that is called as they are.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Definition {
        let name = |column: &Column| format!("{}_{}", column.path, way(column.direction));
        let name = columns.iter().map(name).collect::<Vec<_>>().join("_");
        Definition { name, columns, unique: false, partial: None }
    }

    /// An ascending, unique index of one member.
    pub(super) fn unique(name: &str) -> Option<Definition> {
        let column = Column { path: Path::parse(name)?, direction: Direction::Ascending };
        Some(Definition { name: name.into(), unique: true, ..Definition::new(vec![column]) })
    }

    /// Reads `{"columns": {PATH: 1 or -1, …}, "unique": bool, "partial": filter, "name": text}`, of which all but the columns may be
    /// left out.
    ///
    /// # Errors
    /// It is none, and why.
    pub fn parse(value: &Value) -> Result<Definition, Refused> {
        let Value::Object(members) = value else { return refuse("", "an object with `columns` is expected") };
        let mut definition =
            Definition::new(columns(value.get("columns").unwrap_or(&Value::Null), "columns")?);
        for (name, value) in members {
            match (&**name, value) {
                ("columns", _) | ("partial", Value::Null) => {}
                ("unique", Value::Bool(unique)) => definition.unique = *unique,
                ("name", Value::String(name)) => definition.name.clone_from(name),
                ("partial", filter) => definition.partial = Some(filter.clone()),
                ("unique", _) => return refuse("unique", "true or false is expected"),
                ("name", _) => return refuse("name", "a text is expected"),
                _ => return refuse(name, "an index has `columns`, `unique`, `partial` and `name`"),
            }
        }
        definition.check()?;
        Ok(definition)
    }

    /// Whether there can be such an index.
    pub(super) fn check(&self) -> Result<(), Refused> {
        if self.columns.is_empty() || self.columns.len() > MOST_COLUMNS {
            return refuse("columns", format!("1 to {MOST_COLUMNS} paths are expected"));
        }
        for (at, column) in self.columns.iter().enumerate() {
            if self.columns.iter().take(at).any(|other| other.path == column.path) {
                return refuse("columns", format!("{} stands there twice", column.path));
            }
        }
        if self.name.is_empty()
            || self.name.chars().count() > MOST_NAME
            || self.name.chars().any(char::is_control)
        {
            return refuse(
                "name",
                format!("a name has 1 to {MOST_NAME} characters, none of which controls anything: give one"),
            );
        }
        match &self.partial {
            Some(filter) => Filter::parse(filter)
                .map(drop)
                .map_err(|refused| Refused { at: inner("partial", refused.at), ..refused }),
            None => Ok(()),
        }
    }

    /// As it is read.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let column = |column: &Column| {
            Value::Array(vec![Value::from(column.path.to_string()), Value::from(way(column.direction))])
        };
        Value::object([
            ("name", Value::from(self.name.as_str())),
            ("columns", Value::Array(self.columns.iter().map(column).collect())),
            ("unique", Value::Bool(self.unique)),
            ("partial", self.partial.clone().unwrap_or(Value::Null)),
        ])
    }
}

fn way(direction: Direction) -> i64 {
    match direction {
        Direction::Ascending => 1,
        Direction::Descending => -1,
    }
}

impl Record {
    fn to_value(&self) -> Value {
        let Value::Object(mut members) = self.definition.to_value() else { return Value::Null };
        let built = self.built.map_or(Value::Null, |Row(row)| Value::from(row));
        members.insert(0, ("id".into(), Value::from(u64::from(self.id.0))));
        members.extend([("multikey".into(), Value::Bool(self.multikey)), ("built".into(), built)]);
        Value::Object(members)
    }

    fn parse(value: &Value) -> Option<Record> {
        let Value::Object(members) = value else { return None };
        let own = |name: &str| matches!(name, "id" | "multikey" | "built");
        let members = members.iter().filter(|(name, _)| !own(name)).cloned().collect();
        Some(Record {
            id: IndexId(number(value.get("id")?)?.try_into().ok()?),
            definition: Definition::parse(&Value::Object(members)).ok()?,
            multikey: *value.get("multikey")? == Value::Bool(true),
            built: match value.get("built")? {
                Value::Null => None,
                row => Some(Row(number(row)?)),
            },
        })
    }

    /// As it is used on documents of a schema.
    fn index(&self, schema: Option<&Schema>) -> Index {
        let Definition { name, columns, unique, partial } = &self.definition;
        let collation = |path: &Path| collation(schema, path);
        Index {
            id: self.id,
            name: name.clone(),
            columns: columns.clone(),
            collations: columns.iter().map(|column| collation(&column.path)).collect(),
            unique: *unique,
            // It was checked when the index was made.
            partial: partial.as_ref().and_then(|filter| Filter::parse_with(filter, &collation).ok()),
            multikey: self.multikey,
            ready: self.built.is_none(),
        }
    }
}

/// How the values at a path are compared.
pub(super) fn collation(schema: Option<&Schema>, path: &Path) -> Collation {
    let format = schema.and_then(|schema| schema.instants(path.names()));
    format.map_or(Collation::Plain, |format| Collation::Instant(format.clone()))
}

impl Table {
    /// As it is stored.
    pub(super) fn encode(&self) -> Vec<u8> {
        let indexes = self.indexes.iter().map(Record::to_value).collect();
        let value = Value::object([
            ("id", Value::from(u64::from(self.id.0))),
            ("schema", self.schema.as_ref().map_or(Value::Null, Schema::to_value)),
            ("next_index", Value::from(u64::from(self.next_index))),
            ("indexes", Value::Array(indexes)),
        ]);
        value.to_string().into_bytes()
    }

    /// Out of what is stored.
    pub(super) fn decode(stored: &[u8]) -> Option<Table> {
        let value = Value::parse(std::str::from_utf8(stored).ok()?).ok()?;
        let Value::Array(indexes) = value.get("indexes")? else { return None };
        Some(Table {
            id: TableId(number(value.get("id")?)?.try_into().ok()?),
            schema: match value.get("schema")? {
                Value::Null => None,
                schema => Some(Schema::parse(schema).ok()?),
            },
            next_index: number(value.get("next_index")?)?.try_into().ok()?,
            indexes: indexes.iter().map(Record::parse).collect::<Option<_>>()?,
        })
    }

    /// Adds an index, of which documents up to a row have their entries, or all.
    pub(super) fn add(&mut self, definition: Definition, built: Option<Row>) {
        let id = IndexId(self.next_index);
        self.next_index = self.next_index.saturating_add(1);
        self.indexes.push(Record { id, definition, multikey: false, built });
    }

    /// The indexes, as they are used.
    pub(super) fn indexes(&self) -> Vec<Index> {
        self.indexes.iter().map(|record| record.index(self.schema.as_ref())).collect()
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => Number::value(number).integer()?.try_into().ok(),
        _ => None,
    }
}
