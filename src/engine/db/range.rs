//! The iterator that users hold.
//!
//! It has two ends, each with a merge of its own that is built when first used, so going forward costs nothing for going
//! backward, and changing direction costs no repositioning. The ends meet by comparing keys.

use super::close::Handle;
use super::gaps::WORTH_A_NOTE;
use super::snapshot_list::Moment;
use crate::engine::iter::Merge;
use crate::engine::key::KeyspaceId;
use crate::engine::read::{Covered, Pair, Source, SuperVersion, Visible};
use crate::engine::slice::Slice;
use crate::{Error, Result};
use std::sync::Arc;

/// An ordered walk over keys and values, from both ends.
///
/// It sees the database as it was when it was made, for as long as it lives; it owns what it needs (`'static + Send`).
/// While it lives, tables and write buffers of that moment stay on disk and in memory. After an error it ends.
///
/// Items are `Result<(Slice, Slice)>`; [`Iterator::rev`] walks down; both directions may be mixed on one iterator.
pub struct Range {
    view: Result<View>,
    /// Engine keys: the first one in the range, and the first one behind it.
    lower: Vec<u8>,
    upper: Option<Vec<u8>>,
    /// How many bytes of keyspace prefix to take off a key.
    prefix: usize,
    front: End,
    back: End,
    done: bool,
}

/// What a range reads.
pub(super) struct View {
    pub super_version: Arc<SuperVersion>,
    pub moment: Moment,
    /// Keeps the database open, and a snapshot's versions alive.
    pub _hold: Arc<Handle>,
}

impl View {
    /// Where a walk from `lower` on may begin, when it is known that nothing is there for a while.
    fn behind_gap(&self, lower: &[u8]) -> Option<Vec<u8>> {
        let gaps = &self._hold.inner().gaps;
        if gaps.are_known() && self.is_current() { gaps.behind(lower, self.moment) } else { None }
    }

    /// Notes that nothing is there for a while.
    fn note_gap(&self, gap: (&[u8], &[u8])) {
        let inner = self._hold.inner();
        if !inner.gaps.are_known() {
            let committer = inner.commit.lock();
            inner.gaps.begin(committer.next_seq - 1);
        }
        inner.gaps.note_gap(gap, self.moment, || self.is_current());
    }

    /// Whether it has all writes so far.
    fn is_current(&self) -> bool {
        Arc::ptr_eq(&self.super_version, &self._hold.inner().super_version.load())
    }
}

#[derive(Default)]
struct End {
    visible: Option<Visible<Covered<Merge<Source>>>>,
    /// The engine key given out last at this end.
    last: Option<Slice>,
}

impl Range {
    pub(super) fn new(view: Result<View>, keyspace: KeyspaceId, bounds: (Vec<u8>, Option<Vec<u8>>)) -> Range {
        let (lower, upper) = bounds;
        let prefix = keyspace.prefix_len();
        Range { view, lower, upper, prefix, front: End::default(), back: End::default(), done: false }
    }

    fn step(&mut self, forward: bool) -> Result<Option<(Slice, Slice)>> {
        let pair = if forward && self.front.visible.is_none() { self.first()? } else { self.walk(forward)? };
        let Some((key, found)) = pair else { return Ok(None) };
        let end = if forward { &mut self.front } else { &mut self.back };
        end.last = Some(key.clone());
        if let (Some(front), Some(back)) = (&self.front.last, &self.back.last)
            && front >= back
        {
            return Ok(None);
        }
        Ok(Some((key.skip(self.prefix), found.value)))
    }

    /// The first step from the front: over a gap, where one is known (`gaps`).
    fn first(&mut self) -> Result<Option<Pair>> {
        let view = self.view.as_ref().map_err(Error::clone)?;
        let behind = view.behind_gap(&self.lower);
        let asked = behind.map(|lower| std::mem::replace(&mut self.lower, lower));
        let pair = self.walk(true)?;
        let passed = self.front.visible.as_ref().map_or(0, Visible::passed);
        let found = pair.as_ref().map(|(key, _)| &**key).or(self.upper.as_deref());
        if let (true, Some(end), Ok(view)) = (passed >= WORTH_A_NOTE, found, &self.view) {
            view.note_gap((asked.as_ref().unwrap_or(&self.lower).as_slice(), end));
        }
        Ok(pair)
    }

    fn walk(&mut self, forward: bool) -> Result<Option<Pair>> {
        let view = self.view.as_ref().map_err(Error::clone)?;
        let end = if forward { &mut self.front } else { &mut self.back };
        let upper = self.upper.as_deref();
        let visible = end.visible.get_or_insert_with(|| {
            let Moment { seq, now } = view.moment;
            Visible::new(view.super_version.cursor(&self.lower, upper, seq), seq, now)
        });
        if forward { visible.next(&self.lower, upper) } else { visible.prev(&self.lower, upper) }
    }

    fn yielded(&mut self, forward: bool) -> Option<Result<(Slice, Slice)>> {
        if self.done {
            return None;
        }
        let step = self.step(forward).transpose();
        self.done = !matches!(step, Some(Ok(_)));
        step
    }
}

impl Iterator for Range {
    type Item = Result<(Slice, Slice)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.yielded(true)
    }
}

impl DoubleEndedIterator for Range {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.yielded(false)
    }
}

impl std::iter::FusedIterator for Range {}

impl std::fmt::Debug for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let upper = self.upper.as_deref().unwrap_or_default().escape_ascii();
        write!(f, "Range(\"{}\"..\"{upper}\")", self.lower.escape_ascii())
    }
}
