//! The iterator contract inside the engine, and the merge of several sorted runs.
//!
//! A [`Cursor`] walks the entries of one sorted run, or of several merged ones, in the order of `key` (engine key
//! ascending, trailer descending). It owns what it reads (an `Arc`), so it is `'static + Send`.
//!
//! (C1) A new cursor is not positioned. After a positioning or stepping call it is either at an entry (`valid`) or past
//!      an end (not `valid`). After an error it is not valid.
//! (C2) `key`, `trailer`, `value` and their shared forms may only be called while `valid`.
//! (C3) `next` and `prev` may only be called while `valid`; walking off an end makes it invalid, and only a positioning call
//!      makes it valid again.

mod either;
mod merge;
pub(crate) use either::cursor_of_variants;
pub use merge::Merge;

use super::key::Trailer;
use super::slice::Slice;
use crate::{Error, Result};
use std::path::Path;

/// A position in sorted entries. The invariants C1 to C3 are at the top of the module.
pub trait Cursor: Send {
    /// Goes to the first entry.
    fn seek_first(&mut self) -> Result<()>;
    /// Goes to the last entry.
    fn seek_last(&mut self) -> Result<()>;
    /// Goes to the first entry at or after `(key, trailer)`.
    fn seek(&mut self, key: &[u8], trailer: Trailer) -> Result<()>;
    /// Goes to the last entry before `(key, trailer)`.
    fn seek_before(&mut self, key: &[u8], trailer: Trailer) -> Result<()>;
    /// Goes to the next entry.
    fn next(&mut self) -> Result<()>;
    /// Goes to the entry before.
    fn prev(&mut self) -> Result<()>;
    /// Goes to a later entry, over as many as it can pass at once of those that come before `key` and have a sequence number
    /// below `seq`. It need not pass more than the one that it is at.
    fn pass(&mut self, _key: &[u8], _seq: u64) -> Result<()> {
        self.next()
    }
    /// Goes to an earlier entry, over as many as it can pass at once of those that are at `key` or come after it and have a
    /// sequence number below `seq`. It need not pass more than the one that it is at.
    fn pass_back(&mut self, _key: &[u8], _seq: u64) -> Result<()> {
        self.prev()
    }
    /// For how many steps forward, at least, its key stays below `upper`. So a bound is compared once per block, not at every
    /// entry; 0, which says nothing, is always right. Passing and seeking end it.
    fn steps_below(&self, _upper: &[u8]) -> usize {
        0
    }
    /// For how many steps backward, at least, its key stays at or above `lower`: as [`Cursor::steps_below`].
    fn steps_above(&self, _lower: &[u8]) -> usize {
        0
    }
    /// True when it is at an entry.
    fn valid(&self) -> bool;
    /// The engine key of the entry.
    fn key(&self) -> &[u8];
    /// Sequence number and kind of the entry.
    fn trailer(&self) -> Trailer;
    /// The value of the entry.
    fn value(&self) -> &[u8];
    /// The value, sharing the memory it lies in where that is worth it.
    fn value_slice(&self) -> Slice {
        Slice::copy_of(self.value())
    }
}

/// The error for entries that are not in order though every checksum is right: a builder made no such table. Which of
/// those that are merged it was is not known here; `verify` names it.
#[cold]
pub fn unordered(key: &[u8], before: &[u8]) -> Error {
    let (key, before) = (key.escape_ascii(), before.escape_ascii());
    let detail = format!("\"{key}\" comes after \"{before}\"");
    Error::corruption(Path::new("the tables of the database"), 0, "the order of entries", detail)
}
