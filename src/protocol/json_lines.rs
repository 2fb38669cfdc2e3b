//! One JSON object a line, both ways.
//!
//! ```text
//! input   = line*           line  = bytes without "\n", then "\n"; a "\r" before it is white space
//! line    = blank           skipped, no reply
//!         | object          one request, one reply
//!         | anything else   one error reply, and the connection goes on
//! reply   = object "\n"     ASCII only, members in the order status, result or message
//! ```
//!
//! The commands and every reply text are in `docs/protocols.md`; the texts stand in [`Refusal`] and in `reply`.
//!
//! (J1) A decoder gives the same requests however the input is split: it looks only at whole lines.
//! (J2) Every line that is not blank gives exactly one request or refusal, so replies stay in step.
//! (J3) A byte is searched for the line's end once, so a long line that arrives in small pieces costs its length.
//! (J4) Nothing recurses, and memory stays within a small multiple of the line.
//! (J5) A connection that talks HTTP is cut at its first line: a web page can make a browser send a request to any
//!      port, and a later line of it must not be carried out.
//!
//! Reading order: the decoder here, `request` (a line to a request), `refusal`, `reply`; what is common to all protocols that
//! speak JSON is in `protocol::json`.

mod refusal;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use super::json::MAX_DEPTH;
pub use refusal::Refusal;
pub use reply::{Asked, encode, most_bytes};
pub use request::MAX_PAIRS;

use super::Request;
use super::lines::{Lines, TooLong};

/// Finds the requests in the bytes of one connection.
///
/// ```
/// use siltstone::protocol::{Request, json_lines::{Decoded, Decoder}};
///
/// let mut decoder = Decoder::new(1 << 20);
/// let input = b"{\"command\":\"ping\"}\n{\"comm";
/// assert!(matches!(decoder.decode(input), Decoded::Request { request: Request::Ping, consumed: 19, .. }));
/// assert!(matches!(decoder.decode(&input[19..]), Decoded::Incomplete { consumed: 0 }));
/// ```
#[derive(Debug)]
pub struct Decoder {
    lines: Lines,
}

/// What the next bytes are.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// No whole line is there. The first `consumed` bytes were blank lines and are done with.
    Incomplete {
        /// How many bytes are done with.
        consumed: usize,
    },
    /// A request.
    Request {
        /// What is asked for.
        request: Request<'a>,
        /// How the reply is to be worded.
        asked: Asked,
        /// How many bytes are done with.
        consumed: usize,
    },
    /// A line that is no request. It is answered, and the next line is looked at.
    Refused {
        /// What is wrong with it.
        refusal: Refusal,
        /// How many bytes are done with.
        consumed: usize,
    },
    /// Nothing after this can be understood, or is wanted: answer and close.
    Broken {
        /// What is wrong.
        refusal: Refusal,
    },
}

impl Decoder {
    /// A decoder for one connection. Lines may have up to `max_line_bytes` bytes, their end not counted; more than
    /// 1 GiB is not possible.
    #[must_use]
    pub fn new(max_line_bytes: usize) -> Decoder {
        Decoder { lines: Lines::new(max_line_bytes) }
    }

    /// From now on lines may have so many bytes.
    pub fn set_limit(&mut self, max_line_bytes: usize) {
        self.lines.set_limit(max_line_bytes);
    }

    /// What comes first in `input`, which must begin where the last call said that it was done, and may have grown.
    pub fn decode<'a>(&mut self, input: &'a [u8]) -> Decoded<'a> {
        let mut consumed = 0;
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            let len = match self.lines.find(rest) {
                Ok(Some(len)) => len,
                Ok(None) => return Decoded::Incomplete { consumed },
                Err(TooLong { limit }) => return Decoded::Broken { refusal: Refusal::LineTooLong { limit } },
            };
            self.lines.done();
            consumed += len + 1;
            let line = rest.get(..len).unwrap_or_default();
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            return match request::parse(line) {
                Ok(request) => Decoded::Request { asked: Asked::by(&request), request, consumed },
                Err(refusal @ Refusal::Http) => Decoded::Broken { refusal },
                Err(refusal) => Decoded::Refused { refusal, consumed },
            };
        }
    }

    /// How long the next line of `input` is, without its end, if it is whole and not too long. `input` is as for
    /// [`Decoder::decode`], which then need not search for the end again.
    pub fn line_len(&mut self, input: &[u8]) -> Option<usize> {
        self.lines.find(input).ok()?
    }

    /// Forgets the line that [`Decoder::line_len`] found: the caller is done with it, its end included.
    pub fn skip_line(&mut self) {
        self.lines.done();
    }
}
