//! Documents: values of JSON, exactly as they were written, and the order they have.
//!
//! ```
//! use siltstone::document::order::{self, Direction};
//! use siltstone::document::value::Value;
//!
//! let (a, b) = (Value::parse("9007199254740993")?, Value::parse("9007199254740992.0")?);
//! assert!(order::compare(&a, &b).is_gt());
//! let mut key = Vec::new();
//! order::encode(&a, Direction::Ascending, &mut key);
//! # Ok::<(), siltstone::document::value::Malformed>(())
//! ```
//!
//! Reading order: [`number`], [`value`], [`order`].

pub mod number;
pub mod order;
pub mod value;
