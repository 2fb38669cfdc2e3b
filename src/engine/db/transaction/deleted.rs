//! The ranges that a transaction deletes.
//!
//! (D1) They lie apart, in order: two that overlap or touch are one. So whatever a walk meets between two of them was not
//!      deleted, and there are never more than calls that made them.

use super::reads::Span;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Ranges of engine keys: the first key of each, and the first behind it.
#[derive(Debug, Clone, Default)]
pub struct Deleted {
    ranges: BTreeMap<Vec<u8>, Vec<u8>>,
    bytes: usize,
}

impl Deleted {
    /// Adds a range that is not empty. O(log n), and as much for each range that becomes part of it.
    pub fn add(&mut self, mut start: Vec<u8>, mut end: Vec<u8>) {
        loop {
            let up_to_the_end = (Bound::Unbounded, Bound::Included(end.as_slice()));
            let last = self.ranges.range::<[u8], _>(up_to_the_end).next_back();
            let touching =
                last.filter(|(_, its_end)| **its_end >= start).map(|(its_start, _)| its_start.clone());
            let Some((its_start, its_end)) =
                touching.and_then(|its_start| self.ranges.remove_entry(&its_start))
            else {
                break;
            };
            self.bytes -= its_start.len() + its_end.len();
            start = start.min(its_start);
            end = end.max(its_end);
        }
        self.bytes += start.len() + end.len();
        self.ranges.insert(start, end);
    }

    /// Whether an engine key lies in one of them. O(log n).
    pub fn covers(&self, key: &[u8]) -> bool {
        let at_or_before = (Bound::Unbounded, Bound::Included(key));
        let nearest = self.ranges.range::<[u8], _>(at_or_before).next_back();
        nearest.is_some_and(|(_, end)| key < end.as_slice())
    }

    /// What of `span` lies in none of them, in order.
    pub fn gaps(&self, (lower, upper): &Span) -> Vec<Span> {
        let at_or_before = (Bound::Unbounded, Bound::Included(lower.as_slice()));
        let nearest = self.ranges.range::<[u8], _>(at_or_before).next_back();
        let first = nearest.map_or(lower, |(start, _)| start).as_slice();
        let mut gaps = Vec::new();
        let mut from = lower.clone();
        for (start, end) in self.ranges.range::<[u8], _>((Bound::Included(first), Bound::Unbounded)) {
            if upper.as_ref().is_some_and(|upper| start >= upper) {
                break;
            }
            if from < *start {
                gaps.push((from.clone(), Some(start.clone())));
            }
            from = from.max(end.clone());
        }
        if upper.as_ref().is_none_or(|upper| from < *upper) {
            gaps.push((from, upper.clone()));
        }
        gaps
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.ranges.iter().map(|(start, end)| (start.as_slice(), end.as_slice()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How long their bounds are, all together.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const KEYS: u8 = 24;

    #[test]
    fn they_say_what_a_set_of_keys_says() {
        for seed in 0..500 {
            let mut random = Random::new(seed);
            let mut below = |n: u8| random.below(usize::from(n)) as u8;
            let (mut deleted, mut gone) = (Deleted::default(), [false; KEYS as usize]);
            for _ in 0..below(8) {
                let start = below(KEYS - 1);
                let end = start + 1 + below(KEYS - 1 - start);
                deleted.add(vec![start], vec![end]);
                (start..end).for_each(|key| gone[usize::from(key)] = true);
            }
            let covered: Vec<bool> = (0..KEYS).map(|key| deleted.covers(&[key])).collect();
            assert_eq!(covered, gone, "seed {seed}: {deleted:?}");
            let apart: Vec<_> = deleted.iter().collect();
            assert!(apart.is_sorted_by(|one, next| one.1 < next.0), "seed {seed}: D1, {deleted:?}");
            assert_eq!(
                apart.iter().map(|(start, end)| start.len() + end.len()).sum::<usize>(),
                deleted.bytes()
            );

            let (lower, upper) = (below(KEYS), Some(below(KEYS)).filter(|_| seed % 3 > 0));
            let gaps = deleted.gaps(&(vec![lower], upper.map(|upper| vec![upper])));
            let within = |key: u8| {
                let key = &[key][..];
                gaps.iter().any(|(from, to)| {
                    from.as_slice() <= key && to.as_ref().is_none_or(|to| key < to.as_slice())
                })
            };
            for key in 0..KEYS {
                let expected =
                    key >= lower && upper.is_none_or(|upper| key < upper) && !gone[usize::from(key)];
                assert_eq!(within(key), expected, "seed {seed}: {key} in {gaps:?} of {deleted:?}");
            }
        }
    }
}
