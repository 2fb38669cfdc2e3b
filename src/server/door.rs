//! The protocol of a connection: found out from its first bytes, or fixed by the port they came to.

use super::answers::{Answer, What};
use crate::protocol::detect::{Detected, blank, detect};
use crate::protocol::json_lines::{self, Decoded};
use crate::protocol::resp::{self, Args, Frame, Limits, Version};
use crate::protocol::{Form, Reply, Request, framed, text};

/// Which protocols a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// Whichever the client begins with.
    #[default]
    Auto,
    /// One JSON object a line.
    JsonLines,
    /// The protocol of Redis.
    Resp,
    /// Lines of words; the server speaks first. It is never found out from what a client begins with.
    Text,
    /// JSON behind its length.
    Framed,
}

/// The decoder of a connection.
#[derive(Debug)]
pub(super) enum Door {
    /// Nothing has come yet that tells.
    Unknown,
    /// JSON lines.
    Json(json_lines::Decoder),
    /// RESP.
    Resp(resp::Decoder),
    /// Lines of words.
    Text(text::Decoder),
    /// JSON behind its length.
    Framed(framed::Decoder),
}

/// What the next bytes are.
pub(super) enum Next {
    /// Not enough; so many bytes are done with.
    More {
        /// How many.
        skip: usize,
    },
    /// A whole request of so many bytes.
    Whole {
        /// How many.
        len: usize,
    },
    /// Nothing after this can be understood, or is wanted: the last answer.
    Broken(Answer),
}

/// A whole request, decoded.
pub(super) enum Whole<'a> {
    /// It asks for something.
    Request(Request<'a>, Form),
    /// It is none, and answered by these bytes.
    Refused(Vec<u8>),
    /// It is none, and the connection ends.
    Broken(Vec<u8>),
    /// It is nothing, without an answer.
    Nothing,
}

impl Door {
    /// What a connection to a port of `protocol` begins with.
    pub(super) fn new(protocol: Protocol, max_bytes: usize, strangers: bool) -> Door {
        match protocol {
            Protocol::Auto => Door::Unknown,
            Protocol::JsonLines => Door::Json(json_lines::Decoder::new(max_bytes)),
            Protocol::Resp => Door::Resp(resp::Decoder::new(limits(max_bytes, strangers))),
            Protocol::Text => Door::Text(text::Decoder::new(max_bytes)),
            Protocol::Framed => Door::Framed(framed::Decoder::new(max_bytes)),
        }
    }

    /// Finds the next request in `input`.
    pub(super) fn next(&mut self, input: &[u8], max_bytes: usize, strangers: bool) -> Next {
        loop {
            match self {
                Door::Unknown => match detect(input) {
                    Detected::More => return Next::More { skip: blank(input) },
                    Detected::JsonLines => *self = Door::new(Protocol::JsonLines, max_bytes, strangers),
                    Detected::Resp => *self = Door::new(Protocol::Resp, max_bytes, strangers),
                    Detected::Framed => *self = Door::new(Protocol::Framed, max_bytes, strangers),
                    Detected::Tls => return broken("this port does not speak TLS"),
                    Detected::Unknown => return broken("unknown protocol"),
                },
                Door::Json(decoder) => {
                    decoder.set_limit(line_limit(max_bytes, strangers));
                    return next_line(decoder, input);
                }
                Door::Text(decoder) => {
                    decoder.set_limit(line_limit(max_bytes, strangers));
                    return match decoder.frame(input) {
                        text::Frame::Incomplete => Next::More { skip: 0 },
                        text::Frame::Whole { len } => Next::Whole { len },
                        text::Frame::Broken(refusal) => refused(|out| refusal.encode(out)),
                    };
                }
                Door::Framed(decoder) => {
                    decoder.set_limit(line_limit(max_bytes, strangers));
                    return match decoder.frame(input) {
                        framed::Frame::Incomplete { skip } => Next::More { skip },
                        framed::Frame::Whole { len } => Next::Whole { len },
                        framed::Frame::Broken(refusal) => refused(|out| refusal.encode(out)),
                    };
                }
                Door::Resp(decoder) => {
                    decoder.set_limits(limits(max_bytes, strangers));
                    return match decoder.frame(input) {
                        Frame::Incomplete { skip } => Next::More { skip },
                        Frame::Whole { len } => Next::Whole { len },
                        Frame::Broken(error) => broken(error),
                    };
                }
            }
        }
    }

    /// Decodes the request that [`Door::next`] found, which has `len` bytes. A version of RESP is that of the session.
    pub(super) fn decode<'a>(&'a mut self, input: &'a [u8], len: usize, version: Version) -> Whole<'a> {
        match self {
            Door::Unknown => Whole::Nothing,
            Door::Json(decoder) => match decoder.decode(input.get(..len).unwrap_or_default()) {
                Decoded::Request { request, asked, .. } => Whole::Request(request, Form::Json(asked)),
                Decoded::Refused { refusal, .. } => Whole::Refused(bytes(|out| refusal.encode(out))),
                Decoded::Broken { refusal } => Whole::Broken(bytes(|out| refusal.encode(out))),
                // A blank line.
                Decoded::Incomplete { .. } => Whole::Nothing,
            },
            Door::Text(decoder) => match decoder.decode(input.get(..len).unwrap_or_default()) {
                text::Decoded::Request { request, asked } => Whole::Request(request, Form::Text(asked)),
                text::Decoded::Refused(refusal) => Whole::Refused(bytes(|out| refusal.encode(out))),
                text::Decoded::Broken(refusal) => Whole::Broken(bytes(|out| refusal.encode(out))),
            },
            Door::Framed(decoder) => match decoder.decode(input) {
                framed::Decoded::Request { request, asked } => Whole::Request(request, Form::Framed(asked)),
                framed::Decoded::Refused(refusal) => Whole::Refused(bytes(|out| refusal.encode(out))),
            },
            Door::Resp(decoder) => {
                let args = decoder.args(input);
                if args.is_empty() {
                    Whole::Nothing
                } else if decoder.is_inline(input) && is_http(args) {
                    Whole::Broken(NOT_HTTP.into())
                } else {
                    Whole::Request(Request::Command(args), Form::Resp(version))
                }
            }
        }
    }

    /// The request is done with.
    pub(super) fn done(&mut self) {
        match self {
            Door::Unknown => {}
            Door::Json(decoder) => decoder.skip_line(),
            Door::Resp(decoder) => decoder.done(),
            Door::Text(decoder) => decoder.done(),
            Door::Framed(decoder) => decoder.done(),
        }
    }

    /// How a reply is written that belongs to no request.
    pub(super) fn form(&self, version: Version) -> Form {
        match self {
            Door::Unknown | Door::Json(_) => Form::Json(json_lines::Asked::Other),
            Door::Resp(_) => Form::Resp(version),
            Door::Text(_) => Form::Text(text::Asked::Other),
            Door::Framed(_) => Form::Framed(framed::Asked::Other),
        }
    }
}

/// The last words to who speaks HTTP.
const NOT_HTTP: &[u8] = b"-ERR Invalid request: this is not an HTTP server\r\n";

/// True for a line of an HTTP request. A web page can make a browser send one to any port, and a later line of it must not be
/// carried out.
fn is_http(args: Args<'_>) -> bool {
    let (name, last) = (args.name(), args.at(args.len().saturating_sub(1)));
    name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"Host:") || last.starts_with(b"HTTP/1.")
}

fn limits(max_bytes: usize, strangers: bool) -> Limits {
    if strangers { Limits::STRANGER } else { Limits::of(max_bytes) }
}

/// The most bytes of a line or a body.
fn line_limit(max_bytes: usize, strangers: bool) -> usize {
    if strangers { max_bytes.min(Limits::STRANGER.command) } else { max_bytes }
}

fn next_line(decoder: &mut json_lines::Decoder, input: &[u8]) -> Next {
    match decoder.line_len(input) {
        // With its end.
        Some(len) => Next::Whole { len: len + 1 },
        None => match decoder.decode(input) {
            Decoded::Broken { refusal } => {
                let form = Form::Json(json_lines::Asked::Other);
                Next::Broken(Answer::new(What::Bytes(bytes(|out| refusal.encode(out))), form))
            }
            _ => Next::More { skip: 0 },
        },
    }
}

/// What something appends.
fn bytes(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes);
    bytes
}

/// The last words, as they are.
fn refused(encode: impl FnOnce(&mut Vec<u8>)) -> Next {
    Next::Broken(Answer::new(What::Bytes(bytes(encode)), Form::Silent))
}

fn broken(why: impl std::fmt::Display) -> Next {
    let reply = Reply::error(format!("ERR {why}"));
    Next::Broken(Answer::new(What::Reply(reply), Form::Resp(Version::V2)))
}
