//! What is wrong with a row, all of it at once.
//!
//! ```text
//! {"age": ["Not a valid integer."], "address": {"zip": ["Unknown field."]}, "tags": {"0": ["Field may not be null."]}}
//! ```

use crate::document::value::Value;
use std::borrow::Cow;
use std::fmt::{self, Display};

/// What is wrong with a row: under the name of a column what is wrong there, in the order of the columns, then what is no column in
/// the order of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations(pub(super) Vec<(String, Faults)>);

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Faults {
    /// The value itself, in words.
    Here(Vec<Cow<'static, str>>),
    /// Members or elements.
    Inside(Vec<(String, Faults)>),
}

impl Violations {
    /// As clients get it: lists of texts, and objects of such for members and elements.
    #[must_use]
    pub fn to_value(&self) -> Value {
        inside(&self.0)
    }
}

impl Faults {
    pub(super) fn to_value(&self) -> Value {
        match self {
            Faults::Here(texts) => {
                Value::Array(texts.iter().map(|text| Value::String(text.to_string())).collect())
            }
            Faults::Inside(faults) => inside(faults),
        }
    }
}

impl From<&'static str> for Faults {
    fn from(text: &'static str) -> Faults {
        Faults::Here(vec![Cow::Borrowed(text)])
    }
}

impl Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the row does not fit the schema of its table, so it was not stored: {}", self.to_value())
    }
}

impl std::error::Error for Violations {}

fn inside(faults: &[(String, Faults)]) -> Value {
    Value::Object(faults.iter().map(|(name, faults)| (name.clone(), faults.to_value())).collect())
}
