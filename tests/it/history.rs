//! What a database may hold after a crash or a failure: the oracle of [`super::crash`] and [`super::faults`].
//!
//! A [`History`] is the order of all writes, with notes of how many were acknowledged, and how many for certain durable,
//! when so many file operations were done. The state after each prefix of it is known by a fingerprint, so that finding the
//! prefix that a database holds costs one scan.

use siltstone::{Db, Durability, Options, WriteBatch, WriteOptions};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

pub type Map = BTreeMap<Vec<u8>, Vec<u8>>;
/// The writes of one batch; `None` deletes.
pub type Write = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// One thing done to a database.
#[derive(Debug, Clone)]
pub enum Step {
    /// With the database's own durability, or another.
    Write(Write, Option<Durability>),
    Sync,
    Flush,
    Compact,
    /// Closed and opened.
    Reopen,
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
}

impl History {
    /// Begins with a state that is durable.
    pub fn new(base: Map) -> History {
        let prints = vec![base.iter().map(print).fold(0, u64::wrapping_add)];
        let (writes, begun) = (Vec::new(), Vec::new());
        History { map: base.clone(), base, writes, prints, begun, marks: vec![(0, 0, 0)] }
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
        let durable = self.marks[self.marks.len() - 1].2;
        self.marks.push((op, self.writes.len(), durable));
    }

    /// Notes that all writes so far are durable.
    pub fn durable(&mut self, op: u64) {
        self.marks.push((op, self.writes.len(), self.writes.len()));
    }

    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// The least and the greatest number of writes that may be there after a crash before file operation `op`.
    pub fn bounds(&self, op: u64, everything_arrived: bool) -> (usize, usize) {
        let mark = self.marks.partition_point(|(at, ..)| *at <= op);
        let (_, acknowledged, durable) = self.marks[mark.max(1) - 1];
        let most = self.begun.partition_point(|begun| *begun < op);
        let least = if everything_arrived { acknowledged } else { durable };
        (least, most.max(least))
    }

    /// How many writes lead to this state, if some number within the bounds does.
    pub fn find(&self, found: &Map, (least, most): (usize, usize)) -> Option<usize> {
        let wanted = found.iter().map(print).fold(0, u64::wrapping_add);
        (least..=most).rev().find(|n| self.prints[*n] == wanted && self.state(*n) == *found)
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

/// Does all steps and closes, noting in `history` what was promised when. `ops` counts file operations.
pub fn run(
    options: &Options,
    default: Durability,
    steps: &[Step],
    history: &mut History,
    ops: impl Fn() -> u64,
) {
    let open = || options.clone().durability(default).open("/db").unwrap();
    let mut db = open();
    for step in steps {
        match step {
            Step::Write(writes, durability) => {
                history.begin(ops(), writes);
                write(&db, writes, *durability).unwrap();
                match durability.unwrap_or(default) {
                    Durability::Sync => history.durable(ops()),
                    _ => history.acknowledged(ops()),
                }
                continue;
            }
            Step::Sync => db.sync().unwrap(),
            Step::Flush => db.flush().unwrap(),
            Step::Compact => db.compact_range::<&[u8]>(..).unwrap(),
            Step::Reopen => {
                db.close().unwrap();
                history.durable(ops());
                drop(db);
                db = open();
            }
        }
        history.durable(ops());
    }
    db.close().unwrap();
    history.durable(ops());
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
