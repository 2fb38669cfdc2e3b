//! Ranges of keys as a report tells them, and the names of the keyspaces they lie in.
//!
//! An engine key is a keyspace's id and a key in it. Where the manifest is lost its names are too: then a keyspace is called
//! `recovered-7` after its id.

use crate::engine::key::KeyspaceId;
use crate::engine::sstable::salvage::Keys;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Bound, RangeBounds};

/// The keyspaces of a damaged database.
#[derive(Debug, Clone)]
pub struct Keyspaces {
    named: BTreeMap<KeyspaceId, String>,
    seen: BTreeSet<KeyspaceId>,
    last: KeyspaceId,
}

/// A range of keys, which may reach over several keyspaces.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct KeyRange {
    /// Where it begins; with the first key of all when nothing tells.
    pub from: Option<KeyBound>,
    /// Where it ends; with the last key of all when nothing tells.
    pub to: Option<KeyBound>,
    #[serde(skip)]
    engine: Keys,
}

/// An end of a range of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyBound {
    /// The name of the keyspace; empty for that of the database itself.
    pub keyspace: String,
    /// The key.
    #[serde(serialize_with = "typed_key")]
    pub key: Vec<u8>,
    /// Whether the key itself is in the range.
    pub included: bool,
}

impl Keyspaces {
    /// Those that the manifest names, as far as it can be read.
    #[must_use]
    pub fn new(named: BTreeMap<KeyspaceId, String>) -> Keyspaces {
        Keyspaces { named, seen: BTreeSet::new(), last: KeyspaceId::DEFAULT }
    }

    /// Notes the keyspace of an engine key.
    pub fn saw(&mut self, key: &[u8]) {
        let Some((id, _)) = KeyspaceId::split(key).filter(|(id, _)| *id != self.last) else { return };
        self.last = id;
        self.seen.insert(id);
    }

    /// All that are named, and if the names are lost, those that have entries too.
    #[must_use]
    pub fn created(&self, with_unnamed: bool) -> Vec<(KeyspaceId, String)> {
        let unnamed =
            self.seen.iter().filter(|id| **id != KeyspaceId::DEFAULT && !self.named.contains_key(id));
        let unnamed = unnamed.filter(|_| with_unnamed).map(|id| (*id, self.name(*id)));
        self.named.iter().map(|(id, name)| (*id, name.clone())).chain(unnamed).collect()
    }

    /// The name of a keyspace.
    #[must_use]
    pub fn name(&self, id: KeyspaceId) -> String {
        if id == KeyspaceId::DEFAULT {
            return String::new();
        }
        let taken = |name: &String| self.named.values().any(|other| other == name);
        let mut names =
            std::iter::successors(Some(format!("recovered-{}", id.0)), |name| Some(format!("{name}-")));
        let new = || names.find(|name| !taken(name)).unwrap_or_default();
        self.named.get(&id).cloned().unwrap_or_else(new)
    }

    /// The range of the engine keys `engine`.
    #[must_use]
    pub fn range(&self, engine: Keys) -> KeyRange {
        let bound = |bound: &Bound<Vec<u8>>| {
            let (key, included) = match bound {
                Bound::Included(key) => (key, true),
                Bound::Excluded(key) => (key, false),
                Bound::Unbounded => return None,
            };
            let (id, key) = KeyspaceId::split(key)?;
            Some(KeyBound { keyspace: self.name(id), key: key.to_vec(), included })
        };
        KeyRange { from: bound(&engine.0), to: bound(&engine.1), engine }
    }

    /// The engine key of `key` in the keyspace of this name, if there is one.
    #[must_use]
    pub fn engine_key(&self, keyspace: &str, key: &[u8]) -> Option<Vec<u8>> {
        let known = self.named.keys().chain(&self.seen).chain([&KeyspaceId::DEFAULT]);
        let id = known.copied().find(|id| self.name(*id) == keyspace)?;
        let mut engine = Vec::new();
        id.put_prefix(&mut engine);
        engine.extend_from_slice(key);
        Some(engine)
    }
}

impl KeyRange {
    /// Whether an engine key lies in it.
    pub(super) fn contains(&self, engine_key: &[u8]) -> bool {
        let (from, to) = &self.engine;
        let range: (Bound<&[u8]>, Bound<&[u8]>) =
            (from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
        RangeBounds::<[u8]>::contains(&range, engine_key)
    }
}

/// A key as the command line takes it.
fn typed(key: &[u8]) -> String {
    let mut out = String::new();
    for byte in key {
        match byte {
            b'\\' => out.push_str(r"\\"),
            b' '..=b'~' => out.push(char::from(*byte)),
            other => out.push_str(&format!(r"\x{other:02x}")),
        }
    }
    out
}

fn typed_key<S: Serializer>(key: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&typed(key))
}

impl fmt::Display for KeyBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", typed(&self.key))?;
        if !self.keyspace.is_empty() {
            write!(f, " of keyspace {}", self.keyspace)?;
        }
        if self.included { Ok(()) } else { f.write_str(" (not included)") }
    }
}

impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "keys from {from} to {to}"),
            (Some(from), None) => write!(f, "keys from {from} on"),
            (None, Some(to)) => write!(f, "keys up to {to}"),
            (None, None) => write!(f, "any keys"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(id: u32, key: &str) -> Vec<u8> {
        let mut engine = Vec::new();
        KeyspaceId(id).put_prefix(&mut engine);
        engine.extend_from_slice(key.as_bytes());
        engine
    }

    #[test]
    fn ranges_are_told_with_the_names_of_their_keyspaces() {
        let mut keyspaces = Keyspaces::new([(KeyspaceId(2), "orders".to_string())].into());
        keyspaces.saw(&engine(2, "a"));
        keyspaces.saw(&engine(5, "b\n"));
        let range = keyspaces.range((Bound::Excluded(engine(2, "a")), Bound::Included(engine(5, "b\n"))));
        let text = r"keys from `a` of keyspace orders (not included) to `b\x0a` of keyspace recovered-5";
        assert_eq!(range.to_string(), text);
        let json = serde_json::to_value(&range).unwrap();
        assert_eq!(
            json["to"],
            serde_json::json!({"keyspace": "recovered-5", "key": r"b\x0a", "included": true})
        );
        let within =
            |keyspace, key: &str| range.contains(&keyspaces.engine_key(keyspace, key.as_bytes()).unwrap());
        assert!(within("orders", "b") && within("recovered-5", "b\n") && within("recovered-5", ""));
        assert!(!within("orders", "a") && !within("", "b") && !within("recovered-5", "c"));
        let (named, all) = (keyspaces.created(false), keyspaces.created(true));
        assert_eq!((named.len(), all.len(), all[1].1.as_str()), (1, 2, "recovered-5"));
    }

    #[test]
    fn a_name_is_not_taken_twice() {
        let keyspaces = Keyspaces::new([(KeyspaceId(2), "recovered-5".to_string())].into());
        assert_eq!(keyspaces.name(KeyspaceId(5)), "recovered-5-");
    }
}
