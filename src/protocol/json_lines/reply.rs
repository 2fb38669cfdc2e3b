//! A reply becomes a line.

use super::escape::{most_escaped, push_json, push_string};
use super::refusal::{BATCH_FAILED, Tail, push_error};
use crate::Slice;
use crate::protocol::Reply;
use crate::store::Value;

/// Appends the line for `reply`.
///
/// The library may have stored keys and values that are no text. JSON cannot carry them, so a reply that would have to
/// becomes an error, whole: leaving out an entry of a range would say that it is not there.
pub fn encode(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Done => out.extend_from_slice(b"{\"status\":\"ok\",\"result\":true}\n"),
        Reply::Pong => out.extend_from_slice(b"{\"status\":\"ok\",\"result\":\"pong\"}\n"),
        Reply::Value(None) => out.extend_from_slice(b"{\"status\":\"ok\",\"result\":null}\n"),
        Reply::Value(Some(value)) => push_result(out, |out| push_value(out, value)),
        Reply::Entries(entries) => push_result(out, |out| push_entries(out, entries)),
        Reply::NotFound => push_error(out, "Failed to delete key or key not found", Tail::ResultFalse),
        Reply::PutRefused => push_error(out, "Failed to put key-value pair", Tail::ResultFalse),
        Reply::BatchRefused => push_error(out, BATCH_FAILED, Tail::ResultFalse),
        Reply::Failed(why) => push_error(out, &format!("Server error: {why}"), Tail::Nothing),
    }
}

/// The most bytes that [`encode`] appends for `reply`.
#[must_use]
pub fn most_bytes(reply: &Reply) -> usize {
    /// The words around a result, and those of every error without a text of its own.
    const FRAME: usize = 100;
    FRAME
        + match reply {
            Reply::Value(Some(value)) => most_escaped(value),
            Reply::Entries(entries) => {
                // Four quotes, a colon and a comma.
                entries.iter().map(|(key, value)| most_escaped(key) + most_escaped(value) + 6).sum()
            }
            Reply::Failed(why) => most_escaped(why.as_bytes()),
            _ => 0,
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

fn push_value(out: &mut Vec<u8>, stored: &Slice) -> Result<(), NotText> {
    match Value::decode(stored) {
        Value::Json(text) => push_json(out, &text),
        Value::Bytes(bytes) => {
            push_string(out, std::str::from_utf8(&bytes).map_err(|_| NotText("Value is not valid UTF-8"))?);
        }
    }
    Ok(())
}

fn push_entries(out: &mut Vec<u8>, entries: &[(Slice, Slice)]) -> Result<(), NotText> {
    out.push(b'{');
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_string(out, std::str::from_utf8(key).map_err(|_| NotText("Key is not valid UTF-8"))?);
        out.push(b':');
        push_value(out, value)?;
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reply_is_longer_than_it_may_be() {
        let values = ["", "plain", "a\"b\\c\n\0\x7f", "é€😀\u{ffff}", "\u{1}\u{2}"];
        let stored = |text: &str| Slice::copy_of(text.as_bytes());
        let json = |text: &str| Slice::copy_of(&[b"\xffJ", text.as_bytes()].concat());
        let mut replies = vec![
            Reply::Done,
            Reply::Pong,
            Reply::NotFound,
            Reply::PutRefused,
            Reply::BatchRefused,
            Reply::Value(None),
            Reply::Value(Some(Slice::copy_of(b"\xff\xfe"))),
            Reply::Value(Some(json("[\n1,\t\"é\\n😀\"]"))),
        ];
        for value in values {
            replies.push(Reply::Value(Some(stored(value))));
            replies.push(Reply::Failed(value.to_owned().into()));
            replies.push(Reply::Entries(vec![(stored(value), stored(value)), (stored(value), json("[1]"))]));
        }
        for reply in replies {
            let mut out = Vec::new();
            encode(&reply, &mut out);
            assert!(out.len() <= most_bytes(&reply), "{reply:?}: {}", String::from_utf8_lossy(&out));
        }
    }
}
