//! How documents are changed.
//!
//! ```text
//! update     {NAME: value, …}                                    merge: each takes the place of the member of this name, or is added
//!            {OPERATOR: {PATH: operand, …}, …}                   each is done with what lies at its path
//!
//! $set       value                                               it lies there from now on
//! $unset     anything                                            the member is removed; an element becomes null
//! $inc       number                                              is added; where nothing is, it is put
//! $mul       number                                              is multiplied with; where nothing is, 0 is put
//! $min $max  value                                               it lies there from now on, if it is less, or more, or nothing was there
//! $push      value or {"$each": [v, …], "$position": n, "$slice": n}     put into the array, at its end or before place n; then
//!                                                                the first n elements stay, or, if n is negative, the last
//! $addToSet  value or {"$each": [v, …]}                          put at the end of the array unless an equal one is there
//! $pull      value, or {operators} or filter as in `$elemMatch`  elements equal to it, or asked for, are removed
//! $rename    path                                                what lies there lies at this path from now on
//! ```
//!
//! A path is names with dots. A name leads to the member of an object, or, if it is a number, to the element in that place of an array.
//!
//! (U1) All of an update is done to a document, or nothing.
//! (U2) No change lies at the path of another or within it, so it does not matter which comes first. New members come in the order in
//!      which the update has them, after those that are there; a member that gets another value keeps its place.
//! (U3) Objects on the way that are not there are made. What is there is never made an object: a path that goes on behind a string is
//!      refused, one that goes on behind an array has to name a place. `$push` and its like make arrays where nothing is, `$unset`, `$pull`
//!      and `$rename` make nothing.
//! (U4) An array grows by one at its end: a place farther off is refused.
//! (U5) Numbers are exact ([`number`](super::number)), and where the value stays the same, so do the digits. Order and equality are those
//!      of [`order`](super::order); columns of dates are compared as moments, as filters compare them ([`Collation`]).
//! (U6) A document does not get deeper than [`MAX_DEPTH`]. It may get longer than [`MAX_BYTES`](super::value::MAX_BYTES): who writes it
//!      finds that out.
//! (U7) It costs as many steps as the update and the members and elements on its way are long, not one multiplied with the other; only
//!      `$pull` compares each element with what it is given.
//!
//! # What differs from MongoDB
//!
//! - An object without operators is merged and takes the place of nothing but its members; in a merge a name with dots is just a name.
//! - Changes are made in the order that they are written in, not in that of their names, which shows in the order of new members.
//! - An array is not filled up with nulls (U4), and `$unset` is refused where a path needs a place and has none (U3).
//! - There are no places `$`, `$[]` and `$[name]`, and no `$sort` in `$push`.
//! - `$inc` and `$mul` know one kind of number, without an end to what fits: 1.5 + 1.5 is `3`.

mod array;
mod judge;
mod operator;
mod stored;
mod walk;

use super::collation::Collation;
use super::filter::Refused;
use super::path::Path;
use super::tree::Tree;
use super::value::{MAX_DEPTH, Value};
use operator::Operator;
use walk::Walk;

/// What is to be changed in documents.
///
/// ```
/// use siltstone::document::update::Update;
/// use siltstone::document::value::Value;
///
/// let update = Value::parse(r#"{"$inc": {"stock.count": 2}, "$push": {"seen": "today"}}"#)?;
/// let mut document = Value::parse(r#"{"name": "Ada", "stock": {"count": 0.5}}"#)?;
/// assert!(Update::parse(&update)?.apply(&mut document)?);
/// assert_eq!(document.to_string(), r#"{"name":"Ada","stock":{"count":2.5},"seen":["today"]}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Update {
    changes: Tree<Change>,
    renames: usize,
}

/// What is done in one place.
#[derive(Debug, Clone)]
struct Change {
    /// Where it stands in the update.
    at: Box<str>,
    operator: Operator,
}

const DEEPER: &str = "the document would be deeper than 100";

impl Update {
    /// Reads an update of documents of no schema. Costs as much as it is long.
    ///
    /// # Errors
    /// The place in the update, and what is wrong there: no object; an operator or modifier that there is not, or an operand it cannot
    /// have; members and operators beside each other; a wrong path; two changes at one path, or one within another (U2); what would make
    /// any document too deep (U6).
    pub fn parse(update: &Value) -> Result<Update, Refused> {
        Update::parse_with(update, &|_| Collation::Plain)
    }

    /// Reads an update of documents whose values at a path are compared as `collation` says, those in an array there as well.
    ///
    /// # Errors
    /// As [`Update::parse`].
    pub fn parse_with(update: &Value, collation: &dyn Fn(&Path) -> Collation) -> Result<Update, Refused> {
        let Value::Object(members) = update else { return refuse("", "an object of changes is expected") };
        let mut parsed = Update { changes: Tree::new(), renames: 0 };
        let is_operator = |name: &str| name.starts_with('$');
        let operators = members.first().is_some_and(|(name, _)| is_operator(name));
        if let Some((name, _)) = members.iter().find(|(name, _)| is_operator(name) != operators) {
            return refuse(
                name,
                "members and operators do not go together; to put members beside operators, use `$set`",
            );
        }
        for (name, value) in members {
            match operators {
                true => parsed.add_operator(name, value, collation)?,
                false => parsed.add(&[name], name, Operator::Set(value.clone()))?,
            }
        }
        Ok(parsed)
    }

    /// Changes a document, and says whether it is another one now: `25` and `25.0` are two. Costs a copy of the document.
    ///
    /// # Errors
    /// The place in the update that cannot be done to this document, and why: a value of a kind that the operator or the path has no
    /// use for (U3), a place beyond the end of an array (U4), a number too long (U5), too deep a document (U6). The document is as
    /// it was.
    pub fn apply(&self, document: &mut Value) -> Result<bool, Refused> {
        let draft = self.applied(document.clone())?;
        let differs = draft != *document;
        *document = draft;
        Ok(differs)
    }

    /// A document as it is afterwards; without a copy of it, for who needs no more what it was.
    ///
    /// # Errors
    /// As [`Update::apply`].
    pub fn applied(&self, mut document: Value) -> Result<Value, Refused> {
        if !matches!(document, Value::Object(_)) {
            return refuse("", "what is to be changed is no object");
        }
        let mut walk = Walk::new(self.renames);
        if self.renames > 0 {
            walk.take(&self.changes, &mut document)?;
        }
        walk.change(&self.changes, &mut document)?;
        Ok(document)
    }

    /// Whether the member of this name could get another value, be removed or added.
    #[must_use]
    pub fn touches(&self, name: &str) -> bool {
        self.changes.get(name).is_some()
    }

    /// The names of all members that it touches, each once.
    pub fn top_level(&self) -> impl Iterator<Item = &str> {
        self.changes.children().map(|(name, _)| name)
    }

    fn add_operator(
        &mut self,
        name: &str,
        operands: &Value,
        collation: &dyn Fn(&Path) -> Collation,
    ) -> Result<(), Refused> {
        let Value::Object(operands) = operands else {
            return refuse(name, "an object is expected, of paths with what is done there");
        };
        if name != "$rename" && Operator::parse(name, &Value::Null, "", &|_| Collation::Plain).is_none() {
            return refuse(name, format!("there is no such operator; there are {}", operator::NAMES));
        }
        for (path, operand) in operands {
            let at = format!("{name}.{path}");
            let place = parse_path(path, &at)?;
            let names = names(path);
            let compared = |inner: Option<&Path>| match inner {
                None => collation(&place),
                Some(inner) => place.join(inner).map_or(Collation::Plain, |path| collation(&path)),
            };
            match Operator::parse(name, operand, &at, &compared) {
                Some(operator) => self.add(&names, &at, operator?)?,
                None => self.add_rename(&names, operand, &at)?,
            }
        }
        Ok(())
    }

    fn add_rename(&mut self, from: &[&str], to: &Value, at: &str) -> Result<(), Refused> {
        let Value::String(to) = to else { return refuse(at, "the new path is expected, as a string") };
        let slot = self.renames;
        self.renames += 1;
        self.add(from, at, Operator::Take(slot))?;
        parse_path(to, at)?;
        self.add(&names(to), at, Operator::Put(slot))
    }

    fn add(&mut self, names: &[&str], at: &str, operator: Operator) -> Result<(), Refused> {
        if names.len() + operator.depth() > MAX_DEPTH {
            return refuse(at, DEEPER);
        }
        let change = Change { at: at.into(), operator };
        let clash = "another change is made at this path, at one that it lies within, or at one within it";
        self.changes.insert(names, change).or_else(|_| refuse(at, clash))
    }
}

fn parse_path(path: &str, at: &str) -> Result<Path, Refused> {
    let why = "this is no path: names are not empty, do not begin with `$`, and are at most 100";
    Path::parse(path).map_or_else(|| refuse(at, why), Ok)
}

fn names(path: &str) -> Vec<&str> {
    path.split('.').collect()
}

fn refuse<T>(at: impl Into<String>, why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { at: at.into(), why: why.into() })
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => number.value().integer(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
