//! What checking found, for people and for programs.

use crate::Error;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// What [`Db::verify`](crate::Db::verify) and [`Options::verify`](crate::Options::verify) found.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Files read.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Tables among them.
    pub tables: usize,
    /// The entries of sound tables.
    pub entries: u64,
    /// Batches read from the log.
    pub batches: u64,
    /// All that is wrong. Empty when all is well.
    pub problems: Vec<Finding>,
    /// What could not be read or not be checked, and why: the device did not deliver it, or what tells its pieces apart is
    /// damaged. Empty when all is well.
    pub unread: Vec<Unread>,
    /// What is worth knowing and no damage: what a crash left behind, and what the next open will leave out or remove.
    pub notes: Vec<Finding>,
}

/// Something about a place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The offset in it, in bytes.
    pub offset: u64,
    /// What is there: "table block", "log record", "manifest edit".
    pub what: &'static str,
    /// What was found, and what was expected.
    pub detail: String,
}

/// A piece of a file that was not checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unread {
    /// The file.
    pub file: PathBuf,
    /// Where the piece begins.
    pub offset: u64,
    /// How many bytes it has.
    pub len: u64,
    /// Why it was not checked.
    pub why: String,
}

/// How far checking or repairing has come.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// The file that is being read.
    pub file: &'a Path,
    /// How many bytes have been read.
    pub done: u64,
    /// How many there are to read.
    pub total: u64,
}

impl VerifyReport {
    /// True when nothing is wrong and everything was read. Notes are nothing wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.unread.is_empty()
    }

    /// Adds a problem; one of reading goes to what was not read, which was `len` bytes at `offset`.
    pub(crate) fn add(&mut self, error: Error, offset: u64, len: u64) {
        match error {
            Error::Io { ref path, .. } => {
                let (file, why) = (path.clone(), error.to_string());
                self.unread.push(Unread { file, offset, len, why });
            }
            other => self.problems.push(Finding::of(other, offset)),
        }
    }

    /// Adds a piece that was not checked although it could be read.
    pub(crate) fn add_unread(&mut self, file: PathBuf, offset: u64, len: u64, why: &str) {
        self.unread.push(Unread { file, offset, len, why: why.into() });
    }

    /// Adds a note.
    pub(crate) fn note(&mut self, file: PathBuf, offset: u64, what: &'static str, detail: impl Into<String>) {
        self.notes.push(Finding { file, offset, what, detail: detail.into() });
    }

    /// Takes in what another part of the work found.
    pub(crate) fn merge(&mut self, other: VerifyReport) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.tables += other.tables;
        self.entries += other.entries;
        self.batches += other.batches;
        self.problems.extend(other.problems);
        self.unread.extend(other.unread);
        self.notes.extend(other.notes);
    }

    /// Puts it in the order of files and offsets, each place told once.
    pub(crate) fn finish(&mut self) {
        let by_place = |a: &Finding, b: &Finding| (&a.file, a.offset).cmp(&(&b.file, b.offset));
        for list in [&mut self.problems, &mut self.notes] {
            list.sort_by(by_place);
            list.dedup();
        }
        self.unread.sort_by(|a, b| (&a.file, a.offset).cmp(&(&b.file, b.offset)));
        self.unread.dedup();
    }
}

impl Finding {
    /// What an error says, which belongs to `offset` unless it knows better.
    pub(crate) fn of(error: Error, offset: u64) -> Finding {
        match error {
            Error::Corruption(c) => {
                Finding { file: c.path, offset: c.offset, what: c.what, detail: c.detail }
            }
            Error::Incompatible { path, what, found, supported } => Finding {
                file: path,
                offset,
                what: "newer piece",
                detail: format!("{what} {found}, but this build reads {supported}"),
            },
            Error::Io { ref path, .. } | Error::NotADatabase { ref path, .. } => {
                Finding { file: path.clone(), offset, what: "file", detail: error.to_string() }
            }
            other => Finding { file: PathBuf::new(), offset, what: "database", detail: other.to_string() },
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}, {}: {}", self.file.display(), self.offset, self.what, self.detail)
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}, {} bytes: {}", self.file.display(), self.offset, self.len, self.why)
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "read {} files with {} bytes: {} tables with {} entries, {} batches of log",
            self.files, self.bytes, self.tables, self.entries, self.batches
        )?;
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        for unread in &self.unread {
            writeln!(f, "not checked: {unread}")?;
        }
        match self.problems.len() {
            0 if self.is_sound() => writeln!(f, "no damage"),
            1 => writeln!(f, "1 problem"),
            n => writeln!(f, "{n} problems"),
        }
    }
}
