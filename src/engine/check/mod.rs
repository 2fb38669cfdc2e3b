//! Is every byte of a database what was written, and does every file fit the others?
//!
//! Reading order: [`report`] (what is told), [`folder`] (the files, the lock, `CURRENT`, the manifest), [`mod@tables`] and
//! [`log`], which check what the manifest names; [`meter`] counts for whoever watches. This page joins them for a database
//! that nobody has open; `engine::db` uses the same parts for one that is.
//!
//! ```text
//! LOCK ─▶ CURRENT ─▶ manifest ─▶ cross-references ─▶ log ─▶ tables
//!            └ lost: the manifest that knows most        └ manifest lost: every table in the folder, by itself
//! ```
//!
//! (K1) Nothing is written, not even a lock file.
//! (K2) One damaged thing hides no other: each step goes on with what can be known without it.
//! (K3) A problem is what keeps an open or a read from what was promised, or a byte that nobody wrote. What a crash explains is
//!      a note.
//! (K4) Memory: a manifest, a segment of log, and for each thread the index and filter of a table and one block.

pub mod folder;
pub mod log;
pub mod meter;
pub mod report;
pub mod tables;

use crate::engine::filename::FileName;
use crate::engine::manifest::current::State;
use crate::engine::manifest::registry::Registry;
use crate::engine::manifest::replay::Replay;
use crate::engine::manifest::{Version, check_files};
use crate::engine::options::Options;
use crate::vfs::Dir;
use crate::{Error, Result};
use folder::{Folder, Listed};
use log::{Extent, check_behind, check_log};
use meter::{Meter, Watch};
use report::VerifyReport;
use std::path::Path;
use std::sync::Arc;
use tables::{Job, check_tables};

impl Options {
    /// Reads every byte of the database in `path`, which nobody has open, and checks it and every reference between its
    /// files: also of one that does not open. `watch` is told how far it has come, from several threads.
    ///
    /// Nothing is written. Of the options, [`vfs`](Options::vfs) and [`background`](Options::background) count. Damage is in
    /// the report, not an error. For a database that is open there is [`Db::verify`](crate::Db::verify).
    ///
    /// # Errors
    /// [`Error::NotADatabase`], [`Error::Locked`] when it is open, [`Error::Io`] when the folder cannot be listed.
    pub fn verify(&self, path: impl AsRef<Path>, watch: Watch<'_>) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        let dir = Dir::new(Arc::clone(&self.vfs), path.as_ref());
        let folder = Folder::open(dir, &mut report)?;
        check(&folder, self, watch, &mut report)?;
        report.finish();
        Ok(report)
    }
}

/// Checks all that is in a folder.
///
/// # Errors
/// [`Error::InvalidArgument`] when the system gives no threads.
fn check(folder: &Folder, options: &Options, watch: Watch<'_>, report: &mut VerifyReport) -> Result<()> {
    let said = folder.read(report);
    report.files += usize::from(folder.lens.contains_key(&FileName::Current));
    report.bytes += folder.bytes([FileName::Current]);
    let Some(database) = said.database else {
        let why = "no file tells which database this is";
        report.add_unread(folder.dir.path().to_path_buf(), 0, 0, why);
        return Ok(());
    };
    let mut jobs: Vec<Job<'_>> = match &said.listed {
        Some(listed) => {
            let named = listed.replay.tables.values();
            named.map(|(_, t)| Job { number: t.number, expected: Some(t) }).collect()
        }
        None => tables_in(folder).map(|number| Job { number, expected: None }).collect(),
    };
    jobs.retain(|job| folder.lens.contains_key(&FileName::Table(job.number)));
    let first = said.listed.as_ref().map_or(u64::MAX, |listed| listed.replay.registry.min_log);
    let logs = segments_from(folder, first);
    let tables = folder.bytes(jobs.iter().map(|job| FileName::Table(job.number)));
    let segments = folder.bytes(logs.iter().map(|number| FileName::Log(*number)));
    let meter = Meter::new(watch, tables.saturating_add(segments));
    if let Some(listed) = &said.listed {
        check_references(folder, listed, said.is_clean(), report);
        check_state(folder, listed, said.state, report);
        check_segments(folder, database, (&listed.replay.registry, &logs), &meter, report);
    }
    report.merge(check_tables(&folder.dir, database, &jobs, options.background, &meter)?);
    Ok(())
}

/// The numbers of all tables in the folder.
pub fn tables_in(folder: &Folder) -> impl Iterator<Item = u64> {
    folder.lens.keys().filter_map(|name| match name {
        FileName::Table(number) => Some(*number),
        _ => None,
    })
}

/// Whether the files are those that the manifest names, and the manifest makes a database.
fn check_references(folder: &Folder, listed: &Listed, clean: bool, report: &mut VerifyReport) {
    let Folder { dir, lens, .. } = folder;
    let registry = &listed.replay.registry;
    let manifest = dir.join(&FileName::Manifest(listed.number).to_string());
    let version = Version::<()>::empty().apply(&listed.replay.snapshot(), &mut |_| ());
    match version {
        Ok(version) => {
            for wrong in check_files(dir, &version, registry, lens) {
                report.add(wrong, 0, 0);
            }
        }
        // Behind a hole in the manifest, tables that were taken away still seem to be there.
        Err(_) if !listed.whole => {}
        Err(violation) => {
            report.add(Error::corruption(&manifest, 0, "manifest", violation.to_string()), 0, 0);
        }
    }
    if clean && registry.newest_log >= registry.min_log {
        let detail = format!("closed cleanly, yet the log is needed from segment {} on", registry.min_log);
        report.add(Error::corruption(&manifest, 0, "manifest", detail), 0, 0);
    }
    for (name, len) in lens {
        if let Some(why) = leftover(*name, listed) {
            let path = dir.join(&name.to_string());
            report.note(path, 0, "leftover", format!("{why}; the next open removes these {len} bytes"));
        }
    }
}

/// Whether a database that was not closed looks like one. Its log may be gone only as long as it is new.
fn check_state(folder: &Folder, listed: &Listed, state: Option<State>, report: &mut VerifyReport) {
    let is_new = listed.replay.registry == Registry::default();
    if state == Some(State::Dirty) && !is_new && segments_from(folder, 0).is_empty() {
        let path = folder.dir.join(&FileName::Current.to_string());
        let detail = "it says that the database was not closed, yet there is no log: it may be an older copy";
        report.note(path, 0, "CURRENT", detail);
    }
}

/// Why nobody needs a file.
fn leftover(name: FileName, listed: &Listed) -> Option<String> {
    let Replay { tables, registry, gone, .. } = &listed.replay;
    match name {
        FileName::Table(number) if tables.contains_key(&number) => None,
        FileName::Table(number) if gone.contains(&number) => Some("a table that was compacted away".into()),
        FileName::Table(number) if number >= registry.next_table => {
            Some(format!("a table that was not finished: the next number in use is {}", registry.next_table))
        }
        FileName::Table(_) => Some("a table that the manifest does not name".into()),
        FileName::Log(number) if number < registry.min_log => {
            Some("a segment of log whose content is in tables".into())
        }
        FileName::Spare(_) => {
            Some("a segment of log that is being prepared, or kept to be used again".into())
        }
        FileName::CurrentTmp => Some("a CURRENT that was not put in force".into()),
        FileName::Manifest(number) if number != listed.number => {
            Some("a manifest that is not in force".into())
        }
        _ => None,
    }
}

/// The log that the manifest needs.
fn check_segments(
    folder: &Folder,
    database: u64,
    (registry, numbers): (&Registry, &[u64]),
    meter: &Meter<'_>,
    report: &mut VerifyReport,
) {
    let extent = Extent {
        database,
        numbers,
        first: registry.min_log,
        base: registry.log_base,
        newest: registry.newest_log,
        limit: u64::MAX,
    };
    check_log(&folder.dir, extent, report);
    for number in numbers {
        check_behind(&folder.dir, database, *number, report);
        let name = FileName::Log(*number);
        meter.add(&folder.dir.join(&name.to_string()), folder.bytes([name]));
    }
}

/// The segments in the folder from `first` on, ascending.
#[must_use]
pub fn segments_from(folder: &Folder, first: u64) -> Vec<u64> {
    let number = |name: &FileName| match name {
        FileName::Log(number) if *number >= first => Some(*number),
        _ => None,
    };
    folder.lens.keys().filter_map(number).collect()
}
