//! What is known of a keyspace, shared by its handles.

use crate::engine::key::KeyspaceId;
use crate::engine::manifest::registry::Registry;
use crate::engine::tombstones::{Fragments, Tombstone};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Number, name and options of a keyspace.
#[derive(Debug)]
pub struct Traits {
    /// Its number.
    pub id: KeyspaceId,
    /// Its name; empty for the one without.
    pub name: String,
    /// What its values live for, in milliseconds; 0 for ever.
    ttl: AtomicU64,
}

/// How a keyspace is. See [`Db::keyspace_with`](crate::Db::keyspace_with) and
/// [`Keyspace::set_options`](crate::Keyspace::set_options).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyspaceOptions {
    pub(super) ttl: Option<Duration>,
}

impl KeyspaceOptions {
    /// What values live for that are written without a time of their own, to the millisecond; `None`, the default, is for
    /// ever. It counts from the write, so a change concerns later writes.
    #[must_use]
    pub fn ttl(mut self, ttl: Option<Duration>) -> KeyspaceOptions {
        self.ttl = ttl;
        self
    }

    pub(super) fn ttl_ms(self) -> u64 {
        // Less than a millisecond is not for ever.
        self.ttl.map_or(0, |ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1))
    }
}

impl Traits {
    /// Those of a keyspace.
    pub fn new(id: KeyspaceId, name: &str, ttl_ms: u64) -> Arc<Traits> {
        Arc::new(Traits { id, name: name.to_owned(), ttl: ttl_ms.into() })
    }

    /// What its values live for, if not for ever.
    #[inline]
    pub fn ttl(&self) -> Option<Duration> {
        match self.ttl.load(Ordering::Relaxed) {
            0 => None,
            ms => Some(Duration::from_millis(ms)),
        }
    }

    /// Whether it has these options.
    ///
    /// # Errors
    /// [`Error::OptionsDiffer`].
    pub fn check(&self, options: KeyspaceOptions) -> Result<()> {
        let (found, asked) = (self.ttl.load(Ordering::Relaxed), options.ttl_ms());
        if found == asked {
            return Ok(());
        }
        let words = |ms: u64| match ms {
            0 => "values that live for ever".to_owned(),
            ms => format!("values that live for {:?}", Duration::from_millis(ms)),
        };
        Err(Error::OptionsDiffer { keyspace: self.name.clone(), found: words(found), asked: words(asked) })
    }

    /// Changes what its later values live for.
    pub fn set_ttl(&self, ms: u64) {
        self.ttl.store(ms, Ordering::Relaxed);
    }
}

/// All keyspaces with a name that the manifest knows.
pub fn all(registry: &Registry) -> BTreeMap<String, Arc<Traits>> {
    let ttl = |id| registry.keyspace_ttls.get(id).copied().unwrap_or(0);
    registry.keyspaces.iter().map(|(id, name)| (name.clone(), Traits::new(*id, name, ttl(id)))).collect()
}

/// Where the keys of keyspaces lie that were dropped: between those of others. `None` when none was.
pub fn dropped(registry: &Registry) -> Option<Arc<Fragments>> {
    let prefix = |id: u32| {
        let mut prefix = Vec::new();
        KeyspaceId(id).put_prefix(&mut prefix);
        Arc::from(prefix)
    };
    let (mut all, mut next) = (Fragments::default(), 1);
    let end = KeyspaceId(registry.next_keyspace.min(KeyspaceId::MAX));
    for id in registry.keyspaces.keys().chain([&end]).map(|id| id.0) {
        if id > next {
            all = all.painted(&Tombstone { seq: 1, start: prefix(next), end: prefix(id) });
        }
        next = id.saturating_add(1);
    }
    (!all.is_empty()).then(|| Arc::new(all))
}
