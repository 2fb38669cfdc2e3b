//! A walk over what a transaction sees: the snapshot, and over it the transaction's own writes.
//!
//! Both are walked from both ends and compared by their keys; of two with one key the transaction's counts. Each of the four
//! ends may hold an item that was looked at and not given out yet. When a source has nothing more for one end, what was
//! looked at from its other end may still come. Of the snapshot only what lies between the ranges that the transaction has
//! deleted is walked, piece by piece.

use super::reads::{Span, Walk};
use super::writes::{Write, Writes};
use crate::engine::db::range::{Range, View};
use crate::engine::key::KeyspaceId;
use crate::engine::slice::Slice;
use crate::sync::Mutex;
use crate::{Error, Result};
use std::cmp::Ordering;
use std::iter::FlatMap;
use std::ops::Bound;
use std::sync::Arc;
use std::vec::IntoIter;

type Pair = (Slice, Slice);

/// A part of the snapshot that is to be walked.
type Piece = (Result<View>, KeyspaceId, Span);
/// One after the other, each begun when it is come to.
type Pieces = FlatMap<IntoIter<Piece>, Range, fn(Piece) -> Range>;

/// An ordered walk, from both ends, over what a [`Transaction`](crate::Transaction) sees.
///
/// It sees the transaction's own writes up to when it was made, owns what it needs (`'static + Send`), and so does not keep the
/// transaction from writing meanwhile. As far as it is walked, it belongs to what the transaction has read, also where the
/// transaction had deleted everything; what is walked after the commit does not. After an error it ends.
pub struct TransactionRange {
    snapshot: Peeking<Pieces>,
    own: Peeking<Own>,
    walk: Result<Arc<Mutex<Walk>>>,
    /// What the engine keys begin with.
    prefix: Vec<u8>,
    done: bool,
}

impl TransactionRange {
    pub(super) fn new(
        view: Result<View>,
        writes: Writes,
        walk: Result<Arc<Mutex<Walk>>>,
        keyspace: KeyspaceId,
        span: Span,
    ) -> TransactionRange {
        // When all of it is deleted nobody else would tell.
        let walk = view.as_ref().map_err(Error::clone).and(walk);
        let pieces: Vec<Piece> =
            writes.gaps(&span).into_iter().map(|gap| (view.clone(), keyspace, gap)).collect();
        let range: fn(Piece) -> Range = |(view, keyspace, gap)| Range::new(view, keyspace, gap);
        let snapshot = Peeking::new(pieces.into_iter().flat_map(range));
        let (lower, upper) = span;
        let mut prefix = Vec::with_capacity(4);
        keyspace.put_prefix(&mut prefix);
        let lower = Bound::Included(Slice::copy_of(&lower));
        let upper = upper.map_or(Bound::Unbounded, |upper| Bound::Excluded(Slice::copy_of(&upper)));
        let own = Peeking::new(Own { writes, lower, upper, prefix: prefix.len() });
        TransactionRange { snapshot, own, walk, prefix, done: false }
    }

    fn step(&mut self, forward: bool) -> Result<Option<Pair>> {
        let walk = self.walk.as_ref().map_err(Error::clone)?;
        loop {
            let order = match (self.snapshot.peek(forward), self.own.peek(forward)) {
                (Some(Err(error)), _) => return Err(error.clone()),
                (None, None) => {
                    walk.lock().came_to_the_end();
                    return Ok(None);
                }
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(Ok((theirs, _))), Some((ours, _))) if forward => theirs.cmp(ours),
                (Some(Ok((theirs, _))), Some((ours, _))) => ours.cmp(theirs),
            };
            let theirs = if order.is_le() { self.snapshot.take(forward).transpose()? } else { None };
            let pair = match if order.is_ge() { self.own.take(forward) } else { None } {
                None => theirs,
                Some((key, write)) => write.value().map(|(value, _)| (key, value.clone())),
            };
            if let Some((key, value)) = pair {
                walk.lock().came_to(forward, &self.prefix, &key);
                return Ok(Some((key, value)));
            }
        }
    }

    fn yielded(&mut self, forward: bool) -> Option<Result<Pair>> {
        if self.done {
            return None;
        }
        let step = self.step(forward).transpose();
        self.done = !matches!(step, Some(Ok(_)));
        step
    }
}

impl Iterator for TransactionRange {
    type Item = Result<Pair>;

    fn next(&mut self) -> Option<Self::Item> {
        self.yielded(true)
    }
}

impl DoubleEndedIterator for TransactionRange {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.yielded(false)
    }
}

impl std::iter::FusedIterator for TransactionRange {}

impl std::fmt::Debug for TransactionRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransactionRange").field("walk", &self.walk).finish_non_exhaustive()
    }
}

/// The transaction's own writes between two bounds, which close in: user keys.
struct Own {
    writes: Writes,
    lower: Bound<Slice>,
    upper: Bound<Slice>,
    /// How many bytes of keyspace prefix to take off a key.
    prefix: usize,
}

impl Own {
    fn end(&mut self, forward: bool) -> Option<(Slice, Write)> {
        if self.writes.is_empty() || !self.is_open() {
            return None;
        }
        let bounds = (self.lower.as_ref().map(|key| &**key), self.upper.as_ref().map(|key| &**key));
        let (key, write) = self.writes.end(forward, bounds)?;
        *(if forward { &mut self.lower } else { &mut self.upper }) = Bound::Excluded(key.clone());
        Some((key.skip(self.prefix), write))
    }

    /// Whether a key can lie between the bounds; the map panics where the first is behind the second.
    fn is_open(&self) -> bool {
        use Bound::{Excluded, Included, Unbounded};
        match (&self.lower, &self.upper) {
            (Unbounded, _) | (_, Unbounded) => true,
            (Included(lower), Included(upper)) => lower <= upper,
            (Included(lower) | Excluded(lower), Included(upper) | Excluded(upper)) => lower < upper,
        }
    }
}

impl Iterator for Own {
    type Item = (Slice, Write);

    fn next(&mut self) -> Option<Self::Item> {
        self.end(true)
    }
}

impl DoubleEndedIterator for Own {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.end(false)
    }
}

/// An iterator whose next item can be looked at, at either end.
struct Peeking<I: Iterator> {
    inner: I,
    front: Option<I::Item>,
    back: Option<I::Item>,
}

impl<I: DoubleEndedIterator> Peeking<I> {
    fn new(inner: I) -> Peeking<I> {
        Peeking { inner, front: None, back: None }
    }

    fn peek(&mut self, forward: bool) -> Option<&I::Item> {
        let Peeking { inner, front, back } = self;
        let (here, there) = if forward { (front, back) } else { (back, front) };
        if here.is_none() {
            *here = if forward { inner.next() } else { inner.next_back() };
        }
        here.as_ref().or(there.as_ref())
    }

    fn take(&mut self, forward: bool) -> Option<I::Item> {
        self.peek(forward);
        let (here, there) =
            if forward { (&mut self.front, &mut self.back) } else { (&mut self.back, &mut self.front) };
        here.take().or_else(|| there.take())
    }
}
