//! Schemas: what the rows of a table have to be, and what they are made when they are stored. The keywords, texts and coercions are those
//! of py_db, whose clients were written for marshmallow.
//!
//! ```text
//! schema   {COLUMN: spec, …}   or   {"fields": {COLUMN: spec, …}}
//! spec     "TYPE"              or   {"type": "TYPE", keywords}
//!
//! keyword                    of the types           what it says
//! required                   all                    a new row has to have it; false if not given, as are the next two
//! allow_none                 all                    it may be null
//! unique                     all, not inside        no two rows of the table have the same
//! default                    all                    what a new row gets that does not have it; null is none
//! min_length, max_length     str, array             characters, elements; both included
//! pattern                    str                    a regular expression for its beginning
//! enum                       str, int, float        the values that are allowed
//! min, max                   int, float             both included
//! format                     datetime               see `datetime`; iso if not given
//! fields                     object                 {COLUMN: spec, …} of its members; any if not given
//! items                      array                  spec of its elements; any if not given
//! ```
//!
//! Types are str, int, float, bool, date, datetime, uuid, and beyond those of py_db object, array and any.
//!
//! (S1) A row has its columns in the order of the schema, then `pk`, which every table has: a UUID. Other members it has not. What a
//!      schema says of `pk` is passed over. Who stores a row makes its `pk` when it has none.
//! (S2) All that is wrong with a row is told at once; with a schema, what is found first.
//! (S3) A row that was stored is valid, and stays as it is.
//! (S4) A pattern takes time in proportion to the text. It is one of the crate `regex`, which has most of Python's but no look-around
//!      and no back-references; `$` is only the very end.
//!
//! ```
//! use siltstone::document::{raw::Encoded, schema::Schema, value::Value};
//!
//! let schema = Schema::parse(&Value::parse(
//!     r#"{"name": {"type": "str", "required": true, "min_length": 2, "max_length": 20},
//!         "age": {"type": "int", "min": 18},
//!         "tags": {"type": "array", "items": "str", "default": []}}"#,
//! )?)?;
//! let row = schema.insertion(Encoded::parse(r#"{"age": "41", "name": "Ada"}"#)?.raw())?;
//! assert_eq!(row, Encoded::parse(r#"{"name":"Ada","age":41,"tags":[]}"#)?);
//!
//! let wrong = schema.insertion(Encoded::parse(r#"{"age": 7.5, "tags": [1], "x": 1}"#)?.raw()).unwrap_err();
//! assert_eq!(
//!     wrong.to_value().to_string(),
//!     r#"{"name":["Missing data for required field."],"age":["Must be greater than or equal to 18."],"#.to_owned()
//!         + r#""tags":{"0":["Not a valid string."]},"x":["Unknown field."]}"#
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Reading order: `read`, `rule`, `check`, [`violations`], `write`; [`datetime`], `moment`, `strftime`, `cursor`, `python`.

mod check;
mod cursor;
pub mod datetime;
mod moment;
mod python;
mod read;
mod rule;
mod strftime;
pub mod violations;
mod write;

use super::filter::Refused;
use super::raw::{Encoded, Part, Raw, Writer};
use super::value::Value;
use check::Check;
use datetime::Format;
use rule::{Rule, Spec};
use std::collections::HashMap;
use violations::Violations;

/// `,"pk":` and a UUID.
const ROOM_FOR_PK: usize = 44;

/// The column that every table has.
pub const PK: &str = "pk";

/// What the rows of a table have to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// The last one is `pk` (S1).
    columns: Columns,
}

/// Columns in their order.
#[derive(Debug, Clone, PartialEq)]
struct Columns {
    list: Vec<Column>,
    places: HashMap<Box<[u8]>, usize>,
    /// Which of them a new row does not get by without: they are required or have a default.
    expected: Vec<usize>,
}

/// A member that rows have.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    name: String,
    required: bool,
    unique: bool,
    default: Option<Preset>,
    spec: Spec,
}

/// What a new row gets that has no value of its own.
#[derive(Debug, Clone, PartialEq)]
struct Preset {
    /// As it is stored.
    value: Encoded,
    /// How long it is as text.
    bytes: usize,
}

/// What values a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type<'s> {
    /// Characters.
    Str,
    /// Whole numbers of any size.
    Int,
    /// Binary fractions, as Python writes them.
    Float,
    /// True or false.
    Bool,
    /// `YYYY-MM-DD`.
    Date,
    /// Dates and times in this format.
    DateTime(&'s Format),
    /// In lower case, with hyphens.
    Uuid,
    /// Members by name.
    Object,
    /// Elements in a row.
    Array,
    /// Any.
    Any,
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// The first place where it is none, what is wrong there, and what would be right.
    pub fn parse(schema: &Value) -> Result<Schema, Refused> {
        let mut list = read::schema(schema)?;
        let spec = Spec { allow_none: false, rule: Rule::Uuid };
        list.push(Column { name: PK.into(), required: false, unique: false, default: None, spec });
        Ok(Schema { columns: Columns::new(list) })
    }

    /// The normal form, which [`parse`](Self::parse) reads as an equal schema. `pk` is not in it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.own().iter().map(|column| (column.name.clone(), write::column(column))).collect())
    }

    /// The columns in their order, without `pk`.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.own().iter()
    }

    /// A column of the table itself; also `pk`.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.named(name)
    }

    /// The format of the dates at a path, or in the arrays there, when there are any; names of members, from the outermost on, and
    /// places in arrays.
    pub fn instants<'p>(&self, mut path: impl Iterator<Item = &'p str>) -> Option<&Format> {
        let mut rule = &self.columns.named(path.next()?)?.spec.rule;
        for name in path {
            // No column is called as a place is.
            let is_place = matches!(rule, Rule::Array(..)) && name.bytes().all(|byte| byte.is_ascii_digit());
            rule = match (rule, rule.innermost()) {
                (Rule::Array(_, Some(items)), _) if is_place => &items.rule,
                (_, Rule::Object(Some(columns))) => &columns.named(name)?.spec.rule,
                _ => return None,
            };
        }
        match rule.innermost() {
            Rule::DateTime(format) => Some(format),
            _ => None,
        }
    }

    /// The columns that say they are unique. `pk`, which is too, is not among them.
    pub fn unique_columns(&self) -> impl Iterator<Item = &str> {
        self.own().iter().filter(|column| column.unique).map(|column| &*column.name)
    }

    /// A new row as it is stored: values as their columns have them, defaults filled in, members in order (S1). Takes time in
    /// proportion to the row and the schema.
    ///
    /// # Errors
    /// All that is wrong with it (S2).
    pub fn insertion(&self, row: Raw<'_>) -> Result<Encoded, Violations> {
        self.row(row).map(Writer::finish)
    }

    /// The same, for who may add a member.
    pub(super) fn row(&self, row: Raw<'_>) -> Result<Writer, Violations> {
        self.checked(row, Check::whole())
    }

    /// A row that was changed, as it is stored: like [`insertion`](Self::insertion), but no column is missed, and no default is
    /// filled in.
    ///
    /// # Errors
    /// All that is wrong with it (S2).
    pub fn partial(&self, row: Raw<'_>) -> Result<Encoded, Violations> {
        self.checked(row, Check::partial()).map(Writer::finish)
    }

    fn checked(&self, row: Raw<'_>, mut check: Check) -> Result<Writer, Violations> {
        let Part::Object(members) = row.part() else {
            return Err(Violations(vec![("_schema".into(), "Invalid input type.".into())]));
        };
        let mut out = Writer::with_capacity(row.text_len() + ROOM_FOR_PK);
        check.object(&self.columns, members, &mut out).map_err(Violations)?;
        Ok(out)
    }

    fn own(&self) -> &[Column] {
        self.columns.list.split_last().map_or(&[], |(_, own)| own)
    }
}

impl Column {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What values it has.
    #[must_use]
    pub fn kind(&self) -> Type<'_> {
        self.spec.rule.kind()
    }

    /// Whether a new row has to have it.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Whether it says that no two rows have the same.
    #[must_use]
    pub fn is_unique(&self) -> bool {
        self.unique
    }
}

impl Columns {
    fn new(list: Vec<Column>) -> Columns {
        let places =
            list.iter().enumerate().map(|(place, column)| (column.name.as_bytes().into(), place)).collect();
        let is_expected = |column: &Column| column.required || column.default.is_some();
        let expected = list
            .iter()
            .enumerate()
            .filter(|(_, column)| is_expected(column))
            .map(|(place, _)| place)
            .collect();
        Columns { list, places, expected }
    }

    fn named(&self, name: &str) -> Option<&Column> {
        self.place(name.as_bytes()).and_then(|place| self.list.get(place))
    }

    fn place(&self, name: &[u8]) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// The same, for who thinks that it comes soon: rows mostly have their members in the order of the columns.
    fn place_from(&self, next: usize, name: &[u8]) -> Option<usize> {
        const SOON: usize = 4;
        let soon = self.list.iter().enumerate().skip(next).take(SOON);
        let found =
            soon.map(|(place, column)| (place, column.name.as_bytes())).find(|(_, other)| *other == name);
        found.map(|(place, _)| place).or_else(|| self.place(name))
    }
}

impl Rule {
    /// What the elements of an array have to be, or those of the arrays in it; itself, if it is of no array.
    fn innermost(&self) -> &Rule {
        match self {
            Rule::Array(_, Some(items)) => items.rule.innermost(),
            rule => rule,
        }
    }

    fn kind(&self) -> Type<'_> {
        match self {
            Rule::Str(_) => Type::Str,
            Rule::Int(_) => Type::Int,
            Rule::Float(_) => Type::Float,
            Rule::Bool => Type::Bool,
            Rule::Date => Type::Date,
            Rule::DateTime(format) => Type::DateTime(format),
            Rule::Uuid => Type::Uuid,
            Rule::Object(_) => Type::Object,
            Rule::Array(..) => Type::Array,
            Rule::Any => Type::Any,
        }
    }
}

impl Type<'_> {
    /// What a schema calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Type::Str => "str",
            Type::Int => "int",
            Type::Float => "float",
            Type::Bool => "bool",
            Type::Date => "date",
            Type::DateTime(_) => "datetime",
            Type::Uuid => "uuid",
            Type::Object => "object",
            Type::Array => "array",
            Type::Any => "any",
        }
    }
}

#[cfg(test)]
mod tests;
