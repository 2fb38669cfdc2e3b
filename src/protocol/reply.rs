//! What became of a request.

use super::tables::{Rows, TableError};
use crate::Slice;
use std::borrow::Cow;
use std::fmt;

/// What became of a request: first what every protocol can be asked for, then shapes for the commands of Redis.
#[derive(Debug, Clone)]
pub enum Reply {
    /// I am here.
    Pong,
    /// The write was done, and is as durable as the database was told to make it.
    Done,
    /// The stored form of the value, or that there is none.
    Value(Option<Slice>),
    /// The entries of a range in the order asked for, values in their stored form.
    Entries(Vec<(Slice, Slice)>),
    /// How many: keys that were removed, say.
    Number(i64),
    /// A key, a value or the whole was over a limit of the store, and which. Nothing was done.
    TooLarge(String),
    /// The request could not be carried out, and why. The text names no file of the server.
    Failed(Cow<'static, str>),
    /// The client has to say first who it is.
    LoginFirst,
    /// The client is not who it says to be, or may not do this.
    Denied(Denial),
    /// Names with values, in order: counters, say.
    Table(Vec<(&'static str, String)>),

    /// A word of the server.
    Status(Cow<'static, str>),
    /// An error of a command: its code, such as `ERR` or `WRONGTYPE`, and its text.
    Error(Cow<'static, str>),
    /// Nothing, where there could be bytes.
    Null,
    /// Nothing, where there could be a list.
    NullList,
    /// Bytes as they are.
    Bytes(Slice),
    /// A list.
    List(Vec<Reply>),
    /// Names with values.
    Map(Vec<(Reply, Reply)>),
    /// A list of pairs, in which a name may come more than once.
    Pairs(Vec<(Reply, Reply)>),
    /// A list without an order.
    Set(Vec<Reply>),
    /// A floating point number.
    Double(f64),
    /// Lines of text for people.
    Verbatim(String),

    /// A token, for who logged in.
    Token(String),
    /// A database was made.
    DatabaseMade {
        /// What it is called.
        name: String,
        /// Its user.
        user: String,
    },
    /// A database is not there, or is.
    Database(DatabaseProblem),
    /// What a table has to say.
    Rows(Rows),
    /// Why a table did not do it.
    TableError(Box<TableError>),
    /// Nobody knows what was asked for: this.
    UnknownAction(String),
}

/// What is wrong about a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseProblem {
    /// There is none of this name.
    Missing(String),
    /// There is one of this name.
    Exists(String),
}

impl DatabaseProblem {
    /// The name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            DatabaseProblem::Missing(name) | DatabaseProblem::Exists(name) => name,
        }
    }
}

impl fmt::Display for DatabaseProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseProblem::Missing(name) => write!(f, "({name}) Database does not exist"),
            DatabaseProblem::Exists(name) => write!(f, "({name}) Database Already Exist."),
        }
    }
}

/// Why somebody was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The user is unknown, or the password is not theirs, or the token is none.
    WrongCredentials,
    /// The user may not do this.
    NotAllowed,
    /// There are no users, so there is nothing to authenticate.
    NoUsers,
    /// It is switched off.
    Disabled,
}

impl Reply {
    /// Bytes that are copied.
    #[must_use]
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Reply {
        Reply::Bytes(Slice::copy_of(bytes.as_ref()))
    }

    /// An error of a command.
    #[must_use]
    pub fn error(text: impl Into<Cow<'static, str>>) -> Reply {
        Reply::Error(text.into())
    }

    /// True for what says that something went wrong.
    #[must_use]
    pub fn is_error(&self) -> bool {
        use Reply::{Database, Denied, Error, Failed, LoginFirst, TableError, TooLarge, UnknownAction};
        let is_refusal =
            matches!(self, LoginFirst | Denied(_) | Database(_) | UnknownAction(_) | TableError(_));
        is_refusal || matches!(self, TooLarge(_) | Failed(_) | Error(_))
    }

    /// About how many bytes the reply holds in memory, and will have at least on the wire.
    #[must_use]
    pub fn weight(&self) -> usize {
        const EACH: usize = size_of::<Reply>();
        match self {
            Reply::Value(Some(value)) | Reply::Bytes(value) => value.len(),
            Reply::Entries(entries) => entries.iter().map(entry_weight).sum(),
            Reply::List(items) | Reply::Set(items) => items.iter().map(|item| EACH + item.weight()).sum(),
            Reply::Map(pairs) | Reply::Pairs(pairs) => {
                pairs.iter().map(|(k, v)| 2 * EACH + k.weight() + v.weight()).sum()
            }
            Reply::Verbatim(text) | Reply::TooLarge(text) => text.len(),
            Reply::Table(rows) => rows.iter().map(|(name, value)| name.len() + value.len() + 40).sum(),
            Reply::Token(text) | Reply::UnknownAction(text) => text.len(),
            Reply::DatabaseMade { name, user } => name.len() + user.len(),
            Reply::Rows(rows) => rows.value.len() + rows.next.as_ref().map_or(0, String::len),
            Reply::TableError(error) => error.message.len() + error.ref_data.len(),
            // The name is said twice.
            Reply::Database(problem) => 2 * problem.name().len(),
            _ => 0,
        }
    }
}

/// What an entry adds to the weight of a reply: its bytes, and those that are needed to hold and separate it.
#[must_use]
pub fn entry_weight((key, value): &(Slice, Slice)) -> usize {
    key.len() + value.len() + size_of::<(Slice, Slice)>()
}
