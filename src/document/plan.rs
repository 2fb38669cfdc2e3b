//! How a query is answered: by which index, and which parts of it. Pure: what a table has comes in, a decision goes out.
//!
//! Of the conditions that all have to hold, those on the columns of an index bound the part of it that is read, from its first column
//! on: columns of which one or a few values are asked for (`$eq`, `$in`, `$all`), then one with a range (`$gt` and its like, a pattern
//! that begins with `^` and letters). What else is asked is asked of the documents.
//!
//! The index is chosen that has, in this order: all of a unique one; more columns with values; a range that is bounded twice, a range;
//! the order that is wanted; fewer columns. Nothing is counted, so a plan does not change as data does.
//!
//! (P1) The documents of a plan are a superset of those asked for; if it is `exact`, they are those.
//! (P2) If it is `sorted`, the entries come in the wanted order, ties included ([`super::sort`]).
//! (P3) Bounds on a multikey index are never put together: of `{"$gt": 1, "$lt": 5}` an array may have an element for each.

use super::filter::{Clause, Filter, Means, Test};
use super::index::Index;
use super::order::{self, Direction};
use super::path::Path;
use super::raw::Encoded;
use super::sort::Sort;
use crate::store::behind_prefix;
use std::cmp::Ordering;

/// How many parts of an index a plan reads at most: so many values may be asked for by `$in`.
const MOST_PARTS: usize = 1000;

/// How a query is answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plan {
    /// All documents are looked at, in the order they came in.
    Scan,
    /// Those are that these parts of an index lead to.
    Index(IndexPlan),
}

/// Which parts of an index.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IndexPlan {
    /// Its place in the list of indexes.
    pub(super) at: usize,
    /// Disjoint, ascending. Of the keys behind the index's own prefix: from the first on, and before the second, if there is one.
    pub(super) parts: Vec<Part>,
    /// From the last to the first.
    pub(super) backwards: bool,
    /// (P2)
    pub(super) sorted: bool,
    /// Whether the rows of the entries ascend, backwards or not.
    pub(super) in_row_order: bool,
    /// (P1)
    pub(super) exact: bool,
    /// By how many columns they are bounded.
    pub(super) columns: usize,
    /// Whether the only part is the key of the only entry there can be: all of a unique index, and none of it null.
    pub(super) is_key: bool,
}

/// A part of an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub(super) from: Vec<u8>,
    pub(super) to: Option<Vec<u8>>,
}

/// A place between keys: before or behind all that begin with some bytes.
#[derive(Debug, Clone)]
enum Edge {
    Before(Vec<u8>),
    Behind(Vec<u8>),
}

impl Edge {
    /// The first key behind it, if there can be one.
    fn key(&self, prefix: &[u8]) -> Option<Vec<u8>> {
        match self {
            Edge::Before(bytes) => Some([prefix, bytes].concat()),
            Edge::Behind(bytes) => behind_prefix(&[prefix, bytes].concat()),
        }
    }

    /// The same place when all bytes are inverted.
    fn inverted(self) -> Edge {
        let invert = |bytes: Vec<u8>| bytes.into_iter().map(|byte| !byte).collect();
        match self {
            Edge::Before(bytes) => Edge::Behind(invert(bytes)),
            Edge::Behind(bytes) => Edge::Before(invert(bytes)),
        }
    }
}

/// What the conditions say of one column.
enum Bounds {
    /// One of these values, as bytes in the direction of the column.
    Values(Vec<Vec<u8>>),
    /// Between these.
    Range {
        from: Edge,
        to: Edge,
        twice: bool,
    },
    Nothing,
}

/// Decides.
pub(super) fn plan(filter: &Filter, sort: &Sort, indexes: &[Index]) -> Plan {
    let clauses = filter.conjunction();
    let usable = indexes.iter().enumerate().filter(|(_, index)| {
        index.ready
            && may_serve(index, &clauses, sort)
            && index.partial.as_ref().is_none_or(|partial| filter.implies(partial))
    });
    let candidates = usable.filter_map(|(at, index)| candidate(at, index, &clauses, sort));
    match candidates.max_by(|(one, _), (other, _)| one.cmp(other)) {
        Some((_, plan)) => Plan::Index(plan),
        None => Plan::Scan,
    }
}

/// Whether there is a condition on the first column of an index, or the order begins with it. Otherwise it is no candidate, and nothing
/// more is looked at.
fn may_serve(index: &Index, clauses: &[&Clause], sort: &Sort) -> bool {
    let Some(first) = index.columns.first() else { return false };
    let on_first = |clause: &&Clause| matches!(&clause.means, Means::Field(path, ..) if *path == first.path);
    sort.columns().first().is_some_and(|column| column.path == first.path) || clauses.iter().any(on_first)
}

/// What makes one plan better than another, the most important first.
type Merit = (bool, usize, u8, bool, std::cmp::Reverse<usize>, std::cmp::Reverse<usize>);

fn candidate(at: usize, index: &Index, clauses: &[&Clause], sort: &Sort) -> Option<(Merit, IndexPlan)> {
    let mut prefixes = vec![Vec::new()];
    let (mut fixed, mut columns, mut ranged) = (0, 0, 0);
    let mut range = None;
    let (mut all_single, mut any_null) = (true, false);
    let mut exact = Exactness::new(index, clauses);
    for place in 0..index.columns.len() {
        match exact.bounds(place) {
            Bounds::Values(values) if prefixes.len() * values.len() <= MOST_PARTS => {
                all_single &= values.len() == 1;
                any_null |= values.iter().any(|value| order::is_null(value));
                match &values[..] {
                    [value] => prefixes.iter_mut().for_each(|prefix| prefix.extend_from_slice(value)),
                    _ => prefixes = product(&prefixes, &values),
                }
                (fixed, columns) = (fixed + 1, columns + 1);
            }
            Bounds::Range { from, to, twice } => {
                range = Some((from, to));
                columns += 1;
                ranged = if twice { 2 } else { 1 };
                break;
            }
            _ => {
                exact.give_up(place);
                break;
            }
        }
    }
    let single = all_single && prefixes.len() == 1;
    let order = single.then(|| serves(index, fixed, sort)).flatten();
    let sorted = order.is_some() && !sort.is_empty();
    if columns == 0 && !sorted {
        return None;
    }
    let all_fixed = fixed == index.columns.len();
    let in_row_order = single && all_fixed;
    let backwards = if sorted { order == Some(Way::Backward) } else { in_row_order && index.descends() };
    let mut parts: Vec<Part> = prefixes.iter().filter_map(|prefix| part(prefix, range.as_ref())).collect();
    parts.sort_unstable();
    parts.dedup();
    let merit = (
        all_fixed && index.unique,
        fixed,
        ranged,
        sorted,
        std::cmp::Reverse(index.columns.len()),
        std::cmp::Reverse(at),
    );
    let exact = exact.is_exact(columns);
    let is_key = index.unique && in_row_order && !any_null && parts.len() == 1;
    Some((merit, IndexPlan { at, parts, backwards, sorted, in_row_order, exact, columns, is_key }))
}

fn product(prefixes: &[Vec<u8>], values: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let with =
        |prefix: &Vec<u8>| values.iter().map(|value| [&prefix[..], value].concat()).collect::<Vec<_>>();
    prefixes.iter().flat_map(with).collect()
}

fn part(prefix: &[u8], range: Option<&(Edge, Edge)>) -> Option<Part> {
    let all = (Edge::Before(Vec::new()), Edge::Behind(Vec::new()));
    let (from, to) = range.unwrap_or(&all);
    let part = Part { from: from.key(prefix)?, to: to.key(prefix) };
    part.to.as_ref().is_none_or(|to| part.from < *to).then_some(part)
}

/// Which way an index is read to have an order.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Forward,
    Backward,
}

/// Whether the entries come in the order of a sort, when the first `fixed` columns have one value each.
fn serves(index: &Index, fixed: usize, sort: &Sort) -> Option<Way> {
    if index.multikey {
        return None;
    }
    let (fixed, rest) = index.columns.split_at_checked(fixed)?;
    let is_fixed = |path: &Path| fixed.iter().any(|column| column.path == *path);
    let wanted: Vec<_> = sort.columns().iter().filter(|column| !is_fixed(&column.path)).collect();
    let same = wanted.len() == rest.len() && wanted.iter().zip(rest).all(|(w, c)| w.path == c.path);
    if !same {
        return None;
    }
    let backward =
        |wanted: Direction, has: Direction| if wanted == has { Way::Forward } else { Way::Backward };
    let mut ways = wanted.iter().zip(rest).map(|(wanted, has)| backward(wanted.direction, has.direction));
    // Ties go the way of the last column of the sort, and rows that of the last column of the index.
    let ties = backward(sort.ties(), index.columns.last()?.direction);
    ways.all(|way| way == ties).then_some(ties)
}

/// What the clauses say of the columns, and what of it the bounds do not say.
struct Exactness<'a> {
    index: &'a Index,
    clauses: &'a [&'a Clause],
    /// Whether each clause is said by the bounds.
    said: Vec<bool>,
}

impl<'a> Exactness<'a> {
    fn new(index: &'a Index, clauses: &'a [&'a Clause]) -> Exactness<'a> {
        let by_partial = |clause: &&Clause| {
            let partial = index.partial.as_ref();
            partial.is_some_and(|filter| filter.conjunction().into_iter().any(|wanted| clause.says(wanted)))
        };
        Exactness { index, clauses, said: clauses.iter().map(by_partial).collect() }
    }

    /// The clauses on a column do bound nothing.
    fn give_up(&mut self, place: usize) {
        let column = self.index.columns.get(place);
        for (clause, said) in self.clauses.iter().zip(&mut self.said) {
            if let (Means::Field(path, ..), Some(column)) = (&clause.means, column) {
                *said &= *path != column.path;
            }
        }
    }

    /// What is said of a column.
    fn bounds(&mut self, place: usize) -> Bounds {
        let Some(column) = self.index.columns.get(place) else { return Bounds::Nothing };
        let on_column = self.clauses.iter().enumerate().filter_map(|(at, clause)| match &clause.means {
            Means::Field(path, _, tests) if *path == column.path => Some((at, tests)),
            _ => None,
        });
        let on_column: Vec<(usize, &Vec<Test>)> = on_column.collect();
        let tests: Vec<&Test> = on_column.iter().flat_map(|(_, tests)| tests.iter()).collect();
        let values = tests.iter().filter_map(|test| values(test, column.direction));
        if let Some(values) = values.min_by_key(Vec::len) {
            // One test says all of it only if there is no other.
            if let [(at, tests)] = &on_column[..]
                && let [Test::Equal(_) | Test::In(_)] = &tests[..]
            {
                self.say(*at);
            }
            return Bounds::Values(values);
        }
        let mut ranges = tests.iter().filter_map(|test| range(test));
        let Some(first) = ranges.next() else { return Bounds::Nothing };
        // (P3)
        let (from, to) = if self.index.multikey { first } else { ranges.fold(first, tighter) };
        if tests.iter().all(|test| matches!(test, Test::Compare(..))) {
            on_column.iter().filter(|(_, tests)| !tests.is_empty()).for_each(|(at, _)| self.say(*at));
        }
        let twice = !is_half(&tests) && !self.index.multikey;
        match column.direction {
            Direction::Ascending => Bounds::Range { from, to, twice },
            Direction::Descending => Bounds::Range { from: to.inverted(), to: from.inverted(), twice },
        }
    }

    fn say(&mut self, at: usize) {
        if let Some(said) = self.said.get_mut(at) {
            *said = true;
        }
    }

    /// Whether the first columns of the index say everything.
    fn is_exact(&self, columns: usize) -> bool {
        let used = self.index.columns.get(..columns).unwrap_or_default();
        let distinct = |(at, column): (usize, &super::index::Column)| {
            used.iter().skip(at + 1).all(|other| other.path != column.path)
        };
        !self.index.multikey && self.said.iter().all(|said| *said) && used.iter().enumerate().all(distinct)
    }
}

/// Whether only one end is given.
fn is_half(tests: &[&Test]) -> bool {
    let has = |wanted: Ordering| {
        tests.iter().any(|test| matches!(test, Test::Compare(_, is) if is.contains(&wanted)))
    };
    let pattern = tests.iter().any(|test| matches!(test, Test::Pattern(_)));
    let both = has(Ordering::Less) && has(Ordering::Greater);
    !(pattern || both)
}

/// The values one of which a test asks for, sorted.
fn values(test: &Test, direction: Direction) -> Option<Vec<Vec<u8>>> {
    let list = match test {
        Test::Equal(value) => std::slice::from_ref(value),
        Test::In(list) if list.len() <= MOST_PARTS => list,
        // Each of them has to be there.
        Test::All(list) => list.get(..1)?,
        _ => return None,
    };
    let encoded = |value: &Encoded| {
        let mut bytes = Vec::with_capacity(value.bytes().len() + 16);
        order::encode(value.raw(), direction, &mut bytes);
        bytes
    };
    let mut values: Vec<_> = list.iter().map(encoded).collect();
    values.sort_unstable();
    values.dedup();
    Some(values)
}

/// The ends of what a test asks for, as ascending bytes.
fn range(test: &Test) -> Option<(Edge, Edge)> {
    match test {
        Test::Compare(value, is) => {
            let (first, behind) = order::bounds_of(value.raw().kind());
            let mut bytes = Vec::new();
            order::encode(value.raw(), Direction::Ascending, &mut bytes);
            let equal = is.contains(&Ordering::Equal);
            Some(match (is.contains(&Ordering::Greater), equal) {
                (true, true) => (Edge::Before(bytes), Edge::Before(vec![behind])),
                (true, false) => (Edge::Behind(bytes), Edge::Before(vec![behind])),
                (false, true) => (Edge::Before(vec![first]), Edge::Behind(bytes)),
                (false, false) => (Edge::Before(vec![first]), Edge::Before(bytes)),
            })
        }
        Test::Pattern(pattern) if !pattern.prefix().is_empty() => {
            let mut bytes = Vec::new();
            order::encode_prefix(pattern.prefix(), &mut bytes);
            Some((Edge::Before(bytes.clone()), Edge::Behind(bytes)))
        }
        _ => None,
    }
}

/// What two ranges have in common.
fn tighter((from, to): (Edge, Edge), (other_from, other_to): (Edge, Edge)) -> (Edge, Edge) {
    let key = |edge: &Edge| edge.key(&[]);
    // No key lies behind an edge that has none.
    let from = if key(&other_from) > key(&from) { other_from } else { from };
    let to = if key(&other_to) < key(&to) { other_to } else { to };
    (from, to)
}
