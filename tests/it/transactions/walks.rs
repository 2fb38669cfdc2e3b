//! Iterators of transactions beside a sorted map: what they give, from both ends, and what of a walk counts as read.

use super::{new, text};
use crate::support::{Random, from_env};
use siltstone::{Db, Error, Keyspace, Transaction, TransactionRange};
use std::collections::BTreeMap;
use std::ops::Bound;

type Map = BTreeMap<String, String>;

/// Keys that are prefixes of each other, in a space that is small enough to meet.
fn key(random: &mut Random) -> String {
    let len = random.below(4);
    (0..len).map(|_| *random.pick(&['a', 'b', 'c'])).collect()
}

/// Some of it in tables, some deleted there, some in the buffer.
fn fill(db: &Db, space: &Keyspace, random: &mut Random) -> Map {
    let mut map = Map::new();
    for n in 0..random.below(60) {
        let key = key(random);
        if random.one_in(4) {
            space.delete(&key).unwrap();
            map.remove(&key);
        } else {
            space.put(&key, n.to_string()).unwrap();
            map.insert(key, n.to_string());
        }
        match random.below(40) {
            0 => db.flush().unwrap(),
            1 => db.compact_range::<&str>(..).unwrap(),
            _ => {}
        }
    }
    map
}

fn bounds(random: &mut Random) -> (Bound<String>, Bound<String>) {
    let mut one = || match random.below(4) {
        0 => Bound::Unbounded,
        1 => Bound::Excluded(key(random)),
        _ => Bound::Included(key(random)),
    };
    (one(), one())
}

/// What of `map` lies between the bounds, which may be in the wrong order.
fn between(map: &Map, (lower, upper): &(Bound<String>, Bound<String>)) -> Vec<(String, String)> {
    let above = |key: &String| match lower {
        Bound::Unbounded => true,
        Bound::Included(lower) => key >= lower,
        Bound::Excluded(lower) => key > lower,
    };
    let below = |key: &String| match upper {
        Bound::Unbounded => true,
        Bound::Included(upper) => key <= upper,
        Bound::Excluded(upper) => key < upper,
    };
    let own = |(key, value): (&String, &String)| (key.clone(), value.clone());
    map.iter().filter(|(key, _)| above(key) && below(key)).map(own).collect()
}

/// Every key that [`key`] can give.
fn all_keys() -> Map {
    let mut all = vec![String::new()];
    for at in 0.. {
        let Some(key) = all.get(at).cloned().filter(|key| key.len() < 3) else { break };
        all.extend(["a", "b", "c"].map(|letter| key.clone() + letter));
    }
    all.into_iter().map(|key| (key, String::new())).collect()
}

/// One write by the transaction, or the deletion of a range; its keys.
fn write(tx: &mut Transaction, space: Option<&Keyspace>, map: &mut Map, random: &mut Random) -> Vec<String> {
    if random.one_in(6) {
        let range = bounds(random);
        let bytes = (range.0.as_ref().map(String::as_bytes), range.1.as_ref().map(String::as_bytes));
        match space {
            None => tx.delete_range::<&[u8]>(bytes).unwrap(),
            Some(space) => tx.within(space).unwrap().delete_range::<&[u8]>(bytes).unwrap(),
        }
        let keys: Vec<String> = between(&all_keys(), &range).into_iter().map(|(key, _)| key).collect();
        keys.iter().for_each(|key| drop(map.remove(key)));
        return keys;
    }
    let (key, value) = (key(random), format!("own {}", random.below(1000)));
    let delete = random.one_in(3);
    match (space, delete) {
        (None, true) => tx.delete(&key).unwrap(),
        (None, false) => tx.put(&key, &value).unwrap(),
        (Some(space), true) => tx.within(space).unwrap().delete(&key).unwrap(),
        (Some(space), false) => tx.within(space).unwrap().put(&key, &value).unwrap(),
    }
    if delete {
        map.remove(&key)
    } else {
        map.insert(key.clone(), value)
    };
    vec![key]
}

fn walk(
    tx: &mut Transaction,
    space: Option<&Keyspace>,
    range: &(Bound<String>, Bound<String>),
) -> TransactionRange {
    let range = (range.0.as_ref().map(String::as_bytes), range.1.as_ref().map(String::as_bytes));
    match space {
        None => tx.range::<&[u8]>(range),
        Some(space) => tx.within(space).unwrap().range::<&[u8]>(range),
    }
}

fn step(walk: &mut TransactionRange, back: bool) -> Option<(String, String)> {
    let pair = if back { walk.next_back() } else { walk.next() };
    pair.map(|pair| pair.map(|(key, value)| (text(&key), text(&value))).unwrap())
}

#[test]
fn walks_from_both_ends_agree_with_a_map() {
    let (first, rounds) = (from_env("SILTSTONE_SEED", 1), from_env("SILTSTONE_WALKS", 400));
    let (mut steps, mut committed) = (0, 0);
    for seed in first..first + rounds {
        let random = &mut Random::new(seed);
        let (db, _) = new();
        let named = random.one_in(2).then(|| db.keyspace("named").unwrap());
        let named = named.as_ref();
        let mut map = fill(&db, named.unwrap_or(&db), random);
        let mut tx = db.transaction();
        // What comes after its beginning does not concern it.
        let beside = random.one_in(2);
        if beside {
            fill(&db, named.unwrap_or(&db), random);
        }
        for _ in 0..6 {
            (0..random.below(8)).for_each(|_| drop(write(&mut tx, named, &mut map, random)));
            let range = bounds(random);
            let mut expected = std::collections::VecDeque::from(between(&map, &range));
            let mut walk = walk(&mut tx, named, &range);
            for _ in 0..30 {
                let back = random.one_in(2);
                let pair = if back { expected.pop_back() } else { expected.pop_front() };
                assert_eq!(step(&mut walk, back), pair, "SILTSTONE_SEED={seed}: {range:?}");
                steps += 1;
                // Written while it is walked: for later walks.
                if random.one_in(6) {
                    write(&mut tx, named, &mut map, random);
                }
            }
            let wanted = key(random);
            let found = match named {
                None => tx.get(&wanted).unwrap(),
                Some(space) => tx.within(space).unwrap().get(&wanted).unwrap(),
            };
            assert_eq!(found.map(|value| text(&value)).as_ref(), map.get(&wanted), "SILTSTONE_SEED={seed}");
        }
        // Committed, unless what was read has changed, it is what everybody sees; the same in tables.
        if tx.commit().is_ok() {
            committed += 1;
            for _ in 0..2 {
                let found = named.unwrap_or(&db).iter().map(Result::unwrap);
                let found: Vec<_> = found.map(|(key, value)| (text(&key), text(&value))).collect();
                let seen: Map = found.into_iter().collect();
                if !beside {
                    assert_eq!(seen, map, "SILTSTONE_SEED={seed}");
                }
                db.compact_range::<&str>(..).unwrap();
            }
        }
    }
    assert!(committed > rounds / 4, "{committed} of {rounds}");
    println!("{steps} steps in {rounds} rounds from seed {first}");
}

/// What a walk has read: everything up to the last key at its front, and from the last one at its back.
struct Read {
    range: (Bound<String>, Bound<String>),
    front: Option<String>,
    back: Option<String>,
    whole: bool,
}

impl Read {
    fn holds(&self, key: &String) -> bool {
        let map = Map::from([(key.clone(), String::new())]);
        let seen = |end: &Option<String>, is_in: fn(&String, &String) -> bool| {
            end.as_ref().is_some_and(|end| is_in(key, end))
        };
        let walked =
            self.whole || seen(&self.front, |key, end| key <= end) || seen(&self.back, |key, end| key >= end);
        walked && !between(&map, &self.range).is_empty()
    }
}

#[test]
fn a_commit_conflicts_exactly_where_something_that_was_read_has_changed() {
    let (first, rounds) = (from_env("SILTSTONE_SEED", 1), from_env("SILTSTONE_WALKS", 400));
    let mut conflicts = 0;
    for seed in first..first + rounds {
        let random = &mut Random::new(seed);
        let (db, _) = new();
        let mut map = fill(&db, &db, random);
        let mut tx = db.transaction();
        let own: Vec<String> =
            (0..random.below(8)).flat_map(|_| write(&mut tx, None, &mut map, random)).collect();
        let (mut walks, mut gets) = (Vec::new(), Vec::new());
        for _ in 0..random.below(4) {
            let wanted = key(random);
            tx.get(&wanted).unwrap();
            // What it has written itself says nothing about others.
            if !own.contains(&wanted) {
                gets.push(wanted);
            }
            let mut read = Read { range: bounds(random), front: None, back: None, whole: false };
            let mut walk = walk(&mut tx, None, &read.range);
            for _ in 0..random.below(6) {
                let back = random.one_in(2);
                match step(&mut walk, back) {
                    None => read.whole = true,
                    Some((key, _)) if back => read.back = Some(key),
                    Some((key, _)) => read.front = Some(key),
                }
            }
            // One that still exists at the commit counts as well.
            walks.push((read, random.one_in(2).then_some(walk)));
        }
        tx.put("own", "").unwrap();
        let changed = key(random);
        if random.one_in(2) {
            db.put(&changed, "").unwrap()
        } else {
            db.delete(&changed).unwrap()
        }
        match random.below(3) {
            0 => db.flush().unwrap(),
            1 => db.compact_range::<&str>(..).unwrap(),
            _ => {}
        }
        let walked = walks.iter().any(|(read, _)| read.holds(&changed));
        let got = gets.contains(&changed);
        match tx.commit() {
            Ok(()) => assert!(!walked && !got, "SILTSTONE_SEED={seed}: {changed} was read, and changed"),
            Err(Error::Conflict { key, .. }) => {
                conflicts += 1;
                assert!(
                    (walked || got) && text(&key) == changed,
                    "SILTSTONE_SEED={seed}: {changed} was not read"
                );
            }
            Err(other) => panic!("SILTSTONE_SEED={seed}: {other}"),
        }
    }
    assert!(conflicts > rounds / 20 && conflicts < rounds, "{conflicts} of {rounds}");
}
