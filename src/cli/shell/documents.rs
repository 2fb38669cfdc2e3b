//! Commands about tables of documents: the words that are typed, what they ask for, and how it is done on a database without a server.
//!
//! A request has the members of one in JSON lines, so that one is the same to a server ([`super::lines`]) and to a database.

use crate::cli::documents::{self, TableName};
use siltstone::client;
use siltstone::document::table::{Document, Upsert};
use siltstone::document::value::Value;
use siltstone::document::{Documents, Error, Query};

/// What is asked for.
#[derive(Debug, PartialEq)]
pub struct Request {
    /// The command of JSON lines.
    command: &'static str,
    database: String,
    table: String,
    members: Vec<(&'static str, Value)>,
}

/// Commands with their arguments and what they do. Their names are those of the table.
pub const COMMANDS: &[(&str, &str, &str)] = &[
    ("TABLES", "database", "the tables of a database"),
    ("CREATE_TABLE", "database/table [{schema}]", "make a table of documents"),
    ("DROP_TABLE", "database/table", "remove a table with all its documents"),
    ("INSERT", "database/table {document}|[{document}, ...]", "add documents, all or none"),
    ("FIND", "database/table [{filter}] [SORT {...}] [SKIP n] [LIMIT n] [SHOW [...]]", "documents"),
    ("COUNT", "database/table {filter}", "how many documents there are"),
    ("DISTINCT", "database/table path [{filter}]", "the different values at a path"),
    ("EXPLAIN", "database/table, then as FIND", "how documents are found"),
    ("UPDATE", "database/table {filter} {change}", "change documents, all or none; how many"),
    ("UPSERT", "database/table {filter} {change}", "the same, or insert one if there is none"),
    ("REPLACE", "database/table {filter} {document}", "put a document in the place of the first"),
    ("REMOVE", "database/table {filter}", "remove documents; how many they were"),
    ("CREATE_INDEX", "database/table {\"columns\": {path: 1}, ...}", "make an index; its name"),
    ("DROP_INDEX", "database/table name", "remove an index"),
    ("INDEXES", "database/table", "the indexes of a table"),
    ("SCHEMA", "database/table", "the schema of a table, on a database without a server"),
];

/// Names for completion.
pub fn names() -> impl Iterator<Item = String> {
    COMMANDS.iter().map(|(name, ..)| (*name).to_string())
}

/// Whether a command with this first word takes JSON from the third word on.
pub fn takes_json(name: &[u8]) -> bool {
    COMMANDS.iter().any(|(known, ..)| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether these words are about documents. Keys are counted by `COUNT`, too, with no or one word behind it.
pub fn are(words: &[Vec<u8>]) -> bool {
    words
        .first()
        .is_some_and(|name| takes_json(name) && (words.len() > 2 || !name.eq_ignore_ascii_case(b"count")))
}

/// What words ask for, or what is wrong with them.
pub fn parse(words: &[Vec<u8>]) -> Result<Request, String> {
    let texts: Result<Vec<&str>, _> = words.iter().map(|word| std::str::from_utf8(word)).collect();
    let texts = texts.map_err(|_| "a command about documents is UTF-8".to_string())?;
    let (name, args) = texts.split_first().ok_or("there is no command")?;
    let name = name.to_ascii_uppercase();
    let (of, args) = args.split_first().ok_or_else(|| wrong(&name))?;
    if name == "TABLES" {
        let database = (*of).to_string();
        return Ok(Request { command: "tables", database, table: String::new(), members: Vec::new() });
    }
    let TableName { database, table } = of.parse()?;
    let (command, members) = members(&name, args)?;
    Ok(Request { command, database, table, members })
}

type Members = Vec<(&'static str, Value)>;

fn members(name: &str, args: &[&str]) -> Result<(&'static str, Members), String> {
    let json = documents::parse;
    Ok(match (name, args) {
        ("CREATE_TABLE", []) => ("create_table", vec![]),
        ("CREATE_TABLE", [schema]) => ("create_table", vec![("payload", json(schema)?)]),
        ("DROP_TABLE", []) => ("drop_table", vec![]),
        ("INDEXES", []) => ("indexes", vec![]),
        ("SCHEMA", []) => ("schema", vec![]),
        ("INSERT", [document]) => ("insert", vec![("payload", json(document)?)]),
        ("FIND", args) => ("find", query(name, args)?),
        ("EXPLAIN", args) => ("explain", query(name, args)?),
        ("COUNT", [filter]) => ("count", vec![("query", json(filter)?)]),
        ("DISTINCT", [path]) => ("distinct", vec![("path", Value::from(*path))]),
        ("DISTINCT", [path, filter]) => {
            ("distinct", vec![("path", Value::from(*path)), ("query", json(filter)?)])
        }
        ("REMOVE", [filter]) => ("remove", vec![("query", json(filter)?)]),
        ("REPLACE", [filter, document]) => {
            ("replace", vec![("query", json(filter)?), ("payload", json(document)?)])
        }
        ("UPDATE", [filter, change]) => {
            ("update", vec![("query", json(filter)?), ("payload", json(change)?)])
        }
        ("UPSERT", [filter, change]) => {
            let upsert = ("upsert", Value::from(true));
            ("update", vec![("query", json(filter)?), ("payload", json(change)?), upsert])
        }
        ("CREATE_INDEX", [definition]) => ("create_index", vec![("payload", json(definition)?)]),
        ("DROP_INDEX", [index]) => ("drop_index", vec![("payload", Value::from(*index))]),
        _ => return Err(wrong(name)),
    })
}

/// A filter, if there is one, and what follows it.
fn query(name: &str, args: &[&str]) -> Result<Members, String> {
    let (filter, mut rest) = match args {
        [filter, rest @ ..] if filter.starts_with('{') => (Some(documents::parse(filter)?), rest),
        rest => (None, rest),
    };
    let mut members: Members = filter.map(|filter| ("query", filter)).into_iter().collect();
    while let [option, value, behind @ ..] = rest {
        let (member, value) = match option.to_ascii_uppercase().as_str() {
            // A path alone is an order, too.
            "SORT" if !value.starts_with(['{', '[']) => ("sort", Value::from(*value)),
            "SORT" => ("sort", documents::parse(value)?),
            "SKIP" => ("skip", documents::parse(value)?),
            "LIMIT" => ("limit", documents::parse(value)?),
            "SHOW" => ("projection", documents::parse(value)?),
            _ => return Err(wrong(name)),
        };
        members.push((member, value));
        rest = behind;
    }
    if rest.is_empty() { Ok(members) } else { Err(wrong(name)) }
}

fn wrong(name: &str) -> String {
    let args = COMMANDS.iter().find(|(known, ..)| *known == name).map_or("", |(_, args, _)| args);
    format!("wrong arguments: {name} {args}")
}

impl Request {
    /// As a line of JSON, without its end.
    pub fn line(&self) -> String {
        let of = [("command", self.command), ("database", &*self.database), ("table", &*self.table)];
        let of = of.into_iter().filter(|(_, text)| !text.is_empty());
        let of = of.map(|(name, text)| (name.to_string(), Value::from(text)));
        let members = self.members.iter().map(|(name, value)| ((*name).to_string(), value.clone()));
        Value::Object(of.chain(members).collect()).to_string()
    }

    fn member(&self, name: &str) -> Value {
        let found = self.members.iter().find(|(member, _)| *member == name);
        found.map_or(Value::Null, |(_, value)| value.clone())
    }

    fn number(&self, name: &'static str) -> Result<Option<u64>, Error> {
        match self.member(name) {
            Value::Null => Ok(None),
            value => value.to().map(Some).map_err(|_| refuse(name, "a whole number from 0 on is expected")),
        }
    }

    fn query(&self) -> Result<Query, Error> {
        Ok(Query {
            filter: self.member("query"),
            sort: self.member("sort"),
            skip: self.number("skip")?.unwrap_or(0),
            limit: self.number("limit")?,
            projection: self.member("projection"),
            after: None,
        })
    }

    /// Carries it out on a database without a server; the result is what JSON lines would have.
    pub fn run(&self, documents: &Documents) -> Result<Value, Error> {
        let payload = self.member("payload");
        match self.command {
            "tables" => {
                let names = documents.tables(&self.database).into_iter().map(Value::from);
                return Ok(Value::Array(names.collect()));
            }
            "create_table" => {
                let schema = Some(&payload).filter(|schema| **schema != Value::Null);
                let made = documents.create_table(&self.database, &self.table, schema)?;
                return Ok(Value::from(format!("{}/{}", made.database(), made.name())));
            }
            "drop_table" => {
                documents.drop_table(&self.database, &self.table)?;
                return Ok(Value::object([]));
            }
            _ => {}
        }
        let table = documents.table(&self.database, &self.table)?;
        Ok(match self.command {
            "schema" => table.schema().unwrap_or(Value::Null),
            "insert" => match payload {
                Value::Array(documents) => all(&table.insert_many(documents)?)?,
                document => table.insert(document)?.to_value()?,
            },
            "count" => count(table.count(self.query()?)?),
            "distinct" => {
                let Value::String(path) = self.member("path") else { return Ok(Value::Null) };
                Value::Array(table.distinct(&path, self.query()?)?)
            }
            "explain" => table.explain(self.query()?)?.to_value(),
            "update" if self.member("upsert") == Value::Bool(true) => {
                let updated = table.update_now(self.query()?, &payload, Upsert::Yes)?.wait()?;
                match updated.inserted {
                    true => Value::object([("count", Value::from(0_u64)), ("inserted", Value::from(true))]),
                    false => count(updated.matched),
                }
            }
            "update" => count(table.update(self.query()?, payload)?.matched),
            "replace" => count(table.replace(self.query()?, payload)?.into()),
            "remove" => count(table.delete(self.query()?)?),
            "create_index" => Value::from(table.create_index(payload, |_| {})?),
            "drop_index" => {
                let Value::String(name) = payload else { return Ok(Value::Null) };
                table.drop_index(&name)?;
                Value::object([])
            }
            "indexes" => {
                let index = |(definition, ready): (siltstone::document::catalogue::Definition, bool)| {
                    let Value::Object(mut members) = definition.to_value() else { return Value::Null };
                    members.push(("ready".into(), Value::from(ready)));
                    Value::Object(members)
                };
                Value::Array(table.indexes()?.into_iter().map(index).collect())
            }
            _ => Value::Array(table.find(self.query()?)?.collect::<Result<_, _>>()?),
        })
    }
}

fn all(documents: &[Document]) -> Result<Value, Error> {
    Ok(Value::Array(documents.iter().map(Document::to_value).collect::<Result<_, _>>()?))
}

fn count(count: u64) -> Value {
    Value::object([("count", Value::from(count))])
}

fn refuse(at: &str, why: &str) -> Error {
    Error::Query(siltstone::document::filter::Refused { at: at.into(), why: why.into() })
}

/// What came of it, as it is shown: counts as numbers, documents as their text.
pub fn shown(result: &Value) -> client::Value {
    match result {
        Value::String(text) => client::Value::Text(text.clone()),
        Value::Null => client::Value::Null,
        Value::Array(list) => client::Value::List(list.iter().map(json).collect()),
        Value::Object(members) => match &members[..] {
            [] => client::Value::Text("OK".into()),
            [(name, Value::Number(count))] if name == "count" => {
                count.text().parse().map_or_else(|_| json(result), client::Value::Int)
            }
            // What a server adds to the documents that it inserted.
            [(name, data), _] if name == "data" => shown_inserted(data),
            _ => json(result),
        },
        other => json(other),
    }
}

fn shown_inserted(data: &Value) -> client::Value {
    match data {
        Value::Array(list) => client::Value::List(list.iter().map(json).collect()),
        document => json(document),
    }
}

/// Text that is JSON, and that [`super::show`] knows as such.
fn json(value: &Value) -> client::Value {
    client::Value::Verbatim { format: super::show::JSON.into(), text: value.to_string().into_bytes() }
}

/// An error as a server gives it.
pub fn error(code: &str, message: String) -> client::Value {
    client::Value::Error { code: code.into(), message }
}

#[cfg(test)]
mod tests {
    use super::super::words::{Line, split};
    use super::*;

    fn asked(line: &str) -> Result<String, String> {
        let Line::Words(words) = split(line) else { panic!("{line}") };
        assert!(are(&words), "{line}");
        parse(&words).map(|request| request.line())
    }

    #[test]
    fn words_become_a_request() {
        for (line, wanted) in [
            ("tables shop", r#"{"command":"tables","database":"shop"}"#),
            ("FIND a/b", r#"{"command":"find","database":"a","table":"b"}"#),
            (
                r#"find a/b {"x": {"$gt": 1.50}} sort {"x": -1} limit 2 skip 1 show ["x"]"#,
                r#"{"command":"find","database":"a","table":"b","query":{"x":{"$gt":1.50}},"sort":{"x":-1},"limit":2,"skip":1,"projection":["x"]}"#,
            ),
            ("explain a/b sort x", r#"{"command":"explain","database":"a","table":"b","sort":"x"}"#),
            (r#"count a/b {}"#, r#"{"command":"count","database":"a","table":"b","query":{}}"#),
            (
                r#"upsert a/b {"x": "}"} {"y": "a b"}"#,
                r#"{"command":"update","database":"a","table":"b","query":{"x":"}"},"payload":{"y":"a b"},"upsert":true}"#,
            ),
            ("drop_index a/b x_1", r#"{"command":"drop_index","database":"a","table":"b","payload":"x_1"}"#),
        ] {
            assert_eq!(asked(line).as_deref(), Ok(wanted), "{line}");
        }
    }

    #[test]
    fn what_is_no_request_is_told() {
        for (line, why) in [
            ("find", "wrong arguments: FIND database/table"),
            ("find b", "DATABASE/TABLE"),
            ("find a/b {} limit", "wrong arguments"),
            ("find a/b {} first 3", "wrong arguments"),
            ("insert a/b {x}", "no JSON"),
            ("update a/b {}", "wrong arguments: UPDATE"),
        ] {
            let refused = asked(line).unwrap_err();
            assert!(refused.contains(why), "{line}: {refused}");
        }
        let words = |line| match split(line) {
            Line::Words(words) => words,
            other => panic!("{other:?}"),
        };
        assert!(!are(&words("COUNT prefix")) && !are(&words("COUNT")) && !are(&words("GET find")));
        // Words of other commands stay as redis-cli has them.
        assert_eq!(words("SET k {a b"), [&b"SET"[..], b"k", b"{a", b"b"]);
        assert_eq!(split(r#"find a/b {"x": ["}"#), Line::Open);
        assert_eq!(split(r"find a/b {}{}"), Line::Wrong);
    }
}
