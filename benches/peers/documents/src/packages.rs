//! The documents: what a Debian machine knows of packages.
//!
//! Each gets a member `Key`, of package, version and architecture, which no two have alike. It stands first, so that an engine that hands
//! out text need not be asked to parse it for us to see which document it found. The others are called as they are in the index, but with
//! `_` for `-`, which columns of a schema may not have.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::path::Path;

/// The member that no two documents have alike.
pub const KEY: &str = "Key";
/// The text before the value of [`KEY`].
#[cfg(feature = "sqlite")]
const START: &str = r#"{"Key":""#;

/// A document.
pub type Document = Map<String, Value>;

/// What the members of a name are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Int,
    /// Texts.
    Text,
}

/// What questions are made of.
pub struct Facts {
    pub key: String,
    pub maintainer: String,
    pub size: Option<u64>,
    pub installed_size: Option<u64>,
}

/// All documents.
pub struct Packages {
    /// As they are given to engines. They are kept as text only: millions of small pieces would leave every engine a heap that no user
    /// has.
    pub texts: Vec<String>,
    /// What questions are made of, in the same order.
    pub facts: Vec<Facts>,
    /// All names of members, but for [`KEY`], in the order in which they were met.
    pub columns: Vec<(String, Kind)>,
}

impl Packages {
    /// Those of a file with one object a line. One that was there before is left out.
    pub fn read(path: &Path) -> Result<Packages> {
        let lines = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut packages = Packages { texts: Vec::new(), facts: Vec::new(), columns: Vec::new() };
        let mut keys = HashSet::new();
        for (at, line) in lines.lines().enumerate() {
            let added = packages.add(line, &mut keys);
            added.with_context(|| format!("{}: line {}", path.display(), at + 1))?;
        }
        Ok(packages)
    }

    fn add(&mut self, line: &str, keys: &mut HashSet<String>) -> Result<()> {
        let given: Document = serde_json::from_str(line)?;
        let part =
            |name| given.get(name).and_then(Value::as_str).with_context(|| format!("there is no {name}"));
        let key = format!("{}:{}:{}", part("Package")?, part("Version")?, part("Architecture")?);
        ensure!(!key.contains(['"', '\\']), "the key {key} would have to be escaped");
        if !keys.insert(key.clone()) {
            return Ok(());
        }
        let document: Document =
            given.into_iter().map(|(name, value)| (name.replace('-', "_"), value)).collect();
        for (name, value) in &document {
            let kind = match value {
                Value::Number(_) => Kind::Int,
                Value::String(_) => Kind::Text,
                _ => bail!("{name} is neither a number nor a text"),
            };
            match self.columns.iter().find(|(other, _)| other == name) {
                Some((_, other)) => ensure!(*other == kind, "{name} is not what it was before"),
                None => self.columns.push((name.clone(), kind)),
            }
        }
        let mut keyed: Document = [(KEY.to_owned(), key.into())].into_iter().collect();
        keyed.extend(document);
        self.texts.push(serde_json::to_string(&keyed)?);
        self.facts.push(Facts {
            key: text(&keyed, KEY).to_owned(),
            maintainer: text(&keyed, "Maintainer").to_owned(),
            size: number(&keyed, "Size"),
            installed_size: number(&keyed, "Installed_Size"),
        });
        Ok(())
    }
}

/// A member that is a text; an empty one if it is not there.
pub fn text<'d>(document: &'d Document, name: &str) -> &'d str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member that is a number.
fn number(document: &Document, name: &str) -> Option<u64> {
    document.get(name).and_then(Value::as_u64)
}

/// The key in the text of a document.
#[cfg(feature = "sqlite")]
pub fn key_of(text: &str) -> Result<&str> {
    let key = text.strip_prefix(START).and_then(|rest| Some(rest.split_once('"')?.0));
    key.context("a document does not begin with its key")
}
