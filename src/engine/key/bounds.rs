//! Ranges of user keys as ranges of engine keys.

use super::{KeyspaceId, MAX_KEY_LEN};
use std::ops::{Bound, RangeBounds};

/// Engine-key limits of a range of user keys: the first key in it, and the first behind it.
#[must_use]
pub fn range_bounds<K: AsRef<[u8]>>(
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
#[must_use]
pub fn prefix_bounds(keyspace: KeyspaceId, prefix: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut lower = Vec::with_capacity(prefix.len() + 4);
    keyspace.put_prefix(&mut lower);
    lower.extend_from_slice(prefix);
    let upper = prefix_end(&lower);
    (lower, upper)
}

/// As [`range_bounds`] for a range that is to be stored; `None` when no key can lie in it.
///
/// No key is longer than the limit. So of a bound that is longer the beginning says the same, and none has more than one byte
/// above the limit.
#[must_use]
pub fn stored_bounds<K: AsRef<[u8]>>(
    keyspace: KeyspaceId,
    range: &impl RangeBounds<K>,
) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut lower, upper) = range_bounds(keyspace, range);
    let mut upper = upper?;
    let longest = keyspace.prefix_len() + MAX_KEY_LEN + 1;
    lower.truncate(longest);
    upper.truncate(longest);
    (lower < upper).then_some((lower, upper))
}

/// Whether `start..end` is a range that [`stored_bounds`] can give.
#[must_use]
pub fn is_stored_range(start: &[u8], end: &[u8]) -> bool {
    let Some((keyspace, key)) = KeyspaceId::split(start) else { return false };
    let mut prefix = Vec::new();
    keyspace.put_prefix(&mut prefix);
    let longest = keyspace.prefix_len() + MAX_KEY_LEN + 1;
    let ends_within = prefix_end(&prefix).is_some_and(|behind| end <= behind.as_slice());
    key.len() <= MAX_KEY_LEN + 1 && end.len() <= longest && start < end && ends_within
}

/// The first byte string that is greater than everything beginning with `prefix`.
#[must_use]
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
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

    #[test]
    fn every_keyspace_has_an_end() {
        for id in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, KeyspaceId::MAX].map(KeyspaceId) {
            let (start, end) = stored_bounds::<&[u8]>(id, &..).unwrap();
            assert!(is_stored_range(&start, &end), "{id:?}");
            assert!(!is_stored_range(&start, &[&end[..], &[0]].concat()), "{id:?}");
        }
    }

    #[test]
    fn bounds_that_no_key_can_have_are_cut() {
        let long = vec![7; MAX_KEY_LEN + 100];
        let (start, end) = stored_bounds(KeyspaceId(300), &(&long[..]..&[8; 70_000][..])).unwrap();
        assert_eq!((start.len(), end.len()), (MAX_KEY_LEN + 3, MAX_KEY_LEN + 3));
        assert!(is_stored_range(&start, &end));
        assert_eq!(stored_bounds(KeyspaceId(300), &(&long[..]..=&long[..])), None);
        for (start, end) in [("b", "a"), ("a", "a")] {
            assert_eq!(stored_bounds(KeyspaceId(0), &(start..end)), None);
        }
    }
}
