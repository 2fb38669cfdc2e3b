//! After a run: nothing is damaged, nothing is left over, nothing is held, and an empty database takes no room.

use super::database::{Database, PATH};
use siltstone::{Background, Result, WriteBatch};
use std::collections::BTreeSet;
use std::path::Path;

/// The most that an empty database takes: its manifest is written anew when it has a mebibyte, or four times what it had when
/// it was written last, and for each table there are two keys in it.
const EMPTY: usize = 2 << 20;

/// What is wrong, if anything.
pub fn check(db: &mut Database) -> Result<(), String> {
    nothing_is_held(db)?;
    files_are_those_of_the_manifest(db)?;
    deleting_all_gives_the_space_back(db)?;
    handles_are_gone(db)
}

/// When everything that was open is let go of, no snapshot is counted any more.
fn nothing_is_held(db: &mut Database) -> Result<(), String> {
    db.let_go();
    let stats = db.db().stats();
    ensure(stats.snapshots == 0 && stats.oldest_snapshot.is_none(), || {
        format!("{} snapshots live that nobody holds", stats.snapshots)
    })?;
    ensure(stats.read_only.is_none() && stats.last_background_error.is_none(), || {
        format!("{:?}, {:?}", stats.read_only, stats.last_background_error)
    })
}

/// After a close there are the tables that the next open knows, with their bytes, and no other files.
fn files_are_those_of_the_manifest(db: &mut Database) -> Result<(), String> {
    said(db.db().close())?;
    db.drop_handle();
    let (names, bytes) = files(db);
    said(db.open_with(Background::Stepped))?;
    let report = db.db().recovery();
    ensure(report.clean && report.cuts.is_empty() && report.orphans_removed.is_empty(), || {
        format!("{report:?}")
    })?;
    let stats = db.db().stats();
    let tables = names.iter().filter(|name| name.ends_with(".table")).count();
    let known: usize = stats.levels.iter().map(|level| level.tables).sum();
    ensure(tables == known, || format!("{known} tables in the manifest, but {names:?}"))?;
    let others: BTreeSet<&str> =
        names.iter().map(|name| name.trim_start_matches(|c: char| c.is_ascii_digit())).collect();
    let expected = ["CURRENT", "LOCK", ".manifest", ".table"];
    ensure(others.iter().all(|name| expected.contains(name)), || format!("files nobody needs: {names:?}"))?;
    ensure(bytes >= stats.table_bytes as usize, || {
        format!("{} bytes of tables in {bytes}", stats.table_bytes)
    })?;
    let report = said(db.db().verify())?;
    ensure(report.is_sound(), || report.to_string())
}

/// When all is deleted and compacted there is no table, and next to nothing on disk.
fn deleting_all_gives_the_space_back(db: &mut Database) -> Result<(), String> {
    for name in said(db.db().keyspaces())? {
        said(db.db().drop_keyspace(&name))?;
    }
    if db.keys.all().len().is_multiple_of(2) {
        said(db.db().clear())?;
    } else {
        let mut batch = WriteBatch::new();
        db.keys.all().iter().for_each(|key| batch.delete(&key.bytes));
        said(db.db().write(batch))?;
    }
    said(db.db().compact_range::<&[u8]>(..))?;
    let stats = db.db().stats();
    ensure(stats.levels.is_empty() && stats.entries == 0 && stats.range_tombstones == 0, || {
        format!(
            "of an empty database {} entries and {} deleted ranges are left, in {:?}",
            stats.entries, stats.range_tombstones, stats.levels
        )
    })?;
    said(db.db().close())?;
    let (names, bytes) = files(db);
    let longest = db.keys.all().iter().map(|key| key.bytes.len()).max().unwrap_or(0);
    ensure(names.len() == 3 && bytes <= EMPTY.max(200 * longest), || {
        format!("an empty database takes {bytes} bytes, in {names:?}")
    })
}

/// No iterator, snapshot, version or thread that is gone has kept a database in memory.
fn handles_are_gone(db: &mut Database) -> Result<(), String> {
    db.drop_handle();
    ensure(db.held() == 0, || format!("{} databases are held by nobody, and are still there", db.held()))
}

fn files(db: &Database) -> (Vec<String>, usize) {
    let paths = db.vfs.files();
    let bytes = paths.iter().map(|path| db.vfs.read_file(path).unwrap().len()).sum();
    let name =
        |path: &std::path::PathBuf| path.strip_prefix(Path::new(PATH)).unwrap().to_str().unwrap().to_string();
    (paths.iter().map(name).collect(), bytes)
}

fn said<T>(outcome: Result<T>) -> Result<T, String> {
    outcome.map_err(|error| error.to_string())
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
