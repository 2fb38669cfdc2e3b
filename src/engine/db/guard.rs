//! What a commit may depend on.
//!
//! A guard is asked twice: outside the commit lock, where it may take its time, and then under it, about what has happened in
//! between. Only there is its answer final. Plain writes have the guard `()`, of which the compiler leaves nothing.

use super::inner::Inner;
use crate::engine::batch::Condition;
use crate::engine::key::{KeyspaceId, MAX_SEQ, hash};
use crate::engine::read::{Found, NEVER, SuperVersion, Version, standing};
use crate::error::Required;
use crate::{Error, Result};
use std::sync::Arc;

/// Decides whether a batch may take the place in the order that it is about to be given.
pub trait Guard {
    /// Does without a lock what makes [`Guard::check`] quick. Called again before each check.
    ///
    /// # Errors
    /// It is certain already that the batch may not be written; or what reading gives.
    fn prepare(&mut self, inner: &Inner) -> Result<()>;

    /// Under the commit lock: what is visible now is what the batch would come after.
    ///
    /// # Errors
    /// What reading gives.
    fn check(&self, inner: &Inner) -> Result<Checked>;
}

/// What a guard says under the lock.
#[derive(Debug)]
pub enum Checked {
    /// The batch may be written.
    Holds,
    /// So much has happened since it was prepared that it should be once more.
    Stale,
    /// It may not, because of this engine key.
    Clash(Vec<u8>, Why),
}

/// What stands against a batch.
#[derive(Debug, Clone, Copy)]
pub enum Why {
    /// The key was read by the transaction, as one of a range or by itself, and changed since.
    Changed { walked: bool },
    /// The batch requires something of the key that is not so.
    Failed(Required),
}

impl Guard for () {
    #[inline]
    fn prepare(&mut self, _: &Inner) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn check(&self, _: &Inner) -> Result<Checked> {
        Ok(Checked::Holds)
    }
}

/// The conditions of a batch.
///
/// (J1) What the tables say of a key is read before the lock is taken. It stays true as long as the same tables are in force
///      and no buffer knows the key, which is what is looked at under the lock: a probe of a hash table for each condition.
pub struct Conditions<'a> {
    conditions: &'a [Condition],
    /// The tables that were asked.
    asked: Option<Arc<Version>>,
    /// For each condition what they know of its key, if no buffer knew it.
    in_tables: Vec<Option<Found>>,
}

impl Conditions<'_> {
    /// A guard that asks for these.
    pub fn new(conditions: &[Condition]) -> Conditions<'_> {
        Conditions { conditions, asked: None, in_tables: Vec::new() }
    }

    /// The value of a key at this moment.
    fn value(&self, at: usize, key: &[u8], inner: &Inner, view: &SuperVersion) -> Result<Option<Found>> {
        let hash = hash(key);
        if view.has_tombstones() {
            // A deletion of a range may hide what the tables have, so all of it is asked.
            return view.get(key, hash, MAX_SEQ, || inner.now());
        }
        if let Some((trailer, stored)) = view.get_from_buffers(key, hash, MAX_SEQ) {
            return Ok(standing(trailer, || stored, || inner.now())?.map(|end| Found::copy_of(stored, end)));
        }
        if self.asked.as_ref().is_some_and(|asked| Arc::ptr_eq(asked, &view.version)) {
            let found = self.in_tables.get(at).cloned().flatten();
            return Ok(found.filter(|found| found.expiry == NEVER || found.expiry > inner.now()));
        }
        view.get_from_tables(key, hash, MAX_SEQ, || inner.now())
    }
}

impl Guard for Conditions<'_> {
    fn prepare(&mut self, inner: &Inner) -> Result<()> {
        if self.conditions.is_empty() {
            return Ok(());
        }
        let view = inner.super_version.load_full();
        self.in_tables.clear();
        for Condition { key, .. } in self.conditions {
            let hash = hash(key);
            self.in_tables.push(match view.get_from_buffers(key, hash, MAX_SEQ) {
                Some(_) => None,
                // At time 0 nothing has expired; what has is found out under the lock.
                None => view.get_from_tables(key, hash, MAX_SEQ, || 0)?,
            });
        }
        self.asked = Some(Arc::clone(&view.version));
        Ok(())
    }

    fn check(&self, inner: &Inner) -> Result<Checked> {
        if self.conditions.is_empty() {
            return Ok(Checked::Holds);
        }
        let view = inner.super_version.load();
        for (at, condition) in self.conditions.iter().enumerate() {
            let found = self.value(at, &condition.key, inner, &view)?;
            if !condition.holds(found.as_ref().map(|found| &*found.value)) {
                return Ok(Checked::Clash(condition.key.clone(), Why::Failed(condition.required)));
            }
        }
        Ok(Checked::Holds)
    }
}

impl Inner {
    /// The error for a batch that a guard has refused. Looks the name of the keyspace up, so no lock may be held.
    pub fn refusal(&self, engine_key: &[u8], why: Why) -> Error {
        let (id, key) = KeyspaceId::split(engine_key).unwrap_or((KeyspaceId::DEFAULT, engine_key));
        let names = self.keyspaces.lock();
        let named = names.iter().find(|(_, traits)| traits.id == id && id != KeyspaceId::DEFAULT);
        let (keyspace, key) = (named.map(|(name, _)| name.clone()).unwrap_or_default(), key.to_vec());
        match why {
            Why::Changed { walked } => Error::Conflict { keyspace, key, walked },
            Why::Failed(required) => Error::ConditionFailed { keyspace, key, required },
        }
    }
}
