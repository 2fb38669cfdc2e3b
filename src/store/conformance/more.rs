//! What only some engines can do, S8 to S12: each rule is checked for those that say of themselves that they can, and of the
//! others that they refuse it.

use super::{Entries, Outcome, closed, collect, fine, key, same, that};
use crate::random::Random;
use crate::store::{Capabilities, Commit, Direction, Found, Scan, StorageEngine, View};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread;
use crate::vfs::{Clock, std::StdClock};
use crate::{Error, KeyspaceRef, Slice, WriteBatch};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// By the place of the keyspace in a list, then by key.
type Model = BTreeMap<(usize, Vec<u8>), Found>;

/// How many random steps are done.
const STEPS: usize = 1500;
/// How many views are kept at a time.
const VIEWS: usize = 4;
/// As many keys at once at most.
const MANY: usize = 20;
/// How many batches a reader races against.
const RACED: u32 = 300;
/// What lives so long has not expired when the check ends.
const LONG: Duration = Duration::from_secs(86_400);

/// Holds engines that `make` makes to the rules for what they can do.
pub(super) fn check<E: StorageEngine>(make: &impl Fn() -> E) -> Outcome {
    let engine = make();
    let can = engine.capabilities();
    refusals(&engine, can)?;
    random_steps(&make(), can)?;
    if can.keyspaces {
        names(&make(), &make())?;
    }
    if can.expiry {
        expiry(&make(), can)?;
    }
    if can.views {
        views_are_whole(Arc::new(make()), can)?;
    }
    closing(&make(), can)
}

/// What an earlier life of the engine left in a keyspace is there, and the next one is left more.
pub(super) fn lives_on(engine: &dyn StorageEngine, life: u64) -> Outcome {
    let can = engine.capabilities();
    if !can.keyspaces {
        return Ok(());
    }
    let what = format!("S8, S9, opened for the {life}. time");
    let keyspace = fine(&what, engine.keyspace("kept"))?;
    let value = |life: u64| Slice::copy_of(&life.to_be_bytes());
    let expiry = can.expiry.then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33));
    let expected = life.checked_sub(1).map(|life| Found { value: value(life), expiry });
    same(&what, &fine(&what, engine.find(keyspace, b"k"))?, &expected)?;
    let mut batch = WriteBatch::new();
    match expiry {
        Some(expiry) => batch.within(keyspace).put_until("k", value(life), expiry),
        None => batch.within(keyspace).put("k", value(life)),
    }
    fine(&what, engine.write(batch, None).and_then(Commit::wait))
}

/// What an engine cannot do, it refuses, and a keyspace that is not its own as well.
fn refusals(engine: &dyn StorageEngine, can: Capabilities) -> Outcome {
    let foreign = fine("S8", KeyspaceRef::of_engine(u64::MAX, 1))?;
    invalid("S8, find in another engine's keyspace", engine.find(foreign, b"k"))?;
    let refused = |what: &str, fill: &dyn Fn(&mut WriteBatch)| {
        let mut batch = WriteBatch::new();
        batch.put("k", "v");
        fill(&mut batch);
        invalid(what, engine.write(batch, None).map(drop))?;
        same(what, &fine(what, engine.get(b"k"))?, &None)
    };
    refused("S8, a batch for another engine's keyspace", &|batch| batch.within(foreign).put("k", "v"))?;
    if !can.keyspaces {
        invalid("S8, a keyspace where there are none", engine.keyspace("name"))?;
    }
    if !can.expiry {
        refused("S9, an expiry where there are none", &|batch| batch.put_with_ttl("k", "v", LONG))?;
    }
    if !can.range_deletes {
        refused("S10, a deletion of a range where there are none", &|batch| batch.delete_range("a".."b"))?;
    }
    if !can.views {
        invalid("S11, a view where there are none", engine.view().map(drop))?;
    }
    Ok(())
}

/// A random walk beside a sorted map.
struct Walk<'a> {
    engine: &'a dyn StorageEngine,
    can: Capabilities,
    keyspaces: Vec<KeyspaceRef>,
    model: Model,
    random: Random,
    /// Each with what it is to show.
    views: Vec<(Arc<dyn View>, Model)>,
}

/// Finds, ranges and views agree with a sorted map after writes of every kind that the engine takes.
fn random_steps(engine: &dyn StorageEngine, can: Capabilities) -> Outcome {
    let names: &[&str] = if can.keyspaces { &["", "one", "two"] } else { &[""] };
    let keyspaces = names.iter().map(|name| fine("S8", engine.keyspace(name))).collect::<Outcome<_>>()?;
    let (model, views) = (Model::new(), Vec::new());
    let mut walk = Walk { engine, can, keyspaces, model, random: Random::new(2), views };
    for step in 0..STEPS {
        let what = format!("S8 to S12, step {step}");
        match walk.random.below(8) {
            0 | 1 => walk.find(&what)?,
            2 if can.views => walk.view(&what)?,
            3 if step % 16 == 3 => walk.ranges(&what)?,
            _ => walk.write(&what)?,
        }
    }
    walk.ranges("S8 to S11, in the end")
}

impl Walk<'_> {
    fn keyspace(&mut self) -> (usize, KeyspaceRef) {
        let at = self.random.below(self.keyspaces.len());
        (at, self.keyspaces.get(at).copied().unwrap_or(KeyspaceRef::ROOT))
    }

    fn find(&mut self, what: &str) -> Outcome {
        let ((at, keyspace), key) = (self.keyspace(), key(&mut self.random));
        let what = format!("{what}, {key:?} of keyspace {at}");
        let place = (at, key);
        let expected = self.model.get(&place).cloned();
        same(&what, &fine(&what, self.engine.find(keyspace, &place.1))?, &expected)?;
        if let Some(known) = fine(&what, self.engine.find_cached(keyspace, &place.1))? {
            same(&format!("{what}, cached"), &known, &expected)?;
        }
        for (view, model) in &self.views {
            let found = fine(&what, view.find(keyspace, &place.1))?;
            same(&format!("{what}, in a view"), &found, &model.get(&place).cloned())?;
        }
        self.find_many(&what, at, keyspace)
    }

    /// Some keys at once, any of them twice.
    fn find_many(&mut self, what: &str, at: usize, keyspace: KeyspaceRef) -> Outcome {
        let count = self.random.below(MANY);
        let keys: Vec<_> = (0..count).map(|_| key(&mut self.random)).collect();
        let asked: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        for (view, model) in &self.views {
            let found = fine(what, view.find_many(keyspace, &asked))?;
            let expected = keys.iter().map(|key| model.get(&(at, key.clone())).cloned()).collect();
            same(&format!("{what}, as one of many in a view"), &found, &expected)?;
        }
        Ok(())
    }

    fn view(&mut self, what: &str) -> Outcome {
        if self.views.len() == VIEWS {
            self.views.remove(self.random.below(VIEWS));
        }
        let view = fine(what, self.engine.view())?;
        self.views.push((view, self.model.clone()));
        Ok(())
    }

    /// All the engine and its views hold is what the models do, both ways.
    fn ranges(&mut self, what: &str) -> Outcome {
        let limit = self.random.below(40);
        for direction in [Direction::Forward, Direction::Reverse] {
            let scan = Scan { direction, ..Scan::all() }.limited(limit);
            let found = fine(what, self.engine.range(scan))?;
            agrees(&format!("{what}, {scan:?}"), found, &self.model, 0, scan)?;
            for (view, model) in &self.views {
                for (at, keyspace) in self.keyspaces.iter().enumerate() {
                    let what = format!("{what}, {scan:?} of keyspace {at} in a view");
                    agrees(&what, fine(&what, view.range(*keyspace, scan))?, model, at, scan)?;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, what: &str) -> Outcome {
        let mut batch = WriteBatch::new();
        for _ in 0..self.random.below(6) {
            self.change(&mut batch);
        }
        fine(what, self.engine.write(batch, None).and_then(Commit::wait))
    }

    fn change(&mut self, batch: &mut WriteBatch) {
        let ((at, keyspace), key) = (self.keyspace(), key(&mut self.random));
        let mut within = batch.within(keyspace);
        let value = self.random.next().to_le_bytes();
        match self.random.below(8) {
            0 => {
                within.delete(&key);
                self.model.remove(&(at, key));
            }
            1 if self.can.range_deletes => {
                let range = (self.bound(), self.bound());
                let scan = Scan::between(range.0.as_ref(), range.1.as_ref());
                within.delete_range::<Vec<u8>>(range.clone());
                self.model.retain(|(space, key), _| *space != at || !scan.contains(key));
            }
            2 if self.can.expiry => {
                within.put_until(&key, value, self.engine.now());
                self.model.remove(&(at, key));
            }
            3 if self.can.expiry => {
                let expiry =
                    whole(self.engine.now()) + LONG + Duration::from_secs(self.random.below(9) as u64);
                within.put_until(&key, value, expiry);
                self.model.insert((at, key), Found { value: Slice::copy_of(&value), expiry: Some(expiry) });
            }
            _ => {
                within.put(&key, value);
                self.model.insert((at, key), Found { value: Slice::copy_of(&value), expiry: None });
            }
        }
    }

    fn bound(&mut self) -> Bound<Vec<u8>> {
        let key = key(&mut self.random);
        match self.random.below(8) {
            0 => Bound::Unbounded,
            1..4 => Bound::Excluded(key),
            _ => Bound::Included(key),
        }
    }
}

fn agrees(what: &str, entries: Entries, model: &Model, at: usize, scan: Scan<'_>) -> Outcome {
    let of_space = model.iter().filter(|((space, _), _)| *space == at);
    let mut expected: Vec<_> =
        of_space.map(|((_, key), found)| (key.clone(), found.value.to_vec())).collect();
    if scan.direction == Direction::Reverse {
        expected.reverse();
    }
    expected.truncate(scan.limit.unwrap_or(usize::MAX));
    same(what, &collect(what, entries)?, &expected)
}

/// S8: a name is always the same keyspace, and none of another engine's is taken.
fn names(engine: &dyn StorageEngine, other: &dyn StorageEngine) -> Outcome {
    let one = fine("S8", engine.keyspace("one"))?;
    same("S8, one name twice", &fine("S8", engine.keyspace("one"))?, &one)?;
    let two = fine("S8", engine.keyspace("two"))?;
    that(one != two && one != KeyspaceRef::ROOT, || "S8: two names are one keyspace".into())?;
    let root = fine("S8", engine.keyspace(""))?;
    let mut batch = WriteBatch::new();
    batch.put("k", "root");
    batch.within(one).put("k", "one");
    fine("S8", engine.write(batch, None).and_then(Commit::wait))?;
    for (keyspace, expected) in [(root, Some("root")), (one, Some("one")), (two, None)] {
        let found = fine("S8", engine.find(keyspace, b"k"))?.map(|found| found.value);
        same("S8, the same key of each", &found, &expected.map(|value| Slice::copy_of(value.as_bytes())))?;
    }
    let mut batch = WriteBatch::new();
    batch.within(one).put("k", "other");
    invalid("S8, another engine's keyspace", other.write(batch, None).map(drop))?;
    invalid("S8, another engine's keyspace", other.find(one, b"k"))
}

/// S9: a value is there up to its expiry, and from then on for nobody.
fn expiry(engine: &dyn StorageEngine, can: Capabilities) -> Outcome {
    let ttl = Duration::from_millis(30);
    let before = whole(engine.now());
    let mut batch = WriteBatch::new();
    batch.put_with_ttl("k", "v", ttl);
    batch.put_with_ttl("long", "v", LONG);
    fine("S9", engine.write(batch, None).and_then(Commit::wait))?;
    let after = engine.now();
    let expiry = fine("S9", engine.find(KeyspaceRef::ROOT, b"long"))?.and_then(|found| found.expiry);
    that(expiry.is_some_and(|expiry| before + LONG <= expiry && expiry <= after + LONG), || {
        format!(
            "S9: what lives for {LONG:?} and was written between {before:?} and {after:?} expires at {expiry:?}"
        )
    })?;
    let mut earlier = before;
    let clock = StdClock::new();
    // Its clock may be one that does not move by itself; then there is nothing to wait for.
    for _ in 0..500 {
        let asked = engine.now();
        that(asked >= earlier, || format!("S9: the time went back from {earlier:?} to {asked:?}"))?;
        earlier = asked;
        let found = fine("S9", engine.find(KeyspaceRef::ROOT, b"k"))?;
        let answered = engine.now();
        match found {
            // It was found at a time that was not before the one asked for first.
            Some(Found { expiry, .. }) => that(expiry.is_some_and(|expiry| asked < expiry), || {
                format!("S9: at {asked:?} a value was found whose expiry is {expiry:?}")
            })?,
            None => {
                that(answered >= before + ttl, || {
                    format!("S9: a value had gone by {answered:?}, before its time")
                })?;
                return gone(engine, can);
            }
        }
        clock.sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The key "k" has expired.
fn gone(engine: &dyn StorageEngine, can: Capabilities) -> Outcome {
    same("S9, get", &fine("S9", engine.get(b"k"))?, &None)?;
    let all = collect("S9", fine("S9", engine.range(Scan::all()))?)?;
    same("S9, a range", &all, &vec![(b"long".to_vec(), b"v".to_vec())])?;
    if can.conditional_batches {
        let mut batch = WriteBatch::new();
        batch.require_absent("k");
        batch.put("k", "again");
        fine("S9, a condition", engine.write(batch, None).and_then(Commit::wait))?;
        let found = fine("S9", engine.find(KeyspaceRef::ROOT, b"k"))?;
        same("S9, written again", &found, &Some(Found { value: Slice::copy_of(b"again"), expiry: None }))?;
    }
    Ok(())
}

/// S11: beside a writer of batches over two keys, of two keyspaces where there are some, no view has one with the value of
/// another batch than the other.
fn views_are_whole<E: StorageEngine>(engine: Arc<E>, can: Capabilities) -> Outcome {
    let one = KeyspaceRef::ROOT;
    let two = fine("S11", engine.keyspace(if can.keyspaces { "two" } else { "" }))?;
    let has_ended = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (engine, has_ended) = (Arc::clone(&engine), Arc::clone(&has_ended));
        move || {
            let outcome = write_pairs(&*engine, two);
            has_ended.store(true, Ordering::Release);
            outcome
        }
    });
    let mut newest = None;
    while newest != Some(Slice::copy_of(&(RACED - 1).to_be_bytes())) && !has_ended.load(Ordering::Acquire) {
        let view = fine("S11", engine.view())?;
        let value = |keyspace, key: &[u8]| {
            fine("S11", view.find(keyspace, key)).map(|found| found.map(|found| found.value))
        };
        let (first, second) = (value(one, b"one")?, value(two, b"two")?);
        same("S11, the halves of a batch in a view", &first, &second)?;
        that(first >= newest, || format!("S11: a view has {first:?} after one with {newest:?}"))?;
        newest = first;
    }
    writer.join().unwrap_or_else(|_| Err("S11: a writer panicked".into()))
}

fn write_pairs(engine: &dyn StorageEngine, two: KeyspaceRef) -> Outcome {
    for n in 0..RACED {
        let mut batch = WriteBatch::new();
        batch.put("one", n.to_be_bytes());
        batch.within(two).put("two", n.to_be_bytes());
        fine("S11, a writer", engine.write(batch, None).map(drop))?;
    }
    Ok(())
}

/// S7, of the calls that are checked here.
fn closing(engine: &dyn StorageEngine, can: Capabilities) -> Outcome {
    fine("S7, close", engine.close())?;
    closed("find", engine.find(KeyspaceRef::ROOT, b"k"))?;
    if can.keyspaces {
        closed("keyspace", engine.keyspace("name"))?;
    }
    if can.views {
        closed("view", engine.view().map(drop))?;
    }
    match engine.find_cached(KeyspaceRef::ROOT, b"k") {
        Ok(None) => Ok(()),
        other => closed("find_cached", other),
    }
}

fn invalid<T: std::fmt::Debug>(what: &str, outcome: crate::Result<T>) -> Outcome {
    match outcome {
        Err(Error::InvalidArgument { .. }) => Ok(()),
        other => Err(format!("{what}: {other:?}, an invalid argument expected")),
    }
}

/// A time without what is less than a millisecond, as expiries are kept.
fn whole(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::new(since.as_secs(), since.subsec_millis() * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MemoryEngine, Room};
    use crate::{Durability, Result};

    /// What a wrong engine does.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Fault {
        None,
        Capable,
        OneKeyspace,
        ForgetsExpiry,
        ExpiresEarly,
        CachedIsEmpty,
        ViewsMove,
        OpenViews,
        ManyInAnyOrder,
    }

    struct Wrong(Arc<MemoryEngine>, Fault);

    /// A view of no moment.
    struct Moving(Arc<MemoryEngine>);

    impl View for Moving {
        fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>> {
            self.0.find(keyspace, key)
        }

        fn range(&self, keyspace: KeyspaceRef, scan: Scan<'_>) -> Result<Entries> {
            self.0.view()?.range(keyspace, scan)
        }
    }

    /// A view that sorts what it is asked for.
    struct Sorting(Arc<dyn View>);

    impl View for Sorting {
        fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>> {
            self.0.find(keyspace, key)
        }

        fn find_many(&self, keyspace: KeyspaceRef, keys: &[&[u8]]) -> Result<Vec<Option<Found>>> {
            let mut keys = keys.to_vec();
            keys.sort_unstable();
            self.0.find_many(keyspace, &keys)
        }

        fn range(&self, keyspace: KeyspaceRef, scan: Scan<'_>) -> Result<Entries> {
            self.0.range(keyspace, scan)
        }
    }

    impl StorageEngine for Wrong {
        fn get(&self, key: &[u8]) -> Result<Option<Slice>> {
            self.0.get(key)
        }

        fn range(&self, scan: Scan<'_>) -> Result<Entries> {
            self.0.range(scan)
        }

        fn write(&self, batch: WriteBatch, durability: Option<Durability>) -> Result<Commit> {
            if self.1 == Fault::Capable {
                batch.check()?;
            }
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
            self.0.capabilities()
        }

        fn keyspace(&self, name: &str) -> Result<KeyspaceRef> {
            self.0.keyspace(if self.1 == Fault::OneKeyspace { "one" } else { name })
        }

        fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>> {
            let found = self.0.find(keyspace, key)?;
            let later = self.0.now() + Duration::from_millis(10);
            Ok(match self.1 {
                Fault::ForgetsExpiry => found.map(|found| Found { expiry: None, ..found }),
                Fault::ExpiresEarly => found.filter(|found| found.expiry.is_none_or(|expiry| expiry > later)),
                _ => found,
            })
        }

        fn find_cached(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Option<Found>>> {
            let found = self.find(keyspace, key)?;
            Ok(Some(found.filter(|_| self.1 != Fault::CachedIsEmpty)))
        }

        fn view(&self) -> Result<Arc<dyn View>> {
            let view = self.0.view();
            match self.1 {
                Fault::ViewsMove => view.map(|_| Arc::new(Moving(Arc::clone(&self.0))) as Arc<dyn View>),
                Fault::ManyInAnyOrder => Ok(Arc::new(Sorting(view?))),
                Fault::OpenViews => Ok(Arc::new(Moving(Arc::clone(&self.0)))),
                _ => view,
            }
        }

        fn now(&self) -> SystemTime {
            self.0.now()
        }
    }

    #[test]
    fn every_fault_is_found() {
        let judge = |fault| check(&|| Wrong(Arc::new(MemoryEngine::new()), fault));
        judge(Fault::None).unwrap();
        let cases = [
            (Fault::Capable, "S8"),
            (Fault::OneKeyspace, "S8"),
            (Fault::ForgetsExpiry, "S8 to S12"),
            (Fault::ExpiresEarly, "before its time"),
            (Fault::CachedIsEmpty, "cached"),
            (Fault::ViewsMove, "view"),
            (Fault::OpenViews, "view"),
            (Fault::ManyInAnyOrder, "as one of many"),
        ];
        for (fault, word) in cases {
            let why = judge(fault).unwrap_err();
            assert!(why.contains(word), "{fault:?}: {why}");
        }
    }
}
