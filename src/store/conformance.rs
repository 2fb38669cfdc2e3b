//! What every engine behind the seam has to pass: yours as well as ours.
//!
//! ```
//! use siltstone::store::{MemoryEngine, conformance};
//! conformance::check(MemoryEngine::new).unwrap();
//! ```
//!
//! [`check`] holds an engine to the contract S1 to S12 at the top of [`store`](super), and [`check_durable`] one that says it is
//! durable to keeping what it acknowledged over a close. What only some engines can do is checked of those that say they can, and
//! the others have to refuse it. Power cuts and failing files are not made here, since an engine may lie anywhere: one on files is
//! best run on those of [`vfs::mem`](crate::vfs::mem) and [`vfs::fault`](crate::vfs::fault) as well.
//!
//! The work is the same each time, and the error says which step of it went wrong and what was expected.

mod more;

use super::{Commit, Direction, Entries, Scan, StorageEngine};
use crate::random::Random;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread;
use crate::{Error, Slice, WriteBatch};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Bound;
use std::sync::Arc;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;
type Outcome<T = ()> = std::result::Result<T, String>;

/// How many random steps are done.
const STEPS: usize = 2000;
/// How many batches a reader races against.
const RACED: u32 = 300;

/// Holds empty engines that `make` makes to the contract.
///
/// # Errors
/// The rule, the step, what was found and what was expected.
pub fn check<E: StorageEngine>(make: impl Fn() -> E) -> Outcome {
    random_steps(&make(), 1)?;
    limits(&make())?;
    walks_keep_their_state(&make())?;
    batches_are_whole(Arc::new(make()))?;
    waiting(&make())?;
    closing(&make())?;
    more::check(&make)
}

/// Holds an engine that `open` opens to finding what was committed after it was closed. The first call of `open` is to give an
/// empty one, each later one the same.
///
/// # Errors
/// As [`check`].
pub fn check_durable<E: StorageEngine>(open: impl Fn() -> E) -> Outcome {
    let mut model = Model::new();
    for life in 0..3 {
        let engine = open();
        that(engine.capabilities().durable, || "the engine says of itself that it is not durable".into())?;
        agrees(&engine, &model, &format!("S2, opened for the {life}. time"))?;
        more::lives_on(&engine, life)?;
        let mut random = Random::new(life);
        for step in 0..200 {
            random_write(&engine, &mut model, &mut random, &format!("life {life}, step {step}"))?;
        }
        fine("close", engine.close())?;
    }
    agrees(&open(), &model, "opened for the last time")
}

/// Gets and ranges after random writes agree with a sorted map.
fn random_steps(engine: &dyn StorageEngine, seed: u64) -> Outcome {
    let (mut random, mut model) = (Random::new(seed), Model::new());
    for step in 0..STEPS {
        let what = format!("S1, step {step}");
        match random.below(4) {
            0 => {
                let key = key(&mut random);
                let found = fine(&what, engine.get(&key))?.map(|value| value.to_vec());
                same(&format!("{what}, get of {key:?}"), &found, &model.get(&key).cloned())?;
            }
            1 => range(engine, &model, &mut random, &what)?,
            _ => random_write(engine, &mut model, &mut random, &what)?,
        }
    }
    agrees(engine, &model, "S1, in the end")
}

fn random_write(engine: &dyn StorageEngine, model: &mut Model, random: &mut Random, what: &str) -> Outcome {
    let mut batch = WriteBatch::new();
    for _ in 0..random.below(6) {
        let key = key(random);
        if random.below(3) == 0 {
            batch.delete(&key);
            model.remove(&key);
        } else {
            let value = random.next().to_le_bytes().repeat(random.below(20));
            batch.put(&key, &value);
            model.insert(key, value);
        }
    }
    fine(what, engine.write(batch, None).and_then(Commit::wait))
}

fn range(engine: &dyn StorageEngine, model: &Model, random: &mut Random, what: &str) -> Outcome {
    let mut bound = || {
        let key = key(random);
        match random.below(3) {
            0 => Bound::Unbounded,
            1 => Bound::Included(key),
            _ => Bound::Excluded(key),
        }
    };
    let (lower, upper) = (bound(), bound());
    let mut scan = Scan::between(lower.as_ref(), upper.as_ref());
    let mut expected: Vec<_> = model.iter().filter(|(key, _)| scan.contains(key)).collect();
    if random.below(2) == 0 {
        scan = scan.reversed();
        expected.reverse();
    }
    if random.below(2) == 0 {
        scan = scan.limited(random.below(8));
        expected.truncate(scan.limit.unwrap_or(usize::MAX));
    }
    let what = format!("{what}, {scan:?}");
    let found = collect(&what, fine(&what, engine.range(scan))?)?;
    same(&what, &found, &expected.into_iter().map(|(k, v)| (k.clone(), v.clone())).collect())
}

/// What is over a limit is refused, with nothing of its batch applied; what is just below is not.
fn limits(engine: &dyn StorageEngine) -> Outcome {
    let longest = vec![b'k'; 65_535];
    let mut batch = WriteBatch::new();
    batch.put(&longest, "");
    batch.put("", vec![0; 1 << 20]);
    fine("the longest key, and the empty one", engine.write(batch, None).and_then(Commit::wait))?;
    let found = fine("get", engine.get(&longest))?;
    that(found.is_some_and(|value| value.is_empty()), || "the value of the longest key is not there".into())?;
    let mut over = WriteBatch::new();
    over.put("fine", "");
    over.put(vec![b'k'; 65_536], "");
    let refused = engine.write(over, None).map(drop);
    that(matches!(refused, Err(Error::InvalidArgument { .. })), || {
        format!("a key of 65,536 bytes: {refused:?}, an invalid argument expected")
    })?;
    same("a refused batch", &fine("get", engine.get(b"fine"))?, &None)
}

/// S3: a walk does not see what is written meanwhile, on whatever thread it is.
fn walks_keep_their_state(engine: &dyn StorageEngine) -> Outcome {
    let mut model = Model::new();
    for n in 0..500_u32 {
        let mut batch = WriteBatch::new();
        batch.put(n.to_be_bytes(), "before");
        model.insert(n.to_be_bytes().to_vec(), b"before".to_vec());
        fine("S3", engine.write(batch, None).and_then(Commit::wait))?;
    }
    let forward = fine("S3", engine.range(Scan::all()))?;
    let mut back = fine("S3", engine.range(Scan::all().reversed()))?;
    let last = back.next();
    for n in 0..1000_u32 {
        let mut batch = WriteBatch::new();
        match n % 3 {
            0 => batch.delete(n.to_be_bytes()),
            _ => batch.put(n.to_be_bytes(), "after"),
        };
        fine("S3", engine.write(batch, None).and_then(Commit::wait))?;
    }
    let expected: Vec<_> = model.into_iter().collect();
    let walk = thread::spawn(move || collect("S3, forward", forward));
    let walked = walk.join().unwrap_or_else(|_| Err("S3: a walk panicked".into()))?;
    same("S3, forward", &walked, &expected)?;
    let rest: Entries = Box::new(last.into_iter().chain(back));
    let mut walked = collect("S3, backward", rest)?;
    walked.reverse();
    same("S3, backward", &walked, &expected)
}

/// S1: beside a writer of batches over two keys, nobody sees one with the value of another batch than the other.
fn batches_are_whole<E: StorageEngine>(engine: Arc<E>) -> Outcome {
    let has_ended = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (engine, has_ended) = (Arc::clone(&engine), Arc::clone(&has_ended));
        move || {
            let outcome = write_pairs(&*engine);
            has_ended.store(true, Ordering::Release);
            outcome
        }
    });
    let mut newest = Vec::new();
    while newest != (RACED - 1).to_be_bytes() && !has_ended.load(Ordering::Acquire) {
        let entries = collect("S1, a reader", fine("S1, a reader", engine.range(Scan::all()))?)?;
        let values: Vec<_> = entries.iter().map(|(_, value)| value.clone()).collect();
        that(values.is_empty() || (values.len() == 2 && values.first() == values.last()), || {
            format!("S1: a reader saw a part of a batch: {entries:?}")
        })?;
        let seen = values.into_iter().next().unwrap_or_default();
        that(seen >= newest, || format!("S1: a reader saw {seen:?} after {newest:?}"))?;
        newest = seen;
    }
    writer.join().unwrap_or_else(|_| Err("S1: a writer panicked".into()))
}

fn write_pairs(engine: &dyn StorageEngine) -> Outcome {
    for n in 0..RACED {
        let mut batch = WriteBatch::new();
        batch.put("one", n.to_be_bytes());
        batch.put("two", n.to_be_bytes());
        fine("S1, a writer", engine.write(batch, None).map(drop))?;
    }
    Ok(())
}

/// S2, S4, S5: whoever waits is answered, and whoever does not wait holds nothing up.
fn waiting(engine: &dyn StorageEngine) -> Outcome {
    let mut commits = Vec::new();
    for n in 0..50_u32 {
        fine("S4, room", engine.room(1000).wait())?;
        let mut batch = WriteBatch::new();
        batch.put(n.to_be_bytes(), "");
        commits.push(fine("S2", engine.write(batch, None))?);
    }
    // Every other one is dropped, and the last is waited for first.
    let kept: Vec<_> = commits.into_iter().step_by(2).collect();
    for commit in kept.into_iter().rev() {
        fine("S2, a commit", commit.wait())?;
    }
    fine("S2, an empty batch", engine.write(WriteBatch::new(), None).and_then(Commit::wait))?;
    fine("S5, sync", engine.sync())?;
    let count = collect("S5", fine("S5", engine.range(Scan::all()))?)?.len();
    same("S5, writes nobody waited for", &count, &50)
}

/// S7: after a close every call says so, and none panics.
fn closing(engine: &dyn StorageEngine) -> Outcome {
    let mut batch = WriteBatch::new();
    batch.put("k", "v");
    fine("S7", engine.write(batch.clone(), None).and_then(Commit::wait))?;
    let walk = fine("S7", engine.range(Scan::all()))?;
    fine("S7, close", engine.close())?;
    fine("S7, close again", engine.close())?;
    closed("get", engine.get(b"k"))?;
    closed("range", engine.range(Scan::all()).map(drop))?;
    closed("write", engine.write(batch, None).map(drop))?;
    closed("sync", engine.sync())?;
    // It may still have what it needs.
    for entry in walk {
        match entry {
            Ok(entry) => same("S7, a walk", &entry.0, &Slice::copy_of(b"k"))?,
            Err(Error::Closed) => return Ok(()),
            Err(error) => return Err(format!("S7, a walk after the close: {error}")),
        }
    }
    Ok(())
}

fn closed<T: Debug>(call: &str, outcome: crate::Result<T>) -> Outcome {
    match outcome {
        Err(Error::Closed) => Ok(()),
        other => Err(format!("S7: {call} of a closed engine: {other:?} found, Error::Closed expected")),
    }
}

/// All the engine holds is what the model does, both ways.
fn agrees(engine: &dyn StorageEngine, model: &Model, what: &str) -> Outcome {
    let expected: Vec<_> = model.clone().into_iter().collect();
    for direction in [Direction::Forward, Direction::Reverse] {
        let mut found = collect(what, fine(what, engine.range(Scan { direction, ..Scan::all() }))?)?;
        if direction == Direction::Reverse {
            found.reverse();
        }
        same(&format!("{what}, {direction:?}"), &found, &expected)?;
    }
    Ok(())
}

fn collect(what: &str, entries: Entries) -> Outcome<Pairs> {
    entries.map(|entry| fine(what, entry).map(|(key, value)| (key.to_vec(), value.to_vec()))).collect()
}

/// What a call that must not fail gave.
fn fine<T>(what: &str, outcome: crate::Result<T>) -> Outcome<T> {
    outcome.map_err(|error| format!("{what}: {error}"))
}

fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Outcome {
    that(found == expected, || format!("{what}: {found:?} found, {expected:?} expected"))
}

fn that(holds: bool, or: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(or()) }
}

/// One of few, so that they meet; some begin others, some are empty.
fn key(random: &mut Random) -> Vec<u8> {
    let number = random.below(40);
    match random.below(4) {
        0 => vec![0; number % 4],
        1 => vec![0xff; number % 4],
        2 => format!("key{number}").into_bytes(),
        _ => format!("key{number}/more").into_bytes(),
    }
}
