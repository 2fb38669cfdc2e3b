//! Hashes: fields with values, under one key.
//!
//! ```text
//! database   key              0xFF 'H' id count        when it expires, all of it does
//! fields     id               keyspace key             whose it is, for the sweep; the number of the database's keyspace
//!            id 0x01 field    value
//! ```
//!
//! (H1) The count is the number of fields that are there. A hash without fields is not there either.
//! (H2) Fields are reached through the id that stands under the key, and in no other way; an id is used once (dataset D3).

use super::Halt;
use super::spaces::Space;
use super::txn::{Entry, Txn};
use super::walk::Walk;
use crate::Slice;
use crate::store::{HashHead, Scan, Value};
use std::ops::Bound::{Excluded, Included};
use std::time::SystemTime;

/// Of a hash with more fields than this the fields are removed as a range: one write, however many there are. A range costs
/// later reads more than a few deletions do.
const REMOVED_ONE_BY_ONE: u64 = 32;

/// A hash with more fields than this is walked where blocking is allowed.
pub const SHORT: u64 = 128;

/// Stands between the number of a hash and a field.
const FIELD: u8 = 1;

/// A hash that is being worked on.
#[derive(Debug, Clone)]
pub struct Hash {
    head: HashHead,
    expiry: Option<SystemTime>,
    /// How many fields are noted under the key; 0 when it is not there.
    noted: u64,
}

impl Hash {
    /// How many fields it has.
    pub fn len(&self) -> u64 {
        self.head.fields
    }
}

impl Txn<'_> {
    /// The hash under a key, if it is there.
    ///
    /// # Errors
    /// [`Halt::WrongType`], [`Halt::Slow`], [`Halt::Engine`].
    pub fn hash(&mut self, key: &[u8]) -> Result<Option<Hash>, Halt> {
        let Some(entry) = self.look_up(key)? else { return Ok(None) };
        let head = entry.hash()?;
        Ok(Some(Hash { head, expiry: entry.expiry, noted: head.fields }))
    }

    /// The hash under a key, or a new one, which is not there until it is stored with fields in it.
    ///
    /// # Errors
    /// As [`Txn::hash`].
    pub fn hash_or_new(&mut self, key: &[u8]) -> Result<Hash, Halt> {
        if let Some(hash) = self.hash(key)? {
            return Ok(hash);
        }
        let data = self.data();
        let id = data.ids.next(&*data.engine, &data.spaces)?;
        Ok(Hash { head: HashHead { id, fields: 0 }, expiry: None, noted: 0 })
    }

    /// The value of a field.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub fn field(&self, hash: &Hash, field: &[u8]) -> Result<Option<Slice>, Halt> {
        if hash.noted == 0 && hash.head.fields == 0 {
            return Ok(None);
        }
        Ok(self.find_in(Space::FIELDS, &field_key(hash.head.id, field))?.map(|found| found.value))
    }

    /// Sets a field; whether it is new.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub fn set_field(&mut self, hash: &mut Hash, field: &[u8], value: &[u8]) -> Result<bool, Halt> {
        let is_new = self.field(hash, field)?.is_none();
        self.put_in(Space::FIELDS, &field_key(hash.head.id, field), value, None)?;
        hash.head.fields += u64::from(is_new);
        Ok(is_new)
    }

    /// Removes a field; whether it was there.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub fn delete_field(&mut self, hash: &mut Hash, field: &[u8]) -> Result<bool, Halt> {
        if self.field(hash, field)?.is_none() {
            return Ok(false);
        }
        self.delete_in(Space::FIELDS, &field_key(hash.head.id, field))?;
        hash.head.fields -= 1;
        Ok(true)
    }

    /// Notes under the key what changed of the hash: to be called after its fields were.
    ///
    /// # Errors
    /// [`Halt::Engine`].
    pub fn store_hash(&mut self, key: &[u8], hash: &Hash) -> Result<(), Halt> {
        let Hash { head, expiry, noted } = hash;
        if head.fields == 0 {
            self.delete_in(Space::FIELDS, &head.id.to_be_bytes())?;
            return self.forget(key);
        }
        if *noted == 0 {
            let owner = self.owner(self.database(), key);
            self.put_in(Space::FIELDS, &head.id.to_be_bytes(), &owner, None)?;
        }
        // The count is the same when fields only changed; watchers have to know all the same.
        let stored = Slice::copy_of(&Value::Hash(*head).encode());
        self.put_stored(key, &Entry { stored, expiry: *expiry })
    }

    /// The fields with their values, in order of the fields, from `start` on.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub fn fields(&self, hash: &Hash, start: &[u8]) -> Result<Fields, Halt> {
        if self.reach() == super::Reach::Memory && hash.len() > SHORT {
            return Err(Halt::Slow);
        }
        let (start, end) = (field_key(hash.head.id, start), bound(hash.head.id, FIELD + 1));
        let scan = Scan::between(Included(&start[..]), Excluded(&end[..]));
        Ok(Fields(self.walk_in(Space::FIELDS, scan)?))
    }

    /// Moves what is stored under a key to another one, of this or another database: a hash gets to know its new key.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub fn move_entry(&mut self, from: &[u8], to: (u8, &[u8]), entry: &Entry) -> Result<(), Halt> {
        let (here, (database, key)) = (self.database(), to);
        self.enter(database);
        self.delete(key)?;
        if let Value::Hash(head) = Value::decode(&entry.stored) {
            let owner = self.owner(database, key);
            self.put_in(Space::FIELDS, &head.id.to_be_bytes(), &owner, None)?;
        }
        self.put_stored(key, entry)?;
        self.enter(here);
        self.forget(from)
    }

    /// Copies what is stored under a key to another one, a hash field by field.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub fn copy_entry(&mut self, to: (u8, &[u8]), entry: &Entry) -> Result<(), Halt> {
        let (here, (database, key)) = (self.database(), to);
        let Value::Hash(head) = Value::decode(&entry.stored) else {
            self.enter(database);
            self.delete(key)?;
            self.put_stored(key, entry)?;
            self.enter(here);
            return Ok(());
        };
        let old = Hash { head, expiry: entry.expiry, noted: head.fields };
        let fields = self.fields(&old, b"")?;
        self.enter(database);
        self.delete(key)?;
        let mut copy = self.hash_or_new(key)?;
        copy.expiry = entry.expiry;
        for pair in fields {
            let (field, value) = pair?;
            self.set_field(&mut copy, &field, &value)?;
        }
        self.store_hash(key, &copy)?;
        self.enter(here);
        Ok(())
    }

    /// What is noted of whose a hash is. The number of the keyspace, for databases may be exchanged.
    fn owner(&self, database: u8, key: &[u8]) -> Vec<u8> {
        [&[self.data().spaces.number_of(database)], key].concat()
    }

    /// Removes all fields of a hash whose key goes.
    pub(super) fn drop_fields(&mut self, head: HashHead) -> Result<(), Halt> {
        if head.fields > REMOVED_ONE_BY_ONE {
            let next = head.id.saturating_add(1).to_be_bytes();
            return self.delete_range_in(Space::FIELDS, &head.id.to_be_bytes(), &next);
        }
        let hash = Hash { head, expiry: None, noted: head.fields };
        let fields: Vec<_> = self.fields(&hash, b"")?.collect::<Result<_, _>>()?;
        for (field, _) in fields {
            self.delete_in(Space::FIELDS, &field_key(head.id, &field))?;
        }
        self.delete_in(Space::FIELDS, &head.id.to_be_bytes())
    }
}

/// The fields of a hash with their values, in order.
pub struct Fields(Walk);

impl Iterator for Fields {
    type Item = Result<(Vec<u8>, Slice), Halt>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.0.next()?;
        Some(entry.map(|(key, value)| (key.get(9..).unwrap_or_default().to_vec(), value)))
    }
}

/// Where a field lies.
fn field_key(id: u64, field: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(9 + field.len());
    key.extend_from_slice(&bound(id, FIELD));
    key.extend_from_slice(field);
    key
}

/// A hash's number, and what follows it.
fn bound(id: u64, next: u8) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = id.to_be_bytes();
    [a, b, c, d, e, f, g, h, next]
}
