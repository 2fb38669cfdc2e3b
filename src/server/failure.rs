//! What a client may read of an error.
//!
//! An [`Error`] names files, which are the operator's business. A client gets the fact without them, and the log gets all.

use super::muffle::Muffle;
use crate::Error;
use crate::protocol::Reply;
use std::borrow::Cow;

/// A database that is damaged or full fails every request.
static FAILED: Muffle = Muffle::new();

/// The reply when there is no memory for a request, or for the reply to it.
pub(super) fn busy() -> Reply {
    Reply::Failed("the server is busy with other large requests: try again later, or ask for less".into())
}

/// The error in words that name no file; logged in full now and then, unless it is the client's own.
pub(super) fn describe(error: &Error) -> Cow<'static, str> {
    let text = match error {
        Error::Closed => "the database is closed",
        Error::ReadOnly { cause } if matches!(**cause, Error::InvalidArgument { .. }) => {
            return "the database was opened for reading only".into();
        }
        Error::ReadOnly { .. } => "the database is read-only since a write to its files failed",
        Error::DiskFull { .. } => "the disk of the server is full",
        Error::Corruption(_) => "stored data is damaged",
        Error::Io { .. } => "a file of the database could not be used",
        Error::Stalled { reason, .. } => return format!("no room for the write: {reason}").into(),
        Error::InvalidArgument { what } => return what.clone().into(),
        Error::Conflict { .. } | Error::ConditionFailed { .. } => return error.to_string().into(),
        _ => "the database could not do it",
    };
    FAILED.tell(|missed| tracing::warn!(%error, missed, "a request failed"));
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::path::Path;
    use std::sync::Arc;

    #[test]
    fn no_path_reaches_a_client() {
        let path = Path::new("/secret/place");
        let full = Error::DiskFull { op: "write", path: path.into() };
        let errors = [
            Error::io("write", path, io::Error::other("broken")),
            full.clone(),
            Error::corruption(path, 7, "table block", "a wrong checksum"),
            Error::ReadOnly { cause: Arc::new(full) },
            Error::Locked { path: path.into() },
            Error::Closed,
        ];
        for error in errors {
            let text = describe(&error);
            assert!(!text.contains("secret") && !text.is_empty(), "{text}");
        }
    }
}
