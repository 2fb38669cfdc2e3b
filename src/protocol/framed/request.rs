//! A body becomes a request.
//!
//! ```text
//! {"action":"PING"}                                                       also with a token
//! {"action":"LOGIN","payload":{"user":U,"password":P,"database":D}}
//! {"action":"CREATE_DATABASE","payload":{"NAME":N,"USER":U,"PASSWORD":P},"auth":{"token":T}}
//! {"action":A,"auth":{"token":T},…}                                       actions of tables (`protocol::tables`), and what nobody knows
//! ```
//!
//! Members that an action does not know are ignored; null is as good as absent. A token that is not a string, and an `auth`
//! that is not an object, are as good as none: whoever carries the request out says that somebody has to log in.

use super::refusal::Refusal;
use super::reply::Asked;
use crate::protocol::json::{checked, into_bytes, members, string, syntax};
use crate::protocol::tables::{Of, TableRequest};
use crate::protocol::{Credentials, Request, Token};
use std::borrow::Cow;

/// How much of an unknown action is repeated to the client.
const MAX_ECHO_CHARS: usize = 256;

/// The request in a body, which has no white space around it.
pub(super) fn parse(body: &[u8]) -> Result<(Request<'_>, Asked), Refusal> {
    let text = checked(body).map_err(Refusal::InvalidJson)?;
    if !text.starts_with('{') {
        return Err(syntax(text).map_or_else(Refusal::InvalidJson, |()| Refusal::NotAnObject));
    }
    let [action, payload, auth] =
        members(text, &["action", "payload", "auth"]).map_err(Refusal::InvalidJson)?;
    let action = text_of(action).ok_or(Refusal::NoAction)?;
    let asked = Asked::by(&action);
    let request = match asked {
        Asked::Ping => Request::Ping,
        Asked::Login => {
            let [user, password, database] =
                texts(payload, &["user", "password", "database"]).ok_or(Refusal::BadLogin)?;
            Request::Login { credentials: credentials(user, password), database }
        }
        Asked::CreateDatabase => {
            let [name, user, password] =
                texts(payload, &["NAME", "USER", "PASSWORD"]).ok_or(Refusal::BadDatabase)?;
            Request::CreateDatabase { token: token(auth), name, credentials: credentials(user, password) }
        }
        Asked::Table(verb) => {
            let request = TableRequest::parse(text, verb, Of::Token(token(auth)));
            Request::Table(Box::new(request.map_err(Refusal::InvalidJson)?))
        }
        Asked::Other => Request::Action { token: token(auth), action: shortened(action) },
    };
    Ok((request, asked))
}

fn credentials<'a>(user: Cow<'a, str>, password: Cow<'a, str>) -> Credentials<'a> {
    Credentials { user: Some(user), password: into_bytes(password) }
}

fn token(auth: Option<&str>) -> Option<Token<'_>> {
    let [token] = texts(auth, &["token"])?;
    Some(Token(token))
}

/// The members of an object that have these names, if it is an object and all of them are strings.
fn texts<'a, const N: usize>(object: Option<&'a str>, names: &[&str; N]) -> Option<[Cow<'a, str>; N]> {
    let found = members(object?, names).ok()?;
    let texts: Vec<Cow<'a, str>> = found.into_iter().map_while(text_of).collect();
    texts.try_into().ok()
}

/// The characters of a member that is a string.
fn text_of(member: Option<&str>) -> Option<Cow<'_, str>> {
    string(member?).ok()?
}

fn shortened(action: Cow<'_, str>) -> Cow<'_, str> {
    if action.chars().nth(MAX_ECHO_CHARS).is_none() {
        return action;
    }
    Cow::Owned(action.chars().take(MAX_ECHO_CHARS).collect())
}
