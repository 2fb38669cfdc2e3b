//! A request becomes a reply, whatever protocol it came by and whatever engine is below.
//!
//! Nothing here waits: what must be waited for, or may take long, is handed back as [`Later`].
//!
//! (X1) A write is preceded by room (store S4), so it never blocks the thread of a runtime.
//! (X2) Of two deletes of one key that was there, exactly one succeeds: a delete looks and removes under a lock that
//!      every delete of the key takes. Puts need no lock: one that comes between is as if it came before or after.
//! (X3) Reads of an engine that may block, and all ranges, run where blocking is allowed. A range that is longer than
//!      [`SHORT_RANGE`] is handed back after so many entries, so that short ones need not wait for long ones.
//! (X4) Long writes come one at a time: each keeps all others out of the engine while it is done.

use super::answers::Answer;
use super::budget::{Budget, FREE_BYTES, Share};
use super::failure::{busy, describe};
use crate::protocol::{RangeRequest, Reply, Request, entry_weight};
use crate::store::{Capabilities, Commit, Entries, Room, Scan, StorageEngine};
use crate::sync::Mutex;
use crate::{Error, Result, Slice, WriteBatch};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound::Included;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A request with more bytes takes longer than a thread of the runtime should be kept.
pub(super) const LONG_BYTES: usize = 256 << 10;

/// More deletes at a time than this meet only by chance.
const DELETE_LOCKS: usize = 64;

/// How many entries of a range are gathered at once, and of a longer one at each turn.
const SHORT_RANGE: usize = 128;
const RANGE_TURN: usize = 16_384;

/// Carries out requests on an engine.
pub(super) struct Service {
    engine: Arc<dyn StorageEngine>,
    capabilities: Capabilities,
    max_range_bytes: usize,
    budget: Arc<Budget>,
    deletes: [Mutex<()>; DELETE_LOCKS],
    /// Held by a long write (X4).
    writing_long: Mutex<()>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("capabilities", &self.capabilities).finish_non_exhaustive()
    }
}

/// What came of a request.
#[derive(Debug)]
pub(super) enum Step {
    /// Its answer.
    Done(Answer),
    /// There is more to do.
    Later(Later),
}

/// What is still to be done for a request.
#[derive(Debug)]
pub(super) enum Later {
    /// To be done when there is room.
    Write(Write),
    /// To be gone on with.
    Range(LongRange),
}

/// A write that is ready to be done.
#[derive(Debug)]
pub(super) struct Write {
    batch: WriteBatch,
    kind: Kind,
}

/// What a write was asked as.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Put,
    Batch,
    /// Of the one key in the batch, which must be there.
    Delete,
}

impl Kind {
    /// The reply when the engine finds a key, a value or the whole too large.
    fn over(self) -> Reply {
        match self {
            Kind::Put => Reply::PutRefused,
            Kind::Batch => Reply::BatchRefused,
            // No such key can be stored.
            Kind::Delete => Reply::NotFound,
        }
    }
}

impl Write {
    /// Whether it is to be done where blocking is allowed.
    pub(super) fn is_long(&self) -> bool {
        self.batch.byte_len() > LONG_BYTES
    }
}

impl Service {
    /// A service whose ranges gather up to `max_range_bytes`, taken from `budget`.
    pub(super) fn new(
        engine: Arc<dyn StorageEngine>,
        max_range_bytes: usize,
        budget: Arc<Budget>,
    ) -> Service {
        let capabilities = engine.capabilities();
        let deletes = [const { Mutex::new(()) }; DELETE_LOCKS];
        Service { engine, capabilities, max_range_bytes, budget, deletes, writing_long: Mutex::new(()) }
    }

    /// Whether carrying out `request` may take longer than a thread of the runtime should be kept (X3).
    pub(super) fn may_block(&self, request: &Request<'_>) -> bool {
        match request {
            Request::Range(_) => true,
            Request::Get { .. } | Request::Delete { .. } => self.capabilities.blocking_reads,
            Request::Ping | Request::Put { .. } | Request::Batch(_) => false,
        }
    }

    /// Carries out a request as far as nothing need be waited for. Writes are in their place when there is an answer, and
    /// durable when its commit is.
    pub(super) fn begin(&self, request: Request<'_>) -> Step {
        let (batch, kind) = match request {
            Request::Ping => return Step::Done(Answer::Reply(Reply::Pong)),
            Request::Get { key } => {
                let value = self.engine.get(&key).map(|value| Answer::Reply(Reply::Value(value)));
                return Step::Done(value.unwrap_or_else(failed));
            }
            Request::Range(range) => {
                return self.range(&range).unwrap_or_else(|error| Step::Done(failed(error)));
            }
            Request::Put { key, value } => {
                let mut batch = WriteBatch::new();
                batch.put(key, value.encode());
                (batch, Kind::Put)
            }
            Request::Batch(_) if !self.capabilities.atomic_batches => {
                return refuse("the engine of this server has no atomic batches");
            }
            // It has no place in the order.
            Request::Batch(pairs) if pairs.is_empty() => return Step::Done(Answer::Reply(Reply::Done)),
            Request::Batch(pairs) => {
                let mut batch = WriteBatch::new();
                pairs.iter().for_each(|(key, value)| batch.put(key, value));
                (batch, Kind::Batch)
            }
            Request::Delete { key } => {
                let mut batch = WriteBatch::new();
                batch.delete(key);
                (batch, Kind::Delete)
            }
        };
        self.begin_write(Write { batch, kind })
    }

    /// Writes, if there is room.
    fn begin_write(&self, write: Write) -> Step {
        if write.batch.check().is_err() {
            return Step::Done(Answer::Reply(write.kind.over()));
        }
        match Pin::new(&mut self.room(&write)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Step::Later(Later::Write(write)),
            Poll::Ready(room) => Step::Done(self.write(write, room)),
        }
    }

    /// Resolves when there is room for a write (X1).
    pub(super) fn room(&self, write: &Write) -> Room {
        self.engine.room(write.batch.byte_len())
    }

    /// Writes; `room` is what came of waiting for it.
    pub(super) fn write(&self, write: Write, room: Result<()>) -> Answer {
        let _alone = write.is_long().then(|| self.writing_long.lock());
        let Write { batch, kind } = write;
        let commit = room.and_then(|()| match kind {
            Kind::Put | Kind::Batch => self.engine.write(batch, None).map(Some),
            Kind::Delete => self.delete(batch),
        });
        match commit {
            Ok(Some(commit)) => Answer::Commit(commit),
            Ok(None) => Answer::Reply(Reply::NotFound),
            Err(Error::InvalidArgument { .. }) => Answer::Reply(kind.over()),
            Err(error) => failed(error),
        }
    }

    /// Writes `batch` if the key that it deletes is there (X2).
    fn delete(&self, batch: WriteBatch) -> Result<Option<Commit>> {
        let Some((key, _)) = batch.iter().next() else { return Ok(None) };
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let lock = self.deletes.get(hasher.finish() as usize % DELETE_LOCKS);
        let _held = lock.map(Mutex::lock);
        if self.engine.get(key)?.is_none() {
            return Ok(None);
        }
        self.engine.write(batch, None).map(Some)
    }

    fn range(&self, range: &RangeRequest<'_>) -> Result<Step> {
        if !self.capabilities.ordered_ranges {
            return Ok(refuse("the engine of this server has no ranges"));
        }
        let scan = Scan::between(Included(&*range.start), Included(&*range.end));
        let scan = range.limit.map_or(scan, |limit| scan.limited(limit));
        let scan = if range.reverse { scan.reversed() } else { scan };
        let mut range = LongRange {
            rest: self.engine.range(scan)?,
            entries: Vec::new(),
            bytes: 0,
            max_bytes: self.max_range_bytes,
            held: self.budget.share(),
        };
        Ok(match range.take(SHORT_RANGE) {
            Some(reply) => Step::Done(Answer::Reply(reply)),
            None => Step::Later(Later::Range(range)),
        })
    }
}

fn failed(error: Error) -> Answer {
    Answer::Reply(Reply::Failed(describe(&error)))
}

fn refuse(why: &'static str) -> Step {
    Step::Done(Answer::Reply(Reply::Failed(why.into())))
}

/// A range that is being gathered, within a limit of bytes.
pub(super) struct LongRange {
    rest: Entries,
    entries: Vec<(Slice, Slice)>,
    bytes: usize,
    max_bytes: usize,
    held: Share,
}

impl fmt::Debug for LongRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LongRange").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl LongRange {
    /// Gathers on for one turn; the reply when it is whole, or cannot be.
    pub(super) fn turn(&mut self) -> Option<Reply> {
        self.take(RANGE_TURN)
    }

    fn take(&mut self, count: usize) -> Option<Reply> {
        for _ in 0..count {
            let entry = match self.rest.next() {
                None => return Some(Reply::Entries(std::mem::take(&mut self.entries))),
                Some(Err(error)) => return Some(Reply::Failed(describe(&error))),
                Some(Ok(entry)) => entry,
            };
            self.bytes = self.bytes.saturating_add(entry_weight(&entry));
            if self.bytes > self.max_bytes {
                return Some(too_long(self.max_bytes));
            }
            // Taken in steps: each is a word that all connections share.
            if !self.held.hold(self.bytes.next_multiple_of(FREE_BYTES)) {
                return Some(busy());
            }
            self.entries.push(entry);
        }
        None
    }
}

fn too_long(limit: usize) -> Reply {
    let why = format!("the range is larger than {limit} bytes: ask for a narrower one, or set \"limit\"");
    Reply::Failed(why.into())
}
