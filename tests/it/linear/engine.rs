//! What the threads of a history work on: a map of a few keys, with reads that see one moment.
//!
//! A value is its number and then padding that depends on the number, so that a value put together from two is noticed,
//! and a few dozen writes fill a buffer.

use super::checker::Pair;
use siltstone::{Db, Durability, Result, Slice, WriteBatch};

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

/// The map.
pub trait Engine: Send + Sync {
    /// Reads `keys` as of a moment before this returns.
    fn look(&self, form: Form, keys: &[u32]) -> Result<Look>;
    /// Writes all at once.
    fn write_pairs(&self, pairs: &[Pair], durability: Durability) -> Result<()>;
    fn db(&self) -> &Db;
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
