//! How a reply is to be written: which protocol it is for, and what of the request its words depend on.

use super::{Reply, framed, json_lines, resp, text};

/// How the reply to a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As a line of JSON.
    Json(json_lines::Asked),
    /// As RESP.
    Resp(resp::Version),
    /// As lines of text.
    Text(text::Asked),
    /// As JSON behind its length.
    Framed(framed::Asked),
    /// Not at all: the client does not want it.
    Silent,
}

impl Form {
    /// Appends the bytes of `reply`.
    pub fn encode(self, reply: &Reply, out: &mut Vec<u8>) {
        match self {
            Form::Json(asked) => json_lines::encode(reply, asked, out),
            Form::Resp(version) => resp::encode(reply, version, out),
            Form::Text(asked) => text::encode(reply, asked, out),
            Form::Framed(asked) => framed::encode(reply, asked, out),
            Form::Silent => {}
        }
    }

    /// The most bytes that [`Form::encode`] appends for `reply`.
    #[must_use]
    pub fn most_bytes(self, reply: &Reply) -> usize {
        match self {
            Form::Json(_) => json_lines::most_bytes(reply),
            Form::Resp(_) => resp::most_bytes(reply),
            Form::Text(_) => text::most_bytes(reply),
            Form::Framed(_) => framed::most_bytes(reply),
            Form::Silent => 0,
        }
    }
}
