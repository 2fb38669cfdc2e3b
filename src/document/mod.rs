//! Documents: values of JSON, exactly as they were written, the order they have, and which of them are asked for.
//!
//! ```
//! use siltstone::document::order;
//! use siltstone::document::raw::Encoded;
//! use siltstone::document::value::Value;
//!
//! let of = |text| Value::parse(text).map(|value| Encoded::of(&value));
//! let (a, b) = (of("9007199254740993")?, of("9007199254740992.0")?);
//! assert!(order::compare(a.raw(), b.raw()).is_gt());
//!
//! use siltstone::document::filter::Filter;
//! let query = Value::parse(r#"{"age": {"$gte": 24, "$lt": 35}, "tags": "new"}"#)?;
//! let row = of(r#"{"age": 30.0, "tags": ["new", "open"]}"#)?;
//! assert!(Filter::parse(&query)?.matches(row.raw()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Reading order: [`number`], [`value`], [`order`], [`path`], [`filter`].

pub mod collation;
pub mod filter;
pub mod number;
pub mod order;
pub mod path;
pub mod raw;
pub mod schema;
pub mod value;
