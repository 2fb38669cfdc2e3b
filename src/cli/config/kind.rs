//! What a setting may be, and how it is read and shown.
//!
//! A file gives typed values and the environment gives text; both become a [`Raw`], so that there is one set of rules.

use super::units;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What a setting may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// True or false.
    Flag,
    /// A whole number between these, both included.
    Count { least: u64, most: u64 },
    /// Bytes, as "64 MiB", between these.
    Size { least: u64, most: u64 },
    /// A length of time, as "10s", between these.
    Duration { least: Duration, most: Duration },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Text that passes a check.
    Text(Check),
    /// Up to so many texts that pass a check; one alone needs no brackets. In the environment commas part them.
    List { most: usize, check: Check },
    /// A path of the file system.
    Path,
    /// Text that is never shown. It can be given by the name of a file that holds it: in the environment and in a file the
    /// name of the setting then ends with `_FILE`, or `_file`.
    Secret,
}

/// Says what is wrong with a text.
pub type Check = fn(&str) -> Result<(), String>;

/// What a setting is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Flag(bool),
    Count(u64),
    Size(u64),
    Duration(Duration),
    Text(String),
    List(Vec<String>),
    Path(PathBuf),
    Secret(Secret),
}

/// A text that does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text. Nothing that is logged or printed may have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A value as it was given, before anybody asked what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    Flag(bool),
    Whole(String),
    Text(String),
    List(Vec<Raw>),
    /// Something that no setting is, by its name.
    Other(&'static str),
}

impl Raw {
    fn name(&self) -> &'static str {
        match self {
            Raw::Flag(_) => "true or false",
            Raw::Whole(_) => "a number",
            Raw::Text(_) => "text",
            Raw::List(_) => "a list",
            Raw::Other(name) => name,
        }
    }
}

impl Kind {
    /// Reads a value.
    pub fn read(&self, raw: &Raw) -> Result<Value, String> {
        match (self, raw) {
            (Kind::Flag, Raw::Flag(flag)) => Ok(Value::Flag(*flag)),
            (Kind::Count { least, most }, Raw::Whole(digits)) => {
                let number = digits.parse().ok().filter(|n| (least..=most).contains(&n));
                number.map(Value::Count).ok_or_else(|| format!("{digits} is not {self}"))
            }
            (Kind::Size { .. }, Raw::Whole(text) | Raw::Text(text)) => self.read_size(text),
            (Kind::Duration { .. }, Raw::Text(text)) => self.read_duration(text),
            (Kind::Choice(words), Raw::Text(text)) => match words.contains(&text.as_str()) {
                true => Ok(Value::Text(text.clone())),
                false => Err(format!("`{text}` is not {self}")),
            },
            (Kind::Text(check), Raw::Text(text)) => check(text).map(|()| Value::Text(text.clone())),
            (Kind::List { .. }, Raw::Text(text)) => self.read_list(&[Raw::Text(text.clone())]),
            (Kind::List { .. }, Raw::List(list)) => self.read_list(list),
            (Kind::Path, Raw::Text(text)) if text.is_empty() => Err("a path is needed".into()),
            (Kind::Path, Raw::Text(text)) => Ok(Value::Path(text.into())),
            (Kind::Secret, Raw::Text(text)) => Kind::read_secret(text),
            _ => Err(format!("this is {}, and {self} is needed", raw.name())),
        }
    }

    /// Reads a value where there is only text, such as the environment.
    pub fn read_text(&self, text: &str) -> Result<Value, String> {
        let raw = match self {
            Kind::Flag => text.parse().map_or_else(|_| Raw::Text(text.into()), Raw::Flag),
            Kind::Count { .. } => Raw::Whole(text.into()),
            Kind::List { .. } => {
                Raw::List(text.split(',').map(|part| Raw::Text(part.trim().into())).collect())
            }
            _ => Raw::Text(text.into()),
        };
        self.read(&raw)
    }

    /// Reads what a file with a secret holds. Editors end a file with a line end that nobody means.
    pub fn read_secret(text: &str) -> Result<Value, String> {
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err("the secret is empty".into()),
            text => Ok(Value::Secret(Secret(text.into()))),
        }
    }

    fn read_size(&self, text: &str) -> Result<Value, String> {
        let bytes = units::size(text).map_err(|error| format!("`{text}` is no size: {error}"))?;
        match self {
            Kind::Size { least, most } if !(least..=most).contains(&&bytes) => {
                Err(format!("{text} is not {self}"))
            }
            _ => Ok(Value::Size(bytes)),
        }
    }

    fn read_duration(&self, text: &str) -> Result<Value, String> {
        let duration = units::duration(text).map_err(|error| format!("`{text}` is no duration: {error}"))?;
        match self {
            Kind::Duration { least, most } if !(least..=most).contains(&&duration) => {
                Err(format!("{text} is not {self}"))
            }
            _ => Ok(Value::Duration(duration)),
        }
    }

    fn read_list(&self, list: &[Raw]) -> Result<Value, String> {
        let Kind::List { most, check } = self else { return Err("this is no list".into()) };
        if list.is_empty() || list.len() > *most {
            return Err(format!("{} were given, and {self} is needed", list.len()));
        }
        let text = |raw: &Raw| match raw {
            Raw::Text(text) => check(text).map(|()| text.clone()),
            other => Err(format!("this is {}, and text is needed", other.name())),
        };
        list.iter().map(text).collect::<Result<_, _>>().map(Value::List)
    }
}

/// What is needed, to stand in a sentence and in the reference.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Flag => f.write_str("true or false"),
            Kind::Count { least, most } => write!(f, "a number from {least} to {most}"),
            Kind::Size { least, most } => {
                write!(f, "a size from {} to {}", units::show_size(*least), units::show_size(*most))
            }
            Kind::Duration { least, most } => {
                let (least, most) = (units::show_duration(*least), units::show_duration(*most));
                write!(f, "a duration from {least} to {most}")
            }
            Kind::Choice(words) => write!(f, "one of {}", words.join(", ")),
            Kind::Text(_) => f.write_str("text"),
            Kind::List { most: 1, .. } => f.write_str("one text"),
            Kind::List { most, .. } => write!(f, "a list of 1 to {most} texts"),
            Kind::Path => f.write_str("a path"),
            Kind::Secret => f.write_str("a secret"),
        }
    }
}

/// As it would stand in a file; a secret does not show itself.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Count(count) => write!(f, "{count}"),
            Value::Size(bytes) => f.write_str(&quote(&units::show_size(*bytes))),
            Value::Duration(duration) => f.write_str(&quote(&units::show_duration(*duration))),
            Value::Text(text) => f.write_str(&quote(text)),
            Value::List(list) => match list.as_slice() {
                [one] => f.write_str(&quote(one)),
                all => write!(f, "[{}]", all.iter().map(|text| quote(text)).collect::<Vec<_>>().join(", ")),
            },
            Value::Path(path) => f.write_str(&quote(&path.to_string_lossy())),
            Value::Secret(_) => f.write_str("(a secret)"),
        }
    }
}

/// A string of TOML: that of JSON but for one character, which JSON leaves as it is and TOML forbids.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: Kind = Kind::Count { least: 1, most: 9 };
    const LIST: Kind =
        Kind::List { most: 2, check: |text| text.parse::<u8>().map(drop).map_err(|_| "no".into()) };

    #[test]
    fn every_kind_reads_what_it_shows() {
        let minute = Duration::from_secs(60);
        let cases = [
            (Kind::Flag, "true", "true"),
            (COUNT, "9", "9"),
            (Kind::Size { least: 0, most: 1 << 40 }, "64MiB", "\"64 MiB\""),
            (Kind::Duration { least: Duration::ZERO, most: minute }, "60s", "\"1min\""),
            (Kind::Choice(&["a", "b"]), "b", "\"b\""),
            (Kind::Text(|_| Ok(())), "a \"b\"\\\u{7f}", r#""a \"b\"\\\u007F""#),
            (LIST, "1, 2", r#"["1", "2"]"#),
            (LIST, "1", "\"1\""),
            (Kind::Path, "a/b", "\"a/b\""),
            (Kind::Secret, "hunter2\n", "(a secret)"),
        ];
        for (kind, text, shown) in cases {
            let value = kind.read_text(text).unwrap();
            assert_eq!(value.to_string(), shown);
            assert!(!format!("{value:?}").contains("hunter2"));
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_needed() {
        let day = Duration::from_secs(86_400);
        let cases = [
            (Kind::Flag, "yes", "this is text, and true or false is needed"),
            (COUNT, "0", "0 is not a number from 1 to 9"),
            (COUNT, "-1", "-1 is not a number from 1 to 9"),
            (COUNT, "99999999999999999999", "is not a number from 1 to 9"),
            (Kind::Size { least: 1024, most: 2048 }, "1", "1 is not a size from 1 KiB to 2 KiB"),
            (Kind::Size { least: 0, most: 1 }, "x", "`x` is no size"),
            (Kind::Duration { least: day, most: day }, "1s", "1s is not a duration from 24h to 24h"),
            (Kind::Duration { least: day, most: day }, "1", "`1` is no duration"),
            (Kind::Choice(&["a", "b"]), "c", "`c` is not one of a, b"),
            (Kind::Text(|_| Err("no".into())), "c", "no"),
            (LIST, "1,x", "no"),
            (LIST, "1,2,3", "3 were given, and a list of 1 to 2 texts is needed"),
            (Kind::Path, "", "a path is needed"),
            (Kind::Secret, "\n", "the secret is empty"),
        ];
        for (kind, text, why) in cases {
            let error = kind.read_text(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        for (kind, raw) in [
            (Kind::Flag, Raw::Whole("1".into())),
            (COUNT, Raw::Text("1".into())),
            (LIST, Raw::Flag(true)),
            (Kind::Path, Raw::Other("a date")),
        ] {
            assert!(kind.read(&raw).unwrap_err().contains("is needed"));
        }
    }
}
