//! The databases that a server begins with: `{"DATABASE": [{"NAME": "shop", "USER": "anna", "PASSWORD": "…"}]}`.
//!
//! What is there already stays as it is, its password too, so the same file may be given at every start.

use anyhow::Context;
use serde::Deserialize;
use siltstone::server::Server;
use std::path::Path;

/// The password that a client of old has when nobody gives it another one.
pub const WELL_KNOWN: &str = "root@123";

/// What a file says.
#[derive(Deserialize)]
pub struct Initial {
    #[serde(rename = "DATABASE", default)]
    databases: Vec<Database>,
    #[serde(rename = "TABLES", alias = "TABLE", default)]
    tables: Option<serde_json::Value>,
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
        for Database { name, user, password } in &self.databases {
            let made = server.ensure_database(name, user, password).await;
            if made.with_context(|| format!("could not make the database {name:?}"))? {
                tracing::info!(name, user, "made a database");
            }
        }
        if self.tables.is_some() {
            tracing::warn!("the tables of the initial data are left out: this version makes databases only");
        }
        Ok(())
    }
}
