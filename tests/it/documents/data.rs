//! Documents, indexes, queries and changes out of a seed. Values are few and of all kinds, so that they meet.

use crate::support::Random;
use siltstone::document::Query;
use siltstone::document::value::Value;

/// The paths that are asked for.
const PATHS: [&str; 9] = ["a", "b", "c", "n.x", "n.y", "l.k", "l", "a.0", "n"];

/// Dates, and at which moment each is. No other text is one.
const DATES: [(&str, u64); 6] = [
    ("2024-01-01T11:00:00+02:00", 9),
    ("2024-01-01T09:00:00+00:00", 9),
    ("2024-01-01T10:00:00+00:00", 10),
    ("2024-01-01T08:00:00-02:00", 10),
    ("2024-01-01T12:00:00+00:00", 12),
    ("2024-01-01T08:00:00-05:00", 13),
];

fn parse(text: &str) -> Value {
    Value::parse(text).unwrap()
}

/// A value without others in it.
pub fn scalar(random: &mut Random) -> Value {
    const SCALARS: [&str; 20] = [
        "null",
        "true",
        "false",
        "0",
        "1",
        "1.0",
        "2",
        "2",
        "3",
        "-1",
        "2.5",
        "10e-1",
        "\"\"",
        "\"a\"",
        "\"ab\"",
        "\"abc\"",
        "\"b\"",
        "\"b\\u0000\"",
        "\"é\"",
        "4",
    ];
    parse(SCALARS[random.below(SCALARS.len())])
}

/// A text of a column of dates.
pub fn date(random: &mut Random) -> Value {
    Value::from(random.pick(&DATES).0)
}

/// The moment that a text of such a column stands for.
pub fn moment(text: &str) -> Option<u64> {
    DATES.iter().find(|(date, _)| *date == text).map(|(_, moment)| *moment)
}

fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 8 } else { 11 }) {
        0..8 => scalar(random),
        8 | 9 => Value::Array((0..random.below(4)).map(|_| value(random, depth - 1)).collect()),
        _ => Value::object([("x", value(random, depth - 1))]),
    }
}

/// A document with some of the members.
pub fn document(random: &mut Random, pk: u64) -> Value {
    let mut members = Vec::new();
    let arrays = !random.one_in(2);
    for name in ["a", "b", "c"] {
        if !random.one_in(4) {
            members.push((name.to_owned(), value(random, if arrays { 1 } else { 0 })));
        }
    }
    if random.one_in(2) {
        members.push(("n".into(), Value::object([("x", scalar(random)), ("y", value(random, 1))])));
    }
    if random.one_in(3) {
        let element = |random: &mut Random| match random.below(4) {
            0 => scalar(random),
            _ => Value::object([("k", scalar(random)), ("m", scalar(random))]),
        };
        members.push(("l".into(), Value::Array((0..random.below(4)).map(|_| element(random)).collect())));
    }
    members.push(("pk".into(), Value::from(format!("d{pk}"))));
    Value::Object(members)
}

/// The same with numbers in the place of arrays: no index over such documents has more than one entry of any.
pub fn flat(value: Value) -> Value {
    match value {
        Value::Array(list) => Value::from(list.len() as u64),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, flat(value))).collect())
        }
        other => other,
    }
}

/// An index of one to three columns, now and then a partial one.
pub fn index(random: &mut Random) -> Value {
    let mut columns: Vec<Value> = Vec::new();
    for _ in 0..1 + random.below(3) {
        let path = Value::from(*random.pick(&PATHS[..7]));
        let mut pair =
            |path| Value::Array(vec![path, Value::from(if random.one_in(3) { -1_i64 } else { 1 })]);
        if columns.iter().all(|pair| !matches!(pair, Value::Array(pair) if pair[0] == path)) {
            columns.push(pair(path));
        }
    }
    let partial = if random.one_in(5) { filter(random, 0) } else { Value::Null };
    let name = Value::from(format!("{:x}", random.next()));
    Value::object([("columns", Value::Array(columns)), ("partial", partial), ("name", name)])
}

fn list(random: &mut Random) -> Value {
    Value::Array((0..random.below(4)).map(|_| value(random, 1)).collect())
}

fn operator(random: &mut Random, depth: usize) -> (String, Value) {
    let (name, value) = match random.below(21) {
        0 => ("$eq", value(random, 1)),
        1 => ("$ne", value(random, 1)),
        2..=4 => ("$gt", value(random, 1)),
        5 | 6 => ("$gte", value(random, 1)),
        7..=9 => ("$lt", value(random, 1)),
        10 | 11 => ("$lte", value(random, 1)),
        12 | 13 => ("$in", list(random)),
        14 => ("$nin", list(random)),
        15 => ("$exists", Value::Bool(!random.one_in(3))),
        16 => ("$type", Value::from(*random.pick(&["number", "string", "array", "object", "null", "bool"]))),
        17 => ("$size", Value::from(random.below(3) as u64)),
        18 => ("$all", list(random)),
        19 => ("$regex", Value::from(*random.pick(&["^a", "^ab", "b$", "^b.?$", "^[ab]"]))),
        _ if depth > 0 => ("$not", Value::Object(vec![operator(random, depth - 1)])),
        _ => ("$mod", parse("[2,1]")),
    };
    (name.to_owned(), value)
}

fn condition(random: &mut Random) -> Value {
    match random.below(8) {
        0..=3 => match value(random, 1) {
            value @ Value::Object(_) => Value::object([("$eq", value)]),
            value => value,
        },
        7 => {
            let inner = if random.one_in(2) {
                Value::Object(vec![operator(random, 0)])
            } else {
                Value::object([("k", scalar(random))])
            };
            Value::object([("$elemMatch", inner)])
        }
        _ => {
            let mut members: Vec<(String, Value)> = Vec::new();
            for _ in 0..1 + random.below(2) {
                let (name, value) = operator(random, 1);
                if members.iter().all(|(other, _)| *other != name) {
                    members.push((name, value));
                }
            }
            Value::Object(members)
        }
    }
}

/// What is asked of documents.
pub fn filter(random: &mut Random, depth: usize) -> Value {
    let mut members: Vec<(String, Value)> = Vec::new();
    for _ in 0..1 + random.below(2) {
        let (name, value) = match random.below(if depth == 0 { 7 } else { 10 }) {
            0..7 => ((*random.pick(&PATHS)).to_owned(), condition(random)),
            n => {
                let list = (0..1 + random.below(2)).map(|_| filter(random, depth - 1)).collect();
                (["$and", "$or", "$nor"][n - 7].to_owned(), Value::Array(list))
            }
        };
        if members.iter().all(|(other, _)| *other != name) {
            members.push((name, value));
        }
    }
    Value::Object(members)
}

/// A query, with an order and limits now and then.
pub fn query(random: &mut Random) -> Query {
    let filter = if random.one_in(12) { Value::Object(Vec::new()) } else { filter(random, 1) };
    let mut query = Query::new(filter);
    if random.one_in(2) {
        let mut pairs: Vec<(String, Value)> = Vec::new();
        for _ in 0..1 + random.below(2) {
            let path = (*random.pick(&PATHS)).to_owned();
            if pairs.iter().all(|(other, _)| *other != path) {
                pairs.push((path, Value::from(if random.one_in(2) { -1_i64 } else { 1 })));
            }
        }
        query = query.sort(Value::Object(pairs));
    }
    if random.one_in(3) {
        query = query.skip(random.below(6) as u64);
    }
    if random.one_in(3) {
        query = query.limit(random.below(8) as u64);
    }
    query
}

/// A path that may be asked for.
pub fn path(random: &mut Random) -> &'static str {
    let path: &&str = random.pick(&PATHS);
    path
}

/// What is shown: mostly one member, now and then several, or all but some.
pub fn shown(random: &mut Random) -> Value {
    let mut paths: Vec<&str> = Vec::new();
    for _ in 0..if random.one_in(3) { 2 } else { 1 } {
        let path = if random.one_in(8) { "pk" } else { path(random) };
        let meets = |other: &&str| other.split('.').next() == path.split('.').next();
        if !paths.iter().any(meets) {
            paths.push(path);
        }
    }
    let mark = Value::from(if random.one_in(6) { 0_i64 } else { 1 });
    Value::Object(paths.into_iter().map(|path| (path.to_owned(), mark.clone())).collect())
}

/// A query that an index may answer alone: of one member, by which it asks, sorts and shows.
pub fn narrow(random: &mut Random) -> Query {
    let path = *random.pick(&["a", "b", "c"]);
    let by = |condition: Value| Value::object([(path, condition)]);
    let query = match random.below(6) {
        0 => Query::all(),
        1 => Query::new(by(scalar(random))),
        n => {
            let operators = ["$gt", "$gte", "$lt", "$lte"];
            Query::new(by(Value::object([(operators[n - 2], scalar(random))])))
        }
    };
    let query = query.project(Value::Array(vec![Value::from(path)]));
    let ways = [Value::from(1_i64), Value::from(-1_i64)];
    if random.one_in(2) { query.sort(by(random.pick(&ways).clone())) } else { query }
}

/// Members that replace those of documents.
pub fn change(random: &mut Random) -> Value {
    let name = *random.pick(&["a", "b", "c"]);
    Value::object([(name, value(random, 1))])
}
