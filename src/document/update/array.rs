//! Changes of arrays: `$push`, `$pull`, `$addToSet`.

use super::super::collation::Collation;
use super::super::filter::Refused;
use super::super::path::Path;
use super::super::value::Value;
use super::judge::{self, Wanted};
use super::{integer, refuse};
use std::collections::HashSet;

/// `$push`: values put into an array, which may be cut then.
#[derive(Debug, Clone)]
pub(super) struct Push {
    each: Vec<Value>,
    position: Option<i128>,
    slice: Option<i128>,
}

impl Push {
    pub(super) fn parse(operand: &Value, at: &str) -> Result<Push, Refused> {
        let modifiers = Modifiers::parse(operand, &["$each", "$position", "$slice"], at)?;
        let number = |name: &str| match modifiers.get(name).map(|value| (value, integer(value))) {
            None => Ok(None),
            Some((_, Some(number))) => Ok(Some(number)),
            Some((_, None)) => refuse(format!("{at}.{name}"), "a whole number is expected"),
        };
        Ok(Push { each: modifiers.each.to_vec(), position: number("$position")?, slice: number("$slice")? })
    }

    pub(super) fn apply(&self, list: &mut Vec<Value>) {
        let at = self.position.map_or(list.len(), |position| offset(position, list.len()));
        list.splice(at..at, self.each.iter().cloned());
        match self.slice {
            Some(slice @ 0..) => list.truncate(offset(slice, list.len())),
            Some(slice) => drop(list.drain(..offset(slice, list.len()))),
            None => {}
        }
    }

    pub(super) fn depth(&self) -> usize {
        depth(self.each.iter())
    }
}

/// `$addToSet`: values put at the end of an array, unless an equal one is there.
#[derive(Debug, Clone)]
pub(super) struct AddToSet {
    /// With the key of each, which are all different.
    each: Vec<(Vec<u8>, Value)>,
    /// Of the elements.
    collation: Collation,
}

impl AddToSet {
    pub(super) fn parse(operand: &Value, at: &str, collation: Collation) -> Result<AddToSet, Refused> {
        let modifiers = Modifiers::parse(operand, &["$each"], at)?;
        let mut known = HashSet::new();
        let each = modifiers.each.iter().map(|value| (judge::key(value, &collation), value.clone()));
        let each = each.filter(|(key, _)| known.insert(key.clone())).collect();
        Ok(AddToSet { each, collation })
    }

    /// Costs as many steps as there are elements and values together.
    pub(super) fn apply(&self, list: &mut Vec<Value>) {
        let mut missing: HashSet<&[u8]> = self.each.iter().map(|(key, _)| &**key).collect();
        for element in &*list {
            if missing.is_empty() {
                return;
            }
            missing.remove(&*judge::key(element, &self.collation));
        }
        let new = self.each.iter().filter(|(key, _)| missing.contains(&**key));
        list.extend(new.map(|(_, value)| value.clone()));
    }

    pub(super) fn depth(&self) -> usize {
        depth(self.each.iter().map(|(_, value)| value))
    }
}

/// `$pull`: elements removed from an array.
#[derive(Debug, Clone)]
pub(super) enum Pull {
    /// As elements are compared.
    Equal(Value, Collation),
    Like(Wanted),
}

impl Pull {
    pub(super) fn parse(
        operand: &Value,
        at: &str,
        collation: &dyn Fn(Option<&Path>) -> Collation,
    ) -> Result<Pull, Refused> {
        match operand {
            Value::Object(_) => Wanted::parse(operand, at, collation).map(Pull::Like),
            _ => Ok(Pull::Equal(operand.clone(), collation(None))),
        }
    }

    pub(super) fn apply(&self, list: &mut Vec<Value>) {
        match self {
            Pull::Equal(value, collation) => {
                list.retain(|element| judge::compare(element, value, collation).is_ne());
            }
            Pull::Like(wanted) => list.retain(|element| !wanted.has(element)),
        }
    }
}

/// What `$push` and `$addToSet` take: one value, or an object of names with `$`, of which `$each` has the values.
struct Modifiers<'v> {
    each: &'v [Value],
    others: &'v [(String, Value)],
}

impl<'v> Modifiers<'v> {
    fn parse(operand: &'v Value, known: &[&str], at: &str) -> Result<Modifiers<'v>, Refused> {
        let members = match operand {
            Value::Object(members) if members.iter().any(|(name, _)| name.starts_with('$')) => members,
            value => return Ok(Modifiers { each: std::slice::from_ref(value), others: &[] }),
        };
        if let Some((name, _)) = members.iter().find(|(name, _)| !known.contains(&&**name)) {
            let why = format!("there is no such modifier here; there is {}", known.join(", "));
            return refuse(format!("{at}.{name}"), why);
        }
        match operand.get("$each") {
            Some(Value::Array(each)) => Ok(Modifiers { each, others: members }),
            Some(_) => refuse(format!("{at}.$each"), "an array of values is expected"),
            None => refuse(at, "modifiers need `$each`, an array of values"),
        }
    }

    fn get(&self, name: &str) -> Option<&'v Value> {
        self.others.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }
}

/// Of an array with these elements.
fn depth<'v>(elements: impl Iterator<Item = &'v Value>) -> usize {
    1 + elements.map(Value::depth).max().unwrap_or(0)
}

/// How many elements lie before a place that is counted from the begin, or, if it is negative, from the end.
fn offset(place: i128, len: usize) -> usize {
    let count = usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX);
    if place < 0 { len.saturating_sub(count) } else { len.min(count) }
}
