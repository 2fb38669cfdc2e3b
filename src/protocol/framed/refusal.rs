//! What can be wrong with a message, and the words that say so.

use super::reply::{NULL, push_error, push_frame};
use std::borrow::Cow;

/// A message that is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The header does not say how long the body is, or is from a web browser. The connection ends.
    MissingLength,
    /// The length of the body is no number, or over the limit. The connection ends.
    InvalidLength,
    /// The header does not end. The connection ends.
    HeaderTooLong,
    /// The body is not JSON, or JSON that cannot be kept; and why.
    InvalidJson(String),
    /// The body is JSON, but not an object.
    NotAnObject,
    /// There is no action, or one that is not a string.
    NoAction,
    /// A login without a user, a password or a database, or with one that is not a string.
    BadLogin,
    /// A database to be made without a name, a user or a password, or with one that is not a string.
    BadDatabase,
}

impl Refusal {
    /// Appends the reply.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            // As it has always been sent, without what other errors have.
            Refusal::MissingLength | Refusal::InvalidLength | Refusal::HeaderTooLong => {
                push_frame(out, |out| {
                    out.extend_from_slice(br#"{"action_type": "ERROR", "payload": {"message": ""#);
                    out.extend_from_slice(self.message().as_bytes());
                    out.extend_from_slice(br#"", "code": "QUERY_LENGTH"}}"#);
                })
            }
            _ => push_error(out, "INVALID_REQUEST", &self.message(), NULL),
        }
    }

    /// The text a client sees.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Refusal::MissingLength => "Missing Query Length.",
            Refusal::InvalidLength | Refusal::HeaderTooLong => "Invalid Query Length.",
            Refusal::InvalidJson(why) => return format!("Invalid JSON: {why}").into(),
            Refusal::NotAnObject => "Invalid request: expected a JSON object.",
            Refusal::NoAction => "Invalid request: action must be a string.",
            Refusal::BadLogin => "LOGIN requires user, password and database, which are strings.",
            Refusal::BadDatabase => "CREATE_DATABASE requires NAME, USER and PASSWORD, which are strings.",
        })
    }
}
