//! What one pass over a connection's input has to say, in order.
//!
//! Writes are answered when they are durable, and everything is sent together, so the answers of a pass are gathered
//! first. The commits are awaited from the last to the first: when the last is durable so are all before it
//! (store S2), so a pipeline of any length waits for one sync and is woken once.

use super::failure::describe;
use crate::protocol::Reply;
use crate::protocol::json_lines::{self, Refusal};
use crate::store::Commit;

/// After so many answers, or so many bytes of them, a pass ends, is sent, and the next begins: so that a long pipeline
/// neither gathers without bound nor keeps others waiting.
const MAX_ANSWERS: usize = 4096;
const MAX_BYTES: usize = 1 << 20;

/// The answer to one line.
#[derive(Debug)]
pub(super) enum Answer {
    /// It was carried out, or could not be.
    Reply(Reply),
    /// It was no request.
    Refusal(Refusal),
    /// It was written, and is done when this is.
    Commit(Commit),
}

/// The answers of one pass.
#[derive(Debug, Default)]
pub(super) struct Answers {
    list: Vec<Answer>,
    bytes: usize,
}

impl Answers {
    /// Adds the answer to the next line.
    pub(super) fn push(&mut self, answer: Answer) {
        if let Answer::Reply(reply) = &answer {
            self.bytes = self.bytes.saturating_add(reply.weight());
        }
        self.list.push(answer);
    }

    /// True when the pass should end.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MAX_ANSWERS || self.bytes >= MAX_BYTES
    }

    /// True when there is nothing to say.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Waits until every write is durable, or is known not to be.
    pub(super) async fn settle(&mut self) {
        for answer in self.list.iter_mut().rev() {
            if let Answer::Commit(commit) = answer {
                let reply = match commit.await {
                    Ok(()) => Reply::Done,
                    Err(error) => Reply::Failed(describe(&error)),
                };
                *answer = Answer::Reply(reply);
            }
        }
    }

    /// Appends all lines and forgets them. To be called when settled.
    pub(super) fn encode(&mut self, out: &mut Vec<u8>) {
        self.bytes = 0;
        for answer in self.list.drain(..) {
            match answer {
                Answer::Reply(reply) => json_lines::encode(&reply, out),
                Answer::Refusal(refusal) => refusal.encode(out),
                Answer::Commit(_) => {
                    debug_assert!(false, "a write is answered after its commit");
                    json_lines::encode(&Reply::Failed("the write was not waited for".into()), out);
                }
            }
        }
    }
}
