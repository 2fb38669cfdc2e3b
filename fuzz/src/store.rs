//! Small databases in memory whose files are the fuzzer's, and what must hold of any database that opens.

use crate::format::{LOG, MANIFEST, Place, TABLE, current, log, manifest, table};
use siltstone::vfs::mem::{MemVfs, SimClock};
use siltstone::{Background, Compression, Db, Error, Options, Result, Slice};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Where all of them lie.
pub const FOLDER: &str = "/db";
/// The time there, in milliseconds since 1970: where a `SimClock` begins.
pub const NOW: u64 = 1_700_000_000_000;
/// No log segment may be shorter.
pub const SEGMENT: usize = 64 << 10;
/// What opening, reading and closing a small database may take: its buffers, its log segments, its file system.
pub const MEMORY: usize = 4 << 20;

/// A folder of files.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    vfs: MemVfs,
}

impl Folder {
    /// Gives the file `name` these bytes.
    pub fn put(self, name: &str, bytes: &[u8]) -> Folder {
        self.vfs.write_file(&path(name), bytes).expect("a file in memory");
        self
    }

    /// A folder with `CURRENT` and a manifest of these edits.
    pub fn with_edits(database: u64, edits: &[Vec<u8>]) -> Folder {
        let manifest = manifest::file(database, 1, edits);
        Folder::default().put("CURRENT", &current::dirty(database, 1)).put("000001.manifest", &manifest)
    }

    /// A folder that needs this log segment, whatever is in it; zeros follow it as they do in a real one.
    pub fn of_log(segment: &[u8]) -> Folder {
        let place = Place::of(segment).unwrap_or(Place { kind: LOG, database: 1, number: 1 });
        // A number that names files must leave room for the next ones; others are another target's.
        let number = place.number.clamp(1, 1 << 60);
        let mut segment = segment.to_vec();
        segment.resize(segment.len().max(SEGMENT), 0);
        Folder::with_edits(place.database, &[manifest::logs(number, number)])
            .put(&name(LOG, number), &segment)
    }

    /// A folder with this one table, as its properties describe it.
    pub fn of_table(file: &[u8], level: u8) -> Folder {
        let summary = table::summary(file);
        Folder::described(file, level, summary.unwrap_or_else(|| table::some_summary(file)))
    }

    /// A folder with this one table, as `summary` describes it.
    pub fn described(file: &[u8], level: u8, mut summary: manifest::Summary) -> Folder {
        let place = Place::of(file).unwrap_or(Place { kind: TABLE, database: 1, number: 1 });
        summary.number = summary.number.clamp(1, 1 << 60);
        let mut edit = manifest::logs(1, 0);
        manifest::add_table(&mut edit, level, &summary);
        Folder::with_edits(place.database, &[edit]).put(&name(TABLE, summary.number), file)
    }

    /// The file system it lies on.
    pub fn vfs(&self) -> &MemVfs {
        &self.vfs
    }

    /// Opens it, and checks that a failure says which file it is about.
    pub fn open(&self) -> Result<Db> {
        options(&self.vfs).open(FOLDER).inspect_err(check_error)
    }
}

impl From<MemVfs> for Folder {
    fn from(vfs: MemVfs) -> Folder {
        Folder { vfs }
    }
}

/// The name of a file of this kind.
pub fn name(kind: u8, number: u64) -> String {
    let ending = match kind {
        LOG => "log",
        TABLE => "table",
        MANIFEST => "manifest",
        _ => "unknown",
    };
    format!("{number:06}.{ending}")
}

fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// How they are opened: everything on the calling thread, and the same each time.
pub fn options(vfs: &MemVfs) -> Options {
    Options::default()
        .vfs(Arc::new(vfs.clone()))
        .clock(Arc::new(SimClock::new(1)))
        .background(Background::Stepped)
        .memtable_bytes(16 << 10)
        .table_bytes(2 << 10)
        .block_bytes(256)
        .memory_budget(2 << 20)
        .level_ratio(2)
        .compression(Compression::Lz4)
}

/// What bytes on disk may lead to: an error that is of the right kind and says where.
pub fn check_error(error: &Error) {
    let expected = matches!(error, Error::Corruption(_) | Error::Incompatible { .. });
    assert!(expected, "another error than damage: {error}");
    // What shows only where several tables are merged is of no certain file.
    let text = error.to_string();
    let merged = ["entry kind", "expiring value", "comes after"].iter().any(|what| text.contains(what));
    assert!(text.contains(FOLDER) || (merged && text.contains("the database")), "no file is named: {error}");
}

/// What a walk gave, and whether it ended with an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    pub pairs: Vec<(Vec<u8>, Vec<u8>)>,
    pub failed: bool,
}

/// Walks to the end or the first error, at most `most` pairs.
pub fn walk(pairs: impl Iterator<Item = Result<(Slice, Slice)>>, most: usize) -> Walk {
    let mut walk = Walk::default();
    for pair in pairs {
        match pair {
            Ok((key, value)) => walk.pairs.push((key.to_vec(), value.to_vec())),
            Err(error) => {
                check_error(&error);
                walk.failed = true;
                break;
            }
        }
        assert!(walk.pairs.len() <= most, "a walk of more than {most} pairs");
    }
    walk
}

/// Reads a database in every way. Nothing may panic or go on for ever; and if its tables are sound, as `verify` sees it, all
/// ways must agree. Returns what it holds, if it is sound.
pub fn read_all(db: &Db, most: usize) -> Option<Map> {
    let sound = db.verify().expect("an open database").is_sound();
    let forward = walk(db.iter(), most);
    let mut reverse = walk(db.iter().rev(), most);
    reverse.pairs.reverse();
    let keys = forward.pairs.iter().chain(&reverse.pairs).map(|(key, _)| key);
    for key in keys.take(64) {
        if let Err(error) = db.get(key) {
            check_error(&error);
        }
    }
    // A kind of entry that is reserved, in a table that is what its checksums say, is refused at reading.
    if !sound || forward.failed || reverse.failed {
        return None;
    }
    check_agreement(db, &forward, &reverse);
    Some(forward.pairs.into_iter().collect())
}

/// Forwards, backwards, from any key and by key: all must give the same.
fn check_agreement(db: &Db, forward: &Walk, reverse: &Walk) {
    assert_eq!(forward, reverse, "forwards and backwards differ");
    let pairs = &forward.pairs;
    assert!(pairs.windows(2).all(|pair| pair[0].0 < pair[1].0), "keys are out of order");
    let step = 1 + pairs.len() / 32;
    for (i, (key, value)) in pairs.iter().enumerate().step_by(step) {
        let found = db.get(key).expect("a sound table");
        assert!(found.is_some_and(|found| found == *value), "get of {} differs", key.escape_ascii());
        let behind = [&key[..], &[0]].concat();
        let next = pairs.get(i + 1);
        let found = db.get(&behind).expect("a sound table");
        assert_eq!(found.as_deref(), next.filter(|next| next.0 == behind).map(|next| &next.1[..]));
        let bounds = (Bound::Excluded(&key[..]), Bound::Unbounded);
        assert_eq!(owned(db.range::<&[u8]>(bounds).next()), next.cloned(), "seek behind a key");
        let bounds = (Bound::Unbounded, Bound::Excluded(&key[..]));
        let before = i.checked_sub(1).map(|i| pairs[i].clone());
        assert_eq!(owned(db.range::<&[u8]>(bounds).next_back()), before, "seek before a key");
    }
}

fn owned(pair: Option<Result<(Slice, Slice)>>) -> Option<(Vec<u8>, Vec<u8>)> {
    pair.map(|pair| pair.map(|(key, value)| (key.to_vec(), value.to_vec())).expect("a sound table"))
}

/// The batches that a segment's bytes hold, as this package reads them; `None` when they cannot be replayed.
pub fn replay(segment: &[u8]) -> Option<Map> {
    let place = Place::of(segment)?;
    log::replay(log::chain(&place, segment), NOW)
}
