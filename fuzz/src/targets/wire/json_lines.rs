//! The protocol JSON lines: requests out of any bytes.

use super::{Next, Parsed, same_however_it_arrives};
use crate::memory::bounded;
use siltstone::protocol::json_lines::{Asked, Decoded, Decoder, Refusal};
use siltstone::protocol::{Credentials, RangeRequest, Request};
use siltstone::store::Value;
use std::collections::BTreeMap;

/// A line has at most so many bytes here, so that the fuzzer meets the limit.
pub(super) const MAX_LINE: usize = 512;

/// Requests do not depend on how the bytes arrive; each line that is not blank has exactly one; none is longer than it may
/// be; what was understood is understood again when it is written anew.
pub fn wire_request(input: &[u8]) {
    bounded((1 << 20) + 256 * input.len(), || {
        let whole = same_however_it_arrives(input, || {
            let mut decoder = Decoder::new(MAX_LINE);
            move |input: &[u8]| next(&mut decoder, input)
        });
        check_lines(input, &whole);
    });
}

/// What comes first in the bytes that are there.
fn next(decoder: &mut Decoder, input: &[u8]) -> Next {
    match decoder.decode(input) {
        Decoded::Incomplete { consumed } => Next::More(consumed),
        Decoded::Request { request, asked, consumed } => {
            check_again(&request, asked);
            Next::Outcome(format!("{request:?} {asked:?}"), consumed)
        }
        Decoded::Refused { refusal, consumed } => {
            check_reply(&refused(&refusal));
            Next::Outcome(format!("{refusal:?}"), consumed)
        }
        Decoded::Broken { refusal } => {
            check_reply(&refused(&refusal));
            Next::Broken(format!("{refusal:?}"))
        }
    }
}

/// One outcome for each line, and none longer than the limit.
fn check_lines(input: &[u8], parsed: &Parsed) {
    let mut outcomes = parsed.outcomes.iter();
    let mut at = 0;
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        let whole = line.ends_with(b"\n");
        at += line.len();
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        if content.len() > MAX_LINE {
            assert!(parsed.broken && outcomes.next().is_some());
            break;
        }
        if !whole || content.trim_ascii().is_empty() {
            continue;
        }
        let Some((_, end)) = outcomes.next() else { panic!("no answer to {}", content.escape_ascii()) };
        if parsed.broken && outcomes.len() == 0 {
            return;
        }
        assert_eq!(*end, at, "an answer that belongs to another line");
    }
    assert_eq!(outcomes.len(), 0, "more answers than lines");
}

/// A request written anew is the same request.
fn check_again(request: &Request<'_>, asked: Asked) {
    let Some(mut line) = write_request(request) else { return };
    line.push(b'\n');
    let text = format!("{request:?}");
    // The plain form may be longer than the one it came in: control characters are escaped with six bytes.
    match Decoder::new(8 * MAX_LINE).decode(&line) {
        Decoded::Request { request, asked: again, consumed } => {
            assert_eq!(
                (format!("{request:?}"), again, consumed),
                (text, asked, line.len()),
                "{}",
                line.escape_ascii()
            );
        }
        other => panic!("{other:?} of {}", line.escape_ascii()),
    }
}

/// A request as a line, without its end.
fn write_request(request: &Request<'_>) -> Option<Vec<u8>> {
    let text = |bytes: &[u8]| serde_json::to_string(std::str::from_utf8(bytes).ok()?).ok();
    let member = |value: &Value<'_>| match value {
        Value::Bytes(bytes) => text(bytes),
        Value::Json(json) => Some(json.to_string()),
        Value::Hash(_) => None,
    };
    let line = match request {
        Request::Ping => r#"{"command":"ping"}"#.into(),
        Request::Get { key } => format!(r#"{{"command":"read","key":{}}}"#, text(key)?),
        Request::Delete { key } => format!(r#"{{"command":"delete","key":{}}}"#, text(key)?),
        Request::Put { key, value, ttl } => {
            let ttl = ttl.map_or("null".into(), |ttl| ttl.to_string());
            let (key, value) = (text(key)?, member(value)?);
            format!(r#"{{"command":"put","key":{key},"value":{value},"ttl":{ttl}}}"#)
        }
        Request::Range(RangeRequest { start, end, limit, reverse }) => {
            let limit = limit.map_or("null".into(), |limit| limit.to_string());
            let (start, end) = (text(start)?, text(end)?);
            format!(
                r#"{{"command":"read_key_range","start_key":{start},"end_key":{end},"limit":{limit},"reverse":{reverse}}}"#
            )
        }
        Request::Batch(pairs) => {
            let keys: Vec<String> = pairs.iter().map(|(key, _)| text(key)).collect::<Option<_>>()?;
            let values = pairs.iter().map(|(_, value)| member(&Value::decode(value)));
            let values: Vec<String> = values.collect::<Option<_>>()?;
            format!(
                r#"{{"command":"batch_put","keys":[{}],"values":[{}]}}"#,
                keys.join(","),
                values.join(",")
            )
        }
        Request::Authenticate(Credentials { user, password }) => {
            let user = user.as_ref().map_or(Some("null".into()), |user| text(user.as_bytes()))?;
            format!(r#"{{"command":"auth","user":{user},"password":{}}}"#, text(password)?)
        }
        other => panic!("no line asks for {other:?}"),
    };
    Some(line.into_bytes())
}

pub(super) fn refused(refusal: &Refusal) -> Vec<u8> {
    let mut out = Vec::new();
    refusal.encode(&mut out);
    out
}

/// A reply is one line of ASCII, and an object with a status.
pub(super) fn check_reply(line: &[u8]) {
    let (end, content) = line.split_last().expect("a reply has bytes");
    assert!(*end == b'\n' && content.is_ascii() && !content.contains(&b'\n'), "{}", line.escape_ascii());
    let parsed: BTreeMap<String, &serde_json::value::RawValue> =
        serde_json::from_slice(content).unwrap_or_else(|e| panic!("{e} in {}", line.escape_ascii()));
    assert!(parsed.contains_key("status"));
}
