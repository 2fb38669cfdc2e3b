//! Opening the tables of a database that was just opened, so that the first reads need not.
//!
//! Opening a database touches no table. Once it is open, a thread opens them all beside whatever else happens, in parallel on a
//! pool of its own that ends with the work, as many as there is memory for. A table that cannot be opened is passed over: its first reader gets the error.

use super::inner::Inner;
use crate::sync::atomic::Ordering;
use crate::sync::map_in_parallel;
use std::sync::Arc;

/// Opens all tables of the present version; ends early when the database closes.
pub fn open_tables(inner: &Inner) {
    let version = Arc::clone(&inner.super_version.load().version);
    let tables: Vec<_> = version.tables().map(|(_, table)| table).collect();
    map_in_parallel("siltstone-open", &tables, |table| {
        if !inner.stop.load(Ordering::Relaxed) && inner.files.has_room() {
            let _ = table.handle.open();
        }
    });
}
