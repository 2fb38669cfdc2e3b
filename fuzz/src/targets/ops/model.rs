//! Writes, reads, snapshots and iterators on a database with some keyspaces, and on a map for each of them.

use super::{Choice, Key, Length, Writes};
use crate::choices::Rest;
use crate::history::{Map, Write, apply, assert_same};
use crate::store::{read_all, walk};
use arbitrary::{Arbitrary, Unstructured};
use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::{Db, Durability, Error, Keyspace, Range, Slice, Snapshot, WriteBatch, WriteOptions};
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

const OPERATIONS: usize = 120;
/// Snapshots and half-read iterators that live at a time.
const KEPT: usize = 4;
/// Keyspaces, the one without a name first.
const SPACES: usize = 3;

#[derive(Debug, Arbitrary)]
struct Input {
    choice: Choice,
    operations: Rest<Operation, OPERATIONS>,
}

#[derive(Debug)]
enum Operation {
    /// What follows is done in another keyspace.
    Enter(u8),
    Put(Key, Length),
    Delete(Key),
    /// Each write goes to the keyspace after that of the one before.
    Write(Writes, Option<bool>),
    DeleteRange(Bound<Key>, Bound<Key>),
    Clear,
    /// The keyspace that is worked in, if it has a name, and one with the same name made after it.
    DropSpace,
    /// So many puts of keys that follow each other.
    Fill(u8, Length),
    Get(Key),
    MultiGet([Key; 3]),
    Scan(Bound<Key>, Bound<Key>, Ends),
    Prefix(Key, u8, Ends),
    OpenRange(Bound<Key>, Bound<Key>),
    StepRange(u8, Ends),
    TakeSnapshot,
    UseSnapshot(u8, Bound<Key>, Bound<Key>, Ends),
    DropSnapshot(u8),
    Sync,
    Flush,
    Compact(Bound<Key>, Bound<Key>),
    Reopen,
    Kill,
    /// Writes, reads a key, walks from both ends, and commits after another may have written a key meanwhile.
    Transact(Writes, Key, Bound<Key>, Bound<Key>, Ends, Option<Key>),
    Check,
}

/// By hand, as for the other workloads: one byte chooses, and writes are more frequent than the rest.
impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Operation> {
        Ok(match u8::arbitrary(u)? % 64 {
            0..14 => Operation::Put(u.arbitrary()?, u.arbitrary()?),
            14..18 => Operation::Delete(u.arbitrary()?),
            18..23 => Operation::Write(u.arbitrary()?, u.arbitrary()?),
            23..26 => Operation::Fill(u.arbitrary()?, u.arbitrary()?),
            26..28 => Operation::Enter(u.arbitrary()?),
            28..30 => Operation::Get(u.arbitrary()?),
            30 => Operation::MultiGet(u.arbitrary()?),
            31..34 => Operation::Scan(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            34..36 => Operation::Prefix(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            36..38 => Operation::OpenRange(u.arbitrary()?, u.arbitrary()?),
            38..40 => Operation::StepRange(u.arbitrary()?, u.arbitrary()?),
            40..44 => Operation::TakeSnapshot,
            44..48 => Operation::UseSnapshot(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            48 => Operation::DropSnapshot(u.arbitrary()?),
            49 => Operation::Sync,
            50..54 => Operation::Flush,
            54..58 => Operation::Compact(u.arbitrary()?, u.arbitrary()?),
            58 => Operation::Reopen,
            59 => Operation::DropSpace,
            60 => Operation::Kill,
            61 | 62 => Operation::Transact(
                u.arbitrary()?,
                u.arbitrary()?,
                u.arbitrary()?,
                u.arbitrary()?,
                u.arbitrary()?,
                u.arbitrary()?,
            ),
            63 => Operation::DeleteRange(u.arbitrary()?, u.arbitrary()?),
            64 => Operation::Clear,
            _ => Operation::Check,
        })
    }
}

/// From which end each step of an iterator is taken, over and over.
#[derive(Debug, Clone, Copy, Default, Arbitrary)]
pub(crate) struct Ends(u8);

impl Ends {
    /// True for a step from the back.
    pub fn steps(self) -> impl Iterator<Item = bool> {
        (0..8).cycle().map(move |bit| self.0 >> bit & 1 == 1)
    }
}

/// A database and a map are the same after every operation.
pub fn ops_model(input: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let mut model = Model::new(input.choice);
    for operation in input.operations.iter() {
        model.apply(operation);
    }
    model.check();
    model.reopen();
    model.check();
}

type Pairs = VecDeque<(Vec<u8>, Vec<u8>)>;

struct Model {
    choice: Choice,
    vfs: MemVfs,
    db: Db,
    spaces: Vec<Keyspace>,
    maps: Vec<Map>,
    /// Which keyspace is worked in.
    at: usize,
    stamp: u64,
    snapshots: Vec<(Snapshot, Vec<Map>)>,
    ranges: Vec<(Range, Pairs)>,
}

impl Model {
    fn new(choice: Choice) -> Model {
        let (vfs, clock) = (MemVfs::new(), Arc::new(SimClock::new(1)));
        let db = choice.options(&clock).vfs(Arc::new(vfs.clone())).open("/db").expect("a new database");
        let (spaces, maps) = (open_spaces(&db), vec![Map::new(); SPACES]);
        Model { choice, vfs, db, spaces, maps, at: 0, stamp: 0, snapshots: Vec::new(), ranges: Vec::new() }
    }

    fn space(&self) -> &Keyspace {
        &self.spaces[self.at]
    }

    fn map(&self) -> &Map {
        &self.maps[self.at]
    }

    fn apply(&mut self, operation: &Operation) {
        self.stamp += 1;
        match operation {
            Operation::Enter(which) => self.at = usize::from(*which) % SPACES,
            Operation::Put(..)
            | Operation::Delete(_)
            | Operation::DeleteRange(..)
            | Operation::Clear
            | Operation::Write(..)
            | Operation::Fill(..) => self.change(operation),
            Operation::Get(key) => self.get(&key.bytes()),
            Operation::MultiGet(keys) => self.multi_get(keys),
            Operation::Scan(lower, upper, ends) => {
                let bounds = bounds(*lower, *upper);
                compare(self.space().range::<Vec<u8>>(bounds.clone()), between(self.map(), &bounds), *ends);
            }
            Operation::Prefix(key, len, ends) => self.prefix(*key, *len, *ends),
            Operation::OpenRange(lower, upper) if self.ranges.len() < KEPT => {
                let bounds = bounds(*lower, *upper);
                let expected = between(self.map(), &bounds);
                self.ranges.push((self.space().range::<Vec<u8>>(bounds), expected));
            }
            Operation::StepRange(which, ends) => self.step_range(*which, *ends),
            Operation::TakeSnapshot if self.snapshots.len() < KEPT => {
                self.snapshots.push((self.space().snapshot(), self.maps.clone()));
            }
            Operation::UseSnapshot(which, lower, upper, ends) => {
                self.use_snapshot(*which, &bounds(*lower, *upper), *ends);
            }
            Operation::DropSnapshot(which) if !self.snapshots.is_empty() => {
                let which = usize::from(*which) % self.snapshots.len();
                self.snapshots.swap_remove(which);
            }
            Operation::OpenRange(..) | Operation::TakeSnapshot | Operation::DropSnapshot(_) => {}
            Operation::Sync => self.db.sync().expect("nothing fails"),
            Operation::Flush => self.db.flush().expect("nothing fails"),
            Operation::Compact(lower, upper) => {
                self.space().compact_range::<Vec<u8>>(bounds(*lower, *upper)).expect("nothing fails");
            }
            Operation::DropSpace => self.drop_space(),
            Operation::Reopen => self.reopen(),
            Operation::Kill => self.kill(),
            Operation::Transact(writes, key, lower, upper, ends, other) => {
                let bounds = bounds(*lower, *upper);
                self.transact(&writes.build(self.stamp), &key.bytes(), &bounds, *ends, other.map(Key::bytes));
            }
            Operation::Check => self.check(),
        }
    }

    fn drop_space(&mut self) {
        let name = self.space().name().to_string();
        if name.is_empty() {
            return;
        }
        self.db.drop_keyspace(&name).expect("nothing fails");
        let dropped =
            std::mem::replace(&mut self.spaces[self.at], self.db.keyspace(&name).expect("a new name"));
        assert!(matches!(dropped.get(""), Err(siltstone::Error::KeyspaceDropped { .. })));
        self.maps[self.at].clear();
        for (_, maps) in &mut self.snapshots {
            maps[self.at].clear();
        }
    }

    fn change(&mut self, operation: &Operation) {
        let stamp = self.stamp;
        match operation {
            Operation::Put(key, length) => self.put(key.bytes(), length.value(stamp)),
            Operation::Delete(key) => {
                self.space().delete(key.bytes()).expect("nothing fails");
                self.maps[self.at].remove(&key.bytes());
            }
            Operation::DeleteRange(lower, upper) => {
                let bounds = bounds(*lower, *upper);
                for (key, _) in between(self.map(), &bounds) {
                    self.maps[self.at].remove(&key);
                }
                self.space().delete_range::<Vec<u8>>(bounds).expect("nothing fails");
            }
            Operation::Clear => {
                self.space().clear().expect("nothing fails");
                self.maps[self.at].clear();
            }
            Operation::Write(writes, durable) => {
                let durability = durable.map(|sync| if sync { Durability::Sync } else { Durability::Os });
                self.write(&writes.build(stamp), durability);
            }
            Operation::Fill(from, length) => {
                for n in 0..8 {
                    let key = format!("user:{:02}", from.wrapping_add(n) % 100);
                    self.put(key.into_bytes(), length.value(stamp + u64::from(n) * 1000));
                }
            }
            _ => {}
        }
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.space().put(&key, &value).expect("nothing fails");
        self.maps[self.at].insert(key, value);
    }

    fn write(&mut self, writes: &Write, durability: Option<Durability>) {
        let mut batch = WriteBatch::new();
        for (n, (key, value)) in writes.iter().enumerate() {
            let at = (self.at + n) % SPACES;
            let mut within = batch.within(&self.spaces[at]);
            match value {
                Some(value) => within.put(key, value),
                None => within.delete(key),
            }
            apply(&mut self.maps[at], &vec![(key.clone(), value.clone())]);
        }
        self.db.write_with(batch, WriteOptions { durability }).expect("nothing fails");
    }

    fn get(&self, key: &[u8]) {
        let found = self.space().get(key).expect("nothing fails");
        assert_eq!(found.as_deref(), self.map().get(key).map(Vec::as_slice), "get {}", key.escape_ascii());
    }

    fn multi_get(&self, keys: &[Key]) {
        let keys: Vec<Vec<u8>> = keys.iter().map(|key| key.bytes()).collect();
        let found = self.space().multi_get(&keys).expect("nothing fails");
        for (key, found) in keys.iter().zip(found) {
            assert_eq!(found.as_deref(), self.map().get(key).map(Vec::as_slice), "{}", key.escape_ascii());
        }
    }

    fn prefix(&self, key: Key, len: u8, ends: Ends) {
        let mut prefix = key.bytes();
        prefix.truncate(len.into());
        let with = self.map().iter().filter(|(key, _)| key.starts_with(&prefix));
        let expected = with.map(|(key, value)| (key.clone(), value.clone())).collect();
        compare(self.space().prefix(&prefix), expected, ends);
    }

    fn step_range(&mut self, which: u8, ends: Ends) {
        if self.ranges.is_empty() {
            return;
        }
        let which = usize::from(which) % self.ranges.len();
        let (range, expected) = &mut self.ranges[which];
        let ended = ends.steps().take(5).any(|back| !step(range, expected, back));
        if ended {
            self.ranges.swap_remove(which);
        }
    }

    fn use_snapshot(&self, which: u8, bounds: &Bounds, ends: Ends) {
        let Some((snapshot, maps)) = self.snapshots.get(usize::from(which) % KEPT) else { return };
        let snapshot = snapshot.within(self.space()).expect("a keyspace of the same database");
        let map = &maps[self.at];
        compare(snapshot.range::<Vec<u8>>(bounds.clone()), between(map, bounds), ends);
        for key in map.keys().take(5) {
            let found = snapshot.get(key).expect("nothing fails");
            assert_eq!(found.as_deref(), map.get(key).map(Vec::as_slice), "{}", key.escape_ascii());
        }
    }

    fn transact(&mut self, writes: &Write, key: &[u8], bounds: &Bounds, ends: Ends, other: Option<Vec<u8>>) {
        let mut tx = self.db.transaction();
        let mut within = tx.within(self.space()).expect("a keyspace of the same database");
        let mut after = self.map().clone();
        apply(&mut after, writes);
        for (key, value) in writes {
            match value {
                Some(value) => within.put(key, value).expect("a short one"),
                None => within.delete(key).expect("a short one"),
            }
        }
        let found = within.get(key).expect("nothing fails");
        assert_eq!(found.as_deref(), after.get(key).map(Vec::as_slice), "get {}", key.escape_ascii());
        compare(within.range::<Vec<u8>>(bounds.clone()), between(&after, bounds), ends);
        let of_its_own = |key: &[u8]| writes.iter().any(|(own, _)| own == key);
        let conflicts = other.as_ref().is_some_and(|other| {
            let map = Map::from([(other.clone(), Vec::new())]);
            (other == key && !of_its_own(key)) || !between(&map, bounds).is_empty()
        });
        if let Some(other) = other {
            self.put(other, b"other".to_vec());
        }
        match tx.commit() {
            Ok(()) => assert!(!conflicts || writes.is_empty(), "something that was read has changed"),
            Err(Error::Conflict { .. }) => {
                assert!(conflicts, "nothing that was read has changed");
                return;
            }
            Err(error) => panic!("{error}"),
        }
        apply(&mut self.maps[self.at], writes);
    }

    fn check(&self) {
        for (space, map) in self.spaces.iter().zip(&self.maps).skip(1) {
            let found = walk(space.iter(), map.len()).pairs.into_iter().collect();
            assert_same(&found, map, &|| space.name().into());
        }
        let found = read_all(&self.db, self.maps[0].len()).expect("sound tables");
        assert_same(&found, &self.maps[0], &|| "the keyspace without a name".into());
    }

    /// Iterators go on after a close; snapshots do not.
    fn reopen(&mut self) {
        self.db.close().expect("nothing fails");
        for (mut range, mut expected) in self.ranges.drain(..) {
            while step(&mut range, &mut expected, false) {}
        }
        self.open_again();
        assert!(self.db.recovery().clean);
    }

    /// The process ends, the machine goes on: nothing is lost.
    fn kill(&mut self) {
        self.vfs = self.vfs.crash_image(CrashPolicy::All, 0);
        self.ranges.clear();
        self.open_again();
    }

    fn open_again(&mut self) {
        self.snapshots.clear();
        let clock = Arc::new(SimClock::new(1));
        self.db = self
            .choice
            .options(&clock)
            .vfs(Arc::new(self.vfs.clone()))
            .open("/db")
            .expect("a sound database");
        assert_eq!(self.db.keyspaces().expect("an open database").len(), SPACES - 1);
        self.spaces = open_spaces(&self.db);
    }
}

fn open_spaces(db: &Db) -> Vec<Keyspace> {
    let named = (1..SPACES).map(|n| db.keyspace(&format!("space {n}")).expect("a new name"));
    std::iter::once(Keyspace::clone(db)).chain(named).collect()
}

pub(crate) type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

fn bounds(lower: Bound<Key>, upper: Bound<Key>) -> Bounds {
    (lower.map(Key::bytes), upper.map(Key::bytes))
}

/// What a map holds between any bounds; it would panic at some.
pub(crate) fn between(map: &Map, bounds: &Bounds) -> Pairs {
    let after_lower = |key: &Vec<u8>| match &bounds.0 {
        Bound::Included(lower) => key >= lower,
        Bound::Excluded(lower) => key > lower,
        Bound::Unbounded => true,
    };
    let before_upper = |key: &Vec<u8>| match &bounds.1 {
        Bound::Included(upper) => key <= upper,
        Bound::Excluded(upper) => key < upper,
        Bound::Unbounded => true,
    };
    let inside = map.iter().filter(|(key, _)| after_lower(key) && before_upper(key));
    inside.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Walks to the end, from either end by turns.
pub(crate) fn compare(
    mut range: impl DoubleEndedIterator<Item = siltstone::Result<(Slice, Slice)>>,
    mut expected: Pairs,
    ends: Ends,
) {
    let ended = ends.steps().find(|back| !step(&mut range, &mut expected, *back));
    assert!(ended.is_some());
    assert!(range.next().is_none() && range.next_back().is_none(), "it ended before");
}

/// One step of both; false when they have ended.
fn step(
    range: &mut impl DoubleEndedIterator<Item = siltstone::Result<(Slice, Slice)>>,
    expected: &mut Pairs,
    back: bool,
) -> bool {
    let (found, wanted) = match back {
        true => (range.next_back(), expected.pop_back()),
        false => (range.next(), expected.pop_front()),
    };
    let found =
        found.map(|pair| pair.map(|(key, value)| (key.to_vec(), value.to_vec())).expect("nothing fails"));
    assert_eq!(found, wanted, "from the back: {back}");
    found.is_some()
}
