//! What happens at one place of a document, whether something lies there or not. It knows nothing of places.

use super::super::collation::Collation;
use super::super::filter::Refused;
use super::super::number::{Decimal, MAX_DIGITS};
use super::super::path::Path;
use super::super::value::{Number, Value};
use super::array::{AddToSet, Pull, Push};
use super::{judge, refuse};
use std::cmp::Ordering;

/// One operator with what it was given.
#[derive(Debug, Clone)]
pub(super) enum Operator {
    Set(Value),
    Unset,
    Increase(Decimal, Number),
    Multiply(Decimal),
    /// The value takes the place of one that, compared with it, is such.
    Replace(Ordering, Value, Collation),
    Push(Push),
    Pull(Pull),
    AddToSet(AddToSet),
    /// `$rename`, where the value is taken from, to be kept in this place of a list.
    Take(usize),
    /// `$rename`, where it is put.
    Put(usize),
}

/// All that [`Operator::parse`] knows, and `$rename`.
pub(super) const NAMES: &str = "$set, $unset, $inc, $mul, $min, $max, $push, $pull, $addToSet and $rename";

impl Operator {
    /// Any but `$rename`, which is two changes; `None` when there is none of this name. Values there, and elements of an array there, are
    /// compared as `collation` says, which tells that also of what lies at a path within.
    pub(super) fn parse(
        name: &str,
        operand: &Value,
        at: &str,
        collation: &dyn Fn(Option<&Path>) -> Collation,
    ) -> Option<Result<Operator, Refused>> {
        Some(match name {
            "$set" => Ok(Operator::Set(operand.clone())),
            "$unset" => Ok(Operator::Unset),
            "$inc" => number(operand, at).map(|number| Operator::Increase(number.value(), number.clone())),
            "$mul" => number(operand, at).map(|number| Operator::Multiply(number.value())),
            "$min" => Ok(Operator::Replace(Ordering::Greater, operand.clone(), collation(None))),
            "$max" => Ok(Operator::Replace(Ordering::Less, operand.clone(), collation(None))),
            "$push" => Push::parse(operand, at).map(Operator::Push),
            "$pull" => Pull::parse(operand, at, collation).map(Operator::Pull),
            "$addToSet" => AddToSet::parse(operand, at, collation(None)).map(Operator::AddToSet),
            _ => return None,
        })
    }

    /// How deep what it puts there is.
    pub(super) fn depth(&self) -> usize {
        match self {
            Operator::Set(value) | Operator::Replace(_, value, _) => value.depth(),
            Operator::Push(push) => push.depth(),
            Operator::AddToSet(add) => add.depth(),
            _ => 0,
        }
    }

    /// Whether it puts something where nothing is.
    pub(super) fn creates(&self) -> bool {
        !matches!(self, Operator::Unset | Operator::Pull(_) | Operator::Take(_))
    }

    /// What it puts where nothing is; nothing when it does not, and for `Put`, whose value is somewhere else.
    pub(super) fn initial(&self) -> Option<Value> {
        match self {
            Operator::Set(value) | Operator::Replace(_, value, _) => Some(value.clone()),
            Operator::Increase(_, number) => Some(Value::Number(number.clone())),
            Operator::Multiply(_) => Some(Value::Number(Number::from_decimal(&Decimal::ZERO))),
            Operator::Push(push) => Some(array(|list| push.apply(list))),
            Operator::AddToSet(add) => Some(array(|list| add.apply(list))),
            Operator::Unset | Operator::Pull(_) | Operator::Take(_) | Operator::Put(_) => None,
        }
    }

    /// Changes what is there, unless that is done by whoever has its place (`Unset`, `Take`, `Put`); or says why it cannot.
    pub(super) fn edit(&self, value: &mut Value) -> Result<(), String> {
        match self {
            Operator::Set(new) => *value = new.clone(),
            Operator::Replace(from, new, collation) if judge::compare(value, new, collation) == *from => {
                *value = new.clone();
            }
            Operator::Increase(operand, _) => count(value, |number| number.add(operand))?,
            Operator::Multiply(operand) => count(value, |number| number.multiply(operand))?,
            Operator::Push(push) => push.apply(elements(value)?),
            Operator::Pull(pull) => pull.apply(elements(value)?),
            Operator::AddToSet(add) => add.apply(elements(value)?),
            Operator::Replace(..) | Operator::Unset | Operator::Take(_) | Operator::Put(_) => {}
        }
        Ok(())
    }
}

fn number<'v>(operand: &'v Value, at: &str) -> Result<&'v Number, Refused> {
    match operand {
        Value::Number(number) => Ok(number),
        _ => refuse(at, "a number is expected"),
    }
}

/// A number whose value stays the same stays as it was written.
fn count(value: &mut Value, result: impl Fn(&Decimal) -> Option<Decimal>) -> Result<(), String> {
    let Value::Number(number) = value else {
        return Err(format!(
            "the document has {} there, and only with a number can this be done",
            kind(value)
        ));
    };
    let before = number.value();
    match result(&before) {
        Some(result) if result == before => Ok(()),
        Some(result) => {
            *number = Number::from_decimal(&result);
            Ok(())
        }
        None => {
            Err(format!("the result would have more than {MAX_DIGITS} digits or an exponent beyond 2^40"))
        }
    }
}

fn elements(value: &mut Value) -> Result<&mut Vec<Value>, String> {
    match value {
        Value::Array(list) => Ok(list),
        _ => Err(format!("the document has {} there, and only with an array can this be done", kind(value))),
    }
}

fn array(fill: impl Fn(&mut Vec<Value>)) -> Value {
    let mut list = Vec::new();
    fill(&mut list);
    Value::Array(list)
}

/// In a sentence.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
