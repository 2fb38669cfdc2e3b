//! Tables of documents, as the commands reach them.

use anyhow::Context;
use siltstone::Db;
use siltstone::document::raw::Encoded;
use siltstone::document::value::Value;
use siltstone::document::{Documents, Error, keys};
use siltstone::store::LsmEngine;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;

/// A table by the name of its database and its own, `shop/user`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
}

impl FromStr for TableName {
    type Err = String;

    fn from_str(text: &str) -> Result<TableName, String> {
        match text.split_once('/') {
            Some((database, table)) if !database.is_empty() && !table.is_empty() && !table.contains('/') => {
                Ok(TableName { database: database.into(), table: table.into() })
            }
            _ => Err(format!("`{text}` is no table: write DATABASE/TABLE, as shop/user")),
        }
    }
}

impl Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.database, self.table)
    }
}

/// The documents of a database.
pub fn open(db: &Db) -> anyhow::Result<Documents> {
    Documents::open(Arc::new(LsmEngine::new(db.clone()))).context("could not open the documents")
}

/// All tables. A database that never had documents does not get any by being asked.
pub fn tables(db: &Db) -> anyhow::Result<Vec<TableName>> {
    if !db.keyspaces()?.iter().any(|name| name == keys::KEYSPACE) {
        return Ok(Vec::new());
    }
    let documents = open(db)?;
    let all = documents.databases().into_iter().flat_map(|database| {
        let tables = documents.tables(&database).into_iter();
        tables.map(move |table| TableName { database: database.clone(), table })
    });
    Ok(all.collect())
}

/// Why something was refused, with all that is wrong.
pub fn reason(error: &Error) -> String {
    match error {
        Error::Invalid(all) => format!("{error} {all}"),
        error => error.to_string(),
    }
}

/// Whether nothing but this document, or this request, is wrong.
pub fn is_refusal(error: &Error) -> bool {
    !matches!(error, Error::Engine(_) | Error::Superseded | Error::Damaged(_) | Error::Busy { .. })
}

/// A text as a document.
pub fn document(text: &str) -> Result<Encoded, String> {
    Encoded::parse(text).map_err(|malformed| format!("no JSON: {malformed}"))
}

/// A text as a value.
pub fn parse(text: &str) -> Result<Value, String> {
    Value::parse(text).map_err(|malformed| format!("no JSON: {malformed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_database() {
        let name: TableName = "shop/user".parse().unwrap();
        assert_eq!((&*name.database, &*name.table, &*name.to_string()), ("shop", "user", "shop/user"));
        for text in ["", "user", "/user", "shop/", "a/b/c"] {
            assert!(text.parse::<TableName>().unwrap_err().contains("DATABASE/TABLE"), "{text}");
        }
    }
}
