//! An index beside a sorted map, over keys that share prefixes, have many versions, and begin one another.

use super::{Cursor, Index};
use crate::random::Random;
use std::cmp::Reverse;
use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

type Key = (Vec<u8>, Reverse<u64>);
type Model = BTreeMap<Key, u64>;

/// So many entries are inserted, and after every so many all questions are asked.
const ENTRIES: u64 = 3000;
const ASK_EVERY: u64 = 97;

/// See [`super::check`].
pub fn check(make: &dyn Fn() -> Arc<dyn Index>) -> Result<(), String> {
    let index = make();
    let (mut model, mut random) = (Model::new(), Random::new(1));
    empty(&index)?;
    // This one stays where it is while others come (I4).
    let mut resting = Arc::clone(&index).cursor();
    let mut rest: Option<(Key, u64)> = None;
    for place in 0..ENTRIES {
        let new = key(&mut random);
        if let btree_map::Entry::Vacant(vacant) = model.entry(new) {
            let (key, version) = vacant.key();
            index.insert(key, version.0, place);
            vacant.insert(place);
        }
        expect("a cursor that rests", &*resting, rest.as_ref().map(|(key, place)| (key, place)))?;
        if place % ASK_EVERY == 0 {
            ask(&index, &model, &mut random)?;
            let from = key(&mut random);
            resting.seek(&from.0, from.1.0);
            rest = model.range(from..).next().map(|(key, place)| (key.clone(), *place));
        }
    }
    ask(&index, &model, &mut random)
}

fn empty(index: &Arc<dyn Index>) -> Result<(), String> {
    let mut cursor = Arc::clone(index).cursor();
    expect("a new cursor", &*cursor, None)?;
    cursor.seek_last();
    expect("the last of none", &*cursor, None)?;
    cursor.seek(b"", u64::MAX);
    expect("the first of none", &*cursor, None)
}

fn ask(index: &Arc<dyn Index>, model: &Model, random: &mut Random) -> Result<(), String> {
    let mut cursor = Arc::clone(index).cursor();
    cursor.seek(b"", u64::MAX);
    for entry in model {
        expect("a walk forward", &*cursor, Some(entry))?;
        cursor.next();
    }
    expect("past the end", &*cursor, None)?;
    cursor.seek_last();
    for entry in model.iter().rev() {
        expect("a walk backward", &*cursor, Some(entry))?;
        cursor.prev();
    }
    expect("before the beginning", &*cursor, None)?;
    for _ in 0..50 {
        let from = key(random);
        cursor.seek(&from.0, from.1.0);
        expect(&format!("at or after {from:?}"), &*cursor, model.range(from.clone()..).next())?;
        cursor.seek_before(&from.0, from.1.0);
        expect(&format!("before {from:?}"), &*cursor, model.range(..from.clone()).next_back())?;
    }
    Ok(())
}

fn expect(what: &str, cursor: &dyn Cursor, expected: Option<(&Key, &u64)>) -> Result<(), String> {
    let found = cursor.at().map(|at| ((at.key.to_vec(), Reverse(at.version)), at.place));
    if found.as_ref().map(|(key, place)| (key, place)) == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?} found, {expected:?} expected, as key, version, place"))
}

/// A key that may share a prefix with others, or be one, and one of many versions.
fn key(random: &mut Random) -> Key {
    let number = random.below(60);
    let key = match random.below(5) {
        0 => Vec::new(),
        1 => vec![0; number % 5],
        2 => vec![0xff; number % 5],
        3 => format!("user:{number}").into_bytes(),
        _ => format!("user:{number}:profile").into_bytes(),
    };
    (key, Reverse(random.next() >> random.below(60)))
}
