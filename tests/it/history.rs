//! What a database may hold after a crash or a failure: the oracle of [`super::crash`] and [`super::faults`].
//!
//! A [`History`] is the order of all writes, with notes of how many were acknowledged, and how many for certain durable,
//! when so many file operations were done. The state after each prefix of it is known by a fingerprint, so that finding the
//! prefix that a database holds costs one scan.
//!
//! A write with `Durability::Interval` vouches for all writes up to one whose own interval is over by then: where nobody but the
//! caller does the work, a later write syncs for the earlier ones.

use siltstone::vfs::Clock;
use siltstone::vfs::mem::SimClock;
use siltstone::{Db, Durability, Options, WriteBatch, WriteOptions};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

pub type Map = BTreeMap<Vec<u8>, Vec<u8>>;
/// The writes of one batch; `None` deletes.
pub type Write = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// One thing done to a database.
#[derive(Debug, Clone)]
pub enum Step {
    /// With the database's own durability, or another.
    Write(Write, Option<Durability>),
    /// The same by a transaction, which reads first what it writes. Not of nothing, for then it does not commit to anything.
    Transact(Write, Option<Durability>),
    /// The deletion of a range, from the first key to the last. Tells all keys there may be in it.
    DeleteRange(Write),
    Sync,
    Flush,
    Compact,
    /// Closed and opened.
    Reopen,
    /// Time passes.
    Wait(Duration),
}

pub struct History {
    base: Map,
    writes: Vec<Write>,
    /// The state after all writes.
    pub map: Map,
    /// The fingerprints of the states after 0, 1, 2, … writes.
    prints: Vec<u64>,
    /// The number of the file operation that each write began before.
    begun: Vec<u64>,
    /// After so many file operations: how many writes were acknowledged, and how many were durable.
    marks: Vec<(u64, usize, usize)>,
    /// By when writes at an interval were to be durable, and how many writes there were when they were acknowledged.
    at_intervals: Vec<(Duration, usize)>,
    failed: Vec<Failed>,
    /// The operating system may have lost what was not synced, also without a power cut.
    forgetful: bool,
}

/// A write that failed. It is not there, or it is, as the last one.
struct Failed {
    /// How many writes came before it.
    after: usize,
    begun: u64,
    write: Write,
}

impl History {
    /// Begins with a state that is durable.
    pub fn new(base: Map) -> History {
        let prints = vec![base.iter().map(print).fold(0, u64::wrapping_add)];
        let (writes, begun, at_intervals, failed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (map, marks) = (base.clone(), vec![(0, 0, 0)]);
        History { map, base, writes, prints, begun, marks, at_intervals, failed, forgetful: false }
    }

    /// From now on a process that ended has left no more for certain than a power cut.
    pub fn forget_unsynced(&mut self) {
        self.forgetful = true;
    }

    /// Notes that a write begins before file operation `op`.
    pub fn begin(&mut self, op: u64, write: &Write) {
        let mut now = self.prints[self.prints.len() - 1];
        for (key, value) in write {
            if let Some((key, old)) = self.map.remove_entry(key) {
                now = now.wrapping_sub(print((&key, &old)));
            }
            if let Some(value) = value {
                now = now.wrapping_add(print((key, value)));
                self.map.insert(key.clone(), value.clone());
            }
        }
        self.writes.push(write.clone());
        self.prints.push(now);
        self.begun.push(op);
    }

    /// Notes that all writes so far are acknowledged.
    pub fn acknowledged(&mut self, op: u64) {
        self.mark(op, 0);
    }

    /// Notes that all writes so far are durable.
    pub fn durable(&mut self, op: u64) {
        self.mark(op, self.writes.len());
    }

    /// Notes that all writes so far are acknowledged, at the time `now`, the last one with `Durability::Interval(interval)`.
    pub fn acknowledged_at(&mut self, op: u64, now: Duration, interval: Duration) {
        self.at_intervals.push((now + interval, self.writes.len()));
        let due = self.at_intervals.iter().filter(|(deadline, _)| *deadline <= now);
        let durable = due.map(|(_, writes)| *writes).max().unwrap_or(0);
        self.mark(op, durable);
    }

    /// All writes so far are acknowledged, and so many, if not more, are durable.
    fn mark(&mut self, op: u64, durable: usize) {
        let before = self.marks[self.marks.len() - 1].2;
        self.marks.push((op, self.writes.len(), durable.max(before)));
    }

    /// Notes that the last write failed, before it was visible; a crash may bring it back all the same.
    pub fn failed(&mut self) {
        let failed = self.take_back();
        self.failed.push(failed);
    }

    /// Notes that the last write was refused: it never comes back.
    pub fn refused(&mut self) {
        let _ = self.take_back();
    }

    fn take_back(&mut self) -> Failed {
        let (write, begun) = (self.writes.pop().unwrap(), self.begun.pop().unwrap());
        self.prints.pop();
        self.map = self.state(self.len());
        Failed { after: self.len(), begun, write }
    }

    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// The least and the greatest number of writes that may be there after a crash before file operation `op`.
    pub fn bounds(&self, op: u64, everything_arrived: bool) -> (usize, usize) {
        let mark = self.marks.partition_point(|(at, ..)| *at <= op);
        let (_, acknowledged, durable) = self.marks[mark.max(1) - 1];
        let most = self.begun.partition_point(|begun| *begun < op);
        let least = if everything_arrived && !self.forgetful { acknowledged } else { durable };
        (least, most.max(least))
    }

    /// Whether a database may hold this after a crash before file operation `op`.
    ///
    /// # Errors
    /// What it may hold, and when it might hold this.
    pub fn allows(&self, found: &Map, op: u64, everything_arrived: bool) -> Result<(), String> {
        let (least, most) = self.bounds(op, everything_arrived);
        let wanted = found.iter().map(print).fold(0, u64::wrapping_add);
        let is_after = |n: &usize| self.prints[*n] == wanted && self.state(*n) == *found;
        let with_failed = || {
            // A batch of nothing leaves no record, so it may come after the one that failed.
            let durable_later =
                |f: &Failed| self.writes[f.after.min(least)..least].iter().any(|w| !w.is_empty());
            let open = self.failed.iter().filter(|f| f.begun < op && !durable_later(f));
            open.map(|f| self.with_failed(f)).any(|state| state == *found)
        };
        if (least..=most).rev().any(|n| is_after(&n)) || with_failed() {
            return Ok(());
        }
        let found = (0..=self.len()).find(is_after);
        Err(format!("it holds the state after {found:?} writes, {least} to {most} are expected"))
    }

    /// The state before a write that failed, and that write.
    fn with_failed(&self, failed: &Failed) -> Map {
        let mut state = self.state(failed.after);
        apply(&mut state, &failed.write);
        state
    }

    /// The state after `n` writes.
    pub fn state(&self, n: usize) -> Map {
        let mut map = self.base.clone();
        self.writes[..n].iter().for_each(|write| apply(&mut map, write));
        map
    }
}

fn print((key, value): (&Vec<u8>, &Vec<u8>)) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, value).hash(&mut hasher);
    hasher.finish()
}

pub fn apply(map: &mut Map, write: &Write) {
    for (key, value) in write {
        match value {
            Some(value) => map.insert(key.clone(), value.clone()),
            None => map.remove(key),
        };
    }
}

/// Carries out a write, one of a single key in the way of a user who has no batch.
pub fn write(db: &Db, write: &Write, durability: Option<Durability>) -> siltstone::Result<()> {
    match (&write[..], durability) {
        ([(key, Some(value))], None) => db.put(key, value),
        ([(key, None)], None) => db.delete(key),
        _ => {
            let mut batch = WriteBatch::new();
            for (key, value) in write {
                match value {
                    Some(value) => batch.put(key, value),
                    None => batch.delete(key),
                }
            }
            db.write_with(batch, WriteOptions { durability })
        }
    }
}

/// The same by a transaction.
pub fn transact(db: &Db, write: &Write, durability: Option<Durability>) -> siltstone::Result<()> {
    let mut tx = db.transaction();
    for (key, value) in write {
        tx.get(key)?;
        tx.range(&key[..]..).next().transpose()?;
        match value {
            Some(value) => tx.put(key, value)?,
            None if key.last().is_some_and(|last| last % 2 == 0) => tx.delete_range::<&Vec<u8>>(key..=key)?,
            None => tx.delete(key)?,
        }
    }
    tx.commit_with(WriteOptions { durability })
}

/// Deletes the keys that a write tells, and all between the first and the last of them.
pub fn delete_range(db: &Db, write: &Write) -> siltstone::Result<()> {
    match (write.first(), write.last()) {
        (Some((first, None)), Some((last, None))) => db.delete_range::<&Vec<u8>>(first..=last),
        // It ends before it begins.
        _ => db.delete_range("b".."a"),
    }
}

/// The deletion of the keys from one to another, of all that there may be.
pub fn range_of(keys: impl IntoIterator<Item = Vec<u8>>, from: &[u8], to: &[u8]) -> Step {
    let mut keys: Vec<Vec<u8>> = keys.into_iter().filter(|key| from <= &key[..] && &key[..] <= to).collect();
    keys.sort();
    Step::DeleteRange(keys.into_iter().map(|key| (key, None)).collect())
}

/// What a workload runs on.
pub struct Setting<'a> {
    pub options: &'a Options,
    pub durability: Durability,
    /// The one of the options.
    pub clock: &'a SimClock,
    /// Counts file operations.
    pub ops: &'a dyn Fn() -> u64,
}

impl Setting<'_> {
    pub fn open(&self) -> siltstone::Result<Db> {
        self.options.clone().durability(self.durability).open("/db")
    }

    /// Opens, does all steps and closes, noting in `history` what was promised when.
    pub fn run(&self, steps: &[Step], history: &mut History) {
        let db = self.go_on(self.open().unwrap(), steps, history);
        db.close().unwrap();
        history.durable((self.ops)());
    }

    /// Does all steps on an open database, and gives it back.
    pub fn go_on(&self, mut db: Db, steps: &[Step], history: &mut History) -> Db {
        for step in steps {
            if matches!(step, Step::Reopen) {
                db.close().unwrap();
                history.durable((self.ops)());
                drop(db);
                db = self.open().unwrap();
            } else {
                self.step(&db, step, history).unwrap();
            }
        }
        db
    }

    /// Does a step other than reopening.
    pub fn step(&self, db: &Db, step: &Step, history: &mut History) -> siltstone::Result<()> {
        match step {
            Step::Write(writes, durability) | Step::Transact(writes, durability) => {
                history.begin((self.ops)(), writes);
                match step {
                    Step::Transact(..) => transact(db, writes, *durability)?,
                    _ => write(db, writes, *durability)?,
                }
                self.acknowledge(*durability, history);
                return Ok(());
            }
            Step::DeleteRange(keys) => {
                history.begin((self.ops)(), keys);
                delete_range(db, keys)?;
                self.acknowledge(None, history);
                return Ok(());
            }
            Step::Sync => db.sync()?,
            Step::Flush => db.flush()?,
            Step::Compact => db.compact_range::<&[u8]>(..)?,
            Step::Wait(time) => {
                self.clock.advance(*time);
                return Ok(());
            }
            Step::Reopen => unreachable!("done by whoever holds the database"),
        }
        history.durable((self.ops)());
        Ok(())
    }
}

impl Setting<'_> {
    /// Notes that the last write was acknowledged.
    fn acknowledge(&self, durability: Option<Durability>, history: &mut History) {
        let op = (self.ops)();
        match durability.unwrap_or(self.durability) {
            Durability::Sync => history.durable(op),
            Durability::Interval(d) => history.acknowledged_at(op, self.clock.monotonic(), d),
            Durability::Os => history.acknowledged(op),
        }
    }
}

/// A state in few words, for a message.
pub fn brief(map: &Map) -> String {
    let pairs = map.iter().map(|(key, value)| {
        format!("{}={:02x?}*{} ", key.escape_ascii(), value.first().unwrap_or(&0), value.len())
    });
    pairs.collect()
}

#[track_caller]
pub fn assert_same(found: &Map, expected: &Map, what: &dyn Fn() -> String) {
    assert!(found == expected, "{}:\nfound    {}\nexpected {}", what(), brief(found), brief(expected));
}

/// All pairs, forwards.
pub fn scan(db: &Db) -> siltstone::Result<Map> {
    db.iter().map(|pair| pair.map(|(key, value)| (key.to_vec(), value.to_vec()))).collect()
}

/// Reads everything forwards, backwards and key by key; it must be `expected`.
#[track_caller]
pub fn assert_holds(db: &Db, expected: &Map, what: &dyn Fn() -> String) {
    assert_same(&scan(db).unwrap(), expected, &|| format!("forwards, {}", what()));
    let backwards = db.iter().rev().map(|pair| pair.map(|(k, v)| (k.to_vec(), v.to_vec())));
    let backwards = backwards.collect::<siltstone::Result<Map>>().unwrap();
    assert_same(&backwards, expected, &|| format!("backwards, {}", what()));
    for (key, value) in expected {
        let found = db.get(key).unwrap();
        assert!(found.as_deref() == Some(&value[..]), "key {}, {}", key.escape_ascii(), what());
    }
}
