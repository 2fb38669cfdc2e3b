//! Lines of words, both ways.
//!
//! ```text
//! greeting = "Welcome to KVStore Server\n"   before anything else, alone
//! input    = line*                 line = bytes without "\n", then "\n"; a "\r" before it is white space
//! line     = words                 one request, one reply; a line without words as well
//! reply    = "OK\n" | "VALUE " value "\n" | "NOT_FOUND\n" | "DELETED\n" | "ERROR: " text "\n" | (name ": " value "\n")*
//! ```
//!
//! The commands are in `request`, the texts of errors in [`Refusal`] and in `reply`. Words are separated by white space of
//! ASCII; any other is part of a word, so that a value comes back with it. A value is the words of which it was made, with one
//! space between two of them.
//!
//! Nothing but the line's end says where a reply ends, so what is in it must have none: a value of several lines, which other
//! protocols can store, is answered by an error, whole, as is one that is no text. Shown as several lines it would be taken for
//! several replies, and escaped it would be another value.
//!
//! (X1) A decoder gives the same requests however the input is split: it looks only at whole lines, and searches a byte for
//!      the line's end once.
//! (X2) Every line gives exactly one request or refusal, and every reply ends with a line's end, so replies stay in step.
//! (X3) Every reply but a table is one line.
//! (X4) A connection from a web browser is cut at its first line (`protocol::http`). `PUT /x HTTP/1.1` is no sign of one: it
//!      sets the key `/x`, and no page can send it without having been allowed to.
//!
//! Reading order: the decoder here, `request` (a line to a request), `refusal`, `reply`.

mod refusal;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use refusal::Refusal;
pub use reply::{Asked, encode, most_bytes};

use super::Request;
use super::lines::{Lines, TooLong};

/// What the server says first, before the client has sent anything. Clients read it with one call, so it is sent alone.
pub const GREETING: &[u8] = b"Welcome to KVStore Server\n";

/// Finds the requests in the bytes of one connection.
///
/// ```
/// use siltstone::protocol::{Request, text::{Decoded, Decoder, Frame}};
///
/// let mut decoder = Decoder::new(1 << 20);
/// let input = b"get k\r\nPUT k";
/// assert_eq!(decoder.frame(input), Frame::Whole { len: 7 });
/// let Decoded::Request { request: Request::Get { key }, .. } = decoder.decode(&input[..7]) else { panic!() };
/// assert_eq!(*key, *b"k");
/// decoder.done();
/// assert_eq!(decoder.frame(&input[7..]), Frame::Incomplete);
/// ```
#[derive(Debug)]
pub struct Decoder {
    lines: Lines,
}

/// What the next bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// No whole line is there.
    Incomplete,
    /// A line.
    Whole {
        /// How many bytes it has, its end included.
        len: usize,
    },
    /// Nothing after this can be understood: answer and close.
    Broken(Refusal),
}

/// What a line is.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// A request.
    Request {
        /// What is asked for.
        request: Request<'a>,
        /// How the reply is to be worded.
        asked: Asked,
    },
    /// None. It is answered, and the next line is looked at.
    Refused(Refusal),
    /// Nothing after this is wanted: answer and close.
    Broken(Refusal),
}

impl Decoder {
    /// A decoder for one connection. Lines may have up to `max_line_bytes` bytes, their end not counted; more than
    /// 1 GiB is not possible.
    #[must_use]
    pub fn new(max_line_bytes: usize) -> Decoder {
        Decoder { lines: Lines::new(max_line_bytes) }
    }

    /// From the next call on, lines may have so many bytes.
    pub fn set_limit(&mut self, max_line_bytes: usize) {
        self.lines.set_limit(max_line_bytes);
    }

    /// What comes first in `input`, which must begin where the last line that was [`Decoder::done`] ended, and may have
    /// grown.
    pub fn frame(&mut self, input: &[u8]) -> Frame {
        match self.lines.find(input) {
            Ok(None) => Frame::Incomplete,
            Ok(Some(len)) => Frame::Whole { len: len + 1 },
            Err(TooLong { limit }) => Frame::Broken(Refusal::LineTooLong { limit }),
        }
    }

    /// What the line is that was found, given its bytes.
    #[must_use]
    pub fn decode<'a>(&self, line: &'a [u8]) -> Decoded<'a> {
        match request::parse(line.trim_ascii()) {
            Ok(request) => Decoded::Request { asked: Asked::by(&request), request },
            Err(refusal @ Refusal::Http) => Decoded::Broken(refusal),
            Err(refusal) => Decoded::Refused(refusal),
        }
    }

    /// The line is done with: what comes next begins behind it.
    pub fn done(&mut self) {
        self.lines.done();
    }
}
