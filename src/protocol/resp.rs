//! RESP, the protocol of Redis, in versions 2 and 3: commands out of bytes, replies into bytes.
//!
//! ```text
//! command = "*" n CRLF bulk{n}          the form that libraries send; n <= 0 is nothing, without a reply
//!         | words LF                    inline, as typed by hand; quotes as in a shell; a blank line is nothing
//! bulk    = "$" n CRLF byte{n} CRLF
//! ```
//!
//! The texts of protocol errors are those of Redis, since clients and their tests look at them. After one nothing more can
//! be understood, so the connection ends.
//!
//! (P1) A decoder gives the same commands however the input is split, and looks at each byte of a header once.
//! (P2) What a command may be is limited before memory is taken for it: its bytes, and the number of its arguments. Before a
//!      client has authenticated the limits are those of [`Limits::STRANGER`].
//! (P3) A count is believed only as far as bytes have come for it: nothing is reserved by it.
//!
//! Reading order: the decoder here, [`args`], `inline`, `number` (integers and floats as Redis reads and writes them), `encode`.

pub mod args;
mod encode;
mod inline;
pub mod number;
#[cfg(test)]
mod tests;

pub use args::Args;
pub use encode::{WRONG_TYPE, encode, most_bytes};

use number::parse_i64;
use std::fmt;

/// The longest line: an inline command, or a header with its number.
const MAX_LINE: usize = 64 << 10;

/// What a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most arguments of a command, its name counted.
    pub args: usize,
    /// The most bytes of one argument.
    pub bulk: usize,
    /// The most bytes of a command.
    pub command: usize,
}

impl Limits {
    /// For those who have not said who they are.
    pub const STRANGER: Limits = Limits { args: 10, bulk: 16 << 10, command: 64 << 10 };

    /// For everybody else, when a command may have `bytes` bytes.
    #[must_use]
    pub fn of(bytes: usize) -> Limits {
        Limits { args: 1 << 20, bulk: bytes, command: bytes }
    }
}

/// Which version of the protocol a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// What every client begins with.
    #[default]
    V2,
    /// After `HELLO 3`.
    V3,
}

/// What the next bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// No whole command is there.
    Incomplete {
        /// How many of the bytes are done with.
        skip: usize,
    },
    /// A command.
    Whole {
        /// How many bytes it has, with what came before it and is nothing.
        len: usize,
    },
    /// Nothing after this can be understood.
    Broken(ProtocolError),
}

/// What is wrong with the framing, in Redis's words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The number behind `*` is none, or too large.
    MultibulkLength,
    /// The number behind `$` is none, or too large.
    BulkLength,
    /// Another byte where `$` has to stand.
    ExpectedBulk(u8),
    /// More arguments than a stranger may send.
    StrangerMultibulk,
    /// A longer argument than a stranger may send.
    StrangerBulk,
    /// An inline command without an end.
    InlineTooLong,
    /// A quote that does not end, or something right behind one that does.
    UnbalancedQuotes,
    /// The whole command is too long.
    CommandTooLong {
        /// The most bytes it may have.
        limit: usize,
    },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        match self {
            ProtocolError::MultibulkLength => f.write_str("invalid multibulk length"),
            ProtocolError::BulkLength => f.write_str("invalid bulk length"),
            ProtocolError::ExpectedBulk(byte) => {
                // As a character, but never one that would end the line.
                let shown = if byte.is_ascii_graphic() { char::from(*byte) } else { '?' };
                write!(f, "expected '$', got '{shown}'")
            }
            ProtocolError::StrangerMultibulk => f.write_str("unauthenticated multibulk length"),
            ProtocolError::StrangerBulk => f.write_str("unauthenticated bulk length"),
            ProtocolError::InlineTooLong => f.write_str("too big inline request"),
            ProtocolError::UnbalancedQuotes => f.write_str("unbalanced quotes in request"),
            ProtocolError::CommandTooLong { limit } => {
                write!(f, "the command is longer than {limit} bytes")
            }
        }
    }
}

/// Where an argument lies, counted from the beginning of the input.
type Span = (usize, usize);

/// Finds the commands in the bytes of one connection.
///
/// ```
/// use siltstone::protocol::resp::{Decoder, Frame, Limits};
///
/// let mut decoder = Decoder::new(Limits::of(1 << 20));
/// let input = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4";
/// let Frame::Whole { len } = decoder.frame(input) else { panic!() };
/// let args = decoder.args(input);
/// assert_eq!((args.name(), args.get(1)), (&b"GET"[..], Some(&b"k"[..])));
/// decoder.done();
/// assert_eq!(decoder.frame(&input[len..]), Frame::Incomplete { skip: 0 });
/// ```
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    spans: Vec<Span>,
    /// The words of an inline command without their quotes; then the spans are of these bytes.
    words: Vec<u8>,
    /// Where the command begins. What is before it is nothing, and may be gone or not (P1).
    begin: usize,
    state: State,
}

/// How far a command was found. Positions are counted from the beginning of the input.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Not at all; up to here there is no end of a line (P1).
    Start { searched: usize },
    /// So many arguments are still to come; the next begins at `at`, and up to `searched` its header has no end.
    Args { left: usize, at: usize, searched: usize },
    /// The bytes of an argument begin at `at`, and there are `len`.
    Bulk { left: usize, at: usize, len: usize },
    /// All of it, up to here.
    Whole { end: usize },
}

const START: State = State::Start { searched: 0 };

impl Decoder {
    /// A decoder for one connection.
    #[must_use]
    pub fn new(limits: Limits) -> Decoder {
        Decoder { limits, spans: Vec::new(), words: Vec::new(), begin: 0, state: START }
    }

    /// From the next command on, these limits count.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// What comes first in `input`, which must begin where the last command that was [`Decoder::done`] ended, or where
    /// [`Frame::Incomplete`] said to skip to, and may have grown.
    pub fn frame(&mut self, input: &[u8]) -> Frame {
        loop {
            match self.step(input) {
                Ok(true) => {}
                Ok(false) => return Frame::Incomplete { skip: self.skip(input) },
                Err(error) => return Frame::Broken(error),
            }
            if let State::Whole { end } = self.state {
                return Frame::Whole { len: end };
            }
        }
    }

    /// The arguments of the command that was found, out of the same input.
    #[must_use]
    pub fn args<'a>(&'a self, input: &'a [u8]) -> Args<'a> {
        let bytes = if self.words.is_empty() { input } else { &self.words };
        Args::new(bytes, &self.spans)
    }

    /// Whether the command that was found was typed by hand, rather than sent by a library.
    #[must_use]
    pub fn is_inline(&self, input: &[u8]) -> bool {
        input.get(crate::protocol::detect::blank(input)) != Some(&b'*')
    }

    /// The command is done with: what comes next begins behind it.
    pub fn done(&mut self) {
        self.state = START;
        self.clear();
    }

    fn clear(&mut self) {
        /// So many spans are kept for the next command; more are given back.
        const KEEP: usize = 1024;
        self.spans.clear();
        self.spans.shrink_to(KEEP);
        self.words = Vec::new();
    }

    /// How much may be forgotten: blank lines and empty arrays before a command of which nothing was found.
    fn skip(&mut self, input: &[u8]) -> usize {
        let State::Start { searched } = self.state else { return 0 };
        let blank = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.state = State::Start { searched: searched.saturating_sub(blank) };
        blank
    }

    /// Goes on by one part; false when more bytes are needed for it.
    fn step(&mut self, input: &[u8]) -> Result<bool, ProtocolError> {
        match self.state {
            State::Start { searched } => self.start(input, searched),
            State::Args { left: 0, at, .. } => {
                self.state = State::Whole { end: at };
                Ok(true)
            }
            State::Args { left, at, searched } => self.bulk_header(input, left, at, searched),
            State::Bulk { left, at, len } => {
                let end = at + len;
                if input.len() < end + 2 {
                    return Ok(false);
                }
                self.spans.push((at, end));
                self.state = State::Args { left: left - 1, at: end + 2, searched: end + 2 };
                Ok(true)
            }
            State::Whole { .. } => Ok(true),
        }
    }

    fn start(&mut self, input: &[u8], searched: usize) -> Result<bool, ProtocolError> {
        let from = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let Some(first) = input.get(from) else { return Ok(false) };
        let end = line_end(input, searched.max(from));
        let Some(end) = end else {
            if input.len() - from > MAX_LINE {
                return Err(match first {
                    b'*' => ProtocolError::MultibulkLength,
                    _ => ProtocolError::InlineTooLong,
                });
            }
            self.state = State::Start { searched: input.len() };
            return Ok(false);
        };
        self.begin = from;
        let line = input.get(from..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.strip_prefix(b"*") {
            Some(count) => self.begin_array(count, end + 1),
            None => self.inline(line, end + 1),
        }
    }

    fn begin_array(&mut self, count: &[u8], at: usize) -> Result<bool, ProtocolError> {
        let count = parse_i64(count).ok_or(ProtocolError::MultibulkLength)?;
        let count = usize::try_from(count).unwrap_or(0);
        if count > self.limits.args {
            return Err(match self.limits {
                Limits::STRANGER => ProtocolError::StrangerMultibulk,
                _ => ProtocolError::MultibulkLength,
            });
        }
        // An empty array has no reply: it is a command without a name, which whoever carries it out passes over.
        self.state = State::Args { left: count, at, searched: at };
        Ok(true)
    }

    fn inline(&mut self, line: &[u8], end: usize) -> Result<bool, ProtocolError> {
        if line.len() > MAX_LINE {
            return Err(ProtocolError::InlineTooLong);
        }
        if !inline::split(line, &mut self.words, &mut self.spans) {
            return Err(ProtocolError::UnbalancedQuotes);
        }
        if self.spans.len() > self.limits.args {
            return Err(ProtocolError::StrangerMultibulk);
        }
        self.state = State::Whole { end };
        Ok(true)
    }

    fn bulk_header(
        &mut self,
        input: &[u8],
        left: usize,
        at: usize,
        searched: usize,
    ) -> Result<bool, ProtocolError> {
        let Some(first) = input.get(at) else { return Ok(false) };
        if *first != b'$' {
            return Err(ProtocolError::ExpectedBulk(*first));
        }
        let Some(end) = line_end(input, searched) else {
            if input.len() - at > MAX_LINE {
                return Err(ProtocolError::BulkLength);
            }
            self.state = State::Args { left, at, searched: input.len() };
            return Ok(false);
        };
        let line = input.get(at + 1..end).unwrap_or_default();
        let len = parse_i64(line.strip_suffix(b"\r").unwrap_or(line));
        let len = len.and_then(|len| usize::try_from(len).ok()).ok_or(ProtocolError::BulkLength)?;
        if len > self.limits.bulk {
            return Err(match self.limits {
                Limits::STRANGER => ProtocolError::StrangerBulk,
                _ => ProtocolError::BulkLength,
            });
        }
        if end + 1 + len - self.begin > self.limits.command {
            return Err(ProtocolError::CommandTooLong { limit: self.limits.command });
        }
        self.state = State::Bulk { left, at: end + 1, len };
        Ok(true)
    }
}

/// Where the first line feed is, from `from` on.
fn line_end(input: &[u8], from: usize) -> Option<usize> {
    memchr::memchr(b'\n', input.get(from..)?).map(|at| from + at)
}
