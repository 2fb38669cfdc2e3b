//! What clients ask of tables of documents, the same in the two protocols that know them.
//!
//! ```text
//! action         command        members            gives
//! CREATE_TABLE   create_table   table payload      the name of the table; the payload is its schema
//! DROP_TABLE     drop_table     table              {}
//! CREATE         insert         table payload      {"data": row, "table": name}; JSON lines: of an array the rows, all or none
//! SELECT         find           table query …      rows; "next" beside them, when a limit left some out
//! UPDATE         update         table query payload upsert          {"count": n}
//! DELETE         remove         table query        {"count": n}
//! REPLACE        replace        table query payload                 {"count": n}
//! COUNT          count          table query …      {"count": n}
//! DISTINCT       distinct       table path query   values
//! EXPLAIN        explain        table query …      how it was answered
//! CREATE_INDEX   create_index   table payload      the name of the index; the payload is what it is to be
//! DROP_INDEX     drop_index     table payload      {}; the payload is its name
//! INDEXES        indexes        table              what there is
//! TABLES         tables                            names
//!
//! …  is     sort skip limit projection after
//! ```
//!
//! Here the members are found, not understood: their values stay text, and whoever carries the request out says what is wrong with
//! them. The database is that of a token, in JSON lines that of the member `database`.

use super::Token;
use super::json::members;
use std::borrow::Cow;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Make a table.
    CreateTable,
    /// Remove a table.
    DropTable,
    /// Add a row, or several.
    Insert,
    /// Show rows.
    Find,
    /// Change rows.
    Update,
    /// Remove rows.
    Delete,
    /// Put a row in the place of another.
    Replace,
    /// Count rows.
    Count,
    /// Show the different values at a path.
    Distinct,
    /// Tell how rows are found.
    Explain,
    /// Make an index.
    CreateIndex,
    /// Remove an index.
    DropIndex,
    /// Show the indexes of a table.
    Indexes,
    /// Show the tables of a database.
    Tables,
}

/// Their names as actions, and as commands.
const NAMED: [(Verb, &str, &str); 14] = [
    (Verb::Insert, "CREATE", "insert"),
    (Verb::Find, "SELECT", "find"),
    (Verb::Update, "UPDATE", "update"),
    (Verb::Delete, "DELETE", "remove"),
    (Verb::Replace, "REPLACE", "replace"),
    (Verb::Count, "COUNT", "count"),
    (Verb::Distinct, "DISTINCT", "distinct"),
    (Verb::Explain, "EXPLAIN", "explain"),
    (Verb::CreateTable, "CREATE_TABLE", "create_table"),
    (Verb::DropTable, "DROP_TABLE", "drop_table"),
    (Verb::CreateIndex, "CREATE_INDEX", "create_index"),
    (Verb::DropIndex, "DROP_INDEX", "drop_index"),
    (Verb::Indexes, "INDEXES", "indexes"),
    (Verb::Tables, "TABLES", "tables"),
];

impl Verb {
    /// That of an action.
    #[must_use]
    pub fn by_action(action: &str) -> Option<Verb> {
        NAMED.iter().find(|(_, name, _)| *name == action).map(|(verb, ..)| *verb)
    }

    /// That of a command.
    #[must_use]
    pub fn by_command(command: &str) -> Option<Verb> {
        NAMED.iter().find(|(.., name)| *name == command).map(|(verb, ..)| *verb)
    }

    /// Its name as an action.
    #[must_use]
    pub fn action(self) -> &'static str {
        NAMED.iter().find(|(verb, ..)| *verb == self).map_or("", |(_, name, _)| name)
    }
}

/// Who asks, and of which database.
#[derive(Debug, Clone)]
pub enum Of<'a> {
    /// Whoever has this token asks, of its database.
    Token(Option<Token<'a>>),
    /// Whoever is known on the connection, or has this token, asks of the database of this name, which is the text of a value.
    Named {
        /// The text of its name.
        database: Option<&'a str>,
        /// A token for it.
        token: Option<Token<'a>>,
    },
}

/// What is asked of a table. Members that are null are as good as absent.
#[derive(Debug, Clone)]
pub struct TableRequest<'a> {
    /// What is to be done.
    pub verb: Verb,
    /// Who asks.
    pub of: Of<'a>,
    /// The text of each member that is there, by the order of [`MEMBERS`].
    members: [Option<&'a str>; MEMBERS.len()],
}

/// The members that a request of tables may have.
const MEMBERS: [&str; 10] =
    ["table", "query", "payload", "sort", "skip", "limit", "projection", "after", "upsert", "path"];

impl<'a> TableRequest<'a> {
    /// What an object asks for, or why it is none.
    pub(super) fn parse(text: &'a str, verb: Verb, of: Of<'a>) -> Result<TableRequest<'a>, String> {
        Ok(TableRequest { verb, of, members: members(text, &MEMBERS)? })
    }

    /// The text of a member.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&'a str> {
        MEMBERS.iter().zip(self.members).find(|(member, _)| **member == name)?.1
    }
}

/// What a table has to say, as text of JSON in ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The value.
    pub value: String,
    /// What the next page is asked for with.
    pub next: Option<String>,
}

/// Why a table did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableError {
    /// What programs know it by.
    pub code: Cow<'static, str>,
    /// What people are told.
    pub message: String,
    /// What it is about, as text of JSON in ASCII.
    pub ref_data: String,
}
