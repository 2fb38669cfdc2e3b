//! The server over real sockets on the loopback address. Nothing here sleeps but the hostile clients, and every read has a
//! deadline.
//!
//! `client` our own client · `talk` the protocol's table, word by word · `auth` who is let in · `tls` encrypted · `web` metrics ·
//! `framing` splits, pipelines, lines that are none · `limits` each limit of
//! the configuration · `durability` what is answered when · `fairness` what takes long keeps
//! nobody waiting · `concurrency` many clients · `misbehaviour` clients that
//! do wrong beside one that does right · `hostile` many of them at once, against the real program · `linear` many clients, kills and restarts, explained by
//! an order · `harness` a server and a client for tests · `gated` an engine whose syncs and
//! room a test opens by hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod auth;
mod begin;
#[cfg(feature = "client")]
mod client;
mod concurrency;
mod doors;
mod durability;
mod fairness;
#[cfg(feature = "cli")]
#[allow(dead_code, reason = "tests/it uses the rest")]
#[path = "../common/footprint.rs"]
mod footprint;
mod framed;
mod framing;
mod gated;
mod harness;
#[cfg(feature = "cli")]
mod hostile;
mod limits;
#[cfg(feature = "cli")]
mod linear;
mod misbehaviour;
#[cfg(all(feature = "planted-bugs", feature = "cli"))]
#[path = "../common/planted/mod.rs"]
mod planted;
#[cfg(feature = "cli")]
#[allow(dead_code, reason = "tests/it uses the rest")]
#[path = "../it/program.rs"]
mod program;
mod resp;
#[cfg(feature = "cli")]
#[allow(dead_code, reason = "tests/it uses the rest")]
#[path = "../it/support.rs"]
mod support;
mod tables;
mod talk;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "metrics")]
mod web;
