//! A query: which documents, in which order, how many, and what of them.
//!
//! ```text
//! filter      {…}                            [`super::filter`]
//! sort        {PATH: 1 or -1, …}             [`super::sort`]
//! projection  {PATH: 1, …} or {PATH: 0, …}   [`super::projection`]
//! after       what a page gave for the next one
//! ```
//!
//! (Q1) A page goes on behind the last document of the page before, wherever that is by then: what was inserted or changed meanwhile is
//!      met when it lies behind, and nothing is met twice that did not move.
//! (Q2) What a page gave serves the same filter and sort of the same table, and is refused for any other.

use super::collation::Collation;
use super::error::{Error, Result};
use super::filter::parse::refuse;
use super::filter::{Filter, Refused};
use super::keys::TableId;
use super::path::Path;
use super::projection::Projection;
use super::sort::Sort;
use super::value::Value;
use std::fmt::Write;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// A query. It is looked at when it is asked.
///
/// ```
/// # use siltstone::document::Query;
/// # use serde_json::json;
/// let query = Query::new(json!({"age": {"$gte": 24}})).sort(json!({"age": -1})).skip(10).limit(5).project(json!(["name"]));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Which documents are asked for; null for all.
    pub filter: Value,
    /// In which order they come; null for that of their insertion.
    pub sort: Value,
    /// How many of them are passed over.
    pub skip: u64,
    /// How many of them come at most.
    pub limit: Option<u64>,
    /// What is shown of them; null for all.
    pub projection: Value,
    /// Behind which place it goes on (Q1).
    pub after: Option<String>,
}

impl Query {
    /// All documents that a filter asks for.
    #[must_use]
    pub fn new(filter: impl Into<Value>) -> Query {
        let (sort, projection) = (Value::Null, Value::Null);
        Query { filter: filter.into(), sort, skip: 0, limit: None, projection, after: None }
    }

    /// All documents.
    #[must_use]
    pub fn all() -> Query {
        Query::new(Value::Null)
    }

    /// In this order.
    #[must_use]
    pub fn sort(mut self, sort: impl Into<Value>) -> Query {
        self.sort = sort.into();
        self
    }

    /// Without the first of them.
    #[must_use]
    pub fn skip(mut self, skip: u64) -> Query {
        self.skip = skip;
        self
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Query {
        self.limit = Some(limit);
        self
    }

    /// Only this of each.
    #[must_use]
    pub fn project(mut self, projection: impl Into<Value>) -> Query {
        self.projection = projection.into();
        self
    }

    /// Those behind a page (Q1).
    #[must_use]
    pub fn after(mut self, page: impl Into<String>) -> Query {
        self.after = Some(page.into());
        self
    }
}

impl<T: Into<Value>> From<T> for Query {
    fn from(filter: T) -> Query {
        Query::new(filter)
    }
}

/// A query that was looked at.
pub(super) struct Asked {
    /// Shared with the walk over what it is asked of.
    pub(super) filter: Arc<Filter>,
    pub(super) sort: Sort,
    pub(super) skip: u64,
    pub(super) limit: Option<u64>,
    pub(super) projection: Option<Projection>,
    /// The key ([`Sort::key`]) of the document behind which it goes on.
    pub(super) after: Option<Vec<u8>>,
}

impl Asked {
    pub(super) fn parse(
        query: &Query,
        table: TableId,
        collation: &dyn Fn(&Path) -> Collation,
    ) -> Result<Asked> {
        let parse = || {
            Ok(Asked {
                filter: Arc::new(match &query.filter {
                    Value::Null => Filter::default(),
                    filter => Filter::parse_with(filter, collation)?,
                }),
                sort: Sort::parse(&query.sort, collation)?,
                skip: query.skip,
                limit: query.limit,
                projection: match &query.projection {
                    Value::Null => None,
                    projection => Some(Projection::parse(projection)?),
                },
                after: match &query.after {
                    Some(page) => Some(place(page, stamp(table, query))?),
                    None => None,
                },
            })
        };
        parse().map_err(Error::Query)
    }
}

/// What the next page of a query is asked for with, when this was the key of the last document.
pub(super) fn page(query: &Query, table: TableId, key: &[u8]) -> String {
    let mut page = String::new();
    for byte in stamp(table, query).to_be_bytes().iter().chain(key) {
        // Writing to a text does not fail.
        let _ = write!(page, "{byte:02x}");
    }
    page
}

/// What tells it from other queries (Q2). Only pages need it: most queries are never written out.
fn stamp(table: TableId, query: &Query) -> u64 {
    let filter = match &query.filter {
        Value::Null => "{}".into(),
        filter => filter.to_string(),
    };
    let mut hash = Xxh3::new();
    hash.update(&table.0.to_be_bytes());
    hash.update(filter.as_bytes());
    hash.update(query.sort.to_string().as_bytes());
    hash.digest()
}

/// The key in what a page gave.
fn place(page: &str, stamp: u64) -> Result<Vec<u8>, Refused> {
    const MOST: usize = 4 << 20;
    let digits = page.as_bytes().chunks_exact(2).map(|pair| {
        let pair =
            std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u8::from_str_radix(pair, 16).ok()
    });
    let whole = page.len().is_multiple_of(2) && page.len() <= MOST;
    let bytes = digits.collect::<Option<Vec<u8>>>().filter(|bytes| whole && bytes.len() >= 16);
    match bytes.as_deref().and_then(<[u8]>::split_first_chunk) {
        Some((of, key)) if u64::from_be_bytes(*of) == stamp => Ok(key.to_vec()),
        Some(_) => refuse("after", "this is of a page of another query, or of another table"),
        None => refuse("after", "this is not what a page gave"),
    }
}
