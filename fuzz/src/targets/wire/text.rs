//! The protocol of text lines.

use super::{Next, same_however_it_arrives};
use crate::memory::bounded;
use siltstone::Slice;
use siltstone::protocol::text::{Asked, Decoded, Decoder, Frame, Refusal, encode, most_bytes};
use siltstone::protocol::{Credentials, Reply, Request};
use siltstone::store::Value;

/// A line has at most so many bytes here, so that the fuzzer meets the limit.
const MAX_LINE: usize = 512;

/// Requests do not depend on how the bytes arrive; each line has exactly one, and one line as an answer; what was understood
/// is understood again when it is written anew.
pub fn wire_text(input: &[u8]) {
    bounded((1 << 20) + 1024 * input.len(), || {
        let parsed = same_however_it_arrives(input, || {
            let mut decoder = Decoder::new(MAX_LINE);
            move |input: &[u8]| next(&mut decoder, input)
        });
        let lines = input.iter().filter(|byte| **byte == b'\n').count();
        assert!(parsed.outcomes.len() == lines || parsed.broken && parsed.outcomes.len() <= lines + 1);
        for asked in [Asked::Delete, Asked::Expire, Asked::Shutdown, Asked::Other] {
            check_reply(&Reply::Value(Some(Slice::copy_of(input))), asked);
            check_reply(&Reply::Failed(String::from_utf8_lossy(input).into_owned().into()), asked);
        }
    });
}

fn next(decoder: &mut Decoder, input: &[u8]) -> Next {
    let len = match decoder.frame(input) {
        Frame::Incomplete => return Next::More(0),
        Frame::Broken(refusal) => return Next::Broken(refused(&refusal)),
        Frame::Whole { len } => len,
    };
    let next = match decoder.decode(&input[..len]) {
        Decoded::Request { request, asked } => {
            check_again(&request, asked);
            Next::Outcome(describe(&request, asked), len)
        }
        Decoded::Refused(refusal) => Next::Outcome(refused(&refusal), len),
        Decoded::Broken(refusal) => Next::Broken(refused(&refusal)),
    };
    decoder.done();
    next
}

/// A request, with the password that it hides.
fn describe(request: &Request<'_>, asked: Asked) -> String {
    match request {
        Request::Authenticate(Credentials { user, password }) => format!("{user:?} {password:?} {asked:?}"),
        other => format!("{other:?} {asked:?}"),
    }
}

/// A request written anew is the same request.
fn check_again(request: &Request<'_>, asked: Asked) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a line is UTF-8");
    let line = match request {
        Request::Get { key } => format!("GET {}", text(key)),
        Request::Delete { key } => format!("DEL {}", text(key)),
        Request::Expire { key, ttl } => format!("TTL {} {}", text(key), ttl.unwrap_or(0)),
        // With the suffix always, or the value could end with what looks like one.
        Request::Put { key, value: Value::Bytes(value), ttl } => {
            format!("PUT {} {} TTL {}", text(key), text(value), ttl.unwrap_or(0))
        }
        Request::Authenticate(Credentials { user: Some(user), password }) => {
            format!("AUTH {user} {}", text(password))
        }
        Request::Authenticate(Credentials { user: None, password }) => format!("AUTH {}", text(password)),
        Request::Stats => "STATS".into(),
        Request::Compact => "COMPACT".into(),
        Request::Shutdown => "SHUTDOWN".into(),
        Request::Quit => "EXIT".into(),
        other => panic!("no line asks for {other:?}"),
    };
    match Decoder::new(8 * MAX_LINE).decode(line.as_bytes()) {
        Decoded::Request { request: again, asked: asked_again } => {
            assert_eq!(describe(&again, asked_again), describe(request, asked), "{line:?}");
        }
        other => panic!("{other:?} of {line:?}"),
    }
}

fn refused(refusal: &Refusal) -> String {
    let mut out = Vec::new();
    refusal.encode(&mut out);
    assert!(out.starts_with(b"ERROR: "));
    check_line(&out);
    format!("{refusal:?}")
}

fn check_reply(reply: &Reply, asked: Asked) {
    let mut out = Vec::new();
    encode(reply, asked, &mut out);
    check_line(&out);
    assert!(out.len() <= most_bytes(reply));
}

/// One line of text.
fn check_line(line: &[u8]) {
    let text = std::str::from_utf8(line).expect("a reply is UTF-8");
    let content = text.strip_suffix('\n').expect("a reply ends its line");
    assert!(!content.contains(['\n', '\r']), "{text:?}");
}
