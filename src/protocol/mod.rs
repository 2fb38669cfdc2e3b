//! The wire protocols: bytes to requests, replies to bytes, and nothing else.
//!
//! No sockets, no runtime, no database: a decoder is given what has arrived so far and says what it is; an encoder
//! appends to a buffer. So every rule of a protocol is tested with literal bytes.
//!
//! All protocols share [`Request`] and [`Reply`], and so one service that carries requests out. What is special to a
//! protocol, such as the words of its error messages, stays with it.
//!
//! Reading order: this page, [`pairs`](Pairs), then [`json_lines`].

pub mod json_lines;
mod pairs;

pub use pairs::Pairs;

use crate::Slice;
use crate::store::Value;
use std::borrow::Cow;

/// What a client asks for. Keys and values are borrowed from the bytes they came in where those could be taken as
/// they are.
#[derive(Debug, Clone)]
pub enum Request<'a> {
    /// Are you there?
    Ping,
    /// The value of a key.
    Get {
        /// The key.
        key: Cow<'a, [u8]>,
    },
    /// All entries between two keys.
    Range(RangeRequest<'a>),
    /// Set a key.
    Put {
        /// The key.
        key: Cow<'a, [u8]>,
        /// Its new value.
        value: Value<'a>,
    },
    /// Remove a key that must be there.
    Delete {
        /// The key.
        key: Cow<'a, [u8]>,
    },
    /// Set several keys, all or none.
    Batch(Pairs),
}

/// Which entries a range asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRequest<'a> {
    /// The first key, inclusive.
    pub start: Cow<'a, [u8]>,
    /// The last key, inclusive. Below `start` the range is empty.
    pub end: Cow<'a, [u8]>,
    /// At most this many entries.
    pub limit: Option<usize>,
    /// From the last key to the first.
    pub reverse: bool,
}

/// What became of a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// I am here.
    Pong,
    /// The write was done, and is as durable as the database was told to make it.
    Done,
    /// The stored form of the value, or that there is none.
    Value(Option<Slice>),
    /// The entries of a range in the order asked for, values in their stored form.
    Entries(Vec<(Slice, Slice)>),
    /// There was no such key to delete.
    NotFound,
    /// A put was over a limit of the store. Nothing was done.
    PutRefused,
    /// A batch was over a limit of the store. Nothing was done.
    BatchRefused,
    /// The request could not be carried out, and why. The text names no file of the server.
    Failed(Cow<'static, str>),
}

impl Reply {
    /// About how many bytes the reply holds in memory, and will have at least on the wire.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Reply::Value(Some(value)) => value.len(),
            Reply::Entries(entries) => entries.iter().map(entry_weight).sum(),
            _ => 0,
        }
    }
}

/// What an entry adds to the weight of a reply: its bytes, and those that are needed to hold and separate it.
#[must_use]
pub fn entry_weight((key, value): &(Slice, Slice)) -> usize {
    key.len() + value.len() + size_of::<(Slice, Slice)>()
}
