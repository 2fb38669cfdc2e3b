//! What a query and a change mean, told once more: on values as trees, without plans, without bytes. Numbers here are small enough to be
//! binary fractions.

use super::data;
use siltstone::document::Query;
use siltstone::document::value::{Kind, Value};
use std::cmp::Ordering;

/// The documents of a list that a query asks for, in its order.
pub fn find(list: &[Value], query: &Query) -> Vec<Value> {
    let mut found: Vec<(usize, &Value)> =
        list.iter().enumerate().filter(|(_, document)| matches(document, &query.filter)).collect();
    if let Value::Object(paths) = &query.sort {
        found.sort_by(|(row, one), (other_row, other)| {
            let by_path = |(path, way): &(String, Value)| {
                let (one, other) = (at(one, path), at(other, path));
                let ordering = match (one.first(), other.first()) {
                    (None, None) => Ordering::Equal,
                    (None, Some(_)) => Ordering::Less,
                    (Some(_), None) => Ordering::Greater,
                    (Some(one), Some(other)) => compare(one, other),
                };
                if is_descending(way) { ordering.reverse() } else { ordering }
            };
            let ties = row.cmp(other_row);
            let ties =
                if paths.last().is_some_and(|(_, way)| is_descending(way)) { ties.reverse() } else { ties };
            paths.iter().map(by_path).find(|ordering| ordering.is_ne()).unwrap_or(ties)
        });
    }
    let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
    found.into_iter().skip(query.skip as usize).take(limit).map(|(_, document)| document.clone()).collect()
}

fn is_descending(way: &Value) -> bool {
    way.to_string() == "-1"
}

/// The values at a path.
fn at<'v>(document: &'v Value, path: &str) -> Vec<&'v Value> {
    fn walk<'v>(value: &'v Value, names: &[&str], found: &mut Vec<&'v Value>) {
        let [name, rest @ ..] = names else { return found.push(value) };
        match value {
            Value::Object(_) => {
                if let Some(inner) = value.get(name) {
                    walk(inner, rest, found);
                }
            }
            Value::Array(list) => {
                if let Some(element) = name.parse::<usize>().ok().and_then(|at| list.get(at)) {
                    walk(element, rest, found);
                }
                for element in list.iter().filter(|element| element.kind() == Kind::Object) {
                    walk(element, names, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(document, &path.split('.').collect::<Vec<_>>(), &mut found);
    found
}

/// What is shown of a document.
pub fn show(document: &Value, projection: &Value) -> Value {
    fn walk(value: &Value, paths: &[Vec<&str>], hide: bool) -> Option<Value> {
        let Value::Object(members) = value else { return hide.then(|| value.clone()) };
        let shown = members.iter().filter_map(|(name, value)| {
            let below: Vec<Vec<&str>> =
                paths.iter().filter(|path| path[0] == name).map(|path| path[1..].to_vec()).collect();
            let value = match (&below[..], value) {
                ([], _) => hide.then(|| value.clone()),
                ([path], _) if path.is_empty() => (!hide).then(|| value.clone()),
                (_, Value::Array(list)) => Some(Value::Array(
                    list.iter().filter_map(|element| walk(element, &below, hide)).collect(),
                )),
                _ => walk(value, &below, hide),
            };
            Some((name.clone(), value?))
        });
        Some(Value::Object(shown.collect()))
    }
    let marks: Vec<(&str, bool)> = match projection {
        Value::Object(marks) => marks.iter().map(|(path, mark)| (&**path, mark.to_string() == "0")).collect(),
        Value::Array(paths) => paths
            .iter()
            .map(|path| match path {
                Value::String(path) => (&**path, false),
                other => panic!("{other}"),
            })
            .collect(),
        other => panic!("{other}"),
    };
    let paths: Vec<Vec<&str>> = marks.iter().map(|(path, _)| path.split('.').collect()).collect();
    walk(document, &paths, marks[0].1).unwrap()
}

/// The different values at a path in the documents that a query asks for, as the first of them has each.
pub fn distinct(list: &[Value], path: &str, query: &Query) -> Vec<Value> {
    let documents = find(list, query);
    let mut found: Vec<&Value> = Vec::new();
    for value in documents.iter().flat_map(|document| at(document, path)) {
        match value {
            Value::Array(list) => found.extend(list),
            one => found.push(one),
        }
    }
    found.sort_by(|one, other| compare(one, other));
    found.dedup_by(|one, other| compare(one, other).is_eq());
    found.into_iter().cloned().collect()
}

fn number(value: &Value) -> f64 {
    value.to_string().parse().unwrap()
}

fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Number(_), Value::Number(_)) => number(one).total_cmp(&number(other)),
        (Value::String(one), Value::String(other)) => match (data::moment(one), data::moment(other)) {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => one.cmp(other),
        },
        (Value::Array(one), Value::Array(other)) => {
            let first = one.iter().zip(other).map(|(one, other)| compare(one, other)).find(|o| o.is_ne());
            first.unwrap_or(one.len().cmp(&other.len()))
        }
        (Value::Object(one), Value::Object(other)) => {
            let sorted = |members: &Vec<(String, Value)>| {
                let mut members = members.clone();
                members.sort_by(|one, other| one.0.cmp(&other.0));
                members
            };
            let (one, other) = (sorted(one), sorted(other));
            let pair = |(one, other): (&(String, Value), &(String, Value))| {
                one.0.cmp(&other.0).then_with(|| compare(&one.1, &other.1))
            };
            one.iter().zip(&other).map(pair).find(|o| o.is_ne()).unwrap_or(one.len().cmp(&other.len()))
        }
        _ => one.kind().cmp(&other.kind()),
    }
}

/// Members take the places of those of a document.
pub fn merge(document: &mut Value, change: &Value) {
    let (Value::Object(members), Value::Object(change)) = (document, change) else { panic!("{change}") };
    for (name, value) in change {
        match members.iter_mut().find(|(other, _)| other == name) {
            Some(member) => member.1 = value.clone(),
            None => members.push((name.clone(), value.clone())),
        }
    }
}

fn elements(value: &Value) -> &[Value] {
    if let Value::Array(list) = value { list } else { &[] }
}

/// Whether a document is asked for.
pub fn matches(document: &Value, filter: &Value) -> bool {
    let Value::Object(members) = filter else { return true };
    members.iter().all(|(name, value)| match &**name {
        "$and" => elements(value).iter().all(|filter| matches(document, filter)),
        "$or" => elements(value).iter().any(|filter| matches(document, filter)),
        "$nor" => !elements(value).iter().any(|filter| matches(document, filter)),
        path => holds(&at(document, path), value),
    })
}

/// Whether what was found meets a condition.
fn holds(found: &[&Value], condition: &Value) -> bool {
    let Value::Object(operators) = condition else {
        return !found.is_empty() && test(found, "$eq", condition);
    };
    if found.is_empty() {
        let none = |(name, value): &(String, Value)| name == "$exists" && *value == Value::Bool(false);
        return !operators.is_empty() && operators.iter().all(none);
    }
    operators.iter().all(|(name, operand)| test(found, name, operand))
}

fn test(found: &[&Value], name: &str, operand: &Value) -> bool {
    let parts: Vec<&Value> =
        found.iter().flat_map(|value| std::iter::once(*value).chain(elements(value))).collect();
    let any = |is: &dyn Fn(&Value) -> bool| parts.iter().any(|part| is(part));
    let compared =
        |is: fn(Ordering) -> bool| any(&|part| part.kind() == operand.kind() && is(compare(part, operand)));
    let is_in = || any(&|part| elements(operand).iter().any(|value| compare(part, value).is_eq()));
    match name {
        "$eq" => any(&|part| compare(part, operand).is_eq()),
        "$ne" => !test(found, "$eq", operand),
        "$gt" => compared(Ordering::is_gt),
        "$gte" => compared(Ordering::is_ge),
        "$lt" => compared(Ordering::is_lt),
        "$lte" => compared(Ordering::is_le),
        "$in" => is_in(),
        "$nin" => !is_in(),
        "$exists" => *operand == Value::Bool(true),
        "$all" => elements(operand).iter().all(|value| any(&|part| compare(part, value).is_eq())),
        "$size" => found
            .iter()
            .any(|value| value.kind() == Kind::Array && elements(value).len() as f64 == number(operand)),
        "$type" => any(&|part| Value::from(format!("{:?}", part.kind()).to_lowercase()) == *operand),
        "$not" => !holds(found, operand),
        "$mod" => any(&|part| part.kind() == Kind::Number && number(part) % 2.0 == 1.0),
        "$regex" => any(&|part| matches!(part, Value::String(text) if pattern(operand, text))),
        "$elemMatch" => found.iter().flat_map(|value| elements(value)).any(|element| match operand {
            Value::Object(members) if members[0].0.starts_with('$') => holds(&[element], operand),
            _ => element.kind() == Kind::Object && matches(element, operand),
        }),
        other => panic!("{other}"),
    }
}

/// The few patterns that are asked for.
fn pattern(pattern: &Value, text: &str) -> bool {
    let Value::String(pattern) = pattern else { panic!("{pattern}") };
    match &**pattern {
        "^a" => text.starts_with('a'),
        "^ab" => text.starts_with("ab"),
        "b$" => text.ends_with('b'),
        "^b.?$" => text.starts_with('b') && text.chars().count() <= 2,
        "^[ab]" => text.starts_with(['a', 'b']),
        other => panic!("{other}"),
    }
}
