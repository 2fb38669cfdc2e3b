//! A reply becomes a line.

use super::refusal::{BATCH_FAILED, Tail, push_error};
use crate::Slice;
use crate::protocol::json::{most_escaped, push_json, push_string};
use crate::protocol::resp::number::{format_f64, push_i64};
use crate::protocol::{Denial, Reply, Request};
use crate::store::Value;

/// What a client asked for, as far as the words of the reply depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A put.
    Put,
    /// A batch.
    Batch,
    /// A delete.
    Delete,
    /// Anything else.
    Other,
}

impl Asked {
    /// What `request` is.
    pub(super) fn by(request: &Request<'_>) -> Asked {
        match request {
            Request::Put { .. } => Asked::Put,
            Request::Batch(_) => Asked::Batch,
            Request::Delete { .. } => Asked::Delete,
            _ => Asked::Other,
        }
    }
}

/// Appends the line for `reply` to what was asked.
///
/// The library may have stored keys and values that are no text. JSON cannot carry them, so a reply that would have to
/// becomes an error, whole: leaving out an entry of a range would say that it is not there.
pub fn encode(reply: &Reply, asked: Asked, out: &mut Vec<u8>) {
    match (reply, asked) {
        // No such key can be stored.
        (Reply::Number(0) | Reply::TooLarge(_), Asked::Delete) => {
            push_error(out, "Failed to delete key or key not found", Tail::ResultFalse);
        }
        (Reply::Done, _) | (Reply::Number(_), Asked::Delete) => {
            out.extend_from_slice(b"{\"status\":\"ok\",\"result\":true}\n");
        }
        (Reply::TooLarge(_), Asked::Put) => {
            push_error(out, "Failed to put key-value pair", Tail::ResultFalse);
        }
        (Reply::TooLarge(_), Asked::Batch) => push_error(out, BATCH_FAILED, Tail::ResultFalse),
        (Reply::LoginFirst, _) => push_error(out, "Authentication required", Tail::Nothing),
        (Reply::Denied(denial), _) => push_error(out, denied(*denial), Tail::Nothing),
        (Reply::Failed(why) | Reply::Error(why), _) => {
            push_error(out, &format!("Server error: {why}"), Tail::Nothing);
        }
        (Reply::Database(problem), _) => push_error(out, &problem.to_string(), Tail::Nothing),
        (Reply::UnknownAction(name), _) => {
            push_error(out, &format!("Unknown command: {name}"), Tail::Nothing);
        }
        (Reply::TableError(error), _) => {
            push_error(out, &error.message, Tail::About { code: &error.code, ref_data: &error.ref_data });
        }
        (Reply::TooLarge(why), _) => push_error(out, &format!("Server error: {why}"), Tail::Nothing),
        _ => push_result(out, |out| push_shape(out, reply)),
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
    /// The words around a result, and those of every error without a text of its own.
    const FRAME: usize = 100;
    FRAME + most_shape(reply)
}

fn most_shape(reply: &Reply) -> usize {
    match reply {
        Reply::Value(Some(value)) | Reply::Bytes(value) => most_escaped(value) + 2,
        Reply::Entries(entries) => {
            // Four quotes, a colon and a comma.
            entries.iter().map(|(key, value)| most_escaped(key) + most_escaped(value) + 6).sum::<usize>() + 2
        }
        Reply::Failed(why) | Reply::Error(why) | Reply::Status(why) => most_escaped(why.as_bytes()) + 2,
        Reply::TooLarge(why) | Reply::Verbatim(why) => most_escaped(why.as_bytes()) + 2,
        Reply::Table(rows) => {
            rows.iter().map(|(name, value)| name.len() + most_escaped(value.as_bytes()) + 6).sum::<usize>()
                + 2
        }
        Reply::List(items) | Reply::Set(items) => {
            items.iter().map(|item| most_shape(item) + 1).sum::<usize>() + 2
        }
        Reply::Map(pairs) | Reply::Pairs(pairs) => {
            pairs.iter().map(|(name, value)| most_shape(name) + most_shape(value) + 4).sum::<usize>() + 2
        }
        Reply::Double(number) => format_f64(*number).len() + 2,
        Reply::Token(text) | Reply::DatabaseMade { name: text, .. } | Reply::UnknownAction(text) => {
            most_escaped(text.as_bytes()) + 2
        }
        Reply::Database(problem) => most_escaped(problem.name().as_bytes()) + 2,
        Reply::Rows(rows) => {
            rows.value.len() + rows.next.as_deref().map_or(0, |next| most_escaped(next.as_bytes()) + 10)
        }
        Reply::TableError(error) => {
            most_escaped(error.message.as_bytes()) + error.ref_data.len() + error.code.len()
        }
        // A number, a word.
        _ => 24,
    }
}

/// What JSON cannot carry, in the words of the error reply.
struct NotText(&'static str);

/// Appends an ok reply with what `push` appends, or the error it ends with.
fn push_result(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>) -> Result<(), NotText>) {
    let start = out.len();
    out.extend_from_slice(b"{\"status\":\"ok\",\"result\":");
    match push(out) {
        Ok(()) => out.extend_from_slice(b"}\n"),
        Err(NotText(message)) => {
            out.truncate(start);
            push_error(out, message, Tail::Nothing);
        }
    }
}

/// Appends a reply that is no error as a JSON value.
fn push_shape(out: &mut Vec<u8>, reply: &Reply) -> Result<(), NotText> {
    match reply {
        Reply::Pong => out.extend_from_slice(b"\"pong\""),
        Reply::Value(Some(value)) => return push_value(out, value),
        Reply::Entries(entries) => return push_entries(out, entries),
        Reply::Bytes(bytes) => return push_text(out, bytes),
        Reply::Number(number) => push_i64(out, *number),
        Reply::Double(number) if number.is_finite() => out.extend_from_slice(format_f64(*number).as_bytes()),
        Reply::Double(number) => push_string(out, &format_f64(*number)),
        Reply::Status(text) => push_string(out, text),
        Reply::Rows(rows) => {
            out.extend_from_slice(rows.value.as_bytes());
            if let Some(next) = &rows.next {
                out.extend_from_slice(b",\"next\":");
                push_string(out, next);
            }
        }
        Reply::Token(text) | Reply::DatabaseMade { name: text, .. } => push_string(out, text),
        Reply::Verbatim(text) => push_string(out, text),
        Reply::Table(rows) => {
            return push_object(out, rows, |out, (name, value)| {
                push_string(out, name);
                out.push(b':');
                push_string(out, value);
                Ok(())
            });
        }
        Reply::List(items) | Reply::Set(items) => {
            out.push(b'[');
            push_separated(out, items, push_shape)?;
            out.push(b']');
        }
        Reply::Map(pairs) | Reply::Pairs(pairs) => {
            return push_object(out, pairs, |out, (name, value)| {
                push_shape(out, name)?;
                out.push(b':');
                push_shape(out, value)
            });
        }
        _ => out.extend_from_slice(b"null"),
    }
    Ok(())
}

fn push_object<T>(
    out: &mut Vec<u8>,
    members: &[T],
    push: impl Fn(&mut Vec<u8>, &T) -> Result<(), NotText>,
) -> Result<(), NotText> {
    out.push(b'{');
    push_separated(out, members, push)?;
    out.push(b'}');
    Ok(())
}

/// Appends things with commas between them.
fn push_separated<T>(
    out: &mut Vec<u8>,
    things: &[T],
    push: impl Fn(&mut Vec<u8>, &T) -> Result<(), NotText>,
) -> Result<(), NotText> {
    for (at, thing) in things.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push(out, thing)?;
    }
    Ok(())
}

fn push_text(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), NotText> {
    push_string(out, std::str::from_utf8(bytes).map_err(|_| NotText("Value is not valid UTF-8"))?);
    Ok(())
}

fn push_value(out: &mut Vec<u8>, stored: &Slice) -> Result<(), NotText> {
    match Value::decode(stored) {
        Value::Json(text) => push_json(out, &text),
        Value::Bytes(bytes) => return push_text(out, &bytes),
        Value::Hash(_) => return Err(NotText("Value is a hash, which has no JSON form here")),
    }
    Ok(())
}

fn push_entries(out: &mut Vec<u8>, entries: &[(Slice, Slice)]) -> Result<(), NotText> {
    push_object(out, entries, |out, (key, value)| {
        push_string(out, std::str::from_utf8(key).map_err(|_| NotText("Key is not valid UTF-8"))?);
        out.push(b':');
        push_value(out, value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::DatabaseProblem;

    #[test]
    fn no_reply_is_longer_than_it_may_be() {
        let values = ["", "plain", "a\"b\\c\n\0\x7f", "é€😀\u{ffff}", "\u{1}\u{2}"];
        let stored = |text: &str| Slice::copy_of(text.as_bytes());
        let json = |text: &str| Slice::copy_of(&[b"\xffJ", text.as_bytes()].concat());
        let mut replies = vec![
            Reply::Done,
            Reply::Pong,
            Reply::Number(i64::MIN),
            Reply::TooLarge("long".into()),
            Reply::Value(None),
            Reply::Value(Some(Slice::copy_of(b"\xff\xfe"))),
            Reply::Value(Some(json("[\n1,\t\"é\\n😀\"]"))),
            Reply::Double(f64::MAX),
            Reply::LoginFirst,
            Reply::Denied(Denial::NoUsers),
        ];
        for value in values {
            replies.push(Reply::Value(Some(stored(value))));
            replies.push(Reply::Failed(value.to_owned().into()));
            replies.push(Reply::Table(vec![("name", value.into())]));
            replies.push(Reply::Token(value.into()));
            replies.push(Reply::UnknownAction(value.into()));
            replies.push(Reply::Database(DatabaseProblem::Missing(value.into())));
            replies.push(Reply::Map(vec![(Reply::bytes(value), Reply::List(vec![Reply::bytes(value)]))]));
            replies.push(Reply::Entries(vec![(stored(value), stored(value)), (stored(value), json("[1]"))]));
        }
        for reply in replies {
            for asked in [Asked::Put, Asked::Batch, Asked::Delete, Asked::Other] {
                let mut out = Vec::new();
                encode(&reply, asked, &mut out);
                assert!(out.len() <= most_bytes(&reply), "{reply:?}: {}", String::from_utf8_lossy(&out));
            }
        }
    }
}
