//! Files of lines: NDJSON, CSV and TSV.
//!
//! Lines are read one by one and handed to a sink with their number, as an entry or as the reason why there is none.
//! A byte order mark at the beginning and empty lines are skipped.
//!
//! (I1) A line that cannot be read never ends the reading of its file; only the disk, a table without the wanted columns,
//!      and the sink can.

use super::record::{Record, Shape, check_columns};
use anyhow::{Context, bail};
use std::io::{BufRead, Read};

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A JSON object on each line.
    Ndjson,
    /// Comma-separated values, with a line of column names.
    Csv,
    /// Tab-separated values, with a line of column names; quoting as in CSV.
    Tsv,
}

impl Format {
    /// What the ending of a file's name says.
    pub fn of_name(name: &str) -> Format {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Format::Csv,
            "tsv" | "tab" => Format::Tsv,
            _ => Format::Ndjson,
        }
    }

    /// What stands between two fields.
    pub fn delimiter(self) -> u8 {
        if self == Format::Tsv { b'\t' } else { b',' }
    }
}

/// What takes the entries of a file: called with the number of the line, and the entry or why there is none.
pub trait Sink {
    /// Takes one.
    fn take(&mut self, line: u64, entry: Result<Record, String>) -> anyhow::Result<()>;
}

/// The longest line that is read. An entry of the largest size fits into it, written as base64.
const MAX_LINE: u64 = 1 << 31;

/// Hands every entry of `input` to `sink`.
pub fn read(input: impl BufRead, format: Format, shape: &Shape, sink: &mut dyn Sink) -> anyhow::Result<()> {
    match format {
        Format::Ndjson => {
            lines(input, |line, text| sink.take(line, text.and_then(|text| Record::from_json(text, shape))))
        }
        Format::Csv | Format::Tsv => read_table(input, format.delimiter(), shape, sink),
    }
}

/// Hands every line of `input` that has something to `take`: its number, and its text or why it has none.
pub fn lines(
    input: impl BufRead,
    take: impl FnMut(u64, Result<&str, String>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    lines_up_to(input, MAX_LINE, take)
}

fn lines_up_to(
    mut input: impl BufRead,
    max: u64,
    mut take: impl FnMut(u64, Result<&str, String>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        if input.by_ref().take(max).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        number += 1;
        if line.len() as u64 == max && !line.ends_with(b"\n") {
            input.skip_until(b'\n')?;
            take(number, Err(format!("the line is longer than {max} bytes")))?;
            continue;
        }
        let bytes = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| number == 1).unwrap_or(&line);
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let text = std::str::from_utf8(bytes);
        take(number, text.map_err(|e| format!("not UTF-8 after {} bytes", e.valid_up_to())))?;
    }
}

fn read_table(input: impl Read, delimiter: u8, shape: &Shape, sink: &mut dyn Sink) -> anyhow::Result<()> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(input);
    let mut record = csv::ByteRecord::new();
    let mut next =
        |record: &mut csv::ByteRecord| reader.read_byte_record(record).map_err(std::io::Error::from);
    if !next(&mut record)? {
        return Ok(());
    }
    let names: Result<Vec<String>, _> = record.iter().map(|name| String::from_utf8(name.to_vec())).collect();
    let columns = names.context("the line of column names is not UTF-8")?;
    if let Err(why) = check_columns(&columns, shape) {
        bail!(why);
    }
    while next(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        let row: Result<Vec<&str>, _> = record.iter().map(std::str::from_utf8).collect();
        let entry = match row {
            Ok(row) => Record::from_row(&columns, &row, shape),
            Err(_) => Err("not UTF-8".to_string()),
        };
        sink.take(line, entry)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Collect(Vec<String>);

    impl Sink for Collect {
        fn take(&mut self, line: u64, entry: Result<Record, String>) -> anyhow::Result<()> {
            self.0.push(match entry {
                Ok(Record { key, value }) => {
                    format!("{line} {}={}", String::from_utf8_lossy(&key), String::from_utf8_lossy(&value))
                }
                Err(why) => format!("{line} refused: {why}"),
            });
            Ok(())
        }
    }

    fn entries(text: &[u8], format: Format) -> Vec<String> {
        let mut found = Collect::default();
        read(text, format, &Shape::Entry, &mut found).unwrap();
        found.0
    }

    #[test]
    fn lines_keep_their_numbers() {
        let text = b"\xef\xbb\xbf{\"key\":\"a\",\"value\":\"1\"}\r\n\n  \nno\n{\"key\":\"\xff\"}\n{\"key\":\"b\",\"value\":\"2\"}";
        let found = entries(text, Format::Ndjson);
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], "1 a=1");
        assert!(found[1].starts_with("4 refused: no JSON object"), "{found:?}");
        assert_eq!(found[2], "5 refused: not UTF-8 after 8 bytes");
        assert_eq!(found[3], "6 b=2");
        assert!(entries(b"", Format::Ndjson).is_empty());
    }

    #[test]
    fn a_line_without_end_is_passed_over() {
        let mut found = Collect::default();
        let text = format!("{}\n{{\"key\":\"a\",\"value\":\"\"}}\n{}", "x".repeat(100), "y".repeat(100));
        let take = |line, text: Result<&str, String>| {
            found.take(line, text.and_then(|text| Record::from_json(text, &Shape::Entry)))
        };
        lines_up_to(text.as_bytes(), 30, take).unwrap();
        let long = "refused: the line is longer than 30 bytes";
        assert_eq!(found.0, [format!("1 {long}"), "2 a=".into(), format!("3 {long}")]);
    }

    #[test]
    fn tables_have_quotes_and_line_breaks_in_fields() {
        let text = b"\xef\xbb\xbfkey,value\na,\"x\ny,\"\"z\"\"\"\nb\n\"c\",3\n";
        assert_eq!(
            entries(text, Format::Csv),
            ["2 a=x\ny,\"z\"", "4 refused: 1 fields, 2 expected", "5 c=3"]
        );
        assert_eq!(
            entries(b"value\tkey\n1,5\ta\n\xff\tb\n", Format::Tsv),
            ["2 a=1,5", "3 refused: not UTF-8"]
        );
        assert!(entries(b"", Format::Csv).is_empty());
        let error = read(&b"id,name\n1,x\n"[..], Format::Csv, &Shape::Entry, &mut Collect::default());
        assert!(error.unwrap_err().to_string().contains("id, name"));
    }

    #[test]
    fn the_ending_says_the_format() {
        for (name, format) in [
            ("a.csv", Format::Csv),
            ("A.CSV", Format::Csv),
            ("a.b.tsv", Format::Tsv),
            ("a.ndjson", Format::Ndjson),
            ("a.jsonl", Format::Ndjson),
            ("csv", Format::Ndjson),
            ("-", Format::Ndjson),
        ] {
            assert_eq!(Format::of_name(name), format, "{name}");
        }
    }
}
