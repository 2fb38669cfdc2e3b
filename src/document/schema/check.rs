//! A row and a schema: the row as it is stored, or all that is wrong with it.
//!
//! ```text
//! column   str                 int                  float                     bool
//! takes    strings             whole numbers,       numbers and strings       true and false, 1 and 0, and words: t true y yes
//!                              others and strings   with one                  on 1, f false n no off 0, in lower, UPPER and
//!                              with a whole one                               Capitalised
//! stores   the same            towards zero         as Python writes floats   true or false
//!
//! column   date                datetime             uuid                      object, array, any
//! takes    YYYY-MM-DD          see `datetime`       32 hexadecimal digits,    objects, arrays, all
//!                                                   hyphens and brackets
//! stores   the same                                 in lower case, hyphens    what their members and elements store
//! ```
//!
//! (K1) What was stored is taken again, and stored as it is.
//! (K2) Every column of an object is looked at, whatever is wrong with others. Of elements and of members that are no columns only the
//!      first [`MAX_FAULTS`] are told: they come from the row, and may be millions.
//! (K3) Time and memory are in proportion to the row and what is told of it, however many columns the schema has: a row may be millions of
//!      empty objects. What defaults add is bounded by [`MAX_BYTES`].

use super::rule::{Rule, Spec};
use super::violations::Faults;
use super::{Column, Columns, moment, python};
use crate::document::raw::{Elements, Encoded, Members, Part, Raw, Writer};
use crate::document::value::{Kind, MAX_BYTES, Value};
use std::borrow::Cow;

/// After so many that are wrong no more is told of elements and unknown members.
pub const MAX_FAULTS: usize = 1_000;

const TRUE: [&str; 6] = ["t", "true", "y", "yes", "on", "1"];
const FALSE: [&str; 6] = ["f", "false", "n", "no", "off", "0"];

/// What there is of a column.
enum Given<'r> {
    /// A member that is stored as it is: it lies from here to there.
    Kept(Members<'r>, Members<'r>),
    /// A member that has to be looked at.
    Value(Raw<'r>),
    /// Nothing, and it is expected.
    Absent,
}

/// One look at a row.
pub struct Check {
    partial: bool,
    faults: usize,
    /// Bytes of defaults.
    filled: usize,
}

impl Check {
    /// Of a whole row.
    pub fn whole() -> Check {
        Check { partial: false, faults: 0, filled: 0 }
    }

    /// Of a row that needs not have every column.
    pub fn partial() -> Check {
        Check { partial: true, faults: 0, filled: 0 }
    }

    /// Appends an object of the members in the order of the columns, with defaults.
    pub fn object(
        &mut self,
        columns: &Columns,
        members: Members<'_>,
        out: &mut Writer,
    ) -> Result<(), Vec<(String, Faults)>> {
        out.object(|out| self.members(columns, members, out))
    }

    fn members(
        &mut self,
        columns: &Columns,
        mut members: Members<'_>,
        out: &mut Writer,
    ) -> Result<(), Vec<(String, Faults)>> {
        let most = members.most().min(columns.list.len());
        let (mut given, mut unknown) = (Vec::with_capacity(most), Vec::new());
        let (mut next, mut from) = (0, members);
        while let Some((name, value)) = members.next() {
            match columns.place_from(next, name).and_then(|place| Some((place, columns.list.get(place)?))) {
                Some((place, column)) => {
                    let kept = keeps(&column.spec, value);
                    given.push((place, if kept { Given::Kept(from, members) } else { Given::Value(value) }));
                    next = place + 1;
                }
                None => unknown.push(name),
            }
            from = members;
        }
        if !self.partial {
            given.extend(columns.expected.iter().map(|place| (*place, Given::Absent)));
        }
        // The sort leaves what is there before what is only expected in the same place.
        given.sort_by_key(|(place, _)| *place);
        given.dedup_by_key(|(place, _)| *place);
        let mut faults = Vec::new();
        for (place, given) in given {
            let Some(column) = columns.list.get(place) else { continue };
            let value = match given {
                Given::Kept(from, to) => {
                    out.members(from, to);
                    continue;
                }
                Given::Value(value) => Some(value),
                Given::Absent => None,
            };
            out.name(&column.name);
            let outcome = out.element(|out| match value {
                Some(value) => self.value(&column.spec, value, out),
                None => self.absent(column, out),
            });
            if let Err(fault) = outcome {
                self.note(&mut faults, column.name.clone(), fault);
            }
        }
        for name in unknown {
            if self.faults >= MAX_FAULTS {
                break;
            }
            self.note(&mut faults, String::from_utf8_lossy(name).into_owned(), "Unknown field.".into());
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Appends what a new row gets in a column that it does not have, and that is expected.
    fn absent(&mut self, column: &Column, out: &mut Writer) -> Result<(), Faults> {
        let Some(default) = &column.default else { return Err("Missing data for required field.".into()) };
        self.filled = self.filled.saturating_add(column.name.len() + default.bytes);
        if self.filled > MAX_BYTES {
            return Err("Default values make the row longer than 16 MiB.".into());
        }
        out.raw(default.value.raw());
        Ok(())
    }

    /// The value as it is stored.
    pub fn stored(spec: &Spec, value: Raw<'_>) -> Result<Encoded, Faults> {
        let mut out = Writer::with_capacity(value.text_len());
        Check::whole().value(spec, value, &mut out)?;
        Ok(out.finish())
    }

    /// Appends the value as it is stored. What was appended is of no use if there are faults.
    fn value(&mut self, spec: &Spec, value: Raw<'_>, out: &mut Writer) -> Result<(), Faults> {
        if value.kind() == Kind::Null {
            out.raw(value);
            return if spec.allow_none { Ok(()) } else { Err("Field may not be null.".into()) };
        }
        match (&spec.rule, value.part()) {
            (Rule::Any, _) | (Rule::Object(None), Part::Object(_)) => {
                out.raw(value);
                Ok(())
            }
            (Rule::Str(rule), Part::String(_)) => {
                out.raw(value);
                if rule.is_free() { Ok(()) } else { sound(rule.faults(value.text().unwrap_or_default())) }
            }
            (Rule::Str(_), _) => Err("Not a valid string.".into()),
            (Rule::Int(rule), part) => {
                let text = int(part)?;
                out.number(&text);
                if rule.is_free() { Ok(()) } else { sound(rule.faults(&text)) }
            }
            (Rule::Float(rule), part) => {
                let text = float(part)?;
                out.number(&text);
                if rule.is_free() { Ok(()) } else { sound(rule.faults(&text)) }
            }
            (Rule::Object(Some(columns)), Part::Object(members)) => {
                self.object(columns, members, out).map_err(Faults::Inside)
            }
            (Rule::Object(_), _) => Err("Not a valid object.".into()),
            (Rule::Array(length, items), Part::Array(list)) => {
                match items {
                    Some(spec) => out.array(|out| self.elements(spec, list, out))?,
                    None => out.raw(value),
                }
                sound(length.fault(|| list.count()).into_iter().collect())
            }
            (Rule::Array(..), _) => Err("Not a valid array.".into()),
            (Rule::Bool | Rule::Date | Rule::DateTime(_) | Rule::Uuid, _) => {
                converted(&spec.rule, &value.to_value().unwrap_or(Value::Null), out)
            }
        }
    }

    fn elements(&mut self, spec: &Spec, list: Elements<'_>, out: &mut Writer) -> Result<(), Faults> {
        let mut faults = Vec::new();
        for (place, value) in list.enumerate() {
            if let Err(fault) = out.element(|out| self.value(spec, value, out)) {
                self.note(&mut faults, place.to_string(), fault);
            }
            if !faults.is_empty() && self.faults >= MAX_FAULTS {
                break;
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Faults::Inside(faults)) }
    }

    fn note(&mut self, faults: &mut Vec<(String, Faults)>, name: String, fault: Faults) {
        self.faults += 1;
        faults.push((name, fault));
    }
}

/// Whether a value is surely right, and stored as it is; of others [`Check::value`] says what becomes of them.
fn keeps(spec: &Spec, value: Raw<'_>) -> bool {
    match &spec.rule {
        Rule::Str(rule) => value.kind() == Kind::String && rule.is_free(),
        Rule::Int(rule) => {
            value.number().is_some_and(|text| text.iter().all(u8::is_ascii_digit)) && rule.is_free()
        }
        _ => false,
    }
}

fn sound(faults: Vec<Cow<'static, str>>) -> Result<(), Faults> {
    if faults.is_empty() { Ok(()) } else { Err(Faults::Here(faults)) }
}

/// Appends what becomes of a value in a column that has another form of its own.
fn converted(rule: &Rule, value: &Value, out: &mut Writer) -> Result<(), Faults> {
    let stored = match rule {
        Rule::Date => date(value).ok_or("Not a valid date.")?,
        Rule::DateTime(format) => format.stored(value).ok_or("Not a valid datetime.")?,
        Rule::Uuid => uuid(value).ok_or("Not a valid UUID.")?,
        _ => Value::Bool(truth(value).ok_or("Not a valid boolean.")?),
    };
    out.value(&stored);
    Ok(())
}

fn int(value: Part<'_>) -> Result<Cow<'_, str>, &'static str> {
    match value {
        Part::Number(text) => python::truncated(text).ok_or("Number too large."),
        Part::String(bytes) => {
            let number = std::str::from_utf8(bytes).ok().and_then(python::int);
            number.map(|number| Cow::Owned(number.text().into())).ok_or("Not a valid integer.")
        }
        _ => Err("Not a valid integer."),
    }
}

fn float(value: Part<'_>) -> Result<String, &'static str> {
    let float = match value {
        Part::Number(text) => python::float(text),
        Part::String(bytes) => std::str::from_utf8(bytes).ok().and_then(python::float),
        _ => None,
    };
    let float = float.ok_or("Not a valid number.")?;
    let text = float.is_finite().then(|| python::repr(float));
    text.ok_or("Special numeric values (nan or infinity) are not permitted.")
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => match number.value().integer() {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        Value::String(text) => {
            let is = |word: &&str| is_in_case(word, text);
            let (is_true, is_false) = (TRUE.iter().any(is), FALSE.iter().any(is));
            (is_true || is_false).then_some(is_true)
        }
        _ => None,
    }
}

/// Whether a text is the word in lower case, Capitalised or in UPPER CASE.
fn is_in_case(word: &str, text: &str) -> bool {
    let (Some(first), Some(rest)) = (word.get(..1), word.get(1..)) else { return false };
    text == word
        || text == word.to_ascii_uppercase()
        || text.strip_prefix(&first.to_ascii_uppercase()) == Some(rest)
}

fn date(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => moment::date(text).map(|date| Value::String(moment::date_text(date))),
        _ => None,
    }
}

/// As Python reads them: hyphens anywhere, brackets and `urn:uuid:` around.
fn uuid(value: &Value) -> Option<Value> {
    let Value::String(text) = value else { return None };
    let text = text.strip_prefix("urn:").unwrap_or(text);
    let text = text.strip_prefix("uuid:").unwrap_or(text);
    let digits: String = text.trim_matches(['{', '}']).chars().filter(|char| *char != '-').take(33).collect();
    match uuid::Uuid::try_parse(&digits) {
        Ok(uuid) if digits.len() == 32 => Some(Value::String(uuid.hyphenated().to_string())),
        _ => None,
    }
}
