//! Who is let in: users of the server, and the databases of the framed protocol with their tokens.
//!
//! (G1) What takes long (password P1) is asked as a [`Question`] and looked at elsewhere; the request is carried out again
//!      with the [`Verdict`] in the session.
//! (G2) A connection on which [`MOST_FAILURES`] logins failed ends. With only so many passwords looked at at a time
//!      (`Server`), that bounds how many anybody can try.
//! (G3) Nothing is said of a database to who has no token, but whether it is there, and that not when `strict`.
//! (G4) A database is made by who has a token of any database; the first one comes from the owner of the server
//!      ([`super::Server::ensure_database`]).

use super::answers::{What, refusal};
use super::execute::{Asking, Later, Step, done};
use super::failure::describe;
use super::metrics::Metrics;
use super::password::PasswordHash;
use super::service::Service;
use super::session::Session;
use super::tokens::Grant;
use super::users::{DEFAULT, Question, User, Verdict};
use crate::Result;
use crate::dataset::accounts::{Account, check_user};
use crate::protocol::{Credentials, DatabaseProblem, Denial, Reply, Token};
use crate::store::check_name;
use std::sync::Arc;

/// How many logins may fail on a connection.
const MOST_FAILURES: u8 = 3;

impl Service {
    /// Looks at what takes long.
    pub(super) fn look_at(&self, question: Question) -> Verdict {
        match question {
            Question::User(credentials) => self.users.verify(&credentials),
            Question::Login { credentials, database } => {
                let reply = self.token_for(&credentials, database);
                Verdict::Answer(reply.unwrap_or_else(|error| refusal(&error, describe(&error))))
            }
            Question::Make { name, credentials } => {
                let made = self.make_database(&name, &credentials);
                Verdict::Answer(made.unwrap_or_else(|error| refusal(&error, describe(&error))))
            }
        }
    }

    fn token_for(&self, credentials: &Credentials<'_>, database: String) -> Result<Reply> {
        let account = self.data.account(&database)?;
        let hash = account.as_ref().map(|account| PasswordHash::parse(&account.hash)).transpose()?;
        let user = credentials.user.as_deref().unwrap_or_default();
        let own = account.as_ref().is_some_and(|account| account.user == user);
        let right = self.users.is_right(hash.as_ref().filter(|_| own), &credentials.password);
        if right {
            let grant = Grant { database, user: user.to_string() };
            return self.tokens.give(grant).map(Reply::Token);
        }
        Ok(if account.is_none() && !self.config.strict_logins {
            Reply::Database(DatabaseProblem::Missing(database))
        } else {
            Reply::Denied(Denial::WrongCredentials)
        })
    }

    /// Makes a database with its user; the reply.
    pub(super) fn make_database(&self, name: &str, credentials: &Credentials<'_>) -> Result<Reply> {
        let user = credentials.user.as_deref().unwrap_or_default();
        check_name(name)?;
        check_user(user)?;
        if self.data.account(name)?.is_some() {
            return Ok(Reply::Database(DatabaseProblem::Exists(name.into())));
        }
        let hash = PasswordHash::new(&credentials.password)?.to_string();
        let account = Account { user: user.into(), hash };
        Ok(if self.data.make_account(name, &account)? {
            Reply::DatabaseMade { name: name.into(), user: user.into() }
        } else {
            Reply::Database(DatabaseProblem::Exists(name.into()))
        })
    }

    /// From now on this is who asks.
    pub(super) fn let_in(&self, session: &mut Session, user: Arc<User>) {
        session.failures = 0;
        session.log_in(user);
        self.audit(session, "login");
    }

    /// Somebody is not who they say to be; whether the connection is to end (G2).
    pub(super) fn turn_away(&self, session: &mut Session, user: Option<&str>) -> bool {
        Metrics::add(&self.metrics.logins_failed, 1);
        session.failures = session.failures.saturating_add(1);
        let (client, user) = (session.client.peer, user.unwrap_or(DEFAULT));
        let user: String = user.chars().take(128).collect();
        self.denied.tell(|missed| {
            tracing::warn!(target: "siltstone::audit", %client, user, missed, "a login failed");
        });
        session.failures >= MOST_FAILURES
    }

    pub(super) fn authenticate(&self, asking: &mut Asking<'_>, credentials: &Credentials<'_>) -> Step {
        let session = &mut *asking.session;
        match session.verdict.take() {
            Some(Verdict::Known(user)) => {
                self.let_in(session, user);
                done(Reply::Done)
            }
            Some(Verdict::Denied(denial)) => {
                let ends = denial == Denial::WrongCredentials
                    && self.turn_away(session, credentials.user.as_deref());
                answer(Reply::Denied(denial), ends)
            }
            Some(Verdict::Answer(reply)) => done(reply),
            None => Step::Later(Later::Verify(Question::User(credentials.clone().into_owned()))),
        }
    }

    pub(super) fn log_in(&self, asking: &mut Asking<'_>, who: &Credentials<'_>, database: &str) -> Step {
        let session = &mut *asking.session;
        let user = who.user.as_deref();
        let Some(Verdict::Answer(reply)) = session.verdict.take() else {
            let credentials = who.clone().into_owned();
            let question = Question::Login { credentials, database: database.into() };
            return Step::Later(Later::Verify(question));
        };
        let ends = match &reply {
            Reply::Token(_) => {
                session.failures = 0;
                let (client, user) = (session.client.peer, user.unwrap_or_default());
                tracing::info!(target: "siltstone::audit", %client, user, database, "login");
                false
            }
            Reply::Denied(_) | Reply::Database(_) => self.turn_away(session, user),
            _ => false,
        };
        answer(reply, ends)
    }

    pub(super) fn create_database(
        &self,
        asking: &mut Asking<'_>,
        token: Option<&Token<'_>>,
        name: &str,
        credentials: &Credentials<'_>,
    ) -> Step {
        let grant = self.grant(token);
        if let Some(Verdict::Answer(reply)) = asking.session.verdict.take() {
            if matches!(reply, Reply::DatabaseMade { .. }) {
                let (client, by) = (asking.session.client.peer, grant.as_deref());
                let user = by.map_or("", |grant| grant.user.as_str());
                let of = by.map_or("", |grant| grant.database.as_str());
                tracing::info!(target: "siltstone::audit", %client, user, of, database = name, "CREATE_DATABASE");
            }
            return done(reply);
        }
        if grant.is_none() {
            return done(Reply::Denied(Denial::WrongCredentials));
        }
        if let Err(error) = check_name(name) {
            return done(refusal(&error, describe(&error)));
        }
        let credentials = credentials.clone().into_owned();
        Step::Later(Later::Verify(Question::Make { name: name.into(), credentials }))
    }

    /// What nobody knows, which only who has a token is told.
    pub(super) fn action(&self, token: Option<&Token<'_>>, action: &str) -> Step {
        done(match self.grant(token) {
            Some(_) => Reply::UnknownAction(action.into()),
            None => Reply::Denied(Denial::WrongCredentials),
        })
    }

    pub(super) fn grant(&self, token: Option<&Token<'_>>) -> Option<Arc<Grant>> {
        self.tokens.find(&token?.0)
    }
}

fn answer(reply: Reply, ends: bool) -> Step {
    if ends { Step::Close(What::Reply(reply)) } else { done(reply) }
}
