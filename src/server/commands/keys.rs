//! Keys, whatever their values are.

use super::arguments::{count, flag, integer, is, syntax};
use super::{Answered, Call, Outcome, Refusal, error};
use crate::dataset::Reach;
use crate::dataset::spaces::DATABASES;
use crate::dataset::txn::Txn;
use crate::protocol::Reply;
use crate::protocol::resp::Args;
use crate::store::Value;

pub(super) const BAD_DATABASE: &str = "ERR DB index is out of range";
const NO_KEY: &str = "ERR no such key";

/// DEL key... and UNLINK key...
pub(super) fn del(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let mut removed = 0;
    for key in args.from(1) {
        removed += usize::from(txn.delete(key)?);
    }
    Ok(count(removed))
}

/// EXISTS key... and TOUCH key...; a key that is named twice counts twice.
pub(super) fn exists(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let mut there = 0;
    for key in args.from(1) {
        there += usize::from(txn.look_up(key)?.is_some());
    }
    Ok(count(there))
}

/// TYPE key
pub(super) fn kind(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let entry = txn.look_up(args.at(1))?;
    Ok(Reply::Status(entry.map_or("none", |entry| type_of(&entry.stored)).into()))
}

/// The name that Redis has for a kind of value.
pub(super) fn type_of(stored: &[u8]) -> &'static str {
    match Value::decode(stored) {
        Value::Hash(_) => "hash",
        Value::Bytes(_) | Value::Json(_) => "string",
    }
}

/// RENAME key newkey
pub(super) fn rename(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let (from, to) = (args.at(1), args.at(2));
    let Some(entry) = txn.find(from)? else { return error(NO_KEY) };
    if from != to {
        txn.move_entry(from, (txn.database(), to), &entry)?;
    }
    Ok(Reply::Done)
}

/// RENAMENX key newkey
pub(super) fn renamenx(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let (from, to) = (args.at(1), args.at(2));
    let Some(entry) = txn.find(from)? else { return error(NO_KEY) };
    if txn.find(to)?.is_some() {
        return flag(false);
    }
    txn.move_entry(from, (txn.database(), to), &entry)?;
    flag(true)
}

/// MOVE key database
pub(super) fn move_key(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let (key, to) = (args.at(1), database(args.at(2))?);
    let here = txn.database();
    if to == here {
        return error("ERR source and destination objects are the same");
    }
    made(txn, to)?;
    let Some(entry) = txn.find(key)? else { return flag(false) };
    if there(txn, to, key)? {
        return flag(false);
    }
    txn.move_entry(key, (to, key), &entry)?;
    flag(true)
}

/// COPY source destination [DB database] [REPLACE]
pub(super) fn copy(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let (mut to, mut replace) = (txn.database(), false);
    let mut rest = args.from(3);
    while let Some(word) = rest.next() {
        if is(word, "replace") {
            replace = true;
        } else if is(word, "db") {
            let Some(number) = rest.next() else { return syntax() };
            to = database(number)?;
        } else {
            return syntax();
        }
    }
    let (from, key) = (args.at(1), args.at(2));
    if from == key && to == txn.database() {
        return error("ERR source and destination objects are the same");
    }
    made(txn, to)?;
    let Some(entry) = txn.find(from)? else { return flag(false) };
    if !replace && there(txn, to, key)? {
        return flag(false);
    }
    txn.copy_entry((to, key), &entry)?;
    flag(true)
}

fn there(txn: &mut Txn<'_>, database: u8, key: &[u8]) -> Result<bool, Refusal> {
    let here = txn.database();
    txn.enter(database);
    let there = txn.find(key).map(|entry| entry.is_some());
    txn.enter(here);
    Ok(there?)
}

/// Makes sure that a database can be written to.
fn made(txn: &Txn<'_>, database: u8) -> Result<(), Refusal> {
    let data = txn.data();
    match txn.reach() {
        _ if data.spaces().is_made(database) => Ok(()),
        Reach::Memory => Err(Refusal::Elsewhere),
        Reach::Anywhere => Ok(data.spaces().select(&**data.engine(), database)?),
    }
}

/// The number of a database.
pub(super) fn database(arg: &[u8]) -> Result<u8, Refusal> {
    let number = u8::try_from(integer(arg)?).ok().filter(|number| *number < DATABASES);
    number.map_or_else(|| error(BAD_DATABASE), Ok)
}

/// SELECT database
pub(super) fn select(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    let Some(number) = crate::protocol::resp::number::parse_i64(call.args.at(1)) else {
        return error("ERR invalid DB index");
    };
    let Some(number) = u8::try_from(number).ok().filter(|number| *number < DATABASES) else {
        return error(BAD_DATABASE);
    };
    let data = &call.service.data;
    if !data.spaces().is_made(number) {
        call.elsewhere()?;
        data.spaces().select(&**data.engine(), number)?;
    }
    call.session.database = number;
    call.session.client.about.lock().database = number;
    Ok(Reply::Done.into())
}

/// OBJECT ENCODING | IDLETIME | FREQ | REFCOUNT key
pub(super) fn object(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let what = args.at(1);
    if is(what, "help") {
        let lines =
            ["OBJECT ENCODING <key>", "OBJECT FREQ <key>", "OBJECT IDLETIME <key>", "OBJECT REFCOUNT <key>"];
        return Ok(Reply::List(lines.map(|line| Reply::Status(line.into())).into()));
    }
    let known = ["encoding", "idletime", "freq", "refcount"].iter().any(|word| is(what, word));
    if !known || args.len() != 3 {
        return unknown_subcommand(args);
    }
    let Some(entry) = txn.find(args.at(2))? else { return Ok(Reply::Null) };
    Ok(match what {
        _ if is(what, "encoding") => Reply::bytes(encoding(&entry.stored)),
        _ if is(what, "refcount") => Reply::Number(1),
        // Neither is counted here.
        _ => Reply::Number(0),
    })
}

/// What Redis would hold such a value as.
fn encoding(stored: &[u8]) -> &'static str {
    let text = match Value::decode(stored) {
        Value::Hash(head) => return if head.fields <= 128 { "listpack" } else { "hashtable" },
        Value::Json(text) => text.into_owned().into_bytes(),
        Value::Bytes(bytes) => bytes.into_owned(),
    };
    match text.len() {
        _ if crate::protocol::resp::number::parse_i64(&text).is_some() => "int",
        0..=44 => "embstr",
        _ => "raw",
    }
}

/// The error for a word behind the name of a command that has no such one.
pub(super) fn unknown_subcommand<T>(args: Args<'_>) -> Result<T, Refusal> {
    let (name, sub) = (String::from_utf8_lossy(args.name()), String::from_utf8_lossy(args.at(1)));
    let sub: String = sub.chars().take(128).collect();
    error(format!("ERR unknown subcommand '{sub}'. Try {} HELP.", name.to_ascii_uppercase()))
}

/// MEMORY USAGE key
pub(super) fn memory(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    if !is(args.at(1), "usage") || args.len() < 3 {
        return unknown_subcommand(args);
    }
    /// What an entry takes beside its bytes, more or less.
    const EACH: usize = 32;
    let key = args.at(2);
    let Some(entry) = txn.find(key)? else { return Ok(Reply::Null) };
    let mut bytes = key.len() + entry.stored.len() + EACH;
    if let Ok(Some(hash)) = txn.hash(key) {
        for field in txn.fields(&hash, b"")? {
            let (field, value) = field?;
            bytes += field.len() + value.len() + EACH;
        }
    }
    Ok(count(bytes))
}
