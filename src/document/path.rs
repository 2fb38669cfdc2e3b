//! Names with dots: where in a document a value lies.
//!
//! ```text
//! document                                path     what lies there
//! {"a": {"b": 1}}                         a.b      1
//! {"a": [{"b": 1}, {"b": 2}, {"c": 3}]}   a.b      1, 2           of each element that has it
//! {"a": [{"b": 1}, {"b": 2}]}             a.1.b    2              of the element in that place
//! {"a": [1, [2, 3]]}                      a        [1, [2, 3]]    the array itself, once
//! ```

use super::value::Value;

/// The most names in a path: no document is deeper.
pub const MAX_NAMES: usize = super::value::MAX_DEPTH;

/// A path into a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Box<[Box<str>]>);

impl Path {
    /// Names with dots between them; `None` when one is empty or begins with `$`, or there are more than [`MAX_NAMES`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Path> {
        let names: Vec<Box<str>> = text.split('.').take(MAX_NAMES + 1).map(Into::into).collect();
        let sound =
            names.len() <= MAX_NAMES && names.iter().all(|name| !name.is_empty() && !name.starts_with('$'));
        sound.then(|| Path(names.into()))
    }

    /// Calls `see` with each value that lies there, until it says that it has seen enough; whether it did.
    pub fn any<'v>(&self, document: &'v Value, see: &mut dyn FnMut(&'v Value) -> bool) -> bool {
        any(&self.0, document, see)
    }
}

fn any<'v>(names: &[Box<str>], value: &'v Value, see: &mut dyn FnMut(&'v Value) -> bool) -> bool {
    let Some((name, rest)) = names.split_first() else { return see(value) };
    match value {
        Value::Object(_) => value.get(name).is_some_and(|inner| any(rest, inner, see)),
        Value::Array(list) => {
            let in_place = name.parse().ok().and_then(|at: usize| list.get(at));
            if in_place.is_some_and(|inner| any(rest, inner, see)) {
                return true;
            }
            // An array within an array has no members; elements of elements are not looked for.
            list.iter()
                .filter(|element| matches!(element, Value::Object(_)))
                .any(|element| any(names, element, see))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_where() {
        for (document, path, expected) in [
            (r#"{"a":{"b":1}}"#, "a.b", "1"),
            (r#"{"a":{"b":1}}"#, "a", r#"{"b":1}"#),
            (r#"{"a":{"b":1}}"#, "a.c", ""),
            (r#"{"a":{"b":1}}"#, "a.b.c", ""),
            (r#"{"a":[{"b":1},{"b":2},{"c":3},4,[{"b":5}]]}"#, "a.b", "1 2"),
            (r#"{"a":[{"b":1},{"b":2}]}"#, "a.1.b", "2"),
            (r#"{"a":[1,[2,3]]}"#, "a", "[1,[2,3]]"),
            (r#"{"a":[1,[2,3]]}"#, "a.1.0", "2"),
            (r#"{"a":[{"0":7},8]}"#, "a.0", r#"{"0":7} 7"#),
        ] {
            let document = Value::parse(document).unwrap();
            let mut found = Vec::new();
            Path::parse(path).unwrap().any(&document, &mut |value| {
                found.push(value.to_string());
                false
            });
            assert_eq!(found.join(" "), expected, "{path} of {document}");
        }
    }

    #[test]
    fn what_is_no_path() {
        for text in ["", ".", "a.", ".a", "a..b", "$a", "a.$b"] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
        assert!(Path::parse(&vec!["a"; MAX_NAMES].join(".")).is_some());
        assert!(Path::parse(&vec!["a"; MAX_NAMES + 1].join(".")).is_none());
    }
}
