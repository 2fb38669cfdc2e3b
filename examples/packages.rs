//! Sixty thousand real records: the package index of a Debian machine, loaded and then read in order, both ways.
//!
//! ```sh
//! cargo run --release --example packages                 # asks `apt-cache dumpavail`; where it is empty: `apt-get update`
//! cargo run --release --example packages -- some-folder  # the same, and keeps the database
//! ssh debian apt-cache dumpavail | cargo run --release --example packages -- -     # where there is no apt-cache
//! cargo run --release --example packages -- --ndjson | siltstone load - --key Package --key Version
//! ```
//!
//! Read it from top to bottom, it is a short tour of the library:
//!
//! 1. [`load`]: many writes at once. A batch is all or nothing; without a sync each, one `sync` at the end makes all of them
//!    durable, which is what a load that can be repeated wants. Single writes are durable by default.
//! 2. [`show`]: keys are ordered, so a key `package:version` answers more than "give me this one". All versions of a
//!    package are a prefix, a letter of the alphabet is a range, the last one is the first of the way back.
//! 3. [`Documents`]: the input, stanzas as in RFC 822. Nothing of it is special to Siltstone.
//!
//! Values are stored as `siltstone load` and the server store JSON, so the same database can be served:
//! `siltstone serve --data-dir some-folder`.

use serde_json::{Map, Value};
use siltstone::store::Value as Stored;
use siltstone::{Db, Durability, WriteBatch};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The entries of a batch. Larger ones save little more.
const BATCH: usize = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    let is_folder = |argument: &&String| !argument.starts_with('-');
    if let Some(unknown) = arguments.iter().find(|a| !is_folder(a) && *a != "-" && *a != "--ndjson") {
        return Err(
            format!("`{unknown}` is not known here; the top of examples/packages.rs says what is").into()
        );
    }
    let text = if given("-") { io::read_to_string(io::stdin())?.into_bytes() } else { ask_apt()? };
    if given("--ndjson") {
        return Ok(write_ndjson(&text, io::stdout().lock())?);
    }
    match arguments.iter().find(is_folder) {
        Some(folder) => tour(&text, Path::new(folder)),
        None => {
            let folder = scratch_folder();
            let toured = tour(&text, &folder);
            std::fs::remove_dir_all(folder)?;
            toured
        }
    }
}

fn scratch_folder() -> PathBuf {
    std::env::temp_dir().join(format!("siltstone-packages-{}", std::process::id()))
}

fn tour(text: &[u8], folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let db = Db::open(folder)?;
    let started = Instant::now();
    let loaded = load(&db, text)?;
    report("load, parsing included", loaded, started.elapsed());
    show(&db)?;
    // Flushes, ends the background work, frees the lock. Dropping the last handle does the same, but has nobody to tell
    // of a failure.
    Ok(db.close()?)
}

/// Loads every package under the key `package:version`; tells how many.
pub fn load(db: &Db, text: &[u8]) -> Result<usize, Box<dyn std::error::Error>> {
    let mut batch = WriteBatch::new();
    let mut loaded = 0;
    for document in Documents::new(text) {
        let document = document?;
        let value = Stored::Json(Value::Object(document.clone()).to_string().into());
        batch.put(key(&document), value.encode());
        loaded += 1;
        if batch.len() == BATCH {
            db.write_with(std::mem::take(&mut batch), Durability::Os)?;
        }
    }
    db.write_with(batch, Durability::Os)?;
    db.sync()?;
    Ok(loaded)
}

/// Reads ranges and prefixes, forward and backward, and tells what it found and how long it took.
pub fn show(db: &Db) -> siltstone::Result<()> {
    timed("everything", || db.iter())?;
    timed("everything, backward", || db.iter().rev())?;
    timed("prefix `python3-`", || db.prefix("python3-"))?;
    timed("prefix `python3-`, backward", || db.prefix("python3-").rev())?;
    // Bounds need not be keys that are there.
    timed("from `m` up to `n`", || db.range("m".."n"))?;
    timed("from `m` up to `n`, backward", || db.range("m".."n").rev())?;
    timed("the last ten, backward", || db.iter().rev().take(10))?;

    println!("\nall versions of bash, and what they take on disk once installed:");
    for entry in db.prefix("bash:") {
        let (key, value) = entry?;
        println!("  {}  {} KiB", key.escape_ascii(), member(&value, "Installed-Size"));
    }
    if let Some(last) = db.iter().next_back() {
        println!("the last key: {}", last?.0.escape_ascii());
    }
    println!("the largest sections:");
    for (packages, section) in largest_sections(db)?.into_iter().take(5) {
        println!("  {packages:>6}  {section}");
    }
    Ok(())
}

/// A scan over one moment: writers may go on, the snapshot does not move.
fn largest_sections(db: &Db) -> siltstone::Result<Vec<(usize, String)>> {
    let snapshot = db.snapshot();
    let mut sections: BTreeMap<String, usize> = BTreeMap::new();
    for entry in snapshot.iter() {
        *sections.entry(member(&entry?.1, "Section")).or_default() += 1;
    }
    let mut largest: Vec<_> = sections.into_iter().map(|(section, packages)| (packages, section)).collect();
    largest.sort_by(|a, b| b.cmp(a));
    Ok(largest)
}

/// A member of a stored document as text.
fn member(stored: &[u8], name: &str) -> String {
    let Stored::Json(text) = Stored::decode(stored) else { return String::new() };
    match serde_json::from_str::<Map<String, Value>>(&text).ok().and_then(|mut members| members.remove(name))
    {
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
        None => "-".into(),
    }
}

/// Walks over entries to their end.
fn timed<T, I>(what: &str, entries: impl FnOnce() -> I) -> siltstone::Result<()>
where
    I: Iterator<Item = siltstone::Result<T>>,
{
    let started = Instant::now();
    let mut count = 0;
    for entry in entries() {
        entry?;
        count += 1;
    }
    report(what, count, started.elapsed());
    Ok(())
}

fn report(what: &str, entries: usize, took: Duration) {
    let rate = entries as f64 / took.as_secs_f64().max(1e-9);
    println!("{what:<32} {entries:>7} entries {:>10.3} ms {rate:>12.0} a second", took.as_secs_f64() * 1e3);
}

/// One JSON object a line, as `siltstone load --key Package --key Version` takes it.
pub fn write_ndjson(text: &[u8], out: impl Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    for document in Documents::new(text) {
        writeln!(out, "{}", Value::Object(document?))?;
    }
    out.flush()
}

/// What `apt-cache dumpavail` says; an error where there is none or it knows no packages.
pub fn ask_apt() -> io::Result<Vec<u8>> {
    let told = Command::new("apt-cache").arg("dumpavail").output().map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("apt-cache does not run here ({error}): pipe its output in, with `-`"),
        )
    })?;
    if !told.status.success() || told.stdout.is_empty() {
        return Err(io::Error::other("apt-cache knows no packages: run `apt-get update` once"));
    }
    Ok(told.stdout)
}

/// A package: its fields in their order, text but for the sizes, which are numbers.
pub type Document = Map<String, Value>;

/// The key of a package. A name holds no colon, a version may, so the key has one reading.
pub fn key(document: &Document) -> String {
    let field = |name| document.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}:{}", field("Package"), field("Version"))
}

/// The stanzas of a package index, one by one.
///
/// ```text
/// index  = stanza { blank line, stanza }
/// stanza = { field }
/// field  = name ":" text, newline, { (space | tab) text, newline }
/// ```
///
/// Lines that continue a field are joined to it by a line break.
pub struct Documents<R> {
    input: R,
    line: usize,
}

impl<R: BufRead> Documents<R> {
    /// Those that `input` holds.
    pub fn new(input: R) -> Documents<R> {
        Documents { input, line: 0 }
    }

    /// The next line without its end; `None` behind the last one.
    fn next_line(&mut self) -> io::Result<Option<String>> {
        let mut bytes = Vec::new();
        if self.input.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.line += 1;
        Ok(Some(String::from_utf8_lossy(&bytes).trim_end().into()))
    }

    /// The next stanza; an empty one behind the last one.
    fn next_stanza(&mut self) -> io::Result<Vec<(String, String)>> {
        let mut fields: Vec<(String, String)> = Vec::new();
        while let Some(line) = self.next_line()? {
            if line.is_empty() && fields.is_empty() {
                continue;
            }
            if line.is_empty() {
                break;
            }
            match (line.strip_prefix([' ', '\t']), line.split_once(':'), fields.last_mut()) {
                (Some(more), _, Some((_, text))) => {
                    text.push('\n');
                    text.push_str(more);
                }
                (None, Some((name, text)), _) => fields.push((name.into(), text.trim_start().into())),
                _ => return Err(self.refuse(&format!("neither a field nor the rest of one: {line:?}"))),
            }
        }
        Ok(fields)
    }

    fn document(&self, fields: Vec<(String, String)>) -> io::Result<Document> {
        let document: Document = fields.into_iter().map(|(name, text)| typed(name, text)).collect();
        match ["Package", "Version"].iter().find(|name| !document.contains_key(**name)) {
            Some(name) => Err(self.refuse(&format!("the stanza that ends here has no field `{name}`"))),
            None => Ok(document),
        }
    }

    fn refuse(&self, why: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {why}", self.line))
    }
}

impl<R: BufRead> Iterator for Documents<R> {
    type Item = io::Result<Document>;

    fn next(&mut self) -> Option<io::Result<Document>> {
        match self.next_stanza() {
            Ok(fields) if fields.is_empty() => None,
            Ok(fields) => Some(self.document(fields)),
            Err(error) => Some(Err(error)),
        }
    }
}

fn typed(name: String, text: String) -> (String, Value) {
    let number =
        matches!(name.as_str(), "Size" | "Installed-Size").then(|| text.parse::<u64>().ok()).flatten();
    (name, number.map_or(Value::String(text), Value::from))
}
