//! An engine that keeps everything in memory and forgets it at the end: for tests and examples, and as the plainest
//! reading of the contract at the top of [`store`](super).
//!
//! A sorted map behind one lock. A range copies its entries when it is asked for, which is the simplest way to keep
//! S3; cloning a [`Slice`] allocates nothing.

use super::{Capabilities, Commit, Direction, Entries, Room, Scan, StorageEngine};
use crate::sync::RwLock;
use crate::{Durability, Error, Result, Slice, WriteBatch};
use std::collections::BTreeMap;

/// A [`StorageEngine`] in memory.
#[derive(Debug, Default)]
pub struct MemoryEngine {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    map: BTreeMap<Slice, Slice>,
    closed: bool,
}

impl State {
    fn open(&self) -> Result<&BTreeMap<Slice, Slice>> {
        if self.closed { Err(Error::Closed) } else { Ok(&self.map) }
    }
}

impl MemoryEngine {
    /// An empty one.
    #[must_use]
    pub fn new() -> MemoryEngine {
        MemoryEngine::default()
    }
}

impl StorageEngine for MemoryEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Slice>> {
        Ok(self.state.read().open()?.get(key).cloned())
    }

    fn range(&self, scan: Scan<'_>) -> Result<Entries> {
        let state = self.state.read();
        let map = state.open()?;
        // The map panics at bounds in the wrong order.
        if scan.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let entries = map.range::<[u8], _>((scan.lower, scan.upper)).map(|(k, v)| Ok((k.clone(), v.clone())));
        let limit = scan.limit.unwrap_or(usize::MAX);
        let copied: Vec<_> = match scan.direction {
            Direction::Forward => entries.take(limit).collect(),
            Direction::Reverse => entries.rev().take(limit).collect(),
        };
        Ok(Box::new(copied.into_iter()))
    }

    fn write(&self, batch: WriteBatch, _durability: Option<Durability>) -> Result<Commit> {
        batch.check()?;
        let mut state = self.state.write();
        let map = state.open()?;
        batch.check_conditions(|key| Ok(map.get(key).cloned()))?;
        for (key, value) in batch.iter() {
            match value {
                Some(value) => state.map.insert(Slice::copy_of(key), Slice::copy_of(value)),
                None => state.map.remove(key),
            };
        }
        Ok(Commit::ready(Ok(())))
    }

    fn room(&self, _bytes: usize) -> Room {
        Room::ready(Ok(()))
    }

    fn stats_json(&self) -> String {
        format!("{{\"engine\":\"memory\",\"keys\":{}}}", self.state.read().map.len())
    }

    fn sync(&self) -> Result<()> {
        self.state.read().open().map(drop)
    }

    fn close(&self) -> Result<()> {
        let mut state = self.state.write();
        state.closed = true;
        state.map = BTreeMap::new();
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            ordered_ranges: true,
            atomic_batches: true,
            conditional_batches: true,
            ..Capabilities::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Bound::{Excluded, Included};

    fn engine(keys: &[&str]) -> MemoryEngine {
        let engine = MemoryEngine::new();
        let mut batch = WriteBatch::new();
        keys.iter().for_each(|key| batch.put(key, format!("value of {key}")));
        engine.write(batch, None).unwrap().wait().unwrap();
        engine
    }

    fn keys(entries: Entries) -> Vec<String> {
        entries.map(|entry| String::from_utf8(entry.unwrap().0.to_vec()).unwrap()).collect()
    }

    #[test]
    fn ranges_go_both_ways_and_keep_their_state() {
        let engine = engine(&["a", "b", "c", "d"]);
        let all = engine.range(Scan::all()).unwrap();
        let mut batch = WriteBatch::new();
        batch.delete("b");
        batch.put("e", "");
        engine.write(batch, None).unwrap().wait().unwrap();
        assert_eq!(keys(all), ["a", "b", "c", "d"]);
        let scan = Scan::between(Included("a"), Excluded("d"));
        assert_eq!(keys(engine.range(scan).unwrap()), ["a", "c"]);
        assert_eq!(keys(engine.range(Scan::all().reversed().limited(2)).unwrap()), ["e", "d"]);
        assert!(keys(engine.range(Scan::between(Included("z"), Included("a"))).unwrap()).is_empty());
    }

    #[test]
    fn of_two_writes_to_a_key_the_later_wins_and_limits_hold() {
        let engine = engine(&[]);
        let mut batch = WriteBatch::new();
        batch.put("k", "1");
        batch.put("k", "2");
        engine.write(batch, None).unwrap().wait().unwrap();
        assert_eq!(engine.get(b"k").unwrap().unwrap(), "2");
        let mut over = WriteBatch::new();
        over.put("fine", "");
        over.put(vec![0; 70_000], "");
        assert!(matches!(engine.write(over, None), Err(Error::InvalidArgument { .. })));
        assert!(engine.get(b"fine").unwrap().is_none(), "nothing of a refused batch is applied");
    }

    #[test]
    fn a_closed_engine_says_so() {
        let engine = engine(&["a"]);
        engine.close().unwrap();
        engine.close().unwrap();
        assert!(matches!(engine.get(b"a"), Err(Error::Closed)));
        assert!(matches!(engine.range(Scan::all()), Err(Error::Closed)));
        assert!(matches!(engine.write(WriteBatch::new(), None), Err(Error::Closed)));
        assert!(matches!(engine.sync(), Err(Error::Closed)));
    }
}
