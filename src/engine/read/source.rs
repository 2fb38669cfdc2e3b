//! What a merge can read from, as one type: a step costs a branch, not a virtual call.

use super::level_cursor::LevelCursor;
use crate::Result;
use crate::engine::iter::Cursor;
use crate::engine::key::Trailer;
use crate::engine::memtable::MemCursor;
use crate::engine::slice::Slice;

/// A sorted run of a super version.
pub enum Source {
    /// A part of a write buffer.
    Memtable(MemCursor),
    /// A level, or one table of level 0.
    Level(LevelCursor),
}

macro_rules! each {
    ($self:ident, $cursor:ident => $call:expr) => {
        match $self {
            Source::Memtable($cursor) => $call,
            Source::Level($cursor) => $call,
        }
    };
}

impl Cursor for Source {
    fn seek_first(&mut self) -> Result<()> {
        each!(self, c => c.seek_first())
    }
    fn seek_last(&mut self) -> Result<()> {
        each!(self, c => c.seek_last())
    }
    fn seek(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        each!(self, c => c.seek(key, trailer))
    }
    fn seek_before(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        each!(self, c => c.seek_before(key, trailer))
    }
    #[inline]
    fn next(&mut self) -> Result<()> {
        each!(self, c => c.next())
    }
    #[inline]
    fn prev(&mut self) -> Result<()> {
        each!(self, c => c.prev())
    }
    fn pass(&mut self, key: &[u8], seq: u64) -> Result<()> {
        each!(self, c => c.pass(key, seq))
    }
    fn pass_back(&mut self, key: &[u8], seq: u64) -> Result<()> {
        each!(self, c => c.pass_back(key, seq))
    }
    #[inline]
    fn valid(&self) -> bool {
        each!(self, c => c.valid())
    }
    #[inline]
    fn key(&self) -> &[u8] {
        each!(self, c => c.key())
    }
    #[inline]
    fn trailer(&self) -> Trailer {
        each!(self, c => c.trailer())
    }
    #[inline]
    fn value(&self) -> &[u8] {
        each!(self, c => c.value())
    }
    #[inline]
    fn value_slice(&self) -> Slice {
        each!(self, c => c.value_slice())
    }
}
