//! What the threads of a history work on: a map of a few keys, with reads that see one moment.
//!
//! A value is its number and then padding that depends on the number, so that a value put together from two is noticed,
//! and a few dozen writes fill a buffer.

use super::checker::Pair;
use siltstone::{Db, Durability, Error, Result, Slice, Transaction, WriteBatch};

/// Keys that are prefixes of each other, and the least and greatest ones there are.
pub const KEYS: [&[u8]; 6] = [b"", b"a", b"a\0", b"a\xff", b"b", b"\xff\xff"];

/// How something is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Get,
    MultiGet,
    /// A snapshot, and its keys one by one.
    Snapshot,
    /// A snapshot's iterator, backwards.
    SnapshotScan,
    Scan,
    ReverseScan,
}

/// A moment that was chosen, to be looked at later.
pub type Look = Box<dyn FnOnce() -> Result<Vec<Pair>> + Send>;

/// A transaction: what it reads first, and what it writes then.
#[derive(Debug, Clone)]
pub struct Plan {
    pub reads: Vec<Reading>,
    pub writes: Vec<Pair>,
    pub durability: Durability,
}

/// How a transaction reads.
#[derive(Debug, Clone, Copy)]
pub enum Reading {
    Get(u32),
    /// The first pairs of all, or the last.
    Walk {
        backwards: bool,
        pairs: usize,
    },
}

/// The map.
pub trait Engine: Send + Sync {
    /// Reads `keys` as of a moment before this returns.
    fn look(&self, form: Form, keys: &[u32]) -> Result<Look>;
    /// Writes all at once.
    fn write_pairs(&self, pairs: &[Pair], durability: Durability) -> Result<()>;
    /// Begins a transaction, reads in it, and gives what it saw, and how it ends: whether it was committed, or conflicted.
    fn try_transact(&self, plan: &Plan) -> Result<(Vec<Pair>, Result<bool>)> {
        let mut tx = self.db().transaction();
        let seen = read(&tx, &plan.reads)?;
        for (key, value) in &plan.writes {
            match value {
                Some(number) => tx.put(KEYS[*key as usize], padded(*number))?,
                None => tx.delete(KEYS[*key as usize])?,
            }
        }
        std::thread::yield_now();
        let end = match tx.commit_with(plan.durability) {
            Ok(()) => Ok(true),
            Err(Error::Conflict { .. }) => Ok(false),
            Err(other) => Err(other),
        };
        Ok((seen, end))
    }
    fn db(&self) -> &Db;
}

/// What a transaction that has written nothing sees, without those keys that it did not come to.
fn read(tx: &Transaction, reads: &[Reading]) -> Result<Vec<Pair>> {
    let mut seen: Vec<Pair> = Vec::new();
    for reading in reads {
        let new: Vec<Pair> = match reading {
            Reading::Get(key) => vec![(*key, tx.get(KEYS[*key as usize])?.as_deref().map(number))],
            Reading::Walk { backwards: false, pairs } => {
                walked(&mut tx.iter(), 0..KEYS.len() as u32, *pairs)?
            }
            Reading::Walk { backwards: true, pairs } => {
                walked(&mut tx.range::<&[u8]>(..).rev(), (0..KEYS.len() as u32).rev(), *pairs)?
            }
        };
        for pair in new {
            match seen.iter().find(|old| old.0 == pair.0) {
                None => seen.push(pair),
                Some(old) => assert_eq!(*old, pair, "a transaction sees one moment"),
            }
        }
    }
    Ok(seen)
}

/// So many pairs of a walk, and the keys that it passed by because they were absent.
fn walked(
    walk: &mut dyn Iterator<Item = Result<(Slice, Slice)>>,
    keys: impl Iterator<Item = u32>,
    pairs: usize,
) -> Result<Vec<Pair>> {
    let (mut keys, mut seen) = (keys, Vec::new());
    for _ in 0..pairs {
        let Some((key, value)) = walk.next().transpose()? else {
            seen.extend(keys.map(|key| (key, None)));
            break;
        };
        let place = place(&key);
        seen.extend(keys.by_ref().take_while(|key| *key != place).map(|key| (key, None)));
        seen.push((place, Some(number(&value))));
    }
    Ok(seen)
}

impl Engine for Db {
    fn look(&self, form: Form, keys: &[u32]) -> Result<Look> {
        let keys = keys.to_vec();
        let scan = |found: &mut dyn Iterator<Item = Result<(Slice, Slice)>>, keys: &[u32]| {
            let all: Vec<Pair> =
                found.map(|pair| pair.map(|(k, v)| (place(&k), Some(number(&v))))).collect::<Result<_>>()?;
            let value = |key: u32| all.iter().find(|pair| pair.0 == key).and_then(|pair| pair.1);
            Ok(keys.iter().map(|key| (*key, value(*key))).collect())
        };
        Ok(match form {
            Form::Get | Form::MultiGet => {
                let found = match (form, &keys[..]) {
                    (Form::Get, [key]) => vec![self.get(KEYS[*key as usize])?],
                    _ => self.multi_get(keys.iter().map(|key| KEYS[*key as usize]))?,
                };
                Box::new(move || {
                    Ok(keys.into_iter().zip(found.iter().map(|v| v.as_deref().map(number))).collect())
                })
            }
            Form::Snapshot => {
                let snapshot = self.snapshot();
                let get = move |key: u32| {
                    snapshot.get(KEYS[key as usize]).map(|found| (key, found.as_deref().map(number)))
                };
                Box::new(|| keys.into_iter().map(get).collect())
            }
            Form::SnapshotScan => {
                let snapshot = self.snapshot();
                Box::new(move || scan(&mut snapshot.iter().rev(), &keys))
            }
            Form::Scan => {
                let mut range = self.iter();
                Box::new(move || scan(&mut range, &keys))
            }
            Form::ReverseScan => {
                let mut range = self.range::<&[u8]>(..).rev();
                Box::new(move || scan(&mut range, &keys))
            }
        })
    }

    fn write_pairs(&self, pairs: &[Pair], durability: Durability) -> Result<()> {
        let mut batch = WriteBatch::new();
        for (key, value) in pairs {
            match value {
                Some(number) => batch.put(KEYS[*key as usize], padded(*number)),
                None => batch.delete(KEYS[*key as usize]),
            }
        }
        self.write_with(batch, durability)
    }

    fn db(&self) -> &Db {
        self
    }
}

fn place(key: &[u8]) -> u32 {
    KEYS.iter().position(|known| *known == key).expect("a key that was written") as u32
}

fn padded(number: u64) -> Vec<u8> {
    let mut value = number.to_le_bytes().repeat(2 + number as usize % 13);
    value.truncate(value.len() - number as usize % 8);
    value
}

#[track_caller]
fn number(value: &[u8]) -> u64 {
    let number = u64::from_le_bytes(value[..8].try_into().unwrap());
    assert_eq!(value, padded(number), "a value that was never written");
    number
}
