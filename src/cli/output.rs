//! Entries as lines, for people and for [`input`](super::input).

use super::input::Format;
use super::record::{ENTRY_COLUMNS, stored_bytes};
use super::text;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use siltstone::store::Value;
use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};

/// Standard output, written in large pieces. Flush it at the end: dropping it would hide a failure.
pub fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}

/// Prints a report, for people or as JSON.
pub fn report<R: Serialize + Display>(report: &R, json: bool) -> io::Result<()> {
    let mut out = stdout();
    if json {
        serde_json::to_writer_pretty(&mut out, report)?;
        writeln!(out)?;
    } else {
        write!(out, "{report}")?;
    }
    out.flush()
}

/// One line, with every member that is there.
#[derive(Serialize, Default)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Member<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_base64: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Member<'a> {
    Text(&'a str),
    Json(&'a RawValue),
}

impl<'a> Line<'a> {
    fn new(key: &'a [u8]) -> Line<'a> {
        let text = std::str::from_utf8(key).ok();
        let key_base64 = text.is_none().then(|| STANDARD.encode(key));
        Line { key: text, key_base64, ..Line::default() }
    }

    /// The line of an entry. What would not read back byte for byte is written as it is stored.
    fn of_entry(key: &'a [u8], stored: &'a [u8]) -> Line<'a> {
        let line = Line::new(key);
        let decoded = Value::decode(stored);
        if let Value::Json(json) = &decoded
            && let Some(json) = one_line(json, stored)
        {
            return Line { value: Some(Member::Json(json)), ..line };
        }
        match decoded {
            Value::Bytes(bytes) if stored_bytes(&bytes) == stored => match std::str::from_utf8(stored) {
                Ok(text) => Line { value: Some(Member::Text(text)), ..line },
                Err(_) => Line { value_base64: Some(STANDARD.encode(bytes)), ..line },
            },
            _ => Line { stored_base64: Some(STANDARD.encode(stored)), ..line },
        }
    }

    /// The fields of a row, in the order of [`ENTRY_COLUMNS`].
    fn row(&self) -> [&str; ENTRY_COLUMNS.len()] {
        let (text, json) = match &self.value {
            Some(Member::Text(text)) => (*text, ""),
            Some(Member::Json(json)) => ("", json.get()),
            None => ("", ""),
        };
        [
            self.key.unwrap_or_default(),
            self.key_base64.as_deref().unwrap_or_default(),
            text,
            json,
            self.value_base64.as_deref().unwrap_or_default(),
            self.stored_base64.as_deref().unwrap_or_default(),
        ]
    }
}

/// The text that `stored` ends with as JSON, unless reading it back from a line would change a byte.
fn one_line<'a>(json: &str, stored: &'a [u8]) -> Option<&'a RawValue> {
    let text = std::str::from_utf8(stored.get(stored.len() - json.len()..)?).ok()?;
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    (raw.get().len() == text.len() && !text.contains(['\n', '\r'])).then_some(raw)
}

/// Writes entries so that `load` reads them back, byte for byte.
pub enum Writer<W: Write> {
    /// One JSON object a line.
    Ndjson(W),
    /// Rows below a line of column names.
    Table(Box<csv::Writer<W>>),
}

impl<W: Write> Writer<W> {
    /// Writes to `out`, beginning with the column names if the format has them.
    pub fn new(out: W, format: Format) -> io::Result<Writer<W>> {
        match format {
            Format::Ndjson => Ok(Writer::Ndjson(out)),
            Format::Csv | Format::Tsv => {
                let mut table = csv::WriterBuilder::new().delimiter(format.delimiter()).from_writer(out);
                table.write_record(ENTRY_COLUMNS).map_err(io_error)?;
                Ok(Writer::Table(Box::new(table)))
            }
        }
    }

    /// Writes an entry.
    pub fn entry(&mut self, key: &[u8], stored: &[u8]) -> io::Result<()> {
        let line = Line::of_entry(key, stored);
        match self {
            Writer::Ndjson(out) => json_line(out, &line),
            Writer::Table(table) => table.write_record(line.row()).map_err(io_error),
        }
    }

    /// Hands all of it to the system.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Writer::Ndjson(mut out) => out.flush(),
            Writer::Table(mut table) => table.flush(),
        }
    }
}

/// The system's own error, whose kind tells a reader that went away (L4) from a full disk.
fn io_error(error: csv::Error) -> io::Error {
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::Error::other(text),
    }
}

/// Writes an entry, or its key alone, as a line of JSON.
pub fn ndjson(out: &mut impl Write, key: &[u8], stored: Option<&[u8]>) -> io::Result<()> {
    match stored {
        Some(stored) => json_line(out, &Line::of_entry(key, stored)),
        None => json_line(out, &Line::new(key)),
    }
}

fn json_line(out: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Writes an entry, or its key alone, as a line for people: both as [`text`] shows them, a tab between them.
pub fn line(out: &mut impl Write, key: &[u8], stored: Option<&[u8]>) -> io::Result<()> {
    out.write_all(text::show(key).as_bytes())?;
    if let Some(stored) = stored {
        let value = match Value::decode(stored) {
            Value::Bytes(bytes) => text::show(&bytes),
            Value::Json(json) => json.replace(['\n', '\r', '\t'], " "),
            Value::Hash(hash) => format!("(hash of {} fields)", hash.fields),
        };
        out.write_all(b"\t")?;
        out.write_all(value.as_bytes())?;
    }
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::super::input::{self, Sink};
    use super::super::record::{Record, Shape};
    use super::*;

    const ENTRIES: [(&[u8], &[u8]); 13] = [
        (b"", b""),
        (b"a", b"text"),
        (b"b", b"12"),
        (b"c", b"\xffJ12"),
        (b"d", b"\xffJ{\"a\":1.0, \"b\":[null]}"),
        (b"e", b"\xffJ{\n}"),
        (b"f", b"\xffJ 1"),
        (b"g", b"\xffB\xff"),
        (b"h", b"\xff\xd8\xff\xe0"),
        (b"i", b"\x80\x81"),
        (b"j\xff\0", b"\0"),
        (b"k\t\"\n", b"line\r\nline, \"quoted\"\t'x'\\"),
        ("ø".as_bytes(), "\u{1f30a}".as_bytes()),
    ];

    fn written(format: Format) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, format).unwrap();
        ENTRIES.iter().for_each(|(key, stored)| writer.entry(key, stored).unwrap());
        writer.finish().unwrap();
        out
    }

    struct Compare(usize);

    impl Sink for Compare {
        fn take(&mut self, line: u64, entry: Result<Record, String>) -> anyhow::Result<()> {
            let (key, value) = ENTRIES[self.0];
            assert_eq!(entry, Ok(Record { key: key.into(), value: value.into() }), "line {line}");
            self.0 += 1;
            Ok(())
        }
    }

    #[test]
    fn what_is_written_reads_back_byte_for_byte() {
        for format in [Format::Ndjson, Format::Csv, Format::Tsv] {
            let mut compare = Compare(0);
            input::read(&written(format)[..], format, &Shape::Entry, &mut compare).unwrap();
            assert_eq!(compare.0, ENTRIES.len(), "{format:?}");
        }
    }

    #[test]
    fn golden_lines() {
        let text = String::from_utf8(written(Format::Ndjson)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), ENTRIES.len());
        assert_eq!(lines[1], r#"{"key":"a","value":"text"}"#);
        assert_eq!(lines[4], r#"{"key":"d","value":{"a":1.0, "b":[null]}}"#);
        assert_eq!(lines[5], r#"{"key":"e","stored_base64":"/0p7Cn0="}"#);
        assert_eq!(lines[7], r#"{"key":"g","value_base64":"/w=="}"#);
        assert_eq!(lines[10], r#"{"key_base64":"av8A","value":"\u0000"}"#);
        let table = String::from_utf8(written(Format::Csv)).unwrap();
        assert!(
            table.starts_with(
                "key,key_base64,value,value_json,value_base64,stored_base64\n,,,,,\na,,text,,,\n"
            )
        );
    }

    #[test]
    fn lines_for_people_are_one_line_each() {
        let mut out = Vec::new();
        ENTRIES.iter().for_each(|(key, stored)| line(&mut out, key, Some(stored)).unwrap());
        line(&mut out, b"key", None).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), ENTRIES.len() + 1);
        assert_eq!(lines[4], "d\t{\"a\":1.0, \"b\":[null]}");
        assert_eq!(lines[10], "j\\xff\\x00\t\\x00");
        assert_eq!(lines[13], "key");
        let mut json = Vec::new();
        ndjson(&mut json, b"\xff", None).unwrap();
        assert_eq!(json, b"{\"key_base64\":\"/w==\"}\n");
    }
}
