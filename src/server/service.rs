//! A request becomes a reply, whatever protocol it came by and whatever engine is below.
//!
//! (X1) A write is preceded by room (store S4), so it never blocks the thread of a runtime.
//! (X2) Of two deletes of one key that was there, exactly one succeeds: a delete looks and removes under a lock that
//!      every delete of the key takes. Puts need no lock: one that comes between is as if it came before or after.
//! (X3) Reads of an engine that may block, and long ranges of any engine, run where blocking is allowed.

use super::answers::Answer;
use super::failure::describe;
use crate::protocol::{Pairs, RangeRequest, Reply, Request, entry_weight};
use crate::store::{Capabilities, Commit, Entries, Scan, StorageEngine};
use crate::{Error, Result, Slice, WriteBatch};
use parking_lot::Mutex;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound::Included;
use std::sync::Arc;

/// More deletes at a time than this meet only by chance.
const DELETE_LOCKS: usize = 64;

/// A range with more entries is walked where blocking is allowed.
const INLINE_ENTRIES: usize = 128;

/// Carries out requests on an engine.
pub(super) struct Service {
    engine: Arc<dyn StorageEngine>,
    capabilities: Capabilities,
    max_range_bytes: usize,
    deletes: [Mutex<()>; DELETE_LOCKS],
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("capabilities", &self.capabilities).finish_non_exhaustive()
    }
}

impl Service {
    /// A service whose ranges gather up to `max_range_bytes`.
    pub(super) fn new(engine: Arc<dyn StorageEngine>, max_range_bytes: usize) -> Service {
        let capabilities = engine.capabilities();
        Service { engine, capabilities, max_range_bytes, deletes: [const { Mutex::new(()) }; DELETE_LOCKS] }
    }

    /// Carries out one request. Writes are in their place when this returns, and durable when the commit is.
    pub(super) async fn execute(self: &Arc<Self>, request: Request<'_>) -> Answer {
        let done = match request {
            Request::Ping => Ok(Answer::Reply(Reply::Pong)),
            Request::Get { key } => self.get(&key).await.map(|value| Answer::Reply(Reply::Value(value))),
            Request::Range(range) => self.range(range).await.map(Answer::Reply),
            Request::Put { key, value } => {
                let mut batch = WriteBatch::new();
                batch.put(key, value.encode());
                return self.write(batch, Reply::PutRefused).await;
            }
            Request::Batch(pairs) => return self.batch(pairs).await,
            Request::Delete { key } => self.delete(&key).await,
        };
        done.unwrap_or_else(failed)
    }

    async fn get(self: &Arc<Self>, key: &[u8]) -> Result<Option<Slice>> {
        if !self.capabilities.blocking_reads {
            return self.engine.get(key);
        }
        let (service, key) = (Arc::clone(self), key.to_vec());
        blocking(move || service.engine.get(&key)).await
    }

    /// A batch without writes is done at once; it has no place in the order.
    async fn batch(&self, pairs: Pairs) -> Answer {
        if !self.capabilities.atomic_batches {
            return Answer::Reply(Reply::Failed("the engine of this server has no atomic batches".into()));
        }
        if pairs.is_empty() {
            return Answer::Reply(Reply::Done);
        }
        let mut batch = WriteBatch::new();
        pairs.iter().for_each(|(key, value)| batch.put(key, value));
        drop(pairs);
        self.write(batch, Reply::BatchRefused).await
    }

    /// Writes; `over` is the reply when the engine finds a key, a value or the whole too large.
    async fn write(&self, batch: WriteBatch, over: Reply) -> Answer {
        match self.try_write(batch).await {
            Ok(commit) => Answer::Commit(commit),
            Err(Error::InvalidArgument { .. }) => Answer::Reply(over),
            Err(error) => failed(error),
        }
    }

    async fn try_write(&self, batch: WriteBatch) -> Result<Commit> {
        batch.check()?;
        self.engine.room(batch.byte_len()).await?;
        self.engine.write(batch, None)
    }

    async fn delete(self: &Arc<Self>, key: &[u8]) -> Result<Answer> {
        let mut batch = WriteBatch::new();
        batch.delete(key);
        if batch.check().is_err() {
            // No such key can be stored.
            return Ok(Answer::Reply(Reply::NotFound));
        }
        self.engine.room(batch.byte_len()).await?;
        let commit = if self.capabilities.blocking_reads {
            let (service, key) = (Arc::clone(self), key.to_vec());
            blocking(move || service.delete_existing(&key, batch)).await?
        } else {
            self.delete_existing(key, batch)?
        };
        Ok(commit.map_or(Answer::Reply(Reply::NotFound), Answer::Commit))
    }

    /// Writes `batch` if `key` is there (X2).
    fn delete_existing(&self, key: &[u8], batch: WriteBatch) -> Result<Option<Commit>> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let lock = self.deletes.get(hasher.finish() as usize % DELETE_LOCKS);
        let _held = lock.map(Mutex::lock);
        match self.engine.get(key)? {
            Some(_) => self.engine.write(batch, None).map(Some),
            None => Ok(None),
        }
    }

    async fn range(self: &Arc<Self>, range: RangeRequest<'_>) -> Result<Reply> {
        if !self.capabilities.ordered_ranges {
            return Ok(Reply::Failed("the engine of this server has no ranges".into()));
        }
        let mut gather = Gather { entries: Vec::new(), bytes: 0, max_bytes: self.max_range_bytes };
        if self.capabilities.blocking_reads {
            let (service, range) = (Arc::clone(self), into_owned(range));
            return blocking(move || {
                let mut entries = service.engine.range(scan(&range))?;
                gather.take(&mut entries, usize::MAX)?;
                Ok(gather.reply())
            })
            .await;
        }
        let mut entries = self.engine.range(scan(&range))?;
        if gather.take(&mut entries, INLINE_ENTRIES)? {
            return Ok(gather.reply());
        }
        blocking(move || {
            gather.take(&mut entries, usize::MAX)?;
            Ok(gather.reply())
        })
        .await
    }
}

fn failed(error: Error) -> Answer {
    Answer::Reply(Reply::Failed(describe(&error)))
}

/// Runs `work` on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    // It fails only when the runtime ends, or `work` had a bug; neither has an answer of its own.
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Closed))
}

fn scan<'a>(range: &'a RangeRequest<'_>) -> Scan<'a> {
    let scan = Scan::between(Included(&*range.start), Included(&*range.end));
    let scan = range.limit.map_or(scan, |limit| scan.limited(limit));
    if range.reverse { scan.reversed() } else { scan }
}

fn into_owned(range: RangeRequest<'_>) -> RangeRequest<'static> {
    RangeRequest { start: range.start.into_owned().into(), end: range.end.into_owned().into(), ..range }
}

/// The entries of a range so far, within a limit of bytes.
struct Gather {
    entries: Vec<(Slice, Slice)>,
    bytes: usize,
    max_bytes: usize,
}

impl Gather {
    /// Takes up to `count` entries; true when there is nothing more to take.
    fn take(&mut self, from: &mut Entries, count: usize) -> Result<bool> {
        for _ in 0..count {
            let Some(entry) = from.next().transpose()? else { return Ok(true) };
            self.bytes = self.bytes.saturating_add(entry_weight(&entry));
            if self.is_over() {
                return Ok(true);
            }
            self.entries.push(entry);
        }
        Ok(false)
    }

    fn is_over(&self) -> bool {
        self.bytes > self.max_bytes
    }

    fn reply(self) -> Reply {
        if self.is_over() {
            let limit = self.max_bytes;
            return Reply::Failed(
                format!("the range is larger than {limit} bytes: ask for a narrower one, or set \"limit\"")
                    .into(),
            );
        }
        Reply::Entries(self.entries)
    }
}
