//! Little stack. Nothing that reads bytes recurses with them, so a stack of this size is enough for any.

use siltstone::protocol::json_lines::{Decoded, Decoder};
use siltstone::store::Value;

/// What threads that serve are given at the least anywhere, and some.
const STACK: usize = 128 << 10;

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap();
    thread.join().unwrap();
}

/// Nested arrays, objects, and both, closed and not, in every place where a request may hold a value.
fn deep_lines(depth: usize) -> Vec<String> {
    let nests = [
        "[".repeat(depth),
        format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
        "{\"a\":".repeat(depth),
        format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)),
        format!("{}1{}", "[{\"a\":".repeat(depth / 2), "}]".repeat(depth / 2)),
    ];
    let places = [
        "NEST",
        r#"{"command":"put","key":"k","value":NEST}"#,
        r#"{"command":NEST}"#,
        r#"{"command":"read","key":NEST}"#,
        r#"{"command":"batch_put","keys":NEST,"values":[]}"#,
        r#"{"command":"batch_put","keys":["k"],"values":[NEST]}"#,
        r#"{"command":"ping","unknown":NEST}"#,
    ];
    let lines = places.iter().flat_map(|place| nests.iter().map(|nest| place.replace("NEST", nest) + "\n"));
    lines.collect()
}

#[test]
fn requests_nested_without_end_need_no_stack() {
    on_a_small_stack(|| {
        for line in deep_lines(100_000) {
            let mut decoder = Decoder::new(64 << 20);
            let decoded = decoder.decode(line.as_bytes());
            assert!(matches!(decoded, Decoded::Refused { .. }), "{:.80}", line);
        }
        // As deep as may be, and a little less and more.
        for line in [97, 98, 99, 100, 101].into_iter().flat_map(deep_lines) {
            assert!(!matches!(Decoder::new(64 << 20).decode(line.as_bytes()), Decoded::Incomplete { .. }));
        }
    });
}

/// The library may have stored anything.
#[test]
fn stored_values_nested_without_end_need_no_stack() {
    on_a_small_stack(|| {
        for line in deep_lines(100_000) {
            let stored = [b"\xffJ", line.as_bytes()].concat();
            assert!(matches!(Value::decode(&stored), Value::Bytes(_) | Value::Json(_)));
        }
    });
}

/// A database is opened, written, flushed, compacted, scanned both ways and checked by a thread with little stack.
#[test]
fn a_database_needs_little_stack() {
    use siltstone::{Background, Options};
    on_a_small_stack(|| {
        let folder = tempfile::tempdir().unwrap();
        let options =
            Options::default().background(Background::Stepped).memtable_bytes(20 << 10).table_bytes(10 << 10);
        for _ in 0..2 {
            let db = options.clone().open(folder.path().join("db")).unwrap();
            for n in 0..2000 {
                db.put(format!("k{n}"), vec![b'v'; n % 300]).unwrap();
            }
            db.compact_range::<&[u8]>(..).unwrap();
            assert_eq!((db.iter().count(), db.iter().rev().count()), (2000, 2000));
            assert!(db.verify().unwrap().is_sound());
            db.close().unwrap();
        }
    });
}
