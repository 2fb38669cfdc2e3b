//! Siltstone: a table with a schema, whose columns are those of the index.
//!
//! - `Os` and `Sync` are its own classes of the same names, chosen at open. All else but the memory is as it comes.
//! - Documents are parsed and checked against the schema. Each gets a `pk`, of which there is one more unique index.

use super::{Durability, Engine, Question, RANGE, Settings};
use crate::packages::{KEY, Kind};
use anyhow::{Context, Result, bail};
use serde_json::json;
use siltstone::document::raw::{Encoded, Raw};
use siltstone::document::value::Value;
use siltstone::document::{Documents, Query, Table};
use siltstone::store::LsmEngine;
use siltstone::{Db, Options};
use siltstone_peers::settle;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DATABASE: &str = "debian";
const TABLE: &str = "packages";

/// An open database, and its table.
pub struct Siltstone {
    db: Db,
    table: Table,
    text: bool,
}

impl Siltstone {
    fn with(
        dir: &Path,
        settings: &Settings,
        table: impl FnOnce(&Documents) -> Result<Table>,
    ) -> Result<Siltstone> {
        let durability = match settings.durability {
            Durability::Os => siltstone::Durability::Os,
            Durability::Sync => siltstone::Durability::Sync,
        };
        let options = Options::default().durability(durability).memory_budget(settings.memory_mib << 20);
        let db = options.open(dir)?;
        let documents = Documents::open(Arc::new(LsmEngine::new(db.clone())))?;
        Ok(Siltstone { db, table: table(&documents)?, text: settings.text })
    }
}

impl Engine for Siltstone {
    fn version() -> String {
        "0.1.0".into()
    }

    fn create(dir: &Path, settings: &Settings, columns: &[(String, Kind)]) -> Result<Siltstone> {
        let mut schema = json!({KEY: {"type": "str", "required": true, "unique": true}});
        for (name, kind) in columns {
            schema[name.as_str()] = json!(match kind {
                Kind::Int => "int",
                Kind::Text => "str",
            });
        }
        Siltstone::with(dir, settings, |documents| {
            let table = documents.create_table(DATABASE, TABLE, Some(&schema.into()))?;
            for column in ["Section", "Installed_Size"] {
                table.create_index(json!({"columns": {column: 1}}), |_| {})?;
            }
            Ok(table)
        })
    }

    fn open(dir: &Path, settings: &Settings) -> Result<Siltstone> {
        Siltstone::with(dir, settings, |documents| Ok(documents.table(DATABASE, TABLE)?))
    }

    fn insert(&self, texts: &[String]) -> Result<()> {
        let parsed = texts.iter().map(|text| Encoded::parse(text)).collect::<Result<Vec<_>, _>>()?;
        self.table.insert_many(parsed)?;
        Ok(())
    }

    fn find(&self, question: Question, mut visit: impl FnMut(&str)) -> Result<()> {
        let query = match question {
            Question::Key(key) => Query::new(json!({KEY: key})).limit(1),
            Question::Range(from) => Query::new(json!({"Installed_Size": {"$gte": from}}))
                .sort(json!({"Installed_Size": 1}))
                .limit(RANGE as u64),
            Question::Filter { maintainer, size } => {
                Query::new(json!({"Size": {"$gt": size}, "Maintainer": maintainer}))
            }
        };
        let mut found = self.table.find(query)?;
        while let Some(document) = found.next_document()? {
            if self.text {
                black_box(document.json()?);
            }
            visit(document.raw().get(KEY).and_then(Raw::text).context("a document has no key")?);
        }
        Ok(())
    }

    fn set_size(&self, key: &str, size: u64) -> Result<u64> {
        Ok(self.table.update(json!({KEY: key}), json!({"Size": size}))?.matched)
    }

    fn all(&self, mut visit: impl FnMut(&str) -> Result<()>) -> Result<()> {
        for document in self.table.find(Query::all())? {
            let Value::Object(mut members) = document? else { bail!("a document is no object") };
            // Nobody gave it that.
            let pk = members.iter().position(|(name, _)| name == "pk").context("a document has no pk")?;
            members.remove(pk);
            visit(&Value::Object(members).to_string())?;
        }
        Ok(())
    }

    fn settle(&self) -> Result<Duration> {
        settle::siltstone(&self.db)
    }

    fn close(self) -> Result<()> {
        drop(self.table);
        Ok(self.db.close()?)
    }
}
