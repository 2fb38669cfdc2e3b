//! The danger: files, indexes or engines of a user's own do not get what the documentation promises them, or are not held to it.
//!
//! They are those of `examples/`, so that what a reader copies is what is tested here.

use crate::history::{Map, scan};
use crate::support::Random;
use siltstone::index::{self, Index, NewIndex};
use siltstone::store::{LsmEngine, MemoryEngine, StorageEngine, conformance};
use siltstone::vfs::mem::{CrashPolicy, MemVfs};
use siltstone::vfs::{Mode, Vfs};
use siltstone::{Background, Db, Durability, Options};
use std::path::Path;
use std::sync::Arc;

#[path = "../../examples/encrypted.rs"]
#[allow(dead_code, reason = "its `main` is for users")]
mod encrypted;
#[path = "../../examples/engine.rs"]
#[allow(dead_code, reason = "its `main` is for users")]
mod engine;

use encrypted::{EncryptedVfs, Secret};
use engine::index::TreeIndex;
use engine::{LogEngine, Shared};

const SECRET: Secret = [[7; 32], [8; 32]];

fn over(mem: &MemVfs) -> EncryptedVfs {
    EncryptedVfs::new(Arc::new(mem.clone()), &SECRET)
}

/// Writes, cuts and reads at any place agree with a vector of bytes, also in a file that is opened anew.
#[test]
fn an_encrypted_file_is_a_file() {
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let vfs = over(&MemVfs::new());
        let path = Path::new("/file");
        let mut file = vfs.open(path, Mode::CreateNew).unwrap();
        let mut model: Vec<u8> = Vec::new();
        for step in 0..200 {
            let (at, len) = (random.below(150), random.below(70));
            match random.below(5) {
                0 => {
                    file.set_len(at as u64).unwrap();
                    model.resize(at, 0);
                }
                1 => file = vfs.open(path, Mode::Write).unwrap(),
                _ => {
                    let bytes: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
                    file.write_at(&bytes, at as u64).unwrap();
                    if len > 0 {
                        model.resize(model.len().max(at + len), 0);
                        model[at..at + len].copy_from_slice(&bytes);
                    }
                }
            }
            let what = format!("seed {seed}, step {step}");
            assert_eq!(file.len().unwrap(), model.len() as u64, "{what}");
            assert_eq!(vfs.len(path).unwrap(), Some(model.len() as u64), "{what}");
            assert_eq!(file.map().unwrap().bytes(), model, "{what}");
            let mut part = vec![0; len];
            let found = file.read_at(&mut part, at as u64).unwrap();
            let expected = model.get(at..).unwrap_or_default();
            assert_eq!(part[..found], expected[..expected.len().min(len)], "{what}");
        }
    }
}

/// Over files in memory that lose what was not synced, a database keeps what was acknowledged, and shows nobody a word of it.
#[test]
fn an_encrypted_database_survives_power_cuts_and_tells_nothing() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let mut mem = MemVfs::new();
        let mut map = Map::new();
        for _ in 0..5 {
            let options = Options::default().vfs(Arc::new(over(&mem))).memtable_bytes(8 << 10);
            let db = options.background(Background::Stepped).open("/db").unwrap();
            assert_eq!(scan(&db).unwrap(), map, "seed {seed}");
            for _ in 0..60 {
                let key = format!("secret{}", random.below(80)).into_bytes();
                let value = vec![b'v'; random.below(400)];
                db.put(&key, &value).unwrap();
                map.insert(key, value);
            }
            let cut = mem.crash_image(CrashPolicy::Mixed, random.next());
            drop(db);
            mem = cut;
        }
        for path in mem.files() {
            let file = mem.open(&path, Mode::Read).unwrap();
            let bytes = file.map().unwrap();
            let shown = ["secret", "vvvvvvvv", "siltston"]
                .iter()
                .find(|word| encrypted::contains(bytes.bytes(), word));
            assert_eq!(shown, None, "{}", path.display());
        }
        let report = Options::default().vfs(Arc::new(over(&mem))).verify("/db", &|_| {}).unwrap();
        assert!(report.is_sound(), "seed {seed}: {report}");
    }
}

#[test]
fn a_wrong_key_is_an_error_and_harms_nothing() {
    let mem = MemVfs::new();
    let open = |secret: Secret| {
        let vfs = EncryptedVfs::new(Arc::new(mem.clone()), &secret);
        Options::default().vfs(Arc::new(vfs)).open("/db")
    };
    let db = open(SECRET).unwrap();
    db.put("k", "v").unwrap();
    db.close().unwrap();
    let error = open([[8; 32]; 2]).unwrap_err();
    assert!(matches!(error, siltstone::Error::Corruption(_)), "{error}");
    assert_eq!(open(SECRET).unwrap().get("k").unwrap().unwrap(), "v");
}

#[test]
fn an_index_is_held_to_its_contract() {
    index::check(TreeIndex::default).unwrap();
    let error = index::check(Backwards::default).unwrap_err();
    assert!(error.contains("found") && error.contains("expected"), "{error}");
}

/// Takes older versions for newer ones.
#[derive(Debug, Default)]
struct Backwards(Arc<TreeIndex>);

impl Index for Backwards {
    fn insert(&self, key: &[u8], version: u64, place: u64) {
        self.0.insert(key, !version, place);
    }

    fn cursor(self: Arc<Self>) -> Box<dyn index::Cursor> {
        Arc::clone(&self.0).cursor()
    }

    fn bytes_per_entry(&self) -> usize {
        self.0.bytes_per_entry()
    }
}

/// A database with an index of the user's own is the same map, with threads beside the writer and over flushes.
#[test]
fn a_database_with_an_index_of_its_own_is_the_same_map() {
    let seed = 1;
    let mut random = Random::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default().durability(Durability::Os).memtable_index(TreeIndex::default);
    let options = options.memtable_bytes(4 << 20);
    let mut map = Map::new();
    for round in 0..3 {
        let db = options.clone().open(folder.path().join("db")).unwrap();
        assert!(scan(&db).unwrap() == map, "seed {seed}, round {round}");
        let reader = std::thread::spawn({
            let db = db.clone();
            move || while !is_closed_or_ordered(&db) {}
        });
        // More than one list of the buffer holds, so that lists are sealed.
        for _ in 0..40_000 {
            let key = format!("{:05}", random.below(20_000)).into_bytes();
            if random.below(4) == 0 {
                db.delete(&key).unwrap();
                map.remove(&key);
            } else {
                let value = random.next().to_le_bytes().to_vec();
                db.put(&key, &value).unwrap();
                map.insert(key, value);
            }
        }
        assert!(scan(&db).unwrap() == map, "seed {seed}, round {round}");
        let back: Vec<_> = db.iter().rev().map(|entry| entry.unwrap().0.to_vec()).collect();
        assert!(back.iter().eq(map.keys().rev()), "seed {seed}, round {round}");
        db.close().unwrap();
        reader.join().unwrap();
    }
}

/// Walks some of the database; true once it is closed.
fn is_closed_or_ordered(db: &Db) -> bool {
    let mut last: Option<siltstone::Slice> = None;
    for entry in db.iter().take(1000) {
        let Ok((key, _)) = entry else { return true };
        assert!(last.as_ref().is_none_or(|last| *last < key), "{key:?} after {last:?}");
        last = Some(key);
    }
    db.get("x").is_err()
}

#[test]
fn every_engine_passes_the_same_checks() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    let path = || folder.path().join(number.replace(number.get() + 1).to_string());
    conformance::check(MemoryEngine::new).unwrap();
    conformance::check(|| LsmEngine::new(Db::open(path()).unwrap())).unwrap();
    let small = || Options::default().memtable_bytes(16 << 10).background(Background::Stepped);
    conformance::check(|| LsmEngine::new(small().open(path()).unwrap())).unwrap();
    let same = path();
    conformance::check_durable(|| LsmEngine::new(small().open(&same).unwrap())).unwrap();
}

/// The two halves of the example, each with the other's: plain and encrypted files, one index and another.
#[test]
fn an_engine_of_a_log_and_an_index_passes_them_too() {
    let tree = NewIndex::new(TreeIndex::default);
    let open = |vfs: &dyn Vfs, path: &Path| Shared::new(LogEngine::open(vfs, path, &tree).unwrap());
    conformance::check(|| open(&MemVfs::new(), Path::new("/log"))).unwrap();
    conformance::check(|| open(&over(&MemVfs::new()), Path::new("/log"))).unwrap();
    let (plain, other) = (MemVfs::new(), MemVfs::new());
    conformance::check_durable(|| open(&plain, Path::new("/log"))).unwrap();
    conformance::check_durable(|| open(&over(&other), Path::new("/log"))).unwrap();
    assert!(conformance::check_durable(MemoryEngine::new).unwrap_err().contains("not durable"));
}

/// What was acknowledged is there after a power cut, and nothing of a batch without the rest.
#[test]
fn an_engine_of_a_log_and_an_index_survives_power_cuts() {
    let tree = NewIndex::new(TreeIndex::default);
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let mem = MemVfs::new();
        let engine = Shared::new(LogEngine::open(&mem, Path::new("/log"), &tree).unwrap());
        let mut acknowledged = 0_u64;
        for n in 1..30 {
            let mut batch = siltstone::WriteBatch::new();
            ["one", "two"].iter().for_each(|key| batch.put(key, u64::to_be_bytes(n)));
            let durability = if random.one_in(2) { Durability::Sync } else { Durability::Os };
            engine.write(batch, Some(durability)).unwrap().wait().unwrap();
            acknowledged = if durability == Durability::Sync { n } else { acknowledged };
        }
        let cut = mem.crash_image(CrashPolicy::Mixed, seed);
        let engine = Shared::new(LogEngine::open(&cut, Path::new("/log"), &tree).unwrap());
        let value = |key: &str| engine.get(key.as_bytes()).unwrap();
        let found = value("one").map_or(0, |value| u64::from_be_bytes(value[..].try_into().unwrap()));
        assert!(
            value("one") == value("two") && found >= acknowledged,
            "seed {seed}: {found}, {acknowledged}"
        );
    }
}
