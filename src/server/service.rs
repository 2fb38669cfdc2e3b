//! Everything that is behind the doors: the data, who is connected, what is counted.
//!
//! (X1) A write is preceded by room (store S4), so it never blocks the thread of a runtime.
//! (X4) Long writes come one at a time: each keeps all others out of the engine while it is done.
//! (L1) Locks are taken in this order: those of keys, then that of long writes. The engine's come after both.

use super::answers::refusal;
use super::budget::Budget;
use super::clients::Clients;
use super::config::Config;
use super::counting::Counting;
use super::cursors::Cursors;
use super::failure::describe;
use super::metrics::Metrics;
use super::muffle::Muffle;
use super::opened::Opened;
use super::outcome::{Outcome, Refusal};
use super::pause::Pause;
use super::place::Place;
use super::rate::Rate;
use super::slow_log::SlowLog;
use super::snapshots::Snapshots;
use super::stopper::Stopper;
use super::tokens::Tokens;
use super::users::Users;
use crate::Result;
use crate::dataset::Dataset;
use crate::dataset::gather::Gather;
use crate::dataset::txn::Txn;
use crate::protocol::Reply;
use crate::store::{Commit, Room, StorageEngine};
use crate::sync::plain::Mutex;
use crate::sync::plain::atomic::AtomicU64;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::time::Instant;

/// A request with more bytes takes longer than a thread of the runtime should be kept.
pub(super) const LONG_BYTES: usize = 256 << 10;

/// Everything that is behind the doors.
pub(super) struct Service {
    pub(super) data: Dataset,
    /// Tables of documents, from when somebody first asks for one.
    pub(super) opened: Opened,
    pub(super) users: Users,
    pub(super) tokens: Tokens,
    /// Logins that failed.
    pub(super) denied: Muffle,
    pub(super) clients: Clients,
    pub(super) metrics: Metrics,
    pub(super) config: Config,
    pub(super) cursors: Cursors,
    pub(super) snapshots: Snapshots,
    pub(super) slow_log: SlowLog,
    pub(super) pause: Pause,
    pub(super) rate: Rate,
    pub(super) started: Instant,
    pub(super) counting: Counting,
    pub(super) stopper: Stopper,
    /// When all files were last merged on demand, in seconds since 1970; 0 is never.
    pub(super) last_compaction: AtomicU64,
    pub(super) budget: Arc<Budget>,
    /// Held by a long write (X4).
    pub(super) writing_long: Mutex<()>,
}

/// What became of gathered writes.
pub(super) enum Written {
    /// They have their place, or never will.
    Done(Result<Commit>),
    /// There is no room for so many bytes yet.
    Room(usize),
    /// They have to be written where waiting is allowed.
    Elsewhere,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    /// A service over an engine, whose ranges are taken from `budget`.
    pub(super) fn new(
        engine: Arc<dyn StorageEngine>,
        config: Config,
        budget: Arc<Budget>,
        stopper: Stopper,
    ) -> Result<Service> {
        let opened = Opened::new(&engine)?;
        Ok(Service {
            data: Dataset::open(engine, config.max_range_bytes)?,
            opened,
            users: Users::new(&config.users)?,
            tokens: Tokens::new(config.token_life),
            denied: Muffle::new(),
            clients: Clients::default(),
            metrics: Metrics::default(),
            cursors: Cursors::default(),
            snapshots: Snapshots::default(),
            slow_log: SlowLog::new(config.slow_log_limit, config.slow_log_entries),
            pause: Pause::default(),
            rate: Rate::default(),
            started: Instant::now(),
            counting: Counting::default(),
            stopper,
            last_compaction: AtomicU64::new(0),
            config,
            budget,
            writing_long: Mutex::new(()),
        })
    }

    /// Commits a transaction whose reply is known, if there is room.
    pub(super) fn commit(&self, txn: Txn<'_>, reply: Reply) -> Result<Outcome, Refusal> {
        if txn.is_read_only() {
            return Ok(Outcome::Reply(reply));
        }
        let bytes = txn.byte_len();
        if !self.has_room(bytes)? {
            return Ok(Outcome::Room(bytes));
        }
        let _alone = (bytes > LONG_BYTES).then(|| self.writing_long.lock());
        match txn.commit() {
            Ok(Some(commit)) => Ok(Outcome::Commit(commit, reply)),
            Ok(None) => Ok(Outcome::Reply(reply)),
            Err(error) => Ok(Outcome::Reply(refusal(&error, describe(&error)))),
        }
    }

    /// Writes what is gathered.
    pub(super) fn write_gathered(&self, gather: &mut Gather, place: Place) -> Written {
        match self.has_room(gather.byte_len()) {
            Ok(true) => match gather.write(&self.data, place.reach()) {
                Ok(Some(commit)) => Written::Done(Ok(commit)),
                Ok(None) => Written::Elsewhere,
                Err(error) => Written::Done(Err(error)),
            },
            Ok(false) => Written::Room(gather.byte_len()),
            Err(error) => {
                gather.clear();
                Written::Done(Err(error))
            }
        }
    }

    /// Whether a write of so many bytes need not wait (X1).
    pub(super) fn has_room(&self, bytes: usize) -> Result<bool> {
        match Pin::new(&mut self.room(bytes)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Ok(false),
            Poll::Ready(room) => room.map(|()| true),
        }
    }

    /// Resolves when there is room for a write.
    pub(super) fn room(&self, bytes: usize) -> Room {
        self.data.engine().room(bytes)
    }
}
