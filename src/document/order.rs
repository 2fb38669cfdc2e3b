//! The order of values, and bytes that sort as the values do: what indexes are made of.
//!
//! Values of one kind are compared with each other, and kinds come in this order:
//!
//! ```text
//! kind       bytes
//! null       0x10
//! false      0x20
//! true       0x21
//! number     0x30  as `number` has it                         25 and 25.0 are one value
//! instant    0x38  eight bytes, big-endian                    of columns of dates (`raw`)
//! string     0x40  its bytes, 0x00 as 0x00 0xff   0x00 0x01   by code point
//! array      0x50  its values                     0x01        as words of a dictionary
//! object     0x60  each name as a string, its value   0x01    by its members in the order of their names
//! ```
//!
//! (O1) `compare` and the bytes agree on every two values.
//! (O2) No value's bytes are the beginning of another's. So values one after the other sort as a row of them does: the end of an array
//!      (0x01) is below every value, and the end of a string is below all that may go on instead.
//! (O3) For an index that descends all bytes are inverted; O2 makes that its reverse.

use super::number::Decimal;
use super::raw::{Members, Part, Raw};
use super::value::{Kind, Number, Value};
use std::cmp::Ordering;

const NULL: u8 = 0x10;
const FALSE: u8 = 0x20;
const TRUE: u8 = 0x21;
const NUMBER: u8 = 0x30;
const INSTANT: u8 = 0x38;
const STRING: u8 = 0x40;
const ARRAY: u8 = 0x50;
const OBJECT: u8 = 0x60;
/// Of an array or an object.
const END: u8 = 0x01;

/// Which way an index goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the least value on.
    Ascending,
    /// From the greatest.
    Descending,
}

/// Which of two values comes first; objects are equal whatever order their members are in.
#[must_use]
pub fn compare(one: Raw<'_>, other: Raw<'_>) -> Ordering {
    if let (Some(one), Some(other)) = (one.number(), other.number())
        && let (Some(one), Some(other)) = (small(one), small(other))
    {
        return one.cmp(&other);
    }
    match (one.part(), other.part()) {
        (Part::Bool(one), Part::Bool(other)) => one.cmp(&other),
        (Part::Number(one), Part::Number(other)) => Decimal::parse(one).cmp(&Decimal::parse(other)),
        (Part::Instant(one), Part::Instant(other)) => one.cmp(&other),
        (Part::String(one), Part::String(other)) => one.cmp(other),
        (Part::Array(one), Part::Array(other)) => one.map(Ordered).cmp(other.map(Ordered)),
        (Part::Object(one), Part::Object(other)) => {
            sorted(one).into_iter().map(member).cmp(sorted(other).into_iter().map(member))
        }
        _ => one.kind().cmp(&other.kind()),
    }
}

/// The number, if it is written as a whole one that surely fits; most are.
fn small(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || text.len() > 18 {
        return None;
    }
    let mut value = 0;
    for digit in digits {
        value = value * 10 + i64::from(digit.wrapping_sub(b'0'));
        if !digit.is_ascii_digit() {
            return None;
        }
    }
    Some(if digits.len() < text.len() { -value } else { value })
}

/// Whether a number is written in the plainest way: whole, and with few digits.
#[must_use]
pub fn is_canonical(text: &str) -> bool {
    small(text.as_bytes()).is_some() && text != "-0"
}

/// A value, to be compared by [`compare`].
struct Ordered<'a>(Raw<'a>);

impl Ord for Ordered<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.0, other.0)
    }
}

impl PartialOrd for Ordered<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Ordered<'_> {}

impl PartialEq for Ordered<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

fn member<'a>((name, value): (&'a [u8], Raw<'a>)) -> (&'a [u8], Ordered<'a>) {
    (name, Ordered(value))
}

/// Members by name, which are all different.
fn sorted(members: Members<'_>) -> Vec<(&[u8], Raw<'_>)> {
    let mut sorted: Vec<_> = members.collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    sorted
}

/// Appends the bytes of a value.
pub fn encode(value: Raw<'_>, direction: Direction, out: &mut Vec<u8>) {
    let begin = out.len();
    encode_ascending(value, out);
    invert(direction, begin, out);
}

/// The bytes that stand for a kind, from its least value on, and the first that do not: all values of the kind lie between them.
#[must_use]
pub fn bounds_of(kind: Kind) -> (u8, u8) {
    let first = match kind {
        Kind::Null => NULL,
        Kind::Bool => FALSE,
        Kind::Number => NUMBER,
        Kind::Instant => INSTANT,
        Kind::String => STRING,
        Kind::Array => ARRAY,
        Kind::Object => OBJECT,
    };
    (first, if kind == Kind::Bool { TRUE + 1 } else { first + 1 })
}

/// Whether these are the bytes of null, in either direction.
#[must_use]
pub fn is_null(bytes: &[u8]) -> bool {
    matches!(bytes, [byte] if *byte == NULL || *byte == !NULL)
}

/// Appends what strings begin with that begin with this text: the bytes of the string without its end.
pub fn encode_prefix(text: &str, out: &mut Vec<u8>) {
    push_string(text.as_bytes(), out);
}

/// Makes the bytes from `begin` on those of the other direction, if that is wanted (O3).
pub fn invert(direction: Direction, begin: usize, out: &mut [u8]) {
    if direction == Direction::Descending {
        out.iter_mut().skip(begin).for_each(|byte| *byte = !*byte);
    }
}

/// The value that these bytes begin with, and how many of them it takes. `None` where they do not say how it was written: numbers that are
/// not whole and small, moments, arrays, objects.
#[must_use]
pub fn decode(bytes: &[u8], direction: Direction) -> Option<(Value, usize)> {
    let mask = if direction == Direction::Descending { 0xff } else { 0 };
    let (tag, rest) = bytes.split_first()?;
    let (value, len) = match tag ^ mask {
        NULL => (Value::Null, 0),
        FALSE => (Value::Bool(false), 0),
        TRUE => (Value::Bool(true), 0),
        NUMBER => {
            let (text, len) = Decimal::decode_whole(&mut rest.iter().map(|byte| byte ^ mask))?;
            (Value::Number(Number::parse(&text).filter(|_| is_canonical(&text))?), len)
        }
        STRING => {
            let (text, len) = decode_string(rest, mask)?;
            (Value::String(String::from_utf8(text).ok()?), len)
        }
        _ => return None,
    };
    Some((value, 1 + len))
}

/// The bytes of a string, and how many those are that stand for it with its end.
fn decode_string(bytes: &[u8], mask: u8) -> Option<(Vec<u8>, usize)> {
    let (mut text, mut at) = (Vec::new(), 0);
    loop {
        let rest = bytes.get(at..)?;
        let zero = memchr::memchr(mask, rest)?;
        text.extend(rest.get(..zero)?.iter().map(|byte| byte ^ mask));
        at += zero + 2;
        match rest.get(zero + 1)? ^ mask {
            END => return Some((text, at)),
            0xff => text.push(0),
            _ => return None,
        }
    }
}

fn encode_ascending(value: Raw<'_>, out: &mut Vec<u8>) {
    match value.part() {
        Part::Null => out.push(NULL),
        Part::Bool(value) => out.push(if value { TRUE } else { FALSE }),
        Part::Number(text) => {
            out.push(NUMBER);
            // What is no number, which nobody stored, is none of any (raw R2).
            if let Some(number) = Decimal::parse(text) {
                number.encode(out);
            }
        }
        Part::Instant(micros) => {
            out.push(INSTANT);
            out.extend((micros as u64 ^ (1 << 63)).to_be_bytes());
        }
        Part::String(text) => encode_string(text, out),
        Part::Array(list) => {
            out.push(ARRAY);
            list.for_each(|value| encode_ascending(value, out));
            out.push(END);
        }
        Part::Object(members) => {
            out.push(OBJECT);
            for (name, value) in sorted(members) {
                encode_string(name, out);
                encode_ascending(value, out);
            }
            out.push(END);
        }
    }
}

fn encode_string(text: &[u8], out: &mut Vec<u8>) {
    push_string(text, out);
    out.extend([0, 1]);
}

fn push_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(STRING);
    let mut rest = text;
    while let Some(at) = memchr::memchr(0, rest) {
        let (part, behind) = rest.split_at(at + 1);
        out.extend_from_slice(part);
        out.push(0xff);
        rest = behind;
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::raw::Encoded;
    use crate::document::value::tests::random_value;
    use crate::random::Random;

    fn compare(one: &Value, other: &Value) -> Ordering {
        super::compare(Encoded::of(one).raw(), Encoded::of(other).raw())
    }

    fn bytes(value: &Value, direction: Direction) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(Encoded::of(value).raw(), direction, &mut bytes);
        bytes
    }

    #[test]
    fn bytes_sort_as_values_do() {
        let mut random = Random::new(1);
        for _ in 0..200_000 {
            let (one, other) = (random_value(&mut random, 2), random_value(&mut random, 2));
            let expected = compare(&one, &other);
            assert_eq!(compare(&other, &one), expected.reverse(), "{one} {other}");
            let (a, b) = (bytes(&one, Direction::Ascending), bytes(&other, Direction::Ascending));
            assert_eq!(a.cmp(&b), expected, "{one} {other}");
            assert!(expected.is_eq() || !(a.starts_with(&b) || b.starts_with(&a)), "{one} {other}: O2");
            let (a, b) = (bytes(&one, Direction::Descending), bytes(&other, Direction::Descending));
            assert_eq!(a.cmp(&b), expected.reverse(), "{one} {other}, descending");
        }
    }

    #[test]
    fn what_bytes_say_is_the_value_as_it_was_written() {
        let mut random = Random::new(3);
        let (mut told, mut whole) = (0, 0);
        for n in 0..50_000_u64 {
            let value = match n % 4 {
                0 => Value::Number(
                    Number::parse(&format!("{}", random.next() as i64 >> (random.next() % 64))).unwrap(),
                ),
                1 => Value::from("a\0b\u{1}\0"),
                _ => random_value(&mut random, 1),
            };
            for direction in [Direction::Ascending, Direction::Descending] {
                let mut key = bytes(&value, direction);
                let len = key.len();
                key.extend([7; 9]);
                let is_told = match &value {
                    Value::Number(number) => is_canonical(number.text()),
                    Value::Array(_) | Value::Object(_) => false,
                    _ => true,
                };
                let found = decode(&key, direction);
                if is_told {
                    assert_eq!(found, Some((value.clone(), len)));
                    told += 1;
                    whole += usize::from(value.kind() == Kind::Number);
                }
            }
        }
        assert!(told > 40_000 && whole > 10_000, "{told} {whole}");
        for bytes in [
            &b""[..],
            b"\x40ab",
            b"\x40a\0",
            b"\x40a\0\x02",
            b"\x30",
            b"\x30\xc0\x80",
            b"\x08",
            b"\x40\xff\0\x01",
        ] {
            assert_eq!(decode(bytes, Direction::Ascending), None);
        }
    }

    /// As an index of two columns has them, one of which descends.
    #[test]
    fn rows_sort_by_each_value_in_turn() {
        let mut random = Random::new(2);
        let mut row = || {
            let values = (random_value(&mut random, 1), random_value(&mut random, 1));
            let mut key = bytes(&values.0, Direction::Ascending);
            encode(Encoded::of(&values.1).raw(), Direction::Descending, &mut key);
            (values, key)
        };
        for _ in 0..100_000 {
            let ((one, a), (other, b)) = (row(), row());
            let expected = compare(&one.0, &other.0).then_with(|| compare(&other.1, &one.1));
            assert_eq!(a.cmp(&b), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn kinds_and_equal_values() {
        let ascending =
            ["null", "false", "true", "-1", "7", "\"\"", "\"a\"", "[]", "[null]", "{}", "{\"a\":1}"];
        let values = ascending.map(|text| Value::parse(text).unwrap());
        assert!(values.is_sorted_by(|one, other| compare(one, other).is_lt()));
        let equal = [("25", "25.0"), (r#"{"a":1,"b":2}"#, r#"{"b":2.0,"a":1e0}"#)];
        for (one, other) in equal {
            let (one, other) = (Value::parse(one).unwrap(), Value::parse(other).unwrap());
            assert_eq!(compare(&one, &other), Ordering::Equal);
            assert_eq!(bytes(&one, Direction::Ascending), bytes(&other, Direction::Ascending));
        }
    }
}
