//! Opening the tables of a database that was just opened, so that the first reads need not.
//!
//! Opening a database touches no table. Once it is open, a thread opens them all beside whatever else happens, in parallel on a
//! pool of its own that ends with the work. A table that cannot be opened is passed over: its first reader gets the error.

use super::inner::Inner;
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Opens all tables of the present version; ends early when the database closes.
pub fn open_tables(inner: &Inner) {
    let version = Arc::clone(&inner.super_version.load().version);
    let tables: Vec<_> = version.tables().map(|(_, table)| table).collect();
    let Some(pool) = pool("siltstone-open") else { return };
    let open = |inner: &Inner| {
        tables.par_iter().for_each(|table| {
            if !inner.stop.load(Ordering::Relaxed) {
                let _ = table.handle.open();
            }
        });
    };
    pool.install(|| open(inner));
}

/// A pool for work on many tables: threads named so, as many as there are cores. `None` when the system gives no threads.
pub fn pool(name: &'static str) -> Option<rayon::ThreadPool> {
    let named = move |i| format!("{name}-{i}");
    let built = rayon::ThreadPoolBuilder::new().thread_name(named).build();
    built.inspect_err(|error| tracing::warn!(%error, name, "no threads for a pool")).ok()
}
