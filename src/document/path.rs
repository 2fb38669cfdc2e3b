//! Names with dots: where in a document a value lies.
//!
//! ```text
//! document                                path     what lies there
//! {"a": {"b": 1}}                         a.b      1
//! {"a": [{"b": 1}, {"b": 2}, {"c": 3}]}   a.b      1, 2           of each element that has it
//! {"a": [{"b": 1}, {"b": 2}]}             a.1.b    2              of the element in that place
//! {"a": [1, [2, 3]]}                      a        [1, [2, 3]]    the array itself, once
//! ```

use super::raw::{Part, Raw};
use std::fmt::{self, Display};

/// The most names in a path: no document is deeper.
pub const MAX_NAMES: usize = super::value::MAX_DEPTH;

/// A path into a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Box<[Name]>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Name {
    text: Box<str>,
    /// When the name is also the place of an element.
    place: Option<usize>,
}

impl Path {
    /// Names with dots between them; `None` when one is empty or begins with `$`, or there are more than [`MAX_NAMES`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Path> {
        let name = |text: &str| Name { text: text.into(), place: text.parse().ok() };
        let names: Box<[Name]> = text.split('.').take(MAX_NAMES + 1).map(name).collect();
        let is_name = |name: &Name| !name.text.is_empty() && !name.text.starts_with('$');
        (names.len() <= MAX_NAMES && names.iter().all(is_name)).then_some(Path(names))
    }

    /// The name, when there is only one.
    #[must_use]
    pub fn single(&self) -> Option<&str> {
        match &*self.0 {
            [name] => Some(&name.text),
            _ => None,
        }
    }

    /// The names, from the outermost on.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &*name.text)
    }

    /// The path to what lies there within what lies here; `None` when that is deeper than any document.
    #[must_use]
    pub fn join(&self, inner: &Path) -> Option<Path> {
        (self.0.len() + inner.0.len() <= MAX_NAMES).then(|| Path([&*self.0, &*inner.0].concat().into()))
    }

    /// The path without its first name, if it has more.
    #[must_use]
    pub fn tail(&self) -> Option<Path> {
        self.0.get(1..).filter(|names| !names.is_empty()).map(|names| Path(names.into()))
    }

    /// Calls `see` with each value that lies there, until it says that it has seen enough; whether it did.
    pub fn any<'v>(&self, document: Raw<'v>, see: &mut dyn FnMut(Raw<'v>) -> bool) -> bool {
        any(&self.0, document, see)
    }
}

/// As it is read.
impl Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.names().enumerate().try_for_each(|(at, name)| {
            f.write_str(if at > 0 { "." } else { "" })?;
            f.write_str(name)
        })
    }
}

fn any<'v>(names: &[Name], value: Raw<'v>, see: &mut dyn FnMut(Raw<'v>) -> bool) -> bool {
    let Some((name, rest)) = names.split_first() else { return see(value) };
    match value.part() {
        Part::Object(_) => value.get(&name.text).is_some_and(|inner| any(rest, inner, see)),
        Part::Array(list) => {
            let mut elements = list;
            let in_place = name.place.and_then(|at| elements.nth(at));
            if in_place.is_some_and(|inner| any(rest, inner, see)) {
                return true;
            }
            // An array within an array has no members; elements of elements are not looked for.
            list.filter(|element| matches!(element.part(), Part::Object(_)))
                .any(|element| any(names, element, see))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::raw::Encoded;
    use crate::document::value::Value;

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
            let document = Encoded::of(&Value::parse(document).unwrap());
            let mut found = Vec::new();
            Path::parse(path).unwrap().any(document.raw(), &mut |value| {
                found.push(value.to_value().unwrap().to_string());
                false
            });
            assert_eq!(found.join(" "), expected, "{path} of {document:?}");
            assert_eq!(Path::parse(path).unwrap().to_string(), path);
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
