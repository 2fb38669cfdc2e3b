//! An update of a document as it is stored: of its members a tree is made only of those that the update touches; the others stay
//! the bytes that they are.
//!
//! (B1) What comes is what [`Update::applied`] makes of the whole document: it looks at no other members, and members that are new come
//!      last.
//! (B2) A schema looks at what was touched only: the rest is valid, for it was stored. When a member is new, it looks at the whole,
//!      which puts it in its place.
//! (B3) What is touched and cannot be read is an error, and not taken for what is not there.

use super::{Update, refuse};
use crate::document::error::{Error, Result};
use crate::document::raw::{Encoded, Members, Raw, Writer};
use crate::document::schema::Schema;
use crate::document::value::{Kind, Value};
use std::collections::HashMap;

impl Update {
    /// A document as it is afterwards, with the schema of its table, if that has one.
    ///
    /// # Errors
    /// [`Error::Update`], as [`Update::apply`]; [`Error::Invalid`]; [`Error::Damaged`].
    pub fn applied_to(&self, document: Raw<'_>, schema: Option<&Schema>) -> Result<Encoded> {
        let checked = |row: Encoded| match schema {
            Some(schema) => schema.partial(row.raw()).map_err(|errors| Error::Invalid(errors.to_value())),
            None => Ok(row),
        };
        let touched = self.touched(document);
        let changed = checked(self.changed(document, &touched)?)?;
        let mut left: HashMap<&[u8], Raw<'_>> = changed.raw().members().collect();
        let mut merged = Writer::with_capacity(document.text_len() + changed.raw().text_len());
        merged.object(|out| {
            // What is not copied yet, in one piece from one touched member to the next.
            let mut rest = document.members();
            for member in &touched {
                out.members(rest, member.from);
                rest = member.to;
                if let Some(changed) = left.remove_entry(member.name) {
                    push(changed, out);
                }
            }
            out.members(rest, Members::END);
            let is_new = |(name, _): &(&[u8], Raw<'_>)| left.contains_key(name);
            changed.raw().members().filter(is_new).for_each(|member| push(member, out));
        });
        let merged = merged.finish();
        if left.is_empty() { Ok(merged) } else { checked(merged) }
    }

    /// The members that it touches, as they are.
    fn touched<'d>(&self, document: Raw<'d>) -> Vec<Touched<'d>> {
        // Most names are not even as long as one that is touched.
        let bit = |len: usize| 1_u64 << (len % 64);
        let lens = self.top_level().fold(0, |lens, name| lens | bit(name.len()));
        let (mut members, mut from, mut touched) = (document.members(), document.members(), Vec::new());
        while let Some((name, value)) = members.next() {
            let is_touched = |name: &[u8]| std::str::from_utf8(name).is_ok_and(|name| self.touches(name));
            if lens & bit(name.len()) != 0 && is_touched(name) {
                touched.push(Touched { from, to: members, name, value });
            }
            from = members;
        }
        touched
    }

    /// The members that it touches, as they are afterwards.
    fn changed(&self, document: Raw<'_>, touched: &[Touched<'_>]) -> Result<Encoded> {
        if document.kind() != Kind::Object {
            return refuse("", "what is to be changed is no object").map_err(Error::Update);
        }
        let tree = |member: &Touched<'_>| {
            Some((String::from_utf8_lossy(member.name).into_owned(), member.value.to_value()?))
        };
        // (B3)
        let tree = touched.iter().map(tree).collect::<Option<Vec<_>>>();
        let tree = tree.ok_or_else(|| Error::Damaged("a member that is to be changed".into()))?;
        let changed = self.applied(Value::Object(tree)).map_err(Error::Update)?;
        Ok(Encoded::of(&changed))
    }
}

/// A member that is touched, which lies from here to there.
struct Touched<'d> {
    from: Members<'d>,
    to: Members<'d>,
    name: &'d [u8],
    value: Raw<'d>,
}

fn push((name, value): (&[u8], Raw<'_>), out: &mut Writer) {
    // It comes from a tree, whose names are text.
    out.name(std::str::from_utf8(name).unwrap_or_default());
    out.element(|out| out.raw(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::value::tests::random_value;
    use crate::random::Random;

    /// (B1)
    #[test]
    fn bytes_become_what_the_tree_becomes() {
        let updates = [
            r#"{"a":1,"x":[]}"#,
            r#"{"$unset":{"a":1},"$set":{"b.c":2}}"#,
            r#"{"$rename":{"a":"ab"},"$inc":{"n":1}}"#,
            r#"{"$rename":{"x":"a.b"}}"#,
            r#"{"$push":{"a":{"k":1}},"$min":{"b":0}}"#,
            r#"{"$set":{"a.0":1}}"#,
        ];
        let updates = updates.map(|text| Update::parse(&Value::parse(text).unwrap()).unwrap());
        let mut random = Random::new(1);
        let mut sound = 0;
        for _ in 0..20_000 {
            let document = random_value(&mut random, 4);
            let update = &updates[random.below(updates.len())];
            let tree = update.applied(document.clone());
            let bytes = update.applied_to(Encoded::of(&document).raw(), None);
            sound += usize::from(tree.is_ok());
            match (bytes, tree) {
                (Ok(bytes), Ok(tree)) => assert_eq!(bytes, Encoded::of(&tree), "{document}"),
                (Err(Error::Update(one)), Err(other)) => assert_eq!(one, other, "{document}"),
                (bytes, tree) => panic!("{document}: {bytes:?} and {tree:?}"),
            }
        }
        assert!(sound > 1000, "{sound}");
    }

    /// (B3)
    #[test]
    fn a_member_that_cannot_be_read_is_told() {
        let update = Update::parse(&Value::parse(r#"{"$set":{"a.b":1}}"#).unwrap()).unwrap();
        // No number, under `a` and under `c`.
        for (name, is_sound) in [("a", false), ("c", true)] {
            let document = format!("\x02\0\0\0\x06\x08{{\"{name}\":1..2}}");
            let changed = update.applied_to(Raw::of(document.as_bytes()).unwrap(), None);
            assert_eq!(changed.is_ok(), is_sound, "{changed:?}");
            assert!(is_sound || matches!(changed, Err(Error::Damaged(_))), "{changed:?}");
        }
    }

    /// (B2)
    #[test]
    fn a_schema_has_the_last_word() {
        let parse = |text| Value::parse(text).unwrap();
        let schema = parse(
            r#"{"a":"int","b":{"type":"int","max":9},"c":{"type":"object","fields":{"x":"int"}},"d":"array"}"#,
        );
        let schema = Schema::parse(&schema).unwrap();
        for (document, update, expected) in [
            (r#"{"a":1,"c":{},"d":[]}"#, r#"{"a":"2"}"#, r#"{"a":2,"c":{},"d":[]}"#),
            (r#"{"a":1,"c":{},"d":[]}"#, r#"{"b":"2"}"#, r#"{"a":1,"b":2,"c":{},"d":[]}"#),
            (
                r#"{"a":1,"c":{},"d":[]}"#,
                r#"{"$unset":{"a":1},"$set":{"c.x":"7"}}"#,
                r#"{"c":{"x":7},"d":[]}"#,
            ),
            (r#"{"a":1,"d":[]}"#, r#"{"$rename":{"a":"b"}}"#, r#"{"b":1,"d":[]}"#),
            (r#"{"a":1,"b":9}"#, r#"{"$inc":{"b":1}}"#, r#"{"b":["Must be less than or equal to 9."]}"#),
            (
                r#"{"a":1}"#,
                r#"{"z":1,"a":null}"#,
                r#"{"a":["Field may not be null."],"z":["Unknown field."]}"#,
            ),
        ] {
            let document = Encoded::of(&parse(document));
            let found = Update::parse(&parse(update)).unwrap().applied_to(document.raw(), Some(&schema));
            let found = match found {
                Ok(found) => found.raw().to_value().unwrap(),
                Err(Error::Invalid(faults)) => faults,
                Err(error) => panic!("{error}"),
            };
            assert_eq!(found.to_string(), expected, "{update}");
        }
    }
}
