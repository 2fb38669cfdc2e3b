//! A line of a file, and the entry it stands for.
//!
//! An *entry line* says both by name:
//!
//! ```text
//! {"key": text | "key_base64": text,  "value": any JSON | "value_base64": text | "stored_base64": text}
//! ```
//!
//! `value` is a JSON value, a string being plain bytes; `value_base64` is plain bytes that are not UTF-8. `stored_base64`
//! is for values that a program stored through the library and that the codec of [`Value`] would write otherwise: these
//! bytes are stored as they are. So every database can be written as entry lines and read back, byte for byte. A row of
//! CSV is the same with columns, and `value_json` where the value is JSON and not text; of the columns that say the same
//! thing at most one has content, and none means the empty text.
//!
//! A *document* is any JSON object, or any row. Its key is made of its own members, named by `--key`; its value is the
//! document.
//!
//! (R1) The key of a document has one reading: only its last part may hold the separator.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use siltstone::WriteBatch;
use siltstone::store::Value;
use std::borrow::Cow;

/// An entry, its value in stored form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub key: Vec<u8>,
    /// The value as the engine keeps it.
    pub value: Vec<u8>,
}

/// How a line becomes an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// It is an entry line.
    Entry,
    /// It is a document; its key is made of these members.
    Document {
        /// Their names, at least one.
        members: Vec<String>,
        /// What stands between their texts in the key.
        separator: String,
    },
}

/// The members of an entry line.
const ENTRY_MEMBERS: [&str; 5] = ["key", "key_base64", "value", "value_base64", "stored_base64"];
/// The columns of an entry row, in the order they are written.
pub const ENTRY_COLUMNS: [&str; 6] =
    ["key", "key_base64", "value", "value_json", "value_base64", "stored_base64"];

impl Record {
    /// An entry that keeps to the limits of the store.
    fn new(key: Vec<u8>, value: Vec<u8>) -> Result<Record, String> {
        let mut batch = WriteBatch::new();
        batch.put(&key, &value);
        batch.check().map_err(|e| e.to_string())?;
        Ok(Record { key, value })
    }

    /// The entry that a line of JSON stands for, or why it stands for none.
    pub fn from_json(line: &str, shape: &Shape) -> Result<Record, String> {
        let Members(members) = serde_json::from_str(line).map_err(|e| no_json(&e))?;
        match shape {
            Shape::Entry => json_entry(&members),
            Shape::Document { members: names, separator } => {
                let part = |name: &String| {
                    let value = find(&members, name).ok_or_else(|| format!("no member `{name}`"))?;
                    scalar(value)
                        .ok_or_else(|| format!("`{name}` is neither text nor a number nor a boolean"))
                };
                let key = join_key(names, separator, part)?;
                Record::new(key, Value::Json(line.trim().into()).encode().into_owned())
            }
        }
    }

    /// The entry that a row of a table with these columns stands for, or why it stands for none.
    pub fn from_row(columns: &[String], row: &[&str], shape: &Shape) -> Result<Record, String> {
        if row.len() != columns.len() {
            return Err(format!("{} fields, {} expected", row.len(), columns.len()));
        }
        let field = |name: &str| columns.iter().zip(row).find(|(column, _)| *column == name).map(|(_, f)| *f);
        match shape {
            Shape::Entry => row_entry(field),
            Shape::Document { members, separator } => {
                let part = |name: &String| {
                    field(name).map(Cow::Borrowed).ok_or_else(|| format!("no column `{name}`"))
                };
                let key = join_key(members, separator, part)?;
                let document: serde_json::Map<_, _> =
                    columns.iter().zip(row).map(|(column, text)| (column.clone(), (*text).into())).collect();
                let text = serde_json::Value::Object(document).to_string();
                Record::new(key, Value::Json(text.into()).encode().into_owned())
            }
        }
    }
}

/// Joins the parts of a key (R1).
fn join_key<'a>(
    names: &[String],
    separator: &str,
    part: impl Fn(&String) -> Result<Cow<'a, str>, String>,
) -> Result<Vec<u8>, String> {
    let mut key = String::new();
    for (at, name) in names.iter().enumerate() {
        let text = part(name)?;
        let is_last = at + 1 == names.len();
        if !is_last && (separator.is_empty() || text.contains(separator)) {
            return Err(format!(
                "`{name}` is {text:?}, which holds the separator {separator:?}: choose another"
            ));
        }
        key.push_str(&text);
        if !is_last {
            key.push_str(separator);
        }
    }
    Ok(key.into_bytes())
}

fn json_entry(members: &[(String, &RawValue)]) -> Result<Record, String> {
    if let Some((name, _)) = members.iter().find(|(name, _)| !ENTRY_MEMBERS.contains(&name.as_str())) {
        return Err(format!("`{name}` is no member of an entry: say with --key which member is the key"));
    }
    let text = |name: &str| match find(members, name) {
        Some(value) => string(value.get()).map(Some).map_err(|_| format!("`{name}` is not a string")),
        None => Ok(None),
    };
    let coded = |name| text(name)?.map(|text| from_base64(name, &text)).transpose();
    let value = find(members, "value").map(|value| stored_json(value.get())).transpose();
    let key = only([("key", text("key")?.map(String::into_bytes)), ("key_base64", coded("key_base64")?)])?;
    let value = only([
        ("value", value.map_err(|e| no_json(&e))?),
        ("value_base64", coded("value_base64")?.map(|bytes| stored_bytes(&bytes))),
        ("stored_base64", coded("stored_base64")?),
    ])?;
    Record::new(key.ok_or("no member `key`")?, value.ok_or("no member `value`")?)
}

fn row_entry<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Result<Record, String> {
    let text = |name| field(name).filter(|text| !text.is_empty());
    let coded = |name| text(name).map(|text| from_base64(name, text)).transpose();
    let json = text("value_json").map(stored_json).transpose().map_err(|e| no_json(&e))?;
    let key = only([("key", text("key").map(Vec::from)), ("key_base64", coded("key_base64")?)])?;
    let value = only([
        ("value", text("value").map(|text| stored_bytes(text.as_bytes()))),
        ("value_json", json),
        ("value_base64", coded("value_base64")?.map(|bytes| stored_bytes(&bytes))),
        ("stored_base64", coded("stored_base64")?),
    ])?;
    Record::new(key.unwrap_or_default(), value.unwrap_or_default())
}

/// Whether rows of a table with these columns can become entries; why not, otherwise.
pub fn check_columns(columns: &[String], shape: &Shape) -> Result<(), String> {
    let shown = columns.join(", ");
    if let Some(twice) =
        columns.iter().enumerate().find(|(at, name)| columns.iter().take(*at).any(|c| c == *name))
    {
        return Err(format!("two columns are called `{}`", twice.1));
    }
    match shape {
        Shape::Entry => {
            let known = |name: &&String| ENTRY_COLUMNS.contains(&name.as_str());
            let has_key = columns.iter().any(|name| name == "key" || name == "key_base64");
            if has_key && columns.iter().all(|name| known(&name)) {
                return Ok(());
            }
            Err(format!("say with --key which column is the key; the columns are: {shown}"))
        }
        Shape::Document { members, .. } => match members.iter().find(|name| !columns.contains(name)) {
            Some(name) => Err(format!("there is no column `{name}`; the columns are: {shown}")),
            None => Ok(()),
        },
    }
}

/// The one that is there. Two that say the same thing might say different things.
fn only<const N: usize>(found: [(&str, Option<Vec<u8>>); N]) -> Result<Option<Vec<u8>>, String> {
    let mut there = found.into_iter().filter_map(|(name, bytes)| Some((name, bytes?)));
    match (there.next(), there.next()) {
        (Some((a, _)), Some((b, _))) => Err(format!("both `{a}` and `{b}` are given: keep one of them")),
        (first, _) => Ok(first.map(|(_, bytes)| bytes)),
    }
}

/// The stored form of plain bytes.
pub fn stored_bytes(bytes: &[u8]) -> Vec<u8> {
    Value::Bytes(bytes.into()).encode().into_owned()
}

/// The stored form of a JSON value.
fn stored_json(text: &str) -> serde_json::Result<Vec<u8>> {
    let text = text.trim_ascii();
    if text.starts_with('"') {
        return Ok(stored_bytes(string(text)?.as_bytes()));
    }
    serde_json::from_str::<serde::de::IgnoredAny>(text)?;
    Ok(Value::Json(text.into()).encode().into_owned())
}

fn string(json: &str) -> serde_json::Result<String> {
    serde_json::from_str(json)
}

/// The text of a value that can be part of a key.
fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get().as_bytes().first()? {
        b'"' => string(value.get()).ok().map(Cow::Owned),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(value.get())),
    }
}

fn from_base64(name: &str, text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|e| format!("`{name}` is not base64: {e}"))
}

/// Why a text is not JSON; the line in it is always the first and says nothing.
fn no_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    match error.column() {
        0 => format!("no JSON object: {what}"),
        column => format!("no JSON object: {what}, at column {column}"),
    }
}

fn find<'a>(members: &[(String, &'a RawValue)], name: &str) -> Option<&'a RawValue> {
    // As everywhere in JSON, the last of several with one name counts.
    members.iter().rev().find(|(member, _)| member == name).map(|(_, value)| *value)
}

/// The members of an object in their order, their values unread.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(members: &[&str], separator: &str) -> Shape {
        let members = members.iter().map(ToString::to_string).collect();
        Shape::Document { members, separator: separator.into() }
    }

    #[track_caller]
    fn check(line: &str, shape: &Shape, key: &[u8], value: &[u8]) {
        let expected = Record { key: key.into(), value: value.into() };
        assert_eq!(Record::from_json(line, shape), Ok(expected), "{line}");
    }

    #[track_caller]
    fn refused(line: &str, shape: &Shape, why: &str) {
        let found = Record::from_json(line, shape).unwrap_err();
        assert!(found.contains(why), "{line}: {found}");
    }

    #[test]
    fn entry_lines() {
        let shape = Shape::Entry;
        check(r#"{"key":"k","value":"v"}"#, &shape, b"k", b"v");
        check(r#" { "value" : "\u00e5" , "key" : "" } "#, &shape, b"", "å".as_bytes());
        check(r#"{"key":"k","value":1.0}"#, &shape, b"k", b"\xffJ1.0");
        check(
            r#"{"key":"k","value":123456789012345678901234567890}"#,
            &shape,
            b"k",
            b"\xffJ123456789012345678901234567890",
        );
        check(r#"{"key":"k","value":null}"#, &shape, b"k", b"\xffJnull");
        check(r#"{"key":"k","value":{"b":1, "a":[ ]}}"#, &shape, b"k", b"\xffJ{\"b\":1, \"a\":[ ]}");
        check(r#"{"key_base64":"AP8=","value_base64":"/w=="}"#, &shape, b"\0\xff", b"\xffB\xff");
        check(r#"{"key":"k","stored_base64":"/w=="}"#, &shape, b"k", b"\xff");
        check(r#"{"key":"a","key":"b","value":""}"#, &shape, b"b", b"");
    }

    #[test]
    fn refused_entry_lines_say_why() {
        let shape = Shape::Entry;
        refused("", &shape, "no JSON object: EOF");
        refused("{\"key\":\"k\"", &shape, "no JSON object: EOF while parsing an object, at column 10");
        refused("[1]", &shape, "expected an object");
        refused("{} {}", &shape, "trailing characters");
        refused("{}", &shape, "no member `key`");
        refused(r#"{"key":"k"}"#, &shape, "no member `value`");
        refused(r#"{"key":1,"value":1}"#, &shape, "`key` is not a string");
        refused(r#"{"key":"k","value":1,"id":2}"#, &shape, "`id` is no member of an entry: say with --key");
        refused(r#"{"key":"k","key_base64":"","value":1}"#, &shape, "both `key` and `key_base64`");
        refused(r#"{"key":"k","value_base64":"?"}"#, &shape, "`value_base64` is not base64");
        refused(r#"{"key":"\ud800","value":1}"#, &shape, "`key` is not a string");
        refused(r#"{"key":"k","value":"\ud800"}"#, &shape, "no JSON");
        let long = format!(r#"{{"key":"{}","value":1}}"#, "k".repeat(65_536));
        refused(&long, &shape, "the key has 65536 bytes, at most 65535");
        refused(&"[".repeat(100_000), &shape, "expected an object");
        refused(&format!(r#"{{"key":"k","value":{}"#, "[".repeat(100_000)), &shape, "no JSON");
    }

    #[test]
    fn documents_are_values_as_they_are_written() {
        let line = r#"{"id":7,"country":"no","zip":"0150","ok":true,"tags":[1.50],"none":null} "#;
        let stored = [b"\xffJ", line.trim().as_bytes()].concat();
        check(line, &document(&["id"], ":"), b"7", &stored);
        check(line, &document(&["country", "id", "ok"], ":"), b"no:7:true", &stored);
        check(line, &document(&["country", "zip"], " / "), b"no / 0150", &stored);
        refused(line, &document(&["tags"], ":"), "`tags` is neither text nor a number");
        refused(line, &document(&["none"], ":"), "`none` is neither");
        refused(line, &document(&["nope"], ":"), "no member `nope`");
        refused(line, &document(&["zip", "id"], "5"), "holds the separator");
        refused(line, &document(&["zip", "id"], ""), "holds the separator");
        check(line, &document(&["id", "zip"], "5"), b"750150", &stored);
        refused("1", &document(&["id"], ":"), "expected an object");
    }

    fn row(columns: &[&str], row: &[&str], shape: &Shape) -> Result<Record, String> {
        let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
        check_columns(&columns, shape)?;
        Record::from_row(&columns, row, shape)
    }

    #[test]
    fn rows() {
        let entry = |key: &[u8], value: &[u8]| Ok(Record { key: key.into(), value: value.into() });
        let shape = Shape::Entry;
        assert_eq!(row(&["key", "value"], &["k", "12"], &shape), entry(b"k", b"12"));
        assert_eq!(row(&["value", "key"], &["", ""], &shape), entry(b"", b""));
        let columns = ENTRY_COLUMNS;
        assert_eq!(row(&columns, &["k", "", "", "1.0", "", ""], &shape), entry(b"k", b"\xffJ1.0"));
        assert_eq!(row(&columns, &["", "/w==", "", "", "/w==", ""], &shape), entry(b"\xff", b"\xffB\xff"));
        assert_eq!(row(&columns, &["k", "", "", "", "", "/w=="], &shape), entry(b"k", b"\xff"));
        let refused =
            |found: Result<Record, String>, why: &str| assert!(found.unwrap_err().contains(why), "{why}");
        refused(row(&columns, &["k", "", "v", "1", "", ""], &shape), "both `value` and `value_json`");
        refused(row(&columns, &["k", "", "", "{", "", ""], &shape), "no JSON");
        refused(row(&["key", "value"], &["k"], &shape), "1 fields, 2 expected");
        refused(
            row(&["id", "name"], &["1", "Ada"], &shape),
            "--key which column is the key; the columns are: id, name",
        );
        refused(row(&["key", "key"], &["1", "2"], &shape), "two columns are called `key`");

        let by_id = document(&["country", "id"], "/");
        let stored = [&b"\xffJ"[..], br#"{"id":"7","country":"no"}"#].concat();
        assert_eq!(row(&["id", "country"], &["7", "no"], &by_id), entry(b"no/7", &stored));
        refused(row(&["id"], &["7"], &by_id), "no column `country`; the columns are: id");
    }
}
