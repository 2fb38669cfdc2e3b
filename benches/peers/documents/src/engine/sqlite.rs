//! SQLite: a column of documents, and indexes of expressions over it, through rusqlite.
//!
//! - Both are write-ahead logs; `Sync` is `synchronous=FULL`, which syncs at each commit, and `Os` is `NORMAL`, which syncs at
//!   checkpoints only.
//! - The whole file may be mapped. It belongs to one connection alone, as Siltstone's does to one process; no lock is taken for a
//!   statement. A checkpoint comes when the log has as many bytes as Siltstone's buffers may have, not at each 4 MiB.
//! - Statements are compiled once. Nothing checks the documents, beyond that they are JSON.
//! - Documents are stored as text, or as SQLite's binary form of it, which is quicker to look into, and turned into text when it is
//!   handed out.

use super::{Durability, Engine, Question, RANGE, Settings};
use crate::packages::{Kind, key_of};
use anyhow::{Result, ensure};
use rusqlite::types::ToSql;
use rusqlite::{Connection, Params, params};
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

/// How documents are stored: SQL.
pub trait Form {
    const COLUMN: &'static str;
    /// What is stored of a text.
    const PUT: &'static str;
    /// The text of what is stored.
    const GET: &'static str;
    /// What is stored with another `Size`.
    const SET: &'static str;
}

/// As they came.
pub struct Text;

impl Form for Text {
    const COLUMN: &'static str = "TEXT";
    const PUT: &'static str = "?1";
    const GET: &'static str = "document";
    const SET: &'static str = "json_set(document, '$.Size', ?2)";
}

/// In SQLite's binary form.
pub struct Jsonb;

impl Form for Jsonb {
    const COLUMN: &'static str = "BLOB";
    const PUT: &'static str = "jsonb(?1)";
    const GET: &'static str = "json(document)";
    const SET: &'static str = "jsonb_set(document, '$.Size', ?2)";
}

const KEY: &str = "json_extract(document, '$.Key')";
const SECTION: &str = "json_extract(document, '$.Section')";
const INSTALLED: &str = "json_extract(document, '$.Installed_Size')";
const SIZE: &str = "json_extract(document, '$.Size')";
const MAINTAINER: &str = "json_extract(document, '$.Maintainer')";

/// An open database, and its statements.
pub struct Sqlite<F> {
    db: Connection,
    insert: String,
    by_key: String,
    range: String,
    filter: String,
    set_size: String,
    form: PhantomData<F>,
}

impl<F: Form> Sqlite<F> {
    /// The connection keeps the compiled statement.
    fn ask(&self, sql: &str, given: impl Params, mut visit: impl FnMut(&str) -> Result<()>) -> Result<()> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(given)?;
        while let Some(row) = rows.next()? {
            visit(row.get_ref(0)?.as_str()?)?;
        }
        Ok(())
    }

    fn execute(&self, sql: &str, given: &[&dyn ToSql]) -> Result<u64> {
        Ok(self.db.prepare_cached(sql)?.execute(given)? as u64)
    }
}

impl<F: Form> Engine for Sqlite<F> {
    fn version() -> String {
        format!("{} (rusqlite 0.41.1)", rusqlite::version())
    }

    fn create(dir: &Path, settings: &Settings, _: &[(String, Kind)]) -> Result<Sqlite<F>> {
        let sqlite = Sqlite::<F>::open(dir, settings)?;
        sqlite.db.execute_batch(&format!(
            "CREATE TABLE packages (id INTEGER PRIMARY KEY, document {} NOT NULL);
             CREATE UNIQUE INDEX by_key ON packages ({KEY});
             CREATE INDEX by_section ON packages ({SECTION});
             CREATE INDEX by_installed_size ON packages ({INSTALLED});",
            F::COLUMN,
        ))?;
        Ok(sqlite)
    }

    fn open(dir: &Path, settings: &Settings) -> Result<Sqlite<F>> {
        let db = Connection::open(dir.join("packages.sqlite"))?;
        let synchronous = match settings.durability {
            Durability::Os => "NORMAL",
            Durability::Sync => "FULL",
        };
        let bytes = settings.memory_mib << 20;
        db.execute_batch(&format!(
            "PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = {synchronous};
             PRAGMA cache_size = -{};
             PRAGMA mmap_size = {bytes};
             PRAGMA temp_store = MEMORY;
             PRAGMA wal_autocheckpoint = {};",
            bytes >> 10,
            // In pages. A quarter of the memory.
            bytes / 4 / 4096,
        ))?;
        let get = F::GET;
        Ok(Sqlite {
            db,
            insert: format!("INSERT INTO packages (document) VALUES ({})", F::PUT),
            by_key: format!("SELECT {get} FROM packages WHERE {KEY} = ?1"),
            range: format!(
                "SELECT {get} FROM packages WHERE {INSTALLED} >= ?1 ORDER BY {INSTALLED} LIMIT {RANGE}"
            ),
            filter: format!("SELECT {get} FROM packages WHERE {SIZE} > ?1 AND {MAINTAINER} = ?2"),
            set_size: format!("UPDATE packages SET document = {} WHERE {KEY} = ?1", F::SET),
            form: PhantomData,
        })
    }

    fn insert(&self, texts: &[String]) -> Result<()> {
        let transaction = self.db.unchecked_transaction()?;
        for text in texts {
            self.execute(&self.insert, &[text])?;
        }
        Ok(transaction.commit()?)
    }

    fn find(&self, question: Question, mut visit: impl FnMut(&str)) -> Result<()> {
        let visit = |text: &str| {
            visit(key_of(text)?);
            Ok(())
        };
        match question {
            Question::Key(key) => self.ask(&self.by_key, [key], visit),
            Question::Range(from) => self.ask(&self.range, [from as i64], visit),
            Question::Filter { maintainer, size } => {
                self.ask(&self.filter, params![size as i64, maintainer], visit)
            }
        }
    }

    fn set_size(&self, key: &str, size: u64) -> Result<u64> {
        self.execute(&self.set_size, &[&key, &(size as i64)])
    }

    fn all(&self, visit: impl FnMut(&str) -> Result<()>) -> Result<()> {
        self.ask(&format!("SELECT {} FROM packages", F::GET), [], visit)
    }

    fn settle(&self) -> Result<Duration> {
        let mut statement = self.db.prepare("PRAGMA wal_checkpoint(TRUNCATE)")?;
        let busy: i64 = statement.query_row([], |row| row.get(0))?;
        ensure!(busy == 0, "somebody else uses the database");
        Ok(Duration::ZERO)
    }

    fn close(self) -> Result<()> {
        Ok(self.db.close().map_err(|(_, error)| error)?)
    }
}
