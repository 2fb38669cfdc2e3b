//! What a writer does: to a table, and, told once more, to the list of its documents.

use super::super::{data, naive};
use crate::support::Random;
use siltstone::document::value::Value;
use siltstone::document::{Query, Result, Table};

/// The columns of a table with a schema. Its rows have them in this order.
const COLUMNS: [&str; 10] = ["owner", "at", "c", "b", "a", "n", "l", "u", "v", "pk"];

/// So many values are wanted by all.
const VALUES: usize = 60;

/// Something that is done to the documents of one owner.
#[derive(Debug)]
pub enum Change {
    Insert(Vec<Value>),
    /// With members that are merged, or with `$unset` of some.
    Update(Query, Value),
    /// The document of this owner and `pk`.
    Upsert(Value, Value),
    Replace(Query, Value),
    Delete(Query),
}

/// Whose changes come out of a seed, and of what its documents are.
pub struct Hand {
    pub owner: u64,
    random: Random,
    /// For names of documents.
    next: u64,
    shape: Shape,
}

/// Whether a table has a schema.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    Free,
    Columns,
}

/// A value that somebody else may have. `7` and `7.0` are one, and so are those in arrays.
pub fn wanted(random: &mut Random) -> Value {
    let n = random.below(VALUES);
    let text = match (n % 3, random.below(8)) {
        (0, _) => format!("\"t{n}\""),
        (_, 0) => format!("[{n},{}]", random.below(VALUES)),
        (_, 1 | 2) => format!("{n}.0"),
        _ => n.to_string(),
    };
    Value::parse(&text).unwrap()
}

/// A document with one more member.
pub fn member(document: Value, name: &str, value: Value) -> Value {
    let Value::Object(mut members) = document else { panic!("{document}") };
    members.push((name.to_owned(), value));
    Value::Object(members)
}

impl Shape {
    /// Any value in any column, but dates in `at`.
    pub fn schema(self) -> Option<Value> {
        let any = || Value::object([("type", Value::from("any")), ("allow_none", Value::Bool(true))]);
        let column =
            |name: &str| (name.to_owned(), if name == "at" { Value::from("datetime") } else { any() });
        let columns = COLUMNS.iter().filter(|name| **name != "pk").map(|name| column(name));
        (self == Shape::Columns).then(|| Value::Object(columns.collect()))
    }

    /// A document as it is stored.
    pub fn stored(self, mut document: Value) -> Value {
        if let (Shape::Columns, Value::Object(members)) = (self, &mut document) {
            members.sort_by_key(|(name, _)| COLUMNS.iter().position(|column| column == name).unwrap());
        }
        document
    }
}

impl Hand {
    /// The names of its documents come behind the one with this number.
    pub fn new(owner: u64, seed: u64, next: u64, shape: Shape) -> Hand {
        Hand { owner, random: Random::new(seed), next, shape }
    }

    /// A change for an owner of these documents.
    pub fn draw(&mut self, list: &[Value]) -> Change {
        let many = list.len() > 10;
        match self.random.below(12) {
            0..5 if !many => Change::Insert((0..1 + self.random.below(3)).map(|_| self.document()).collect()),
            0 | 5 | 6 => {
                let change = match self.random.below(4) {
                    0 => Value::object([("at", data::date(&mut self.random))]),
                    _ => data::change(&mut self.random),
                };
                Change::Update(self.some(), change)
            }
            1 | 7 => {
                let name = if self.random.one_in(5) { "v" } else { "u" };
                let change = Value::object([(name, wanted(&mut self.random))]);
                Change::Update(self.some().limit(1), change)
            }
            8 => {
                let unset = Value::object([("u", Value::Null), ("v", Value::Null)]);
                Change::Update(self.some(), Value::object([("$unset", unset)]))
            }
            9 => {
                let there = list.get(self.random.below(list.len() + 2));
                let there = there.and_then(|document| document.get("pk")).cloned();
                let name = there.unwrap_or_else(|| pk(self.name()));
                let which = Value::object([("owner", Value::from(self.owner)), ("pk", name)]);
                Change::Upsert(which, Value::object([("u", wanted(&mut self.random))]))
            }
            10 => {
                let Value::Object(mut members) = self.document() else { panic!() };
                members.retain(|(name, _)| name != "pk");
                Change::Replace(self.some(), Value::Object(members))
            }
            _ if many => Change::Delete(self.some()),
            _ => Change::Delete(self.some().limit(1 + self.random.below(2) as u64)),
        }
    }

    fn name(&mut self) -> u64 {
        self.next += 1;
        (self.owner + 1) * 1_000_000 + self.next
    }

    fn document(&mut self) -> Value {
        let name = self.name();
        let mut document = document(&mut self.random, name, self.owner);
        if self.random.one_in(2) {
            document = member(document, "u", wanted(&mut self.random));
        }
        if self.random.one_in(6) {
            document = member(document, "v", wanted(&mut self.random));
        }
        document
    }

    /// Some of its documents.
    fn some(&mut self) -> Query {
        let own = Value::object([("owner", Value::from(self.owner))]);
        Query::new(match self.random.below(5) {
            0 => own,
            1 if self.shape == Shape::Columns => {
                let before = Value::object([("$lt", data::date(&mut self.random))]);
                Value::object([("owner", Value::from(self.owner)), ("at", before)])
            }
            _ => Value::object([("$and", Value::Array(vec![own, data::filter(&mut self.random, 0)]))]),
        })
    }
}

/// A new document of an owner.
pub fn document(random: &mut Random, name: u64, owner: u64) -> Value {
    let Value::Object(mut members) = data::document(random, name) else { panic!() };
    members.retain(|(name, _)| name != "pk");
    members.push(("owner".into(), Value::from(owner)));
    if !random.one_in(4) {
        members.push(("at".into(), data::date(random)));
    }
    members.push(("pk".into(), pk(name)));
    Value::Object(members)
}

/// A UUID.
fn pk(name: u64) -> Value {
    Value::from(format!("00000000-0000-4000-8000-{name:012x}"))
}

impl Change {
    /// The list afterwards, as a table of this shape stores it, and how many documents it concerns.
    pub fn on_list(&self, list: &[Value], shape: Shape) -> (Vec<Value>, u64) {
        let mut after = list.to_vec();
        let count = match self {
            Change::Insert(new) => {
                after.extend(new.iter().cloned());
                new.len() as u64
            }
            Change::Update(query, change) => each(&mut after, query, |document| update(document, change)),
            Change::Upsert(which, change) => {
                match each(&mut after, &Query::new(which.clone()), |document| update(document, change)) {
                    0 => {
                        let mut new = which.clone();
                        update(&mut new, change);
                        after.push(new);
                        1
                    }
                    count => count,
                }
            }
            Change::Replace(query, new) => each(&mut after, &query.clone().limit(1), |document| {
                *document = member(new.clone(), "pk", document.get("pk").unwrap().clone());
            }),
            Change::Delete(query) => {
                let gone = naive::find(list, query);
                after.retain(|document| !gone.contains(document));
                gone.len() as u64
            }
        };
        (after.into_iter().map(|document| shape.stored(document)).collect(), count)
    }

    /// Waits until it is durable; how many documents it concerned.
    pub fn on_table(&self, table: &Table) -> Result<u64> {
        Ok(match self {
            Change::Insert(new) => table.insert_many(new.clone())?.len() as u64,
            Change::Update(query, change) => table.update(query.clone(), change.clone())?.matched,
            Change::Upsert(which, change) => {
                let updated = table.upsert(which.clone(), change.clone())?;
                updated.matched + u64::from(updated.inserted)
            }
            Change::Replace(query, new) => u64::from(table.replace(query.clone(), new.clone())?),
            Change::Delete(query) => table.delete(query.clone())?,
        })
    }
}

fn each(list: &mut [Value], query: &Query, mut change: impl FnMut(&mut Value)) -> u64 {
    let asked = naive::find(list, query);
    list.iter_mut().filter(|document| asked.contains(document)).for_each(&mut change);
    asked.len() as u64
}

fn update(document: &mut Value, change: &Value) {
    match (change.get("$unset"), document) {
        (Some(Value::Object(names)), Value::Object(members)) => {
            members.retain(|(name, _)| names.iter().all(|(unset, _)| unset != name));
        }
        (_, document) => naive::merge(document, change),
    }
}
