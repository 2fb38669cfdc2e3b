//! What a repair took over, and what it could not.

use super::keys::{KeyRange, Keyspaces};
use crate::engine::check::report::{Finding, VerifyReport};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// What [`Options::repair`](crate::Options::repair) took over, and what it could not.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct RepairReport {
    /// The database that was read.
    pub from: PathBuf,
    /// The one that was made.
    pub into: PathBuf,
    /// How it was known which tables are in force.
    pub tables_by: TablesBy,
    /// How many deletions of ranges, and of keyspaces, only the manifest knew, which is damaged: what they deleted may be back.
    pub deletions_forgotten: u32,
    /// Tables read.
    pub tables: usize,
    /// Entries taken from them: superseded ones and deletions too.
    pub entries: u64,
    /// Batches taken from the log.
    pub batches: u64,
    /// Entries in the new database.
    pub entries_written: u64,
    /// What is lost. Empty when nothing is.
    pub lost: Vec<Loss>,
    /// Damage that cost nothing, and files that could not be used but were not needed.
    pub harmless: Vec<Finding>,
    /// What an open would have left out too: the end of the log, or of the manifest, that was not written whole.
    pub notes: Vec<Finding>,
    #[serde(skip)]
    pub(super) keyspaces: Keyspaces,
}

/// How it was known which tables are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TablesBy {
    /// The manifest is whole.
    Manifest,
    /// The manifest is not, but the database had been closed, so the tables in the folder are those in force.
    Folder,
    /// Neither: all tables in the folder were merged by the order of their writes. Among them may be some that had been
    /// compacted away. So a key may have an older value than it had last, and one that was deleted may be back.
    Guess,
}

/// A piece of the database that is lost.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Loss {
    /// The file it was in.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// How many bytes; 0 where nothing tells.
    pub len: u64,
    /// Why, in words.
    pub why: String,
    /// Every key that may be concerned: it may be missing, have an older value, or be back although it was deleted. `None`
    /// means any key, of the writes that `sequence` tells.
    pub keys: Option<KeyRange>,
    /// The numbers of the lost writes of the log, where that is what was lost: from the first up to the second, exclusive,
    /// which is `None` where nothing tells.
    pub sequence: Option<(u64, Option<u64>)>,
}

impl RepairReport {
    /// Before anything was taken, with the damage that was met on the way to the tables.
    pub(super) fn new(
        (from, into): (&Path, &Path),
        tables_by: TablesBy,
        keyspaces: Keyspaces,
        damage: VerifyReport,
    ) -> RepairReport {
        let mut harmless = damage.problems;
        harmless.extend(damage.unread.into_iter().map(|unread| Finding {
            file: unread.file,
            offset: unread.offset,
            what: "file",
            detail: unread.why,
        }));
        RepairReport {
            from: from.to_path_buf(),
            into: into.to_path_buf(),
            tables_by,
            deletions_forgotten: 0,
            tables: 0,
            entries: 0,
            batches: 0,
            entries_written: 0,
            lost: Vec::new(),
            harmless,
            notes: damage.notes,
            keyspaces,
        }
    }

    /// True when the new database holds exactly what the old one held.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lost.is_empty() && self.deletions_forgotten == 0 && self.tables_by != TablesBy::Guess
    }

    /// Whether `key` of a keyspace (that without a name is the database itself) may be missing, have an older value, or be back
    /// although it was deleted.
    #[must_use]
    pub fn concerns(&self, keyspace: &str, key: impl AsRef<[u8]>) -> bool {
        let key = self.keyspaces.engine_key(keyspace, key.as_ref());
        let within = |keys: &KeyRange| key.as_ref().is_none_or(|key| keys.contains(key));
        let lost = |loss: &Loss| loss.keys.as_ref().is_none_or(within);
        let any_key = self.tables_by == TablesBy::Guess || self.deletions_forgotten > 0;
        any_key || self.lost.iter().any(lost)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.keys, self.sequence) {
            (Some(keys), _) => write!(f, "{keys}")?,
            (None, Some((from, Some(to)))) => {
                write!(f, "writes {from} to {} of any keys", to.saturating_sub(1))?
            }
            (None, Some((from, None))) => write!(f, "writes from {from} on, of any keys")?,
            (None, None) => write!(f, "any keys")?,
        }
        write!(f, ": {} at offset {}", self.file.display(), self.offset)?;
        if self.len > 0 {
            write!(f, ", {} bytes", self.len)?;
        }
        write!(f, ": {}", self.why)
    }
}

impl fmt::Display for RepairReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "read {} tables with {} entries, and {} batches of log",
            self.tables, self.entries, self.batches
        )?;
        writeln!(
            f,
            "made {} with {} entries; it was checked and is sound",
            self.into.display(),
            self.entries_written
        )?;
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for finding in &self.harmless {
            writeln!(f, "cost nothing: {finding}")?;
        }
        if self.tables_by == TablesBy::Guess {
            writeln!(
                f,
                "which tables were in force is not known, so all were used: a key may have an older value than it had last, and a deleted key may be back"
            )?;
        }
        if self.deletions_forgotten > 0 {
            writeln!(
                f,
                "the manifest, which is damaged, had {} deletions of ranges or keyspaces: what they deleted may be back",
                self.deletions_forgotten
            )?;
        }
        for loss in &self.lost {
            writeln!(f, "lost: {loss}")?;
        }
        match self.lost.len() {
            0 if self.is_complete() => writeln!(f, "nothing is lost"),
            1 => writeln!(f, "1 loss"),
            n => writeln!(f, "{n} losses"),
        }
    }
}
