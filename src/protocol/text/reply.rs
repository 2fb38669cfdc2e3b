//! A reply becomes a line, or the lines of a table.

use crate::protocol::resp::number::{format_f64, push_i64};
use crate::protocol::{Denial, Reply, Request};
use crate::store::Value;

/// What a client asked for, as far as the words of the reply depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A delete.
    Delete,
    /// A change of the time to live.
    Expire,
    /// To stop the server.
    Shutdown,
    /// Anything else.
    Other,
}

impl Asked {
    /// What `request` is.
    pub(super) fn by(request: &Request<'_>) -> Asked {
        match request {
            Request::Delete { .. } => Asked::Delete,
            Request::Expire { .. } => Asked::Expire,
            Request::Shutdown => Asked::Shutdown,
            _ => Asked::Other,
        }
    }
}

/// Appends the line for `reply` to what was asked.
pub fn encode(reply: &Reply, asked: Asked, out: &mut Vec<u8>) {
    match (reply, asked) {
        (Reply::Number(0) | Reply::Value(None), Asked::Expire) | (Reply::Value(None) | Reply::Null, _) => {
            out.extend_from_slice(b"NOT_FOUND\n");
        }
        // Whether it was there or not.
        (Reply::Number(_) | Reply::Done, Asked::Delete) => out.extend_from_slice(b"DELETED\n"),
        (Reply::Done, _) | (Reply::Number(_), Asked::Expire) => out.extend_from_slice(b"OK\n"),
        (Reply::Value(Some(stored)), _) => push_value(out, stored),
        (Reply::Bytes(bytes), _) => push_text(out, bytes),
        (Reply::Table(rows), _) => {
            for (name, value) in rows {
                push_line(out, &[name, ": ", value]);
            }
            // There is a line for every request (X2).
            if rows.is_empty() {
                out.extend_from_slice(b"OK\n");
            }
        }
        (Reply::LoginFirst, _) => push_error(out, "Authentication required"),
        (Reply::Denied(Denial::Disabled), Asked::Shutdown) => push_error(out, "SHUTDOWN is disabled"),
        (Reply::Denied(denial), _) => push_error(out, denied(*denial)),
        (Reply::Failed(why) | Reply::Error(why), _) => push_error(out, why),
        (Reply::TooLarge(why), _) => push_error(out, why),
        _ => encode_other(reply, out),
    }
}

/// Replies to what cannot be asked for in this protocol.
fn encode_other(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Pong => out.extend_from_slice(b"PONG\n"),
        Reply::Number(number) => {
            push_i64(out, *number);
            out.push(b'\n');
        }
        Reply::Double(number) => push_line(out, &[&format_f64(*number)]),
        Reply::Status(text) => push_line(out, &[text]),
        Reply::Database(problem) => push_error(out, &problem.to_string()),
        Reply::TableError(error) => push_error(out, &error.message),
        Reply::UnknownAction(name) => push_line(out, &["ERROR: Unknown command: ", name]),
        _ => push_error(out, "The reply has no form in one line"),
    }
}

fn denied(denial: Denial) -> &'static str {
    match denial {
        Denial::WrongCredentials => "Authentication failed",
        Denial::NotAllowed => "This user may not do that",
        Denial::NoUsers => "Authentication failed: this server has no users",
        Denial::Disabled => "This is switched off on this server",
    }
}

/// The most bytes that [`encode`] appends for `reply`.
#[must_use]
pub fn most_bytes(reply: &Reply) -> usize {
    /// The words around a text, and those of every reply without a text of its own.
    const FRAME: usize = 80;
    FRAME
        + match reply {
            Reply::Value(Some(bytes)) | Reply::Bytes(bytes) => bytes.len(),
            Reply::Table(rows) => rows.iter().map(|(name, value)| name.len() + value.len() + 3).sum(),
            Reply::Failed(why) | Reply::Error(why) | Reply::Status(why) => why.len(),
            Reply::TooLarge(why) | Reply::UnknownAction(why) => why.len(),
            Reply::Database(problem) => problem.name().len(),
            Reply::TableError(error) => error.message.len(),
            Reply::Double(number) => format_f64(*number).len(),
            _ => 0,
        }
}

fn push_value(out: &mut Vec<u8>, stored: &[u8]) {
    match Value::decode(stored) {
        Value::Bytes(bytes) => push_text(out, &bytes),
        // Line ends in JSON can only stand between tokens, where spaces will do.
        Value::Json(text) => push_line(out, &["VALUE ", &text]),
        Value::Hash(_) => push_error(out, "The value is a hash, which has no form in one line"),
    }
}

fn push_text(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.bytes().any(ends_line) => push_error(out, "The value has several lines"),
        Ok(text) => push_line(out, &["VALUE ", text]),
        Err(_) => push_error(out, "The value is not valid UTF-8"),
    }
}

/// Appends an error line.
pub(super) fn push_error(out: &mut Vec<u8>, message: &str) {
    push_line(out, &["ERROR: ", message]);
}

/// Appends texts as one line: what would end it within them becomes a space (X3).
fn push_line(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        out.extend(text.bytes().map(|byte| if ends_line(byte) { b' ' } else { byte }));
    }
    out.push(b'\n');
}

fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}
