//! Walking over one part of a memtable.

use super::any_index::AnyIndex;
use super::index::Index;
use super::run::RunCursor;
use crate::Result;
use crate::engine::iter::Cursor;
use crate::engine::key::Trailer;

/// A cursor over one part of a memtable. It keeps alive what it reads, and no more.
pub enum MemCursor<I: Index = AnyIndex> {
    /// Over the entries written last. Ones written meanwhile may turn up, with higher sequence numbers than any that
    /// was visible: whoever reads filters by sequence number anyway.
    Recent(I::Cursor),
    /// Over a sealed run.
    Run(RunCursor),
}

macro_rules! forward {
    ($self:ident, $cursor:ident => $call:expr) => {
        match $self {
            MemCursor::Recent($cursor) => $call,
            MemCursor::Run($cursor) => $call,
        }
    };
}

impl<I: Index> Cursor for MemCursor<I> {
    fn seek_first(&mut self) -> Result<()> {
        forward!(self, c => c.seek_first())
    }

    fn seek_last(&mut self) -> Result<()> {
        forward!(self, c => c.seek_last())
    }

    fn seek(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        forward!(self, c => c.seek(key, trailer))
    }

    fn seek_before(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        forward!(self, c => c.seek_before(key, trailer))
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        forward!(self, c => c.next())
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        forward!(self, c => c.prev())
    }

    fn pass(&mut self, key: &[u8], seq: u64) -> Result<()> {
        forward!(self, c => c.pass(key, seq))
    }

    fn pass_back(&mut self, key: &[u8], seq: u64) -> Result<()> {
        forward!(self, c => c.pass_back(key, seq))
    }

    #[inline]
    fn valid(&self) -> bool {
        forward!(self, c => c.valid())
    }

    #[inline]
    fn key(&self) -> &[u8] {
        forward!(self, c => c.key())
    }

    #[inline]
    fn trailer(&self) -> Trailer {
        forward!(self, c => c.trailer())
    }

    #[inline]
    fn value(&self) -> &[u8] {
        forward!(self, c => c.value())
    }
}
