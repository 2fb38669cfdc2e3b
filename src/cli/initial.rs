//! The databases that a server begins with, and their tables.
//!
//! ```text
//! {"DATABASE": [{"NAME": "shop", "USER": "anna", "PASSWORD": "…", "TABLES": {"user": {"name": "str"}}}]}
//! ```
//!
//! `TABLES` may be left out; each has its schema. What is there already stays as it is, passwords and schemas too, so the same file may
//! be given at every start.

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, Value};
use siltstone::server::{Ensured, Server};
use std::path::Path;

/// The password that a client of old has when nobody gives it another one.
pub const WELL_KNOWN: &str = "root@123";

/// What a file says.
#[derive(Deserialize)]
pub struct Initial {
    #[serde(rename = "DATABASE", default)]
    databases: Vec<Database>,
}

/// One database. It has no `Debug`, for it has a password.
#[derive(Deserialize)]
struct Database {
    #[serde(rename = "NAME")]
    name: String,
    #[serde(rename = "USER")]
    user: String,
    #[serde(rename = "PASSWORD")]
    password: String,
    /// Schemas, by the names of the tables.
    #[serde(rename = "TABLES", default)]
    tables: Map<String, Value>,
}

impl Initial {
    /// Reads a file.
    pub fn read(path: &Path) -> anyhow::Result<Initial> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("could not read the initial data in {}", path.display()))?;
        // The words of the parser have a place, and nothing of the text but what it expected there.
        serde_json::from_str(&text).with_context(|| format!("{} is no initial data", path.display()))
    }

    /// Whether one of the passwords is known to everybody.
    pub fn has_well_known(&self) -> bool {
        self.databases.iter().any(|database| database.password == WELL_KNOWN)
    }

    /// Makes what is not there.
    pub async fn make(&self, server: &Server) -> anyhow::Result<()> {
        for Database { name, user, password, tables } in &self.databases {
            let made = server.ensure_database(name, user, password).await;
            if made.with_context(|| format!("could not make the database {name:?}"))? {
                tracing::info!(name, user, "made a database");
            }
            for (table, schema) in tables {
                let made = server.ensure_table(name, table, &schema.to_string()).await;
                match made.with_context(|| format!("could not make the table {table:?} of {name:?}"))? {
                    Ensured::Made => tracing::info!(database = name, table, "made a table"),
                    Ensured::Present => {}
                    Ensured::Different => tracing::warn!(
                        database = name,
                        table,
                        "the table is there with another schema than the initial data have, and stays as it is: \
                         drop it first if the new one is to count"
                    ),
                }
            }
        }
        Ok(())
    }
}
