//! An index beside a sorted set, over keys that share prefixes, have many versions, and begin one another.

use super::{Cursor, Index};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

type Entry = (Vec<u8>, Reverse<u64>, u64);

/// So many entries are inserted, and after every so many all questions are asked.
const ENTRIES: u64 = 3000;
const ASK_EVERY: u64 = 97;

/// See [`super::check`].
pub fn check(make: &dyn Fn() -> Arc<dyn Index>) -> Result<(), String> {
    let index = make();
    let (mut model, mut drawn) = (BTreeSet::new(), Draw(0x5117_0bad));
    empty(&index)?;
    // This one stays where it is while others come (I4).
    let mut resting = Arc::clone(&index).cursor();
    let mut rest: Option<Entry> = None;
    for place in 0..ENTRIES {
        let entry = (drawn.key(), Reverse(ENTRIES - place + drawn.below(3) * ENTRIES), place);
        if !model.iter().any(|(key, version, _)| *key == entry.0 && *version == entry.1) {
            index.insert(&entry.0, entry.1.0, entry.2);
            model.insert(entry);
        }
        expect("a cursor that rests", &*resting, rest.as_ref())?;
        if place % ASK_EVERY == 0 {
            ask(&index, &model, &mut drawn)?;
            let (key, version) = (drawn.key(), drawn.below(4 * ENTRIES));
            resting.seek(&key, version);
            rest = model.range((key, Reverse(version), 0)..).next().cloned();
        }
    }
    ask(&index, &model, &mut drawn)
}

fn empty(index: &Arc<dyn Index>) -> Result<(), String> {
    let mut cursor = Arc::clone(index).cursor();
    expect("a new cursor", &*cursor, None)?;
    cursor.seek_last();
    expect("the last of none", &*cursor, None)?;
    cursor.seek(b"", u64::MAX);
    expect("the first of none", &*cursor, None)
}

fn ask(index: &Arc<dyn Index>, model: &BTreeSet<Entry>, drawn: &mut Draw) -> Result<(), String> {
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
        let from = (drawn.key(), Reverse(drawn.below(4 * ENTRIES)), 0);
        let what = format!("at or after {:?}, version {}", from.0, from.1.0);
        cursor.seek(&from.0, from.1.0);
        expect(&what, &*cursor, model.range(from.clone()..).next())?;
        let what = format!("before {:?}, version {}", from.0, from.1.0);
        cursor.seek_before(&from.0, from.1.0);
        expect(&what, &*cursor, model.range(..from).next_back())?;
    }
    Ok(())
}

fn expect(what: &str, cursor: &dyn Cursor, expected: Option<&Entry>) -> Result<(), String> {
    let found = cursor.at().map(|at| (at.key.to_vec(), Reverse(at.version), at.place));
    if found.as_ref() == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?} found, {expected:?} expected, as key, version, place"))
}

/// Numbers that are the same each time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % n
    }

    fn key(&mut self) -> Vec<u8> {
        let number = self.below(60);
        match self.below(5) {
            0 => Vec::new(),
            1 => vec![0; number as usize % 5],
            2 => vec![0xff; number as usize % 5],
            3 => format!("user:{number}").into_bytes(),
            _ => format!("user:{number}:profile").into_bytes(),
        }
    }
}
