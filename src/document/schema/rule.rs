//! What values of a column have to be, and what is said when they are not.
//!
//! (R1) Numbers are compared by their exact value; in the texts they stand as they are written in the schema.

use super::datetime::Format;
use super::{Columns, python};
use crate::document::number::Decimal;
use crate::document::value::Number;
use std::borrow::Cow;

/// What a value has to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    pub allow_none: bool,
    pub rule: Rule,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    Str(Characters),
    Int(Quantity),
    Float(Quantity),
    Bool,
    Date,
    DateTime(Format),
    Uuid,
    /// Any object, or one with these members.
    Object(Option<Columns>),
    /// Elements, each of which is such, or any.
    Array(Length, Option<Box<Spec>>),
    Any,
}

/// How many characters or elements, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    pub min: Option<u64>,
    pub max: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Characters {
    pub length: Length,
    pub pattern: Option<Pattern>,
    pub choices: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    pub min: Option<Number>,
    pub max: Option<Number>,
    pub choices: Option<Vec<Choice>>,
}

/// A number that is allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub written: Number,
    /// What a value has to equal: in a column of floats the float.
    pub value: Decimal,
}

/// A regular expression, which has to match from the first character on but not to the last.
#[derive(Debug, Clone)]
pub struct Pattern {
    pub text: String,
    pub regex: regex::Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl Pattern {
    /// The match that begins first is found, so it begins at the first character if any does. Putting `^(?:…)` around the text
    /// would be another expression when that ends in a comment.
    fn matches(&self, text: &str) -> bool {
        self.regex.find(text).is_some_and(|found| found.start() == 0)
    }
}

impl Length {
    pub fn fault(self, len: impl FnOnce() -> usize) -> Option<Cow<'static, str>> {
        if self.min.is_none() && self.max.is_none() {
            return None;
        }
        let (len, min) = (len() as u64, self.min.unwrap_or(0));
        if len >= min && self.max.is_none_or(|max| len <= max) {
            return None;
        }
        Some(Cow::Owned(match self.max {
            Some(max) => format!("Length must be between {min} and {max}."),
            None => format!("Shorter than minimum length {min}."),
        }))
    }
}

impl Characters {
    /// Whether all are allowed.
    pub fn is_free(&self) -> bool {
        let Characters { length: Length { min, max }, pattern, choices } = self;
        min.is_none() && max.is_none() && pattern.is_none() && choices.is_none()
    }

    pub fn faults(&self, text: &str) -> Vec<Cow<'static, str>> {
        let length = self.length.fault(|| text.chars().count());
        let pattern = self.pattern.as_ref().filter(|pattern| !pattern.matches(text));
        let choices = self.choices.as_ref().filter(|choices| !choices.iter().any(|choice| choice == text));
        let pattern = pattern.map(|_| Cow::Borrowed("String does not match expected pattern."));
        let choices = choices.map(|choices| one_of(choices.iter().map(|choice| Cow::Borrowed(&**choice))));
        length.into_iter().chain(pattern).chain(choices).collect()
    }
}

impl Quantity {
    /// Whether all are allowed.
    pub fn is_free(&self) -> bool {
        self.min.is_none() && self.max.is_none() && self.choices.is_none()
    }

    /// What is wrong with a number, as it is written.
    pub fn faults(&self, number: &str) -> Vec<Cow<'static, str>> {
        let value = Decimal::parse(number).unwrap_or(Decimal::ZERO);
        let choices =
            self.choices.as_ref().filter(|choices| !choices.iter().any(|choice| choice.value == value));
        let choices = choices
            .map(|choices| one_of(choices.iter().map(|choice| Cow::Owned(python::shown(&choice.written)))));
        self.range_fault(&value).into_iter().chain(choices).collect()
    }

    fn range_fault(&self, value: &Decimal) -> Option<Cow<'static, str>> {
        let is_low = self.min.as_ref().is_some_and(|min| *value < min.value());
        let is_high = self.max.as_ref().is_some_and(|max| *value > max.value());
        if !is_low && !is_high {
            return None;
        }
        let least = self.min.as_ref().map(|min| format!("greater than or equal to {}", min.text()));
        let most = self.max.as_ref().map(|max| format!("less than or equal to {}", max.text()));
        let both = [least, most].into_iter().flatten().collect::<Vec<_>>().join(" and ");
        Some(Cow::Owned(format!("Must be {both}.")))
    }
}

fn one_of<'c>(choices: impl Iterator<Item = Cow<'c, str>>) -> Cow<'static, str> {
    Cow::Owned(format!("Must be one of: {}.", choices.collect::<Vec<_>>().join(", ")))
}
