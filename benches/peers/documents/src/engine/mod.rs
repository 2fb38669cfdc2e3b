//! What is asked of an engine, and which engines there are.
//!
//! Documents go in as JSON text. They come out as the engine hands them to its users: a value, or text.

#[cfg(feature = "polodb")]
mod polodb;
#[cfg(feature = "siltstone")]
mod siltstone;
#[cfg(feature = "sqlite")]
mod sqlite;

use crate::packages::Kind;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// A store of documents under test. It has one table of packages, with a unique index of `Key`, and indexes of `Section` and
/// `Installed_Size`.
pub trait Engine: Sized {
    /// The version the numbers belong to.
    fn version() -> String;

    /// Makes the table and its indexes in an empty folder. `columns` is for who checks documents.
    fn create(dir: &Path, settings: &Settings, columns: &[(String, Kind)]) -> Result<Self>;

    /// Opens what was made.
    fn open(dir: &Path, settings: &Settings) -> Result<Self>;

    /// Adds documents in one transaction.
    fn insert(&self, texts: &[String]) -> Result<()>;

    /// Hands the keys of the documents that are asked for to `visit`, each of which was got as a whole.
    fn find(&self, question: Question, visit: impl FnMut(&str)) -> Result<()>;

    /// Sets `Size` of the document of a key, in a transaction of its own, and tells how many it found.
    fn set_size(&self, key: &str, size: u64) -> Result<u64>;

    /// Hands all documents to `visit`, as JSON.
    fn all(&self, visit: impl FnMut(&str) -> Result<()>) -> Result<()>;

    /// Returns when there is no work left of what was written. The answer is how long it had nothing to do but watch, which is not
    /// the engine's time.
    fn settle(&self) -> Result<Duration>;

    /// Closes it.
    fn close(self) -> Result<()>;
}

/// Which documents.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// That of this key.
    Key(&'a str),
    /// The first [`RANGE`] whose `Installed_Size` is at least this, in its order.
    Range(u64),
    /// Those of a `Maintainer` whose `Size` is larger than this.
    Filter { maintainer: &'a str, size: u64 },
}

/// How many documents of a range are asked for.
pub const RANGE: usize = 100;

/// What is the same for every engine of a run.
#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "not every engine can be told everything")]
pub struct Settings {
    pub durability: Durability,
    pub memory_mib: usize,
    /// Whether documents that are found are given as text, too.
    pub text: bool,
}

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process: the operating system has it.
    Os,
    /// A power cut: it was synced.
    Sync,
}

/// The engines this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// Siltstone.
    Siltstone,
    /// SQLite, documents stored as text.
    Sqlite,
    /// SQLite, documents stored in its binary form.
    SqliteJsonb,
    /// PoloDB.
    Polodb,
}

impl EngineKind {
    /// Those that were compiled in.
    pub fn available() -> Vec<EngineKind> {
        let features = [
            (EngineKind::Siltstone, cfg!(feature = "siltstone")),
            (EngineKind::Sqlite, cfg!(feature = "sqlite")),
            (EngineKind::SqliteJsonb, cfg!(feature = "sqlite")),
            (EngineKind::Polodb, cfg!(feature = "polodb")),
        ];
        features.into_iter().filter_map(|(kind, there)| there.then_some(kind)).collect()
    }

    /// Whether it can be told to sync. PoloDB cannot.
    pub fn syncs(self) -> bool {
        self != EngineKind::Polodb
    }

    /// Lets `visitor` work with the type that is this engine.
    pub fn visit<V: Visitor>(self, visitor: V) -> Result<()> {
        match self {
            #[cfg(feature = "siltstone")]
            EngineKind::Siltstone => visitor.visit::<siltstone::Siltstone>(),
            #[cfg(feature = "sqlite")]
            EngineKind::Sqlite => visitor.visit::<sqlite::Sqlite<sqlite::Text>>(),
            #[cfg(feature = "sqlite")]
            EngineKind::SqliteJsonb => visitor.visit::<sqlite::Sqlite<sqlite::Jsonb>>(),
            #[cfg(feature = "polodb")]
            EngineKind::Polodb => visitor.visit::<polodb::PoloDb>(),
            #[allow(unreachable_patterns, reason = "reachable when a feature is off")]
            absent => anyhow::bail!("{absent} is not compiled in: build with its feature"),
        }
    }
}

/// Work that is the same for every engine.
pub trait Visitor {
    /// Does it with the engine `E`.
    fn visit<E: Engine>(self) -> Result<()>;
}

impl std::fmt::Display for EngineKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            EngineKind::Siltstone => "siltstone",
            EngineKind::Sqlite => "sqlite",
            EngineKind::SqliteJsonb => "sqlite-jsonb",
            EngineKind::Polodb => "polodb",
        })
    }
}
