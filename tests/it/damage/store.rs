//! The stores that are damaged: several sets of features, closed ones, and one whose power was cut.

use crate::history::{Map, Step, Write, apply, delete_range, range_of, write};
use crate::support::buffer_of;
use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::{Background, Compression, Db, Durability, Options};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A store, and what it holds.
pub struct Store {
    pub name: &'static str,
    pub vfs: MemVfs,
    pub expected: Map,
    /// The states before it, the last one first, as far as the log reaches; none where there is no log.
    pub before: Vec<Map>,
    /// Everything that was ever written for a key; `None` where it was deleted, or not there yet.
    pub ever: BTreeMap<Vec<u8>, BTreeSet<Option<Vec<u8>>>>,
    /// The same at earlier times, and another database.
    pub earlier: Vec<MemVfs>,
    pub other: MemVfs,
    /// The logs after each step, without the zeros behind them.
    pub logs: Vec<(PathBuf, Vec<u8>)>,
}

/// What a store is made with.
#[derive(Clone, Copy)]
pub struct Features {
    pub name: &'static str,
    pub compression: Compression,
    pub filter_bits: u32,
    /// Writes before the first compaction: more make more levels.
    pub writes: usize,
}

pub fn options(vfs: &MemVfs, compression: Compression, filter_bits: u32, seed: u64) -> Options {
    Options::default()
        .vfs(Arc::new(vfs.clone()))
        .clock(Arc::new(SimClock::new(seed)))
        .background(Background::Stepped)
        .memtable_bytes(buffer_of(12))
        .table_bytes(500)
        .block_bytes(150)
        .level_ratio(2)
        .compression(compression)
        .filter_bits(filter_bits)
}

/// Writes that leave tables in several levels, deletions and a keyspace among them, and then some more.
fn steps(features: Features) -> Vec<Step> {
    let writes = features.writes;
    let key = |n: usize| format!("key{:03}", n * 37 % (writes * 3 / 2)).into_bytes();
    let put = |n: usize| {
        let len = if n.is_multiple_of(17) { 700 } else { n % 30 };
        Step::Write(vec![(key(n), Some(vec![b'a' + (n % 26) as u8; len]))], None)
    };
    let delete = |n: usize| Step::Write(vec![(key(n), None)], None);
    let batch = |n: usize| {
        let put = |n: usize| (key(n), Some(vec![b'A' + (n % 26) as u8; 5]));
        Step::Write(vec![put(n), (key(n + 1), None), put(n + 2)], None)
    };
    let mut steps: Vec<Step> = (0..writes).map(put).collect();
    if writes < 100 {
        steps.push(Step::Compact);
    }
    steps.extend((writes..writes + 10).map(put));
    // One deletion of a range goes to the manifest, and stays there: tables below have keys in it. With some features there is
    // none, for without its manifest such a store cannot be repaired completely.
    let has_ranges = writes > 100 || features.compression == Compression::None;
    let range = |n: usize| {
        let range = range_of((0..writes * 3 / 2).map(key), &key(n), &[&key(n)[..6], b"~"].concat());
        Some(range).filter(|_| has_ranges)
    };
    steps.extend([delete(3), delete(writes + 1), batch(writes - 3)]);
    steps.extend(range(5));
    steps.push(Step::Flush);
    steps.extend(range(writes - 5));
    steps.extend((writes + 10..writes + 14).map(put));
    steps
}

/// Does the steps one by one and remembers what came of it.
struct Building {
    vfs: MemVfs,
    db: Db,
    map: Map,
    /// The states since the last flush, oldest first.
    before: Vec<Map>,
    ever: BTreeMap<Vec<u8>, BTreeSet<Option<Vec<u8>>>>,
    earlier: Vec<MemVfs>,
    logs: Vec<(PathBuf, Vec<u8>)>,
}

impl Building {
    fn new(features: Features, seed: u64) -> Building {
        let vfs = MemVfs::new();
        let options = options(&vfs, features.compression, features.filter_bits, seed);
        let db = options.durability(Durability::Sync).open("/db").unwrap();
        let (map, ever) = (Map::new(), BTreeMap::new());
        Building { vfs, db, before: Vec::new(), map, ever, earlier: Vec::new(), logs: Vec::new() }
    }

    fn step(&mut self, step: &Step) {
        for path in self.vfs.files().into_iter().filter(|path| path.extension() == Some("log".as_ref())) {
            self.logs.push((path.clone(), without_zeros(&self.vfs.read_file(&path).unwrap()).to_vec()));
        }
        match step {
            Step::Write(writes, durability) => {
                write(&self.db, writes, *durability).unwrap();
                self.wrote(writes);
            }
            Step::DeleteRange(keys) => {
                delete_range(&self.db, keys).unwrap();
                self.wrote(keys);
            }
            Step::Flush => {
                self.db.flush().unwrap();
                self.before.clear();
            }
            _ => {
                self.earlier.push(self.vfs.crash_image(CrashPolicy::All, 0));
                self.db.compact_range::<&[u8]>(..).unwrap();
            }
        }
    }

    fn wrote(&mut self, writes: &Write) {
        self.before.push(self.map.clone());
        apply(&mut self.map, writes);
        for (key, value) in writes {
            self.ever.entry(key.clone()).or_insert_with(|| [None].into()).insert(value.clone());
        }
    }

    fn steps(&mut self, steps: &[Step]) {
        let half = steps.len() / 2;
        for (at, step) in steps.iter().enumerate() {
            self.step(step);
            if at == half {
                self.earlier.push(self.vfs.crash_image(CrashPolicy::All, 0));
            }
        }
    }
}

/// A store that was closed.
pub fn closed(features: Features) -> Store {
    let build = |seed: u64| {
        let mut building = Building::new(features, seed);
        building.steps(&steps(features));
        building.earlier.push(building.vfs.crash_image(CrashPolicy::All, 0));
        building.db.close().unwrap();
        building
    };
    let Building { vfs, map, ever, earlier, logs, .. } = build(1);
    let (name, other) = (features.name, build(2).vfs);
    Store { name, vfs, expected: map, before: Vec::new(), ever, earlier, other, logs }
}

/// A store whose power was cut at the end, with two segments of log in use.
pub fn cut(features: Features) -> Store {
    let build = |seed: u64| {
        let mut building = Building::new(features, seed);
        building.steps(&steps(features));
        // The log rotates when it is half full and a buffer is, so some long values are needed.
        let long = |n: usize| Step::Write(vec![(b"long".to_vec(), Some(vec![n as u8; 1000]))], None);
        for n in 0..60 {
            if used_segments(&building.vfs) == 2 {
                break;
            }
            building.step(&long(n));
        }
        assert_eq!(used_segments(&building.vfs), 2);
        steps(features)[1..4].iter().for_each(|step| building.step(step));
        building
    };
    let built = build(1);
    let other = build(2).vfs.crash_image(CrashPolicy::Strict, 0);
    Store {
        name: features.name,
        vfs: built.vfs.crash_image(CrashPolicy::Strict, 0),
        expected: built.map.clone(),
        before: built.before.iter().rev().cloned().collect(),
        ever: built.ever.clone(),
        earlier: built.earlier.clone(),
        logs: built.logs.clone(),
        other,
    }
}

/// A segment is in use when something follows its header.
fn used_segments(vfs: &MemVfs) -> usize {
    let is_used = |path: &PathBuf| {
        let log = path.extension() == Some("log".as_ref());
        log && vfs.read_file(path).unwrap().iter().skip(32).any(|byte| *byte != 0)
    };
    vfs.files().iter().filter(|path| is_used(path)).count()
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
}

impl Store {
    /// Whether a log was exactly this before its last records were written. Then no file tells that they ever were, and they
    /// may be missing without a word: nothing is damaged that anything vouches for. Nor is anything where it differs in the
    /// zeros behind its end alone.
    pub fn was_so(&self, path: &Path, bytes: &[u8]) -> bool {
        let is = self.vfs.read_file(path).unwrap_or_default();
        let was = self.logs.iter().any(|(of, then)| of == path && then == without_zeros(bytes));
        was || without_zeros(&is) == without_zeros(bytes)
    }

    pub fn files(&self, ending: &str) -> Vec<PathBuf> {
        self.vfs.files().into_iter().filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
    }
}
