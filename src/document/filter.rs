//! Which documents are asked for.
//!
//! ```text
//! filter  {PATH: condition, …, "$and": [filter, …], "$or": [filter, …], "$nor": [filter, …]}      all of these hold
//! condition   a value that is no object with operators: it is equal
//!             {"$eq": v, "$ne": v, "$gt": v, "$gte": v, "$lt": v, "$lte": v, "$in": [v, …], "$nin": [v, …],
//!              "$not": {operators}, "$exists": bool, "$type": NAME or [NAME, …], "$all": [v, …], "$size": n,
//!              "$mod": [divisor, remainder], "$elemMatch": {operators} or filter}                all of these hold
//! ```
//!
//! (F1) What lies at no place of a path matches nothing but `{"$exists": false}`: not even `$ne`, `$nin` or `$not`. `{}` asks whether
//!      there is something.
//! (F2) A condition on an array is one on the array and on each of its elements: it holds when it does for one of them. `$ne` and `$nin` are
//!      the contrary of `$eq` and `$in`, so they hold when those do for none.
//! (F3) Equality is that of [`order`]: numbers by value, objects whatever order their members are in. `$gt` and its like never hold between
//!      values of two kinds.
//! (F4) What is no filter is refused as a whole, with the place in it. A filter is no deeper than a document may be.

use super::order;
use super::path::Path;
use super::value::{Kind, Value};
use std::cmp::Ordering;
use std::fmt::{self, Display};

/// What is asked of documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(Vec<Clause>);

/// Something that is no filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where in the filter, as names with dots; empty for all of it.
    pub at: String,
    /// What is wrong there, and what would be right.
    pub why: String,
}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.at {
            "" => write!(f, "the query: {}", self.why),
            at => write!(f, "the query, at {at}: {}", self.why),
        }
    }
}

impl std::error::Error for Refused {}

#[derive(Debug, Clone, PartialEq)]
enum Clause {
    /// What lies there passes all tests.
    Field(Path, Vec<Test>),
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Nor(Vec<Filter>),
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Equal(Value),
    Unequal(Value),
    /// It is of the same kind, and compared to this it is one of these.
    Compare(Value, &'static [Ordering]),
    In(Vec<Value>),
    NotIn(Vec<Value>),
    Not(Vec<Test>),
    Exists(bool),
    Kind(Vec<Kind>),
    All(Vec<Value>),
    Size(usize),
    Mod {
        divisor: i128,
        remainder: i128,
    },
    /// An element of the array passes all of these.
    Element(Vec<Test>),
    /// An element of the array is such an object.
    ElementLike(Filter),
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// The place, and what is wrong there (F4).
    pub fn parse(query: &Value) -> Result<Filter, Refused> {
        filter(query, "")
    }

    /// Whether a document is asked for.
    #[must_use]
    pub fn matches(&self, document: &Value) -> bool {
        self.0.iter().all(|clause| match clause {
            Clause::Field(path, tests) => {
                let mut found = Vec::new();
                path.any(document, &mut |value| {
                    found.push(value);
                    false
                });
                pass(tests, &found)
            }
            Clause::And(filters) => filters.iter().all(|filter| filter.matches(document)),
            Clause::Or(filters) => filters.iter().any(|filter| filter.matches(document)),
            Clause::Nor(filters) => !filters.iter().any(|filter| filter.matches(document)),
        })
    }
}

/// Whether what lies at a path passes all tests.
fn pass(tests: &[Test], found: &[&Value]) -> bool {
    match found {
        // (F1)
        [] => !tests.is_empty() && tests.iter().all(|test| *test == Test::Exists(false)),
        _ => tests.iter().all(|test| test.holds(found)),
    }
}

impl Test {
    /// Whether it holds for what was found, which is something.
    fn holds(&self, found: &[&Value]) -> bool {
        match self {
            Test::Equal(value) => any_part(found, |part| is_equal(part, value)),
            Test::Unequal(value) => !any_part(found, |part| is_equal(part, value)),
            Test::Compare(value, wanted) => {
                let kind = value.kind();
                any_part(found, |part| part.kind() == kind && wanted.contains(&order::compare(part, value)))
            }
            Test::In(list) => any_part(found, |part| list.iter().any(|value| is_equal(part, value))),
            Test::NotIn(list) => !any_part(found, |part| list.iter().any(|value| is_equal(part, value))),
            Test::Not(tests) => !tests.iter().all(|test| test.holds(found)),
            Test::Exists(wanted) => *wanted,
            Test::Kind(kinds) => any_part(found, |part| kinds.contains(&part.kind())),
            Test::All(list) => list.iter().all(|value| any_part(found, |part| is_equal(part, value))),
            Test::Size(size) => {
                found.iter().any(|value| matches!(value, Value::Array(list) if list.len() == *size))
            }
            Test::Mod { divisor, remainder } => any_part(found, |part| {
                integer(part).and_then(|number| number.checked_rem(*divisor)) == Some(*remainder)
            }),
            Test::Element(tests) => any_element(found, |element| pass(tests, &[element])),
            Test::ElementLike(filter) => {
                any_element(found, |element| matches!(element, Value::Object(_)) && filter.matches(element))
            }
        }
    }
}

/// Whether one of the values is such, or an element of one (F2).
fn any_part(found: &[&Value], is: impl Fn(&Value) -> bool) -> bool {
    found.iter().any(|value| is(value)) || any_element(found, is)
}

fn any_element(found: &[&Value], is: impl Fn(&Value) -> bool) -> bool {
    found.iter().any(|value| matches!(value, Value::Array(list) if list.iter().any(&is)))
}

fn is_equal(one: &Value, other: &Value) -> bool {
    order::compare(one, other).is_eq()
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => number.value().integer(),
        _ => None,
    }
}

/// What `$type` calls them.
const KINDS: [(&str, Kind); 6] = [
    ("null", Kind::Null),
    ("bool", Kind::Bool),
    ("number", Kind::Number),
    ("string", Kind::String),
    ("array", Kind::Array),
    ("object", Kind::Object),
];

fn refuse<T>(at: &str, why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { at: at.into(), why: why.into() })
}

fn inner(at: &str, name: impl Display) -> String {
    if at.is_empty() { name.to_string() } else { format!("{at}.{name}") }
}

fn filter(query: &Value, at: &str) -> Result<Filter, Refused> {
    let Value::Object(members) = query else { return refuse(at, "an object of conditions is expected") };
    let clause = |(name, value): &(String, Value)| {
        let at = inner(at, name);
        match &**name {
            "$and" => Ok(Clause::And(filters(value, &at)?)),
            "$or" => Ok(Clause::Or(filters(value, &at)?)),
            "$nor" => Ok(Clause::Nor(filters(value, &at)?)),
            _ if name.starts_with('$') => refuse(&at, "here stand names of members, `$and`, `$or` or `$nor`"),
            _ => match Path::parse(name) {
                Some(path) => Ok(Clause::Field(path, condition(value, &at)?)),
                None => refuse(
                    &at,
                    "this is no path: names are not empty, do not begin with `$`, and are at most 100",
                ),
            },
        }
    };
    Ok(Filter(members.iter().map(clause).collect::<Result<_, _>>()?))
}

fn filters(value: &Value, at: &str) -> Result<Vec<Filter>, Refused> {
    match value {
        Value::Array(list) if !list.is_empty() => {
            list.iter().enumerate().map(|(place, query)| filter(query, &inner(at, place))).collect()
        }
        _ => refuse(at, "an array of at least one query is expected"),
    }
}

/// The tests of a condition: a value, or operators.
fn condition(value: &Value, at: &str) -> Result<Vec<Test>, Refused> {
    match value {
        Value::Object(_) => operators(value, at),
        _ => Ok(vec![Test::Equal(value.clone())]),
    }
}

fn operators(value: &Value, at: &str) -> Result<Vec<Test>, Refused> {
    let Value::Object(members) = value else { return refuse(at, "an object of operators is expected") };
    members.iter().map(|(name, value)| operator(name, value, &inner(at, name))).collect()
}

fn operator(name: &str, value: &Value, at: &str) -> Result<Test, Refused> {
    use Ordering::{Equal, Greater, Less};
    Ok(match name {
        "$eq" => Test::Equal(value.clone()),
        "$ne" => Test::Unequal(value.clone()),
        "$gt" => Test::Compare(value.clone(), &[Greater]),
        "$gte" => Test::Compare(value.clone(), &[Greater, Equal]),
        "$lt" => Test::Compare(value.clone(), &[Less]),
        "$lte" => Test::Compare(value.clone(), &[Less, Equal]),
        "$in" => Test::In(array(value, at)?.to_vec()),
        "$nin" => Test::NotIn(array(value, at)?.to_vec()),
        "$all" => Test::All(array(value, at)?.to_vec()),
        "$not" => Test::Not(operators(value, at)?),
        "$exists" => match value {
            Value::Bool(wanted) => Test::Exists(*wanted),
            _ => return refuse(at, "true or false is expected"),
        },
        "$type" => Test::Kind(kinds(value, at)?),
        "$size" => match integer(value).and_then(|size| usize::try_from(size).ok()) {
            Some(size) => Test::Size(size),
            None => return refuse(at, "a whole number from 0 on is expected"),
        },
        "$mod" => match array(value, at)?.iter().map(integer).collect::<Option<Vec<_>>>().as_deref() {
            Some([divisor, remainder]) if *divisor != 0 => {
                Test::Mod { divisor: *divisor, remainder: *remainder }
            }
            _ => return refuse(at, "a divisor that is not 0 and a remainder are expected, both whole"),
        },
        "$elemMatch" => match value {
            Value::Object(members) if members.first().is_some_and(|(name, _)| is_operator(name)) => {
                Test::Element(operators(value, at)?)
            }
            _ => Test::ElementLike(filter(value, at)?),
        },
        _ if name.starts_with('$') => return refuse(at, "there is no such operator"),
        _ => return refuse(at, "an operator is expected; to compare with an object, use `$eq`"),
    })
}

/// Whether this stands in a condition and not in a filter.
fn is_operator(name: &str) -> bool {
    name.starts_with('$') && !matches!(name, "$and" | "$or" | "$nor")
}

fn array<'v>(value: &'v Value, at: &str) -> Result<&'v [Value], Refused> {
    match value {
        Value::Array(list) => Ok(list),
        _ => refuse(at, "an array is expected"),
    }
}

fn kinds(value: &Value, at: &str) -> Result<Vec<Kind>, Refused> {
    let list = match value {
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    };
    let kind = |value: &Value| match value {
        Value::String(name) => KINDS.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind),
        _ => None,
    };
    match list.iter().map(kind).collect() {
        Some(kinds) => Ok(kinds),
        None => refuse(at, "names of types are expected: null, bool, number, string, array or object"),
    }
}

#[cfg(test)]
mod tests;
