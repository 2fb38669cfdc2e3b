//! Values as the bytes that they are stored as: what is appended, and how lengths come to stand first.

use super::{ARRAY, FALSE, NULL, NUMBER, OBJECT, STRING, TRUE};
use crate::document::value::Value;

/// Appends the bytes of a value.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(value) => out.push(if *value { TRUE } else { FALSE }),
        Value::Number(number) => push_number(number.text(), out),
        Value::String(text) => push_string(text, out),
        Value::Array(list) => {
            nested(ARRAY, out, |out| list.iter().for_each(|value| encode(value, out)));
        }
        Value::Object(members) => nested(OBJECT, out, |out| {
            for (name, value) in members {
                push_text(name.as_bytes(), out);
                encode(value, out);
            }
        }),
    }
}

/// Appends the bytes of a string.
pub(in crate::document) fn push_string(text: &str, out: &mut Vec<u8>) {
    push_bytes(STRING, text.as_bytes(), out);
}

/// Appends the bytes of a number, as it is written.
pub(in crate::document) fn push_number(text: &str, out: &mut Vec<u8>) {
    push_bytes(NUMBER, text.as_bytes(), out);
}

pub(super) fn push_bytes(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    push_text(bytes, out);
}

/// Appends a length and so many bytes, which is what the name of a member is.
pub(in crate::document) fn push_text(bytes: &[u8], out: &mut Vec<u8>) {
    push_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Appends an array of what `content` appends.
pub(in crate::document) fn push_array<T>(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    nested(ARRAY, out, content)
}

/// Appends an object of what `content` appends: names ([`push_text`]), each with the bytes of a value.
pub(in crate::document) fn push_object<T>(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    nested(OBJECT, out, content)
}

pub(super) fn nested<T>(tag: u8, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    out.push(tag);
    let begin = out.len();
    let result = content(out);
    seal(begin, out);
    result
}

/// Puts in front of what was appended from here on how long that is.
pub(super) fn seal(begin: usize, out: &mut Vec<u8>) {
    let len = out.len() - begin;
    // The length is known last and stands first.
    push_length(len, out);
    if let Some(all) = out.get_mut(begin..) {
        all.rotate_left(len);
    }
}

pub(super) fn push_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}
