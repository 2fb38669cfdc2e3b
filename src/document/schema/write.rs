//! A schema as a document: the normal form, of which `read` makes an equal schema.

use super::rule::{Characters, Choice, Length, Quantity, Rule, Spec};
use super::{Column, Columns};
use crate::document::value::{Number, Value};

/// Specifications by name.
pub fn columns(columns: &Columns) -> Value {
    Value::Object(columns.list.iter().map(|column| (column.name.clone(), self::column(column))).collect())
}

/// The specification of a column: only keywords that say something.
pub fn column(column: &Column) -> Value {
    let Column { required, unique, default, spec, .. } = column;
    let own = [
        required.then_some(("required", Value::Bool(true))),
        unique.then_some(("unique", Value::Bool(true))),
        default.as_ref().and_then(|default| Some(("default", default.value.raw().to_value()?))),
    ];
    keywords(spec, own.into_iter().flatten())
}

fn keywords(spec: &Spec, own: impl Iterator<Item = (&'static str, Value)>) -> Value {
    let kind = ("type", Value::String(spec.rule.kind().name().into()));
    let allow_none = spec.allow_none.then_some(("allow_none", Value::Bool(true)));
    let all = [kind].into_iter().chain(own).chain(allow_none).chain(rule(&spec.rule));
    Value::Object(all.map(|(name, value)| (name.into(), value)).collect())
}

/// The keywords that only some types have.
fn rule(rule: &Rule) -> Vec<(&'static str, Value)> {
    match rule {
        Rule::Str(Characters { length, pattern, choices }) => {
            let pattern = pattern.as_ref().map(|pattern| ("pattern", Value::String(pattern.text.clone())));
            let choices = choices.as_ref().map(|list| list.iter().cloned().map(Value::String).collect());
            length_of(*length)
                .chain(pattern)
                .chain(choices.map(|list| ("enum", Value::Array(list))))
                .collect()
        }
        Rule::Int(Quantity { min, max, choices }) | Rule::Float(Quantity { min, max, choices }) => {
            let number = |name: &'static str, number: &Option<Number>| {
                number.clone().map(|n| (name, Value::Number(n)))
            };
            let written = |choice: &Choice| Value::Number(choice.written.clone());
            let choices =
                choices.as_ref().map(|list| ("enum", Value::Array(list.iter().map(written).collect())));
            [number("min", min), number("max", max), choices].into_iter().flatten().collect()
        }
        Rule::DateTime(format) => vec![("format", Value::String(format.as_str().into()))],
        Rule::Object(fields) => fields.iter().map(|fields| ("fields", columns(fields))).collect(),
        Rule::Array(length, items) => {
            let items = items.iter().map(|spec| ("items", keywords(spec, std::iter::empty())));
            length_of(*length).chain(items).collect()
        }
        Rule::Bool | Rule::Date | Rule::Uuid | Rule::Any => Vec::new(),
    }
}

fn length_of(length: Length) -> impl Iterator<Item = (&'static str, Value)> {
    let ends = [("min_length", length.min), ("max_length", length.max)];
    ends.into_iter().filter_map(|(name, end)| Some((name, Value::Number(Number::parse(&end?.to_string())?))))
}
