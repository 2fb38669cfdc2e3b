//! Replies out of bytes.
//!
//! ```text
//! value = "+" text | "-" text | ":" int | "," double | "(" int | "#" ("t" | "f") | "_"         each ends with CRLF
//!       | ("$" | "=" | "!") n CRLF byte{n} CRLF
//!       | ("*" | "~" | ">") n CRLF value{n} | "%" n CRLF (value value){n}
//!       | "|" n CRLF (value value){n} value                      attributes of what follows, which are passed over
//! ```
//!
//! In version 2, `$-1` and `*-1` are nothing. Pieces without a length (`$?`) are no part of what Redis or we send, and are
//! refused.
//!
//! (R1) A decoder gives the same values however the input is split. Each part is taken as soon as it is whole, and a byte of a
//!      line is looked at once for its end.
//! (R2) Nothing is reserved by a number that the peer says: lists grow with what came.
//! (R3) A value counts as its bytes and the room it takes; all values of a reply together have a limit, and so has the depth.
//! (R4) Nothing recurses while decoding; values nest no deeper than the limit, so that what recurses over them, such as dropping
//!      them, may.

use super::error::ReplyError;
use super::value::{Value, pairs};

/// What a reply may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyLimits {
    /// How deep values nest, at most.
    pub depth: usize,
    /// The most bytes of a reply, with the room that its values take.
    pub bytes: usize,
}

impl Default for ReplyLimits {
    /// Deeper than any reply of Redis; as large as the largest value that Redis has, and a range of ours.
    fn default() -> ReplyLimits {
        ReplyLimits { depth: 32, bytes: 1 << 30 }
    }
}

/// The longest line.
const MAX_LINE: usize = 64 << 10;
/// So much of a line is shown when it makes no sense.
const SHOWN: usize = 40;

/// Finds the replies in the bytes of one connection.
///
/// ```
/// use siltstone::client::{ReplyDecoder, ReplyLimits, Value};
///
/// let mut decoder = ReplyDecoder::new(ReplyLimits::default());
/// let input = b"*2\r\n:1\r\n$3\r\nab";
/// let (used, value) = decoder.decode(input).unwrap();
/// assert_eq!((used, value), (12, None)); // the list and its first item are done with
/// let rest = [&input[used..], b"c\r\n"].concat();
/// let (used, value) = decoder.decode(&rest).unwrap();
/// assert_eq!(used, 5);
/// assert_eq!(value.unwrap(), Value::List(vec![Value::Int(1), Value::Bytes(b"abc".to_vec())]));
/// ```
#[derive(Debug)]
pub struct ReplyDecoder {
    limits: ReplyLimits,
    /// What has begun and not ended, from the outside in.
    open: Vec<Open>,
    /// Bytes of which the length has come.
    piece: Option<Piece>,
    /// So much of the input has no end of a line (R1).
    searched: usize,
    /// What the reply weighs so far (R3).
    weight: usize,
}

/// A value of several values.
#[derive(Debug)]
struct Open {
    kind: Kind,
    left: usize,
    items: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Map,
    Set,
    Push,
    Attributes,
}

/// Bytes of a known length.
#[derive(Debug, Clone, Copy)]
struct Piece {
    sign: u8,
    len: usize,
}

/// What became of one part of the input.
enum Part {
    /// It is not whole.
    Missing,
    /// It has so many bytes, and something else follows.
    Header(usize),
    /// It has so many bytes and is a value.
    Whole(usize, Value),
}

impl ReplyDecoder {
    /// A decoder for one connection.
    #[must_use]
    pub fn new(limits: ReplyLimits) -> ReplyDecoder {
        ReplyDecoder { limits, open: Vec::new(), piece: None, searched: 0, weight: 0 }
    }

    /// Takes what is whole of `input`: how many bytes are done with, and the reply, when it ends there. The next call has to be
    /// given what follows them.
    ///
    /// # Errors
    /// What came is no reply; nothing after it can be understood.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Value>), ReplyError> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            let part = match self.piece {
                Some(piece) => self.piece(piece, rest)?,
                None => self.line(rest)?,
            };
            let value = match part {
                Part::Missing => return Ok((used, None)),
                Part::Header(len) => {
                    used += len;
                    None
                }
                Part::Whole(len, value) => {
                    used += len;
                    self.place(value)
                }
            };
            if value.is_some() {
                self.weight = 0;
                return Ok((used, value));
            }
        }
    }

    /// Whether a reply has begun and not ended.
    #[must_use]
    pub fn is_within(&self) -> bool {
        !self.open.is_empty() || self.piece.is_some() || self.searched > 0 || self.weight > 0
    }

    fn line(&mut self, input: &[u8]) -> Result<Part, ReplyError> {
        // What is no protocol at all, such as a page of the web, should be said so before a line of it is awaited.
        if let Some(first) = input.first()
            && !b"+-:,(#_$=!*~>%|".contains(first)
        {
            return Err(ReplyError::Sign(*first));
        }
        let from = self.searched.min(input.len());
        let Some(end) = memchr::memchr(b'\n', input.get(from..).unwrap_or_default()) else {
            self.searched = input.len();
            return if input.len() > MAX_LINE { Err(ReplyError::LineEnd) } else { Ok(Part::Missing) };
        };
        let end = from + end;
        self.searched = 0;
        let line = input.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(ReplyError::LineEnd)?;
        let (sign, text) = line.split_first().ok_or(ReplyError::LineEnd)?;
        let len = end + 1;
        Ok(match self.header(*sign, text)? {
            Some(value) => {
                self.weigh(text.len())?;
                Part::Whole(len, value)
            }
            None => Part::Header(len),
        })
    }

    /// The value of a line, unless more belongs to it.
    fn header(&mut self, sign: u8, text: &[u8]) -> Result<Option<Value>, ReplyError> {
        let wrong = || ReplyError::Content {
            sign,
            text: String::from_utf8_lossy(text.get(..SHOWN).unwrap_or(text)).into_owned(),
        };
        let kind = match sign {
            b'+' => return Ok(Some(Value::Text(String::from_utf8_lossy(text).into_owned()))),
            b'-' => return Ok(Some(error(text))),
            b':' => return integer(text).map(|number| Some(Value::Int(number))).ok_or_else(wrong),
            b',' => return double(text).map(|number| Some(Value::Double(number))).ok_or_else(wrong),
            b'(' => return big_number(text).map(Some).ok_or_else(wrong),
            b'#' => {
                return match text {
                    b"t" => Ok(Some(Value::Bool(true))),
                    b"f" => Ok(Some(Value::Bool(false))),
                    _ => Err(wrong()),
                };
            }
            b'_' => return if text.is_empty() { Ok(Some(Value::Null)) } else { Err(wrong()) },
            b'$' | b'*' if text == b"-1" => return Ok(Some(Value::Null)),
            b'$' | b'=' | b'!' => {
                let len = integer(text).and_then(|len| usize::try_from(len).ok()).ok_or_else(wrong)?;
                self.weigh(len)?;
                self.piece = Some(Piece { sign, len });
                return Ok(None);
            }
            b'*' => Kind::List,
            b'%' => Kind::Map,
            b'~' => Kind::Set,
            // What nobody asked for comes between replies, never within one.
            b'>' if self.open.is_empty() => Kind::Push,
            b'|' => Kind::Attributes,
            _ => return Err(ReplyError::Sign(sign)),
        };
        let count = integer(text).and_then(|count| usize::try_from(count).ok()).ok_or_else(wrong)?;
        self.begin(kind, count)
    }

    /// Begins a value of several, or gives it when it has none.
    fn begin(&mut self, kind: Kind, count: usize) -> Result<Option<Value>, ReplyError> {
        let too_large = ReplyError::TooLarge(self.limits.bytes);
        let each = if matches!(kind, Kind::Map | Kind::Attributes) { 2 } else { 1 };
        let left = count.checked_mul(each).ok_or(too_large.clone())?;
        // All of them must come, and weigh so much at least.
        let least = left.checked_mul(size_of::<Value>()).ok_or(too_large.clone())?;
        if least > self.limits.bytes.saturating_sub(self.weight) {
            return Err(too_large);
        }
        let open = Open { kind, left, items: Vec::new() };
        self.weigh(0)?;
        if left == 0 {
            return Ok(open.close());
        }
        if self.open.len() >= self.limits.depth {
            return Err(ReplyError::Depth(self.limits.depth));
        }
        self.open.push(open);
        Ok(None)
    }

    fn piece(&mut self, piece: Piece, input: &[u8]) -> Result<Part, ReplyError> {
        let Some((bytes, end)) = input.split_at_checked(piece.len) else { return Ok(Part::Missing) };
        match end {
            [b'\r', b'\n', ..] => {}
            [] | [b'\r'] => return Ok(Part::Missing),
            _ => return Err(ReplyError::LineEnd),
        }
        let value = match piece.sign {
            b'$' => Value::Bytes(bytes.to_vec()),
            b'!' => error(bytes),
            sign => match bytes.split_at_checked(4) {
                Some(([format @ .., b':'], text)) => Value::Verbatim {
                    format: String::from_utf8_lossy(format).into_owned(),
                    text: text.to_vec(),
                },
                _ => return Err(ReplyError::Content { sign, text: "no word of three letters".into() }),
            },
        };
        self.piece = None;
        Ok(Part::Whole(piece.len + 2, value))
    }

    /// Puts a value where it belongs; gives the reply when it ends with it.
    fn place(&mut self, mut value: Value) -> Option<Value> {
        loop {
            let Some(open) = self.open.last_mut() else { return Some(value) };
            open.items.push(value);
            open.left -= 1;
            if open.left > 0 {
                return None;
            }
            // Attributes are no value: what they are about comes next, in their place.
            value = self.open.pop()?.close()?;
        }
    }

    /// Counts a value with so many bytes of its own (R3).
    fn weigh(&mut self, bytes: usize) -> Result<(), ReplyError> {
        self.weight = self.weight.saturating_add(bytes).saturating_add(size_of::<Value>());
        match self.weight > self.limits.bytes {
            true => Err(ReplyError::TooLarge(self.limits.bytes)),
            false => Ok(()),
        }
    }
}

impl Open {
    fn close(self) -> Option<Value> {
        match self.kind {
            Kind::List => Some(Value::List(self.items)),
            Kind::Map => Some(Value::Map(pairs(self.items))),
            Kind::Set => Some(Value::Set(self.items)),
            Kind::Push => Some(Value::Push(self.items)),
            Kind::Attributes => None,
        }
    }
}

fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn double(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn big_number(text: &[u8]) -> Option<Value> {
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let sound = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    sound.then(|| Value::BigNumber(String::from_utf8_lossy(text).into_owned()))
}

/// The first word is the code, if it looks like one.
fn error(text: &[u8]) -> Value {
    let text = String::from_utf8_lossy(text);
    let (code, message) = text.split_once(' ').unwrap_or((&text, ""));
    if !code.is_empty() && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
        Value::Error { code: code.into(), message: message.into() }
    } else {
        Value::Error { code: "ERR".into(), message: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(depth: usize, bytes: usize) -> ReplyLimits {
        ReplyLimits { depth, bytes }
    }

    /// All replies of an input that comes in pieces of so many bytes.
    fn replies(input: &[u8], piece: usize, limits: ReplyLimits) -> Result<Vec<Value>, ReplyError> {
        let mut decoder = ReplyDecoder::new(limits);
        let (mut buffer, mut found) = (Vec::new(), Vec::new());
        for bytes in input.chunks(piece) {
            buffer.extend_from_slice(bytes);
            loop {
                let (used, value) = decoder.decode(&buffer)?;
                buffer.drain(..used);
                let Some(value) = value else { break };
                found.push(value);
            }
        }
        assert!(buffer.is_empty() && !decoder.is_within(), "{buffer:?} is left");
        Ok(found)
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    fn bytes(bytes: &[u8]) -> Value {
        Value::Bytes(bytes.to_vec())
    }

    #[test]
    fn every_kind_of_value_however_it_is_split() {
        let failed = |code: &str, message: &str| Value::Error { code: code.into(), message: message.into() };
        let cases: Vec<(&[u8], Value)> = vec![
            (b"+OK\r\n", text("OK")),
            (b"+\r\n", text("")),
            (b"-ERR no such thing\r\n", failed("ERR", "no such thing")),
            (b"-NOAUTH\r\n", failed("NOAUTH", "")),
            (b"-something went wrong\r\n", failed("ERR", "something went wrong")),
            (b":-12\r\n", Value::Int(-12)),
            (b":+7\r\n", Value::Int(7)),
            (b",1.5e3\r\n", Value::Double(1500.0)),
            (b",-inf\r\n", Value::Double(f64::NEG_INFINITY)),
            (b"(12345678901234567890123\r\n", Value::BigNumber("12345678901234567890123".into())),
            (b"#t\r\n", Value::Bool(true)),
            (b"#f\r\n", Value::Bool(false)),
            (b"_\r\n", Value::Null),
            (b"$-1\r\n", Value::Null),
            (b"*-1\r\n", Value::Null),
            (b"$0\r\n\r\n", bytes(b"")),
            (b"$6\r\na\r\nb\0\xff\r\n", bytes(b"a\r\nb\0\xff")),
            (b"!11\r\nERR a\r\nlong\r\n", failed("ERR", "a\r\nlong")),
            (b"=7\r\ntxt:abc\r\n", Value::Verbatim { format: "txt".into(), text: b"abc".to_vec() }),
            (b"*0\r\n", Value::List(vec![])),
            (
                b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
                Value::List(vec![Value::Int(1), Value::List(vec![bytes(b"x")])]),
            ),
            (b"%1\r\n+a\r\n*0\r\n", Value::Map(vec![(text("a"), Value::List(vec![]))])),
            (b"~2\r\n:1\r\n:2\r\n", Value::Set(vec![Value::Int(1), Value::Int(2)])),
            (b">2\r\n+message\r\n:1\r\n", Value::Push(vec![text("message"), Value::Int(1)])),
            (b"|1\r\n+ttl\r\n:9\r\n+OK\r\n", text("OK")),
            (
                b"*2\r\n|0\r\n:1\r\n|1\r\n+a\r\n*1\r\n:3\r\n:2\r\n",
                Value::List(vec![Value::Int(1), Value::Int(2)]),
            ),
        ];
        let input: Vec<u8> = cases.iter().flat_map(|(input, _)| input.iter().copied()).collect();
        let wanted: Vec<Value> = cases.iter().map(|(_, value)| value.clone()).collect();
        for piece in [1, 2, 3, 7, input.len()] {
            assert_eq!(
                replies(&input, piece, ReplyLimits::default()).unwrap(),
                wanted,
                "in pieces of {piece}"
            );
        }
        for (input, value) in cases {
            assert_eq!(replies(input, 1, ReplyLimits::default()).unwrap(), [value]);
        }
    }

    #[test]
    fn what_is_no_reply_is_said_so() {
        let content = |sign: u8, text: &str| ReplyError::Content { sign, text: text.into() };
        let cases: Vec<(&[u8], ReplyError)> = vec![
            (b"{", ReplyError::Sign(b'{')),
            (b"HTTP/1.1 400", ReplyError::Sign(b'H')),
            (b"\r\n", ReplyError::Sign(b'\r')),
            (b"+OK\n", ReplyError::LineEnd),
            (b":1x\r\n", content(b':', "1x")),
            (b":\r\n", content(b':', "")),
            (b"$-2\r\n", content(b'$', "-2")),
            (b"$?\r\n", content(b'$', "?")),
            (b"*?\r\n", content(b'*', "?")),
            (b"%-1\r\n", content(b'%', "-1")),
            (b"#x\r\n", content(b'#', "x")),
            (b"_x\r\n", content(b'_', "x")),
            (b"(1e5\r\n", content(b'(', "1e5")),
            (b",one\r\n", content(b',', "one")),
            (b"$1\r\nabc", ReplyError::LineEnd),
            (b"=3\r\ntxt\r\n", content(b'=', "no word of three letters")),
            (b"*1\r\n>1\r\n", ReplyError::Sign(b'>')),
        ];
        for (input, error) in cases {
            for piece in [1, input.len()] {
                assert_eq!(replies(input, piece, ReplyLimits::default()), Err(error.clone()), "{input:?}");
            }
        }
        let endless = [b'+'; MAX_LINE + 2];
        assert_eq!(replies(&endless, 1000, ReplyLimits::default()), Err(ReplyError::LineEnd));
    }

    #[test]
    fn limits_hold_before_memory_is_taken() {
        let deep = |depth: usize| [b"*1\r\n".repeat(depth), b":1\r\n".to_vec()].concat();
        assert!(replies(&deep(8), 5, limits(8, 1 << 20)).is_ok());
        assert_eq!(replies(&deep(9), 5, limits(8, 1 << 20)), Err(ReplyError::Depth(8)));
        // Attributes nest as well.
        let attributes = b"|1\r\n".repeat(100_000);
        assert_eq!(replies(&attributes, 4096, limits(8, 1 << 20)), Err(ReplyError::Depth(8)));
        for lie in
            ["$9223372036854775807", "$1000001", "*9223372036854775807", "%4611686018427387904", "*1000000"]
        {
            let input = format!("{lie}\r\n");
            assert_eq!(
                replies(input.as_bytes(), 3, limits(8, 1_000_000)),
                Err(ReplyError::TooLarge(1_000_000)),
                "{lie}"
            );
        }
        // Small values weigh what they take, not what they have on the wire; also when they are passed over.
        for input in [b"*2\r\n*0\r\n".repeat(5000), b"|1\r\n:1\r\n:1\r\n".repeat(50_000)] {
            let found = replies(&input, 4096, limits(100_000, 100_000));
            assert_eq!(found, Err(ReplyError::TooLarge(100_000)));
        }
        // What was said before does not count.
        let many = b"*1\r\n$5\r\nhello\r\n".repeat(10_000);
        assert_eq!(replies(&many, 4096, limits(8, 500)).unwrap().len(), 10_000);
    }

    #[test]
    fn any_bytes_are_a_reply_or_an_error_and_nothing_else() {
        let seeds: [&[u8]; 4] = [
            b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
            b"%1\r\n+a\r\n=7\r\ntxt:abc\r\n",
            b"|1\r\n+a\r\n:9\r\n+OK\r\n",
            b"!5\r\nERR a\r\n",
        ];
        for seed in seeds {
            for at in 0..seed.len() {
                for byte in 0..=255 {
                    let mut input = seed.to_vec();
                    input[at] = byte;
                    let whole = ReplyDecoder::new(limits(4, 4096)).decode(&input);
                    let mut decoder = ReplyDecoder::new(limits(4, 4096));
                    let (mut buffer, mut first) = (Vec::new(), None);
                    for byte in input {
                        buffer.push(byte);
                        match decoder.decode(&buffer) {
                            Ok((used, value)) => {
                                buffer.drain(..used);
                                first = value.map(Ok);
                            }
                            Err(error) => first = Some(Err(error)),
                        }
                        if first.is_some() {
                            break;
                        }
                    }
                    let whole = whole.map(|(_, value)| value).transpose();
                    assert_eq!(format!("{whole:?}"), format!("{first:?}"), "{seed:?} {at}");
                }
            }
        }
    }
}
