//! Whether a database takes reads and writes.
//!
//! ```text
//! open ◀──▶ disk full ──▶ read-only ──▶ closed
//!   ├──────────────────────▲             ▲ ▲
//!   └────────────────────────────────────┘ └── disk full
//! ```
//!
//! With a full disk only deletions are taken (`space`). (T1) Otherwise it only goes forward. (T2) Whoever finds it read-only finds the cause, which is the first one and stays.

use crate::planted::{Bug, planted};
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::{Error, Result};
use std::sync::Arc;

const OPEN: u8 = 0;
const READ_ONLY: u8 = 1;
const CLOSED: u8 = 2;
const DISK_FULL: u8 = 3;

/// What is let through.
#[derive(Debug, Default)]
pub struct Status {
    state: AtomicU8,
    /// Why it is read-only, and since when.
    cause: OnceLock<(Arc<Error>, u64)>,
}

impl Status {
    /// An error once it is closed.
    #[inline]
    pub fn check_readable(&self) -> Result<()> {
        if self.state.load(Ordering::Acquire) == CLOSED { Err(Error::Closed) } else { Ok(()) }
    }

    /// An error unless writes are taken.
    #[inline]
    pub fn check_writable(&self) -> Result<()> {
        if self.state.load(Ordering::Acquire) == OPEN { Ok(()) } else { self.why_not_writable() }
    }

    #[cold]
    fn why_not_writable(&self) -> Result<()> {
        if planted(Bug::IgnorePoison) && self.state.load(Ordering::Acquire) == READ_ONLY {
            return Ok(());
        }
        match (self.state.load(Ordering::Acquire), self.cause()) {
            (OPEN | DISK_FULL, _) => Ok(()),
            (READ_ONLY, Some((cause, _))) => Err(Error::ReadOnly { cause: Arc::clone(cause) }),
            _ => Err(Error::Closed),
        }
    }

    /// Whether writes of all kinds are taken.
    #[inline]
    pub fn takes_all(&self) -> bool {
        self.state.load(Ordering::Acquire) == OPEN
    }

    /// Whether only deletions are taken.
    pub fn is_disk_full(&self) -> bool {
        self.state.load(Ordering::Acquire) == DISK_FULL
    }

    /// Takes only deletions. False when that is so already, or nothing is taken at all.
    pub fn set_disk_full(&self) -> bool {
        self.change(OPEN, DISK_FULL)
    }

    /// Takes all writes again; false when that was not the reason why not.
    pub fn set_disk_not_full(&self) -> bool {
        self.change(DISK_FULL, OPEN)
    }

    /// Takes no writes from the beginning.
    pub fn begin_read_only(&self, cause: Arc<Error>, now_ms: u64) {
        self.cause.get_or_init(|| (cause, now_ms));
        self.change(OPEN, READ_ONLY);
    }

    /// Takes no more writes, for good. Gives the cause that counts, and whether it was this call that did it.
    pub fn end_writes(&self, cause: Arc<Error>, now_ms: u64) -> (&Arc<Error>, bool) {
        // The cause comes first (T2).
        let (cause, _) = self.cause.get_or_init(|| (cause, now_ms));
        let mut ended = false;
        loop {
            ended |= self.change(OPEN, READ_ONLY) || self.change(DISK_FULL, READ_ONLY);
            // Between the two it may have gone from the second to the first.
            if !self.takes_all() && !self.is_disk_full() {
                return (cause, ended);
            }
        }
    }

    /// Why it takes no more writes, if it was not closed alone, and since when.
    pub fn cause(&self) -> Option<&(Arc<Error>, u64)> {
        self.cause.get()
    }

    /// Takes nothing more. False when it was closed already.
    pub fn close(&self) -> bool {
        self.state.swap(CLOSED, Ordering::AcqRel) != CLOSED
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
