//! The server over real sockets on the loopback address. Nothing here sleeps, and every read has a deadline.
//!
//! `talk` the protocol's table, word by word · `framing` splits, pipelines, lines that are none · `limits` each limit of
//! the configuration · `durability` what is answered when · `concurrency` many clients · `misbehaviour` clients that
//! do wrong beside one that does right · `harness` a server and a client for tests · `gated` an engine whose syncs and
//! room a test opens by hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod concurrency;
mod durability;
mod framing;
mod gated;
mod harness;
mod limits;
mod misbehaviour;
mod talk;
