//! What the keys of a run have in common, and heads taken behind it.
//!
//! A head is eight bytes of a key as a number, so most comparisons are one instruction and touch no key. Real keys
//! begin alike (a keyspace, `user:`, a year), and eight bytes from the start would tie all the time, which makes a merge
//! ten times as slow. So heads begin behind the common prefix.
//!
//! (P1) [`Prefix::head`] is monotonic over *all* keys: for keys a < b, head(a) <= head(b). A key that does not begin with
//!      the prefix lies before or behind every key that does, and gets the lowest or the highest head. So a prefix that
//!      is only a guess, as that of the list is, costs time when it is wrong and never the order. Equal heads say
//!      nothing: whole keys decide.

use crate::engine::key;

/// Bytes that keys begin with.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Prefix(Box<[u8]>);

impl Prefix {
    /// What two keys, and so all between them, begin with.
    pub fn common(a: &[u8], b: &[u8]) -> Prefix {
        Prefix(a.get(..key::common_prefix(a, b)).unwrap_or_default().into())
    }

    /// What all of `keys` begin with.
    pub fn of_all<'a>(mut keys: impl Iterator<Item = &'a [u8]>) -> Prefix {
        let first = keys.next().unwrap_or_default();
        let shared = |len, key| key::common_prefix(first.get(..len).unwrap_or_default(), key);
        Prefix(first.get(..keys.fold(first.len(), shared)).unwrap_or_default().into())
    }

    /// What keys with either prefix begin with.
    pub fn shared(&self, other: &Prefix) -> Prefix {
        Prefix::common(&self.0, &other.0)
    }

    /// The head of a key (P1).
    #[inline]
    pub fn head(&self, key: &[u8]) -> u64 {
        if self.0.is_empty() {
            return key::head(key, 0);
        }
        match key.split_at_checked(self.0.len()) {
            Some((front, tail)) if *front == *self.0 => key::head(tail, 0),
            _ if *key < *self.0 => 0,
            _ => u64::MAX,
        }
    }

    /// How to turn a head taken behind this prefix into one taken behind `shorter`, which it begins with, without the
    /// key: the bytes between the two come first, then as much of the old head as there is room for.
    pub fn rebase(&self, shorter: &Prefix) -> Rebase {
        let between = self.0.get(shorter.0.len()..).unwrap_or_default();
        Rebase { first: key::head(between, 0), shift: 8 * between.len().min(8) as u32 }
    }
}

/// See [`Prefix::rebase`].
#[derive(Clone, Copy)]
pub struct Rebase {
    first: u64,
    shift: u32,
}

impl Rebase {
    /// The new head.
    #[inline]
    pub fn apply(self, head: u64) -> u64 {
        self.first | head.checked_shr(self.shift).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_never_contradict_the_order() {
        let keys: [&[u8]; 13] = [
            b"",
            b"\0",
            b"a",
            b"use",
            b"user",
            b"user\0",
            b"user1",
            b"user12345678",
            b"user123456789",
            b"user\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"uses",
            b"v",
            b"\xff",
        ];
        for prefix in keys.map(|p| Prefix(p.into())) {
            for pair in keys.windows(2) {
                assert!(prefix.head(pair[0]) <= prefix.head(pair[1]), "{prefix:?} {pair:?}");
            }
        }
    }

    #[test]
    fn rebased_heads_are_those_taken_from_the_key() {
        let longest = b"abcdefghijklmnopqrst";
        for long in 0..=longest.len() {
            for short in 0..=long {
                let (long, short) = (Prefix(longest[..long].into()), Prefix(longest[..short].into()));
                for tail in [&b""[..], b"\0", b"1", b"12345678", b"\xff\xff\xff\xff\xff\xff\xff\xff9"] {
                    let key = [&long.0, tail].concat();
                    assert_eq!(long.rebase(&short).apply(long.head(&key)), short.head(&key), "{key:?}");
                }
            }
        }
    }
}
