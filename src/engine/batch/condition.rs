//! What a batch requires of keys before it is written.
//!
//! (B2) Conditions are judged at the batch's place in the order, before its own writes: all of them hold there, or nothing of
//!      the batch is written. They are no part of its bytes, so the log knows only batches whose conditions held.

use super::{KeyspaceRef, Within, WriteBatch, check_limits};
use crate::engine::key::{KeyspaceId, Kind};
use crate::engine::slice::Slice;
use crate::error::Required;
use crate::{Error, Result};

/// One thing that a batch requires.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The engine key in question.
    pub key: Vec<u8>,
    /// What is required of it.
    pub required: Required,
    /// The value, where one is required.
    value: Vec<u8>,
}

impl Condition {
    /// Whether it holds when the key has this value.
    #[must_use]
    pub fn holds(&self, value: Option<&[u8]>) -> bool {
        match self.required {
            Required::Absent => value.is_none(),
            Required::Present => value.is_some(),
            Required::Value => value == Some(&self.value),
        }
    }
}

impl WriteBatch {
    /// Requires that `key` has no value; if it has one when the batch comes to be written, nothing of the batch is, and the
    /// error is [`Error::ConditionFailed`].
    ///
    /// All conditions are about the state right before the batch: its own writes do not count.
    ///
    /// ```
    /// # use siltstone::{Db, Error, WriteBatch};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// let mut batch = WriteBatch::new();
    /// batch.require_absent("mail:ada@example.org"); // nobody else has it
    /// batch.require_value("user:7", "Ada"); // and she is still called so
    /// batch.put("mail:ada@example.org", "7");
    /// assert!(matches!(db.write(batch), Err(Error::ConditionFailed { .. })));
    /// assert_eq!(db.get("mail:ada@example.org")?, None);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    pub fn require_absent(&mut self, key: impl AsRef<[u8]>) {
        self.within(KeyspaceRef::ROOT).require_absent(key);
    }

    /// Requires that `key` has a value, whichever. See [`WriteBatch::require_absent`].
    pub fn require_present(&mut self, key: impl AsRef<[u8]>) {
        self.within(KeyspaceRef::ROOT).require_present(key);
    }

    /// Requires that `key` has this value. See [`WriteBatch::require_absent`].
    pub fn require_value(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.within(KeyspaceRef::ROOT).require_value(key, value);
    }

    /// Whether everything that the batch requires is so, given what `get` finds for a user key.
    ///
    /// For engines behind [`StorageEngine`](crate::store::StorageEngine), which call it with their writes locked out.
    ///
    /// # Errors
    /// [`Error::ConditionFailed`] for the first condition that does not hold; what `get` gives.
    pub fn check_conditions(&self, mut get: impl FnMut(&[u8]) -> Result<Option<Slice>>) -> Result<()> {
        self.check_conditions_within(|_, key| get(key), |_| String::new())
    }

    /// As [`WriteBatch::check_conditions`], for engines with keyspaces: `get` is told which one the key is of, and `name` what it
    /// is called, which is asked for the error only.
    ///
    /// # Errors
    /// As [`WriteBatch::check_conditions`].
    pub fn check_conditions_within(
        &self,
        mut get: impl FnMut(KeyspaceRef, &[u8]) -> Result<Option<Slice>>,
        name: impl FnOnce(KeyspaceRef) -> String,
    ) -> Result<()> {
        for condition in &self.conditions {
            let Some((id, key)) = KeyspaceId::split(&condition.key) else { continue };
            let keyspace = self.named(id);
            if !condition.holds(get(keyspace, key)?.as_deref()) {
                let (keyspace, required) = (name(keyspace), condition.required);
                return Err(Error::ConditionFailed { keyspace, key: key.to_vec(), required });
            }
        }
        Ok(())
    }

    /// What it requires.
    pub(crate) fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn require(&mut self, keyspace: KeyspaceId, key: &[u8], required: Required, value: &[u8]) {
        if self.over.is_some() {
            return;
        }
        if let Err(over) = check_limits(Kind::Put, key, value, self.conditions_bytes) {
            self.over = Some(over);
            return;
        }
        self.conditions_bytes += key.len() + value.len() + size_of::<Condition>();
        let mut engine_key = Vec::with_capacity(keyspace.prefix_len() + key.len());
        keyspace.put_prefix(&mut engine_key);
        engine_key.extend_from_slice(key);
        self.conditions.push(Condition { key: engine_key, required, value: value.to_vec() });
    }
}

impl Within<'_> {
    /// As [`WriteBatch::require_absent`], of a key of this keyspace.
    pub fn require_absent(&mut self, key: impl AsRef<[u8]>) {
        self.batch.require(self.keyspace.id, key.as_ref(), Required::Absent, &[]);
    }

    /// As [`WriteBatch::require_present`], of a key of this keyspace.
    pub fn require_present(&mut self, key: impl AsRef<[u8]>) {
        self.batch.require(self.keyspace.id, key.as_ref(), Required::Present, &[]);
    }

    /// As [`WriteBatch::require_value`], of a key of this keyspace.
    pub fn require_value(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.batch.require(self.keyspace.id, key.as_ref(), Required::Value, value.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_judged_by_what_is_there_and_are_no_part_of_the_bytes() {
        let mut batch = WriteBatch::new();
        batch.require_absent("a");
        batch.require_present("p");
        batch.require_value("v", "1");
        assert!(batch.is_empty() && batch.payload(|| 0).unwrap().is_empty());
        let check = |a: Option<&str>, p: Option<&str>, v: Option<&str>| {
            let get = |key: &[u8]| {
                let value = match key {
                    b"a" => a,
                    b"p" => p,
                    _ => v,
                };
                Ok(value.map(|value| Slice::copy_of(value.as_bytes())))
            };
            match batch.check_conditions(get) {
                Ok(()) => "holds".to_string(),
                Err(Error::ConditionFailed { key, required, .. }) => {
                    format!("{} {required}", String::from_utf8(key).unwrap())
                }
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(check(None, Some(""), Some("1")), "holds");
        assert_eq!(check(Some(""), Some(""), Some("1")), "a is absent");
        assert_eq!(check(None, None, Some("1")), "p is present");
        assert_eq!(check(None, Some(""), Some("2")), "v has a certain value");
        assert_eq!(check(None, Some(""), None), "v has a certain value");
    }

    #[test]
    fn a_condition_over_a_limit_is_refused_with_its_batch() {
        let mut batch = WriteBatch::new();
        batch.require_absent(vec![0; 70_000]);
        batch.put("k", "v");
        assert!(batch.payload(|| 0).unwrap_err().to_string().contains("70000"));
        batch.clear();
        batch.put("k", "v");
        assert!(batch.conditions().is_empty() && batch.payload(|| 0).is_ok());
    }
}
