//! Indexes come and go beside the writers.

use super::{all, data, judge};
use crate::support::Random;
use siltstone::document::value::Value;
use siltstone::document::{Error, Table};

/// More would only make every write slow.
const MOST: usize = 9;

/// A unique index of one member, which has its name.
pub fn unique(member: &str) -> Value {
    let columns = Value::object([(member, Value::from(1_u64))]);
    Value::object([("columns", columns), ("unique", Value::Bool(true)), ("name", Value::from(member))])
}

/// The same of documents that have another member.
fn partly_unique(member: &str) -> Value {
    let Value::Object(mut members) = unique(member) else { panic!() };
    members.retain(|(name, _)| name != "name");
    members.push(("name".into(), Value::from("part")));
    members.push(("partial".into(), Value::object([("a", Value::object([("$exists", Value::Bool(true))]))])));
    Value::Object(members)
}

/// An index of `at`, alone or beside another member.
fn by_date(random: &mut Random) -> Value {
    let way = |random: &mut Random| Value::from(if random.one_in(2) { -1_i64 } else { 1 });
    let mut columns = vec![("at".to_owned(), way(random))];
    if random.one_in(2) {
        columns.insert(random.below(2), ((*random.pick(&["a", "owner", "n.x"])).to_owned(), way(random)));
    }
    Value::object([("columns", Value::Object(columns))])
}

pub fn build(table: &Table, mut random: Random, steps: usize, is_over: impl Fn() -> bool) {
    for _ in 0..steps {
        if is_over() {
            return;
        }
        let names: Vec<String> =
            table.indexes().unwrap().into_iter().map(|(definition, _)| definition.name).collect();
        match random.below(6) {
            0 | 1 if names.len() < MOST => {
                let index = if random.one_in(5) { by_date(&mut random) } else { data::index(&mut random) };
                table.create_index(index, |_| {}).unwrap();
            }
            2 | 3 => {
                let wanted = if random.one_in(2) { unique("v") } else { partly_unique("v") };
                // Two documents may have the value, and then there is no index.
                match table.create_index(wanted, |_| {}) {
                    Ok(_) => {}
                    Err(Error::NotUnique { field, .. }) => assert_eq!(field, "v"),
                    Err(other) => panic!("{other}"),
                }
            }
            4 => {
                table.verify().unwrap();
                judge::unique(table, &all(table));
            }
            _ => {
                let name = random.pick(&names);
                if name != "pk" && name != "u" {
                    table.drop_index(name).unwrap();
                }
            }
        }
    }
}

/// Builds what was being built when it ended.
pub fn resume(table: &Table) {
    while let Err(refused) = table.resume_indexes() {
        // What could not be built is gone now, and others may be left.
        assert!(matches!(&refused, Error::NotUnique { field, .. } if field == "v"), "{refused}");
    }
}
