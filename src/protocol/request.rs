//! What clients ask for.

use super::Pairs;
use super::resp::Args;
use super::tables::TableRequest;
use crate::store::Value;
use std::borrow::Cow;
use std::fmt;

/// What a client asks for. Keys and values are borrowed from the bytes they came in where those could be taken as
/// they are.
#[derive(Debug, Clone)]
pub enum Request<'a> {
    /// Are you there?
    Ping,
    /// The value of a key.
    Get {
        /// The key.
        key: Cow<'a, [u8]>,
    },
    /// All entries between two keys.
    Range(RangeRequest<'a>),
    /// Set a key.
    Put {
        /// The key.
        key: Cow<'a, [u8]>,
        /// Its new value.
        value: Value<'a>,
        /// It expires after so many seconds; a negative number is over already. `None` is for ever.
        ttl: Option<i64>,
    },
    /// Change when a key expires, counted from now as in a put. The reply is the number of keys that were there: 0 or 1.
    Expire {
        /// The key.
        key: Cow<'a, [u8]>,
        /// As in a put.
        ttl: Option<i64>,
    },
    /// Remove a key. The reply is the number of keys that were there: 0 or 1.
    Delete {
        /// The key.
        key: Cow<'a, [u8]>,
    },
    /// Set several keys, all or none.
    Batch(Pairs),
    /// Say who is asking.
    Authenticate(Credentials<'a>),
    /// Counters and sizes.
    Stats,
    /// Merge all files.
    Compact,
    /// Stop the server, in order.
    Shutdown,
    /// Close this connection.
    Quit,
    /// A command of Redis, its name in front.
    Command(Args<'a>),
    /// Say who is asking, and get a token that says it in later requests, on any connection.
    Login {
        /// Who, and the proof.
        credentials: Credentials<'a>,
        /// The database that the token is for.
        database: Cow<'a, str>,
    },
    /// Make a database, and a user for it.
    CreateDatabase {
        /// Who is asking.
        token: Option<Token<'a>>,
        /// What it is to be called.
        name: Cow<'a, str>,
        /// Its user.
        credentials: Credentials<'a>,
    },
    /// Something of tables of documents.
    Table(Box<TableRequest<'a>>),
    /// Something that nobody knows, and nobody may ask for without a token, which is looked at first.
    Action {
        /// Who is asking.
        token: Option<Token<'a>>,
        /// What is asked for, shortened when it is long.
        action: Cow<'a, str>,
    },
}

/// What a login gave. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token<'a>(pub Cow<'a, str>);

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").finish_non_exhaustive()
    }
}

/// Which entries a range asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRequest<'a> {
    /// The first key, inclusive.
    pub start: Cow<'a, [u8]>,
    /// The last key, inclusive. Below `start` the range is empty.
    pub end: Cow<'a, [u8]>,
    /// At most this many entries.
    pub limit: Option<usize>,
    /// From the last key to the first.
    pub reverse: bool,
}

/// Who somebody says to be, and the proof. Never shown whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// The user; `None` for the one without a name.
    pub user: Option<Cow<'a, str>>,
    /// The password.
    pub password: Cow<'a, [u8]>,
}

impl Credentials<'_> {
    /// A copy to keep.
    #[must_use]
    pub fn into_owned(self) -> Credentials<'static> {
        Credentials {
            user: self.user.map(|user| Cow::Owned(user.into_owned())),
            password: Cow::Owned(self.password.into_owned()),
        }
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}
