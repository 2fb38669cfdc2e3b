//! The wire protocols: bytes to requests, replies to bytes, and nothing else.
//!
//! No sockets, no runtime, no database: a decoder is given what has arrived so far and says what it is; an encoder
//! appends to a buffer. So every rule of a protocol is tested with literal bytes.
//!
//! All protocols share [`Request`] and [`Reply`], and so one service that carries requests out. What is special to a
//! protocol, such as the words of its error messages, stays with it: a decoder says beside each request in which [`Form`]
//! the reply to it is written.
//!
//! Reading order: [`request`](Request), [`reply`](Reply), [`form`](Form), [`pairs`](Pairs), [`tables`], then a folder for each protocol:
//! [`json_lines`], [`resp`], [`text`], [`framed`]; what several of them need is in `json`, `lines` and `http`; last [`detect`], which tells them apart.

pub mod detect;
mod form;
pub mod framed;
mod http;
mod json;
pub mod json_lines;
mod lines;
mod pairs;
mod reply;
mod request;
pub mod resp;
pub mod tables;
pub mod text;

pub use form::Form;
pub use pairs::Pairs;
pub use reply::{DatabaseProblem, Denial, Reply, entry_weight};
pub use request::{Credentials, RangeRequest, Request, Token};
