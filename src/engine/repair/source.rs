//! Which tables and which log a damaged database consists of, and how far that can be trusted.

use super::report::TablesBy;
use crate::engine::check::folder::{Folder, Said};
use crate::engine::check::{segments_from, tables_in};
use crate::engine::filename::FileName;
use crate::engine::header::FileKind;
use crate::engine::manifest::Version;
use crate::engine::manifest::registry::Registry;
use crate::engine::sstable::TableSummary;
use crate::engine::tombstones::Tombstone;
use std::collections::BTreeMap;

/// What to take, and how it is known.
pub struct Source<'a> {
    /// How it is known which tables are in force.
    pub by: TablesBy,
    /// The tables to take, by number.
    pub tables: Vec<Taken<'a>>,
    /// Where the log begins that is to be read.
    pub log: LogFrom,
    /// The deletions of ranges that tables may need, oldest first.
    pub tombstones: Vec<Tombstone>,
    /// What the manifest says besides tables, as far as it can be read.
    pub registry: Registry,
    /// Files that say in their headers that they belong to another database.
    pub foreign: Vec<FileName>,
}

/// A table to take.
pub struct Taken<'a> {
    /// Its number.
    pub number: u64,
    /// The name its file has; `None` when there is no such file.
    pub name: Option<FileName>,
    /// Its level, and what the manifest says of it.
    pub expected: Option<&'a (u8, TableSummary)>,
}

/// The log to read.
pub struct LogFrom {
    /// The segments in the folder, ascending.
    pub numbers: Vec<u64>,
    /// The first one needed.
    pub first: u64,
    /// The log position of its first byte, if that is known.
    pub base: Option<u64>,
    /// The newest one that is known of; below `first` when none is.
    pub newest: u64,
    /// Batches up to this number are in tables.
    pub flushed: u64,
}

impl<'a> Source<'a> {
    /// Decides what to take of the database `database`.
    #[must_use]
    pub fn of(folder: &Folder, database: u64, said: &'a Said) -> Source<'a> {
        let (files, foreign) = table_files(folder, database);
        let registry = said.listed.as_ref().map(|listed| listed.replay.registry.clone()).unwrap_or_default();
        let by = match said.is_clean() {
            _ if is_trusted(folder, &files, said) => TablesBy::Manifest,
            true => TablesBy::Folder,
            false => TablesBy::Guess,
        };
        let mut tables: Vec<Taken<'a>> = Vec::new();
        if let Some(listed) = &said.listed {
            let named = listed.replay.tables.iter();
            tables.extend(named.map(|(number, expected)| Taken {
                number: *number,
                name: files.get(number).copied(),
                expected: Some(expected),
            }));
        }
        if by != TablesBy::Manifest {
            tables.extend(unnamed(&files, said).map(|(number, name)| Taken {
                number: *number,
                name: Some(*name),
                expected: None,
            }));
        }
        tables.sort_by_key(|table| table.number);
        let listed = said.listed.as_ref().filter(|_| by == TablesBy::Manifest);
        let tombstones = listed.map(|listed| listed.replay.tombstones.values().cloned().collect());
        let log = LogFrom::of(folder, said, by, &registry);
        Source { by, tables, log, tombstones: tombstones.unwrap_or_default(), registry, foreign }
    }

    /// How many bytes there are to read.
    #[must_use]
    pub fn bytes(&self, folder: &Folder) -> u64 {
        let tables = self.tables.iter().filter_map(|table| table.name);
        let logs = self.log.numbers.iter().map(|number| FileName::Log(*number));
        tables
            .chain(logs)
            .filter_map(|name| folder.lens.get(&name))
            .fold(0, |sum, len| sum.saturating_add(*len))
    }
}

/// Whether the manifest tells which tables are in force: it is whole, makes a database, and does not name files that are
/// gone while there are others that it does not know of, or has an end that was not written whole. Both are what an older
/// copy of a manifest looks like.
fn is_trusted(folder: &Folder, files: &BTreeMap<u64, FileName>, said: &Said) -> bool {
    let Some(listed) = said.listed.as_ref().filter(|listed| listed.whole) else { return false };
    let registry = &listed.replay.registry;
    if Version::<()>::empty().apply(&listed.replay.snapshot(), &mut |_| ()).is_err() {
        return false;
    }
    let needs_log = registry.newest_log >= registry.min_log;
    let log_missing = needs_log
        && [registry.min_log, registry.newest_log]
            .iter()
            .any(|n| !folder.lens.contains_key(&FileName::Log(*n)));
    let missing = log_missing || listed.replay.tables.keys().any(|number| !files.contains_key(number));
    let suspect = listed.replay.torn.is_some() || unnamed(files, said).next().is_some();
    !(missing && suspect)
}

/// The tables in the folder that the manifest neither names nor took out of force.
fn unnamed<'a>(
    files: &'a BTreeMap<u64, FileName>,
    said: &'a Said,
) -> impl Iterator<Item = (&'a u64, &'a FileName)> {
    let replay = said.listed.as_ref().map(|listed| &listed.replay);
    files.iter().filter(move |(number, _)| {
        replay.is_none_or(|r| !r.tables.contains_key(number) && !r.gone.contains(number))
    })
}

/// The tables of this database in the folder: by the number in their header, so that files whose names were exchanged are
/// what they are; by the name where the header is damaged. And those that belong elsewhere.
fn table_files(folder: &Folder, database: u64) -> (BTreeMap<u64, FileName>, Vec<FileName>) {
    let (mut files, mut foreign) = (BTreeMap::new(), Vec::new());
    for named in tables_in(folder) {
        let name = FileName::Table(named);
        let number = match folder.header(name) {
            Some(place) if place.kind != FileKind::Table || place.database != database => {
                foreign.push(name);
                continue;
            }
            Some(place) => place.number,
            None => named,
        };
        // Of a file and its copy under another name, the one with the right name.
        let known = files.entry(number).or_insert(name);
        if number == named {
            *known = name;
        }
    }
    (files, foreign)
}

impl LogFrom {
    fn of(folder: &Folder, said: &Said, by: TablesBy, registry: &Registry) -> LogFrom {
        let flushed = registry.last_seq;
        if said.is_clean() {
            // A clean close leaves nothing in the log.
            return LogFrom { numbers: Vec::new(), first: 1, base: Some(0), newest: 0, flushed };
        }
        let numbers = segments_from(folder, registry.min_log);
        match by {
            TablesBy::Manifest => LogFrom {
                numbers,
                first: registry.min_log,
                base: Some(registry.log_base),
                newest: registry.newest_log,
                flushed,
            },
            _ => LogFrom {
                first: numbers.first().copied().unwrap_or(registry.min_log),
                numbers,
                base: None,
                newest: 0,
                flushed,
            },
        }
    }
}
