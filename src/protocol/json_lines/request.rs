//! A line becomes a request.
//!
//! ```text
//! {"command":"put","key":K,"value":V}                            also "ttl":seconds
//! {"command":"read","key":K}
//! {"command":"read_key_range","start_key":A,"end_key":B}         also "limit":n, "reverse":bool
//! {"command":"batch_put","keys":[K...],"values":[V...]}
//! {"command":"delete","key":K}
//! {"command":"ping"}
//! {"command":"auth","user":U,"password":P}                       without "user": the one without a name
//! {"command":"login","user":U,"password":P,"database":D}         gives a token
//! {"command":C,"database":D,"table":T,…}                         of tables (`protocol::tables`), also "token"
//! ```
//!
//! One pass finds the members and leaves their values as text; each command then looks at those it needs. Of two
//! members with one name the later counts; members nobody asked for are ignored; null is as good as absent.

use super::refusal::Refusal;
use crate::protocol::http::is_http;
use crate::protocol::json::{checked, compact, elements, into_bytes, members, string as json_string, syntax};
use crate::protocol::tables::{Of, TableRequest, Verb};
use crate::protocol::{Credentials, Pairs, RangeRequest, Request, Token};
use crate::store::Value;
use std::borrow::Cow;

/// How many pairs a batch may have: others wait while all of them are written.
pub const MAX_PAIRS: usize = 100_000;

/// How much of an unknown command is repeated to the client.
const MAX_ECHO_CHARS: usize = 256;

/// The request on a line, which is not blank.
pub(super) fn parse(line: &[u8]) -> Result<Request<'_>, Refusal> {
    let text = checked(line).map_err(|why| not_json(line, why))?;
    if !text.starts_with('{') {
        return Err(match syntax(text) {
            Ok(()) => Refusal::NotAnObject,
            Err(why) => not_json(line, why),
        });
    }
    Members::of(text)?.request(text)
}

/// A request of tables; what it needs besides is looked for once more.
fn table(text: &str, verb: Verb) -> Result<Request<'_>, Refusal> {
    let [database, token] = members(text, &["database", "token"]).map_err(Refusal::InvalidJson)?;
    let token = token.and_then(|token| json_string(token).ok()?).map(Token);
    let request = TableRequest::parse(text, verb, Of::Named { database, token });
    Ok(Request::Table(Box::new(request.map_err(Refusal::InvalidJson)?)))
}

fn not_json(line: &[u8], why: String) -> Refusal {
    if is_http(line) { Refusal::Http } else { Refusal::InvalidJson(why) }
}

/// The members of a request that are there and not null, as text.
struct Members<'a> {
    command: Option<&'a str>,
    key: Option<&'a str>,
    value: Option<&'a str>,
    start_key: Option<&'a str>,
    end_key: Option<&'a str>,
    keys: Option<&'a str>,
    values: Option<&'a str>,
    limit: Option<&'a str>,
    reverse: Option<&'a str>,
    ttl: Option<&'a str>,
    user: Option<&'a str>,
    password: Option<&'a str>,
    database: Option<&'a str>,
}

/// Their names, the usual ones first.
const NAMES: [&str; 13] = [
    "command",
    "key",
    "value",
    "start_key",
    "end_key",
    "keys",
    "values",
    "limit",
    "reverse",
    "ttl",
    "user",
    "password",
    "database",
];

impl<'a> Members<'a> {
    fn of(text: &'a str) -> Result<Members<'a>, Refusal> {
        let [
            command,
            key,
            value,
            start_key,
            end_key,
            keys,
            values,
            limit,
            reverse,
            ttl,
            user,
            password,
            database,
        ] = members(text, &NAMES).map_err(Refusal::InvalidJson)?;
        Ok(Members {
            command,
            key,
            value,
            start_key,
            end_key,
            keys,
            values,
            limit,
            reverse,
            ttl,
            user,
            password,
            database,
        })
    }
}

impl<'a> Members<'a> {
    fn request(&self, text: &'a str) -> Result<Request<'a>, Refusal> {
        let Some(command) = self.command else {
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
            "auth" => self.authenticate(),
            "login" => self.log_in(),
            other => match Verb::by_command(other) {
                Some(verb) => table(text, verb),
                None => Err(Refusal::UnknownCommand(other.chars().take(MAX_ECHO_CHARS).collect())),
            },
        }
    }

    fn key(&self) -> Result<Cow<'a, [u8]>, Refusal> {
        key(self.key.ok_or(Refusal::MissingKey)?)
    }

    fn put(&self) -> Result<Request<'a>, Refusal> {
        let (Some(k), Some(v)) = (self.key, self.value) else {
            return Err(Refusal::MissingKeyOrValue);
        };
        let ttl = match self.ttl {
            Some(ttl) => Some(ttl.parse().map_err(|_| Refusal::BadTtl)?),
            None => None,
        };
        Ok(Request::Put { key: key(k)?, value: value(v)?, ttl })
    }

    fn authenticate(&self) -> Result<Request<'a>, Refusal> {
        let text = |text| string(text)?.ok_or(Refusal::BadCredentials);
        let user = self.user.map(text).transpose()?;
        let password = text(self.password.ok_or(Refusal::BadCredentials)?)?;
        Ok(Request::Authenticate(Credentials { user, password: into_bytes(password) }))
    }

    fn log_in(&self) -> Result<Request<'a>, Refusal> {
        let text = |text: Option<&'a str>| {
            string(text.ok_or(Refusal::BadCredentials)?)?.ok_or(Refusal::BadCredentials)
        };
        let credentials =
            Credentials { user: Some(text(self.user)?), password: into_bytes(text(self.password)?) };
        Ok(Request::Login { credentials, database: text(self.database)? })
    }

    fn range(&self) -> Result<Request<'a>, Refusal> {
        let (Some(start), Some(end)) = (self.start_key, self.end_key) else {
            return Err(Refusal::MissingEnds);
        };
        let limit = match self.limit {
            Some(limit) => Some(limit.parse().map_err(|_| Refusal::BadLimit)?),
            None => None,
        };
        let reverse = match self.reverse {
            Some(reverse) => reverse.parse().map_err(|_| Refusal::BadReverse)?,
            None => false,
        };
        Ok(Request::Range(RangeRequest { start: key(start)?, end: key(end)?, limit, reverse }))
    }

    fn batch(&self) -> Result<Request<'a>, Refusal> {
        let (Some(keys), Some(values)) = (self.keys, self.values) else {
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

fn key(text: &str) -> Result<Cow<'_, [u8]>, Refusal> {
    string(text)?.map(into_bytes).ok_or(Refusal::KeyNotString)
}

fn value(text: &str) -> Result<Value<'_>, Refusal> {
    Ok(match string(text)? {
        Some(string) => Value::Bytes(into_bytes(string)),
        None => Value::Json(compact(text)),
    })
}

fn string(text: &str) -> Result<Option<Cow<'_, str>>, Refusal> {
    json_string(text).map_err(Refusal::InvalidJson)
}
