//! Reading everything, and saying what is wrong.

use super::inner::Inner;
use super::warm;
use crate::engine::options::Background;
use crate::engine::read::TableRef;
use crate::{Error, Result};
use rayon::prelude::*;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// What [`crate::Db::verify`] found.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Tables read.
    pub tables: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Their entries.
    pub entries: u64,
    /// What is wrong, one sentence with file and offset each. Empty when all is well.
    pub problems: Vec<String>,
}

impl VerifyReport {
    /// True when nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "read {} tables with {} entries, {} bytes", self.tables, self.entries, self.bytes)?;
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        match self.problems.len() {
            0 => writeln!(f, "no damage"),
            1 => writeln!(f, "1 problem"),
            n => writeln!(f, "{n} problems"),
        }
    }
}

/// Checks every table of the present version, on a pool of this call's own; stepped, on the caller's thread alone.
pub fn verify(inner: &Arc<Inner>) -> Result<VerifyReport> {
    inner.check_readable()?;
    let view = inner.super_version.load_full();
    let tables: Vec<_> = view.version.tables().map(|(_, t)| Arc::clone(t)).collect();
    let problem = |table: &Arc<TableRef>| check(table).err().map(|e| e.to_string());
    let problems: Vec<String> = if inner.options.background == Background::Stepped {
        tables.iter().filter_map(problem).collect()
    } else {
        let pool = warm::pool("siltstone-verify").ok_or_else(|| {
            Error::invalid("the system gives no threads to verify with: end other work and try again")
        })?;
        pool.install(|| tables.par_iter().filter_map(problem).collect())
    };
    Ok(VerifyReport {
        tables: tables.len(),
        bytes: tables.iter().map(|t| t.summary.len).sum(),
        entries: tables.iter().map(|t| t.summary.entries).sum(),
        problems,
    })
}

fn check(table: &TableRef) -> Result<()> {
    let found = table.handle.open()?.verify()?;
    if found == table.summary {
        return Ok(());
    }
    Err(table.handle.differs(&table.summary, &found))
}
