//! The names of keyspaces, how one begins, and how it ends.
//!
//! (Y1) An id is handed out after the edit that gives it its name is durable, and only once. So the log never has a write to a
//!      keyspace that the manifest does not know, unless it was dropped since.
//! (Y2) A keyspace ends with one edit, which takes its name, and the tables that hold nothing else, away. What else there is of
//!      it nobody can ask for any more: an open passes over it in the log, flushes and compactions leave it out, and tables
//!      that hold some of it are rewritten when there is nothing else to do.
//! (Y3) What was written before the drop is durable before it is: otherwise a power cut could keep the drop and lose an earlier
//!      write. So the log is synced up to its very end, and the commit lock keeps it there until the edit is durable.

use super::inner::Inner;
use super::traits::{KeyspaceOptions, Traits};
use crate::engine::batch::WriteBatch;
use crate::engine::key::{KeyspaceId, stored_bounds};
use crate::engine::manifest::Edit;
use crate::engine::read::SuperVersion;
use crate::engine::sstable::TableSummary;
use crate::planted::{Bug, planted};
use crate::{Error, Result};
use std::sync::Arc;

/// The longest name of a keyspace, in bytes.
const MAX_NAME_LEN: usize = 255;

impl Inner {
    /// The keyspace `name`, which is made if need be. Options, if given, are those that it has.
    pub fn open_keyspace(&self, name: &str, options: Option<KeyspaceOptions>) -> Result<Arc<Traits>> {
        if name.is_empty() || name.len() > MAX_NAME_LEN {
            let len = name.len();
            return Err(Error::invalid(format!(
                "the name of the keyspace has {len} bytes, 1 to {MAX_NAME_LEN} are possible"
            )));
        }
        self.check_readable()?;
        let mut names = self.keyspaces.lock();
        if let Some(traits) = names.get(name) {
            options.map_or(Ok(()), |options| traits.check(options))?;
            return Ok(Arc::clone(traits));
        }
        self.check_writable()?;
        let traits = self.create_keyspace(name, options.unwrap_or_default())?;
        names.insert(name.to_owned(), Arc::clone(&traits));
        Ok(traits)
    }

    fn create_keyspace(&self, name: &str, options: KeyspaceOptions) -> Result<Arc<Traits>> {
        let id = KeyspaceId(self.manifest.lock().registry().next_keyspace);
        if id.0 > KeyspaceId::MAX {
            return Err(Error::invalid(
                "the database has used up its keyspace ids: dump it and load it anew",
            ));
        }
        let ttl = options.ttl_ms();
        let keyspace_ttls = if ttl > 0 { vec![(id, ttl)] } else { Vec::new() };
        let created_keyspaces = vec![(id, name.to_owned())];
        self.install(Edit { created_keyspaces, keyspace_ttls, ..self.edit() }, 0)?;
        Ok(Traits::new(id, name, ttl))
    }

    /// Changes the options of a keyspace, for all its handles.
    pub fn set_options(&self, traits: &Traits, options: KeyspaceOptions) -> Result<()> {
        if traits.id == KeyspaceId::DEFAULT {
            return Err(Error::invalid(
                "the keyspace without a name has no options: give it none, or use one with a name",
            ));
        }
        // One at a time, so that memory and manifest have the same in the end.
        let _names = self.keyspaces.lock();
        self.check_writable()?;
        self.check_kept(traits.id)?;
        self.install(Edit { keyspace_ttls: vec![(traits.id, options.ttl_ms())], ..self.edit() }, 0)?;
        traits.set_ttl(options.ttl_ms());
        Ok(())
    }

    /// The names of all keyspaces, in order.
    pub fn keyspace_names(&self) -> Result<Vec<String>> {
        self.check_readable()?;
        Ok(self.keyspaces.lock().keys().cloned().collect())
    }

    /// Whether every keyspace that a batch names is one of this database, and still there.
    pub fn check_keyspaces(&self, batch: &WriteBatch) -> Result<()> {
        if batch.keyspaces().iter().any(|keyspace| keyspace.opening != self.opening) {
            return Err(Error::invalid(
                "the batch names a keyspace of another database, or of an earlier opening of this one: ask this one for it",
            ));
        }
        batch.keyspaces().iter().try_for_each(|keyspace| self.check_kept(keyspace.id))
    }

    /// An error when a keyspace was dropped.
    #[inline]
    pub fn check_kept(&self, id: KeyspaceId) -> Result<()> {
        check_kept_in(&self.super_version.load(), id, "")
    }

    /// Ends the keyspace `name`.
    pub fn drop_keyspace(&self, name: &str) -> Result<()> {
        self.check_writable()?;
        // The tables of a running compaction must not go.
        let _no_compaction = self.compacting.lock();
        let mut names = self.keyspaces.lock();
        let Some(id) = names.get(name).map(|traits| traits.id) else {
            let name = name.escape_debug();
            return Err(Error::invalid(format!(
                "there is no keyspace \"{name}\" to drop: `keyspaces` tells which there are"
            )));
        };
        self.with_reserve(|| self.drop_id(id))?;
        names.remove(name);
        self.signals.compact.raise();
        self.remove_obsolete()
    }

    fn drop_id(&self, id: KeyspaceId) -> Result<()> {
        if !planted(Bug::DropBeforeLogSync) {
            self.sync_all()?;
        }
        let mut committer = self.commit.lock();
        self.check_writable()?;
        // What was written since, which is little (Y3).
        let target = committer.log.sync_target(self.group_sync.synced());
        for file in target.files.iter().filter(|_| !planted(Bug::DropBeforeLogSync)) {
            self.poison_if_sync_failed(file.sync())?;
        }
        let version = Arc::clone(&self.super_version.load().version);
        let Some((start, end)) = stored_bounds::<&[u8]>(id, &..) else { return Ok(()) };
        let lies_within = |table: &TableSummary| table.smallest >= start && table.largest < end;
        let tables = version.tables().filter(|(_, table)| lies_within(&table.summary));
        let removed = tables.map(|(level, table)| (level as u8, table.summary.number)).collect();
        let dropped = self.install(Edit { removed, dropped_keyspaces: vec![id], ..self.edit() }, 0);
        drop(committer);
        dropped
    }
}

/// An error when a keyspace was dropped before this view was made. `name`: empty where it is not known.
#[inline]
pub fn check_kept_in(view: &SuperVersion, id: KeyspaceId, name: &str) -> Result<()> {
    if id == KeyspaceId::DEFAULT { Ok(()) } else { check_named_in(view, id, name) }
}

fn check_named_in(view: &SuperVersion, id: KeyspaceId, name: &str) -> Result<()> {
    let mut prefix = Vec::new();
    id.put_prefix(&mut prefix);
    if !view.is_dropped(&prefix) {
        return Ok(());
    }
    let keyspace = if name.is_empty() { format!("number {}", id.0) } else { format!("{name:?}") };
    Err(Error::KeyspaceDropped { keyspace })
}
