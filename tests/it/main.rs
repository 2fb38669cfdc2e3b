//! All integration tests, one binary: a module per danger.
//!
//! | module | the danger |
//! |---|---|
//! | [`tidy`] | the house falls into disorder: an upward import, a cycle, a second place that touches the disk |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod model;
mod smoke;
mod support;
mod tidy;
