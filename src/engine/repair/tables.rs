//! Copies what is sound of a table into a new one.

use super::report::{Loss, RepairReport};
use super::source::Taken;
use super::target::Target;
use crate::engine::check::folder::Folder;
use crate::engine::check::meter::Meter;
use crate::engine::check::report::Finding;
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::FileKind;
use crate::engine::key::Trailer;
use crate::engine::options::Compression;
use crate::engine::sstable::pieces::Trouble;
use crate::engine::sstable::salvage::{Keys, Lost, Salvor};
use crate::engine::sstable::{TableBuilder, TableFile, TableSummary};
use crate::planted::{Bug, planted};
use crate::vfs::Mode;
use crate::{Error, Result};
use std::ops::Bound;
use std::path::Path;

/// Copies `table` of the old database into the new one; `None` when nothing of it is left.
///
/// # Errors
/// What writing gives. What reading gives is a loss.
pub fn copy_table(
    folder: &Folder,
    database: u64,
    table: &Taken<'_>,
    target: &Target<'_>,
    compression: Compression,
    (meter, report): (&Meter<'_>, &mut RepairReport),
) -> Result<Option<TableSummary>> {
    report.tables += 1;
    let expected = table.expected.map(|(_, summary)| summary);
    let name = table.name.unwrap_or(FileName::Table(table.number)).to_string();
    let path = folder.dir.join(&name);
    let place = Place { database, kind: FileKind::Table, number: table.number };
    let opened = match table.name {
        Some(_) => folder.dir.open(&name, Mode::Read).and_then(|file| TableFile::new(file, place)),
        None => Err(Error::corruption(&path, 0, "table", "it does not exist, but the manifest lists it")),
    };
    let mut copy =
        Copy { path: &path, expected, target, compression, meter, report, builder: None, entries: 0 };
    match opened {
        Ok(file) => file.salvage(&mut copy)?,
        Err(error) => {
            let len = expected.map_or(0, |summary| summary.len);
            let trouble = Trouble { offset: 0, len, error };
            copy.lost(Lost { trouble, keys: (Bound::Unbounded, Bound::Unbounded) });
        }
    }
    let Copy { builder, entries, .. } = copy;
    report.entries += entries;
    builder.map(TableBuilder::finish).transpose()
}

struct Copy<'a> {
    path: &'a Path,
    expected: Option<&'a TableSummary>,
    target: &'a Target<'a>,
    compression: Compression,
    meter: &'a Meter<'a>,
    report: &'a mut RepairReport,
    builder: Option<TableBuilder>,
    entries: u64,
}

impl Salvor for Copy<'_> {
    fn entry(&mut self, key: &[u8], trailer: Trailer, value: &[u8]) -> Result<()> {
        let builder = match &mut self.builder {
            Some(builder) => builder,
            None => self.builder.insert(self.target.new_table(self.compression)?),
        };
        self.entries += 1;
        self.report.keyspaces.saw(key);
        builder.add(key, None, trailer, value)
    }

    fn lost(&mut self, lost: Lost) {
        if planted(Bug::RepairHidesLosses) {
            return;
        }
        let Lost { trouble, keys } = lost;
        let finding = Finding::of(trouble.error, trouble.offset);
        self.report.lost.push(Loss {
            file: self.path.to_path_buf(),
            offset: trouble.offset,
            len: trouble.len,
            why: finding.detail,
            keys: Some(self.report.keyspaces.range(within(keys, self.expected))),
            sequence: None,
        });
    }

    fn harmless(&mut self, trouble: Trouble) {
        self.report.harmless.push(Finding::of(trouble.error, trouble.offset));
    }

    fn done(&mut self, bytes: u64) {
        self.meter.add(self.path, bytes);
    }
}

/// What the manifest says of the keys of a table, where the table itself does not tell.
fn within((from, to): Keys, expected: Option<&TableSummary>) -> Keys {
    let or = |bound, key: fn(&TableSummary) -> &Vec<u8>| match (bound, expected) {
        (Bound::Unbounded, Some(expected)) => Bound::Included(key(expected).clone()),
        (bound, _) => bound,
    };
    (or(from, |t| &t.smallest), or(to, |t| &t.largest))
}
