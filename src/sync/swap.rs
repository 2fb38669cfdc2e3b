//! The `ArcSwap` of a checked build. Arc-swap switches no threads itself; but what a thread does before it looks, and what after,
//! others may come between, and so the scheduler must see each look.

use super::atomic::{AtomicBool, Ordering};
use arc_swap::Guard;
use std::sync::Arc;

/// As `arc_swap::ArcSwap`.
pub struct ArcSwap<T> {
    inner: arc_swap::ArcSwap<T>,
    /// Says nothing; that it is touched is what the scheduler sees.
    touched: AtomicBool,
}

impl<T> ArcSwap<T> {
    pub fn from_pointee(value: T) -> ArcSwap<T> {
        ArcSwap { inner: arc_swap::ArcSwap::from_pointee(value), touched: AtomicBool::new(false) }
    }

    pub fn load(&self) -> Guard<Arc<T>> {
        self.touched.load(Ordering::Relaxed);
        self.inner.load()
    }

    pub fn load_full(&self) -> Arc<T> {
        self.touched.load(Ordering::Relaxed);
        self.inner.load_full()
    }

    pub fn store(&self, value: Arc<T>) {
        self.touched.store(true, Ordering::Relaxed);
        self.inner.store(value);
    }
}
