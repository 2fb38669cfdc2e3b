//! Documents: values of JSON, exactly as they were written, the order they have, and which of them are asked for.
//!
//! ```
//! use siltstone::document::order::{self, Direction};
//! use siltstone::document::value::Value;
//!
//! let (a, b) = (Value::parse("9007199254740993")?, Value::parse("9007199254740992.0")?);
//! assert!(order::compare(&a, &b).is_gt());
//! let mut key = Vec::new();
//! order::encode(&a, Direction::Ascending, &mut key);
//!
//! use siltstone::document::filter::Filter;
//! let query = Value::parse(r#"{"age": {"$gte": 24, "$lt": 35}, "tags": "new"}"#)?;
//! let row = Value::parse(r#"{"age": 30.0, "tags": ["new", "open"]}"#)?;
//! assert!(Filter::parse(&query)?.matches(&row));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Reading order: [`number`], [`value`], [`order`], [`path`], [`filter`], [`update`], [`projection`].

pub mod filter;
pub mod number;
pub mod order;
pub mod path;
pub mod projection;
mod tree;
pub mod update;
pub mod value;
