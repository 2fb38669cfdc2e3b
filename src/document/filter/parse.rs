//! A filter out of a value.

use super::pattern::{MOST_PATTERNS, Pattern};
use super::{Clause, Filter, Means, Refused, Test};
use crate::document::collation::Collation;
use crate::document::path::Path;
use crate::document::raw::Encoded;
use crate::document::value::{Kind, Value};
use std::cell::Cell;
use std::cmp::Ordering::{Equal, Greater, Less};
use std::fmt::{self, Display};

/// What `$type` calls them.
const KINDS: [(&str, Kind); 6] = [
    ("null", Kind::Null),
    ("bool", Kind::Bool),
    ("number", Kind::Number),
    ("string", Kind::String),
    ("array", Kind::Array),
    ("object", Kind::Object),
];

pub(in crate::document) fn refuse<T>(at: &str, why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { at: at.into(), why: why.into() })
}

#[cold]
fn refuse_at<T>(at: At<'_>, why: impl Into<String>) -> Result<T, Refused> {
    refuse(&at.to_string(), why)
}

/// The place of a name within a place.
pub(in crate::document) fn inner(at: &str, name: impl Display) -> String {
    if at.is_empty() { name.to_string() } else { format!("{at}.{name}") }
}

/// A place in a filter; it is told only when something is wrong there.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    All,
    Member(&'a At<'a>, &'a str),
    Element(&'a At<'a>, usize),
}

impl Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let up = match self {
            At::All => return Ok(()),
            At::Member(up, _) | At::Element(up, _) => up,
        };
        write!(f, "{up}{}", if matches!(up, At::All) { "" } else { "." })?;
        match self {
            At::All => Ok(()),
            At::Member(_, name) => f.write_str(name),
            At::Element(_, place) => write!(f, "{place}"),
        }
    }
}

/// What a condition is on, and how it is compared.
#[derive(Clone, Copy)]
struct On<'a> {
    path: &'a Path,
    collation: &'a Collation,
}

/// Where that lies of which a filter asks.
enum Within {
    /// It is the document itself.
    Document,
    /// In elements of the arrays there.
    Elements(Path),
    /// Deeper than any document is.
    Nowhere,
}

/// Reads one filter, and what lies in it.
pub(super) struct Parser<'a> {
    collation: &'a dyn Fn(&Path) -> Collation,
    within: Within,
    /// How many patterns it has had.
    patterns: Cell<usize>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(collation: &'a dyn Fn(&Path) -> Collation) -> Parser<'a> {
        Parser { collation, within: Within::Document, patterns: Cell::new(0) }
    }

    pub(super) fn filter(&self, query: &Value, at: At<'_>) -> Result<Filter, Refused> {
        let Value::Object(members) = query else {
            return refuse_at(at, "an object of conditions is expected");
        };
        let clause = |(name, value): &(String, Value)| {
            let means = self.clause(name, value, At::Member(&at, name))?;
            Ok(Clause { value: Encoded::of(value), means })
        };
        Ok(Filter(members.iter().map(clause).collect::<Result<_, _>>()?))
    }

    fn clause(&self, name: &str, value: &Value, at: At<'_>) -> Result<Means, Refused> {
        Ok(match name {
            "$and" => Means::And(self.filters(value, at)?),
            "$or" => Means::Or(self.filters(value, at)?),
            "$nor" => Means::Nor(self.filters(value, at)?),
            _ if name.starts_with('$') => {
                return refuse_at(at, "here stand names of members, `$and`, `$or` or `$nor`");
            }
            _ => {
                let Some(path) = Path::parse(name) else {
                    let why =
                        "this is no path: names are not empty, do not begin with `$`, and are at most 100";
                    return refuse_at(at, why);
                };
                let collation = match &self.within {
                    Within::Document => (self.collation)(&path),
                    Within::Elements(outer) => {
                        outer.join(&path).map_or(Collation::Plain, |path| (self.collation)(&path))
                    }
                    Within::Nowhere => Collation::Plain,
                };
                let tests = self.condition(value, On { path: &path, collation: &collation }, at)?;
                Means::Field(path, collation, tests)
            }
        })
    }

    /// A filter of what lies in elements of the arrays at a path.
    fn filter_within(&self, path: &Path, query: &Value, at: At<'_>) -> Result<Filter, Refused> {
        let within = match &self.within {
            Within::Document => Within::Elements(path.clone()),
            Within::Elements(outer) => outer.join(path).map_or(Within::Nowhere, Within::Elements),
            Within::Nowhere => Within::Nowhere,
        };
        let parser = Parser { collation: self.collation, within, patterns: self.patterns.clone() };
        let filter = parser.filter(query, at)?;
        self.patterns.set(parser.patterns.get());
        Ok(filter)
    }

    fn filters(&self, value: &Value, at: At<'_>) -> Result<Vec<Filter>, Refused> {
        match value {
            Value::Array(list) if !list.is_empty() => list
                .iter()
                .enumerate()
                .map(|(place, query)| self.filter(query, At::Element(&at, place)))
                .collect(),
            _ => refuse_at(at, "an array of at least one query is expected"),
        }
    }

    /// The tests of a condition: a value, or operators.
    fn condition(&self, value: &Value, on: On<'_>, at: At<'_>) -> Result<Vec<Test>, Refused> {
        match value {
            Value::Object(_) => self.operators(value, on, at),
            _ => Ok(vec![Test::Equal(on.collation.constant(Encoded::of(value)))]),
        }
    }

    fn operators(&self, value: &Value, on: On<'_>, at: At<'_>) -> Result<Vec<Test>, Refused> {
        let Value::Object(members) = value else {
            return refuse_at(at, "an object of operators is expected");
        };
        let mut tests = Vec::new();
        for (name, operand) in members {
            let at = At::Member(&at, name);
            match &**name {
                "$regex" => tests.push(Test::Pattern(self.pattern(operand, value.get("$options"), at)?)),
                "$options" if value.get("$regex").is_some() => {}
                "$options" => return refuse_at(at, "it stands beside `$regex`"),
                _ => tests.push(self.operator(name, operand, on, at)?),
            }
        }
        Ok(tests)
    }

    fn operator(&self, name: &str, value: &Value, on: On<'_>, at: At<'_>) -> Result<Test, Refused> {
        let constant = |value: &Value| on.collation.constant(Encoded::of(value));
        let constants = || Ok(array(value, at)?.iter().map(constant).collect());
        Ok(match name {
            "$eq" => Test::Equal(constant(value)),
            "$ne" => Test::Unequal(constant(value)),
            "$gt" => Test::Compare(constant(value), &[Greater]),
            "$gte" => Test::Compare(constant(value), &[Greater, Equal]),
            "$lt" => Test::Compare(constant(value), &[Less]),
            "$lte" => Test::Compare(constant(value), &[Less, Equal]),
            "$in" => Test::In(constants()?),
            "$nin" => Test::NotIn(constants()?),
            "$all" => Test::All(constants()?),
            "$not" => Test::Not(self.operators(value, on, at)?),
            "$exists" => match value {
                Value::Bool(wanted) => Test::Exists(*wanted),
                _ => return refuse_at(at, "true or false is expected"),
            },
            "$type" => Test::Kind(kinds(value, at)?),
            "$size" => match integer(value).and_then(|size| usize::try_from(size).ok()) {
                Some(size) => Test::Size(size),
                None => return refuse_at(at, "a whole number from 0 on is expected"),
            },
            "$mod" => match array(value, at)?.iter().map(integer).collect::<Option<Vec<_>>>().as_deref() {
                Some([divisor, remainder]) if *divisor != 0 => {
                    Test::Mod { divisor: *divisor, remainder: *remainder }
                }
                _ => {
                    return refuse_at(at, "a divisor that is not 0 and a remainder are expected, both whole");
                }
            },
            "$elemMatch" => match value {
                Value::Object(members) if members.first().is_some_and(|(name, _)| is_operator(name)) => {
                    Test::Element(self.operators(value, on, at)?)
                }
                _ => Test::ElementLike(self.filter_within(on.path, value, at)?),
            },
            _ if name.starts_with('$') => return refuse_at(at, "there is no such operator"),
            _ => return refuse_at(at, "an operator is expected; to compare with an object, use `$eq`"),
        })
    }

    fn pattern(&self, value: &Value, options: Option<&Value>, at: At<'_>) -> Result<Pattern, Refused> {
        let Value::String(text) = value else { return refuse_at(at, "the text of a pattern is expected") };
        let options = match options {
            None => "",
            Some(Value::String(options)) => options,
            Some(_) => return refuse_at(at, "`$options` are letters of i, m, s and x"),
        };
        self.patterns.update(|count| count + 1);
        if self.patterns.get() > MOST_PATTERNS {
            return refuse_at(at, format!("a query may have {MOST_PATTERNS} patterns"));
        }
        Pattern::parse(text, options).or_else(|why| refuse_at(at, why))
    }
}

/// Whether this stands in a condition and not in a filter.
fn is_operator(name: &str) -> bool {
    name.starts_with('$') && !matches!(name, "$and" | "$or" | "$nor")
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => number.value().integer(),
        _ => None,
    }
}

fn array<'v>(value: &'v Value, at: At<'_>) -> Result<&'v [Value], Refused> {
    match value {
        Value::Array(list) => Ok(list),
        _ => refuse_at(at, "an array is expected"),
    }
}

fn kinds(value: &Value, at: At<'_>) -> Result<Vec<Kind>, Refused> {
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
        None => refuse_at(at, "names of types are expected: null, bool, number, string, array or object"),
    }
}
