//! A reply becomes JSON behind its length.
//!
//! The codes and texts of errors are part of the protocol: clients make exceptions of them. They are written as clients and
//! servers of old did, with a space behind every colon and comma.

use crate::protocol::json::{most_escaped, push_string};
use crate::protocol::resp::number::push_i64;
use crate::protocol::tables::{Rows, Verb};
use crate::protocol::{DatabaseProblem, Denial, Reply};

/// Which action was asked for; the reply repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Are you there?
    Ping,
    /// A token.
    Login,
    /// To make a database.
    CreateDatabase,
    /// Something of tables.
    Table(Verb),
    /// Something unknown, which only ever gets an error.
    Other,
}

impl Asked {
    const NAMED: [(&'static str, Asked); 3] =
        [("PING", Asked::Ping), ("LOGIN", Asked::Login), ("CREATE_DATABASE", Asked::CreateDatabase)];

    /// What `action` is.
    pub(super) fn by(action: &str) -> Asked {
        match (Asked::NAMED.iter().find(|(name, _)| *name == action), Verb::by_action(action)) {
            (Some((_, asked)), _) => *asked,
            (None, Some(verb)) => Asked::Table(verb),
            (None, None) => Asked::Other,
        }
    }

    /// The name of the action.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Asked::Table(verb) => verb.action(),
            _ => Asked::NAMED.iter().find(|(_, asked)| *asked == self).map_or("UNKNOWN", |(name, _)| name),
        }
    }
}

/// Appends the message for `reply` to what was asked.
pub fn encode(reply: &Reply, asked: Asked, out: &mut Vec<u8>) {
    match reply {
        Reply::LoginFirst | Reply::Denied(Denial::WrongCredentials | Denial::NoUsers) => {
            push_error(out, "AUTHENTICATION_FAILED", "Authentication Failed.", NULL);
        }
        Reply::Denied(Denial::NotAllowed) => {
            push_error(out, "NOT_ALLOWED", "This user may not do that.", NULL);
        }
        Reply::Denied(Denial::Disabled) => {
            push_error(out, "DISABLED", "This is switched off on this server.", NULL);
        }
        Reply::Database(problem) => {
            let code = match problem {
                DatabaseProblem::Missing(_) => "DATABASE_DOES_NOT_EXIST",
                DatabaseProblem::Exists(_) => "DATABASE_ALREADY_EXIST",
            };
            push_error(out, code, &problem.to_string(), &object(&[("db_name", problem.name())]));
        }
        Reply::UnknownAction(name) => {
            push_error(out, "INVALID_ACTION", &format!("'{name}' invalid action."), NULL);
        }
        Reply::TooLarge(why) => push_error(out, "INVALID_REQUEST", why, NULL),
        Reply::Failed(why) | Reply::Error(why) => {
            push_error(out, "UNKNOWN_EXCEPTION", "Unknown Exception.", &object(&[("reason", why)]));
        }
        Reply::TableError(error) => {
            push_error(out, &error.code, &error.message, error.ref_data.as_bytes());
        }
        _ => push_frame(out, |out| {
            out.extend_from_slice(b"{\"action_type\": \"");
            out.extend_from_slice(asked.name().as_bytes());
            out.extend_from_slice(b"\", \"payload\": ");
            push_payload(out, reply);
            if let Reply::Rows(Rows { next: Some(next), .. }) = reply {
                out.extend_from_slice(b", \"next\": ");
                push_string(out, next);
            }
            out.push(b'}');
        }),
    }
}

fn push_payload(out: &mut Vec<u8>, reply: &Reply) {
    match reply {
        Reply::Pong => push_object(out, &[("message", "PONG")]),
        Reply::Token(token) => push_object(out, &[("token", token)]),
        Reply::DatabaseMade { name, user } => push_object(out, &[("NAME", name), ("USER", user)]),
        Reply::Done => push_object(out, &[]),
        Reply::Rows(rows) => out.extend_from_slice(rows.value.as_bytes()),
        Reply::Number(number) => {
            out.extend_from_slice(b"{\"count\": ");
            push_i64(out, *number);
            out.push(b'}');
        }
        // What cannot be asked for in this protocol.
        _ => out.extend_from_slice(b"null"),
    }
}

/// The most bytes that [`encode`] appends for `reply`.
#[must_use]
pub fn most_bytes(reply: &Reply) -> usize {
    /// The header, the words around a text, and all of a reply without a text of its own.
    const FRAME: usize = 300;
    let most = |text: &str| most_escaped(text.as_bytes());
    FRAME
        + match reply {
            Reply::Token(text) | Reply::UnknownAction(text) | Reply::TooLarge(text) => most(text),
            Reply::Failed(why) | Reply::Error(why) => most(why),
            Reply::DatabaseMade { name, user } => most(name) + most(user),
            Reply::Rows(rows) => rows.value.len() + rows.next.as_deref().map_or(0, most),
            Reply::TableError(error) => most(&error.message) + error.ref_data.len(),
            // In the message, and beside it.
            Reply::Database(problem) => 2 * most(problem.name()),
            _ => 0,
        }
}

/// What errors are about that are about nothing.
pub(super) const NULL: &[u8] = b"null";

fn object(members: &[(&str, &str)]) -> Vec<u8> {
    let mut object = Vec::new();
    push_object(&mut object, members);
    object
}

/// Appends an error, with the text of its `ref_data`.
pub(super) fn push_error(out: &mut Vec<u8>, code: &str, message: &str, about: &[u8]) {
    push_frame(out, |out| {
        out.extend_from_slice(b"{\"action_type\": \"ERROR\", \"payload\": {\"code\": ");
        push_string(out, code);
        out.extend_from_slice(b", \"message\": ");
        push_string(out, message);
        out.extend_from_slice(b", \"ref_data\": ");
        out.extend_from_slice(about);
        out.extend_from_slice(b"}}");
    });
}

fn push_object(out: &mut Vec<u8>, members: &[(&str, &str)]) {
    out.push(b'{');
    for (at, (name, value)) in members.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(b", ");
        }
        push_string(out, name);
        out.extend_from_slice(b": ");
        push_string(out, value);
    }
    out.push(b'}');
}

/// Appends what `push` appends, with the header in front that says how long it is.
pub(super) fn push_frame(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    push(out);
    let body_len = out.len() - start;
    out.extend_from_slice(b"QUERY_LENGTH: ");
    push_i64(out, i64::try_from(body_len).unwrap_or(i64::MAX));
    out.extend_from_slice(b"\r\n\r\n");
    // The length is known last and stands first.
    if let Some(message) = out.get_mut(start..) {
        message.rotate_left(body_len);
    }
}
