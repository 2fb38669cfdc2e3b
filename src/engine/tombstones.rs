//! Range tombstones, and which of them cover a key.
//!
//! A tombstone hides every entry of its range whose sequence number is lower than its own, from readers whose number is not.
//! Where tombstones overlap they are cut into disjoint *fragments*, each with the numbers of all that cover it:
//!
//! ```text
//! tombstones   a───────────5───────────m                        fragments   a──5──f──9,5──m──9──s
//!                          f───────────9────────────s
//! ```
//!
//! (T1) Fragments are disjoint and ascend, none is empty, and the numbers of each descend.
//! (T2) A set never changes: a change gives a new set, which shares with the old one all chunks that it does not touch.
//!      So whoever reads a set needs no lock, and adding to a large one costs about its square root.

use std::sync::Arc;

/// How many fragments a chunk has at most.
const CHUNK: usize = 128;

/// All keys from `start` to `end`, which is not among them, were deleted by the write with this number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// Its sequence number. No two have the same.
    pub seq: u64,
    /// The first engine key that it covers.
    pub start: Arc<[u8]>,
    /// The first engine key behind it.
    pub end: Arc<[u8]>,
}

/// A range of keys that the same tombstones cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The first engine key in it.
    pub start: Arc<[u8]>,
    /// The first engine key behind it.
    pub end: Arc<[u8]>,
    newest: u64,
    /// The numbers of the others that cover it, descending.
    older: Box<[u64]>,
}

impl Fragment {
    fn of(start: &Arc<[u8]>, end: &Arc<[u8]>, seqs: &[u64]) -> Option<Arc<Fragment>> {
        let (newest, older) = seqs.split_first()?;
        let (start, end) = (Arc::clone(start), Arc::clone(end));
        (start < end).then(|| Arc::new(Fragment { start, end, newest: *newest, older: older.into() }))
    }

    /// The number of the newest tombstone that covers it for a reader at `seq`.
    #[inline]
    #[must_use]
    pub fn newest_up_to(&self, seq: u64) -> Option<u64> {
        if self.newest <= seq {
            return Some(self.newest);
        }
        self.older.iter().copied().find(|older| *older <= seq)
    }

    /// The numbers of all tombstones that cover it, descending.
    pub fn seqs(&self) -> impl Iterator<Item = u64> {
        std::iter::once(self.newest).chain(self.older.iter().copied())
    }
}

/// A set of tombstones, cut into fragments (T1, T2).
#[derive(Debug, Clone, Default)]
pub struct Fragments {
    /// None of them is empty.
    chunks: Vec<Arc<[Arc<Fragment>]>>,
}

/// A place between fragments: before the one with this index of this chunk.
#[derive(Debug, Clone, Copy)]
struct Cut {
    chunk: usize,
    at: usize,
}

impl Fragments {
    /// True when nothing is covered.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// How many bytes it takes that sets like it do not share, about.
    #[must_use]
    pub fn own_bytes(&self) -> usize {
        (self.chunks.len() + CHUNK) * size_of::<usize>() + 4 * size_of::<Fragment>()
    }

    /// All fragments, in order.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Fragment>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The fragments that cover a key of `start..end`, in order.
    pub fn overlapping<'a>(&'a self, start: &[u8], end: &'a [u8]) -> impl Iterator<Item = &'a Arc<Fragment>> {
        let cut = self.first_behind(start);
        let here = self.chunks.get(cut.chunk).and_then(|chunk| chunk.get(cut.at..)).unwrap_or_default();
        let rest = self.chunks.get(cut.chunk + 1..).unwrap_or_default();
        here.iter().chain(rest.iter().flat_map(|chunk| chunk.iter())).take_while(move |f| &*f.start < end)
    }

    /// The first fragment that ends behind `key`: if it does not cover the key, none does.
    #[must_use]
    pub fn from(&self, key: &[u8]) -> Option<&Arc<Fragment>> {
        let cut = self.first_behind(key);
        self.chunks.get(cut.chunk)?.get(cut.at)
    }

    /// The last fragment that begins at or before `key`: if it does not cover the key, none does.
    #[must_use]
    pub fn before(&self, key: &[u8]) -> Option<&Arc<Fragment>> {
        let chunk = self.chunks.partition_point(|chunk| chunk.first().is_some_and(|f| &*f.start <= key));
        let chunk = self.chunks.get(chunk.checked_sub(1)?)?;
        chunk.get(chunk.partition_point(|f| &*f.start <= key).checked_sub(1)?)
    }

    /// The number of the newest tombstone that covers `key` for a reader at `seq`.
    #[must_use]
    pub fn covering(&self, key: &[u8], seq: u64) -> Option<u64> {
        self.from(key).filter(|f| &*f.start <= key)?.newest_up_to(seq)
    }

    /// Whether every key of `start..end` is covered.
    #[must_use]
    pub fn cover_range(&self, start: &[u8], end: &[u8]) -> bool {
        let mut reached = start;
        for fragment in self.overlapping(start, end) {
            if &*fragment.start > reached {
                return false;
            }
            reached = &fragment.end;
        }
        reached >= end
    }

    /// Whether tombstones above `seq`, that readers at `reader` see, cover all of `first..=last`.
    #[must_use]
    pub fn cover_all(&self, first: &[u8], last: &[u8], seq: u64, reader: u64) -> bool {
        let mut reached = first;
        let behind = [last, &[0]].concat();
        for fragment in self.overlapping(first, &behind) {
            if &*fragment.start > reached || fragment.newest_up_to(reader).is_none_or(|newest| newest <= seq)
            {
                return false;
            }
            reached = &fragment.end;
        }
        reached > last
    }

    /// The set with one tombstone more, which is newer than all in it.
    #[must_use]
    pub fn layered(&self, new: &Tombstone) -> Fragments {
        self.change(new, |start, end, old| {
            let seqs: Vec<u64> = std::iter::once(new.seq).chain(old.iter().flat_map(|f| f.seqs())).collect();
            Fragment::of(start, end, &seqs)
        })
    }

    /// The same for readers that see the new tombstone: what it covers needs no older ones.
    #[must_use]
    pub fn painted(&self, new: &Tombstone) -> Fragments {
        let (from, to) = self.cuts(new);
        let (before, behind) = self.remainders(new, from, to);
        let whole = Fragment::of(&new.start, &new.end, &[new.seq]);
        self.replace(from, to, [before, whole, behind].into_iter().flatten().collect())
    }

    /// The set without one of its tombstones.
    #[must_use]
    pub fn without(&self, old: &Tombstone) -> Fragments {
        self.change(old, |start, end, there| {
            let seqs: Vec<u64> = there?.seqs().filter(|seq| *seq != old.seq).collect();
            Fragment::of(start, end, &seqs)
        })
    }

    /// Replaces what lies in the range of a tombstone, piece by piece: each fragment, cut to the range, and each gap.
    fn change(
        &self,
        range: &Tombstone,
        mut make: impl FnMut(&Arc<[u8]>, &Arc<[u8]>, Option<&Fragment>) -> Option<Arc<Fragment>>,
    ) -> Fragments {
        let (from, to) = self.cuts(range);
        let (before, behind) = self.remainders(range, from, to);
        let mut pieces: Vec<Arc<Fragment>> = before.into_iter().collect();
        let mut reached = &range.start;
        for old in self.overlapping(&range.start, &range.end) {
            let (start, end) = ((&old.start).max(&range.start), (&old.end).min(&range.end));
            pieces.extend(make(reached, start, None));
            pieces.extend(make(start, end, Some(old)));
            reached = end;
        }
        pieces.extend(make(reached, &range.end, None));
        pieces.extend(behind);
        self.replace(from, to, joined(pieces))
    }

    /// What sticks out of a range at either side, of the fragments at its ends.
    fn remainders(
        &self,
        range: &Tombstone,
        from: Cut,
        to: Cut,
    ) -> (Option<Arc<Fragment>>, Option<Arc<Fragment>>) {
        let (Some(first), Some(last)) = (self.at(from), self.before_cut(to)) else { return (None, None) };
        let seqs = |f: &Fragment| f.seqs().collect::<Vec<u64>>();
        let before = if first.start < range.start && first.end > range.start {
            Fragment::of(&first.start, &range.start, &seqs(first))
        } else {
            None
        };
        let behind = if last.end > range.end && last.start < range.end {
            Fragment::of(&range.end, &last.end, &seqs(last))
        } else {
            None
        };
        (before, behind)
    }

    /// Before the first fragment that ends behind `key`.
    fn first_behind(&self, key: &[u8]) -> Cut {
        let chunk = self.chunks.partition_point(|chunk| chunk.last().is_some_and(|f| &*f.end <= key));
        let at = self.chunks.get(chunk).map_or(0, |chunk| chunk.partition_point(|f| &*f.end <= key));
        Cut { chunk, at }
    }

    /// Around the fragments that share a key with a range.
    fn cuts(&self, range: &Tombstone) -> (Cut, Cut) {
        let from = self.first_behind(&range.start);
        let begins = |f: &Arc<Fragment>| f.start < range.end;
        let chunk = self.chunks.partition_point(|chunk| chunk.last().is_some_and(begins));
        let at = self.chunks.get(chunk).map_or(0, |chunk| chunk.partition_point(begins));
        (from, Cut { chunk, at })
    }

    fn at(&self, cut: Cut) -> Option<&Arc<Fragment>> {
        self.chunks.get(cut.chunk)?.get(cut.at)
    }

    fn before_cut(&self, cut: Cut) -> Option<&Arc<Fragment>> {
        match cut.at.checked_sub(1) {
            Some(at) => self.chunks.get(cut.chunk)?.get(at),
            None => self.chunks.get(cut.chunk.checked_sub(1)?)?.last(),
        }
    }

    /// The set with `pieces` in place of what lies between two cuts.
    fn replace(&self, from: Cut, to: Cut, pieces: Vec<Arc<Fragment>>) -> Fragments {
        let chunk = |n: usize| self.chunks.get(n).map(|chunk| &**chunk).unwrap_or_default();
        let mut middle = chunk(from.chunk).get(..from.at).unwrap_or_default().to_vec();
        middle.extend(pieces);
        middle.extend_from_slice(chunk(to.chunk).get(to.at..).unwrap_or_default());
        let mut chunks = self.chunks.get(..from.chunk).unwrap_or_default().to_vec();
        // Chunks that have become small are joined with the one before.
        if middle.len() < CHUNK / 4
            && let Some(before) = chunks.pop()
        {
            middle = [&before[..], &middle[..]].concat();
        }
        let parts = middle.len().div_ceil(CHUNK).max(1);
        chunks.extend(middle.chunks(middle.len().div_ceil(parts).max(1)).map(Arc::from));
        chunks.extend_from_slice(self.chunks.get(to.chunk + 1..).unwrap_or_default());
        Fragments { chunks }
    }
}

/// Neighbours that the same tombstones cover become one.
fn joined(pieces: Vec<Arc<Fragment>>) -> Vec<Arc<Fragment>> {
    let mut all: Vec<Arc<Fragment>> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match all.last_mut() {
            Some(last) if last.end == piece.start && last.seqs().eq(piece.seqs()) => {
                *last = Arc::new(Fragment { end: Arc::clone(&piece.end), ..(**last).clone() });
            }
            _ => all.push(piece),
        }
    }
    all
}

impl<'a> FromIterator<&'a Tombstone> for Fragments {
    /// The set of tombstones that come oldest first.
    fn from_iter<T: IntoIterator<Item = &'a Tombstone>>(all: T) -> Fragments {
        all.into_iter().fold(Fragments::default(), |set, tombstone| set.layered(tombstone))
    }
}

#[cfg(test)]
mod tests;
