//! What a server sees to before clients do: databases and tables that are to be there, and indexes that were being built when the
//! engine was last closed.
//!
//! (G1) Indexes go on being built while clients are served, one after the other, on a thread of their own. One that cannot be built is
//!      told of, and the others go on.

use super::opened::plain;
use super::{Server, Shared};
use crate::document::error::Error as TableError;
use crate::document::schema::Schema;
use crate::document::value::Value;
use crate::protocol::{Credentials, Reply};
use crate::{Error, Result};
use std::sync::Arc;
use tokio::sync::watch;

/// What became of a table that was to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// It was not there, and is now.
    Made,
    /// It was there, with an equal schema.
    Present,
    /// It was there with another schema, which stays.
    Different,
}

impl Server {
    /// Makes a database of the framed protocol with its user, unless there is one of this name; whether it did. With a token for
    /// one, clients can make more.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a name that cannot be one; what kept the engine from writing.
    pub async fn ensure_database(&self, name: &str, user: &str, password: &str) -> Result<bool> {
        let (shared, name) = (Arc::clone(&self.shared), name.to_string());
        let (user, password) = (user.to_string(), password.as_bytes().to_vec());
        let made = tokio::task::spawn_blocking(move || {
            let credentials = Credentials { user: Some(user.into()), password: password.into() };
            shared.service.make_database(&name, &credentials)
        });
        let made = made
            .await
            .map_err(|error| Error::invalid(format!("the database could not be made: {error}")))??;
        Ok(matches!(made, Reply::DatabaseMade { .. }))
    }

    /// Makes a table of documents in a database, unless there is one of this name. `schema` is the text of the JSON that says what its
    /// documents are like ([`Schema`]).
    ///
    /// ```
    /// # use siltstone::{server::{Config, Ensured, Server}, store::MemoryEngine};
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let server = Server::bind("127.0.0.1:0", std::sync::Arc::new(MemoryEngine::new()), Config::default()).await?;
    /// let schema = r#"{"name": {"type": "str", "required": true}}"#;
    /// assert_eq!(server.ensure_table("shop", "user", schema).await?, Ensured::Made);
    /// assert_eq!(server.ensure_table("shop", "user", schema).await?, Ensured::Present);
    /// assert_eq!(server.ensure_table("shop", "user", "{}").await?, Ensured::Different);
    /// # Ok::<(), siltstone::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a name that cannot be one, for what is no schema, and on an engine that holds no documents; what
    /// kept the engine from writing.
    pub async fn ensure_table(&self, database: &str, table: &str, schema: &str) -> Result<Ensured> {
        let shared = Arc::clone(&self.shared);
        let (database, table, schema) = (database.to_string(), table.to_string(), schema.to_string());
        let made = tokio::task::spawn_blocking(move || shared.make_table(&database, &table, &schema));
        made.await.map_err(|error| Error::invalid(format!("the table could not be made: {error}")))?
    }
}

impl Shared {
    fn make_table(&self, database: &str, table: &str, schema: &str) -> Result<Ensured> {
        let documents = self.service.opened.get()?;
        let schema = Value::parse(schema)
            .map_err(|malformed| Error::invalid(format!("the schema is no JSON: {malformed}")))?;
        match documents.create_table(database, table, Some(&schema)) {
            Ok(_) => Ok(Ensured::Made),
            Err(TableError::TableExists { .. }) => {
                let there = documents.table(database, table).map_err(plain)?.schema();
                let there = there.map(|there| Schema::parse(&there)).transpose();
                let wanted = Schema::parse(&schema).map_err(|wrong| plain(TableError::Schema(wrong)))?;
                let is_same = matches!(there, Ok(Some(there)) if there == wanted);
                Ok(if is_same { Ensured::Present } else { Ensured::Different })
            }
            Err(error) => Err(plain(error)),
        }
    }

    /// Goes on with the indexes that were being built (G1), table after table, until the server stops.
    pub(super) fn resume_indexes(&self, stopping: &watch::Receiver<bool>) {
        let Some(documents) = self.service.opened.there() else { return };
        for database in documents.databases() {
            for name in documents.tables(&database) {
                if *stopping.borrow() {
                    return;
                }
                let table = documents.table(&database, &name);
                match table.and_then(|table| table.resume_indexes()) {
                    // Who closes the engine, or drops the table, knows.
                    Ok(()) | Err(TableError::NoTable { .. } | TableError::Engine(Error::Closed)) => {}
                    Err(error) => {
                        tracing::error!(database, table = name, %error, "an index could not be finished");
                    }
                }
            }
        }
    }
}
