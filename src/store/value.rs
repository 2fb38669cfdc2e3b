//! How the network doors tell a JSON value from plain bytes in what is stored.
//!
//! The library stores bytes. The doors also store JSON, and what one door stored another must read, so they share one
//! form, chosen so that a string is the same bytes through every door and in the library:
//!
//! ```text
//! stored = bytes                    plain bytes that do not begin with 0xFF; a JSON string is its UTF-8 bytes
//!        | 0xFF 'J' json            a JSON value that is not a string, as JSON text
//!        | 0xFF 'B' 0xFF bytes      plain bytes that begin with 0xFF (which UTF-8 never does)
//!        | 0xFF 'H' id count        a hash: its number, and how many fields lie elsewhere under it; eight bytes each,
//!                                   big-endian
//! ```
//!
//! (V1) Every value has exactly one stored form, and `decode` after `encode` gives it back.
//! (V2) Anything that has no such form, such as bytes the library stored that begin with 0xFF and go on otherwise,
//!      reads as plain bytes, all of them.
//! (V3) The text of a decoded `Json` value is JSON: it was checked, for the library may have stored anything.
//!
//! Rejected: a tag on every value (the library would have to strip it), and guessing JSON from the first character (a
//! string that reads `12` would come back as a number).

use serde::de::IgnoredAny;
use std::borrow::Cow;

const ESCAPE: u8 = 0xff;
const JSON: u8 = b'J';
const BYTES: u8 = b'B';
const HASH: u8 = b'H';

/// A value as the doors see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// Plain bytes, strings included.
    Bytes(Cow<'a, [u8]>),
    /// The text of a JSON value that is not a string.
    Json(Cow<'a, str>),
    /// A hash, whose fields lie elsewhere.
    Hash(HashHead),
}

/// What is stored of a hash under its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashHead {
    /// The number its fields are found by; no other hash has, or had, the same.
    pub id: u64,
    /// How many fields there are.
    pub fields: u64,
}

impl<'a> Value<'a> {
    /// The stored form. Allocates only for JSON, and for bytes that begin with 0xFF.
    #[must_use]
    pub fn encode(&self) -> Cow<'_, [u8]> {
        match self {
            Value::Bytes(bytes) if bytes.first() == Some(&ESCAPE) => escaped(BYTES, bytes),
            Value::Bytes(bytes) => Cow::Borrowed(bytes),
            Value::Json(text) => escaped(JSON, text.as_bytes()),
            Value::Hash(head) => escaped(HASH, &[head.id.to_be_bytes(), head.fields.to_be_bytes()].concat()),
        }
    }

    /// The value that has the form `stored`.
    #[must_use]
    pub fn decode(stored: &'a [u8]) -> Value<'a> {
        match stored {
            [ESCAPE, JSON, text @ ..] => match json(text) {
                Some(text) => Value::Json(Cow::Borrowed(text)),
                None => Value::Bytes(Cow::Borrowed(stored)),
            },
            [ESCAPE, HASH, head @ ..] if head.len() == 16 => {
                let (id, fields) = head.split_at(8);
                Value::Hash(HashHead { id: number(id), fields: number(fields) })
            }
            [ESCAPE, BYTES, bytes @ ..] if bytes.first() == Some(&ESCAPE) => {
                Value::Bytes(Cow::Borrowed(bytes))
            }
            _ => Value::Bytes(Cow::Borrowed(stored)),
        }
    }
}

fn escaped(tag: u8, rest: &[u8]) -> Cow<'static, [u8]> {
    let mut stored = Vec::with_capacity(2 + rest.len());
    stored.extend_from_slice(&[ESCAPE, tag]);
    stored.extend_from_slice(rest);
    Cow::Owned(stored)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The text, if it is one JSON value that is not a string (V3). The check walks the text once, without recursion.
fn json(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let is_string = text.trim_ascii_start().starts_with('"');
    (!is_string && serde_json::from_str::<IgnoredAny>(text).is_ok()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(bytes: &[u8]) -> Value<'_> {
        Value::Bytes(Cow::Borrowed(bytes))
    }

    #[test]
    fn golden() {
        let hash = Value::Hash(HashHead { id: 0x0102, fields: 3 });
        let cases: [(Value<'_>, &[u8]); 7] = [
            (hash, b"\xffH\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x03"),
            (bytes(b""), b""),
            (bytes(b"text"), b"text"),
            (bytes(b"12"), b"12"),
            (bytes(b"\xff"), b"\xffB\xff"),
            (bytes(b"\xffJ1"), b"\xffB\xffJ1"),
            (Value::Json("{\"a\":1.0}".into()), b"\xffJ{\"a\":1.0}"),
        ];
        for (value, stored) in cases {
            assert_eq!(*value.encode(), *stored, "{value:?}");
            assert_eq!(Value::decode(stored), value);
        }
    }

    #[test]
    fn whatever_else_the_library_stored_is_plain_bytes() {
        let cases: [&[u8]; 11] = [
            b"\xff",
            b"\xffH",
            b"\xffH123456781234567",
            b"\xffJ",
            b"\xffB",
            b"\xffBx",
            b"\xffX1",
            b"\xffJ{",
            b"\xffJ1 2",
            b"\xffJ\"a string\"",
            b"\xffJ\"\xff\"",
        ];
        for stored in cases {
            assert_eq!(Value::decode(stored), bytes(stored));
        }
    }

    #[test]
    fn every_cut_and_flip_decodes_to_something() {
        let stored = Value::Json("[1,{\"k\":null}]".into()).encode().into_owned();
        for at in 0..stored.len() {
            let _ = Value::decode(&stored[..at]);
            for bit in 0..8 {
                let mut flipped = stored.clone();
                flipped[at] ^= 1 << bit;
                if let Value::Json(text) = Value::decode(&flipped) {
                    assert!(serde_json::from_str::<IgnoredAny>(&text).is_ok());
                }
            }
        }
    }
}
