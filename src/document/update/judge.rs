//! What updates ask about values: which comes first, which are equal, which are asked for. Nothing else of updates knows how.

use super::super::collation::Collation;
use super::super::filter::{Filter, Refused};
use super::super::order::{self, Direction};
use super::super::path::Path;
use super::super::raw::Encoded;
use super::super::value::Value;
use std::cmp::Ordering;

/// Which of two values comes first.
pub(super) fn compare(one: &Value, other: &Value, collation: &Collation) -> Ordering {
    let of = |value| collation.constant(Encoded::of(value));
    order::compare(of(one).raw(), of(other).raw())
}

/// Bytes that are the same for equal values only.
pub(super) fn key(value: &Value, collation: &Collation) -> Vec<u8> {
    let mut key = Vec::new();
    order::encode(collation.constant(Encoded::of(value)).raw(), Direction::Ascending, &mut key);
    key
}

/// What elements of an array are asked for.
#[derive(Debug, Clone)]
pub(super) struct Wanted(Filter);

impl Wanted {
    /// Operators on each element, or a filter for those that are objects: just what `$elemMatch` takes.
    pub(super) fn parse(
        operand: &Value,
        at: &str,
        collation: &dyn Fn(Option<&Path>) -> Collation,
    ) -> Result<Wanted, Refused> {
        let query = object(ELEMENTS, object("$elemMatch", operand.clone()));
        let within = |refused: Refused| {
            let inner = refused.at.strip_prefix(WITHIN).unwrap_or_default();
            Refused { at: format!("{at}{inner}"), why: refused.why }
        };
        let parsed = Filter::parse_with(&query, &|path| collation(path.tail().as_ref()));
        parsed.map(Wanted).map_err(within)
    }

    /// Whether this element is.
    pub(super) fn has(&self, element: &Value) -> bool {
        self.0.matches(Encoded::of(&object(ELEMENTS, Value::Array(vec![element.clone()]))).raw())
    }
}

const ELEMENTS: &str = "e";
/// What places in the filter begin with.
const WITHIN: &str = "e.$elemMatch";

fn object(name: &str, value: Value) -> Value {
    Value::Object(vec![(name.into(), value)])
}
