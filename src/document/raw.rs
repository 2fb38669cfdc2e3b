//! Documents as bytes: JSON as text, and before it what finds things in it, so that filters and indexes read it without parsing, and it
//! is given back as it lies.
//!
//! ```text
//! bytes    length extra text     length: of extra, four bytes, little-endian
//!
//! text     JSON without white space, UTF-8: numbers as they were written, members in their order, strings as `escape` draws them
//! extra    of an array           for each element: value
//!          of an object          for each member: name value
//!          of a string           nothing; if there is a \ in its text, what it stands for
//!          of all else           nothing
//! name     number                twice the length of its text, the quotes included; or, if there is a \ in it,
//!          number number bytes   that and one more; what it stands for, with its length
//! value    number                twice the length of its text; or, if it has an extra,
//!          number number extra   that and one more; the extra, with its length
//! number   seven bits a byte, the lowest first, the high bit set in all but the last
//!
//! text      {"a":[1,20],"b":"x"}
//! extra     06  0d 02 02 04   06  06
//!          "a"  [  _  1 20   "b" "x"
//!
//! instant  0x07 and eight bytes, where the text is: microseconds since 1970, big-endian, the sign bit flipped. Never in a document, only
//!          in what its columns are compared with
//! ```
//!
//! (R1) A value knows where it ends, so members that nobody asks for are passed over, and their text is not looked at.
//! (R2) Bytes that are no value, which only somebody can have written who knows better, are never read out of bounds, and reading
//!      them ends: what is no value is not there. [`Raw::to_value`] says so where it meets it; [`Raw::is_sound`] looks at all, and
//!      JSON is given out as it lies.
//! (R3) Values that are written alike have the same text, and those of the same text have the same extra.

mod parse;
mod walk;
mod write;

pub use self::walk::{Elements, Members};
pub(super) use self::write::Writer;

use super::escape;
use super::number::Decimal;
use super::value::{Kind, MAX_DEPTH, Number, Value};

/// What the text of an instant begins with.
const INSTANT: u8 = 7;
/// The length of the extra.
const LENGTH_LEN: usize = 4;

/// One value, within bytes that are somebody else's.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    text: &'a [u8],
    extra: &'a [u8],
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
        let mut out = Writer::with_capacity(text + 2);
        out.value(value);
        out.finish()
    }

    /// A moment, in microseconds since 1970.
    #[must_use]
    pub fn instant(micros: i64) -> Encoded {
        let bits = micros as u64 ^ (1 << 63);
        Encoded([&[0; LENGTH_LEN][..], &[INSTANT], &bits.to_be_bytes()].concat())
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

    /// An array of these.
    pub(super) fn array<'e>(elements: impl Iterator<Item = Raw<'e>>) -> Encoded {
        let mut out = Writer::with_capacity(0);
        out.array(|out| elements.for_each(|element| out.element(|out| out.raw(element))));
        out.finish()
    }

    /// An object with one more member, which is the last one; it must not have it yet.
    pub(super) fn with(&self, name: &str, value: Raw<'_>) -> Encoded {
        let object = self.raw();
        let mut out = Writer::with_capacity(object.text.len() + name.len() + value.text.len() + 4);
        out.raw(object);
        out.add(name, value);
        out.finish()
    }
}

impl<'a> Raw<'a> {
    /// Nothing.
    pub const NULL: Raw<'static> = Raw { text: b"null", extra: &[] };

    /// The value that all of these bytes are, as far as can be seen from its beginning.
    #[must_use]
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Option<Raw<'a>> {
        let (length, rest) = bytes.split_first_chunk::<LENGTH_LEN>()?;
        let (extra, text) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        matches!(text.first()?, b'n' | b't' | b'f' | b'-' | b'0'..=b'9' | b'"' | b'[' | b'{' | &INSTANT)
            .then_some(Raw { text, extra })
    }

    /// What it is.
    #[must_use]
    #[inline]
    pub fn part(self) -> Part<'a> {
        match self.kind() {
            Kind::Null => Part::Null,
            Kind::Bool => Part::Bool(self.text == b"true"),
            Kind::Number => Part::Number(std::str::from_utf8(self.text).unwrap_or_default()),
            Kind::String => Part::String(self.characters()),
            Kind::Array => Part::Array(self.elements()),
            Kind::Object => Part::Object(self.members()),
            Kind::Instant => {
                let bits = self.text.iter().skip(1).fold(0, |bits, byte| bits << 8 | u64::from(*byte));
                Part::Instant((bits ^ (1 << 63)) as i64)
            }
        }
    }

    /// What kind of value it is.
    #[must_use]
    #[inline]
    pub fn kind(self) -> Kind {
        match self.text.first() {
            Some(b'"') => Kind::String,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            Some(&INSTANT) => Kind::Instant,
            _ => Kind::Null,
        }
    }

    /// The same value, with bytes of its own.
    #[must_use]
    pub fn to_encoded(self) -> Encoded {
        let mut out = Writer::with_capacity(self.text.len());
        out.raw(self);
        out.finish()
    }

    /// How many bytes its text has.
    pub(super) fn text_len(self) -> usize {
        self.text.len()
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

    /// Whether arrays and objects lie in each other deeper than in a document.
    pub(super) fn is_too_deep(self) -> bool {
        // Each level but the last two takes two bytes of the extra at least, the last but one takes one.
        const LEAST: usize = 2 * (MAX_DEPTH - 1) + 1;
        self.extra.len() >= LEAST && self.depth() > MAX_DEPTH
    }

    /// Whether it is written alike, to the last digit (R3).
    pub(super) fn is_same(self, other: Raw<'_>) -> bool {
        self.text == other.text
    }

    /// The members of an object; of anything else none.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        if self.kind() == Kind::Object { Members::of(self) } else { Members::END }
    }

    /// The member of an object.
    #[must_use]
    #[inline]
    pub fn get(self, name: &str) -> Option<Raw<'a>> {
        self.members().named(name)
    }

    /// The elements of an array; of anything else none.
    #[must_use]
    pub fn elements(self) -> Elements<'a> {
        if self.kind() == Kind::Array { Elements::of(self) } else { Elements::END }
    }

    /// The text of a number, as bytes.
    #[inline]
    pub(super) fn number(self) -> Option<&'a [u8]> {
        (self.kind() == Kind::Number).then_some(self.text)
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

    /// What a string stands for.
    #[inline]
    fn characters(self) -> &'a [u8] {
        if self.extra.is_empty() { unquoted(self.text) } else { self.extra }
    }

    /// As a tree; `None` when it meets what is no value of a document (R2).
    #[must_use]
    pub fn to_value(self) -> Option<Value> {
        self.tree(MAX_DEPTH)
    }

    /// It as JSON, without white space; `None` when that is no text (R2).
    #[must_use]
    pub fn json(self) -> Option<&'a str> {
        if self.kind() == Kind::Instant { None } else { std::str::from_utf8(self.text).ok() }
    }

    /// Appends it as JSON in ASCII, as [`Value`] is written; `None` when it is no text (R2).
    #[must_use]
    pub fn write_json(self, out: &mut String) -> Option<()> {
        let json = self.json()?;
        if escape::is_printable(json) {
            out.push_str(json);
            return Some(());
        }
        escape::write_ascii(json, out).ok()
    }

    /// Whether these are the bytes that its JSON is stored as (R2).
    #[must_use]
    pub fn is_sound(self) -> bool {
        let again = self.json().and_then(|json| Encoded::parse(json).ok());
        again.is_some_and(|again| (again.raw().text, again.raw().extra) == (self.text, self.extra))
    }

    fn tree(self, depth: usize) -> Option<Value> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        Some(match self.part() {
            Part::Null if self.text == b"null" => Value::Null,
            Part::Bool(value) if value || self.text == b"false" => Value::Bool(value),
            Part::Null | Part::Bool(_) | Part::Instant(_) => return None,
            Part::Number(text) => Value::Number(Number::parse(text)?),
            Part::String(bytes) => Value::String(text(bytes)?),
            Part::Array(mut list) => {
                let depth = depth.checked_sub(1)?;
                let mut values = Vec::with_capacity(list.count());
                for value in list.by_ref() {
                    values.push(value.tree(depth)?);
                }
                list.is_done().then_some(Value::Array(values))?
            }
            Part::Object(mut members) => {
                let depth = depth.checked_sub(1)?;
                // Counted first: what grows by and by is moved, and moved again.
                let mut values = Vec::with_capacity(members.count());
                for (name, value) in members.by_ref() {
                    values.push((text(name)?, value.tree(depth)?));
                }
                members.is_done().then_some(Value::Object(values))?
            }
        })
    }
}

/// What is between the quotes.
#[inline]
fn unquoted(text: &[u8]) -> &[u8] {
    text.get(1..text.len().saturating_sub(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::value::tests::random_value;
    use crate::random::Random;

    #[test]
    fn the_bytes_are_these() {
        for (json, text, extra) in [
            ("null", "null", &b""[..]),
            ("false", "false", b""),
            ("true", "true", b""),
            ("-1.50", "-1.50", b""),
            ("\"\u{e4}\"", "\"\u{e4}\"", b""),
            (r#""\u00e4\/""#, "\"\u{e4}/\"", b""),
            ("\"\u{7f}\\u007f\"", "\"\u{7f}\u{7f}\"", b""),
            (r#""a\u000a""#, r#""a\n""#, b"a\n"),
            ("[]", "[]", b""),
            ("[1, [null]]", "[1,[null]]", b"\x02\x0d\x01\x08"),
            (r#"{"b":1, "a":{}}"#, r#"{"b":1,"a":{}}"#, b"\x06\x02\x06\x04"),
            (r#"{"a":[1,20],"b":"x"}"#, r#"{"a":[1,20],"b":"x"}"#, b"\x06\x0d\x02\x02\x04\x06\x06"),
            (r#"{"\t":["\""]}"#, r#"{"\t":["\""]}"#, b"\x09\x01\t\x0d\x03\x09\x01\""),
        ] {
            let value = Value::parse(json).unwrap();
            let bytes = [&(extra.len() as u32).to_le_bytes(), extra, text.as_bytes()].concat();
            assert_eq!(Encoded::of(&value).bytes(), bytes, "{json}");
            assert_eq!(Encoded::parse(json).unwrap().bytes(), bytes, "{json}");
            assert_eq!(Raw::of(&bytes).unwrap().to_value(), Some(value), "{json}");
        }
        let long = Value::String("x".repeat(300));
        let list = Value::Array(vec![long.clone(); 60]);
        assert_eq!(Encoded::of(&list).raw().extra.get(..3), Some(&b"\xdc\x04\xdc"[..]));
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
            assert!(encoded.raw().is_sound());
            // (R3)
            assert_eq!(Encoded::parse(encoded.raw().json().unwrap()).unwrap(), encoded);
            if let Value::Object(members) = &value {
                for (name, member) in members {
                    let found = encoded.raw().get(name).unwrap();
                    assert_eq!(
                        (found.to_value().as_ref(), found.to_encoded()),
                        (Some(member), Encoded::of(member))
                    );
                }
                let one_more = encoded.clone().with("\n", Encoded::of(&value).raw());
                assert_eq!(one_more.raw().get("\n").unwrap().to_encoded(), encoded);
                assert_eq!(one_more.raw().members().count(), members.len() + 1);
                assert_eq!(Encoded::parse(one_more.raw().json().unwrap()).unwrap(), one_more);
            }
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
        assert_eq!(nested(200, false).raw().to_value(), None);
    }

    /// (R2) What reads as a value may be none.
    #[test]
    fn what_is_no_json_is_not_sound() {
        let bytes =
            |extra: &[u8], text: &str| [&[extra.len() as u8, 0, 0, 0], extra, text.as_bytes()].concat();
        for (extra, text, is_sound) in [
            (&b"\x06\x02"[..], r#"{"a":1}"#, true),
            (b"\x06\x02", r#"{"a";1]"#, false),
            (b"\x06\x02", r#"{"a":1}}"#, false),
            (b"\x06\x04", r#"{"a": 1}"#, false),
            (b"\x07\x01b\x02", r#"{"a":1}"#, false),
            (b"", r#""a"b""#, false),
            (b"a", r#""\u0061""#, false),
            (b"\n", r#""\n""#, true),
            (b"", "01", false),
            (b"", "nil", false),
        ] {
            assert_eq!(Raw::of(&bytes(extra, text)).unwrap().is_sound(), is_sound, "{text}");
        }
        assert!(!Encoded::instant(0).raw().is_sound());
    }

    fn nested(levels: usize, by_name: bool) -> Encoded {
        fn write(out: &mut Writer, levels: usize, by_name: bool) {
            match (levels, by_name) {
                (0, _) => {}
                (_, false) => {
                    out.array(|out| {
                        if levels > 1 {
                            out.element(|out| write(out, levels - 1, by_name))
                        }
                    });
                }
                (_, true) => out.object(|out| {
                    if levels > 1 {
                        out.name("");
                        out.element(|out| write(out, levels - 1, by_name));
                    }
                }),
            }
        }
        let mut out = Writer::with_capacity(0);
        write(&mut out, levels, by_name);
        out.finish()
    }

    #[test]
    fn what_is_too_deep_is_found() {
        for levels in 1..=2 * MAX_DEPTH {
            for by_name in [false, true] {
                let value = nested(levels, by_name);
                assert_eq!(value.raw().depth(), levels.min(MAX_DEPTH + 1));
                assert_eq!(value.raw().is_too_deep(), levels > MAX_DEPTH, "{levels}");
            }
        }
    }
}
