//! What one pass over a connection's input has to say, in order.
//!
//! Writes are answered when they are durable, and everything is sent together, so the answers of a pass are gathered
//! first. The commits are awaited from the last to the first: when the last is durable so are all before it
//! (store S2), so a pipeline of any length waits for one sync and is woken once.

use super::budget::{Budget, Share};
use super::failure::{busy, describe};
use crate::planted::{Bug, planted};
use crate::protocol::{Form, Reply};
use crate::store::Commit;
use crate::{Error, Result};
use std::borrow::Cow;
use std::sync::Arc;

/// After so many answers, or so many bytes of them, a pass ends, is sent, and the next begins: so that a long pipeline
/// neither gathers without bound nor keeps others waiting.
const MAX_ANSWERS: usize = 4096;
const MAX_BYTES: usize = 1 << 20;

/// The answer to one request, and how it is written.
#[derive(Debug)]
pub(super) struct Answer {
    what: What,
    form: Form,
}

/// What an answer says.
#[derive(Debug)]
pub(super) enum What {
    /// This.
    Reply(Reply),
    /// These bytes, as they are.
    Bytes(Vec<u8>),
    /// This, when what was written is durable; that it is not, otherwise.
    Commit(Commit, Reply),
    /// That it is done, when the write is durable that the next commit of the list stands for.
    Gathered,
}

impl Answer {
    /// An answer.
    pub(super) fn new(what: What, form: Form) -> Answer {
        Answer { what, form }
    }

    /// An answer that is there.
    pub(super) fn reply(reply: Reply, form: Form) -> Answer {
        Answer::new(What::Reply(reply), form)
    }

    /// The reply and its form, or the bytes. To be called when all commits were awaited.
    pub(super) fn into_parts(self) -> (Result<Reply, Vec<u8>>, Form) {
        let what = match self.what {
            What::Reply(reply) => Ok(reply),
            What::Bytes(bytes) => Err(bytes),
            What::Commit(..) | What::Gathered => {
                debug_assert!(false, "a write is answered after its commit");
                Ok(Reply::Failed("the write was not waited for".into()))
            }
        };
        (what, self.form)
    }
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

    /// Adds the answer to the next request; one for which there is no memory becomes the reply that says so.
    pub(super) fn push(&mut self, mut answer: Answer) {
        let weight = match &answer.what {
            What::Reply(reply) | What::Commit(_, reply) => reply.weight(),
            What::Bytes(bytes) => bytes.len(),
            What::Gathered => 0,
        };
        if weight > 0 {
            let bytes = self.bytes.saturating_add(weight);
            if self.held.hold(bytes) {
                self.bytes = bytes;
            } else {
                answer.what = match answer.what {
                    What::Commit(commit, _) => What::Commit(commit, busy()),
                    _ => What::Reply(busy()),
                };
            }
        }
        self.list.push(answer);
    }

    /// What became of the gathered writes since the last commit: they are answered by it.
    pub(super) fn gathered(&mut self, written: Result<Commit>) {
        match written {
            Ok(commit) => {
                if let Some(last) = self.list.last_mut() {
                    last.what = What::Commit(commit, Reply::Done);
                }
            }
            Err(error) => {
                let why = describe(&error);
                for answer in self.list.iter_mut().rev() {
                    if !matches!(answer.what, What::Gathered) {
                        break;
                    }
                    answer.what = What::Reply(refusal(&error, why.clone()));
                }
            }
        }
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
        let mut gave_way = false;
        // What became of the writes that the commit behind stands for.
        let mut behind: Result<(), Cow<'static, str>> = Ok(());
        for answer in self.list.iter_mut().rev() {
            let reply = match &mut answer.what {
                What::Reply(_) | What::Bytes(_) => continue,
                What::Gathered => Reply::Done,
                What::Commit(commit, reply) => {
                    // Who waits first has the log synced. Those whose requests have come as well go first, so that the sync is
                    // theirs, too.
                    if !gave_way && !commit.is_decided() {
                        gave_way = true;
                        tokio::task::yield_now().await;
                    }
                    let done = if planted(Bug::AnswerBeforeDurable) { Ok(()) } else { commit.await };
                    behind = done.map_err(|error| describe(&error));
                    std::mem::replace(reply, Reply::Done)
                }
            };
            answer.what = What::Reply(match &behind {
                Ok(()) => reply,
                Err(why) => Reply::Failed(why.clone()),
            });
        }
    }

    /// The answers, in order. To be called when settled, and followed by [`Answers::sent`].
    pub(super) fn take(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.list)
    }

    /// Gives back the memory of answers that were sent, and the vector they were in.
    pub(super) fn sent(&mut self, mut list: Vec<Answer>) {
        /// So many answers have room from one pass to the next; more is given back.
        const KEEP: usize = 64;
        list.clear();
        list.shrink_to(KEEP);
        self.list = list;
        self.bytes = 0;
        self.held.release();
    }
}

/// What is said of a write that was not done.
pub(super) fn refusal(error: &Error, why: Cow<'static, str>) -> Reply {
    match error {
        Error::InvalidArgument { what } => Reply::TooLarge(what.clone()),
        _ => Reply::Failed(why),
    }
}
