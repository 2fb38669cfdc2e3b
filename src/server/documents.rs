//! What clients ask of tables of documents, carried out.
//!
//! (D1) It reads, and may wait for disks and for others, so it is done where blocking is allowed.
//! (D2) Who asks through the framed protocol has a token, and sees the database of that token. In JSON lines it is a user of this server,
//!      or has a token for the database; a database with an account is never open to who has neither.
//! (D3) Rows that have more bytes than a range may have are not gathered: the client is told to ask for a page.

use super::answers::refusal;
use super::execute::{Asking, Step, done};
use super::failure::describe;
use super::outcome::Outcome;
use super::place::Place;
use super::service::Service;
use crate::document::error::{Error, Result};
use crate::document::filter::Refused;
use crate::document::raw::{Encoded, Raw};
use crate::document::table::{Pending, Upsert};
use crate::document::value::{Kind, Value};
use crate::document::{Documents, Query, Table};
use crate::protocol::tables::{Of, Rows, TableError, TableRequest, Verb};
use crate::protocol::{Denial, Reply};
use crate::store::Commit;

/// One request: its members, and the database.
struct Call<'a> {
    request: &'a TableRequest<'a>,
    documents: &'a Documents,
    database: String,
    most_bytes: usize,
}

/// What comes of a request: what is said, and what to wait for before.
struct Said {
    rows: Rows,
    commit: Option<Commit>,
}

impl Service {
    /// Carries out a request of tables.
    pub(super) fn tables(&self, asking: &Asking<'_>, request: &TableRequest<'_>) -> Step {
        if asking.place == Place::Runtime {
            return Step::Elsewhere;
        }
        let database = match self.database(asking, request) {
            Ok(Some(database)) => database,
            Ok(None) => return done(Reply::Denied(Denial::WrongCredentials)),
            Err(reply) => return done(reply),
        };
        let documents = match self.opened.get() {
            Ok(documents) => documents,
            Err(error) => return done(refusal(&error, describe(&error))),
        };
        let most_bytes = self.config.max_range_bytes;
        match (Call { request, documents: &documents, database, most_bytes }).run() {
            Ok(Said { rows, commit: None }) => done(Reply::Rows(rows)),
            Ok(Said { rows, commit: Some(commit) }) => {
                self.step(Ok(Outcome::Commit(commit, Reply::Rows(rows))))
            }
            Err(error) => done(failed(&error)),
        }
    }

    /// The database that is asked for, if it is for who asks (D2).
    fn database(&self, asking: &Asking<'_>, request: &TableRequest<'_>) -> Result<Option<String>, Reply> {
        match &request.of {
            Of::Token(token) => Ok(self.grant(token.as_ref()).map(|grant| grant.database.clone())),
            Of::Named { database, token } => {
                let name = database.and_then(|text| Value::parse(text).ok());
                let Some(Value::String(name)) = name else {
                    return Err(Reply::Error("Missing database".into()));
                };
                let granted = self.grant(token.as_ref()).is_some_and(|grant| grant.database == name);
                let required = self.users.are_required();
                if granted || (required && asking.session.user.is_some()) {
                    return Ok(Some(name));
                }
                let account = self.data.account(&name).map_err(|error| refusal(&error, describe(&error)))?;
                if required || account.is_some() { Err(Reply::LoginFirst) } else { Ok(Some(name)) }
            }
        }
    }
}

/// The reply that says why not.
fn failed(error: &Error) -> Reply {
    match error {
        Error::Engine(error) => refusal(error, describe(error)),
        error => Reply::TableError(Box::new(TableError {
            code: error.code().into(),
            message: error.to_string(),
            ref_data: error.ref_data().to_string(),
        })),
    }
}

fn invalid(at: &str, why: &str) -> Error {
    Error::Query(Refused { at: at.into(), why: why.into() })
}

impl Said {
    fn now(value: &Value) -> Said {
        Said { rows: Rows { value: value.to_string(), next: None }, commit: None }
    }

    fn after<T>(pending: Pending<T>, say: impl FnOnce(T) -> Value) -> Said {
        let (value, commit) = pending.into_parts();
        Said { commit: Some(commit), ..Said::now(&say(value)) }
    }
}

fn count(count: u64) -> Value {
    Value::object([("count", Value::from(count))])
}

impl Call<'_> {
    fn run(&self) -> Result<Said> {
        match self.request.verb {
            Verb::CreateTable => self.create_table(),
            Verb::DropTable => {
                self.documents.drop_table(&self.database, &self.table_name()?)?;
                Ok(Said::now(&Value::object([])))
            }
            Verb::Insert => self.insert(),
            Verb::Find => self.find(),
            Verb::Update => self.update(),
            Verb::Delete => Ok(Said::after(self.table()?.delete_now(self.query(true)?)?, count)),
            Verb::Replace => {
                let replaced = self.table()?.replace(self.query(false)?, self.stored("payload")?)?;
                Ok(Said::now(&count(replaced.into())))
            }
            Verb::Count => Ok(Said::now(&count(self.table()?.count(self.query(true)?)?))),
            Verb::Distinct => {
                let path = self.text("path")?.ok_or_else(|| invalid("path", "a path is expected"))?;
                let values = self.table()?.distinct(&path, self.query(true)?)?;
                Ok(Said::now(&Value::Array(values)))
            }
            Verb::Explain => Ok(Said::now(&self.table()?.explain(self.query(true)?)?.to_value())),
            Verb::CreateIndex => self.create_index(),
            Verb::DropIndex => {
                let Value::String(name) = self.payload()? else {
                    return Err(invalid("payload", "the name of the index is expected"));
                };
                self.table()?.drop_index(&name)?;
                Ok(Said::now(&Value::object([])))
            }
            Verb::Indexes => self.indexes(),
            Verb::Tables => {
                let names = self.documents.tables(&self.database).into_iter().map(Value::from);
                Ok(Said::now(&Value::Array(names.collect())))
            }
        }
    }

    fn create_table(&self) -> Result<Said> {
        let table = self.table_name()?;
        let schema = match self.payload()? {
            Value::Null => return Err(Error::NoSchema { table }),
            schema => schema,
        };
        self.documents.create_table(&self.database, &table, Some(&schema))?;
        Ok(Said::now(&Value::from(format!("{}/{table}", self.database))))
    }

    fn insert(&self) -> Result<Said> {
        let table = self.table()?;
        let payload = self.stored("payload")?;
        let mut value = String::from("{\"data\":");
        let commit = match (payload.raw().kind(), &self.request.of) {
            (Kind::Array, Of::Named { .. }) => {
                let rows = payload.raw().elements().map(Raw::to_encoded);
                let (rows, commit) = table.insert_many_now(rows)?.into_parts();
                value.push('[');
                for (at, row) in rows.iter().enumerate() {
                    value.push_str(if at > 0 { "," } else { "" });
                    row.write_json(&mut value)?;
                }
                value.push(']');
                commit
            }
            _ => {
                let (row, commit) = table.insert_now(payload)?.into_parts();
                row.write_json(&mut value)?;
                commit
            }
        };
        value.push_str(&format!(",\"table\":{}}}", Value::from(table.name())));
        Ok(Said { rows: Rows { value, next: None }, commit: Some(commit) })
    }

    fn update(&self) -> Result<Said> {
        let upsert = match self.member("upsert")? {
            Value::Bool(true) => Upsert::Yes,
            _ => Upsert::No,
        };
        let updated = self.table()?.update_now(self.query(false)?, &self.payload()?, upsert)?;
        Ok(Said::after(updated, |updated| match updated.inserted {
            true => Value::object([("count", Value::from(0_u64)), ("inserted", Value::from(true))]),
            false => count(updated.matched),
        }))
    }

    fn find(&self) -> Result<Said> {
        let query = self.query(true)?;
        let is_page = query.limit.is_some();
        let mut value = String::from("[");
        let mut rows = self.table()?.find(query)?;
        while rows.next_json(&mut value)? {
            value.push(',');
            if value.len() > self.most_bytes {
                let why = format!(
                    "the rows have more than {} bytes: give it a limit, and go on behind it",
                    self.most_bytes
                );
                return Err(Error::TooLarge(why));
            }
        }
        if value.ends_with(',') {
            value.pop();
        }
        value.push(']');
        let next = if is_page { rows.next_page()? } else { None };
        Ok(Said { rows: Rows { value, next }, commit: None })
    }

    fn create_index(&self) -> Result<Said> {
        let definition = self.payload()?;
        let name = self.table()?.create_index(definition, |_| {})?;
        Ok(Said::now(&Value::from(name)))
    }

    fn indexes(&self) -> Result<Said> {
        let indexes = self.table()?.indexes()?.into_iter().map(|(definition, ready)| {
            let Value::Object(mut members) = definition.to_value() else { return Value::Null };
            members.push(("ready".to_owned(), Value::from(ready)));
            Value::Object(members)
        });
        Ok(Said::now(&Value::Array(indexes.collect())))
    }

    fn table(&self) -> Result<Table> {
        self.documents.table(&self.database, &self.table_name()?)
    }

    fn table_name(&self) -> Result<String> {
        self.text("table")?
            .filter(|name| !name.is_empty())
            .ok_or(Error::TableNotProvided { action: self.request.verb.action() })
    }

    /// What is asked of the rows; in the payload, where old clients have it, if there may be one.
    fn query(&self, in_payload: bool) -> Result<Query> {
        let filter = match self.member("query")? {
            Value::Null if in_payload => match self.payload()? {
                filter @ Value::Object(_) => filter,
                _ => Value::Null,
            },
            filter => filter,
        };
        Ok(Query {
            filter,
            sort: self.member("sort")?,
            skip: self.number("skip")?.unwrap_or(0),
            limit: self.number("limit")?,
            projection: self.member("projection")?,
            after: self.text("after")?,
        })
    }

    fn payload(&self) -> Result<Value> {
        self.member("payload")
    }

    /// A member; null when it is not there.
    fn member(&self, name: &str) -> Result<Value> {
        let parse = |text| Value::parse(text).map_err(|malformed| invalid(name, &malformed.to_string()));
        self.request.member(name).map_or(Ok(Value::Null), parse)
    }

    /// The same as bytes, without a tree.
    fn stored(&self, name: &str) -> Result<Encoded> {
        let parse = |text| Encoded::parse(text).map_err(|malformed| invalid(name, &malformed.to_string()));
        self.request.member(name).map_or_else(|| Ok(Raw::NULL.to_encoded()), parse)
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        match self.member(name)? {
            Value::String(text) => Ok(Some(text)),
            value if value.kind() == Kind::Null => Ok(None),
            _ if name == "table" => Ok(None),
            _ => Err(invalid(name, "a text is expected")),
        }
    }

    fn number(&self, name: &str) -> Result<Option<u64>> {
        let number = match self.member(name)? {
            Value::Null => return Ok(None),
            Value::Number(number) => number.value().integer().and_then(|number| u64::try_from(number).ok()),
            _ => None,
        };
        number.map(Some).ok_or_else(|| invalid(name, "a whole number from 0 on is expected"))
    }
}
