//! Why a command has no answer.

use std::fmt;
use std::io;
use std::time::Duration;

/// What a call gives, or why not.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call has no answer. The text ends with what to do next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system could not do it. The connection is of no more use, if there was one.
    Io {
        /// With whom.
        address: String,
        /// What was to be done.
        operation: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// Nothing was heard for too long. The connection is of no more use, and a command that writes may have been carried
    /// out.
    Timeout {
        /// With whom.
        address: String,
        /// What was to be done.
        operation: &'static str,
        /// The limit.
        after: Duration,
    },
    /// The server has closed the connection before it answered.
    Closed {
        /// Whose.
        address: String,
    },
    /// What came is no reply, or too large a one. The connection is of no more use.
    Protocol {
        /// From whom.
        address: String,
        /// What was found.
        found: ReplyError,
    },
    /// An earlier failure left the connection in a state that nobody knows.
    Poisoned {
        /// With whom.
        address: String,
        /// The earlier failure.
        why: String,
    },
    /// The server refused, or failed.
    Server {
        /// The first word, in capitals: `ERR`, `WRONGTYPE`, `NOAUTH`.
        code: String,
        /// The rest.
        message: String,
    },
    /// A sound reply, but of another kind than this command has.
    Unexpected {
        /// What was expected.
        wanted: &'static str,
        /// What came.
        found: String,
    },
    /// It was not sent, since this client could not make sense of the answer.
    Refused {
        /// Why.
        why: String,
    },
}

impl Error {
    /// Whether the connection can still be used.
    #[must_use]
    pub fn leaves_connection(&self) -> bool {
        matches!(self, Error::Server { .. } | Error::Unexpected { .. } | Error::Refused { .. })
    }

    /// Whether the server said this, with this code.
    #[must_use]
    pub fn is_server_code(&self, wanted: &str) -> bool {
        matches!(self, Error::Server { code, .. } if code == wanted)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { address, operation, source } => {
                write!(
                    f,
                    "could not {operation} {address}: {source}; see that the server runs, and connect again"
                )
            }
            Error::Timeout { address, operation, after } => write!(
                f,
                "could not {operation} {address} within {after:?}: connect again, with more time if the server needs it; a \
                 command that was sent may have been carried out"
            ),
            Error::Closed { address } => write!(
                f,
                "{address} closed the connection: connect again; a command that was sent may have been carried out"
            ),
            Error::Protocol { address, found } => {
                write!(
                    f,
                    "{address} does not speak the protocol of Redis: {found}; look whether the address is right"
                )
            }
            Error::Poisoned { address, why } => {
                write!(f, "the connection with {address} failed before ({why}): connect again")
            }
            Error::Server { code, message } if message.is_empty() => f.write_str(code),
            Error::Server { code, message } => write!(f, "{code} {message}"),
            Error::Unexpected { wanted, found } => {
                write!(
                    f,
                    "{wanted} was expected, and {found} came: ask with `command`, which takes any reply"
                )
            }
            Error::Refused { why } => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::Protocol { found, .. } => Some(found),
            _ => None,
        }
    }
}

/// Why bytes are no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// No value begins with this byte.
    Sign(u8),
    /// What stands behind this sign is no such value.
    Content {
        /// The sign.
        sign: u8,
        /// The line, or its beginning.
        text: String,
    },
    /// A line or a piece of bytes does not end where it has to.
    LineEnd,
    /// Values within values, to more than this depth.
    Depth(usize),
    /// A reply of more than this many bytes, with what it takes to keep it.
    TooLarge(usize),
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplyError::Sign(byte) => write!(f, "a reply begins with `{}`", byte.escape_ascii()),
            ReplyError::Content { sign, text } => {
                write!(f, "behind `{}` stands `{}`", sign.escape_ascii(), text.escape_debug())
            }
            ReplyError::LineEnd => f.write_str("a line end is missing"),
            ReplyError::Depth(limit) => write!(f, "a reply is nested more than {limit} deep"),
            ReplyError::TooLarge(limit) => write!(f, "a reply is larger than {limit} bytes"),
        }
    }
}

impl std::error::Error for ReplyError {}
