//! What can be wrong with a line, and the words that say so.
//!
//! The texts are part of the protocol: existing clients show them, and some look at them. Some carry a
//! `"result":false` besides, for clients that look only there.

use crate::protocol::json::push_string;
use std::borrow::Cow;

/// A line that is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A put without a key or a value, or with null.
    MissingKeyOrValue,
    /// A read or delete without a key, or with null.
    MissingKey,
    /// A range without one of its ends, or with null.
    MissingEnds,
    /// A batch without keys or values, or with null.
    MissingKeysOrValues,
    /// A key, or an end of a range, that is not a string.
    KeyNotString,
    /// The keys or the values of a batch are not an array.
    NotArrays,
    /// A batch with more keys than values, or fewer.
    BatchLengths,
    /// A batch of more pairs than one may have.
    BatchTooLong,
    /// The limit of a range is not a number of entries.
    BadLimit,
    /// The direction of a range is neither true nor false.
    BadReverse,
    /// The time to live is not a whole number of seconds.
    BadTtl,
    /// An authentication without a password, or with a user or a password that is not a string.
    BadCredentials,
    /// A command there is not; `None` when there is no command at all.
    UnknownCommand(String),
    /// The line is not JSON, or JSON that cannot be kept; and why.
    InvalidJson(String),
    /// The line is JSON, but not an object.
    NotAnObject,
    /// The line is longer than the server takes.
    LineTooLong {
        /// The most bytes a line may have.
        limit: usize,
    },
    /// The line is from an HTTP request.
    Http,
}

impl Refusal {
    /// Appends the reply line.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let tail = if self.has_result() { Tail::ResultFalse } else { Tail::Nothing };
        push_error(out, &self.message(), tail);
    }

    /// The text a client sees.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Refusal::MissingKeyOrValue => "Missing key or value",
            Refusal::MissingKey => "Missing key",
            Refusal::MissingEnds => "Missing start_key or end_key",
            Refusal::MissingKeysOrValues => "Missing keys or values",
            Refusal::KeyNotString => "Key must be a string",
            Refusal::NotArrays => "Keys and values must be arrays",
            Refusal::BatchLengths | Refusal::BatchTooLong => BATCH_FAILED,
            Refusal::BadLimit => "Limit must be a whole number of entries",
            Refusal::BadReverse => "Reverse must be true or false",
            Refusal::BadTtl => "Ttl must be a whole number of seconds",
            Refusal::BadCredentials => "User and password must be strings",
            Refusal::UnknownCommand(name) => return format!("Unknown command: {name}").into(),
            Refusal::InvalidJson(why) => return format!("Invalid JSON: {why}").into(),
            Refusal::NotAnObject => "Invalid request: expected a JSON object",
            Refusal::LineTooLong { limit } => {
                return format!("Server error: the line is longer than {limit} bytes").into();
            }
            Refusal::Http => "Invalid request: this is not an HTTP server",
        })
    }

    fn has_result(&self) -> bool {
        use Refusal::{BatchLengths, BatchTooLong, KeyNotString, NotArrays};
        matches!(self, KeyNotString | NotArrays | BatchLengths | BatchTooLong)
    }
}

/// A batch that could not be done, here or in the store.
pub(super) const BATCH_FAILED: &str = "Failed to batch put key-value pairs";

/// What follows the message of an error.
pub(super) enum Tail<'t> {
    /// The end of the object.
    Nothing,
    /// A `"result":false`.
    ResultFalse,
    /// What programs know the error by, and the text of what it is about.
    About {
        /// A word.
        code: &'t str,
        /// JSON.
        ref_data: &'t str,
    },
}

/// Appends an error reply.
pub(super) fn push_error(out: &mut Vec<u8>, message: &str, tail: Tail<'_>) {
    out.extend_from_slice(b"{\"status\":\"error\",\"message\":");
    push_string(out, message);
    match tail {
        Tail::Nothing => {}
        Tail::ResultFalse => out.extend_from_slice(b",\"result\":false"),
        Tail::About { code, ref_data } => {
            out.extend_from_slice(b",\"code\":");
            push_string(out, code);
            out.extend_from_slice(b",\"ref_data\":");
            out.extend_from_slice(ref_data.as_bytes());
        }
    }
    out.extend_from_slice(b"}\n");
}
