//! The iterator that users hold.
//!
//! It has two ends, each with a merge of its own that is built when first used, so going forward costs nothing for going
//! backward, and changing direction costs no repositioning. The ends meet by comparing keys.

use super::close::Handle;
use super::gaps::WORTH_A_NOTE;
use super::snapshot_list::Moment;
use crate::engine::iter::Merge;
use crate::engine::key::KeyspaceId;
use crate::engine::read::{Covered, Source, SuperVersion, Visible};
use crate::engine::slice::Slice;
use crate::sync::atomic::Ordering;
use crate::{Error, Result};
use std::sync::Arc;

/// An ordered walk over keys and values, from both ends.
///
/// It sees the database as it was when it was made, for as long as it lives; it owns what it needs (`'static + Send`).
/// While it lives, tables and write buffers of that moment stay on disk and in memory. After an error it ends.
///
/// Items are `Result<(Slice, Slice)>`; [`Iterator::rev`] walks down; both directions may be mixed on one iterator.
/// [`Range::keys`] walks over the keys alone, [`Range::page`] and [`Range::resume_token`] serve those who come back later, and
/// [`Range::refresh`] goes on with what has been written meanwhile.
pub struct Range {
    view: Result<View>,
    keyspace: KeyspaceId,
    /// Engine keys: the first one in the range, and the first one behind it.
    lower: Vec<u8>,
    upper: Option<Vec<u8>>,
    keys_only: bool,
    front: End,
    back: End,
    done: bool,
}

/// What a range reads.
#[derive(Clone)]
pub(super) struct View {
    pub super_version: Arc<SuperVersion>,
    pub moment: Moment,
    /// Keeps the database open, and a snapshot's versions alive.
    pub hold: Arc<Handle>,
}

impl View {
    /// Where a walk from `lower` on may begin, when it is known that nothing is there for a while.
    fn behind_gap(&self, lower: &[u8]) -> Option<Vec<u8>> {
        let gaps = &self.hold.inner().gaps;
        if gaps.are_known() && self.is_current() { gaps.behind(lower, self.moment) } else { None }
    }

    /// Notes that nothing is there for a while.
    fn note_gap(&self, gap: (&[u8], &[u8])) {
        let inner = self.hold.inner();
        if !inner.gaps.are_known() {
            let committer = inner.commit.lock();
            inner.gaps.begin(committer.next_seq - 1);
        }
        inner.gaps.note_gap(gap, self.moment, || self.is_current());
    }

    /// Whether it has all writes so far.
    fn is_current(&self) -> bool {
        Arc::ptr_eq(&self.super_version, &self.hold.inner().super_version.load())
    }
}

#[derive(Default)]
struct End {
    visible: Option<Visible<Covered<Merge<Source>>>>,
}

impl End {
    /// The engine key given out last at this end.
    #[inline]
    fn last(&self) -> Option<&[u8]> {
        self.visible.as_ref().and_then(Visible::key)
    }
}

impl View {
    /// The present.
    pub fn now(hold: &Arc<Handle>) -> Result<View> {
        let inner = hold.inner();
        inner.check_readable()?;
        // The order of these two lines is `read` R1.
        let super_version = inner.super_version.load_full();
        let seq = inner.visible.0.load(Ordering::Acquire);
        let moment = Moment { seq, now: inner.time.of_reader(&*inner.options.clock) };
        Ok(View { super_version, moment, hold: Arc::clone(hold) })
    }

    fn is_as_of(&self, other: &View) -> bool {
        self.moment == other.moment && Arc::ptr_eq(&self.super_version, &other.super_version)
    }
}

impl Range {
    pub(super) fn new(view: Result<View>, keyspace: KeyspaceId, bounds: (Vec<u8>, Option<Vec<u8>>)) -> Range {
        let (lower, upper) = bounds;
        let (front, back) = (End::default(), End::default());
        Range { view, keyspace, lower, upper, keys_only: false, front, back, done: false }
    }

    /// Goes on over the keys alone: no value is copied, or kept in memory.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// db.put("user:1", "a long description")?;
    /// for key in db.prefix("user:").keys() {
    ///     assert_eq!(key?, b"user:1");
    /// }
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    #[must_use]
    pub fn keys(mut self) -> RangeKeys {
        self.keys_only = true;
        for end in [&mut self.front, &mut self.back] {
            end.visible.iter_mut().for_each(Visible::without_values);
        }
        RangeKeys(self)
    }

    /// Brings the iterator to the present: what is left of it, from the key that it gave out last on, is what the database holds
    /// now. An iterator that has come to its end goes on with what was written behind it; one that was made from a snapshot
    /// leaves it. What it read until now is let go of.
    ///
    /// Costs next to nothing when nothing was written since; otherwise as much as making a new one, at the next step.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// db.put("1", "first")?;
    /// let mut queue = db.iter();
    /// assert_eq!(queue.next().unwrap()?.0, b"1");
    /// assert!(queue.next().is_none());
    /// db.put("2", "second")?;
    /// queue.refresh()?;
    /// assert_eq!(queue.next().unwrap()?.0, b"2");
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Closed`]; then it is as it was before.
    pub fn refresh(&mut self) -> Result<()> {
        let before = self.view.as_ref().map_err(Error::clone)?;
        let view = View::now(&before.hold)?;
        if view.is_as_of(before) {
            return Ok(());
        }
        if let Some(last) = self.front.last() {
            self.lower.clear();
            self.lower.extend_from_slice(last);
            // The key right behind it.
            self.lower.push(0);
        }
        if let Some(last) = self.back.last() {
            let upper = self.upper.get_or_insert_default();
            upper.clear();
            upper.extend_from_slice(last);
        }
        (self.front.visible, self.back.visible) = (None, None);
        self.view = Ok(view);
        self.done = false;
        Ok(())
    }

    /// What is left to walk over, as engine keys: the first one, and the first one behind it.
    pub(super) fn rest(&self) -> (Vec<u8>, Option<&[u8]>) {
        let lower = match self.front.last() {
            Some(last) => [last, &[0]].concat(),
            None => self.lower.clone(),
        };
        (lower, self.back.last().or(self.upper.as_deref()))
    }

    /// Where it reads, and in which keyspace.
    pub(super) fn place(&self) -> Result<(&Arc<Handle>, KeyspaceId)> {
        let view = self.view.as_ref().map_err(Error::clone)?;
        Ok((&view.hold, self.keyspace))
    }

    /// The next entry that `is` lets through. Going up, nothing of others is copied, and no block is held for them.
    #[inline]
    fn step(
        &mut self,
        forward: bool,
        is: &mut impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<Option<(Slice, Slice)>> {
        loop {
            let is_there =
                if forward && self.front.visible.is_none() { self.first()? } else { self.walk(forward)? };
            let (end, other) =
                if forward { (&mut self.front, &self.back) } else { (&mut self.back, &self.front) };
            let (true, Some(visible)) = (is_there, &mut end.visible) else { return Ok(None) };
            let key = visible.key().unwrap_or_default();
            if other.last().is_some_and(|last| if forward { key >= last } else { key <= last }) {
                visible.step_off();
                return Ok(None);
            }
            let key = key.get(self.keyspace.prefix_len()..).unwrap_or_default();
            if is(key, visible.value()) {
                let key = Slice::copy_of(key);
                return Ok(Some((key, visible.take_value())));
            }
        }
    }

    /// The first step from the front: over a gap, where one is known (`gaps`).
    #[inline(never)]
    fn first(&mut self) -> Result<bool> {
        let view = self.view.as_ref().map_err(Error::clone)?;
        let behind = view.behind_gap(&self.lower);
        let asked = behind.map(|lower| std::mem::replace(&mut self.lower, lower));
        let is_there = self.walk(true)?;
        let passed = self.front.visible.as_ref().map_or(0, Visible::passed);
        let found = self.front.last().or(self.upper.as_deref());
        if let (true, Some(end), Ok(view)) = (passed >= WORTH_A_NOTE, found, &self.view) {
            view.note_gap((asked.as_ref().unwrap_or(&self.lower).as_slice(), end));
        }
        // The gap is one of this moment: whoever refreshes the iterator begins where it did.
        if let Some(asked) = asked {
            self.lower = asked;
        }
        Ok(is_there)
    }

    #[inline]
    fn walk(&mut self, forward: bool) -> Result<bool> {
        let view = self.view.as_ref().map_err(Error::clone)?;
        let end = if forward { &mut self.front } else { &mut self.back };
        let upper = self.upper.as_deref();
        let visible = end.visible.get_or_insert_with(|| {
            let Moment { seq, now } = view.moment;
            let mut visible = Visible::new(view.super_version.cursor(&self.lower, upper, seq), seq, now);
            if self.keys_only {
                visible.without_values();
            }
            visible
        });
        if forward { visible.next(&self.lower, upper) } else { visible.prev(&self.lower, upper) }
    }

    #[inline]
    fn yielded(&mut self, forward: bool) -> Option<Result<(Slice, Slice)>> {
        self.next_where(forward, &mut |_, _| true)
    }

    /// The next entry from either end that `is` lets through; it is shown the others, too.
    #[inline]
    pub(crate) fn next_where(
        &mut self,
        forward: bool,
        is: &mut impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Option<Result<(Slice, Slice)>> {
        if self.done {
            return None;
        }
        let step = self.step(forward, is).transpose();
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

/// An ordered walk over the keys of a [`Range`], from both ends. See [`Range::keys`].
pub struct RangeKeys(Range);

impl Iterator for RangeKeys {
    type Item = Result<Slice>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.yielded(true).map(|pair| pair.map(|(key, _)| key))
    }
}

impl DoubleEndedIterator for RangeKeys {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.yielded(false).map(|pair| pair.map(|(key, _)| key))
    }
}

impl std::iter::FusedIterator for RangeKeys {}

impl std::fmt::Debug for RangeKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}.keys()", self.0)
    }
}

impl std::fmt::Debug for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let upper = self.upper.as_deref().unwrap_or_default().escape_ascii();
        write!(f, "Range(\"{}\"..\"{upper}\")", self.lower.escape_ascii())
    }
}
