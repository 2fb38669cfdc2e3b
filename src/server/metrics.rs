//! What the server counts.

use crate::sync::plain::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters since the start. Connections add to them once a pass.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Connections that were accepted.
    pub(super) connections: AtomicU64,
    /// Connections that were turned away since there were too many.
    pub(super) rejected: AtomicU64,
    /// Requests that were carried out or refused.
    pub(super) commands: AtomicU64,
    /// Writes among them.
    pub(super) puts: AtomicU64,
    /// Deletions among them.
    pub(super) deletes: AtomicU64,
    /// Keys that were looked for and there.
    pub(super) hits: AtomicU64,
    /// Keys that were looked for and not there.
    pub(super) misses: AtomicU64,
    /// Bytes that came in.
    pub(super) bytes_in: AtomicU64,
    /// Bytes that went out.
    pub(super) bytes_out: AtomicU64,
    /// Error replies.
    pub(super) errors: AtomicU64,
    /// Logins that failed.
    pub(super) logins_failed: AtomicU64,
}

impl Metrics {
    /// Adds to a counter; nothing is touched for nothing.
    pub(super) fn add(counter: &AtomicU64, count: u64) {
        if count > 0 {
            counter.fetch_add(count, Relaxed);
        }
    }

    /// Sets all counters back.
    pub(super) fn reset(&self) {
        for counter in [
            &self.connections,
            &self.rejected,
            &self.commands,
            &self.hits,
            &self.misses,
            &self.bytes_in,
            &self.bytes_out,
            &self.errors,
            &self.logins_failed,
        ] {
            counter.store(0, Relaxed);
        }
    }
}
