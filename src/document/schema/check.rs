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
use crate::document::value::{MAX_BYTES, Number, Value};

/// After so many that are wrong no more is told of elements and unknown members.
pub const MAX_FAULTS: usize = 1_000;

const TRUE: [&str; 6] = ["t", "true", "y", "yes", "on", "1"];
const FALSE: [&str; 6] = ["f", "false", "n", "no", "off", "0"];

/// One look at a row.
pub struct Check {
    partial: bool,
    faults: usize,
    /// Bytes of defaults.
    filled: usize,
}

type Members = Vec<(String, Value)>;

impl Check {
    /// Of a whole row.
    pub fn whole() -> Check {
        Check { partial: false, faults: 0, filled: 0 }
    }

    /// Of a row that needs not have every column.
    pub fn partial() -> Check {
        Check { partial: true, faults: 0, filled: 0 }
    }

    /// The members in the order of the columns, with defaults.
    pub fn members(&mut self, columns: &Columns, members: Members) -> Result<Members, Vec<(String, Faults)>> {
        let (mut given, mut unknown) = (Vec::with_capacity(members.len()), Vec::new());
        for (name, value) in members {
            match columns.place(&name) {
                Some(place) => given.push((place, Some((name, value)))),
                None => unknown.push(name),
            }
        }
        if !self.partial {
            given.extend(columns.expected.iter().map(|place| (*place, None)));
        }
        // The sort leaves what is there before what is only expected in the same place.
        given.sort_by_key(|(place, _)| *place);
        given.dedup_by_key(|(place, _)| *place);
        let (mut sound, mut faults) = (Vec::with_capacity(given.len()), Vec::new());
        for (place, member) in given {
            let Some(column) = columns.list.get(place) else { continue };
            let (name, outcome) = match member {
                Some((name, value)) => (name, self.value(&column.spec, value)),
                None => (column.name.clone(), self.absent(column)),
            };
            match outcome {
                Ok(value) => sound.push((name, value)),
                Err(fault) => self.note(&mut faults, name, fault),
            }
        }
        for name in unknown {
            if self.faults >= MAX_FAULTS {
                break;
            }
            self.note(&mut faults, name, "Unknown field.".into());
        }
        if faults.is_empty() { Ok(sound) } else { Err(faults) }
    }

    /// What a new row gets in a column that it does not have, and that is expected.
    fn absent(&mut self, column: &Column) -> Result<Value, Faults> {
        let Some(default) = &column.default else { return Err("Missing data for required field.".into()) };
        self.filled = self.filled.saturating_add(column.name.len() + default.bytes);
        if self.filled > MAX_BYTES {
            return Err("Default values make the row longer than 16 MiB.".into());
        }
        Ok(default.value.clone())
    }

    /// The value as it is stored.
    pub fn value(&mut self, spec: &Spec, value: Value) -> Result<Value, Faults> {
        if value == Value::Null {
            return if spec.allow_none { Ok(value) } else { Err("Field may not be null.".into()) };
        }
        let (value, faults) = match (&spec.rule, value) {
            (Rule::Any, value) | (Rule::Object(None), value @ Value::Object(_)) => return Ok(value),
            (Rule::Str(rule), Value::String(text)) => {
                let faults = rule.faults(&text);
                (Value::String(text), faults)
            }
            (Rule::Str(_), _) => return Err("Not a valid string.".into()),
            (Rule::Int(rule), value) => {
                let number = int(&value)?;
                let faults = rule.faults(&number);
                (Value::Number(number), faults)
            }
            (Rule::Float(rule), value) => {
                let number = float(&value)?;
                let faults = rule.faults(&number);
                (Value::Number(number), faults)
            }
            (Rule::Bool, value) => return Ok(Value::Bool(truth(&value).ok_or("Not a valid boolean.")?)),
            (Rule::Date, value) => return date(&value).ok_or("Not a valid date.".into()),
            (Rule::DateTime(format), value) => {
                return format.stored(&value).ok_or("Not a valid datetime.".into());
            }
            (Rule::Uuid, value) => return uuid(&value).ok_or("Not a valid UUID.".into()),
            (Rule::Object(Some(columns)), Value::Object(members)) => {
                return self.members(columns, members).map(Value::Object).map_err(Faults::Inside);
            }
            (Rule::Object(_), _) => return Err("Not a valid object.".into()),
            (Rule::Array(length, items), Value::Array(list)) => {
                let list = match items {
                    Some(spec) => self.elements(spec, list)?,
                    None => list,
                };
                let faults = length.fault(|| list.len()).into_iter().collect();
                (Value::Array(list), faults)
            }
            (Rule::Array(..), _) => return Err("Not a valid array.".into()),
        };
        if faults.is_empty() { Ok(value) } else { Err(Faults::Here(faults)) }
    }

    fn elements(&mut self, spec: &Spec, list: Vec<Value>) -> Result<Vec<Value>, Faults> {
        let (mut sound, mut faults) = (Vec::with_capacity(list.len()), Vec::new());
        for (place, value) in list.into_iter().enumerate() {
            match self.value(spec, value) {
                Ok(value) => sound.push(value),
                Err(fault) => self.note(&mut faults, place.to_string(), fault),
            }
            if !faults.is_empty() && self.faults >= MAX_FAULTS {
                break;
            }
        }
        if faults.is_empty() { Ok(sound) } else { Err(Faults::Inside(faults)) }
    }

    fn note(&mut self, faults: &mut Vec<(String, Faults)>, name: String, fault: Faults) {
        self.faults += 1;
        faults.push((name, fault));
    }
}

fn int(value: &Value) -> Result<Number, &'static str> {
    match value {
        Value::Number(number) => python::truncated(number).ok_or("Number too large."),
        Value::String(text) => python::int(text).ok_or("Not a valid integer."),
        _ => Err("Not a valid integer."),
    }
}

fn float(value: &Value) -> Result<Number, &'static str> {
    let float = match value {
        Value::Number(number) => python::float(number.text()),
        Value::String(text) => python::float(text),
        _ => None,
    };
    let float = float.ok_or("Not a valid number.")?;
    let number = float.is_finite().then(|| Number::parse(&python::repr(float))).flatten();
    number.ok_or("Special numeric values (nan or infinity) are not permitted.")
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
