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
use crate::{Error, Result};
use std::ops::{Bound, RangeBounds};
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

#[derive(Default)]
struct End {
    visible: Option<Visible<Merge<Source>>>,
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
        let view = self.view.as_ref().map_err(Error::clone)?;
        let end = if forward { &mut self.front } else { &mut self.back };
        let upper = self.upper.as_deref();
        let visible = end.visible.get_or_insert_with(|| {
            Visible::new(view.super_version.cursor(&self.lower, upper), view.moment.seq, view.moment.now)
        });
        let pair =
            if forward { visible.next(&self.lower, upper)? } else { visible.prev(&self.lower, upper)? };
        let Some((key, found)) = pair else { return Ok(None) };
        end.last = Some(key.clone());
        if let (Some(front), Some(back)) = (&self.front.last, &self.back.last)
            && front >= back
        {
            return Ok(None);
        }
        Ok(Some((key.skip(self.prefix), found.value)))
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
