//! Replies as RESP.
//!
//! ```text
//!              version 2                    version 3
//! nothing      "$-1" CRLF, "*-1" CRLF       "_" CRLF
//! map          "*" 2n CRLF name value ...   "%" n CRLF name value ...
//! set          "*" n CRLF ...               "~" n CRLF ...
//! pairs        "*" 2n CRLF name value ...   "*" n CRLF, for each "*2" CRLF name value
//! double       bulk                         "," text CRLF
//! text         bulk                         "=" 4+len CRLF "txt:" text CRLF
//! ```
//!
//! Everything else is alike in both: `+word`, `-error`, `:number`, `$len bytes`, `*n items`.

use super::Version;
use super::number::{format_f64, push_i64};
use crate::protocol::{Denial, Reply};
use crate::store::Value;

/// Appends `reply`.
pub fn encode(reply: &Reply, version: Version, out: &mut Vec<u8>) {
    match reply {
        Reply::Done => out.extend_from_slice(b"+OK\r\n"),
        Reply::Pong => out.extend_from_slice(b"+PONG\r\n"),
        Reply::Value(Some(value)) => push_value(out, value),
        Reply::Bytes(bytes) => push_bulk(out, bytes),
        Reply::Number(number) => push_header(out, b':', *number),
        Reply::Status(text) => push_line(out, b'+', text),
        Reply::Error(text) => push_line(out, b'-', text),
        Reply::TooLarge(why) => push_error(out, why),
        Reply::Failed(why) => push_error(out, why),
        Reply::LoginFirst => out.extend_from_slice(b"-NOAUTH Authentication required.\r\n"),
        Reply::Denied(denial) => push_line(out, b'-', denied(*denial)),
        Reply::List(items) => push_items(out, b'*', items, version),
        Reply::Token(text) | Reply::DatabaseMade { name: text, .. } => push_bulk(out, text.as_bytes()),
        Reply::Database(problem) => push_error(out, &problem.to_string()),
        Reply::Rows(rows) => push_bulk(out, rows.value.as_bytes()),
        Reply::TableError(error) => push_error(out, &error.message),
        Reply::UnknownAction(name) => push_error(out, &format!("unknown command '{name}'")),
        _ => encode_versioned(reply, version, out),
    }
}

/// Replies whose form depends on the version.
fn encode_versioned(reply: &Reply, version: Version, out: &mut Vec<u8>) {
    let v3 = version == Version::V3;
    match reply {
        Reply::Map(pairs) => {
            let (sign, count) = if v3 { (b'%', pairs.len()) } else { (b'*', 2 * pairs.len()) };
            push_header(out, sign, count as i64);
            for (name, value) in pairs {
                encode(name, version, out);
                encode(value, version, out);
            }
        }
        Reply::Pairs(pairs) => {
            push_header(out, b'*', if v3 { pairs.len() } else { 2 * pairs.len() } as i64);
            for (name, value) in pairs {
                if v3 {
                    out.extend_from_slice(b"*2\r\n");
                }
                encode(name, version, out);
                encode(value, version, out);
            }
        }
        Reply::Set(items) => push_items(out, if v3 { b'~' } else { b'*' }, items, version),
        Reply::Entries(entries) => {
            let (sign, count) = if v3 { (b'%', entries.len()) } else { (b'*', 2 * entries.len()) };
            push_header(out, sign, count as i64);
            for (key, value) in entries {
                push_bulk(out, key);
                push_value(out, value);
            }
        }
        Reply::Table(rows) => {
            let (sign, count) = if v3 { (b'%', rows.len()) } else { (b'*', 2 * rows.len()) };
            push_header(out, sign, count as i64);
            for (name, value) in rows {
                push_bulk(out, name.as_bytes());
                push_bulk(out, value.as_bytes());
            }
        }
        Reply::Double(number) if v3 => push_line(out, b',', &format_f64(*number)),
        Reply::Double(number) => push_bulk(out, format_f64(*number).as_bytes()),
        Reply::Verbatim(text) if v3 => {
            push_header(out, b'=', text.len() as i64 + 4);
            out.extend_from_slice(b"txt:");
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Reply::Verbatim(text) => push_bulk(out, text.as_bytes()),
        _ if v3 => out.extend_from_slice(b"_\r\n"),
        Reply::NullList => out.extend_from_slice(b"*-1\r\n"),
        _ => out.extend_from_slice(b"$-1\r\n"),
    }
}

/// The most bytes that [`encode`] appends for `reply`.
#[must_use]
pub fn most_bytes(reply: &Reply) -> usize {
    /// A sign, a number, two line ends.
    const FRAME: usize = 32;
    FRAME
        + match reply {
            Reply::Bytes(bytes) => bytes.len(),
            Reply::Value(Some(value)) => most_of_value(value),
            Reply::Entries(entries) => {
                entries.iter().map(|(k, v)| k.len() + most_of_value(v) + 2 * FRAME).sum()
            }
            Reply::Table(rows) => rows.iter().map(|(k, v)| k.len() + v.len() + 2 * FRAME).sum(),
            Reply::List(items) | Reply::Set(items) => items.iter().map(most_bytes).sum(),
            Reply::Map(pairs) | Reply::Pairs(pairs) => {
                pairs.iter().map(|(k, v)| 4 + most_bytes(k) + most_bytes(v)).sum()
            }
            Reply::Status(text) | Reply::Error(text) | Reply::Failed(text) => text.len(),
            Reply::TooLarge(text) | Reply::Verbatim(text) => text.len(),
            Reply::Denied(denial) => denied(*denial).len(),
            Reply::Double(number) => format_f64(*number).len(),
            Reply::Token(text) | Reply::UnknownAction(text) | Reply::DatabaseMade { name: text, .. } => {
                text.len()
            }
            Reply::Database(problem) => problem.name().len() + FRAME,
            Reply::Rows(rows) => rows.value.len(),
            Reply::TableError(error) => error.message.len(),
            _ => 8,
        }
}

/// A value, or the error in its place: that of a hash is longer than what is stored of it.
fn most_of_value(stored: &[u8]) -> usize {
    stored.len().max(WRONG_TYPE.len())
}

fn denied(denial: Denial) -> &'static str {
    match denial {
        Denial::WrongCredentials => "WRONGPASS invalid username-password pair or user is disabled.",
        Denial::NotAllowed => "NOPERM this user may not do that",
        Denial::NoUsers => {
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
        }
        Denial::Disabled => "ERR this is switched off on this server",
    }
}

fn push_items(out: &mut Vec<u8>, sign: u8, items: &[Reply], version: Version) {
    push_header(out, sign, items.len() as i64);
    for item in items {
        encode(item, version, out);
    }
}

/// Appends a sign, a number and a line end.
#[inline]
fn push_header(out: &mut Vec<u8>, sign: u8, number: i64) {
    out.push(sign);
    push_i64(out, number);
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn push_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    push_header(out, b'$', bytes.len() as i64);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends a stored value: its characters or bytes, or its JSON text.
#[inline]
fn push_value(out: &mut Vec<u8>, stored: &[u8]) {
    match Value::decode(stored) {
        Value::Bytes(bytes) => push_bulk(out, &bytes),
        Value::Json(text) => push_bulk(out, text.as_bytes()),
        Value::Hash(_) => push_line(out, b'-', WRONG_TYPE),
    }
}

/// What is said when a command is for another kind of value.
pub const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

/// Appends a text that must not have line ends, which would end the reply early.
fn push_line(out: &mut Vec<u8>, sign: u8, text: &str) {
    out.push(sign);
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

fn push_error(out: &mut Vec<u8>, why: &str) {
    out.extend_from_slice(b"-ERR ");
    out.extend(why.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}
