//! A schema out of a document, or where it is none and why.
//!
//! (W1) All that a schema can cost is bounded: columns, how deep they lie, patterns and what is compiled of them, lists of values.
//! (W2) Nothing is passed over: a keyword that is not known, or not one of its column's type, is refused.

use super::check::Check;
use super::datetime::Format;
use super::rule::{Characters, Choice, Length, Pattern, Quantity, Rule, Spec};
use super::{Column, Columns, PK, Preset, python};
use crate::document::filter::Refused;
use crate::document::number::Decimal;
use crate::document::raw::Encoded;
use crate::document::value::{Number, Value};

/// The most columns of a schema, those of objects within counted.
pub const MAX_COLUMNS: usize = 1_000;
/// The most characters of a column's name.
pub const MAX_NAME: usize = 64;
/// How deep columns may lie in objects and arrays.
const MAX_NESTING: usize = 24;
/// The most patterns of a schema.
const MAX_PATTERNS: usize = 100;
/// The most bytes of a pattern.
const MAX_PATTERN: usize = 4_096;
/// What one pattern may take when it is compiled, and again when it is used.
const MAX_COMPILED: usize = 1 << 20;
/// The most values of an `enum`, and the most bytes of all together, which every complaint repeats.
const MAX_CHOICES: usize = 1_000;
const MAX_CHOICES_BYTES: usize = 16 << 10;

const TYPES: [&str; 10] =
    ["str", "int", "float", "bool", "date", "datetime", "uuid", "object", "array", "any"];

/// The keywords that not all types have, and which do. Those of the first list, not even elements of arrays have.
const OF_COLUMNS: [&str; 3] = ["required", "unique", "default"];
const OF_ALL: [&str; 2] = ["type", "allow_none"];
const OF_SOME: [(&str, &[&str]); 8] = [
    ("min_length", &["str", "array"]),
    ("max_length", &["str", "array"]),
    ("pattern", &["str"]),
    ("enum", &["str", "int", "float"]),
    ("min", &["int", "float"]),
    ("max", &["int", "float"]),
    ("format", &["datetime"]),
    ("fields", &["object"]),
];
const OF_ARRAYS: (&str, &[&str]) = ("items", &["array"]);

/// Reads the columns of a table, `pk` not among them.
pub fn schema(schema: &Value) -> Result<Vec<Column>, Refused> {
    let (members, at) = match object(schema, "")? {
        [(name, Value::Object(inner))]
            if name == "fields" && !inner.iter().any(|(name, _)| name == "type") =>
        {
            (&**inner, "fields")
        }
        members => (members, ""),
    };
    Reader::default().columns(members.iter().filter(|(name, _)| name != PK), at, 0)
}

/// What has been read so far of a schema.
#[derive(Default)]
struct Reader {
    columns: usize,
    patterns: usize,
}

/// The keywords of a column or of elements.
struct Keywords<'s> {
    kind: &'s str,
    members: &'s [(String, Value)],
    at: &'s str,
}

impl Reader {
    fn columns<'s>(
        &mut self,
        specs: impl Iterator<Item = &'s (String, Value)>,
        at: &str,
        depth: usize,
    ) -> Result<Vec<Column>, Refused> {
        specs.map(|(name, spec)| self.column(name, spec, &inner(at, name), depth)).collect()
    }

    fn column(&mut self, name: &str, spec: &Value, at: &str, depth: usize) -> Result<Column, Refused> {
        self.columns += 1;
        if self.columns > MAX_COLUMNS {
            return refuse(at, format!("a schema has at most {MAX_COLUMNS} columns"));
        }
        if !is_name(name) {
            return refuse(
                at,
                format!(
                    "a name has letters, digits and `_`, begins with no digit, and is at most {MAX_NAME} long"
                ),
            );
        }
        let bare = bare(spec);
        let keywords = Keywords::of(bare.as_deref().map_or_else(|| object(spec, at), Ok)?, at)?;
        let mut column = Column {
            name: name.into(),
            required: keywords.flag("required")?,
            unique: keywords.flag("unique")?,
            default: None,
            spec: self.spec(&keywords, depth)?,
        };
        if column.unique && depth > 0 {
            return refuse(&inner(at, "unique"), "only columns of the table itself can be unique");
        }
        if let Some(default) = keywords.get("default").filter(|default| **default != Value::Null) {
            let stored = Check::stored(&column.spec, Encoded::of(default).raw());
            let wrong = |faults: super::violations::Faults| Refused {
                at: inner(at, "default"),
                why: format!("this is no value of the column: {}", faults.to_value()),
            };
            let value = stored.map_err(wrong)?;
            let mut text = String::new();
            // What was stored can be written.
            let _ = value.raw().write_json(&mut text);
            column.default = Some(Preset { bytes: text.len(), value });
        }
        Ok(column)
    }

    fn spec(&mut self, keywords: &Keywords<'_>, depth: usize) -> Result<Spec, Refused> {
        let rule = match keywords.kind {
            "str" => Rule::Str(Characters {
                length: keywords.length()?,
                pattern: keywords
                    .text("pattern")?
                    .map(|text| self.pattern(text, &keywords.place("pattern")))
                    .transpose()?,
                choices: keywords.strings()?,
            }),
            "int" => Rule::Int(keywords.quantity(|number| Some(number.value()))?),
            "float" => Rule::Float(keywords.quantity(|number| {
                python::float(number.text())
                    .filter(|float| float.is_finite())
                    .and_then(|float| Decimal::parse(&python::repr(float)))
            })?),
            "bool" => Rule::Bool,
            "date" => Rule::Date,
            "datetime" => Rule::DateTime(match keywords.text("format")? {
                None => Format::default(),
                Some(text) => {
                    Format::parse(text).map_err(|why| Refused { at: keywords.place("format"), why })?
                }
            }),
            "uuid" => Rule::Uuid,
            "object" => Rule::Object(self.fields(keywords, depth)?),
            "array" => Rule::Array(keywords.length()?, self.items(keywords, depth)?),
            _ => Rule::Any,
        };
        Ok(Spec { allow_none: keywords.flag("allow_none")?, rule })
    }

    fn fields(&mut self, keywords: &Keywords<'_>, depth: usize) -> Result<Option<Columns>, Refused> {
        let Some(fields) = keywords.get("fields") else { return Ok(None) };
        let at = keywords.place("fields");
        let depth = deeper(depth, &at)?;
        Ok(Some(Columns::new(self.columns(object(fields, &at)?.iter(), &at, depth)?)))
    }

    fn items(&mut self, keywords: &Keywords<'_>, depth: usize) -> Result<Option<Box<Spec>>, Refused> {
        let Some(items) = keywords.get("items") else { return Ok(None) };
        let at = keywords.place("items");
        let depth = deeper(depth, &at)?;
        let bare = bare(items);
        let keywords = Keywords::of(bare.as_deref().map_or_else(|| object(items, &at), Ok)?, &at)?;
        match OF_COLUMNS.iter().find(|name| keywords.get(name).is_some()) {
            Some(name) => refuse(&keywords.place(name), "columns have this, elements of arrays have not"),
            None => Ok(Some(Box::new(self.spec(&keywords, depth)?))),
        }
    }

    fn pattern(&mut self, text: &str, at: &str) -> Result<Pattern, Refused> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS || text.len() > MAX_PATTERN {
            return refuse(
                at,
                format!("a schema has at most {MAX_PATTERNS} patterns, each of at most {MAX_PATTERN} bytes"),
            );
        }
        // This parser is that of the one below, and says in a line what is wrong.
        if let Err(error) = regex_syntax::parse(text) {
            let why = match &error {
                regex_syntax::Error::Parse(error) => {
                    format!("{} at byte {}", error.kind(), error.span().start.offset)
                }
                regex_syntax::Error::Translate(error) => {
                    format!("{} at byte {}", error.kind(), error.span().start.offset)
                }
                _ => error.to_string(),
            };
            return refuse(at, format!("this is no pattern that can be used: {why}"));
        }
        let built =
            regex::RegexBuilder::new(text).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).build();
        match built {
            Ok(regex) => Ok(Pattern { text: text.into(), regex }),
            Err(_) => {
                refuse(at, "this pattern takes more than 1 MiB; repeat fewer times, or name fewer characters")
            }
        }
    }
}

impl<'s> Keywords<'s> {
    fn of(members: &'s [(String, Value)], at: &'s str) -> Result<Keywords<'s>, Refused> {
        let kind = match members.iter().find(|(name, _)| name == "type") {
            Some((_, Value::String(kind))) if TYPES.contains(&&**kind) => kind,
            Some(_) => {
                return refuse(&inner(at, "type"), format!("a type is expected: {}", TYPES.join(", ")));
            }
            None => return refuse(at, format!("the type is missing: `type` is one of {}", TYPES.join(", "))),
        };
        for (name, _) in members {
            let of_some = OF_SOME.iter().chain([&OF_ARRAYS]).find(|(known, _)| known == name);
            match of_some {
                Some((_, kinds)) if kinds.contains(&&**kind) => {}
                Some((_, kinds)) => {
                    return refuse(
                        &inner(at, name),
                        format!("a column of type {kind} has no such keyword; {} has", kinds.join(", ")),
                    );
                }
                None if OF_ALL.contains(&&**name) || OF_COLUMNS.contains(&&**name) => {}
                None if name == "callable_default" => {
                    return refuse(
                        &inner(at, name),
                        "code is never run; give a value as `default`, or the value in each row",
                    );
                }
                None => {
                    let of_some =
                        OF_SOME.iter().chain([&OF_ARRAYS]).filter(|(_, kinds)| kinds.contains(&&**kind));
                    let known: Vec<&str> =
                        OF_ALL.into_iter().chain(OF_COLUMNS).chain(of_some.map(|(name, _)| *name)).collect();
                    return refuse(
                        &inner(at, name),
                        format!("there is no such keyword; known are {}", known.join(", ")),
                    );
                }
            }
        }
        Ok(Keywords { kind, members, at })
    }

    fn get(&self, name: &str) -> Option<&'s Value> {
        self.members.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    fn place(&self, name: &str) -> String {
        inner(self.at, name)
    }

    fn flag(&self, name: &str) -> Result<bool, Refused> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => refuse(&self.place(name), "true or false is expected"),
        }
    }

    fn text(&self, name: &str) -> Result<Option<&'s str>, Refused> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => refuse(&self.place(name), "a string is expected"),
        }
    }

    fn number(&self, name: &str) -> Result<Option<&'s Number>, Refused> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number)),
            Some(_) => refuse(&self.place(name), "a number is expected"),
        }
    }

    fn length(&self) -> Result<Length, Refused> {
        let end = |name| match self.get(name) {
            None => Ok(None),
            Some(Value::Number(number))
                if number.value().integer().is_some_and(|end| u64::try_from(end).is_ok()) =>
            {
                Ok(number.value().integer().and_then(|end| u64::try_from(end).ok()))
            }
            Some(_) => refuse(&self.place(name), "a whole number from 0 on is expected"),
        };
        let length = Length { min: end("min_length")?, max: end("max_length")? };
        match (length.min, length.max) {
            (Some(min), Some(max)) if min > max => {
                refuse(&self.place("min_length"), "this is more than `max_length`")
            }
            _ => Ok(length),
        }
    }

    /// Bounds and allowed numbers; `exact` is what a value has to be to be one of those.
    fn quantity(&self, exact: impl Fn(&Number) -> Option<Decimal>) -> Result<Quantity, Refused> {
        let (min, max) = (self.number("min")?.cloned(), self.number("max")?.cloned());
        if min.as_ref().zip(max.as_ref()).is_some_and(|(min, max)| min.value() > max.value()) {
            return refuse(&self.place("min"), "this is more than `max`");
        }
        let choice = |value: &Value| match value {
            Value::Number(number) => exact(number).map(|value| Choice { written: number.clone(), value }),
            _ => None,
        };
        Ok(Quantity {
            min,
            max,
            choices: self.choices(choice, |choice| choice.written.text().len(), "numbers")?,
        })
    }

    fn strings(&self) -> Result<Option<Vec<String>>, Refused> {
        let choice = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        };
        self.choices(choice, String::len, "strings")
    }

    fn choices<T>(
        &self,
        choice: impl Fn(&Value) -> Option<T>,
        len: impl Fn(&T) -> usize,
        kinds: &str,
    ) -> Result<Option<Vec<T>>, Refused> {
        let Some(value) = self.get("enum") else { return Ok(None) };
        let choices: Option<Vec<T>> = match value {
            Value::Array(list) if !list.is_empty() && list.len() <= MAX_CHOICES => {
                list.iter().map(choice).collect()
            }
            _ => None,
        };
        match choices {
            Some(choices) if choices.iter().map(len).sum::<usize>() <= MAX_CHOICES_BYTES => Ok(Some(choices)),
            Some(_) => refuse(
                &self.place("enum"),
                format!("all values together have at most {MAX_CHOICES_BYTES} bytes"),
            ),
            None => {
                refuse(&self.place("enum"), format!("an array of 1 to {MAX_CHOICES} {kinds} is expected"))
            }
        }
    }
}

/// What a specification means that is only a name of a type.
fn bare(spec: &Value) -> Option<Vec<(String, Value)>> {
    matches!(spec, Value::String(_)).then(|| vec![("type".into(), spec.clone())])
}

fn object<'s>(value: &'s Value, at: &str) -> Result<&'s [(String, Value)], Refused> {
    match value {
        Value::Object(members) => Ok(members),
        _ => refuse(at, "an object is expected, of columns by name or of the keywords of one"),
    }
}

fn is_name(name: &str) -> bool {
    let sound = name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
    sound && (1..=MAX_NAME).contains(&name.len()) && !name.starts_with(|first: char| first.is_ascii_digit())
}

fn deeper(depth: usize, at: &str) -> Result<usize, Refused> {
    match depth {
        MAX_NESTING.. => refuse(at, format!("columns lie at most {MAX_NESTING} deep in objects and arrays")),
        _ => Ok(depth + 1),
    }
}

fn inner(at: &str, name: &str) -> String {
    if at.is_empty() { name.into() } else { format!("{at}.{name}") }
}

fn refuse<T>(at: &str, why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { at: at.into(), why: why.into() })
}
