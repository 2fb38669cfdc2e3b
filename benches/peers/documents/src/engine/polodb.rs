//! PoloDB.
//!
//! - It never syncs and cannot be told to, and neither can its memory be set: all is as it comes.
//! - The key is its `_id`, because an update finds documents by nothing else without a scan. Its indexes serve only where a member is
//!   equal to a value, so a range is a scan and a sort.

use super::{Engine, Question, RANGE, Settings};
use crate::packages::{KEY, Kind};
use anyhow::{Context, Result};
use polodb_core::bson::{Document, doc};
use polodb_core::{Collection, CollectionT, Database, IndexModel};
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

/// An open database, and its collection.
pub struct PoloDb {
    /// The collection has only a weak reference to it.
    _db: Database,
    packages: Collection<Document>,
    text: bool,
}

impl Engine for PoloDb {
    fn version() -> String {
        "5.3.0".into()
    }

    fn create(dir: &Path, settings: &Settings, _: &[(String, Kind)]) -> Result<PoloDb> {
        let polodb = PoloDb::open(dir, settings)?;
        for column in ["Section", "Installed_Size"] {
            polodb.packages.create_index(IndexModel { keys: doc! {column: 1}, options: None })?;
        }
        Ok(polodb)
    }

    fn open(dir: &Path, settings: &Settings) -> Result<PoloDb> {
        let db = Database::open_path(dir.join("packages"))?;
        let packages = db.collection("packages");
        Ok(PoloDb { _db: db, packages, text: settings.text })
    }

    fn insert(&self, texts: &[String]) -> Result<()> {
        let parse = |text: &String| -> Result<Document> {
            let mut document: Document = serde_json::from_str(text)?;
            let key = document.remove(KEY).context("a document has no key")?;
            document.insert("_id", key);
            Ok(document)
        };
        let documents = texts.iter().map(parse).collect::<Result<Vec<_>>>()?;
        self.packages.insert_many(documents)?;
        Ok(())
    }

    fn find(&self, question: Question, mut visit: impl FnMut(&str)) -> Result<()> {
        let found = match question {
            Question::Key(key) => self.packages.find(doc! {"_id": key}),
            Question::Range(from) => self
                .packages
                .find(doc! {"Installed_Size": {"$gte": from as i64}})
                .sort(doc! {"Installed_Size": 1})
                .limit(RANGE as u64),
            Question::Filter { maintainer, size } => {
                self.packages.find(doc! {"Size": {"$gt": size as i64}, "Maintainer": maintainer})
            }
        };
        for document in found.run()? {
            let document = document?;
            if self.text {
                black_box(serde_json::to_string(&document)?);
            }
            visit(document.get_str("_id")?);
        }
        Ok(())
    }

    fn set_size(&self, key: &str, size: u64) -> Result<u64> {
        let set = doc! {"$set": {"Size": size as i64}};
        Ok(self.packages.update_one(doc! {"_id": key}, set)?.matched_count)
    }

    fn all(&self, mut visit: impl FnMut(&str) -> Result<()>) -> Result<()> {
        for document in self.packages.find(doc! {}).run()? {
            let mut document = document?;
            let key = document.remove("_id").context("a document has no key")?;
            document.insert(KEY, key);
            visit(&serde_json::to_string(&document)?)?;
        }
        Ok(())
    }

    /// It merges in the background and tells nobody; what it has to merge here is little.
    fn settle(&self) -> Result<Duration> {
        Ok(Duration::ZERO)
    }

    fn close(self) -> Result<()> {
        Ok(())
    }
}
