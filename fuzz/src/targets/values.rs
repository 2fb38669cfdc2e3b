//! What is small and public: stored values, and bounds of ranges.

use super::ops::Key;
use super::ops::model::{Bounds, Ends, between, compare};
use crate::choices::{List, Rest};
use crate::history::Map;
use crate::store::{FOLDER, options};
use arbitrary::{Arbitrary, Unstructured};
use siltstone::protocol::Reply;
use siltstone::protocol::json_lines::{Asked, encode};
use siltstone::store::{LsmEngine, MemoryEngine, Scan, StorageEngine, Value};
use siltstone::vfs::mem::MemVfs;
use siltstone::{Slice, WriteBatch};
use std::borrow::Cow;
use std::ops::Bound;

/// Every value has one stored form, and comes back from it; every stored form is a value; and what a door makes of it is
/// JSON.
pub fn value_codec(input: &[u8]) {
    let stored = Value::decode(input);
    let again = stored.encode().into_owned();
    assert_eq!(Value::decode(&again), stored, "a value that was read, written and read");
    // Bytes that are no stored form, as the library may have put them, are those bytes.
    assert!(again == input || stored == Value::Bytes(input.into()), "{stored:?}");
    let plain = Value::Bytes(input.into());
    assert_eq!(Value::decode(&plain.encode()), plain, "any bytes");
    if let Value::Json(text) = &stored {
        serde_json::from_str::<serde::de::IgnoredAny>(text).expect("a value that is JSON");
        assert!(!text.trim_start().starts_with('"'), "a string is plain bytes");
    }
    let mut line = Vec::new();
    encode(&Reply::Value(Some(Slice::copy_of(input))), Asked::Other, &mut line);
    assert!(line.is_ascii() && line.ends_with(b"\n"));
    serde_json::from_slice::<serde::de::IgnoredAny>(&line).expect("a reply is JSON");
    if let Ok(text) = std::str::from_utf8(input)
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
        && !text.trim_start().starts_with('"')
    {
        let json = Value::Json(Cow::Borrowed(text));
        assert_eq!(Value::decode(&json.encode()), json, "any JSON but a string");
    }
}

#[derive(Debug, Arbitrary)]
struct Ranges {
    keys: List<Key, 40>,
    flushed: u8,
    /// Bounds that need not be like any key.
    raw: (Bound<List<u8, 9>>, Bound<List<u8, 9>>),
    ranges: Rest<(Bound<Key>, Bound<Key>, Ends), 16>,
}

/// Any bounds, from both ends: the database and both engines give what a map has between them.
pub fn bounds(input: &[u8]) {
    let Ok(input) = Ranges::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let db = options(&MemVfs::new()).open(FOLDER).expect("a new database");
    let (lsm, memory) = (LsmEngine::new(db.clone()), MemoryEngine::new());
    let mut map = Map::new();
    for (n, key) in input.keys.iter().enumerate() {
        let (key, value) = (key.bytes(), vec![n as u8]);
        let mut batch = WriteBatch::new();
        batch.put(&key, &value);
        for engine in [&lsm as &dyn StorageEngine, &memory] {
            engine.write(batch.clone(), None).and_then(|commit| commit.wait()).expect("room");
        }
        map.insert(key, value);
        if n == usize::from(input.flushed) {
            db.flush().expect("nothing fails");
        }
    }
    let (lower, upper) = &input.raw;
    let raw =
        ((lower.as_ref().map(|key| key.to_vec()), upper.as_ref().map(|key| key.to_vec())), Ends::default());
    let chosen = input.ranges.iter();
    let chosen = chosen.map(|(lower, upper, ends)| ((lower.map(Key::bytes), upper.map(Key::bytes)), *ends));
    for (n, (bounds, ends)) in chosen.chain([raw]).enumerate() {
        compare(db.range::<Vec<u8>>(bounds.clone()), between(&map, &bounds), ends);
        engines(&[&lsm, &memory], &map, &bounds, n);
    }
}

fn engines(engines: &[&dyn StorageEngine], map: &Map, bounds: &Bounds, limit: usize) {
    let scan = Scan::between(bounds.0.as_ref(), bounds.1.as_ref());
    let expected: Vec<_> = between(map, bounds).into();
    assert!(!scan.is_empty() || expected.is_empty(), "called empty: {scan:?}");
    for engine in engines {
        for scan in [scan, scan.reversed(), scan.limited(limit), scan.reversed().limited(limit)] {
            let mut expected = expected.clone();
            if scan.direction == siltstone::store::Direction::Reverse {
                expected.reverse();
            }
            expected.truncate(scan.limit.unwrap_or(usize::MAX));
            let found =
                engine.range(scan).expect("an open engine").map(|entry| entry.expect("nothing fails"));
            let found: Vec<_> = found.map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
            assert_eq!(found, expected, "{scan:?}");
        }
    }
}
