//! Views of moments that clients keep.

use crate::store::View;
use crate::sync::plain::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How many snapshots are kept at a time, and for how long one that nobody asks: a snapshot keeps what it sees on disk.
pub(super) const MAX_SNAPSHOTS: usize = 1024;
const SNAPSHOT_LIFE: Duration = Duration::from_secs(600);

/// Views of moments that clients keep.
#[derive(Default)]
pub(super) struct Snapshots(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    next: u64,
    views: BTreeMap<u64, (Arc<dyn View>, Instant)>,
}

impl Snapshots {
    /// Lets go of those that were not asked for long.
    pub(super) fn expire(&self) {
        self.0.lock().views.retain(|_, (_, asked)| asked.elapsed() < SNAPSHOT_LIFE);
    }

    /// Keeps a view; its number, or `None` when there are as many as may be.
    pub(super) fn open(&self, view: Arc<dyn View>) -> Option<u64> {
        self.expire();
        let mut kept = self.0.lock();
        if kept.views.len() >= MAX_SNAPSHOTS {
            return None;
        }
        kept.next += 1;
        let id = kept.next;
        kept.views.insert(id, (view, Instant::now()));
        Some(id)
    }

    /// The view of a number, which was asked for now.
    pub(super) fn get(&self, id: u64) -> Option<Arc<dyn View>> {
        let mut kept = self.0.lock();
        let (view, asked) = kept.views.get_mut(&id)?;
        *asked = Instant::now();
        Some(Arc::clone(view))
    }

    /// Lets go of a view; whether it was there.
    pub(super) fn close(&self, id: u64) -> bool {
        self.0.lock().views.remove(&id).is_some()
    }
}
