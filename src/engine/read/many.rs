//! The way of many gets, side by side.
//!
//! The way itself is that of one get (`super_version`). But one get waits for memory a dozen times in a row, each time for what the
//! wait before led to. So a group of keys goes down together, a step for all of them before the next one; while one
//! waits, the others wait, too.
//!
//! (K1) Each key passes the same places in the same order as by [`SuperVersion::get`] and goes no further than to its answer, past the
//!      same deletions: the answers are the same.
//! (K2) The error of a key ends the way of those behind it, whose answers nobody will see, and of no key before it. So the group's
//!      error is that of the first key that has one, as if one had been asked for after the other.

use super::lazy_table::{Opened, TableRef};
use super::super_version::{Found, SuperVersion, standing};
use crate::engine::key::{self, Trailer};
use crate::engine::memtable::Memtable;
use crate::engine::sstable::Probe;
use crate::{Error, Result};
use std::sync::Arc;

/// So many keys go side by side: as many blocks as a thread can hold of the cache without counting them (`arc_swap`).
pub const GROUP: usize = 8;

/// Keys on their way down.
struct Group<'a> {
    ways: [Way<'a>; GROUP],
    /// The place of each answer.
    values: &'a mut [Option<Found>],
    error: Option<Error>,
    seq: u64,
    now: u64,
}

#[derive(Clone, Copy, Default)]
struct Way<'a> {
    key: &'a [u8],
    hash: u64,
    /// The newest deletion of a range over it.
    deleted: u64,
    /// Whether its answer is not known yet.
    is_open: bool,
}

impl SuperVersion {
    /// Appends the value of each of at most [`GROUP`] engine keys as of `seq` and the time `now`: what [`SuperVersion::get`] would
    /// give for each.
    ///
    /// # Errors
    /// As [`SuperVersion::get`]; then some of the values are missing.
    ///
    /// # Panics
    /// When there are more.
    pub fn get_group(
        &self,
        keys: &[&[u8]],
        seq: u64,
        now: u64,
        values: &mut Vec<Option<Found>>,
    ) -> Result<()> {
        assert!(keys.len() <= GROUP, "{} keys side by side", keys.len());
        let has_tombstones = self.has_tombstones();
        let mut ways = [Way::default(); GROUP];
        for (way, key) in ways.iter_mut().zip(keys) {
            let deleted = if has_tombstones { self.deleted_at(key, seq) } else { 0 };
            *way = Way { key, hash: key::hash(key), deleted, is_open: true };
        }
        let begin = values.len();
        values.resize_with(begin + keys.len(), || None);
        let values = values.get_mut(begin..).unwrap_or_default();
        let mut group = Group { ways, values, error: None, seq, now };
        for memtable in self.buffers().filter(|memtable| !memtable.is_empty()) {
            group.ask_buffer(memtable);
        }
        let [level0, sorted @ ..] = self.version.levels();
        for table in level0.tables() {
            group.ask_tables(|key| table.summary.may_hold(key).then_some(table));
        }
        for level in sorted.iter().filter(|level| !level.is_empty()) {
            group.ask_tables(|key| level.find(key));
        }
        group.error.map_or(Ok(()), Err)
    }
}

impl<'a> Group<'a> {
    fn ask_buffer(&mut self, memtable: &Memtable) {
        self.open().for_each(|way| memtable.prefetch(way.hash));
        self.open().for_each(|way| memtable.prefetch_entry(way.hash));
        for at in 0..GROUP {
            let Some(way) = self.way(at) else { continue };
            if let Some((trailer, value)) = memtable.get(way.key, way.hash, self.seq) {
                let expiry = self.judge(way, trailer, value);
                self.settle(at, expiry.map(|expiry| expiry.map(|at| Found::copy_of(value, at))));
            }
        }
    }

    /// Asks, for each key, the table that `place` says may know it.
    fn ask_tables<'t>(&mut self, place: impl Fn(&[u8]) -> Option<&'t Arc<TableRef>>) {
        let mut probes = [const { None }; GROUP];
        for (at, probe) in probes.iter_mut().enumerate() {
            if let Some(way) = self.way(at)
                && let Some(table) = place(way.key)
            {
                *probe = self.begin(at, way, table);
            }
        }
        probes.iter_mut().flatten().for_each(Probe::search);
        probes.iter_mut().flatten().for_each(Probe::load);
        probes.iter().flatten().for_each(Probe::touch_block);
        probes.iter().flatten().for_each(Probe::touch_keys);
        probes.iter_mut().flatten().for_each(Probe::find);
        for (at, probe) in probes.into_iter().enumerate() {
            let (Some(probe), Some(way)) = (probe, self.way(at)) else { continue };
            match probe.take() {
                Ok(None) => {}
                Ok(Some((trailer, value))) => {
                    let expiry = self.judge(way, trailer, &value);
                    self.settle(at, expiry.map(|expiry| expiry.map(|at| Found::new(value, at))));
                }
                Err(error) => self.settle(at, Err(error)),
            }
        }
    }

    /// A read of a table, if that lets the key through.
    #[inline]
    fn begin<'t>(&mut self, at: usize, way: Way<'a>, table: &'t TableRef) -> Option<Probe<'a, Opened<'t>>> {
        // One with older entries only need not be asked.
        if table.summary.max_seq < way.deleted {
            return None;
        }
        match table.handle.open() {
            Ok(opened) => {
                opened.may_contain(way.hash).then(|| Probe::new(opened, way.key, way.hash, self.seq))
            }
            Err(error) => {
                self.settle(at, Err(error));
                None
            }
        }
    }

    /// When the value of a key's newest entry ends, if the entry gives it one.
    #[inline]
    fn judge(&self, way: Way<'_>, trailer: Trailer, stored: &[u8]) -> Result<Option<u64>> {
        if trailer.seq() < way.deleted { Ok(None) } else { standing(trailer, || stored, || self.now) }
    }

    /// The answer of a key (K2).
    #[inline]
    fn settle(&mut self, at: usize, answer: Result<Option<Found>>) {
        match answer {
            Ok(found) => {
                if let (Some(way), Some(value)) = (self.ways.get_mut(at), self.values.get_mut(at)) {
                    way.is_open = false;
                    *value = found;
                }
            }
            Err(error) => {
                self.error = Some(error);
                self.ways.iter_mut().skip(at).for_each(|way| way.is_open = false);
            }
        }
    }

    /// A key whose answer is not known yet.
    #[inline]
    fn way(&self, at: usize) -> Option<Way<'a>> {
        self.ways.get(at).copied().filter(|way| way.is_open)
    }

    fn open(&self) -> impl Iterator<Item = &Way<'a>> {
        self.ways.iter().filter(|way| way.is_open)
    }
}
