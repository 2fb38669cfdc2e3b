//! What one pass over a connection's input has to say, in order.
//!
//! Writes are answered when they are durable, and everything is sent together, so the answers of a pass are gathered
//! first. The commits are awaited from the last to the first: when the last is durable so are all before it
//! (store S2), so a pipeline of any length waits for one sync and is woken once.

use super::budget::{Budget, Share};
use super::failure::{busy, describe};
use crate::planted::{Bug, planted};
use crate::protocol::Reply;
use crate::protocol::json_lines::Refusal;
use crate::store::Commit;
use std::sync::Arc;

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
#[derive(Debug)]
pub(super) struct Answers {
    list: Vec<Answer>,
    bytes: usize,
    held: Share,
}

impl Answers {
    /// None yet.
    pub(super) fn new(budget: &Arc<Budget>) -> Answers {
        Answers { list: Vec::new(), bytes: 0, held: budget.share() }
    }

    /// Adds the answer to the next line; one for which there is no memory becomes the reply that says so.
    pub(super) fn push(&mut self, mut answer: Answer) {
        if let Answer::Reply(reply) = &answer {
            let bytes = self.bytes.saturating_add(reply.weight());
            if self.held.hold(bytes) {
                self.bytes = bytes;
            } else {
                answer = Answer::Reply(busy());
            }
        }
        self.list.push(answer);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
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
                let done = if planted(Bug::AnswerBeforeDurable) { Ok(()) } else { commit.await };
                let reply = match done {
                    Ok(()) => Reply::Done,
                    Err(error) => Reply::Failed(describe(&error)),
                };
                *answer = Answer::Reply(reply);
            }
        }
    }

    /// The answers, in order. To be called when settled, and followed by [`Answers::sent`].
    pub(super) fn take(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.list)
    }

    /// Gives back the memory of answers that were sent, and the vector they were in.
    pub(super) fn sent(&mut self, mut list: Vec<Answer>) {
        list.clear();
        self.list = list;
        self.bytes = 0;
        self.held.release();
    }
}
