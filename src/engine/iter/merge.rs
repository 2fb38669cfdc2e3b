//! Several cursors as one.
//!
//! ```text
//!             winner                 a binary heap of (head, source): head is the first eight bytes of the source's
//!            /      \                key as a number, so most comparisons touch nothing but the heap
//!      runner-up    …
//! ```
//!
//! A step moves the winner. While its new head still precedes that of the runner-up (the smaller child of the root),
//! nothing else is done: one comparison. Long stretches from one source are the rule in a scan over an LSM tree.
//! Otherwise the runner-up takes its place, the old winner is sifted down, and the runner-up is found anew: on a random
//! interleave that last step is all that the shortcut costs.
//!
//! Backward the heads are kept inverted, so that the same comparison serves both ways; only ties of heads ask which way.
//!
//! (G1) The heap holds exactly the sources that are valid, each with the head of its current entry. It is empty when the
//!      merge is not valid.
//! (G2) All sources stand on the same side of the current entry: forward at or after it, backward at or before it. To
//!      turn round, all but the winner are positioned anew.
//! (G3) No two sources hold an entry with the same key and trailer (key K1), so there is always one winner.
//!
//! Rejected: a loser tree, a little better on a random interleave, and several times worse on long stretches without the
//! same shortcut; `dyn` sources: a mix of sources is an `enum`.

use super::Cursor;
use crate::Result;
use crate::engine::key::{self, Trailer};
use crate::engine::slice::Slice;
use crate::planted::{Bug, planted};

/// Several cursors as one, which is a cursor again.
pub struct Merge<C: Cursor> {
    sources: Vec<C>,
    heap: Vec<Node>,
    /// The place of the runner-up in the heap: 1 or 2, or 0 when the winner is alone.
    runner_up: usize,
    way: Way,
}

#[derive(Clone, Copy)]
struct Node {
    /// Backward, all bits are inverted.
    head: u64,
    source: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Forward,
    Backward,
}

impl<C: Cursor> Merge<C> {
    /// The merge of `sources`, not positioned. Their order does not matter.
    #[must_use]
    pub fn new(sources: Vec<C>) -> Merge<C> {
        let heap = Vec::with_capacity(sources.len());
        Merge { sources, heap, runner_up: 0, way: Way::Forward }
    }

    /// Positions every source and begins anew. After an error there is no position.
    fn position(&mut self, way: Way, mut place: impl FnMut(&mut C) -> Result<()>) -> Result<()> {
        self.heap.clear();
        self.way = way;
        self.sources.iter_mut().try_for_each(&mut place)?;
        for index in 0..self.sources.len() as u32 {
            if let Some(node) = self.node(index) {
                self.heap.push(node);
            }
        }
        for root in (0..self.heap.len() / 2).rev() {
            self.sift_down(root);
        }
        self.runner_up = self.find_runner_up();
        Ok(())
    }

    /// As [`Merge::position`], when the winner alone moves by a step and the others go to the other side of it.
    #[cold]
    fn turn(&mut self, way: Way) -> Result<()> {
        let Some(winner) = self.heap.first().map(|node| node.source) else { return Ok(()) };
        let (key, trailer) = (self.key().to_vec(), self.trailer());
        let mut index = 0;
        self.position(way, |source| {
            let is_winner = index == winner;
            index += 1;
            match (is_winner, way) {
                (true, Way::Forward) => source.next(),
                (true, Way::Backward) => source.prev(),
                (false, Way::Forward) => source.seek(&key, trailer),
                (false, Way::Backward) => source.seek_before(&key, trailer),
            }
        })
    }

    /// Moves the winner, the way the merge goes.
    #[inline]
    fn step(&mut self, advance: impl FnOnce(&mut C) -> Result<()>) -> Result<()> {
        let Some(index) = self.heap.first().map(|node| node.source) else { return Ok(()) };
        let moved = self.sources.get_mut(index as usize).map_or(Ok(()), advance);
        if moved.is_err() {
            self.heap.clear();
            return moved;
        }
        match self.node(index) {
            Some(node) => self.replace_winner(node),
            None => self.remove_winner(),
        }
        Ok(())
    }

    #[inline]
    fn replace_winner(&mut self, node: Node) {
        if let Some(root) = self.heap.first_mut() {
            *root = node;
        }
        if self.runner_up != 0 && self.precedes(self.runner_up, 0) {
            self.heap.swap(self.runner_up, 0);
            self.sift_down(self.runner_up);
            self.runner_up = self.find_runner_up();
        }
    }

    #[cold]
    fn remove_winner(&mut self) {
        self.heap.swap_remove(0);
        self.sift_down(0);
        self.runner_up = self.find_runner_up();
    }

    /// The heap node of a source, when it is valid.
    #[inline]
    fn node(&self, index: u32) -> Option<Node> {
        let source = self.sources.get(index as usize).filter(|source| source.valid())?;
        let head = key::head(source.key(), 0);
        Some(Node { head: if self.way == Way::Forward { head } else { !head }, source: index })
    }

    fn sift_down(&mut self, mut root: usize) {
        loop {
            let (left, right) = (2 * root + 1, 2 * root + 2);
            if left >= self.heap.len() {
                return;
            }
            // A sum, not a choice: which child it is cannot be predicted.
            let child = left + usize::from(right < self.heap.len() && self.precedes(right, left));
            if !self.precedes(child, root) {
                return;
            }
            self.heap.swap(child, root);
            root = child;
        }
    }

    fn find_runner_up(&self) -> usize {
        match self.heap.len() {
            0 | 1 => 0,
            2 => 1,
            _ => 1 + usize::from(self.precedes(2, 1)),
        }
    }

    /// True when the entry at one place of the heap comes before that at another, the way the merge goes.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "callers pass places below the length of the heap")]
    fn precedes(&self, one: usize, other: usize) -> bool {
        let (one, other) = (self.heap[one], self.heap[other]);
        if one.head == other.head { self.wins_tie(one, other) } else { one.head < other.head }
    }

    #[inline(never)]
    fn wins_tie(&self, one: Node, other: Node) -> bool {
        let (Some(a), Some(b)) =
            (self.sources.get(one.source as usize), self.sources.get(other.source as usize))
        else {
            return false;
        };
        let mixed = planted(Bug::BackwardTakesOlder) && self.way == Way::Backward;
        let (newer, older) = if mixed { (b, a) } else { (a, b) };
        let order = a.key().cmp(b.key()).then_with(|| older.trailer().cmp(&newer.trailer()));
        if self.way == Way::Forward { order.is_lt() } else { order.is_gt() }
    }

    #[inline]
    fn winner(&self) -> Option<&C> {
        self.sources.get(self.heap.first()?.source as usize)
    }
}

impl<C: Cursor> Cursor for Merge<C> {
    fn seek_first(&mut self) -> Result<()> {
        self.position(Way::Forward, C::seek_first)
    }

    fn seek_last(&mut self) -> Result<()> {
        self.position(Way::Backward, C::seek_last)
    }

    fn seek(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        self.position(Way::Forward, |source| source.seek(key, trailer))
    }

    fn seek_before(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        self.position(Way::Backward, |source| source.seek_before(key, trailer))
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        if self.way == Way::Forward { self.step(C::next) } else { self.turn(Way::Forward) }
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        if self.way == Way::Backward { self.step(C::prev) } else { self.turn(Way::Backward) }
    }

    fn pass(&mut self, key: &[u8], seq: u64) -> Result<()> {
        match self.way {
            Way::Forward => self.step(|source| source.pass(key, seq)),
            Way::Backward => self.turn(Way::Forward),
        }
    }

    fn pass_back(&mut self, key: &[u8], seq: u64) -> Result<()> {
        match self.way {
            Way::Backward => self.step(|source| source.pass_back(key, seq)),
            Way::Forward => self.turn(Way::Backward),
        }
    }

    /// Each step moves one source by one, so after as many steps as the winner has below the limit it is not past them yet; and
    /// no key of the merge lies behind the winner's.
    #[inline]
    fn steps_below(&self, upper: &[u8]) -> usize {
        self.winner().map_or(0, |winner| winner.steps_below(upper))
    }

    #[inline]
    fn steps_above(&self, lower: &[u8]) -> usize {
        self.winner().map_or(0, |winner| winner.steps_above(lower))
    }

    #[inline]
    fn valid(&self) -> bool {
        !self.heap.is_empty()
    }

    #[inline]
    fn key(&self) -> &[u8] {
        self.winner().map(C::key).unwrap_or_default()
    }

    #[inline]
    fn trailer(&self) -> Trailer {
        self.winner().map_or(Trailer(0), C::trailer)
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.winner().map(C::value).unwrap_or_default()
    }

    fn value_slice(&self) -> Slice {
        self.winner().map_or_else(|| Slice::copy_of(&[]), C::value_slice)
    }
}

#[cfg(test)]
mod tests;
