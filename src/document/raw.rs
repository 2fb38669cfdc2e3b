//! Documents as bytes: the form they are stored in, which filters and indexes read without making a tree of it.
//!
//! ```text
//! value   0x00                       null
//!         0x01                       false
//!         0x02                       true
//!         0x03 length text           a number, as it was written
//!         0x04 length bytes          a string, UTF-8
//!         0x05 length value…         an array
//!         0x06 length (name value)…  an object, its members in their order
//!         0x07 instant               eight bytes: microseconds since 1970, big-endian, the sign bit flipped. Never in a document,
//!                                    only in what its columns are compared with
//! name    length bytes               UTF-8
//! length  of what follows, in bytes: seven bits a byte, the lowest first, the high bit set in all but the last
//! ```
//!
//! (R1) A value knows where it ends, so members that nobody asks for are passed over.
//! (R2) Bytes that are no value, which only somebody can have written who knows better, are never read out of bounds, and reading
//!      them ends: what is no value is not there. [`Raw::to_value`] says that they are none.

mod parse;
mod write;

pub use write::encode;
pub(super) use write::{push_array, push_number, push_object, push_text};

use self::write::push_length;
use super::escape;
use super::number::Decimal;
use super::value::{Kind, MAX_DEPTH, Number, Value};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const STRING: u8 = 4;
const ARRAY: u8 = 5;
const OBJECT: u8 = 6;
const INSTANT: u8 = 7;
/// A tag and a length.
const LONGEST_HEAD: usize = 6;
/// With its tag.
const INSTANT_LEN: usize = 9;

/// One value, within bytes that are somebody else's.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    tag: u8,
    /// What follows the tag and the length.
    content: &'a [u8],
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// The text of a number.
    Number(&'a str),
    /// A moment, as microseconds since 1970.
    Instant(i64),
    /// The bytes of a string.
    String(&'a [u8]),
    /// Values in a row.
    Array(Elements<'a>),
    /// Values with names.
    Object(Members<'a>),
}

/// A value that has its bytes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded(Vec<u8>);

impl Encoded {
    /// The bytes of a value.
    #[must_use]
    pub fn of(value: &Value) -> Encoded {
        let text = match value {
            Value::String(text) => text.len(),
            Value::Number(number) => number.text().len(),
            _ => 0,
        };
        let mut bytes = Vec::with_capacity(LONGEST_HEAD + text);
        encode(value, &mut bytes);
        Encoded(bytes)
    }

    /// A moment, in microseconds since 1970.
    #[must_use]
    pub fn instant(micros: i64) -> Encoded {
        let bits = micros as u64 ^ (1 << 63);
        Encoded([&[INSTANT], &bits.to_be_bytes()[..]].concat())
    }

    /// To be read.
    #[must_use]
    pub fn raw(&self) -> Raw<'_> {
        Raw::of(&self.0).unwrap_or(Raw::NULL)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to be had.
    #[must_use]
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// An object of what `content` appends, which has about so many bytes: names ([`push_text`]), each with the bytes of a value.
    pub(super) fn object(capacity: usize, content: impl FnOnce(&mut Vec<u8>)) -> Encoded {
        let mut bytes = Vec::with_capacity(capacity);
        push_object(&mut bytes, content);
        Encoded(bytes)
    }

    /// An array of these.
    pub(super) fn array<'e>(elements: impl Iterator<Item = Raw<'e>>) -> Encoded {
        let mut bytes = Vec::new();
        push_array(&mut bytes, |out| elements.for_each(|element| element.push_onto(out)));
        Encoded(bytes)
    }

    /// The one value that `content` appends, which has about so many bytes.
    pub(super) fn built<E>(
        capacity: usize,
        content: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Encoded, E> {
        let mut bytes = Vec::with_capacity(capacity);
        content(&mut bytes)?;
        Ok(Encoded(bytes))
    }
}

/// A length, and what follows it.
#[inline]
fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let (mut length, mut rest, mut shift) = (usize::from(first & 0x7f), rest, 7);
    loop {
        let (next, behind) = rest.split_first()?;
        length |= usize::from(next & 0x7f) << shift;
        rest = behind;
        shift += 7;
        if *next < 0x80 {
            return Some((length, rest));
        }
        if shift > 28 {
            return None;
        }
    }
}

/// So many bytes as the length in front says, and what follows them.
#[inline]
fn take_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = take_length(bytes)?;
    rest.split_at_checked(length)
}

/// A value, and what follows it.
#[inline]
fn take_value(bytes: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (content, rest) = match *tag {
        NULL | FALSE | TRUE => (&[][..], rest),
        NUMBER | STRING | ARRAY | OBJECT => take_bytes(rest)?,
        INSTANT => rest.split_at_checked(INSTANT_LEN - 1)?,
        _ => return None,
    };
    Some((Raw { tag: *tag, content }, rest))
}

/// What follows a value.
#[inline]
fn skip_value(bytes: &[u8]) -> Option<&[u8]> {
    let (tag, rest) = bytes.split_first()?;
    match *tag {
        NULL..=TRUE => Some(rest),
        NUMBER..=OBJECT => take_bytes(rest).map(|(_, rest)| rest),
        INSTANT => rest.get(INSTANT_LEN - 1..),
        _ => None,
    }
}

impl<'a> Raw<'a> {
    /// Nothing.
    pub const NULL: Raw<'static> = Raw { tag: NULL, content: &[] };

    /// The value that all of these bytes are, as far as can be seen from its beginning.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Option<Raw<'a>> {
        take_value(bytes).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
    }

    /// What it is.
    #[must_use]
    pub fn part(self) -> Part<'a> {
        match self.tag {
            FALSE => Part::Bool(false),
            TRUE => Part::Bool(true),
            NUMBER => Part::Number(std::str::from_utf8(self.content).unwrap_or_default()),
            STRING => Part::String(self.content),
            ARRAY => Part::Array(Elements(self.content)),
            OBJECT => Part::Object(Members(self.content)),
            INSTANT => {
                let bits = self.content.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
                Part::Instant((bits ^ (1 << 63)) as i64)
            }
            _ => Part::Null,
        }
    }

    /// What kind of value it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.tag {
            FALSE | TRUE => Kind::Bool,
            NUMBER => Kind::Number,
            STRING => Kind::String,
            ARRAY => Kind::Array,
            OBJECT => Kind::Object,
            INSTANT => Kind::Instant,
            _ => Kind::Null,
        }
    }

    /// The same value, with bytes of its own.
    #[must_use]
    pub fn to_encoded(self) -> Encoded {
        let mut bytes = Vec::with_capacity(self.len());
        self.push_onto(&mut bytes);
        Encoded(bytes)
    }

    /// About how many bytes it has.
    pub(super) fn len(self) -> usize {
        self.content.len() + LONGEST_HEAD
    }

    /// Appends its bytes.
    pub(super) fn push_onto(self, out: &mut Vec<u8>) {
        out.push(self.tag);
        if matches!(self.tag, NUMBER | STRING | ARRAY | OBJECT) {
            push_length(self.content.len(), out);
        }
        out.extend_from_slice(self.content);
    }

    /// How many arrays and objects lie in each other; 0 when it is none. What is deeper than a document may be is not looked at.
    #[must_use]
    pub fn depth(self) -> usize {
        self.depth_within(MAX_DEPTH + 1)
    }

    fn depth_within(self, most: usize) -> usize {
        let Some(most) = most.checked_sub(1) else { return 0 };
        let inner = match self.part() {
            Part::Array(list) => list.map(|value| value.depth_within(most)).max(),
            Part::Object(members) => members.map(|(_, value)| value.depth_within(most)).max(),
            _ => return 0,
        };
        1 + inner.unwrap_or(0)
    }

    /// Whether it is written alike, to the last digit.
    pub(super) fn is_same(self, other: Raw<'_>) -> bool {
        self.tag == other.tag && self.content == other.content
    }

    /// An object with one more member, which is the last one; it must not have it yet.
    pub(super) fn with(self, name: &str, value: Raw<'_>) -> Encoded {
        Encoded::object(self.len() + name.len() + value.len() + LONGEST_HEAD, |out| {
            out.extend_from_slice(self.members().bytes());
            push_text(name.as_bytes(), out);
            value.push_onto(out);
        })
    }

    /// The members of an object; of anything else none.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        Members(if self.tag == OBJECT { self.content } else { &[] })
    }

    /// The member of an object.
    #[must_use]
    #[inline]
    pub fn get(self, name: &str) -> Option<Raw<'a>> {
        if self.tag != OBJECT {
            return None;
        }
        let (name, mut rest) = (name.as_bytes(), self.content);
        loop {
            let (found, behind) = take_bytes(rest)?;
            if found == name {
                return take_value(behind).map(|(value, _)| value);
            }
            rest = skip_value(behind)?;
        }
    }

    /// The elements of an array; of anything else none.
    #[must_use]
    pub fn elements(self) -> Elements<'a> {
        Elements(if self.tag == ARRAY { self.content } else { &[] })
    }

    /// The text of a number, as bytes.
    #[inline]
    pub(super) fn number(self) -> Option<&'a [u8]> {
        (self.tag == NUMBER).then_some(self.content)
    }

    /// The value of a number.
    #[must_use]
    pub fn decimal(self) -> Option<Decimal> {
        match self.part() {
            Part::Number(text) => Decimal::parse(text),
            _ => None,
        }
    }

    /// The characters of a string.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        match self.part() {
            Part::String(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// As a tree; `None` when these bytes are no value of a document (R2).
    #[must_use]
    pub fn to_value(self) -> Option<Value> {
        self.tree(MAX_DEPTH)
    }

    /// Appends it as JSON, as [`Value`] is written; `None` when these bytes are no value of a document (R2), and then what was appended is
    /// of no use.
    #[must_use]
    pub fn write_json(self, out: &mut String) -> Option<()> {
        self.touch();
        // All of it is looked at once whether it is text, not each string by itself.
        let mut bytes = if out.is_empty() { std::mem::take(out).into_bytes() } else { Vec::new() };
        bytes.reserve(self.content.len() + self.content.len() / 4 + 2);
        self.json(MAX_DEPTH, &mut bytes)?;
        if out.is_empty() {
            *out = String::from_utf8(bytes).ok()?;
        } else {
            out.push_str(std::str::from_utf8(&bytes).ok()?);
        }
        Some(())
    }

    /// Looks at a byte of each cache line, so that they come from memory side by side. Who goes from one length to the next would wait for
    /// each.
    fn touch(self) {
        std::hint::black_box(self.content.iter().step_by(64).fold(0, |all, byte| all ^ byte));
    }

    fn json(self, depth: usize, out: &mut Vec<u8>) -> Option<()> {
        match self.tag {
            NULL => out.extend_from_slice(b"null"),
            FALSE => out.extend_from_slice(b"false"),
            TRUE => out.extend_from_slice(b"true"),
            NUMBER if !self.content.is_empty() => out.extend_from_slice(self.content),
            STRING => escape::push_string(self.content, out)?,
            ARRAY => {
                let (depth, mut list) = (depth.checked_sub(1)?, Elements(self.content));
                out.push(b'[');
                for (at, value) in list.by_ref().enumerate() {
                    out.extend_from_slice(if at > 0 { b"," } else { b"" });
                    value.json(depth, out)?;
                }
                list.0.is_empty().then(|| out.push(b']'))?;
            }
            OBJECT => {
                let (depth, mut members) = (depth.checked_sub(1)?, Members(self.content));
                out.push(b'{');
                for (at, (name, value)) in members.by_ref().enumerate() {
                    out.extend_from_slice(if at > 0 { b"," } else { b"" });
                    escape::push_string(name, out)?;
                    out.push(b':');
                    value.json(depth, out)?;
                }
                members.0.is_empty().then(|| out.push(b'}'))?;
            }
            _ => return None,
        }
        Some(())
    }

    fn tree(self, depth: usize) -> Option<Value> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        Some(match self.part() {
            Part::Null => Value::Null,
            Part::Bool(value) => Value::Bool(value),
            Part::Number(text) => Value::Number(Number::parse(text)?),
            Part::Instant(_) => return None,
            Part::String(bytes) => Value::String(text(bytes)?),
            Part::Array(mut list) => {
                let depth = depth.checked_sub(1)?;
                let mut values = Vec::with_capacity(list.count());
                for value in list.by_ref() {
                    values.push(value.tree(depth)?);
                }
                list.0.is_empty().then_some(Value::Array(values))?
            }
            Part::Object(mut members) => {
                let depth = depth.checked_sub(1)?;
                // Counted first: what grows by and by is moved, and moved again.
                let mut values = Vec::with_capacity(members.count());
                for (name, value) in members.by_ref() {
                    values.push((text(name)?, value.tree(depth)?));
                }
                members.0.is_empty().then_some(Value::Object(values))?
            }
        })
    }
}

/// The elements of an array.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Raw<'a>;

    #[inline]
    fn next(&mut self) -> Option<Raw<'a>> {
        let (value, rest) = take_value(self.0)?;
        self.0 = rest;
        Some(value)
    }
}

/// The members of an object: their names and values.
#[derive(Debug, Clone, Copy)]
pub struct Members<'a>(&'a [u8]);

impl<'a> Members<'a> {
    /// The bytes of those that are left, names and values.
    pub(super) fn bytes(self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], Raw<'a>);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], Raw<'a>)> {
        let (name, rest) = take_bytes(self.0)?;
        let (value, rest) = take_value(rest)?;
        self.0 = rest;
        Some((name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::value::tests::random_value;
    use crate::random::Random;

    #[test]
    fn the_bytes_are_these() {
        for (text, bytes) in [
            ("null", &b"\0"[..]),
            ("false", b"\x01"),
            ("true", b"\x02"),
            ("-1.50", b"\x03\x05-1.50"),
            ("\"\u{e4}\"", b"\x04\x02\xc3\xa4"),
            ("[]", b"\x05\0"),
            ("[1,[null]]", b"\x05\x06\x03\x011\x05\x01\0"),
            (r#"{"b":1,"a":{}}"#, b"\x06\x09\x01b\x03\x011\x01a\x06\0"),
        ] {
            let value = Value::parse(text).unwrap();
            assert_eq!(Encoded::of(&value).bytes(), bytes, "{text}");
            assert_eq!(Raw::of(bytes).unwrap().to_value(), Some(value), "{text}");
        }
        let long = Value::String("x".repeat(300));
        let list = Value::Array(vec![long.clone(); 60]);
        assert_eq!(Encoded::of(&long).bytes().get(..4), Some(&b"\x04\xac\x02x"[..]));
        assert_eq!(Encoded::of(&list).raw().to_value(), Some(list));
        for micros in [0, -1, i64::MIN, i64::MAX] {
            assert!(matches!(Encoded::instant(micros).raw().part(), Part::Instant(found) if found == micros));
        }
    }

    #[test]
    fn what_was_encoded_is_read_again() {
        let mut random = Random::new(1);
        for _ in 0..20_000 {
            let value = random_value(&mut random, 4);
            let encoded = Encoded::of(&value);
            let mut text = String::new();
            encoded.raw().write_json(&mut text).unwrap();
            assert_eq!(text, value.to_string());
            assert_eq!(encoded.raw().to_value(), Some(value));
        }
    }

    #[test]
    fn what_is_no_value_is_read_without_harm() {
        let mut random = Random::new(2);
        let walk = |bytes: &[u8]| {
            let Some(raw) = Raw::of(bytes) else { return };
            let _ = (raw.to_value(), raw.kind(), raw.decimal(), raw.text(), raw.get("a"));
            let _ = (raw.elements().count(), raw.write_json(&mut String::new()));
        };
        for _ in 0..20_000 {
            let mut bytes = Encoded::of(&random_value(&mut random, 4)).bytes().to_vec();
            let at = random.next() as usize % bytes.len();
            bytes[at] = random.next() as u8;
            walk(&bytes);
            bytes.truncate(at);
            walk(&bytes);
        }
        let deep = (0..200).fold(vec![0], |inner, _| {
            let mut outer = Vec::new();
            push_array(&mut outer, |out| out.extend_from_slice(&inner));
            outer
        });
        assert_eq!(Raw::of(&deep).unwrap().to_value(), None);
    }
}
