//! The members of an object, found by name, as text.
//!
//! One pass finds those that are asked for and leaves their values as they are. Of two members with one name the later
//! counts; others are passed over; null is as good as absent.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The texts of the members of an object that have these names, in the order of the names, or why `text` is no object.
pub(in crate::protocol) fn members<'a, const N: usize>(
    text: &'a str,
    names: &[&str; N],
) -> Result<[Option<&'a str>; N], String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = deserializer.deserialize_map(Members(names));
    let members = members.and_then(|members| deserializer.end().map(|()| members));
    members.map_err(|error| error.to_string())
}

/// Takes an object, and keeps what has these names.
struct Members<'n, const N: usize>(&'n [&'n str; N]);

impl<'de, const N: usize> Visitor<'de> for Members<'_, N> {
    type Value = [Option<&'de str>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = [None; N];
        while let Some(at) = map.next_key_seed(Name(self.0))? {
            match at.and_then(|at| members.get_mut(at)) {
                // Assigned each time it comes: the last member of a name wins, also when it is null.
                Some(slot) => {
                    let text = map.next_value::<&RawValue>()?.get();
                    *slot = Some(text).filter(|text| *text != "null");
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(members)
    }
}

/// Takes the name of a member, which is not kept, and says which of these it is.
struct Name<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_by_name() {
        let found = |text| members(text, &["a", "b"]);
        assert_eq!(found("{}"), Ok([None, None]));
        assert_eq!(found(r#" {"b" : [1, {"a":2}] ,"c":0} "#), Ok([None, Some(r#"[1, {"a":2}]"#)]));
        assert_eq!(found(r#"{"a":1,"\u0061":1.50,"b":2,"b":null}"#), Ok([Some("1.50"), None]));
        for wrong in ["", "[]", "1", "{", r#"{"a":}"#, r#"{"a":1} x"#, r#"{"x":nul}"#] {
            assert!(found(wrong).is_err(), "{wrong}");
        }
        let text = r#"{"a":{"$serde_json::private::Number":"x"}}"#;
        assert_eq!(found(text), Ok([Some(r#"{"$serde_json::private::Number":"x"}"#), None]));
    }
}
