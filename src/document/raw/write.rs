//! Values as the bytes that they are stored as, written piece by piece.
//!
//! A value is written by one of [`Writer::raw`], [`Writer::value`], [`Writer::number`], [`Writer::string`], [`Writer::array`] and
//! [`Writer::object`]; within the last two each goes through [`Writer::element`], in an object behind its [`Writer::name`].
//!
//! (W1) Within an array or object, what is complete ends with a comma, which the bracket takes the place of.

use super::walk::Members;
use super::{Encoded, Raw};
use crate::document::escape;
use crate::document::value::Value;

/// What is written so far.
#[derive(Debug)]
pub(in crate::document) struct Writer {
    pub(super) text: Vec<u8>,
    pub(super) extra: Vec<u8>,
}

impl Writer {
    /// Nothing yet, with room for so much text, and what mostly is the extra of that.
    pub(in crate::document) fn with_capacity(text: usize) -> Writer {
        Writer { text: Vec::with_capacity(text), extra: Vec::with_capacity(text / 8) }
    }

    /// The value that was written.
    pub(in crate::document) fn finish(self) -> Encoded {
        self.finish_with("")
    }

    /// The same, with more text behind it.
    pub(super) fn finish_with(self, rest: &str) -> Encoded {
        // What is longer than such a number says is longer than a document may be, and is refused for that.
        let len = u32::try_from(self.extra.len()).unwrap_or(u32::MAX);
        Encoded([&len.to_le_bytes()[..], &self.extra, &self.text, rest.as_bytes()].concat())
    }

    /// Writes null, true or false.
    pub(super) fn word(&mut self, word: &str) {
        self.text.extend_from_slice(word.as_bytes());
    }

    /// Writes a number.
    pub(in crate::document) fn number(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    /// Writes a string.
    pub(in crate::document) fn string(&mut self, text: &str) {
        if !escape::push_string(text, &mut self.text) {
            self.extra.extend_from_slice(text.as_bytes());
        }
    }

    /// Writes a value that is there.
    pub(in crate::document) fn raw(&mut self, value: Raw<'_>) {
        self.text.extend_from_slice(value.text);
        self.extra.extend_from_slice(value.extra);
    }

    /// Writes a value.
    pub(in crate::document) fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.word("null"),
            Value::Bool(value) => self.word(if *value { "true" } else { "false" }),
            Value::Number(number) => self.number(number.text()),
            Value::String(text) => self.string(text),
            Value::Array(list) => {
                self.array(|out| list.iter().for_each(|value| out.element(|out| out.value(value))));
            }
            Value::Object(members) => self.object(|out| {
                for (name, value) in members {
                    out.name(name);
                    out.element(|out| out.value(value));
                }
            }),
        }
    }

    /// Writes an array of what `content` writes.
    pub(in crate::document) fn array<T>(&mut self, content: impl FnOnce(&mut Writer) -> T) -> T {
        self.open(b'[');
        let result = content(self);
        self.close(b']');
        result
    }

    /// Writes an object of what `content` writes.
    pub(in crate::document) fn object<T>(&mut self, content: impl FnOnce(&mut Writer) -> T) -> T {
        self.open(b'{');
        let result = content(self);
        self.close(b'}');
        result
    }

    /// The one value that `content` writes is an element, or the value of a member.
    #[inline]
    pub(in crate::document) fn element<T>(&mut self, content: impl FnOnce(&mut Writer) -> T) -> T {
        self.piece(b',', content)
    }

    /// Writes the name of a member.
    #[inline]
    pub(in crate::document) fn name(&mut self, name: &str) {
        self.piece(b':', |out| out.string(name));
    }

    #[inline]
    fn piece<T>(&mut self, behind: u8, content: impl FnOnce(&mut Writer) -> T) -> T {
        let (text, extra) = (self.text.len(), self.extra.len());
        let result = content(self);
        put_lengths(self.text.len() - text, extra, &mut self.extra);
        self.text.push(behind);
        result
    }

    /// Writes the members of another object from one place to a later one, with their names.
    pub(in crate::document) fn members(&mut self, from: Members<'_>, to: Members<'_>) {
        let (text, extra) = from.until(to);
        if let Some((_, text)) = text.split_last().filter(|(_, text)| !text.is_empty()) {
            self.text.extend_from_slice(text);
            self.text.push(b',');
            self.extra.extend_from_slice(extra);
        }
    }

    /// Adds a last member to the object that was written.
    pub(in crate::document) fn add(&mut self, name: &str, value: Raw<'_>) {
        // The bracket.
        self.text.pop();
        if self.text.last().is_some_and(|last| *last != b'{') {
            self.text.push(b',');
        }
        self.name(name);
        self.element(|out| out.raw(value));
        self.close(b'}');
    }

    /// What was written, if that is a whole value.
    pub(in crate::document) fn as_raw(&self) -> Raw<'_> {
        Raw { text: &self.text, extra: &self.extra }
    }

    fn open(&mut self, bracket: u8) {
        self.text.push(bracket);
    }

    /// (W1)
    pub(super) fn close(&mut self, bracket: u8) {
        match self.text.last_mut() {
            Some(last) if *last == b',' => *last = bracket,
            _ => self.text.push(bracket),
        }
    }
}

/// Puts the length of a text before what the extra has of it, which begins here.
#[inline]
pub(super) fn put_lengths(text: usize, begin: usize, extra: &mut Vec<u8>) {
    let len = extra.len() - begin;
    push_number(text << 1 | usize::from(len > 0), extra);
    if len > 0 {
        // The lengths are known last and stand first.
        push_number(len, extra);
        if let Some(all) = extra.get_mut(begin..) {
            all.rotate_left(len);
        }
    }
}

#[inline]
fn push_number(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
