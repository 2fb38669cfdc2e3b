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
//! string     0x40  its bytes, 0x00 as 0x00 0xff   0x00 0x01   by code point
//! array      0x50  its values                     0x01        as words of a dictionary
//! object     0x60  each name as a string, its value   0x01    by its members in the order of their names
//! ```
//!
//! (O1) `compare` and the bytes agree on every two values.
//! (O2) No value's bytes are the beginning of another's. So values one after the other sort as a row of them does: the end of an array
//!      (0x01) is below every value, and the end of a string is below all that may go on instead.
//! (O3) For an index that descends all bytes are inverted; O2 makes that its reverse.

use super::value::Value;
use std::cmp::Ordering;

const NULL: u8 = 0x10;
const FALSE: u8 = 0x20;
const TRUE: u8 = 0x21;
const NUMBER: u8 = 0x30;
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
pub fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Number(one), Value::Number(other)) => one.value().cmp(other.value()),
        (Value::String(one), Value::String(other)) => one.as_bytes().cmp(other.as_bytes()),
        (Value::Array(one), Value::Array(other)) => {
            let differs =
                one.iter().zip(other).map(|(one, other)| compare(one, other)).find(|found| found.is_ne());
            differs.unwrap_or_else(|| one.len().cmp(&other.len()))
        }
        (Value::Object(one), Value::Object(other)) => {
            let (one, other) = (sorted(one), sorted(other));
            let member = |(one, other): (&(String, Value), &(String, Value))| {
                one.0.as_bytes().cmp(other.0.as_bytes()).then_with(|| compare(&one.1, &other.1))
            };
            let mut pairs = one.iter().copied().zip(other.iter().copied());
            pairs
                .by_ref()
                .map(member)
                .find(|found| found.is_ne())
                .unwrap_or_else(|| one.len().cmp(&other.len()))
        }
        _ => one.kind().cmp(&other.kind()),
    }
}

/// Appends the bytes of a value.
pub fn encode(value: &Value, direction: Direction, out: &mut Vec<u8>) {
    let begin = out.len();
    encode_ascending(value, out);
    if direction == Direction::Descending {
        out.iter_mut().skip(begin).for_each(|byte| *byte = !*byte);
    }
}

fn encode_ascending(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(value) => out.push(if *value { TRUE } else { FALSE }),
        Value::Number(number) => {
            out.push(NUMBER);
            number.value().encode(out);
        }
        Value::String(text) => encode_string(text, out),
        Value::Array(list) => {
            out.push(ARRAY);
            list.iter().for_each(|value| encode_ascending(value, out));
            out.push(END);
        }
        Value::Object(members) => {
            out.push(OBJECT);
            for (name, value) in sorted(members) {
                encode_string(name, out);
                encode_ascending(value, out);
            }
            out.push(END);
        }
    }
}

fn encode_string(text: &str, out: &mut Vec<u8>) {
    out.push(STRING);
    for byte in text.bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out.extend([0, 1]);
}

/// Members by name, which are all different.
fn sorted(members: &[(String, Value)]) -> Vec<&(String, Value)> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by(|one, other| one.0.as_bytes().cmp(other.0.as_bytes()));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn bytes(value: &Value, direction: Direction) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(value, direction, &mut bytes);
        bytes
    }

    /// From few pieces, so that beginnings are often the same.
    fn any(random: &mut Random, depth: usize) -> Value {
        let name = |random: &mut Random| {
            ["", "a", "a\0", "a\0b", "ab", "b", "é", "\u{10000}", "\u{ffff}"][random.below(9)].to_owned()
        };
        match random.below(if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => Value::Bool(random.flip()),
            2 | 3 => {
                let text = ["0", "-0.0", "1", "1.0", "10", "-1", "-10", "1e1", "0.5", "1e300", "-1e-300"]
                    [random.below(11)];
                Value::parse(text).unwrap()
            }
            4 => Value::String(name(random)),
            5 | 6 => Value::Array((0..random.below(4)).map(|_| any(random, depth - 1)).collect()),
            _ => {
                let mut members: Vec<(String, Value)> = Vec::new();
                for _ in 0..random.below(4) {
                    let name = name(random);
                    if members.iter().all(|(other, _)| *other != name) {
                        members.push((name, any(random, depth - 1)));
                    }
                }
                Value::Object(members)
            }
        }
    }

    #[test]
    fn bytes_sort_as_values_do() {
        let mut random = Random::new(1);
        for _ in 0..200_000 {
            let (one, other) = (any(&mut random, 2), any(&mut random, 2));
            let expected = compare(&one, &other);
            assert_eq!(compare(&other, &one), expected.reverse(), "{one} {other}");
            let (a, b) = (bytes(&one, Direction::Ascending), bytes(&other, Direction::Ascending));
            assert_eq!(a.cmp(&b), expected, "{one} {other}");
            assert!(expected.is_eq() || !(a.starts_with(&b) || b.starts_with(&a)), "{one} {other}: O2");
            let (a, b) = (bytes(&one, Direction::Descending), bytes(&other, Direction::Descending));
            assert_eq!(a.cmp(&b), expected.reverse(), "{one} {other}, descending");
        }
    }

    /// As an index of two columns has them, one of which descends.
    #[test]
    fn rows_sort_by_each_value_in_turn() {
        let mut random = Random::new(2);
        let mut row = || {
            let values = (any(&mut random, 1), any(&mut random, 1));
            let mut key = bytes(&values.0, Direction::Ascending);
            encode(&values.1, Direction::Descending, &mut key);
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
