//! What can go wrong with documents, in the words that clients of the framed protocol know.

use super::filter::Refused;
use super::value::Value;
use std::fmt::{self, Display};

/// What calls on documents return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was not done. Nothing of it was.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// The engine below could not.
    Engine(crate::Error),
    /// There is no such table.
    NoTable {
        /// Its name.
        table: String,
    },
    /// There is such a table.
    TableExists {
        /// Its name.
        table: String,
    },
    /// A table was to be made without saying what its documents are like.
    NoSchema {
        /// Its name.
        table: String,
    },
    /// It was not said which table.
    TableNotProvided {
        /// What was to be done with it.
        action: &'static str,
    },
    /// A document is not as the schema wants it: `{column: [text, …], …}`.
    Invalid(Value),
    /// Another document has the value of a unique index.
    NotUnique {
        /// The columns, with commas between them.
        field: String,
        /// The value, or an array of those of the columns.
        value: Value,
    },
    /// A change of `pk`.
    PkUpdate {
        /// The table.
        table: String,
        /// Its database.
        database: String,
    },
    /// A query that is none.
    Query(Refused),
    /// A change that is none, or that does not fit a document.
    Update(Refused),
    /// A schema that is none.
    Schema(Refused),
    /// An index that cannot be.
    Index(Refused),
    /// Something is more than there may be, and what to do instead.
    TooLarge(String),
    /// Somebody else kept the table longer than anybody should wait.
    Busy {
        /// The table.
        table: String,
    },
    /// The documents were opened once more, and from then on are written through that opening only.
    Superseded,
    /// What is stored is nothing that this version writes.
    Damaged(String),
}

impl Error {
    /// The code of the framed protocol.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::NoTable { .. } => "TABLE_DOES_NOT_EXIST",
            Error::TableExists { .. } => "TABLE_ALREADY_EXIST",
            Error::NoSchema { .. } => "TABLE_SCHEMA_NOT_EXIST",
            Error::TableNotProvided { .. } => "TABLE_NOT_PROVIDED",
            Error::Invalid(_) | Error::NotUnique { .. } => "INVALID_DATA",
            Error::PkUpdate { .. } => "UPDATE_NOT_ALLOWED_ON_PK",
            Error::Query(_) => "INVALID_QUERY",
            Error::Update(_) => "INVALID_UPDATE",
            Error::Schema(_) => "INVALID_SCHEMA",
            Error::Index(_) => "INVALID_INDEX",
            Error::TooLarge(_) => "TOO_LARGE",
            Error::Busy { .. } => "BUSY",
            Error::Engine(_) | Error::Superseded | Error::Damaged(_) => "UNKNOWN_EXCEPTION",
        }
    }

    /// What the framed protocol tells beside the message.
    #[must_use]
    pub fn ref_data(&self) -> Value {
        let text = |text: &str| Value::from(text);
        match self {
            Error::NoTable { table }
            | Error::TableExists { table }
            | Error::NoSchema { table }
            | Error::Busy { table } => Value::object([("table", text(table))]),
            Error::Invalid(fields) => fields.clone(),
            Error::NotUnique { field, value } => {
                Value::object([("field", text(field)), ("value", value.clone())])
            }
            Error::PkUpdate { table, database } => {
                Value::object([("table", text(table)), ("database", text(database))])
            }
            Error::Query(refused)
            | Error::Update(refused)
            | Error::Schema(refused)
            | Error::Index(refused) => {
                Value::object([("at", text(&refused.at)), ("reason", text(&refused.why))])
            }
            _ => Value::Null,
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Engine(error) => error.fmt(f),
            Error::NoTable { table } => write!(f, "({table}) Table does not exist"),
            Error::TableExists { table } => write!(f, "({table}) Table Already Exist."),
            Error::NoSchema { table } => write!(f, "({table}) Schema does not exist."),
            Error::TableNotProvided { action } => write!(f, "Table is not provided for {action}"),
            Error::Invalid(_) => f.write_str("Invalid data."),
            Error::NotUnique { field, value } => match value {
                Value::String(text) => write!(f, "{field}:{text} is already exist."),
                value => write!(f, "{field}:{value} is already exist."),
            },
            Error::PkUpdate { .. } => f.write_str("Cannot update pk column."),
            Error::Query(refused) => write!(f, "Invalid query: {refused}"),
            Error::Update(refused) => write!(f, "Invalid update: {refused}"),
            Error::Schema(refused) => write!(f, "Invalid schema: {refused}"),
            Error::Index(refused) => write!(f, "Invalid index: {refused}"),
            Error::TooLarge(why) => f.write_str(why),
            Error::Busy { table } => write!(f, "({table}) Table is busy: try again later"),
            Error::Superseded => f.write_str(
                "the documents of this engine were opened a second time: use that one, or clone the one there is",
            ),
            Error::Damaged(what) => write!(f, "{what} is nothing that this version writes: verify the database"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Engine(error) => Some(error),
            _ => None,
        }
    }
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Error {
        match error {
            crate::Error::ConditionFailed { .. } => Error::Superseded,
            error => Error::Engine(error),
        }
    }
}
