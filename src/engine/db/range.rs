//! The iterator that users hold.
//!
//! It has two ends, each with a merge of its own that is built when first used, so going forward costs nothing for going
//! backward, and changing direction costs no repositioning. The ends meet by comparing keys.

use super::close::Handle;
use super::snapshot_list::Moment;
use crate::engine::iter::Merge;
use crate::engine::key::KeyspaceId;
use crate::engine::read::{Source, SuperVersion, Visible};
use crate::engine::slice::Slice;
use crate::sync::atomic::Ordering;
use crate::{Error, Result};
use std::ops::{Bound, RangeBounds};
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
pub(super) struct View {
    pub super_version: Arc<SuperVersion>,
    pub moment: Moment,
    /// Keeps the database open, and a snapshot's versions alive.
    pub hold: Arc<Handle>,
}

#[derive(Default)]
struct End {
    visible: Option<Visible<Merge<Source>>>,
    /// The engine key given out last at this end.
    last: Option<Slice>,
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
        if let Some(last) = self.front.last.take() {
            self.lower.clear();
            self.lower.extend_from_slice(&last);
            // The key right behind it.
            self.lower.push(0);
        }
        if let Some(last) = self.back.last.take() {
            let upper = self.upper.get_or_insert_default();
            upper.clear();
            upper.extend_from_slice(&last);
        }
        (self.front.visible, self.back.visible) = (None, None);
        self.view = Ok(view);
        self.done = false;
        Ok(())
    }

    /// What is left to walk over, as engine keys: the first one, and the first one behind it.
    pub(super) fn rest(&self) -> (Vec<u8>, Option<&[u8]>) {
        let lower = match &self.front.last {
            Some(last) => [&**last, &[0]].concat(),
            None => self.lower.clone(),
        };
        (lower, self.back.last.as_deref().or(self.upper.as_deref()))
    }

    /// Where it reads, and in which keyspace.
    pub(super) fn place(&self) -> Result<(&Arc<Handle>, KeyspaceId)> {
        let view = self.view.as_ref().map_err(Error::clone)?;
        Ok((&view.hold, self.keyspace))
    }

    fn step(&mut self, forward: bool) -> Result<Option<(Slice, Slice)>> {
        let view = self.view.as_ref().map_err(Error::clone)?;
        let (end, other) =
            if forward { (&mut self.front, &self.back) } else { (&mut self.back, &self.front) };
        let upper = self.upper.as_deref();
        let visible = end.visible.get_or_insert_with(|| {
            let cursor = view.super_version.cursor(&self.lower, upper);
            let mut visible = Visible::new(cursor, view.moment.seq, view.moment.now);
            if self.keys_only {
                visible.without_values();
            }
            visible
        });
        let pair =
            if forward { visible.next(&self.lower, upper)? } else { visible.prev(&self.lower, upper)? };
        let Some((key, found)) = pair else { return Ok(None) };
        let is_met = |last: &Slice| if forward { key >= *last } else { key <= *last };
        if other.last.as_ref().is_some_and(is_met) {
            return Ok(None);
        }
        end.last = Some(key.clone());
        Ok(Some((key.skip(self.keyspace.prefix_len()), found.value)))
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

/// Engine-key limits of a range of user keys: the first key in it, and the first behind it.
pub(super) fn range_bounds<K: AsRef<[u8]>>(
    keyspace: KeyspaceId,
    range: &impl RangeBounds<K>,
) -> (Vec<u8>, Option<Vec<u8>>) {
    // The key right behind a key is the key with a zero byte appended.
    let engine_key = |key: &K, behind: bool| {
        let mut out = Vec::with_capacity(key.as_ref().len() + 5);
        keyspace.put_prefix(&mut out);
        out.extend_from_slice(key.as_ref());
        if behind {
            out.push(0);
        }
        out
    };
    let mut all = Vec::new();
    keyspace.put_prefix(&mut all);
    let upper = match range.end_bound() {
        Bound::Included(key) => Some(engine_key(key, true)),
        Bound::Excluded(key) => Some(engine_key(key, false)),
        Bound::Unbounded => prefix_end(&all),
    };
    let lower = match range.start_bound() {
        Bound::Included(key) => engine_key(key, false),
        Bound::Excluded(key) => engine_key(key, true),
        Bound::Unbounded => all,
    };
    (lower, upper)
}

/// Engine-key limits of all user keys that begin with `prefix`.
pub(super) fn prefix_bounds(keyspace: KeyspaceId, prefix: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut lower = Vec::with_capacity(prefix.len() + 4);
    keyspace.put_prefix(&mut lower);
    lower.extend_from_slice(prefix);
    let upper = prefix_end(&lower);
    (lower, upper)
}

/// The first byte string that is greater than everything beginning with `prefix`.
fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_where_the_next_one_begins() {
        assert_eq!(prefix_end(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(prefix_end(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(prefix_end(b"\xff"), None);
        let (lower, upper) = range_bounds::<&[u8]>(KeyspaceId::DEFAULT, &..);
        assert_eq!((lower, upper), (vec![0], Some(vec![1])));
        let (lower, upper) = range_bounds(KeyspaceId::DEFAULT, &("a"..="b"));
        assert_eq!((&lower[..], upper.as_deref()), (&b"\0a"[..], Some(&b"\0b\0"[..])));
    }
}
