//! The protocol of Redis: commands out of any bytes, and replies.

use super::{Next, same_however_it_arrives};
use crate::memory::bounded;
use siltstone::Slice;
use siltstone::protocol::Reply;
use siltstone::protocol::resp::{Args, Decoder, Frame, Limits, Version, encode, most_bytes};

/// Small enough for the fuzzer to meet them.
const LIMITS: Limits = Limits { args: 20, bulk: 200, command: 600 };

/// Commands do not depend on how the bytes arrive; none has more than it may have; what was understood is understood again
/// when it is written anew; and replies, whatever is in them, are read as what they are.
pub fn wire_resp(input: &[u8]) {
    bounded((1 << 20) + 256 * input.len(), || {
        for limits in [LIMITS, Limits::STRANGER] {
            same_however_it_arrives(input, || {
                let mut decoder = Decoder::new(limits);
                move |input: &[u8]| next(&mut decoder, input, limits)
            });
        }
        check_replies(input);
    });
}

fn next(decoder: &mut Decoder, input: &[u8], limits: Limits) -> Next {
    match decoder.frame(input) {
        Frame::Incomplete { skip } => Next::More(skip),
        Frame::Broken(error) => {
            let text = error.to_string();
            assert!(!text.contains(['\r', '\n']), "{text:?}");
            Next::Broken(text)
        }
        Frame::Whole { len } => {
            let args = decoder.args(input);
            assert!(args.len() <= limits.args && args.from(0).len() == args.len());
            let text = describe(args);
            check_again(args, &text);
            decoder.done();
            Next::Outcome(text, len)
        }
    }
}

fn describe(args: Args<'_>) -> String {
    args.from(0).map(|arg| format!("<{}>", arg.escape_ascii())).collect()
}

/// A command written anew, as libraries send it, is the same command.
fn check_again(args: Args<'_>, text: &str) {
    let mut message = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args.from(0) {
        message.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        message.extend_from_slice(arg);
        message.extend_from_slice(b"\r\n");
    }
    let mut decoder = Decoder::new(Limits::of(1 << 20));
    assert_eq!(decoder.frame(&message), Frame::Whole { len: message.len() });
    assert_eq!(describe(decoder.args(&message)), text);
}

fn check_replies(input: &[u8]) {
    let text = String::from_utf8_lossy(input).into_owned();
    let items = || vec![Reply::bytes(input), Reply::Number(input.len() as i64), Reply::Null, Reply::NullList];
    let replies = [
        Reply::Value(Some(Slice::copy_of(input))),
        Reply::Status(text.clone().into()),
        Reply::error(text.clone()),
        Reply::Failed(text.clone().into()),
        Reply::UnknownAction(text.clone()),
        Reply::Verbatim(text.clone()),
        Reply::Table(vec![("name", text)]),
        Reply::Entries(vec![(Slice::copy_of(input), Slice::copy_of(input))]),
        Reply::Set(items()),
        Reply::Map(vec![(Reply::bytes(input), Reply::List(items())), (Reply::Double(0.5), Reply::Pong)]),
    ];
    for reply in &replies {
        for version in [Version::V2, Version::V3] {
            let mut out = Vec::new();
            encode(reply, version, &mut out);
            assert!(out.len() <= most_bytes(reply));
            assert_eq!(end_of_reply(&out, version), Some(out.len()), "{}", out.escape_ascii());
        }
    }
}

/// Where the reply ends that stands first, if it is one.
fn end_of_reply(reply: &[u8], version: Version) -> Option<usize> {
    let line = reply.windows(2).position(|end| end == b"\r\n")?;
    let (sign, head) = reply[..line].split_first()?;
    let head = std::str::from_utf8(head).ok()?;
    let is_v3 = version == Version::V3;
    let mut at = line + 2;
    let items = match sign {
        b'+' | b'-' if !head.contains(['\r', '\n']) => 0,
        b':' => head.parse::<i64>().ok().map(|_| 0)?,
        b',' if is_v3 => head.parse::<f64>().ok().map(|_| 0)?,
        b'_' if is_v3 && head.is_empty() => 0,
        b'*' | b'$' if !is_v3 && head == "-1" => 0,
        b'$' | b'=' if is_v3 || *sign == b'$' => {
            at += head.parse::<usize>().ok()?;
            let ends = reply.get(at..at + 2)? == b"\r\n";
            return ends.then_some(at + 2);
        }
        b'*' => head.parse().ok()?,
        b'~' if is_v3 => head.parse().ok()?,
        b'%' if is_v3 => 2 * head.parse::<usize>().ok()?,
        _ => return None,
    };
    for _ in 0..items {
        at += end_of_reply(reply.get(at..)?, version)?;
    }
    Some(at)
}
