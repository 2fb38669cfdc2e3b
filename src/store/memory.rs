//! An engine that keeps everything in memory and forgets it at the end: for tests and examples, and as the plainest
//! reading of the contract at the top of [`store`](super).
//!
//! A sorted map for each keyspace, all behind one lock. A range copies its entries when it is asked for, which is the simplest way
//! to keep S3; cloning a [`Slice`] allocates nothing.
//!
//! (M1) What a view has is not changed any more: it shares the maps, and a write first copies those that it changes and somebody
//!      shares. So a view costs nothing, and the first write to a keyspace after it as much as the keyspace is large.
//! (M2) What has expired stays until a write meets it, and is never seen (S9): each look at a value asks for its expiry.

use super::{Capabilities, Commit, Direction, Entries, Found, Room, Scan, StorageEngine, View};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{RwLock, plain};
use crate::vfs::{Clock, std::StdClock};
use crate::{Change, Durability, Error, KeyspaceRef, Result, Slice, WriteBatch};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How many there were in this process. No scheduler needs to see it (`sync` Y2): it orders nothing.
static ENGINES: plain::atomic::AtomicU64 = plain::atomic::AtomicU64::new(1);

/// A [`StorageEngine`] in memory.
#[derive(Debug)]
pub struct MemoryEngine {
    clock: Arc<dyn Clock>,
    /// The highest time that the clock has shown, in milliseconds since 1970.
    latest: AtomicU64,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    content: Arc<Content>,
    closed: bool,
}

/// One moment of all keyspaces.
#[derive(Debug, Clone)]
struct Content {
    /// Tells the keyspaces of this engine from those of others.
    engine: u64,
    /// By their numbers, from 1 on.
    names: Vec<String>,
    /// By the same numbers, from 0 on, which has no name.
    maps: Vec<Arc<Map>>,
}

type Map = BTreeMap<Slice, Found>;

impl State {
    fn open(&self) -> Result<&Arc<Content>> {
        if self.closed { Err(Error::Closed) } else { Ok(&self.content) }
    }

    fn open_mut(&mut self) -> Result<&mut Arc<Content>> {
        if self.closed { Err(Error::Closed) } else { Ok(&mut self.content) }
    }
}

impl MemoryEngine {
    /// An empty one.
    #[must_use]
    pub fn new() -> MemoryEngine {
        MemoryEngine::with_clock(Arc::new(StdClock::new()))
    }

    /// An empty one that goes by a clock of your own: what expires in a test is up to the test then.
    ///
    /// ```
    /// # use siltstone::{WriteBatch, store::{MemoryEngine, StorageEngine}, vfs::mem::SimClock};
    /// # use std::{sync::Arc, time::Duration};
    /// let clock = Arc::new(SimClock::new(1));
    /// let engine = MemoryEngine::with_clock(clock.clone());
    /// let mut batch = WriteBatch::new();
    /// batch.put_with_ttl("session", "Ada", Duration::from_secs(60));
    /// engine.write(batch, None)?.wait()?;
    /// clock.advance(Duration::from_secs(59));
    /// assert!(engine.get(b"session")?.is_some());
    /// clock.advance(Duration::from_secs(1));
    /// assert!(engine.get(b"session")?.is_none());
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> MemoryEngine {
        let content = Content::new(ENGINES.fetch_add(1, plain::atomic::Ordering::Relaxed));
        let state = RwLock::new(State { content: Arc::new(content), closed: false });
        MemoryEngine { clock, latest: AtomicU64::new(0), state }
    }
}

impl Default for MemoryEngine {
    fn default() -> MemoryEngine {
        MemoryEngine::new()
    }
}

impl Content {
    fn new(engine: u64) -> Content {
        Content { engine, names: Vec::new(), maps: vec![Arc::default()] }
    }

    fn check(&self, keyspace: KeyspaceRef) -> Result<()> {
        let own = || KeyspaceRef::of_engine(self.engine, keyspace.number());
        if keyspace == KeyspaceRef::ROOT || own().is_ok_and(|own| own == keyspace) {
            return Ok(());
        }
        Err(Error::invalid("the keyspace belongs to another engine: ask this one for the keyspace"))
    }

    /// None when it was made later.
    fn map(&self, keyspace: KeyspaceRef) -> Result<Option<&Map>> {
        self.check(keyspace)?;
        Ok(self.maps.get(keyspace.number() as usize).map(|map| &**map))
    }

    /// The time is asked for only where something expires.
    fn find(
        &self,
        keyspace: KeyspaceRef,
        key: &[u8],
        now: impl FnOnce() -> SystemTime,
    ) -> Result<Option<Found>> {
        let found = self.map(keyspace)?.and_then(|map| map.get(key));
        Ok(found.filter(|found| found.expiry.is_none() || is_there(found, now())).cloned())
    }

    fn range(&self, keyspace: KeyspaceRef, scan: Scan<'_>, now: SystemTime) -> Result<Entries> {
        let map = self.map(keyspace)?;
        // The map panics at bounds in the wrong order.
        let Some(map) = map.filter(|_| !scan.is_empty()) else { return Ok(Box::new(std::iter::empty())) };
        let entries = map.range::<[u8], _>((scan.lower, scan.upper));
        let entries = entries.filter(|(_, found)| is_there(found, now));
        let entries = entries.map(|(key, found)| Ok((key.clone(), found.value.clone())));
        let limit = scan.limit.unwrap_or(usize::MAX);
        let copied: Vec<_> = match scan.direction {
            Direction::Forward => entries.take(limit).collect(),
            Direction::Reverse => entries.rev().take(limit).collect(),
        };
        Ok(Box::new(copied.into_iter()))
    }

    fn name(&self, keyspace: KeyspaceRef) -> String {
        let at = (keyspace.number() as usize).checked_sub(1);
        at.and_then(|at| self.names.get(at)).cloned().unwrap_or_default()
    }

    /// The number of a name, which is made if it is not there.
    fn number(&mut self, name: &str) -> usize {
        let here = self.names.iter().position(|known| known == name);
        1 + here.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.maps.push(Arc::default());
            self.names.len() - 1
        })
    }

    /// The map of a keyspace, to be changed (M1).
    fn map_mut(&mut self, keyspace: KeyspaceRef) -> Option<&mut Map> {
        self.maps.get_mut(keyspace.number() as usize).map(Arc::make_mut)
    }

    fn apply(&mut self, change: Change<'_>, now: SystemTime) {
        match change {
            Change::Put { keyspace, key, value, expiry } => {
                let Some(map) = self.map_mut(keyspace) else { return };
                let found = Found { value: Slice::copy_of(value), expiry };
                // What has expired already is as good as deleted (M2).
                if is_there(&found, now) {
                    map.insert(Slice::copy_of(key), found);
                } else {
                    map.remove(key);
                }
            }
            Change::Delete { keyspace, key } => {
                self.map_mut(keyspace).and_then(|map| map.remove(key));
            }
            Change::DeleteRange { keyspace, start, end } => {
                let Some(map) = self.map_mut(keyspace) else { return };
                let end = end.map_or(Bound::Unbounded, Bound::Excluded);
                let range = map.range::<[u8], _>((Bound::Included(start), end));
                let keys: Vec<_> = range.map(|(key, _)| key.clone()).collect();
                keys.iter().for_each(|key| drop(map.remove(key)));
            }
        }
    }
}

fn is_there(found: &Found, now: SystemTime) -> bool {
    found.expiry.is_none_or(|expiry| expiry > now)
}

impl StorageEngine for MemoryEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Slice>> {
        Ok(self.find(KeyspaceRef::ROOT, key)?.map(|found| found.value))
    }

    fn range(&self, scan: Scan<'_>) -> Result<Entries> {
        self.state.read().open()?.range(KeyspaceRef::ROOT, scan, self.now())
    }

    fn write(&self, batch: WriteBatch, _durability: Option<Durability>) -> Result<Commit> {
        batch.check_limits()?;
        let mut state = self.state.write();
        let content = state.open_mut()?;
        batch.keyspaces().iter().try_for_each(|keyspace| content.check(*keyspace))?;
        let now = self.now();
        batch.check_conditions_within(
            |keyspace, key| Ok(content.find(keyspace, key, || now)?.map(|found| found.value)),
            |keyspace| content.name(keyspace),
        )?;
        let content = Arc::make_mut(content);
        batch.changes(now).for_each(|change| content.apply(change, now));
        Ok(Commit::ready(Ok(())))
    }

    fn room(&self, _bytes: usize) -> Room {
        Room::ready(Ok(()))
    }

    fn stats_json(&self) -> String {
        let keys: usize = self.state.read().content.maps.iter().map(|map| map.len()).sum();
        format!("{{\"engine\":\"memory\",\"keys\":{keys}}}")
    }

    fn sync(&self) -> Result<()> {
        self.state.read().open().map(drop)
    }

    fn close(&self) -> Result<()> {
        let mut state = self.state.write();
        state.closed = true;
        state.content = Arc::new(Content::new(state.content.engine));
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            ordered_ranges: true,
            atomic_batches: true,
            conditional_batches: true,
            durable: false,
            blocking_reads: false,
            keyspaces: true,
            expiry: true,
            range_deletes: true,
            views: true,
        }
    }

    fn keyspace(&self, name: &str) -> Result<KeyspaceRef> {
        if name.is_empty() {
            return Ok(KeyspaceRef::ROOT);
        }
        let mut state = self.state.write();
        let content = Arc::make_mut(state.open_mut()?);
        let number = content.number(name);
        KeyspaceRef::of_engine(content.engine, u32::try_from(number).unwrap_or(u32::MAX))
    }

    fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>> {
        self.state.read().open()?.find(keyspace, key, || self.now())
    }

    fn view(&self) -> Result<Arc<dyn View>> {
        let state = self.state.read();
        Ok(Arc::new(Moment { content: Arc::clone(state.open()?), now: self.now() }))
    }

    fn now(&self) -> SystemTime {
        let wall = self.clock.wall_ms();
        let latest = self.latest.fetch_max(wall, Ordering::Relaxed).max(wall);
        SystemTime::UNIX_EPOCH + Duration::from_millis(latest)
    }
}

/// A view: all there was at a time.
#[derive(Debug)]
struct Moment {
    content: Arc<Content>,
    now: SystemTime,
}

impl View for Moment {
    fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>> {
        self.content.find(keyspace, key, || self.now)
    }

    fn range(&self, keyspace: KeyspaceRef, scan: Scan<'_>) -> Result<Entries> {
        self.content.range(keyspace, scan, self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::mem::SimClock;
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

    #[test]
    fn what_has_expired_does_not_come_back_and_goes_with_the_next_write() {
        let clock = Arc::new(SimClock::new(1));
        let engine = MemoryEngine::with_clock(clock.clone());
        let write = |fill: &dyn Fn(&mut WriteBatch)| {
            let mut batch = WriteBatch::new();
            fill(&mut batch);
            engine.write(batch, None).unwrap().wait()
        };
        write(&|batch| batch.put_with_ttl("k", "v", Duration::from_secs(1))).unwrap();
        let view = engine.view().unwrap();
        let expiry = engine.now() + Duration::from_secs(1);
        let found = Some(Found { value: Slice::copy_of(b"v"), expiry: Some(expiry) });
        assert_eq!(engine.find(KeyspaceRef::ROOT, b"k").unwrap(), found);
        clock.advance(Duration::from_secs(1));
        assert_eq!(engine.now(), expiry);
        assert_eq!(engine.find(KeyspaceRef::ROOT, b"k").unwrap(), None);
        clock.set_wall_ms(0);
        assert_eq!(engine.find(KeyspaceRef::ROOT, b"k").unwrap(), None, "the clock was set back");
        assert_eq!(view.find(KeyspaceRef::ROOT, b"k").unwrap(), found, "the view goes by its own time");
        assert!(engine.stats_json().contains("\"keys\":1"));
        write(&|batch| batch.put_until("k", "late", expiry)).unwrap();
        assert!(engine.stats_json().contains("\"keys\":0"));
    }

    #[test]
    fn a_failed_condition_names_its_keyspace() {
        let engine = engine(&[]);
        let orders = engine.keyspace("orders").unwrap();
        let mut batch = WriteBatch::new();
        batch.within(orders).require_present("1");
        let refused = engine.write(batch, None).unwrap_err();
        assert!(
            matches!(&refused, Error::ConditionFailed { keyspace, .. } if keyspace == "orders"),
            "{refused}"
        );
    }
}
