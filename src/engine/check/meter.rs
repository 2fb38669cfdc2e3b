//! Counts the bytes that were read, for whoever watches.

use super::report::Progress;
use crate::sync::atomic::{AtomicU64, Ordering};
use std::path::Path;

/// Who is told of progress, from any thread.
pub type Watch<'a> = &'a (dyn Fn(&Progress<'_>) + Sync);

/// A count that threads share.
pub struct Meter<'a> {
    watch: Watch<'a>,
    done: AtomicU64,
    total: u64,
}

impl<'a> Meter<'a> {
    /// Nothing of `total` bytes was read yet.
    #[must_use]
    pub fn new(watch: Watch<'a>, total: u64) -> Meter<'a> {
        Meter { watch, done: AtomicU64::new(0), total }
    }

    /// So many bytes more of `file` were read. Counted up to the total: a file may be read twice, or grow.
    pub fn add(&self, file: &Path, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes).min(self.total);
        (self.watch)(&Progress { file, done, total: self.total });
    }
}
