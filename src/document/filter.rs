//! Which documents are asked for.
//!
//! ```text
//! filter  {PATH: condition, …, "$and": [filter, …], "$or": [filter, …], "$nor": [filter, …]}      all of these hold
//! condition   a value that is no object with operators: it is equal
//!             {"$eq": v, "$ne": v, "$gt": v, "$gte": v, "$lt": v, "$lte": v, "$in": [v, …], "$nin": [v, …],
//!              "$not": {operators}, "$exists": bool, "$type": NAME or [NAME, …], "$all": [v, …], "$size": n,
//!              "$mod": [divisor, remainder], "$elemMatch": {operators} or filter,
//!              "$regex": pattern, "$options": letters of i m s x}                                all of these hold
//! ```
//!
//! (F1) What lies at no place of a path matches nothing but `{"$exists": false}`: not even `$ne`, `$nin` or `$not`. `{}` asks whether
//!      there is something.
//! (F2) A condition on an array is one on the array and on each of its elements: it holds when it does for one of them. `$ne` and `$nin` are
//!      the contrary of `$eq` and `$in`, so they hold when those do for none.
//! (F3) Equality is that of [`order`]: numbers by value, objects whatever order their members are in. `$gt` and its like never hold between
//!      values of two kinds.
//! (F4) Columns of dates are compared as moments, wherever values of them are ([`Collation`]).
//! (F5) Patterns are found in time linear in the text, and are bounded in size and number: [`pattern`].
//! (F6) What is no filter is refused as a whole, with the place in it. A filter is no deeper than a document may be.

pub(super) mod parse;
pub mod pattern;

use super::collation::Collation;
use super::order;
use super::path::Path;
use super::raw::{Encoded, Raw};
use super::value::{Kind, Value};
use pattern::Pattern;
use std::cmp::Ordering;
use std::fmt::{self, Display};

/// What is asked of documents.
#[derive(Debug, Clone, Default)]
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
            "" => f.write_str(&self.why),
            at => write!(f, "{at}: {}", self.why),
        }
    }
}

impl std::error::Error for Refused {}

/// One member of a filter.
#[derive(Debug, Clone)]
pub(super) struct Clause {
    /// Its value.
    value: Encoded,
    pub(super) means: Means,
}

#[derive(Debug, Clone)]
pub(super) enum Means {
    /// What lies there passes all tests.
    Field(Path, Collation, Vec<Test>),
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Nor(Vec<Filter>),
}

#[derive(Debug, Clone)]
pub(super) enum Test {
    Equal(Encoded),
    Unequal(Encoded),
    /// It is of the same kind, and compared to this it is one of these.
    Compare(Encoded, &'static [Ordering]),
    In(Vec<Encoded>),
    NotIn(Vec<Encoded>),
    Not(Vec<Test>),
    Exists(bool),
    Kind(Vec<Kind>),
    All(Vec<Encoded>),
    Size(usize),
    Mod {
        divisor: i128,
        remainder: i128,
    },
    Pattern(Pattern),
    /// An element of the array passes all of these.
    Element(Vec<Test>),
    /// An element of the array is such an object.
    ElementLike(Filter),
}

/// What lies at a path: as it is, and as it is compared.
struct Found<'f, 'a> {
    values: &'f [Raw<'a>],
    compared: &'f [Raw<'a>],
}

impl Filter {
    /// Reads a filter over documents of no schema.
    ///
    /// # Errors
    /// The place, and what is wrong there (F6).
    pub fn parse(query: &Value) -> Result<Filter, Refused> {
        Filter::parse_with(query, &|_| Collation::Plain)
    }

    /// Reads a filter over documents whose values at a path are compared as `collation` says.
    ///
    /// # Errors
    /// The place, and what is wrong there (F6).
    pub fn parse_with(query: &Value, collation: &dyn Fn(&Path) -> Collation) -> Result<Filter, Refused> {
        parse::Parser::new(collation).filter(query, parse::At::All)
    }

    /// Whether a document is asked for.
    #[must_use]
    pub fn matches(&self, document: Raw<'_>) -> bool {
        // Few documents have one certain value, so most are out after that, and what they have behind it is not even read.
        let of_kind = |equality: bool| self.0.iter().filter(move |clause| clause.is_equality() == equality);
        of_kind(true).chain(of_kind(false)).all(|clause| clause.holds(document))
    }

    /// Whether it asks for all documents.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that has to hold, those within `$and` as well.
    pub(super) fn conjunction(&self) -> Vec<&Clause> {
        let mut clauses = Vec::new();
        for clause in &self.0 {
            match &clause.means {
                Means::And(filters) => filters.iter().for_each(|filter| clauses.extend(filter.conjunction())),
                _ => clauses.push(clause),
            }
        }
        clauses
    }

    /// Whether it is plain to see that what this filter asks for, the other one does, too.
    pub(super) fn implies(&self, other: &Filter) -> bool {
        let mine = self.conjunction();
        other
            .conjunction()
            .into_iter()
            .all(|wanted| mine.iter().any(|clause| clause.says(wanted) || clause.implies_there_is(wanted)))
    }
}

impl Clause {
    /// Whether it asks for one certain value.
    fn is_equality(&self) -> bool {
        matches!(&self.means, Means::Field(_, _, tests) if matches!(tests[..], [Test::Equal(_)]))
    }

    fn holds(&self, document: Raw<'_>) -> bool {
        match &self.means {
            Means::Field(path, collation, tests) => field(document, path, collation, tests),
            Means::And(filters) => filters.iter().all(|filter| filter.matches(document)),
            Means::Or(filters) => filters.iter().any(|filter| filter.matches(document)),
            Means::Nor(filters) => !filters.iter().any(|filter| filter.matches(document)),
        }
    }

    /// Whether it is the other one, in the same words.
    pub(super) fn says(&self, other: &Clause) -> bool {
        let same_name = match (&self.means, &other.means) {
            (Means::Field(path, ..), Means::Field(other, ..)) => path == other,
            (means, other) => std::mem::discriminant(means) == std::mem::discriminant(other),
        };
        same_name && self.value == other.value
    }

    /// Whether the other one only asks whether something is there that this one needs to be there (F1).
    fn implies_there_is(&self, wanted: &Clause) -> bool {
        let (Means::Field(path, _, tests), Means::Field(wanted, _, asks)) = (&self.means, &wanted.means)
        else {
            return false;
        };
        let any = asks.iter().all(|test| matches!(test, Test::Exists(true)));
        path == wanted && any && !tests.iter().any(|test| matches!(test, Test::Exists(false)))
    }
}

fn field(document: Raw<'_>, path: &Path, collation: &Collation, tests: &[Test]) -> bool {
    // Most paths are one name, and most values no dates: nothing is gathered then.
    if let (Some(name), Collation::Plain, Kind::Object) = (path.single(), collation, document.kind()) {
        let found = document.get(name);
        return pass(tests, found.as_slice(), found.as_slice());
    }
    let mut values = Vec::new();
    path.any(document, &mut |value| {
        values.push(value);
        false
    });
    let moments: Vec<Option<Encoded>> = values.iter().map(|value| collation.of(*value)).collect();
    let compared = values.iter().zip(&moments);
    let compared: Vec<Raw<'_>> =
        compared.map(|(value, moment)| moment.as_ref().map_or(*value, Encoded::raw)).collect();
    pass(tests, &values, &compared)
}

/// Whether what lies at a path passes all tests.
fn pass(tests: &[Test], values: &[Raw<'_>], compared: &[Raw<'_>]) -> bool {
    match values {
        // (F1)
        [] => !tests.is_empty() && tests.iter().all(|test| matches!(test, Test::Exists(false))),
        _ => tests.iter().all(|test| test.holds(&Found { values, compared })),
    }
}

impl Test {
    /// Whether it holds for what was found, which is something.
    fn holds(&self, found: &Found<'_, '_>) -> bool {
        let Found { values, compared } = *found;
        match self {
            Test::Equal(value) => any_part(compared, |part| is_equal(part, value)),
            Test::Unequal(value) => !any_part(compared, |part| is_equal(part, value)),
            Test::Compare(value, wanted) => {
                let value = value.raw();
                let kind = value.kind();
                any_part(compared, |part| {
                    part.kind() == kind && wanted.contains(&order::compare(part, value))
                })
            }
            Test::In(list) => any_part(compared, |part| list.iter().any(|value| is_equal(part, value))),
            Test::NotIn(list) => !any_part(compared, |part| list.iter().any(|value| is_equal(part, value))),
            Test::Not(tests) => !tests.iter().all(|test| test.holds(found)),
            Test::Exists(wanted) => *wanted,
            Test::Kind(kinds) => any_part(values, |part| kinds.contains(&part.kind())),
            Test::All(list) => list.iter().all(|value| any_part(compared, |part| is_equal(part, value))),
            Test::Size(size) => {
                values.iter().any(|value| value.kind() == Kind::Array && value.elements().count() == *size)
            }
            Test::Mod { divisor, remainder } => any_part(values, |part| {
                integer(part).and_then(|number| number.checked_rem(*divisor)) == Some(*remainder)
            }),
            Test::Pattern(pattern) => {
                any_part(values, |part| part.text().is_some_and(|text| pattern.is_in(text)))
            }
            Test::Element(tests) => values.iter().zip(compared).any(|(value, compared)| {
                let mut elements = value.elements().zip(compared.elements());
                elements.any(|(value, compared)| pass(tests, &[value], &[compared]))
            }),
            Test::ElementLike(filter) => {
                any_element(values, |element| element.kind() == Kind::Object && filter.matches(element))
            }
        }
    }
}

/// Whether one of the values is such, or an element of one (F2).
fn any_part<'a>(found: &[Raw<'a>], is: impl Fn(Raw<'a>) -> bool) -> bool {
    found.iter().any(|value| is(*value)) || any_element(found, is)
}

fn any_element<'a>(found: &[Raw<'a>], is: impl Fn(Raw<'a>) -> bool) -> bool {
    found.iter().any(|value| value.elements().any(&is))
}

fn is_equal(one: Raw<'_>, other: &Encoded) -> bool {
    order::compare(one, other.raw()).is_eq()
}

fn integer(value: Raw<'_>) -> Option<i128> {
    value.decimal()?.integer()
}

#[cfg(test)]
mod tests;
