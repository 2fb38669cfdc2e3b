//! Which parts of documents are shown.
//!
//! ```text
//! projection  [PATH, …]                        these and nothing else; at least one
//!             {PATH: 1 or true, …}             these and nothing else
//!             {PATH: 0 or false, …}            all but these
//!             {}                               all
//! ```
//!
//! (J1) Members keep the order that the document has them in.
//! (J2) A path goes through objects, and into the objects of an array, each of them; numbers are names like others there, not places.
//!      Where what lies on the way is neither, it is left out with what it has when paths are shown, and stays when they are hidden; so are
//!      the elements of an array that are no objects. What is empty then stays: of `{"a": {"c": 1}}`, `{"a.b": 1}` shows `{"a": {}}`.
//! (J3) No path is there twice, and none lies within another.
//!
//! What differs from MongoDB: no member is shown that was not asked for, whatever it is called; an array within an array is not gone
//! into, as in [`path`](super::path); there are no expressions.

use super::filter::Refused;
use super::path::Path;
use super::tree::{Node, Tree};
use super::value::Value;

/// What is shown of documents.
///
/// ```
/// use siltstone::document::projection::Projection;
/// use siltstone::document::value::Value;
///
/// let document = Value::parse(r#"{"name": "Ada", "at": {"x": 1, "y": 2}, "log": [{"n": 1, "ok": true}]}"#)?;
/// let show = Projection::parse(&Value::parse(r#"["log.n", "name"]"#)?)?;
/// assert_eq!(show.apply(document.clone()).to_string(), r#"{"name":"Ada","log":[{"n":1}]}"#);
/// let hide = Projection::parse(&Value::parse(r#"{"at.x": 0, "log": 0}"#)?)?;
/// assert_eq!(hide.apply(document).to_string(), r#"{"name":"Ada","at":{"y":2}}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Projection {
    form: Form,
    paths: Vec<Path>,
    tree: Tree<()>,
}

/// What happens to the paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Show,
    Hide,
}

impl Projection {
    /// Reads a projection.
    ///
    /// # Errors
    /// The place in it, and what is wrong there: neither an array nor an object; a wrong path; paths to show beside paths to hide; a path
    /// twice or within another (J3).
    pub fn parse(projection: &Value) -> Result<Projection, Refused> {
        let entries: Vec<(String, &str, Form)> = match projection {
            Value::Array(list) if list.is_empty() => return refuse("", "name at least one path to show"),
            Value::Array(list) => list.iter().enumerate().map(listed).collect::<Result<_, _>>()?,
            Value::Object(members) => members.iter().map(marked).collect::<Result<_, _>>()?,
            _ => return refuse("", "an array of paths or an object of paths is expected"),
        };
        let form = entries.first().map_or(Form::Hide, |(.., form)| *form);
        let mut parsed = Projection { form, paths: Vec::new(), tree: Tree::new() };
        for (at, path, other) in entries {
            if other != form {
                return refuse(at, "paths to show and paths to hide do not go together");
            }
            parsed.add(path, at)?;
        }
        Ok(parsed)
    }

    /// What it shows of a document.
    #[must_use]
    pub fn apply(&self, document: Value) -> Value {
        match document {
            Value::Object(_) => self.within(&self.tree, document).unwrap_or(Value::Null),
            other => other,
        }
    }

    /// The paths, when they are all that is shown.
    #[must_use]
    pub fn paths(&self) -> Option<&[Path]> {
        (self.form == Form::Show).then_some(&self.paths)
    }

    fn add(&mut self, path: &str, at: String) -> Result<(), Refused> {
        let Some(parsed) = Path::parse(path) else {
            let why = "this is no path: names are not empty, do not begin with `$`, and are at most 100";
            return refuse(at, why);
        };
        let names: Vec<&str> = path.split('.').collect();
        let clash = "this path is there already, lies within one that is, or has one within it";
        self.tree.insert(&names, ()).or_else(|_| refuse(at, clash))?;
        self.paths.push(parsed);
        Ok(())
    }

    /// What is shown of a value that paths go on within.
    fn within(&self, tree: &Tree<()>, value: Value) -> Option<Value> {
        match value {
            Value::Object(members) => {
                let shown = |(name, value): (String, Value)| {
                    let value = match tree.get(&name) {
                        Some((_, (_, Node::Leaf(())))) => Some(value).filter(|_| self.form == Form::Show),
                        Some((_, (_, Node::Inner(tree)))) => self.below(tree, value),
                        None => Some(value).filter(|_| self.form == Form::Hide),
                    };
                    value.map(|value| (name, value))
                };
                Some(Value::Object(members.into_iter().filter_map(shown).collect()))
            }
            other => Some(other).filter(|_| self.form == Form::Hide),
        }
    }

    fn below(&self, tree: &Tree<()>, value: Value) -> Option<Value> {
        match value {
            Value::Array(list) => Some(Value::Array(
                list.into_iter().filter_map(|element| self.within(tree, element)).collect(),
            )),
            other => self.within(tree, other),
        }
    }
}

fn listed((place, path): (usize, &Value)) -> Result<(String, &str, Form), Refused> {
    match path {
        Value::String(path) => Ok((place.to_string(), path, Form::Show)),
        _ => refuse(place.to_string(), "a path is expected, as a string"),
    }
}

fn marked((path, mark): &(String, Value)) -> Result<(String, &str, Form), Refused> {
    let form = match mark {
        Value::Bool(true) => Form::Show,
        Value::Bool(false) => Form::Hide,
        Value::Number(number) => match number.value().integer() {
            Some(0) => Form::Hide,
            Some(1) => Form::Show,
            _ => return refuse(path, "1 shows it and 0 hides it"),
        },
        _ => return refuse(path, "1 shows it and 0 hides it"),
    };
    Ok((path.clone(), path, form))
}

fn refuse<T>(at: impl Into<String>, why: &str) -> Result<T, Refused> {
    Err(Refused { at: at.into(), why: why.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Value {
        Value::parse(text).unwrap()
    }

    #[test]
    fn what_is_shown() {
        let row = r#"{"pk":"1","a":{"b":1,"c":{"d":2,"e":3}},"l":[{"n":1,"m":2},7,{"m":3},[{"n":4}],{"0":5}],"s":"x","o":{}}"#;
        for (projection, expected) in [
            (r#"["s","pk"]"#, r#"{"pk":"1","s":"x"}"#),
            (r#"["a.c.e","a.b"]"#, r#"{"a":{"b":1,"c":{"e":3}}}"#),
            (r#"["l.n"]"#, r#"{"l":[{"n":1},{},{}]}"#),
            (r#"["l.0"]"#, r#"{"l":[{},{},{"0":5}]}"#),
            (r#"["s.x","o.x","none","a.c.d.x"]"#, r#"{"a":{"c":{}},"o":{}}"#),
            (r#"{"s":1,"o":true}"#, r#"{"s":"x","o":{}}"#),
            (r#"{"s":1.0}"#, r#"{"s":"x"}"#),
            (r#"{"l":0,"a.c":false,"s.x":0}"#, r#"{"pk":"1","a":{"b":1},"s":"x","o":{}}"#),
            (r#"{"a":0,"l.m":0,"pk":0}"#, r#"{"l":[{"n":1},7,{},[{"n":4}],{"0":5}],"s":"x","o":{}}"#),
            ("{}", row),
        ] {
            let shown = Projection::parse(&parse(projection)).unwrap().apply(parse(row));
            assert_eq!(shown.to_string(), expected, "{projection}");
        }
    }

    #[test]
    fn what_is_no_projection_is_refused_with_its_place() {
        for (projection, at, why) in [
            ("1", "", "an array of paths"),
            ("[]", "", "at least one"),
            (r#"["a",1]"#, "1", "a path is expected"),
            (r#"["a..b"]"#, "0", "no path"),
            (r#"["a","a"]"#, "1", "there already"),
            (r#"["a.b","a"]"#, "1", "within"),
            (r#"{"a":1,"a.b":1}"#, "a.b", "within"),
            (r#"{"a":1,"b":0}"#, "b", "do not go together"),
            (r#"{"a":2}"#, "a", "1 shows"),
            (r#"{"a":"x"}"#, "a", "1 shows"),
            (r#"{"$a":1}"#, "$a", "no path"),
        ] {
            let refused = Projection::parse(&parse(projection)).unwrap_err();
            assert!(refused.at == at && refused.why.contains(why), "{projection}: {refused:?}");
        }
    }

    #[test]
    fn a_planner_is_told_what_is_shown() {
        let paths = |text: &str| Projection::parse(&parse(text)).unwrap().paths().map(<[Path]>::to_vec);
        let expected: Vec<Path> = ["b.c", "a"].iter().filter_map(|path| Path::parse(path)).collect();
        assert_eq!(paths(r#"["b.c","a"]"#), Some(expected));
        assert_eq!(paths(r#"{"a":0}"#), None);
        assert_eq!(paths("{}"), None);
    }
}
