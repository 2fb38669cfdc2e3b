//! Random operations on a database and on a `BTreeMap`, compared at every step; with reopening and power cuts.
//!
//! A run is decided by its seed, which a failure prints: `SILTSTONE_SEED=… cargo test --test it model` repeats it.
//! `SILTSTONE_MODEL_OPS` sets how many operations are done in all (default 1,000,000).
//!
//! After a power cut the database must hold the state after some prefix of the writes: at least everything that was
//! acknowledged as durable, and for a mere kill everything that was acknowledged at all.

use crate::support::{Random, from_env, key, value};
use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::{
    Background, Compression, Db, Durability, Options, Range, Slice, Snapshot, WriteBatch, WriteOptions,
};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;
type Write = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Operations of one run.
const RUN: u64 = 5_000;

#[test]
fn a_million_random_operations_agree_with_a_map() {
    let total = from_env("SILTSTONE_MODEL_OPS", 1_000_000);
    let first = from_env("SILTSTONE_SEED", 1);
    let (mut crashes, mut flushes) = (0, 0);
    for seed in first..first + total.div_ceil(RUN) {
        let run = std::panic::catch_unwind(|| run(seed));
        let (c, f) = run.unwrap_or_else(|_| panic!("the run with SILTSTONE_SEED={seed} failed, see above"));
        crashes += c;
        flushes += f;
    }
    println!("{total} operations from seed {first}: {crashes} power cuts, {flushes} flushes");
    assert!(crashes > 0 && flushes > 0);
}

fn run(seed: u64) -> (u64, u64) {
    let mut model = Model::new(seed);
    for _ in 0..RUN {
        model.step();
    }
    model.check_all();
    model.reopen_cleanly();
    model.check_all();
    (model.crashes, model.flushes)
}

struct Model {
    random: Random,
    vfs: MemVfs,
    options: Options,
    db: Option<Db>,
    map: Map,
    /// The state that is certainly durable, and the writes since.
    durable: Map,
    since: Vec<Write>,
    snapshots: Vec<(Snapshot, Map)>,
    ranges: Vec<(Range, Pairs)>,
    space: usize,
    stamp: u64,
    crashes: u64,
    flushes: u64,
}

fn random_options(random: &mut Random, vfs: &MemVfs, seed: u64) -> Options {
    let compressions = [Compression::None, Compression::Lz4, Compression::Zstd(-1), Compression::Zstd(1)];
    Options::default()
        .vfs(Arc::new(vfs.clone()))
        .clock(Arc::new(SimClock::new(seed)))
        .background(Background::Stepped)
        .memtable_bytes(*random.pick(&[4 << 10, 16 << 10, 64 << 10, 256 << 10]))
        .memtable_entries(*random.pick(&[10, 1000, 1 << 20]))
        .cache_bytes(*random.pick(&[0, 4 << 10, 1 << 20]))
        .block_bytes(*random.pick(&[1, 100, 512, 4 << 10, 64 << 10]))
        .table_bytes(*random.pick(&[1 << 10, 8 << 10, 64 << 10]))
        .level_ratio(*random.pick(&[2, 4, 10]))
        .filter_bits(*random.pick(&[0, 1, 10, 20]))
        .compression(*random.pick(&compressions))
        .bottom_compression(*random.pick(&compressions))
        .durability(*random.pick(&[Durability::Sync, Durability::Os]))
}

impl Model {
    fn new(seed: u64) -> Model {
        let mut random = Random::new(seed);
        let vfs = MemVfs::new();
        let options = random_options(&mut random, &vfs, seed);
        let db = options.clone().open("/db").unwrap();
        let space = *random.pick(&[20, 200, 2000]);
        Model {
            random,
            vfs,
            options,
            db: Some(db),
            map: Map::new(),
            durable: Map::new(),
            since: Vec::new(),
            snapshots: Vec::new(),
            ranges: Vec::new(),
            space,
            stamp: 0,
            crashes: 0,
            flushes: 0,
        }
    }

    fn db(&self) -> &Db {
        self.db.as_ref().unwrap()
    }

    fn key(&mut self) -> Vec<u8> {
        key(&mut self.random, self.space)
    }

    fn step(&mut self) {
        match self.random.below(1000) {
            0..450 => self.write(1),
            450..520 => {
                let n = self.random.below(20);
                self.write(n);
            }
            520..760 => self.get(),
            760..780 => self.multi_get(),
            780..880 => self.scan(),
            880..900 => self.open_range(),
            900..940 => self.step_range(),
            940..950 => self.take_snapshot(),
            950..970 => self.use_snapshot(),
            970..975 => self.sync(),
            975..980 => self.flush(),
            980..983 => self.compact(),
            983..986 => self.reopen_cleanly(),
            986..990 => self.power_cut(),
            _ => self.check_count(),
        }
    }

    fn write(&mut self, n: usize) {
        let mut write = Write::new();
        for _ in 0..n {
            let key = self.key();
            self.stamp += 1;
            let value = (!self.random.one_in(4)).then(|| value(&mut self.random, self.stamp));
            write.push((key, value));
        }
        let single = n == 1 && self.random.one_in(2);
        let mut durability = None;
        match (single, &write[..]) {
            (true, [(key, Some(value))]) => self.db().put(key, value).unwrap(),
            (true, [(key, None)]) => self.db().delete(key).unwrap(),
            _ => {
                durability = *self.random.pick(&[None, Some(Durability::Sync), Some(Durability::Os)]);
                self.db().write_with(batch(&write), WriteOptions { durability }).unwrap();
            }
        }
        apply(&mut self.map, &write);
        self.since.push(write);
        let _ = single;
        if durability.is_some_and(|d| d == Durability::Sync) && n > 0 {
            self.all_is_durable();
        }
    }

    fn all_is_durable(&mut self) {
        self.durable = self.map.clone();
        self.since.clear();
    }

    fn get(&mut self) {
        let key = self.key();
        let found = self.db().get(&key).unwrap();
        assert_eq!(found.as_deref(), self.map.get(&key).map(Vec::as_slice), "get {key:?}");
    }

    fn multi_get(&mut self) {
        let keys: Vec<_> = (0..self.random.below(10)).map(|_| self.key()).collect();
        let found = self.db().multi_get(&keys).unwrap();
        for (key, found) in keys.iter().zip(found) {
            assert_eq!(found.as_deref(), self.map.get(key).map(Vec::as_slice), "multi_get {key:?}");
        }
    }

    fn bounds(&mut self) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let mut one = || match self.random.below(5) {
            0 => Bound::Unbounded,
            1 | 2 => Bound::Included(key(&mut self.random, self.space)),
            _ => Bound::Excluded(key(&mut self.random, self.space)),
        };
        (one(), one())
    }

    /// A scan in random directions, to its end or not.
    fn scan(&mut self) {
        let bounds = self.bounds();
        let (range, expected) = if self.random.one_in(4) {
            let prefix = self.key();
            let prefix = prefix[..self.random.below(prefix.len() + 1)].to_vec();
            let expected = pairs(self.map.iter().filter(|(k, _)| k.starts_with(&prefix)));
            (self.db().prefix(&prefix), expected)
        } else {
            (self.db().range(bounds.clone()), expected_in(&self.map, &bounds))
        };
        let steps = if self.random.one_in(2) { usize::MAX } else { self.random.below(30) };
        walk(&mut self.random, range, expected, steps);
    }

    fn open_range(&mut self) {
        let bounds = self.bounds();
        let expected = expected_in(&self.map, &bounds);
        self.ranges.push((self.db().range(bounds), expected));
        if self.ranges.len() > 3 {
            let (range, expected) = self.ranges.remove(0);
            walk(&mut self.random, range, expected, usize::MAX);
        }
    }

    fn step_range(&mut self) {
        let Some((mut range, mut expected)) = self.ranges.pop() else { return };
        for _ in 0..self.random.below(10) {
            step_both(&mut self.random, &mut range, &mut expected);
        }
        self.ranges.insert(0, (range, expected));
    }

    fn take_snapshot(&mut self) {
        if self.snapshots.len() < 4 {
            self.snapshots.push((self.db().snapshot(), self.map.clone()));
        } else {
            let i = self.random.below(4);
            self.snapshots.swap_remove(i);
        }
    }

    fn use_snapshot(&mut self) {
        if self.snapshots.is_empty() {
            return;
        }
        let bounds = self.bounds();
        let key = self.key();
        let i = self.random.below(self.snapshots.len());
        let (snapshot, map) = &self.snapshots[i];
        assert_eq!(snapshot.get(&key).unwrap().as_deref(), map.get(&key).map(Vec::as_slice));
        walk(&mut self.random, snapshot.range(bounds.clone()), expected_in(map, &bounds), usize::MAX);
    }

    fn sync(&mut self) {
        self.db().sync().unwrap();
        self.all_is_durable();
    }

    fn flush(&mut self) {
        self.db().flush().unwrap();
        self.flushes += 1;
        self.all_is_durable();
    }

    fn compact(&mut self) {
        let bounds = self.bounds();
        self.db().compact_range(bounds).unwrap();
        self.all_is_durable();
        assert!(self.db().verify().unwrap().is_sound());
    }

    fn let_go(&mut self) {
        self.snapshots.clear();
        self.ranges.clear();
    }

    fn reopen_cleanly(&mut self) {
        self.let_go();
        if self.random.one_in(2) {
            self.db().close().unwrap();
        }
        self.db = None;
        self.all_is_durable();
        let report = self.open();
        assert!(report, "a clean close is recognised");
        self.check_all();
    }

    /// Opens what is on the files now, with new options; true when it was closed cleanly.
    fn open(&mut self) -> bool {
        self.options = random_options(&mut self.random, &self.vfs, self.stamp);
        let db = self.options.clone().open("/db").unwrap();
        let clean = db.recovery().clean;
        self.db = Some(db);
        clean
    }

    fn power_cut(&mut self) {
        self.crashes += 1;
        let policy = *self.random.pick(&CrashPolicy::EVERY);
        let image = self.vfs.crash_image(policy, self.random.next());
        self.let_go();
        self.db = None;
        self.vfs = image;
        self.open();
        let found: Map = self.scan_all();
        if policy == CrashPolicy::All {
            assert_eq!(found, self.map, "after a kill everything acknowledged is there");
        }
        self.map = self.state_after_a_prefix(&found).unwrap_or_else(|| {
            panic!("after {policy:?} the database holds no state it ever had:\n{found:?}\n{:?}", self.durable)
        });
        self.all_is_durable();
        self.check_all();
    }

    /// The state after some prefix of the writes since the durable one that equals `found`.
    fn state_after_a_prefix(&self, found: &Map) -> Option<Map> {
        let wanted = fingerprint(found);
        let mut state = self.durable.clone();
        if state == *found {
            return Some(state);
        }
        for write in &self.since {
            apply(&mut state, write);
            if fingerprint(&state) == wanted && state == *found {
                return Some(state);
            }
        }
        None
    }

    fn scan_all(&self) -> Map {
        self.db().iter().map(|pair| pair.map(|(k, v)| (k.to_vec(), v.to_vec())).unwrap()).collect()
    }

    fn check_count(&mut self) {
        if self.random.one_in(5) {
            assert_eq!(self.db().iter().count(), self.map.len());
        }
    }

    fn check_all(&mut self) {
        assert_eq!(self.scan_all(), self.map);
        let back: Vec<_> = self.db().iter().rev().map(Result::unwrap).collect();
        assert!(back.iter().map(|(k, v)| (&**k, &**v)).eq(self.map.iter().rev().map(|(k, v)| (&**k, &**v))));
        for (key, value) in &self.map {
            assert_eq!(self.db().get(key).unwrap().unwrap(), *value);
        }
    }
}

fn batch(write: &Write) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for (key, value) in write {
        match value {
            Some(value) => batch.put(key, value),
            None => batch.delete(key),
        }
    }
    batch
}

fn apply(map: &mut Map, write: &Write) {
    for (key, value) in write {
        match value {
            Some(value) => map.insert(key.clone(), value.clone()),
            None => map.remove(key),
        };
    }
}

fn fingerprint(map: &Map) -> u64 {
    let mut hasher = DefaultHasher::new();
    map.len().hash(&mut hasher);
    map.iter().for_each(|pair| pair.hash(&mut hasher));
    hasher.finish()
}

fn pairs<'a>(iter: impl Iterator<Item = (&'a Vec<u8>, &'a Vec<u8>)>) -> Pairs {
    iter.map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn expected_in(map: &Map, (lower, upper): &(Bound<Vec<u8>>, Bound<Vec<u8>>)) -> Pairs {
    let above = |key: &Vec<u8>| match lower {
        Bound::Included(l) => key >= l,
        Bound::Excluded(l) => key > l,
        Bound::Unbounded => true,
    };
    let below = |key: &Vec<u8>| match upper {
        Bound::Included(u) => key <= u,
        Bound::Excluded(u) => key < u,
        Bound::Unbounded => true,
    };
    pairs(map.iter().filter(|(key, _)| above(key) && below(key)))
}

/// One step from a random end of both; the expected one must come.
fn step_both(random: &mut Random, range: &mut Range, expected: &mut Pairs) {
    let (found, wanted): (Option<(Slice, Slice)>, _) = if random.one_in(2) {
        let wanted = if expected.is_empty() { None } else { Some(expected.remove(0)) };
        (range.next().transpose().unwrap(), wanted)
    } else {
        (range.next_back().transpose().unwrap(), expected.pop())
    };
    let found = found.map(|(k, v)| (k.to_vec(), v.to_vec()));
    assert_eq!(found, wanted);
}

fn walk(random: &mut Random, mut range: Range, mut expected: Pairs, steps: usize) {
    match random.below(3) {
        0 => {
            let found: Vec<_> = range.take(steps).map(Result::unwrap).collect();
            expected.truncate(steps);
            assert!(same(&found, expected.iter()), "{found:?}\n{expected:?}");
        }
        1 => {
            let found: Vec<_> = range.rev().take(steps).map(Result::unwrap).collect();
            assert!(same(&found, expected.iter().rev().take(steps)), "{found:?}\n{expected:?}");
        }
        _ => {
            for _ in 0..steps.min(expected.len() + 2) {
                step_both(random, &mut range, &mut expected);
            }
        }
    }
}

fn same<'a>(found: &[(Slice, Slice)], expected: impl Iterator<Item = &'a (Vec<u8>, Vec<u8>)>) -> bool {
    found.iter().map(|(k, v)| (&**k, &**v)).eq(expected.map(|(k, v)| (&**k, &**v)))
}
