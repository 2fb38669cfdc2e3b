//! What comes of a command, and why there may be no reply.

use crate::Error;
use crate::dataset::Halt;
use crate::protocol::Reply;
use crate::protocol::resp::WRONG_TYPE;
use crate::store::Commit;
use std::borrow::Cow;
use std::time::Duration;

/// What a command gives: a reply, or why there is none.
pub(super) type Answered = Result<Reply, Refusal>;

/// Why a command has no reply.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is answered by this error; nothing was done.
    Error(Cow<'static, str>),
    /// The engine could not; nothing was done.
    Engine(Error),
    /// It takes long, and has to be carried out where blocking is allowed.
    Elsewhere,
    /// It is carried out again after this long.
    Pause(Duration),
    /// Somebody has to look whether the client is who it says to be; then it is carried out again.
    Verify {
        /// The name; `None` for the user without one.
        user: Option<String>,
        /// What is to be looked at.
        password: Vec<u8>,
    },
}

impl From<Halt> for Refusal {
    fn from(halt: Halt) -> Refusal {
        match halt {
            Halt::Slow => Refusal::Elsewhere,
            Halt::WrongType => Refusal::Error(WRONG_TYPE.into()),
            Halt::Engine(error) => Refusal::Engine(error),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Engine(error)
    }
}

/// An error reply.
pub(super) fn error<T>(text: impl Into<Cow<'static, str>>) -> Result<T, Refusal> {
    Err(Refusal::Error(text.into()))
}

/// What came of a command on the session or the server.
pub(super) enum Outcome {
    /// This is the reply.
    Reply(Reply),
    /// This is, when the write is durable.
    Commit(Commit, Reply),
    /// So many bytes are to be written, and there is no room: to be carried out again when there is.
    Room(usize),
    /// This is, and the connection ends.
    Close(Reply),
    /// Nothing is said.
    Silence,
    /// Nothing is said, and the connection ends.
    HangUp,
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Outcome {
        Outcome::Reply(reply)
    }
}
