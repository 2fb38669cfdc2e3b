//! Transactions against a map, and what a sweep takes away.

use super::Reach;
use super::gather::Gather;
use super::locks::Held;
use super::spaces::Space;
use super::sweep::Position;
use super::txn::Txn;
use super::{Dataset, Halt};
use crate::random::Random;
use crate::store::{
    Capabilities, Commit, Entries, LsmEngine, MemoryEngine, Room, Scan, StorageEngine, Value,
};
use crate::{Db, Durability, Result, Slice, WriteBatch};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

fn memory() -> Dataset {
    Dataset::open(Arc::new(MemoryEngine::new()), 1 << 20).unwrap()
}

fn text(text: &str) -> Value<'_> {
    Value::Bytes(text.as_bytes().into())
}

fn commit<T>(data: &Dataset, run: impl FnOnce(&mut Txn<'_>) -> Result<T, Halt>) -> T {
    let mut txn = Txn::begin(data, data.stripes().lock_all(Reach::Anywhere).unwrap(), 0, Reach::Anywhere);
    let done = run(&mut txn).unwrap();
    if let Some(commit) = txn.commit().unwrap() {
        commit.wait().unwrap();
    }
    done
}

fn set_fields(data: &Dataset, key: &str, fields: &[(&str, &str)]) {
    commit(data, |txn| {
        let mut hash = txn.hash_or_new(key.as_bytes())?;
        for (field, value) in fields {
            txn.set_field(&mut hash, field.as_bytes(), value.as_bytes())?;
        }
        txn.store_hash(key.as_bytes(), &hash)
    });
}

/// How many entries the space of all fields has.
fn field_entries(data: &Dataset) -> usize {
    let fields = data.spaces().get(Space::FIELDS).unwrap();
    data.engine().view().unwrap().range(fields, Scan::all()).unwrap().count()
}

#[test]
fn what_a_hash_leaves_behind_is_swept_and_nothing_else() {
    let data = memory();
    set_fields(&data, "kept", &[("a", "1"), ("b", "2")]);
    set_fields(&data, "overwritten", &[("a", "1"), ("b", "2")]);
    set_fields(&data, "renamed", &[("a", "1")]);
    commit(&data, |txn| {
        let entry = txn.find(b"renamed")?.unwrap();
        txn.move_entry(b"renamed", (0, b"new name"), &entry)
    });
    let mut gather = Gather::default();
    gather.put(&data, 0, b"overwritten", &text("plain"), None).unwrap();
    gather.write(&data, Reach::Anywhere).unwrap().unwrap().wait().unwrap();
    assert_eq!(field_entries(&data), 3 + 3 + 2);
    let step = data.sweep(Position::default(), 100).unwrap();
    assert_eq!((step.next, step.removed), (None, 1));
    assert_eq!(field_entries(&data), 3 + 2);
    let all = commit(&data, |txn| {
        let hash = txn.hash(b"new name")?.unwrap();
        txn.fields(&hash, b"")?.collect::<Result<Vec<_>, _>>()
    });
    assert_eq!(all, [(b"a".to_vec(), Slice::copy_of(b"1"))]);
    // Databases that are exchanged take their hashes along.
    data.swap(0, 1, Reach::Anywhere).unwrap();
    assert_eq!(data.sweep(Position::default(), 100).unwrap().removed, 0);
    data.swap(0, 1, Reach::Anywhere).unwrap();
    // One at a time it comes to the same.
    let (mut at, mut steps) = (Some(Position::default()), 0);
    while let Some(position) = at {
        let step = data.sweep(position, 1).unwrap();
        assert_eq!(step.removed, 0);
        at = step.next;
        steps += 1;
    }
    assert_eq!(steps, 3);
}

#[test]
fn numbers_of_hashes_are_used_once_across_restarts() {
    let engine = Arc::new(MemoryEngine::new());
    let mut seen = Vec::new();
    for _ in 0..3 {
        let data = Dataset::open(engine.clone(), 1 << 20).unwrap();
        for _ in 0..3 {
            seen.push(data.ids.next(&*data.engine, &data.spaces).unwrap());
        }
    }
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted, seen, "each is new, and higher than those before");
}

#[test]
fn databases_keep_their_places_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    for round in 0..2 {
        let db = Db::open(&path).unwrap();
        let engine = Arc::new(LsmEngine::new(db.clone()));
        let data = Dataset::open(engine, 1 << 20).unwrap();
        let value = |database| {
            let mut txn = Txn::begin(&data, Held::None, database, Reach::Anywhere);
            txn.find(b"k").unwrap().map(|entry| entry.text().unwrap().into_owned())
        };
        if round == 0 {
            assert!(!data.spaces().is_made(3));
            data.spaces().select(&**data.engine(), 3).unwrap();
            let mut gather = Gather::default();
            gather.put(&data, 0, b"k", &text("zero"), None).unwrap();
            gather.put(&data, 3, b"k", &text("three"), None).unwrap();
            gather.write(&data, Reach::Anywhere).unwrap().unwrap().wait().unwrap();
            data.swap(0, 3, Reach::Anywhere).unwrap();
        }
        assert_eq!(value(0).unwrap(), b"three", "round {round}");
        assert_eq!(value(3).unwrap(), b"zero", "round {round}");
        db.close().unwrap();
    }
}

/// Reads of an engine that has everything on a disk.
struct Cold(MemoryEngine);

impl StorageEngine for Cold {
    fn get(&self, key: &[u8]) -> Result<Option<Slice>> {
        self.0.get(key)
    }
    fn range(&self, scan: Scan<'_>) -> Result<Entries> {
        self.0.range(scan)
    }
    fn write(&self, batch: WriteBatch, durability: Option<Durability>) -> Result<Commit> {
        self.0.write(batch, durability)
    }
    fn room(&self, bytes: usize) -> Room {
        self.0.room(bytes)
    }
    fn stats_json(&self) -> String {
        self.0.stats_json()
    }
    fn sync(&self) -> Result<()> {
        self.0.sync()
    }
    fn close(&self) -> Result<()> {
        self.0.close()
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { blocking_reads: true, ..Capabilities::default() }
    }
}

#[test]
fn what_must_not_wait_halts_before_it_has_written() {
    let data = Dataset::open(Arc::new(Cold(MemoryEngine::new())), 1 << 20).unwrap();
    let mut txn = Txn::begin(&data, Held::None, 0, Reach::Memory);
    txn.put(b"k", &text("v"), None).unwrap();
    assert!(matches!(txn.find(b"other"), Err(Halt::Slow)));
    assert!(txn.find(b"k").unwrap().is_some(), "what it wrote itself is in memory");
    assert!(matches!(txn.walk(Scan::all()), Err(Halt::Slow)));
    drop(txn);
    assert!(data.engine().get(b"k").unwrap().is_none());
    // An engine with one keyspace has the first database, and no hashes.
    let mut txn = Txn::begin(&data, Held::None, 0, Reach::Anywhere);
    assert!(txn.hash_or_new(b"h").is_err());
    assert!(data.spaces().select(&**data.engine(), 1).is_err());
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// One change of a transaction, done to the model as well; then everything is compared.
fn change(random: &mut Random, txn: &mut Txn<'_>, model: &mut Model) -> Result<(), Halt> {
    let key = vec![b'a' + random.below(6) as u8];
    match random.below(12) {
        0..5 => {
            let value = random.next().to_string();
            txn.put(&key, &text(&value), None)?;
            model.insert(key, value.into_bytes());
        }
        5..7 => assert_eq!(txn.delete(&key)?, model.remove(&key).is_some()),
        7 => {
            txn.clear()?;
            model.clear();
        }
        8 => {
            let end = vec![b'a' + random.below(6) as u8];
            let bounds = (std::ops::Bound::Included(&key[..]), std::ops::Bound::Excluded(&end[..]));
            txn.clear_range(bounds)?;
            model.retain(|known, _| !(*known >= key && *known < end));
        }
        9 => {
            txn.put(&key, &text("over"), Some(SystemTime::UNIX_EPOCH))?;
            model.remove(&key);
        }
        _ => {
            let other = vec![b'a' + random.below(6) as u8];
            if let Some(entry) = txn.find(&key)?.filter(|_| key != other) {
                txn.move_entry(&key, (0, &other), &entry)?;
                let value = model.remove(&key).unwrap();
                model.insert(other, value);
            }
        }
    }
    compare(random, txn, model)
}

fn compare(random: &mut Random, txn: &mut Txn<'_>, model: &Model) -> Result<(), Halt> {
    for key in b'a'..b'g' {
        let found = txn.find(&[key])?.map(|entry| entry.text().unwrap().into_owned());
        assert_eq!(found.as_ref(), model.get(&vec![key]));
    }
    let limit = 1 + random.below(6);
    let scan = Scan::all().limited(limit);
    let (reversed, scan) = if random.flip() { (true, scan.reversed()) } else { (false, scan) };
    let walked: Vec<_> = txn.walk(scan)?.map(Result::unwrap).map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
    let mut expected: Vec<_> = model.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    if reversed {
        expected.reverse();
    }
    expected.truncate(limit);
    assert_eq!(walked, expected, "reversed: {reversed}");
    Ok(())
}

#[test]
fn a_transaction_sees_what_it_wrote_and_others_see_it_whole() {
    for seed in 0..300 {
        let data = memory();
        let (mut random, mut model) = (Random::new(seed), Model::new());
        for _ in 0..6 {
            let (before, keeps) = (model.clone(), random.below(4) > 0);
            let mut txn =
                Txn::begin(&data, data.stripes().lock_all(Reach::Anywhere).unwrap(), 0, Reach::Anywhere);
            for _ in 0..random.below(12) {
                change(&mut random, &mut txn, &mut model)
                    .unwrap_or_else(|halt| panic!("seed {seed}: {halt:?}"));
                assert_eq!(seen(&data), before, "seed {seed}: nobody sees a part");
            }
            if keeps {
                drop(txn.commit().unwrap());
            } else {
                drop(txn);
                model = before;
            }
            assert_eq!(seen(&data), model, "seed {seed}");
        }
    }
}

/// What everybody else sees.
fn seen(data: &Dataset) -> Model {
    let entries = data.engine().range(Scan::all()).unwrap();
    entries.map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()).collect()
}
