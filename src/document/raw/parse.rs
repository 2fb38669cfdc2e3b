//! The text of JSON, as the bytes of a document.
//!
//! (J1) The text is read once, from the first byte to the last, and no tree is made of it: what a document takes is its bytes, and
//!      four more for each name of the objects that are open; an object with a name twice is written once more.
//! (J2) A name that occurs twice in an object has the last value, in the first place.
//! (J3) What was read is a value of a document: no deeper than [`MAX_DEPTH`], its numbers such as [`Decimal`] has.
//!
//! [`Decimal`]: crate::document::number::Decimal

use super::write::{push_bytes, push_text, seal};
use super::{ARRAY, Encoded, FALSE, Members, NULL, NUMBER, OBJECT, STRING, TRUE};
use crate::document::value::{MAX_BYTES, MAX_DEPTH, Malformed, Number, Value};
use std::borrow::Cow;
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
        let out = Vec::with_capacity(text.len());
        let mut parser = Parser { text, at: 0, out, names: Vec::new() };
        parser.value(MAX_DEPTH)?;
        parser.skip_space();
        match parser.peek() {
            None => {
                // A text with much space in it.
                if parser.out.capacity() > 2 * parser.out.len() {
                    parser.out.shrink_to_fit();
                }
                Ok(Encoded(parser.out))
            }
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
    out: Vec<u8>,
    /// Of each name of the objects that are open, a hash.
    names: Vec<u32>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fail<T>(&self, why: &'static str) -> Result<T, Malformed> {
        Err(Malformed { at: self.at, why })
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes over this byte, if it comes next.
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
                let text = self.string()?;
                push_bytes(STRING, text.as_bytes(), &mut self.out);
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
        match [("null", NULL), ("true", TRUE), ("false", FALSE)]
            .into_iter()
            .find(|(word, _)| rest.starts_with(word))
        {
            Some((word, tag)) => {
                self.at += word.len();
                self.out.push(tag);
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
            Some(text) => {
                self.at += len;
                push_bytes(NUMBER, text.as_bytes(), &mut self.out);
                Ok(())
            }
            None => self.fail("this is not a number"),
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Malformed> {
        self.at += 1;
        self.out.push(ARRAY);
        let begin = self.out.len();
        if !self.take(b']') {
            loop {
                self.value(depth)?;
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return self.fail("`,` or `]` is expected");
                }
            }
        }
        seal(begin, &mut self.out);
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Malformed> {
        self.at += 1;
        self.out.push(OBJECT);
        let (begin, outer) = (self.out.len(), self.names.len());
        if !self.take(b'}') {
            loop {
                self.name()?;
                if !self.take(b':') {
                    return self.fail("`:` is expected");
                }
                self.value(depth)?;
                if self.take(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return self.fail("`,` or `}` is expected");
                }
            }
        }
        if self.names.get_mut(outer..).is_some_and(has_twins) {
            self.merge(begin);
        }
        self.names.truncate(outer);
        seal(begin, &mut self.out);
        Ok(())
    }

    fn name(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return self.fail("the name of a member is expected");
        }
        let name = self.string()?;
        self.names.push(xxh3_64(name.as_bytes()) as u32);
        push_text(name.as_bytes(), &mut self.out);
        Ok(())
    }

    /// Keeps each name of the members that begin here once (J2). Names of one hash may differ.
    fn merge(&mut self, begin: usize) {
        let members = self.out.split_off(begin);
        let (mut list, mut places) = (Vec::new(), HashMap::new());
        for (name, value) in Members(&members) {
            let place = *places.entry(name).or_insert(list.len());
            match list.get_mut(place) {
                Some(member) => *member = (name, value),
                None => list.push((name, value)),
            }
        }
        for (name, value) in list {
            push_text(name, &mut self.out);
            value.push_onto(&mut self.out);
        }
    }

    /// A string; the cursor is at its first quote.
    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let start = self.at;
        self.at += 1;
        let mut plain = true;
        loop {
            self.at += plain_len(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.peek() {
                None => return self.fail("the text ends within a string"),
                Some(b'"') => break,
                Some(b'\\') => {
                    plain = false;
                    self.at += 2;
                }
                Some(0..0x20) => return self.fail("a control character in a string must be escaped"),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        if plain {
            return Ok(Cow::Borrowed(self.text.get(start + 1..self.at - 1).unwrap_or_default()));
        }
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        match serde_json::from_str(quoted) {
            Ok(text) => Ok(Cow::Owned(text)),
            Err(_) => Err(Malformed { at: start, why: "an escape in this string is wrong" }),
        }
    }
}

/// Whether two of these may be of one name.
fn has_twins(names: &mut [u32]) -> bool {
    names.sort_unstable();
    names.windows(2).any(|pair| pair.first() == pair.last())
}

/// How many bytes a string goes on with before one that ends it, escapes, or must not stand there. Eight at a time: most of a
/// document is strings.
fn plain_len(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH != 0;
    let is_plain = |chunk: &[u8; 8]| {
        let word = u64::from_le_bytes(*chunk);
        let is_below = word.wrapping_sub(ONES * 0x20) & !word & HIGH != 0;
        !(is_below || has_zero(word ^ (ONES * 0x22)) || has_zero(word ^ (ONES * 0x5c)))
    };
    let (chunks, _) = bytes.as_chunks::<8>();
    let whole = 8 * chunks.iter().take_while(|chunk| is_plain(chunk)).count();
    let rest = bytes.get(whole..).unwrap_or_default();
    let is_plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    whole + rest.iter().take_while(|byte| is_plain(byte)).count()
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
        let mut parser = Parser { text: "", at: 0, out: Vec::new(), names: Vec::new() };
        parser.out = Encoded::parse(r#"{"a":1,"b":2,"c":[]}"#).unwrap().raw().members().bytes().to_vec();
        let members = parser.out.clone();
        parser.merge(0);
        assert_eq!(parser.out, members, "names that only seem to be twins stay");
    }
}
