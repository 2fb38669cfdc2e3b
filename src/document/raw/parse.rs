//! The text of JSON, as the bytes of a document.
//!
//! (J1) The text is read once, from the first byte to the last, and no tree is made of it: what a document takes is its bytes, and
//!      four more for each name of the objects that are open; an object with a name twice is written once more.
//! (J2) A name that occurs twice in an object has the last value, in the first place.
//! (J3) What was read is a value of a document: no deeper than [`MAX_DEPTH`], its numbers such as [`Decimal`] has.
//! (J4) What stands as it will be stored, which is mostly all, is copied in one piece: from the end of white space, or of a string that
//!      is written in another way, to the next.
//!
//! [`Decimal`]: crate::document::number::Decimal

use super::write::put_lengths;
use super::{Encoded, Members, Writer, unquoted};
use crate::document::escape::plain_len;
use crate::document::value::{MAX_BYTES, MAX_DEPTH, Malformed, Number, Value};
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

impl Encoded {
    /// Reads a value, which is all of the text but for white space around it. A name that occurs twice has the last value, in the
    /// first place.
    ///
    /// # Errors
    /// It is no JSON, deeper than [`MAX_DEPTH`], or longer than [`MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Encoded, Malformed> {
        if text.len() > MAX_BYTES {
            return Err(Malformed { at: MAX_BYTES, why: "the document is longer than 16 MiB" });
        }
        // Mostly no text is written (J4).
        let out = Writer { text: Vec::new(), extra: Vec::with_capacity(text.len() / 8) };
        let names = Vec::with_capacity(text.len().min(32));
        let mut parser = Parser { text, at: 0, copied: 0, out, names };
        parser.value(MAX_DEPTH)?;
        parser.skip_space();
        match parser.peek() {
            None => Ok(parser.out.finish_with(parser.text.get(parser.copied..parser.at).unwrap_or_default())),
            Some(_) => parser.fail("something follows the value"),
        }
    }
}

impl Value {
    /// As [`Encoded::parse`], as a tree.
    ///
    /// # Errors
    /// As there.
    pub fn parse(text: &str) -> Result<Value, Malformed> {
        let tree = Encoded::parse(text)?.raw().to_value();
        // There always is one (J3).
        tree.ok_or(Malformed { at: 0, why: "this is no value" })
    }
}

/// A text, how much of it is read, and what was made of that.
struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Up to here it is in `out`; from here on it will be, as it stands (J4).
    copied: usize,
    out: Writer,
    /// Of each name of the objects that are open, a hash.
    names: Vec<u32>,
}

/// Where a value begins in what is made.
#[derive(Clone, Copy)]
struct Mark {
    text: usize,
    extra: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fail<T>(&self, why: &'static str) -> Result<T, Malformed> {
        Err(Malformed { at: self.at, why })
    }

    /// Copies what was not, up to a place.
    fn copy(&mut self, to: usize) {
        self.out.text.extend_from_slice(self.text.as_bytes().get(self.copied..to).unwrap_or_default());
        self.copied = to;
    }

    fn mark(&self) -> Mark {
        Mark { text: self.out.text.len() + self.at - self.copied, extra: self.out.extra.len() }
    }

    #[inline]
    fn skip_space(&mut self) {
        if matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.copy(self.at);
            while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
                self.at += 1;
            }
            self.copied = self.at;
        }
    }

    /// Passes over this byte, if it comes next.
    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<(), Malformed> {
        self.skip_space();
        match self.peek() {
            None => self.fail("the text ends where a value is expected"),
            Some(b'"') => {
                if let Text::Escaped(text) = self.string()? {
                    self.out.string(&text);
                }
                Ok(())
            }
            Some(b'[' | b'{') if depth == 0 => self.fail("values lie deeper than 100 in each other"),
            Some(b'[') => self.array(depth - 1),
            Some(b'{') => self.object(depth - 1),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
        }
    }

    fn word(&mut self) -> Result<(), Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        match ["null", "true", "false"].into_iter().find(|word| rest.starts_with(word)) {
            Some(word) => {
                self.at += word.len();
                Ok(())
            }
            None => self.fail("a value is expected"),
        }
    }

    fn number(&mut self) -> Result<(), Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_part = |byte: u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
        let len = rest.bytes().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        match rest.get(..len).filter(|text| Number::is_one(text)) {
            Some(_) => {
                self.at += len;
                Ok(())
            }
            None => self.fail("this is not a number"),
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Malformed> {
        self.at += 1;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.element(depth)?;
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return self.fail("`,` or `]` is expected");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Malformed> {
        self.at += 1;
        let (begin, outer) = (self.mark(), self.names.len());
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.name()?;
            if !self.take(b':') {
                return self.fail("`:` is expected");
            }
            self.element(depth)?;
            if self.take(b'}') {
                break;
            }
            if !self.take(b',') {
                return self.fail("`,` or `}` is expected");
            }
        }
        if self.names.get_mut(outer..).is_some_and(has_twins) {
            self.merge(begin);
        }
        self.names.truncate(outer);
        Ok(())
    }

    #[inline]
    fn element(&mut self, depth: usize) -> Result<(), Malformed> {
        // Space before it is none of it.
        self.skip_space();
        let begin = self.mark();
        self.value(depth)?;
        put_lengths(self.mark().text - begin.text, begin.extra, &mut self.out.extra);
        Ok(())
    }

    fn name(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return self.fail("the name of a member is expected");
        }
        let begin = self.mark();
        let hash = match self.string()? {
            Text::Plain(quoted) => xxh3_64(unquoted(quoted.as_bytes())),
            Text::Escaped(name) => {
                self.out.string(&name);
                xxh3_64(name.as_bytes())
            }
        };
        put_lengths(self.mark().text - begin.text, begin.extra, &mut self.out.extra);
        self.names.push(hash as u32);
        Ok(())
    }

    /// Keeps each name of the members that begin here once (J2). Names of one hash may differ.
    fn merge(&mut self, begin: Mark) {
        self.copy(self.at);
        let (text, extra) = (self.out.text.split_off(begin.text), self.out.extra.split_off(begin.extra));
        let (mut list, mut places) = (Vec::new(), HashMap::new());
        let mut members = Members::written(&text, &extra);
        let mut from = members;
        while let Some((name, _)) = members.next() {
            let place = *places.entry(name).or_insert(list.len());
            match list.get_mut(place) {
                Some(member) => *member = (from, members),
                None => list.push((from, members)),
            }
            from = members;
        }
        for (from, to) in list {
            self.out.members(from, to);
        }
        self.out.close(b'}');
    }

    /// A string; the cursor is at its first quote. What is not plain is passed over, and has to be written.
    fn string(&mut self) -> Result<Text<'a>, Malformed> {
        let start = self.at;
        self.at += 1;
        let mut plain = true;
        loop {
            self.at += plain_len(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.peek() {
                None => return self.fail("the text ends within a string"),
                Some(b'"') => break,
                Some(0..0x20) => return self.fail("a control character in a string must be escaped"),
                Some(byte) => {
                    plain = false;
                    self.at += if byte == b'\\' { 2 } else { 1 };
                }
            }
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        if plain {
            return Ok(Text::Plain(quoted));
        }
        self.copy(start);
        self.copied = self.at;
        match serde_json::from_str(quoted) {
            Ok(text) => Ok(Text::Escaped(text)),
            Err(_) => Err(Malformed { at: start, why: "an escape in this string is wrong" }),
        }
    }
}

/// A string of a text.
enum Text<'a> {
    /// As it stands, with its quotes.
    Plain(&'a str),
    /// What it stands for; something in it is written in another way.
    Escaped(String),
}

/// Whether two of these may be of one name.
fn has_twins(names: &mut [u32]) -> bool {
    names.sort_unstable();
    names.windows(2).any(|pair| pair.first() == pair.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (J2), also among names of one hash, and in objects within others.
    #[test]
    fn a_name_is_there_once() {
        for (text, expected) in [
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (
                r#"{"a":{"x":1,"y":2,"x":[3]},"b":{"x":4},"x":5}"#,
                r#"{"a":{"x":[3],"y":2},"b":{"x":4},"x":5}"#,
            ),
            (r#"[{"a":1,"b":2,"a":{"c":3,"c":null}},{"a":1}]"#, r#"[{"a":{"c":null},"b":2},{"a":1}]"#),
            (r#"{"\u0061":1,"a":2,"b":3}"#, r#"{"a":2,"b":3}"#),
        ] {
            let value = Encoded::parse(text).unwrap();
            assert_eq!(value, Encoded::parse(expected).unwrap(), "{text}");
            assert_eq!(value.raw().to_value().unwrap().to_string(), expected);
        }
        let text = r#"{"a":1,"b":2,"c":[]}"#;
        let members = Encoded::parse(text).unwrap();
        let mut parser =
            Parser { text, at: text.len(), copied: 0, out: Writer::with_capacity(0), names: Vec::new() };
        parser.out.extra = members.raw().extra.to_vec();
        parser.merge(Mark { text: 1, extra: 0 });
        assert_eq!(parser.out.finish(), members, "names that only seem to be twins stay");
    }
}
