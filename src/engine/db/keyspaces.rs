//! The names of keyspaces, and how one begins.
//!
//! (Y1) An id is handed out after the edit that gives it its name is durable. So the log never has a write to a keyspace that
//!      the manifest does not know, unless it was dropped since.

use super::inner::Inner;
use super::traits::{KeyspaceOptions, Traits};
use crate::engine::batch::WriteBatch;
use crate::engine::key::KeyspaceId;
use crate::engine::manifest::Edit;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// The longest name of a keyspace, in bytes.
const MAX_NAME_LEN: usize = 255;

impl Inner {
    /// The keyspace `name`, which is made if need be. Options, if given, are in force when this returns.
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
            options.map_or(Ok(()), |options| self.apply_options(traits, options))?;
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
        self.install(&Edit { created_keyspaces, keyspace_ttls, ..self.edit() }, 0)?;
        Ok(Traits::new(id, name, ttl))
    }

    fn apply_options(&self, traits: &Traits, options: KeyspaceOptions) -> Result<()> {
        if traits.ttl() == Some(options.ttl_ms()).filter(|ms| *ms > 0).map(Duration::from_millis) {
            return Ok(());
        }
        self.check_writable()?;
        self.install(&Edit { keyspace_ttls: vec![(traits.id, options.ttl_ms())], ..self.edit() }, 0)?;
        traits.set_ttl(options.ttl_ms());
        Ok(())
    }

    /// The names of all keyspaces, in order.
    pub fn keyspace_names(&self) -> Result<Vec<String>> {
        self.check_readable()?;
        Ok(self.keyspaces.lock().keys().cloned().collect())
    }

    /// Whether every keyspace that a batch names is one of this database.
    pub fn check_keyspaces(&self, batch: &WriteBatch) -> Result<()> {
        match batch.keyspaces().iter().find(|keyspace| keyspace.opening != self.opening) {
            None => Ok(()),
            Some(_) => Err(Error::invalid(
                "the batch names a keyspace of another database, or of an earlier opening of this one: ask this one for it",
            )),
        }
    }
}
