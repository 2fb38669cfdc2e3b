//! JSON behind its length, both ways.
//!
//! ```text
//! input   = message*               line ends between messages are skipped
//! message = header body            one request, one reply
//! header  = (line CRLF)+ CRLF      LF alone will do; at most MAX_HEADER bytes
//! line    = "QUERY_LENGTH" ":" n   in any case of the letters, spaces around n; the first one counts
//!         | anything else          ignored
//! body    = byte{n}, an object     no line end behind it
//! reply   = "QUERY_LENGTH: " n CRLF CRLF byte{n}
//!           the body {"action_type": "...", "payload": ...}, ASCII only
//! ```
//!
//! n is in bytes. Peers of old send the number of *characters* of their JSON, which is the same while they escape all that is
//! not ASCII. For those that do not: when the n bytes are not ASCII, and are JSON that was cut off, the body is n characters.
//! (Characters that have k bytes too many leave the last k bytes out of the n. They cannot all lie in those, so some byte
//! among the n shows it.) JSON that is wrong, and not cut off, is answered as it is: more bytes would make it no better.
//!
//! (F1) A decoder gives the same requests however the input is split, and searches a byte of a header for a line's end once.
//!      A body that is not ASCII is parsed once to find its end, and once more to be understood; no other is.
//! (F2) Every message gives exactly one request or refusal, so replies stay in step. Only where the end of a message cannot
//!      be known does the connection end.
//! (F3) A length is believed only up to the limit, and nothing is reserved by it.
//! (F4) An error's payload has only the members `code`, `message` and `ref_data`: clients hand them to a function by name.
//! (F5) A connection from a web browser is cut (`protocol::http`), even when a header of it is QUERY_LENGTH: a page that
//!      passes for one of this machine's may choose headers.
//!
//! Reading order: the decoder here, `request` (a body to a request), `refusal`, `reply`.

mod refusal;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use refusal::Refusal;
pub use reply::{Asked, encode, most_bytes};

use super::Request;
use super::http::is_from_browser;
use super::json::is_cut;
use super::lines::blank;

/// The name of the header, in the case that clients use.
pub const NAME: &[u8] = b"QUERY_LENGTH";

/// The most bytes of a header, its empty line included.
pub const MAX_HEADER: usize = 8 << 10;

/// Finds the requests in the bytes of one connection.
///
/// ```
/// use siltstone::protocol::{Request, framed::{Decoded, Decoder, Frame}};
///
/// let mut decoder = Decoder::new(1 << 20);
/// let input = b"QUERY_LENGTH: 30\r\n\r\n{\"action\": \"PING\", \"auth\": {}}QUERY_";
/// assert_eq!(decoder.frame(input), Frame::Whole { len: 50 });
/// assert!(matches!(decoder.decode(input), Decoded::Request { request: Request::Ping, .. }));
/// decoder.done();
/// assert_eq!(decoder.frame(&input[50..]), Frame::Incomplete { skip: 0 });
/// ```
#[derive(Debug)]
pub struct Decoder {
    max_body_bytes: usize,
    /// Where in the input the message begins. All other places are counted from there.
    begin: usize,
    state: State,
}

/// How far a message was found.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Not at all.
    Start,
    /// A line of the header begins at `line`, and has no end before `searched`.
    Header { line: usize, searched: usize, length: Option<usize> },
    /// The body begins at `body`, and has so many bytes, if not more.
    Bytes { body: usize, len: usize },
    /// The body begins at `body`, and so many of its characters begin at `at` or later.
    Characters { body: usize, at: usize, left: usize },
    /// All of it.
    Whole { body: usize, end: usize },
}

/// What the next bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// No whole message is there.
    Incomplete {
        /// How many of the bytes are done with.
        skip: usize,
    },
    /// A message.
    Whole {
        /// How many bytes it has, with what came before it and is nothing.
        len: usize,
    },
    /// Nothing after this can be understood: answer and close.
    Broken(Refusal),
}

/// What a message is.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// A request.
    Request {
        /// What is asked for.
        request: Request<'a>,
        /// Which action the reply repeats.
        asked: Asked,
    },
    /// None. It is answered, and the next message is looked at.
    Refused(Refusal),
}

impl Decoder {
    /// A decoder for one connection. Bodies may have up to `max_body_bytes` bytes; more than 1 GiB is not possible.
    #[must_use]
    pub fn new(max_body_bytes: usize) -> Decoder {
        let mut decoder = Decoder { max_body_bytes: 0, begin: 0, state: State::Start };
        decoder.set_limit(max_body_bytes);
        decoder
    }

    /// Bodies whose length is not known yet may have so many bytes.
    pub fn set_limit(&mut self, max_body_bytes: usize) {
        self.max_body_bytes = max_body_bytes.min(1 << 30);
    }

    /// What comes first in `input`, which must begin where the last message that was [`Decoder::done`] ended, or where
    /// [`Frame::Incomplete`] said to skip to, and may have grown.
    pub fn frame(&mut self, input: &[u8]) -> Frame {
        loop {
            match self.step(input) {
                Ok(true) => {}
                Ok(false) => return Frame::Incomplete { skip: std::mem::take(&mut self.begin) },
                Err(refusal) => return Frame::Broken(refusal),
            }
            if let State::Whole { end, .. } = self.state {
                return Frame::Whole { len: self.begin + end };
            }
        }
    }

    /// What the message is that was found, out of the same input.
    #[must_use]
    pub fn decode<'a>(&self, input: &'a [u8]) -> Decoded<'a> {
        let body = match self.state {
            State::Whole { body, end } => input.get(self.begin + body..self.begin + end).unwrap_or_default(),
            _ => &[],
        };
        match request::parse(body.trim_ascii()) {
            Ok((request, asked)) => Decoded::Request { request, asked },
            Err(refusal) => Decoded::Refused(refusal),
        }
    }

    /// The message is done with: what comes next begins behind it.
    pub fn done(&mut self) {
        self.begin = 0;
        self.state = State::Start;
    }

    /// Goes on by one part; false when more bytes are needed for it.
    fn step(&mut self, input: &[u8]) -> Result<bool, Refusal> {
        let rest = input.get(self.begin..).unwrap_or_default();
        match self.state {
            State::Start => {
                self.begin += blank(rest);
                let found = self.begin < input.len();
                if found {
                    self.state = State::Header { line: 0, searched: 0, length: None };
                }
                Ok(found)
            }
            State::Header { line, searched, length } => self.header_line(rest, line, searched, length),
            State::Bytes { body, len } => Ok(self.bytes(rest, body, len)),
            State::Characters { body, at, left } => self.characters(rest, body, at, left),
            State::Whole { .. } => Ok(true),
        }
    }

    fn header_line(
        &mut self,
        rest: &[u8],
        line: usize,
        searched: usize,
        length: Option<usize>,
    ) -> Result<bool, Refusal> {
        // What is behind the longest header must not matter, for it may or may not have come (F1).
        let header = rest.get(..MAX_HEADER).unwrap_or(rest);
        let fresh = header.get(searched..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', fresh).map(|at| searched + at) else {
            self.state = State::Header { line, searched: header.len(), length };
            return if header.len() < MAX_HEADER { Ok(false) } else { Err(Refusal::HeaderTooLong) };
        };
        let text = header.get(line..end).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if is_from_browser(text) {
            return Err(Refusal::MissingLength);
        }
        let next = end + 1;
        self.state = match (text, length) {
            (b"", Some(len)) => State::Bytes { body: next, len },
            (b"", None) => return Err(Refusal::MissingLength),
            (text, None) => State::Header { line: next, searched: next, length: self.length(text)? },
            _ => State::Header { line: next, searched: next, length },
        };
        Ok(true)
    }

    /// The length that a line of the header tells, if it does.
    fn length(&self, line: &[u8]) -> Result<Option<usize>, Refusal> {
        let Some((name, rest)) = line.split_at_checked(NAME.len()) else { return Ok(None) };
        if !name.eq_ignore_ascii_case(NAME) {
            return Ok(None);
        }
        let digits = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_digit));
        let number = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        match number.filter(|number| *number <= self.max_body_bytes) {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::InvalidLength),
        }
    }

    fn bytes(&mut self, rest: &[u8], body: usize, len: usize) -> bool {
        let end = body + len;
        let Some(bytes) = rest.get(body..end) else { return false };
        self.state = if !bytes.is_ascii() && is_cut(bytes) {
            State::Characters { body, at: body, left: len }
        } else {
            State::Whole { body, end }
        };
        true
    }

    fn characters(&mut self, rest: &[u8], body: usize, at: usize, left: usize) -> Result<bool, Refusal> {
        let (mut at, mut left) = (at, left);
        while left > 0 {
            let Some(first) = rest.get(at) else {
                self.state = State::Characters { body, at, left };
                return Ok(false);
            };
            at += character_len(*first);
            left -= 1;
            if at - body > self.max_body_bytes {
                return Err(Refusal::InvalidLength);
            }
        }
        // Whether or not the last character is there yet, it is looked for no more.
        self.state = if rest.len() < at {
            State::Characters { body, at, left }
        } else {
            State::Whole { body, end: at }
        };
        Ok(rest.len() >= at)
    }
}

/// How many bytes the character has that begins with this byte. What is no UTF-8 is refused later, wherever it ends.
fn character_len(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}
