//! Which tables a key or a range finds, and which edits make no version.

use crate::engine::manifest::edit::Edit;
use crate::engine::manifest::fixture::{adding, table};
use crate::engine::manifest::level::{KeyRange, Level, overlaps};
use crate::engine::manifest::version::Version;
use std::ops::Bound;
use std::sync::Arc;

fn version(tables: &[(u8, &str)]) -> Version<u64> {
    Version::empty().apply(&adding(tables), &mut |t| t.number).unwrap()
}

fn refused(version: &Version<u64>, edit: &Edit) -> String {
    version.apply(edit, &mut |t| t.number).map(drop).unwrap_err().to_string()
}

#[test]
fn level_0_is_newest_first_and_the_others_by_key() {
    let v =
        version(&[(0, "3[a-m]@1-9"), (0, "4[c-d]@20-29"), (0, "5[b-x]@10-19"), (2, "1[k-m]"), (2, "2[a-c]")]);
    let numbers =
        |level: usize| v.levels()[level].tables().iter().map(|t| t.summary.number).collect::<Vec<_>>();
    assert_eq!((numbers(0), numbers(2)), (vec![4, 5, 3], vec![2, 1]));
    let candidates = |key: &str| v.candidates(key.as_bytes()).map(|t| t.handle).collect::<Vec<_>>();
    assert_eq!(candidates("c"), [4, 5, 3, 2]);
    assert_eq!(candidates("l"), [5, 3, 1]);
    assert_eq!(candidates("d0"), [5, 3]);
    assert_eq!(candidates("y"), [0; 0]);
    assert_eq!((v.table_count(), v.bytes(), v.entries()), (5, 50, 50));
}

/// Every search through the fences answers as a plain comparison with every table does, for keys of every length and for
/// levels with long, short and no common prefixes, ties of heads included.
#[test]
fn fences_answer_like_plain_comparisons() {
    let mut keys: Vec<Vec<u8>> = vec![vec![]];
    for len in [1, 2, 7, 8, 9, 10, 17] {
        for end in [&[0][..], &[1], &[0, 0], &[0xff], &[0xff, 0]] {
            keys.push([&vec![b'k'; len][..], end].concat());
        }
        keys.push(vec![b'k'; len]);
    }
    keys.sort();
    for (first, step) in [(0, 2), (1, 2), (5, 4), (20, 2), (30, 3)] {
        for level in [0, 3] {
            let mut edit = Edit::default();
            for (i, pair) in keys[first..].chunks(step).filter(|pair| pair.len() >= 2).enumerate() {
                let mut t = table(&format!("{}[a-a]", i + 1));
                (t.smallest, t.largest) = (pair[0].clone(), pair[1].clone());
                edit.added.push((level, t));
            }
            let v = Version::empty().apply(&edit, &mut |t| t.number).unwrap();
            check_level(&v, usize::from(level), &keys);
        }
    }
}

fn plain(level: &Level<u64>, range: KeyRange<'_>) -> Vec<u64> {
    level.tables().iter().filter(|t| overlaps(&t.summary, range)).map(|t| t.handle).collect()
}

fn check_level(v: &Version<u64>, number: usize, keys: &[Vec<u8>]) {
    let level = &v.levels()[number];
    let all = || level.tables().iter().map(|t| &t.summary);
    for key in keys.iter().flat_map(|k| [k.clone(), [&k[..], b"\0"].concat(), [&k[..], b"z"].concat()]) {
        let one = (Bound::Included(key.as_slice()), Bound::Included(key.as_slice()));
        let found: Vec<_> = v.candidates(&key).map(|t| t.handle).collect();
        assert_eq!(found, plain(level, one), "level {number}, {key:?}");
        if number > 0 {
            let below = all().filter(|t| t.largest < key).count();
            assert_eq!(level.lower_bound(&key), below, "{key:?}");
        }
        for other in keys {
            let bounds = |k| [Bound::Included(k), Bound::Excluded(k), Bound::Unbounded];
            for low in bounds(key.as_slice()) {
                for high in bounds(other.as_slice()) {
                    let range: KeyRange<'_> = (low, high);
                    let found: Vec<_> = level.overlapping(range).map(|t| t.handle).collect();
                    let inverted = key > *other;
                    assert!(inverted || found == plain(level, range), "level {number}, {range:?}");
                }
            }
        }
    }
}

#[test]
fn untouched_and_moved_tables_are_shared() {
    let old = version(&[(1, "1[a-c]"), (1, "2[d-f]"), (3, "3[a-z]")]);
    let mut edit = adding(&[(2, "1[a-c]"), (1, "9[g-h]")]);
    edit.removed = vec![(1, 1)];
    let mut made = Vec::new();
    let new = old
        .apply(&edit, &mut |t| {
            made.push(t.number);
            t.number
        })
        .unwrap();
    assert_eq!(made, [9], "only what is new gets a handle");
    let at = |v: &Version<u64>, (level, i): (usize, usize)| Arc::clone(&v.levels()[level].tables()[i]);
    for (before, after) in [((1, 0), (2, 0)), ((1, 1), (1, 0)), ((3, 0), (3, 0))] {
        assert!(Arc::ptr_eq(&at(&old, before), &at(&new, after)), "{before:?} to {after:?}");
    }
    assert_eq!(old.table_count(), 3, "the old version is as it was");
}

#[test]
fn an_edit_that_does_not_fit_makes_no_version() {
    let v = version(&[(0, "1[a-c]@10-19"), (1, "2[d-f]"), (2, "3[a-m]")]);
    let check = |tables: &[(u8, &str)], removed: &[(u8, u64)], why: &str| {
        let mut edit = adding(tables);
        edit.removed = removed.to_vec();
        let found = refused(&v, &edit);
        assert!(found.contains(why), "{found}");
    };
    check(
        &[(0, "4[c-d]@19-29")],
        &[],
        "table 4 of level 0: it shares keys with table 1, but neither is newer",
    );
    check(&[(1, "4[f-g]")], &[], "table 2 of level 1: it ends at \"f\", but table 4 begins at \"f\"");
    check(&[(1, "4[a-z]")], &[], "but table 2 begins at \"d\"");
    check(&[(1, "4[z-x]")], &[], "its smallest key is above its largest");
    check(&[(1, "4[x-z]@2-1")], &[], "it has sequence numbers 2 to 1");
    check(&[(1, "4[x-z]@2-72057594037927936")], &[], "it has sequence numbers");
    check(&[(7, "4[x-z]")], &[], "table 4 of level 7: there is no such level");
    check(&[(3, "2[d-f]")], &[], "it is to be added, but it is already there");
    check(&[(3, "4[d-f]"), (4, "4[d-f]")], &[], "it is added twice");
    check(&[(3, "2[d-g]")], &[(1, 2)], "it is moved, but described in another way");
    check(&[], &[(1, 3)], "table 3 of level 1: it is to be removed, but it is not there");
    check(&[], &[(9, 3)], "not there");
    check(&[], &[(2, 3), (2, 3)], "named twice");
    check(&[(2, "2[d-f]")], &[(1, 2)], "table 3 of level 2: it ends at \"m\"");
    assert!(v.apply(&adding(&[(0, "4[d-e]@1-29")]), &mut |t| t.number).is_ok(), "no shared key, any order");
}
