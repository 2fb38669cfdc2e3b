//! Whole files: each input is a file, taken as it is, and once more with its checksums made right.
//!
//! So an input can be looked at with `siltstone inspect`, and a file from anywhere is an input.

use crate::format::{self, HEADER, Place, log, manifest, table};
use crate::memory::bounded;
use crate::store::{Folder, MEMORY, Map, SEGMENT, check_error, name, read_all, replay, walk};
use siltstone::vfs::mem::CrashPolicy;
use siltstone::{Db, Error};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::{fs, process, thread};

/// The most a database that is read from an input can hold: each entry takes some bytes of it.
fn most_pairs(input: &[u8]) -> usize {
    input.len() + 1
}

/// The input, and the input with right checksums, unless that is the same.
fn both(input: &[u8], mut target: impl FnMut(&[u8])) {
    target(input);
    let mut repaired = input.to_vec();
    format::repair(&mut repaired);
    if repaired != input {
        target(&repaired);
    }
}

/// A log segment. What is read back is what its records say up to the first that does not continue the chain; a second
/// recovery reads the same.
pub fn log_reader(input: &[u8]) {
    both(input, |segment| bounded(MEMORY + 16 * input.len(), || log_once(segment)));
}

fn log_once(segment: &[u8]) {
    let mut segment = segment.to_vec();
    segment.resize(segment.len().max(SEGMENT), 0);
    let folder = Folder::of_log(&segment);
    let Ok(db) = folder.open() else { return };
    let expected = replay(&segment).expect("opened, though a batch cannot be replayed");
    assert_eq!(read_all(&db, expected.len()), Some(expected.clone()));
    // As after a kill: the next recovery has the first segment, and one that the first recovery began.
    let image = Folder::from(folder.vfs().crash_image(CrashPolicy::All, 0));
    let again = image.open().expect("a second recovery");
    assert_eq!(walk(again.iter(), expected.len()).pairs, expected.into_iter().collect::<Vec<_>>());
}

/// A manifest. What it names is put beside it as far as that is possible; then the database opens with the tables that
/// its edits lead to, or says what is wrong.
pub fn manifest_reader(input: &[u8]) {
    both(input, |file| bounded(MEMORY + 64 * input.len(), || manifest_once(file)));
}

fn manifest_once(file: &[u8]) {
    let Some(place) = Place::of(file) else { return };
    let number = place.number.clamp(1, 1 << 60);
    let mut folder = Folder::default()
        .put("CURRENT", &format::current::dirty(place.database, number))
        .put(&name(format::MANIFEST, number), file);
    let state = manifest::state(file).unwrap_or_default();
    for (_, table) in state.tables.values().take(20) {
        let len = usize::try_from(table.len).unwrap_or(usize::MAX).min(SEGMENT);
        folder = folder.put(&name(format::TABLE, table.number), &vec![0; len]);
    }
    if state.logs.0 <= state.logs.1 {
        folder = folder.put(&name(format::LOG, state.logs.0), &empty_segment(&place, state.logs.0));
    }
    let Ok(db) = folder.open() else { return };
    let levels = tables_by_level(&db);
    let mut expected = BTreeMap::new();
    state.tables.values().for_each(|(level, _)| *expected.entry(usize::from(*level)).or_default() += 1);
    assert_eq!(levels, expected, "other tables than the edits lead to");
    let names: BTreeSet<String> = state.keyspaces.into_values().collect();
    assert_eq!(db.keyspaces().expect("an open database"), Vec::from_iter(names));
    // The tables are zeros, which is damage; nothing else is damaged.
    let report = db.verify().expect("an open database");
    let damaged: BTreeSet<_> = report.problems.iter().map(|problem| &problem.file).collect();
    assert_eq!(damaged.len(), state.tables.len(), "{report}");
    let _ = walk(db.iter(), most_pairs(file));
    let stats = db.stats();
    assert!(!stats.to_string().is_empty() && serde_json::to_string(&stats).is_ok());
    // Choosing what to merge looks at all that the manifest says of tables.
    // It moves tables without reading them where that will do.
    if let Err(error) = db.compact_range::<&[u8]>(..) {
        check_error(&error);
    }
    let levels = tables_by_level(&db);
    drop(db);
    if let Ok(db) = folder.open() {
        assert_eq!(tables_by_level(&db), levels, "after opening once more");
    }
}

fn tables_by_level(db: &Db) -> BTreeMap<usize, usize> {
    db.stats().levels.iter().map(|level| (level.level, level.tables)).collect()
}

fn empty_segment(place: &Place, number: u64) -> Vec<u8> {
    let place = Place { kind: format::LOG, number, ..*place };
    let mut segment = place.header();
    log::append(&place, &mut segment, &log::start(0, 0, SEGMENT as u64, 1));
    segment.resize(SEGMENT, 0);
    segment
}

/// A database of which only `CURRENT` is the fuzzer's.
static CLOSED: LazyLock<(Folder, Map)> = LazyLock::new(|| {
    let folder = Folder::default();
    let db = folder.open().expect("a new database");
    let expected: Map = (0..9u8).map(|n| (vec![b'k', n], vec![n; 3])).collect();
    expected.iter().for_each(|(key, value)| db.put(key, value).expect("room"));
    db.close().expect("nothing fails");
    (folder, expected)
});

/// `CURRENT`. Whatever it says, the database does not open, or holds what it holds.
pub fn current(input: &[u8]) {
    both(input, |file| bounded(MEMORY, || current_once(file)));
}

fn current_once(file: &[u8]) {
    let (closed, expected) = &*CLOSED;
    let folder = Folder::from(closed.vfs().crash_image(CrashPolicy::All, 0)).put("CURRENT", file);
    let Ok(db) = folder.open() else { return };
    assert_eq!(read_all(&db, expected.len()).as_ref(), Some(expected));
}

/// The `CURRENT` of the database that [`current`] works on, for a seed.
pub fn a_current() -> Vec<u8> {
    CLOSED.0.vfs().read_file(&PathBuf::from("/db/CURRENT")).expect("it is there")
}

/// A table. If `verify` finds nothing, every way of reading gives the same.
pub fn table_scan(input: &[u8]) {
    both(input, |file| bounded(table_memory(file), || table_once(file)));
}

/// Bytes that a table may cost: blocks are unpacked one at a time, and hold what their compression can make of them.
fn table_memory(file: &[u8]) -> usize {
    let blocks = table::Layout::of(file).map(|layout| layout.blocks).unwrap_or_default();
    let factor = |handle: &table::Handle| match file.get(handle.offset.saturating_add(handle.len)) {
        Some(1) => 255,
        Some(2) => 1 << 16,
        _ => 8,
    };
    let unpacked = blocks.iter().map(|handle| handle.len.min(file.len()).saturating_mul(factor(handle)));
    MEMORY + 32 * file.len() + unpacked.max().unwrap_or(0).saturating_mul(3)
}

fn table_once(file: &[u8]) {
    if file.len() < HEADER {
        return;
    }
    let Ok(db) = Folder::of_table(file, 1).open() else { return };
    let held = read_all(&db, most_entries(file));
    // Merging reads it in another way still.
    match db.compact_range::<&[u8]>(..) {
        Ok(()) => assert!(held.is_none() || read_all(&db, most_entries(file)) == held, "after a compaction"),
        Err(error) => assert!(held.is_none() || matches!(error, Error::Incompatible { .. }), "{error}"),
    }
}

/// How many entries the blocks of a table can hold.
fn most_entries(file: &[u8]) -> usize {
    let blocks = table::Layout::of(file).map_or(0, |layout| layout.blocks.len());
    blocks * usize::from(u16::MAX)
}

/// Any bytes, as text. What `inspect` cannot read it says, with the file's name.
pub fn inspect(input: &[u8]) {
    let path =
        std::env::temp_dir().join(format!("siltstone-fuzz-{}-{:?}", process::id(), thread::current().id()));
    both(input, |file| {
        fs::write(&path, file).expect("a temporary file");
        let mut text = String::new();
        let read = bounded(table_memory(file) + 64 * file.len(), || siltstone::inspect(&path, &mut text));
        if let Err(error) = read {
            assert!(error.to_string().contains(&*path.to_string_lossy()), "no file is named: {error}");
        }
        // Writing over a file is a hundred times slower: some file systems then wait for the disk.
        fs::remove_file(&path).expect("it was just written");
    });
}
