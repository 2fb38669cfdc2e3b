//! What a document is made of: JSON with its numbers as they were written and its members in the order they came in.
//!
//! (V1) Nothing here recurses deeper than [`MAX_DEPTH`].
//! (V2) A value that was read and is written again has the same numbers, digit for digit, and the same members in the same order.
//! (V3) The text of a number is one that [`Decimal`] reads.

use super::escape::write_string;
use super::number::Decimal;
use std::fmt::{self, Display, Write};

/// How deep values may lie in each other.
pub const MAX_DEPTH: usize = 100;
/// How many bytes the text of a document may have.
pub const MAX_BYTES: usize = 16 << 20;

/// A value of JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Characters.
    String(String),
    /// Values in a row.
    Array(Vec<Value>),
    /// Values with names, none of which occurs twice.
    Object(Vec<(String, Value)>),
}

/// What a value may be, in the order that kinds have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing.
    Null,
    /// True or false.
    Bool,
    /// A number.
    Number,
    /// A moment: what values of columns of dates are compared as. No document has one.
    Instant,
    /// Characters.
    String,
    /// Values in a row.
    Array,
    /// Values with names.
    Object,
}

/// A number, as it was written. Its value is made of the text each time it is asked for: most numbers are only passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// (V3)
    text: Box<str>,
}

/// Why a text is no document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The byte where it was noticed.
    pub at: usize,
    /// What is wrong there.
    pub why: &'static str,
}

impl Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.why, self.at)
    }
}

impl std::error::Error for Malformed {}

impl Number {
    /// `None` when the text is not a number of JSON, or is none that [`Decimal`] has.
    #[must_use]
    pub fn parse(text: &str) -> Option<Number> {
        Number::is_one(text).then(|| Number { text: text.into() })
    }

    /// Whether [`parse`](Self::parse) reads it.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        is_plain(text) || Decimal::parse(text).is_some()
    }

    /// Of this value, written in the one way that [`Decimal`] has.
    #[must_use]
    pub fn from_decimal(value: &Decimal) -> Number {
        Number { text: value.to_string().into() }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// By its value.
    #[must_use]
    pub fn value(&self) -> Decimal {
        // There always is one (V3).
        Decimal::parse(&self.text).unwrap_or(Decimal::ZERO)
    }
}

/// Whether a text is a number that is written without an exponent.
fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let count = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = count(digits);
    let no_leading_zero = whole == 1 || digits.first() != Some(&b'0');
    let rest = digits.get(whole..).unwrap_or_default();
    let fraction = rest.strip_prefix(b".").is_some_and(|rest| !rest.is_empty() && count(rest) == rest.len());
    whole > 0 && no_leading_zero && (rest.is_empty() || fraction)
}

impl Value {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::Number(_) => Kind::Number,
            Value::String(_) => Kind::String,
            Value::Array(_) => Kind::Array,
            Value::Object(_) => Kind::Object,
        }
    }

    /// The member of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(members) => members.iter().find(|(other, _)| other == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// How many arrays and objects lie in each other; 0 when it is none. At most [`MAX_DEPTH`] in what was read.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self {
            Value::Array(list) => 1 + list.iter().map(Value::depth).max().unwrap_or(0),
            Value::Object(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// As JSON, without spaces, in ASCII.
impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(number) => f.write_str(number.text()),
            Value::String(text) => write_string(text, f),
            Value::Array(list) => {
                f.write_char('[')?;
                for (at, value) in list.iter().enumerate() {
                    write!(f, "{}{value}", if at > 0 { "," } else { "" })?;
                }
                f.write_char(']')
            }
            Value::Object(members) => {
                f.write_char('{')?;
                for (at, (name, value)) in members.iter().enumerate() {
                    f.write_str(if at > 0 { "," } else { "" })?;
                    write_string(name, f)?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::random::Random;

    /// From few pieces, so that beginnings are often the same.
    pub(in crate::document) fn random_value(random: &mut Random, depth: usize) -> Value {
        let name = |random: &mut Random| {
            ["", "a", "a\0", "a\0b", "ab", "b", "é", "\u{10000}", "\u{ffff}", "\"\\ \u{7f}"][random.below(10)]
                .to_owned()
        };
        match random.below(if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => Value::Bool(random.flip()),
            2 | 3 => {
                let text = ["0", "-0.0", "1", "1.0", "10", "-1", "-10", "1e1", "0.5", "1e300", "-1e-300"]
                    [random.below(11)];
                Value::parse(text).unwrap()
            }
            4 => Value::String(name(random)),
            5 | 6 => Value::Array((0..random.below(4)).map(|_| random_value(random, depth - 1)).collect()),
            _ => {
                let mut members: Vec<(String, Value)> = Vec::new();
                for _ in 0..random.below(4) {
                    let name = name(random);
                    if members.iter().all(|(other, _)| *other != name) {
                        members.push((name, random_value(random, depth - 1)));
                    }
                }
                Value::Object(members)
            }
        }
    }

    #[test]
    fn what_is_read_is_written_again() {
        for (text, again) in [
            ("null", None),
            (" [ 1 , -0.10, 1E+5 ,[], { } ]\n", Some("[1,-0.10,1E+5,[],{}]")),
            (r#"{"z":1,"a":{"b":[true,false,null]},"$serde_json::private::Number":"1"}"#, None),
            ("123456789012345678901234567890.10", None),
            (r#"{"a":1,"b":2,"a":3}"#, Some(r#"{"a":3,"b":2}"#)),
            (
                "\"\u{e9}\u{1f600}\\u00e9\\ud83d\\ude00\\/\\b\u{7f}\"",
                Some(r#""\u00e9\ud83d\ude00\u00e9\ud83d\ude00/\u0008\u007f""#),
            ),
        ] {
            let value = Value::parse(text).unwrap();
            assert_eq!(value.to_string(), again.unwrap_or(text));
            assert_eq!(Value::parse(&value.to_string()).unwrap(), value);
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, at, why) in [
            ("", 0, "ends where a value"),
            ("[1,]", 3, "a value is expected"),
            ("[1 2]", 3, "`,` or `]`"),
            (r#"{"a" 1}"#, 5, "`:`"),
            (r#"{"a":1,}"#, 7, "the name"),
            (r#"{"a":1 "#, 7, "`,` or `}`"),
            ("nul", 0, "a value is expected"),
            ("01", 0, "not a number"),
            ("[1.e5]", 1, "not a number"),
            ("\"a", 2, "ends within a string"),
            ("\"a\\", 4, "ends within a string"),
            ("\"\\x\"", 0, "escape"),
            ("\"\\ud800\"", 0, "escape"),
            ("\"\n\"", 1, "control character"),
            ("1 1", 2, "follows"),
            (&"[".repeat(101), 100, "deeper than 100"),
        ] {
            let error = Value::parse(text).unwrap_err();
            assert!(error.at == at && error.why.contains(why), "{text:?}: {error}");
        }
        assert!(Value::parse(&format!("{}1{}", "[".repeat(100), "]".repeat(100))).is_ok());
        assert!(Value::parse(&" ".repeat(MAX_BYTES + 1)).unwrap_err().why.contains("16 MiB"));
    }

    #[test]
    fn many_members_are_found_once_each() {
        let mut random = Random::new(1);
        for count in [1, 15, 39, 40, 41, 400] {
            let mut expected: Vec<(String, u64)> = Vec::new();
            let mut text = String::new();
            for n in 0..count {
                let name = format!("m{}", random.below(count));
                text += &format!("{}\"{name}\":{n}", if n > 0 { "," } else { "" });
                match expected.iter_mut().find(|(other, _)| *other == name) {
                    Some(member) => member.1 = n as u64,
                    None => expected.push((name, n as u64)),
                }
            }
            let value = Value::parse(&format!("{{{text}}}")).unwrap();
            let Value::Object(members) = &value else { panic!("{value}") };
            let found: Vec<(String, u64)> = members
                .iter()
                .map(|(name, value)| (name.clone(), value.to_string().parse().unwrap()))
                .collect();
            assert_eq!(found, expected, "{text}");
            assert_eq!(value.get("m0").is_some(), expected.iter().any(|(name, _)| name == "m0"));
        }
    }

    /// Texts cut and changed anywhere: an error or a value, and a value is the same after one more round.
    #[test]
    fn no_text_brings_it_down() {
        let sound = r#"{"a":[1,2.5e3,{"b":"\u00e9\n"}],"c":null,"d":[[],{},true],"é":"ü"}"#;
        let mut random = Random::new(2);
        for _ in 0..20_000 {
            let mut text: Vec<char> = sound.chars().collect();
            for _ in 0..1 + random.below(3) {
                let at = random.below(text.len());
                match random.below(3) {
                    0 if text.len() > 1 => _ = text.remove(at),
                    1 => text.truncate(at + 1),
                    _ => text[at] = ['"', '\\', '[', '}', '1', 'e', '-', 'é'][random.below(8)],
                }
            }
            let text: String = text.into_iter().collect();
            if let Ok(value) = Value::parse(&text) {
                assert_eq!(Value::parse(&value.to_string()).unwrap(), value, "{text}");
            }
            let known: Result<serde_json::Value, _> = serde_json::from_str(&text);
            assert_eq!(known.is_ok(), Value::parse(&text).is_ok(), "{text}");
        }
    }
}
