//! The few commands that the shell carries out itself, on a database that no server has open.
//!
//! They are for looking and for setting things right by hand: what a server offers beyond them needs a server.

use super::help;
use crate::cli::record;
use siltstone::client::Value;
use siltstone::{Db, Slice, store};

/// So many entries a scan gives when nobody says how many.
const SCANNED: usize = 100;

/// Carries out a command. What it cannot do is an error reply, as a server would give it.
pub fn run(db: &Db, words: &[Vec<u8>]) -> siltstone::Result<Value> {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let Some((name, args)) = words.split_first() else { return Ok(Value::Null) };
    let name = String::from_utf8_lossy(name).to_ascii_uppercase();
    match (name.as_str(), args) {
        ("GET", [key]) => Ok(db.get(key)?.map_or(Value::Null, |stored| value(&stored))),
        ("PUT" | "SET", [key, value]) => {
            db.put(key, record::stored_bytes(value))?;
            Ok(Value::Text("OK".into()))
        }
        ("DELETE" | "DEL", keys) if !keys.is_empty() => delete(db, keys),
        ("SCAN", []) => scan(db, b"", SCANNED),
        ("SCAN", [prefix]) => scan(db, prefix, SCANNED),
        ("SCAN", [prefix, limit]) => {
            match std::str::from_utf8(limit).ok().and_then(|limit| limit.parse().ok()) {
                Some(limit) => scan(db, prefix, limit),
                None => Ok(error("the limit is no number".into())),
            }
        }
        ("COUNT", []) => count(db, b""),
        ("COUNT", [prefix]) => count(db, prefix),
        ("STATS", []) => Ok(text(db.stats().to_string())),
        ("VERIFY", []) => Ok(text(db.verify()?.to_string())),
        _ => Ok(error(wrong(&name))),
    }
}

/// Why a command cannot be carried out.
fn wrong(name: &str) -> String {
    match help::LOCAL.iter().find(|(known, ..)| *known == name) {
        Some((name, args, _)) => format!("wrong arguments: {name} {args}"),
        None => format!(
            "there is no command `{name}` on a database without a server: `help` lists those there are"
        ),
    }
}

fn error(message: String) -> Value {
    Value::Error { code: "ERR".into(), message }
}

fn text(text: String) -> Value {
    Value::Verbatim { format: "txt".into(), text: text.into_bytes() }
}

/// A stored value as it is shown.
fn value(stored: &[u8]) -> Value {
    match store::Value::decode(stored) {
        store::Value::Bytes(bytes) => Value::Bytes(bytes.into_owned()),
        store::Value::Json(json) => Value::Bytes(json.as_bytes().to_vec()),
        store::Value::Hash(_) => Value::Text("hash".into()),
    }
}

fn delete(db: &Db, keys: &[&[u8]]) -> siltstone::Result<Value> {
    let mut found = 0;
    for key in keys {
        if db.get(key)?.is_some() {
            db.delete(key)?;
            found += 1;
        }
    }
    Ok(Value::Int(found))
}

fn scan(db: &Db, prefix: &[u8], limit: usize) -> siltstone::Result<Value> {
    let entry = |entry: siltstone::Result<(Slice, Slice)>| {
        let (key, stored) = entry?;
        Ok((Value::Bytes(key.to_vec()), value(&stored)))
    };
    db.prefix(prefix).take(limit).map(entry).collect::<siltstone::Result<_>>().map(Value::Map)
}

fn count(db: &Db, prefix: &[u8]) -> siltstone::Result<Value> {
    let mut count = 0;
    for key in db.prefix(prefix).keys() {
        key?;
        count += 1;
    }
    Ok(Value::Int(count))
}
