//! A line becomes a request.
//!
//! ```text
//! {"command":"put","key":K,"value":V}
//! {"command":"read","key":K}
//! {"command":"read_key_range","start_key":A,"end_key":B}         also "limit":n, "reverse":bool
//! {"command":"batch_put","keys":[K...],"values":[V...]}
//! {"command":"delete","key":K}
//! {"command":"ping"}
//! ```
//!
//! One pass finds the members and leaves their values as text; each command then looks at those it needs. Of two
//! members with one name the later counts; members nobody asked for are ignored; null is as good as absent.

use super::compact::compact;
use super::refusal::Refusal;
use super::text::{MAX_DEPTH, elements, has_lone_surrogate, too_deep};
use crate::protocol::{Pairs, RangeRequest, Request};
use crate::store::Value;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// How many pairs a batch may have: others wait while all of them are written.
pub const MAX_PAIRS: usize = 100_000;

/// How much of an unknown command is repeated to the client.
const MAX_ECHO_CHARS: usize = 256;

/// The request on a line, which is not blank.
pub(super) fn parse(line: &[u8]) -> Result<Request<'_>, Refusal> {
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(_) if is_http(line) => return Err(Refusal::Http),
        Err(error) => return Err(Refusal::InvalidJson(error.to_string())),
    };
    if too_deep(line) {
        return Err(Refusal::InvalidJson(format!("nested deeper than {MAX_DEPTH} levels")));
    }
    if has_lone_surrogate(line) {
        return Err(Refusal::InvalidJson("half of a surrogate pair in a \\u escape".into()));
    }
    if !text.starts_with('{') {
        return Err(not_an_object(text));
    }
    let members = serde_json::from_str::<Members<'_>>(text).map_err(invalid)?;
    members.request()
}

fn invalid(error: serde_json::Error) -> Refusal {
    Refusal::InvalidJson(error.to_string())
}

fn not_an_object(text: &str) -> Refusal {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Refusal::NotAnObject,
        Err(_) if is_http(text.as_bytes()) => Refusal::Http,
        Err(error) => invalid(error),
    }
}

/// True for the first line of an HTTP request and for its `Host` header (J5).
fn is_http(line: &[u8]) -> bool {
    let begins = |word: &[u8]| line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    begins(b"POST ") || begins(b"Host:") || version.starts_with(b"HTTP/")
}

/// The members of a request, as text.
#[derive(Default)]
struct Members<'a> {
    command: Option<&'a RawValue>,
    key: Option<&'a RawValue>,
    value: Option<&'a RawValue>,
    start_key: Option<&'a RawValue>,
    end_key: Option<&'a RawValue>,
    keys: Option<&'a RawValue>,
    values: Option<&'a RawValue>,
    limit: Option<&'a RawValue>,
    reverse: Option<&'a RawValue>,
}

impl<'a> Members<'a> {
    fn request(&self) -> Result<Request<'a>, Refusal> {
        let Some(command) = present(self.command) else {
            return Err(Refusal::UnknownCommand("None".into()));
        };
        let command = string(command)?.unwrap_or(Cow::Borrowed(command));
        match &*command {
            "read" => Ok(Request::Get { key: self.key()? }),
            "put" => self.put(),
            "read_key_range" => self.range(),
            "batch_put" => self.batch(),
            "delete" => Ok(Request::Delete { key: self.key()? }),
            "ping" => Ok(Request::Ping),
            unknown => Err(Refusal::UnknownCommand(unknown.chars().take(MAX_ECHO_CHARS).collect())),
        }
    }

    fn key(&self) -> Result<Cow<'a, [u8]>, Refusal> {
        key(present(self.key).ok_or(Refusal::MissingKey)?)
    }

    fn put(&self) -> Result<Request<'a>, Refusal> {
        let (Some(k), Some(v)) = (present(self.key), present(self.value)) else {
            return Err(Refusal::MissingKeyOrValue);
        };
        Ok(Request::Put { key: key(k)?, value: value(v)? })
    }

    fn range(&self) -> Result<Request<'a>, Refusal> {
        let (Some(start), Some(end)) = (present(self.start_key), present(self.end_key)) else {
            return Err(Refusal::MissingEnds);
        };
        let limit = match present(self.limit) {
            Some(limit) => Some(limit.parse().map_err(|_| Refusal::BadLimit)?),
            None => None,
        };
        let reverse = match present(self.reverse) {
            Some(reverse) => reverse.parse().map_err(|_| Refusal::BadReverse)?,
            None => false,
        };
        Ok(Request::Range(RangeRequest { start: key(start)?, end: key(end)?, limit, reverse }))
    }

    fn batch(&self) -> Result<Request<'a>, Refusal> {
        let (Some(keys), Some(values)) = (present(self.keys), present(self.values)) else {
            return Err(Refusal::MissingKeysOrValues);
        };
        let (Some(mut keys), Some(mut values)) = (elements(keys), elements(values)) else {
            return Err(Refusal::NotArrays);
        };
        let mut pairs = Pairs::new();
        loop {
            match (keys.next(), values.next()) {
                (Some(_), Some(_)) if pairs.len() == MAX_PAIRS => return Err(Refusal::BatchTooLong),
                (Some(k), Some(v)) => pairs.push(&key(k)?, &value(v)?),
                (None, None) => return Ok(Request::Batch(pairs)),
                _ => return Err(Refusal::BatchLengths),
            }
        }
    }
}

/// The text of a member that is there and not null.
fn present(member: Option<&RawValue>) -> Option<&str> {
    member.map(RawValue::get).filter(|text| *text != "null")
}

fn key(text: &str) -> Result<Cow<'_, [u8]>, Refusal> {
    string(text)?.map(into_bytes).ok_or(Refusal::KeyNotString)
}

fn value(text: &str) -> Result<Value<'_>, Refusal> {
    Ok(match string(text)? {
        Some(string) => Value::Bytes(into_bytes(string)),
        None => Value::Json(compact(text)),
    })
}

/// The characters of a JSON string, or `None` when `text` is another value. Borrowed when there is no escape.
fn string(text: &str) -> Result<Option<Cow<'_, str>>, Refusal> {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Ok(None);
    };
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Ok(Some(Cow::Borrowed(inner)));
    }
    serde_json::from_str(text).map(|string| Some(Cow::Owned(string))).map_err(invalid)
}

fn into_bytes(string: Cow<'_, str>) -> Cow<'_, [u8]> {
    match string {
        Cow::Borrowed(string) => Cow::Borrowed(string.as_bytes()),
        Cow::Owned(string) => Cow::Owned(string.into_bytes()),
    }
}

/// Which member a name means. Deserialized without keeping the name.
enum Name {
    Command,
    Key,
    Value,
    StartKey,
    EndKey,
    Keys,
    Values,
    Limit,
    Reverse,
    Other,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "command" => Name::Command,
                    "key" => Name::Key,
                    "value" => Name::Value,
                    "start_key" => Name::StartKey,
                    "end_key" => Name::EndKey,
                    "keys" => Name::Keys,
                    "values" => Name::Values,
                    "limit" => Name::Limit,
                    "reverse" => Name::Reverse,
                    _ => Name::Other,
                })
            }
        }
        deserializer.deserialize_identifier(NameVisitor)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'de>, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members::default();
                while let Some(name) = map.next_key()? {
                    let slot = match name {
                        Name::Command => &mut members.command,
                        Name::Key => &mut members.key,
                        Name::Value => &mut members.value,
                        Name::StartKey => &mut members.start_key,
                        Name::EndKey => &mut members.end_key,
                        Name::Keys => &mut members.keys,
                        Name::Values => &mut members.values,
                        Name::Limit => &mut members.limit,
                        Name::Reverse => &mut members.reverse,
                        Name::Other => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    // Assigned each time it comes: the last member of a name wins.
                    *slot = Some(map.next_value()?);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}
