//! The memory that all connections share.
//!
//! What a client can make the server hold is its request as far as it has arrived, what becomes of it while it is carried
//! out, and the reply until it is read. Each use of memory may have [`FREE_BYTES`] without asking, so that ordinary requests
//! are served whatever others do; what is beyond is taken from one budget, and a request for which nothing is left is refused.
//!
//! (M1) What is taken is given back at the latest when the [`Share`] is dropped, so a connection that ends leaves nothing.
//! (M2) Nothing waits for the budget: those who hold parts of it may themselves wait for more, and none would get it.

use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;

/// What each use of memory may have without asking.
pub(super) const FREE_BYTES: usize = 64 << 10;

/// How many bytes are left for all.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicUsize,
}

/// What one use of memory has taken.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    held: usize,
}

impl Budget {
    /// A budget of so many bytes.
    pub(super) fn new(bytes: usize) -> Arc<Budget> {
        Arc::new(Budget { left: AtomicUsize::new(bytes) })
    }

    /// A share that holds nothing yet.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { budget: Arc::clone(self), held: 0 }
    }
}

impl Share {
    /// Holds `bytes` from now on, be that more or fewer than before. False, and it is as before, when so many are not left.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let wanted = bytes.saturating_sub(FREE_BYTES);
        let left = &self.budget.left;
        if let Some(more) = wanted.checked_sub(self.held) {
            if more > 0 && left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(more)).is_err() {
                return false;
            }
        } else {
            left.fetch_add(self.held - wanted, Relaxed);
        }
        self.held = wanted;
        true
    }

    /// Holds nothing more.
    pub(super) fn release(&mut self) {
        self.hold(0);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let budget = Budget::new(1000);
        let (mut one, mut two) = (budget.share(), budget.share());
        assert!(one.hold(FREE_BYTES) && two.hold(FREE_BYTES), "so much is free");
        assert!(one.hold(FREE_BYTES + 600));
        assert!(!two.hold(FREE_BYTES + 401));
        assert!(two.hold(FREE_BYTES + 400));
        assert!(!one.hold(FREE_BYTES + 601), "all is taken");
        assert!(one.hold(FREE_BYTES + 100));
        assert!(two.hold(FREE_BYTES + 900));
        drop(two);
        assert!(one.hold(FREE_BYTES + 1000));
        one.release();
        assert_eq!(budget.left.load(Relaxed), 1000);
    }
}
