//! Elements and members, one after the other: `raw` draws how they lie.
//!
//! A walk has two places, in the text and in the extra, and goes on in both by what the extra says.

use super::{Raw, unquoted};

/// A number, and what follows it.
#[inline]
fn take_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let (mut number, mut rest, mut shift) = (usize::from(first & 0x7f), rest, 7);
    loop {
        let (next, behind) = rest.split_first()?;
        number |= usize::from(next & 0x7f) << shift;
        rest = behind;
        shift += 7;
        if *next < 0x80 {
            return Some((number, rest));
        }
        if shift > 28 {
            return None;
        }
    }
}

/// So many bytes as the number in front says, and what follows them.
#[inline]
fn take_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = take_number(bytes)?;
    rest.split_at_checked(len)
}

/// What is left of an array or an object.
#[derive(Debug, Clone, Copy)]
struct Rest<'a> {
    /// From the next text on; the last one is followed by the bracket.
    text: &'a [u8],
    extra: &'a [u8],
}

impl<'a> Rest<'a> {
    fn of(value: Raw<'a>) -> Rest<'a> {
        Rest { text: value.text.get(1..).unwrap_or_default(), extra: value.extra }
    }

    /// The next text, with what the extra has of it.
    #[inline]
    fn next(&mut self) -> Option<Raw<'a>> {
        let (number, extra) = take_number(self.extra)?;
        let (text, rest) = self.text.split_at_checked(number >> 1)?;
        let (of_text, extra) = if number & 1 == 1 { take_bytes(extra)? } else { (&[][..], extra) };
        // Behind a comma, a colon or the bracket.
        *self = Rest { text: rest.get(1..)?, extra };
        Some(Raw { text, extra: of_text })
    }

    /// Whether it has come to its end, and not to what is no value.
    fn is_done(self) -> bool {
        self.extra.is_empty() && matches!(self.text, [] | [b']' | b'}'])
    }
}

/// The elements of an array.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'a>(Rest<'a>);

impl<'a> Elements<'a> {
    /// None.
    pub(super) const END: Elements<'static> = Elements(Rest { text: &[], extra: &[] });

    pub(super) fn of(array: Raw<'a>) -> Elements<'a> {
        Elements(Rest::of(array))
    }

    pub(super) fn is_done(self) -> bool {
        self.0.is_done()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Raw<'a>;

    #[inline]
    fn next(&mut self) -> Option<Raw<'a>> {
        self.0.next()
    }
}

/// The members of an object: their names and values.
#[derive(Debug, Clone, Copy)]
pub struct Members<'a>(Rest<'a>);

impl<'a> Members<'a> {
    pub(super) fn of(object: Raw<'a>) -> Members<'a> {
        Members(Rest::of(object))
    }

    /// Those that are written so, with a comma or the bracket behind the last of them.
    pub(super) fn written(text: &'a [u8], extra: &'a [u8]) -> Members<'a> {
        Members(Rest { text, extra })
    }

    pub(super) fn is_done(self) -> bool {
        self.0.is_done()
    }

    /// No more than so many are left.
    pub(in crate::document) fn most(self) -> usize {
        // A name and a value take a byte each.
        self.0.extra.len() / 2
    }

    /// The first of a name. Of the others only those are looked at whose names are as long.
    #[inline]
    pub(super) fn named(self, name: &str) -> Option<Raw<'a>> {
        let (Rest { mut text, mut extra }, name) = (self.0, name.as_bytes());
        loop {
            let (number, rest) = take_number(extra)?;
            let (is, rest) = if number & 1 == 0 {
                let is = number >> 1 == name.len() + 2 && text.get(1..=name.len())? == name;
                (is, rest)
            } else {
                let (characters, rest) = take_bytes(rest)?;
                (characters == name, rest)
            };
            text = text.get((number >> 1) + 1..)?;
            if is {
                return Rest { text, extra: rest }.next();
            }
            let (number, rest) = take_number(rest)?;
            extra = if number & 1 == 1 { take_bytes(rest)?.1 } else { rest };
            text = text.get((number >> 1) + 1..)?;
        }
    }

    /// None, or behind the last one.
    pub(in crate::document) const END: Members<'static> = Members(Rest { text: &[], extra: &[] });

    /// The bytes of those from here to a later place: text, with a comma or the bracket at its end, and extra.
    pub(super) fn until(self, later: Members<'a>) -> (&'a [u8], &'a [u8]) {
        let before =
            |all: &'a [u8], rest: &[u8]| all.get(..all.len() - rest.len().min(all.len())).unwrap_or_default();
        (before(self.0.text, later.0.text), before(self.0.extra, later.0.extra))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], Raw<'a>);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], Raw<'a>)> {
        let mut rest = self.0;
        let (name, value) = (rest.next()?, rest.next()?);
        self.0 = rest;
        let characters = if name.extra.is_empty() { unquoted(name.text) } else { name.extra };
        Some((characters, value))
    }
}
