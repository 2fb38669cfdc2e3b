//! What can be wrong with a line, and the words that say so. The texts are part of the protocol.

use super::reply::push_error;
use std::borrow::Cow;

/// A line that is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A put without a key or a value.
    Put,
    /// A get with no key, or with more than that.
    Get,
    /// A delete with no key, or with more than that.
    Delete,
    /// A change of the time to live with more or fewer than two words.
    Ttl,
    /// An authentication with no password, or with more than a user and that.
    Authenticate,
    /// A time to live that is not a whole number of seconds.
    BadTtl,
    /// A command there is not, in upper case; `None` when the line has no words.
    UnknownCommand(Option<String>),
    /// The line is not UTF-8.
    NotText,
    /// The line is longer than the server takes.
    LineTooLong {
        /// The most bytes a line may have.
        limit: usize,
    },
    /// The line is from a web browser.
    Http,
}

impl Refusal {
    /// Appends the reply line.
    pub fn encode(&self, out: &mut Vec<u8>) {
        push_error(out, &self.message());
    }

    /// The text a client sees.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Refusal::Put => "PUT requires: PUT key value",
            Refusal::Get => "GET requires: GET key",
            Refusal::Delete => "DEL requires: DEL key",
            Refusal::Ttl => "TTL requires: TTL key seconds",
            Refusal::Authenticate => "AUTH requires: AUTH [user] password",
            Refusal::BadTtl => "TTL must be an integer number of seconds",
            Refusal::UnknownCommand(Some(name)) => return format!("Unknown command: {name}").into(),
            Refusal::UnknownCommand(None) => "Unknown command",
            Refusal::NotText => "The line is not valid UTF-8",
            Refusal::LineTooLong { limit } => {
                return format!("The line is longer than {limit} bytes").into();
            }
            Refusal::Http => "This is not an HTTP server",
        })
    }
}
