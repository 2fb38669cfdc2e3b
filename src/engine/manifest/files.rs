//! What lies in a folder, compared with what the manifest says.

use super::registry::Registry;
use super::set::initial_len;
use super::version::Version;
use crate::engine::filename::FileName;
use crate::vfs::Dir;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// What [`look`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A database: open it.
    Database,
    /// None, or the beginnings of one whose creation was interrupted: one can be created. Files that are not ours do not
    /// matter, and stay.
    Nothing,
}

/// Says whether there is a database in `dir`.
///
/// # Errors
/// [`Error::NotADatabase`] when `CURRENT` is missing but files show that there was more than an interrupted creation:
/// creating a new one would bury them. [`Error::Io`].
pub fn look(dir: &Dir) -> Result<Presence> {
    let mut remains = Vec::new();
    for name in dir.list()? {
        match FileName::parse(&name) {
            Some(FileName::Current) => return Ok(Presence::Database),
            Some(FileName::Table(_) | FileName::Log(_) | FileName::Spare(_)) => remains.push(name),
            Some(FileName::Manifest(1)) if dir.len(&name)?.unwrap_or(0) <= initial_len() => {}
            Some(FileName::Manifest(_)) => remains.push(name),
            Some(FileName::Lock | FileName::CurrentTmp) | None => {}
        }
    }
    match remains.iter().min() {
        None => Ok(Presence::Nothing),
        Some(name) => Err(Error::NotADatabase {
            path: dir.path().to_path_buf(),
            why: format!(
                "it holds {} file(s) of one, {name} for instance, but no CURRENT: restore that from a copy, or move the files away",
                remains.len()
            ),
        }),
    }
}

/// Compares what is needed with what there is: `lens` has the length of each file of ours in the folder. Returns one error
/// for each file that is missing or has another length than recorded.
#[must_use]
pub fn check_files<H>(
    dir: &Dir,
    version: &Version<H>,
    registry: &Registry,
    lens: &BTreeMap<FileName, u64>,
) -> Vec<Error> {
    let mut found = Vec::new();
    let mut wrong = |name: FileName, what, why| {
        found.push(Error::corruption(&dir.join(&name.to_string()), 0, what, why));
    };
    for (_, table) in version.tables() {
        let name = FileName::Table(table.summary.number);
        match lens.get(&name) {
            Some(len) if *len == table.summary.len => {}
            Some(len) => wrong(name, "table", format!("{len} bytes, {} expected", table.summary.len)),
            None => wrong(name, "table", "it does not exist, but the manifest lists it".into()),
        }
    }
    let mut logs = vec![registry.min_log, registry.newest_log];
    logs.retain(|log| (registry.min_log..=registry.newest_log).contains(log));
    logs.extend(registry.sealed_logs.keys());
    logs.sort_unstable();
    logs.dedup();
    for log in logs {
        let name = FileName::Log(log);
        let sealed = registry.sealed_logs.get(&log).map_or(0, |sealed| sealed.len);
        match lens.get(&name) {
            Some(len) if *len >= sealed => {}
            Some(len) => wrong(name, "log", format!("{len} bytes, at least {sealed} expected")),
            None => wrong(name, "log", "it does not exist, but the manifest needs it".into()),
        }
    }
    found
}
