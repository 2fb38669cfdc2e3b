//! Whether documents and indexes say the same.

use super::Table;
use crate::document::error::{Error, Result};
use crate::document::ground::{Ground, raw};
use crate::document::index::Index;
use crate::document::keys::{self, Row};
use crate::document::raw::Raw;
use crate::store::{Scan, behind_prefix};
use std::ops::Bound::{Excluded, Included};

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// How many documents there are.
    pub documents: u64,
    /// How many entries of indexes.
    pub entries: u64,
}

impl Table {
    /// Reads all documents and all indexes as they are at this moment, and looks whether each document can be understood, has all its
    /// entries, and there are no others. Takes a read for each entry.
    ///
    /// # Errors
    /// [`Error::Damaged`] for the first that is not so; what kept the engine from answering.
    pub fn verify(&self) -> Result<Verified> {
        let (shape, ground) = self.stand()?;
        let ready: Vec<&Index> = shape.indexes.iter().filter(|index| index.ready).collect();
        let mut found = Verified::default();
        let mut expected = vec![0_u64; ready.len()];
        for entry in ground.all()? {
            let (key, document) = entry?;
            let row =
                keys::row_of_document(&key).ok_or_else(|| Error::Damaged("the key of a document".into()))?;
            let document = raw(&document, row)?;
            if !document.is_sound() {
                return Err(Error::Damaged(format!("the document {}", row.0)));
            }
            for (index, count) in ready.iter().zip(&mut expected) {
                *count += ground.entries_of(index, row, document)?;
            }
            found.documents += 1;
        }
        for (index, count) in ready.iter().zip(expected) {
            let there = ground.count(index)?;
            if there != count {
                let why =
                    format!("the index {}, with {there} entries where documents have {count},", index.name);
                return Err(Error::Damaged(why));
            }
            found.entries += count;
        }
        Ok(found)
    }
}

impl Ground {
    fn all(&self) -> Result<crate::store::Entries> {
        let begin = keys::rows(self.table);
        let behind = behind_prefix(&begin).unwrap_or_default();
        Ok(self.view.range(self.keyspace, Scan::between(Included(&begin), Excluded(&behind)))?)
    }

    fn count(&self, index: &Index) -> Result<u64> {
        let begin = keys::index(self.table, index.id);
        let behind = behind_prefix(&begin).unwrap_or_default();
        let entries = self.view.range(self.keyspace, Scan::between(Included(&begin), Excluded(&behind)))?;
        let mut count = 0;
        for entry in entries {
            entry?;
            count += 1;
        }
        Ok(count)
    }

    /// How many entries a document has in an index, all of which are there.
    fn entries_of(&self, index: &Index, row: Row, document: Raw<'_>) -> Result<u64> {
        let entries = index.entries(self.table, row, document).map_err(Error::Index)?;
        for entry in &entries.list {
            let there = self.view.find(self.keyspace, &entry.key)?;
            if there.is_none_or(|found| found.value != entry.value) {
                return Err(Error::Damaged(format!(
                    "the index {}, without the document {},",
                    index.name, row.0
                )));
            }
        }
        if entries.multikey && !index.multikey {
            return Err(Error::Damaged(format!(
                "the index {}, which is not noted to be multikey,",
                index.name
            )));
        }
        Ok(entries.list.len() as u64)
    }
}
