//! Replies as text: for people as redis-cli shows them, bare for programs, or as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value as Json, json};
use siltstone::client::Value;
use std::fmt::Write;
use std::io;

/// The format of verbatim text that is JSON. It is longer than those that come over the wire, so none of them is taken for it.
pub const JSON: &str = "json";

/// How replies are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With their kinds, quoted: `(integer) 1`, `"a\x00"`.
    People,
    /// The bytes themselves, each item on a line.
    Raw,
    /// One JSON value a line. Bytes that are no text are `{"base64": …}`, an error is `{"error": …}`.
    Json,
}

/// Writes a reply, with a line end.
pub fn write(out: &mut dyn io::Write, value: &Value, form: Form) -> io::Result<()> {
    match form {
        Form::People => out.write_all(people(value, "").as_bytes())?,
        Form::Raw => raw(out, value)?,
        Form::Json => serde_json::to_writer(&mut *out, &as_json(value))?,
    }
    out.write_all(b"\n")
}

/// A reply as redis-cli shows it. What is of several lines begins all but the first with `indent`.
fn people(value: &Value, indent: &str) -> String {
    match value {
        Value::Null => "(nil)".into(),
        Value::Bool(truth) => format!("({truth})"),
        Value::Int(number) => format!("(integer) {number}"),
        Value::Double(number) => format!("(double) {number}"),
        Value::BigNumber(digits) => format!("(big number) {digits}"),
        Value::Text(text) => escaped(text.as_bytes(), Keep::Quotes),
        Value::Bytes(bytes) => format!("\"{}\"", escaped(bytes, Keep::Nothing)),
        Value::Verbatim { text, .. } => escaped(text, Keep::Lines).trim_end().to_string(),
        Value::Error { code, message } => {
            format!("(error) {}", escaped(error(code, message).as_bytes(), Keep::Quotes))
        }
        Value::List(items) => list(items, ")", "(empty array)", indent),
        Value::Set(items) => list(items, "~", "(empty set)", indent),
        Value::Push(items) => list(items, ">", "(empty push)", indent),
        Value::Map(pairs) if pairs.is_empty() => "(empty hash)".into(),
        Value::Map(pairs) => numbered(pairs.len(), "#", indent, |at, inner| {
            let (name, value) = pairs.get(at).unwrap_or(&(Value::Null, Value::Null));
            format!("{} => {}", people(name, inner), people(value, inner))
        }),
        _ => "(something that this program does not know)".into(),
    }
}

fn list(items: &[Value], sign: &str, empty: &str, indent: &str) -> String {
    match items {
        [] => empty.into(),
        items => numbered(items.len(), sign, indent, |at, inner| {
            items.get(at).map(|item| people(item, inner)).unwrap_or_default()
        }),
    }
}

/// Items below each other, each with its number.
fn numbered(count: usize, sign: &str, indent: &str, item: impl Fn(usize, &str) -> String) -> String {
    let width = count.to_string().len();
    let inner = format!("{indent}{}", " ".repeat(width + sign.len() + 1));
    let mut out = String::new();
    for at in 0..count {
        if at > 0 {
            out.push('\n');
            out.push_str(indent);
        }
        // Writing into a string cannot fail.
        let _ = write!(out, "{:>width$}{sign} {}", at + 1, item(at, &inner));
    }
    out
}

/// What stays as it is although it could be written otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Nothing: between quotes.
    Nothing,
    /// Quotes and backslashes.
    Quotes,
    /// These and line ends.
    Lines,
}

/// Bytes as text that cannot do anything to a terminal.
fn escaped(bytes: &[u8], keep: Keep) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' if keep == Keep::Nothing => out.extend(['\\', c]),
                '\n' | '\t' if keep == Keep::Lines => out.push(c),
                '\r' if keep == Keep::Lines => {}
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{7}' => out.push_str("\\a"),
                '\u{8}' => out.push_str("\\b"),
                c if c.is_control() => hex(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.push(c),
            }
        }
        hex(&mut out, chunk.invalid());
    }
    out
}

fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// An error in one piece.
pub fn error(code: &str, message: &str) -> String {
    if message.is_empty() { code.into() } else { format!("{code} {message}") }
}

fn raw(out: &mut dyn io::Write, value: &Value) -> io::Result<()> {
    match value {
        Value::Null => Ok(()),
        Value::Bool(truth) => write!(out, "{truth}"),
        Value::Int(number) => write!(out, "{number}"),
        Value::Double(number) => write!(out, "{number}"),
        Value::Error { code, message } => out.write_all(error(code, message).as_bytes()),
        Value::List(items) | Value::Set(items) | Value::Push(items) => lines(out, items.iter()),
        Value::Map(pairs) => lines(out, pairs.iter().flat_map(|(name, value)| [name, value])),
        text => out.write_all(text.as_bytes().unwrap_or_default()),
    }
}

fn lines<'a>(out: &mut dyn io::Write, items: impl Iterator<Item = &'a Value>) -> io::Result<()> {
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.write_all(b"\n")?;
        }
        raw(out, item)?;
    }
    Ok(())
}

fn as_json(value: &Value) -> Json {
    match value {
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(number) => json!(number),
        // A number that JSON has no words for is text.
        Value::Double(number) => {
            Number::from_f64(*number).map_or_else(|| json!(number.to_string()), Json::Number)
        }
        Value::BigNumber(digits) => json!(digits),
        Value::List(items) | Value::Set(items) | Value::Push(items) => items.iter().map(as_json).collect(),
        Value::Map(pairs) => object(pairs).unwrap_or_else(|| {
            pairs.iter().map(|(name, value)| json!([as_json(name), as_json(value)])).collect()
        }),
        Value::Error { code, message } => json!({"error": {"code": code, "message": message}}),
        Value::Verbatim { format, text } if format == JSON => {
            serde_json::from_slice(text).unwrap_or(Json::Null)
        }
        other => match (other.as_text(), other.as_bytes()) {
            (Some(text), _) => json!(text),
            (None, Some(bytes)) => json!({"base64": STANDARD.encode(bytes)}),
            (None, None) => Json::Null,
        },
    }
}

/// An object, if all names are text and none stands twice.
fn object(pairs: &[(Value, Value)]) -> Option<Json> {
    let mut members = Map::new();
    for (name, value) in pairs {
        if members.insert(name.as_text()?.to_string(), as_json(value)).is_some() {
            return None;
        }
    }
    Some(Json::Object(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Value {
        Value::Bytes(text.as_bytes().to_vec())
    }

    fn shown(value: &Value, form: Form) -> String {
        let mut out = Vec::new();
        write(&mut out, value, form).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_see_what_redis_cli_shows() {
        let nested = Value::List(vec![
            Value::List(vec![bytes("a"), Value::List(vec![Value::Int(1), Value::Null])]),
            Value::Map(vec![(bytes("k"), bytes("v")), (bytes("l"), Value::List(vec![]))]),
        ]);
        let wanted = "1) 1) \"a\"\n   2) 1) (integer) 1\n      2) (nil)\n2) 1# \"k\" => \"v\"\n   2# \"l\" => (empty array)\n";
        assert_eq!(shown(&nested, Form::People), wanted);
        let ten = Value::Set((1..=10).map(Value::Int).collect());
        assert!(shown(&ten, Form::People).starts_with(" 1~ (integer) 1\n 2~ "));
        for (value, wanted) in [
            (Value::Text("OK".into()), "OK"),
            (Value::Bytes(b"q\x00\xff\n\"\\\xc3\xa5".to_vec()), r#""q\x00\xff\n\"\\å""#),
            (Value::Text("bell\u{7} \u{1b}[31m".into()), "bell\\a \\x1b[31m"),
            (Value::Error { code: "ERR".into(), message: "no 'x'".into() }, "(error) ERR no 'x'"),
            (Value::Double(1.5), "(double) 1.5"),
            (Value::Bool(true), "(true)"),
            (Value::Verbatim { format: "txt".into(), text: b"a\r\nb\r\n".to_vec() }, "a\nb"),
            (Value::Map(vec![]), "(empty hash)"),
        ] {
            assert_eq!(shown(&value, Form::People), format!("{wanted}\n"));
        }
    }

    #[test]
    fn programs_get_bytes_or_json() {
        let value = Value::List(vec![
            bytes("a\"b"),
            Value::Null,
            Value::Int(-1),
            Value::Map(vec![(bytes("k"), Value::Bytes(vec![0xff]))]),
        ]);
        assert_eq!(shown(&Value::Null, Form::Raw), "\n");
        assert_eq!(shown(&value, Form::Json), "[\"a\\\"b\",null,-1,{\"k\":{\"base64\":\"/w==\"}}]\n");
        let mut out = Vec::new();
        write(&mut out, &value, Form::Raw).unwrap();
        assert_eq!(out, b"a\"b\n\n-1\nk\n\xff\n");
        let twice = Value::Map(vec![(bytes("k"), Value::Int(1)), (bytes("k"), Value::Double(f64::INFINITY))]);
        assert_eq!(shown(&twice, Form::Json), "[[\"k\",1],[\"k\",\"inf\"]]\n");
        let failed = Value::Error { code: "ERR".into(), message: "no".into() };
        assert_eq!(shown(&failed, Form::Json), "{\"error\":{\"code\":\"ERR\",\"message\":\"no\"}}\n");
    }
}
