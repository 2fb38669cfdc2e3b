//! What the manifest knows besides tables: logs, counters, keyspaces.
//!
//! (R1) Counters only grow; an edit with a smaller one changes nothing. So two jobs may finish in any order, and no number
//!      and no keyspace id is used twice, also when the table or keyspace that had it is long gone.
//! (R2) The logs `min_log ..= newest_log` are needed; when `min_log` is above, none is.

use super::edit::{Edit, SealedLog};
use crate::engine::key::KeyspaceId;
use crate::engine::sstable::summary::TableSummary;
use crate::engine::tombstones::Tombstone;
use std::collections::{BTreeMap, BTreeSet};

/// What the manifest knows besides tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// The lowest log still needed.
    pub min_log: u64,
    /// The log position of its first byte.
    pub log_base: u64,
    /// The newest log that is known of; 0 before the first.
    pub newest_log: u64,
    /// The highest sequence number known to be used.
    pub last_seq: u64,
    /// The lowest table number never used.
    pub next_table: u64,
    /// The lowest keyspace id never used.
    pub next_keyspace: u32,
    /// The keyspaces there are, but for the default one.
    pub keyspaces: BTreeMap<KeyspaceId, String>,
    /// Their names, so that a thousand that are made one after the other are read without comparing each with all.
    names: BTreeSet<String>,
    /// What values of a keyspace live for, in milliseconds, of those that have such a time.
    pub keyspace_ttls: BTreeMap<KeyspaceId, u64>,
    /// The highest time seen, in milliseconds since 1970.
    pub time: u64,
    /// How far needed logs were written when they were closed.
    pub sealed_logs: BTreeMap<u64, SealedLog>,
}

impl Default for Registry {
    /// That of a new database: no log yet, and everything is numbered from 1.
    fn default() -> Self {
        Registry {
            min_log: 1,
            log_base: 0,
            newest_log: 0,
            last_seq: 0,
            next_table: 1,
            next_keyspace: 1,
            keyspaces: BTreeMap::new(),
            names: BTreeSet::new(),
            keyspace_ttls: BTreeMap::new(),
            time: 0,
            sealed_logs: BTreeMap::new(),
        }
    }
}

impl Registry {
    /// The registry after `edit`.
    ///
    /// # Errors
    /// Why the edit cannot follow on this registry, as a sentence.
    pub fn apply(&self, edit: &Edit) -> Result<Registry, String> {
        let mut next = self.clone();
        next.absorb(edit)?;
        Ok(next)
    }

    /// As [`Registry::apply`], in place; after an error it must not be used.
    pub(super) fn absorb(&mut self, edit: &Edit) -> Result<(), String> {
        grow(&mut self.min_log, edit.min_log);
        grow(&mut self.log_base, edit.log_base);
        grow(&mut self.newest_log, edit.newest_log);
        grow(&mut self.last_seq, edit.last_seq);
        grow(&mut self.next_table, edit.next_table);
        grow(&mut self.next_keyspace, edit.next_keyspace);
        grow(&mut self.time, edit.time);
        for (_, table) in &edit.added {
            grow(&mut self.last_seq, Some(table.max_seq));
            grow(&mut self.next_table, Some(table.number.saturating_add(1)));
        }
        for tombstone in &edit.tombstones {
            grow(&mut self.last_seq, Some(tombstone.seq));
        }
        for id in &edit.dropped_keyspaces {
            let Some(name) = self.keyspaces.remove(id) else {
                return Err(format!("keyspace {} is dropped, but there is none", id.0));
            };
            self.names.remove(&name);
            self.keyspace_ttls.remove(id);
        }
        for (id, name) in &edit.created_keyspaces {
            self.create(*id, name)?;
        }
        for (id, ttl) in &edit.keyspace_ttls {
            if !self.keyspaces.contains_key(id) {
                return Err(format!("keyspace {} is to have a time to live, but there is none", id.0));
            }
            self.keyspace_ttls.insert(*id, *ttl);
        }
        self.keyspace_ttls.retain(|_, ttl| *ttl > 0);
        self.sealed_logs.extend(edit.sealed_logs.iter().map(|log| (log.number, *log)));
        self.sealed_logs = self.sealed_logs.split_off(&self.min_log);
        Ok(())
    }

    /// How many keyspaces there were that are not there any more.
    #[must_use]
    pub fn dropped(&self) -> usize {
        (self.next_keyspace as usize).saturating_sub(1).saturating_sub(self.keyspaces.len())
    }

    fn create(&mut self, id: KeyspaceId, name: &str) -> Result<(), String> {
        if id == KeyspaceId::DEFAULT || !self.names.insert(name.to_owned()) {
            return Err(format!("keyspace {} \"{}\" is created, but it exists", id.0, name.escape_debug()));
        }
        if self.keyspaces.insert(id, name.to_owned()).is_some() {
            return Err(format!("keyspace {} is created, but its id is taken", id.0));
        }
        grow(&mut self.next_keyspace, Some(id.0.saturating_add(1)));
        Ok(())
    }

    /// The edit that leads from nothing to here, with these tables and deletions of ranges.
    #[must_use]
    pub fn snapshot<'a>(
        &self,
        tables: impl Iterator<Item = (u8, &'a TableSummary)>,
        tombstones: impl Iterator<Item = &'a Tombstone>,
    ) -> Edit {
        Edit {
            added: tables.map(|(level, table)| (level, table.clone())).collect(),
            removed: Vec::new(),
            tombstones: tombstones.cloned().collect(),
            retired: Vec::new(),
            min_log: Some(self.min_log),
            log_base: Some(self.log_base),
            newest_log: Some(self.newest_log),
            last_seq: Some(self.last_seq),
            next_table: Some(self.next_table),
            created_keyspaces: self.keyspaces.iter().map(|(id, name)| (*id, name.clone())).collect(),
            keyspace_ttls: self.keyspace_ttls.iter().map(|(id, ttl)| (*id, *ttl)).collect(),
            time: Some(self.time).filter(|time| *time > 0),
            dropped_keyspaces: Vec::new(),
            next_keyspace: Some(self.next_keyspace),
            sealed_logs: self.sealed_logs.values().copied().collect(),
        }
    }
}

fn grow<T: Ord>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value
        && value > *slot
    {
        *slot = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(change: impl FnOnce(&mut Edit)) -> Edit {
        let mut edit = Edit::default();
        change(&mut edit);
        edit
    }

    #[test]
    fn counters_never_go_back_and_ids_are_not_used_again() {
        let new = Registry::default();
        let id = KeyspaceId(4);
        let r = new.apply(&edit(|e| e.last_seq = Some(9))).unwrap();
        let r = r.apply(&edit(|e| e.last_seq = Some(7))).unwrap();
        assert_eq!(r.last_seq, 9);
        let r = r.apply(&edit(|e| e.created_keyspaces.push((id, "a".into())))).unwrap();
        for (id, name) in [(4, "b"), (5, "a"), (0, "c")] {
            assert!(r.apply(&edit(|e| e.created_keyspaces.push((KeyspaceId(id), name.into())))).is_err());
        }
        let r = r.apply(&edit(|e| e.dropped_keyspaces.push(id))).unwrap();
        assert!(r.keyspaces.is_empty() && r.names.is_empty());
        assert_eq!(r.next_keyspace, 5);
        assert!(r.apply(&edit(|e| e.dropped_keyspaces.push(id))).is_err());
    }

    #[test]
    fn a_snapshot_leads_to_the_same_registry() {
        let sealed = |number| SealedLog { number, len: 10 * number, checksum: 7 };
        let r = Registry::default()
            .apply(&edit(|e| {
                e.created_keyspaces.push((KeyspaceId(9), "orders".into()));
                e.sealed_logs = vec![sealed(3), sealed(4)];
                (e.min_log, e.newest_log, e.next_table) = (Some(4), Some(5), Some(77));
            }))
            .unwrap();
        assert_eq!(r.sealed_logs.keys().copied().collect::<Vec<_>>(), [4], "log 3 is not needed any more");
        assert_eq!(
            Registry::default().apply(&r.snapshot(std::iter::empty(), std::iter::empty())).unwrap(),
            r
        );
    }
}
