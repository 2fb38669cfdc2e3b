//! Sorted tables.

pub mod summary;
