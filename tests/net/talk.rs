//! The protocol's table as one conversation. Each line builds on those before it.

use crate::gated::GatedEngine;
use crate::harness::{error, error_false, ok, range, serve};
use siltstone::server::Config;
use siltstone::store::{LsmEngine, MemoryEngine, StorageEngine};
use siltstone::{Db, WriteBatch};
use std::sync::Arc;

// tidy: long because it is a table, one line of the conversation after the other.
pub fn conversation() -> Vec<(String, String)> {
    [one_key(), many_keys()].concat()
}

/// Puts, reads and deletes of one key, with all kinds of values.
fn one_key() -> Vec<(String, String)> {
    let put = |value: &str| format!(r#"{{"command":"put","key":"k","value":{value}}}"#);
    let read = r#"{"command":"read","key":"k"}"#.to_owned();
    let mut talk = vec![
        (r#"{"command": "put", "key": "k", "value": "v"}"#.into(), ok("true")),
        (read.clone(), ok("\"v\"")),
        (r#"{"command": "read", "key": "nope"}"#.into(), ok("null")),
        (
            r#"{"command": "delete", "key": "nope"}"#.into(),
            error_false("Failed to delete key or key not found"),
        ),
        (r#"{"command": "delete", "key": "k"}"#.into(), ok("true")),
        (r#"{"command": "delete", "key": "k"}"#.into(), error_false("Failed to delete key or key not found")),
        (read.clone(), ok("null")),
    ];
    let values = [
        "\"\"",
        "0",
        "false",
        "true",
        "1.0",
        "-0",
        "1E400",
        "123456789012345678901234567890",
        "[]",
        "{}",
        r#"{"z":1,"a":[null,{"b":"\u00e9"}]}"#,
        r#""\u00e9\ud83d\ude00\"\\\n\u0000""#,
    ];
    for value in values {
        talk.push((put(value), ok("true")));
        talk.push((read.clone(), ok(value)));
    }
    talk.push((put("null"), error("Missing key or value")));
    talk
}

/// Ranges and batches, and what is refused.
fn many_keys() -> Vec<(String, String)> {
    vec![
        (r#"{"command":"put","key":"h","value":"é😀"}"#.into(), ok("true")),
        (r#"{"command":"read","key":"h"}"#.into(), ok(r#""\u00e9\ud83d\ude00""#)),
        (r#"{"command":"put","key":"\u00e9","value":1}"#.into(), ok("true")),
        (r#"{"command":"read","key":"é"}"#.into(), ok("1")),
        (r#"{"command":"put","key":"","value":"empty"}"#.into(), ok("true")),
        (r#"{"command":"read","key":""}"#.into(), ok("\"empty\"")),
        (
            r#"{"command":"batch_put","keys":["p:2","p:1","q","p:2"],"values":[1,null,"x",[2]]}"#.into(),
            ok("true"),
        ),
        (range("p:1", "p:2", ""), ok(r#"{"p:1":null,"p:2":[2]}"#)),
        (range("p:", "q", ""), ok(r#"{"p:1":null,"p:2":[2],"q":"x"}"#)),
        (range("p:", "q", r#","limit":2"#), ok(r#"{"p:1":null,"p:2":[2]}"#)),
        (range("p:", "q", r#","limit":2,"reverse":true"#), ok(r#"{"q":"x","p:2":[2]}"#)),
        (range("p:", "q", r#","limit":0"#), ok("{}")),
        (range("q", "p:", ""), ok("{}")),
        (range("", "", ""), ok(r#"{"":"empty"}"#)),
        (range("r", "z", ""), ok("{}")),
        (r#"{"command":"read","key":"p:1"}"#.into(), ok("null")),
        (r#"{"command":"delete","key":"p:1"}"#.into(), ok("true")),
        (r#"{"command":"batch_put","keys":[],"values":[]}"#.into(), ok("true")),
        (
            r#"{"command":"batch_put","keys":["n1","n2"],"values":[1]}"#.into(),
            error_false("Failed to batch put key-value pairs"),
        ),
        (
            r#"{"command":"batch_put","keys":["n1",2],"values":[1,2]}"#.into(),
            error_false("Key must be a string"),
        ),
        (range("n", "nz", ""), ok("{}")),
        (r#"{"command":"PUT","key":"k","value":1}"#.into(), error("Unknown command: PUT")),
        (r#"{"key":"k"}"#.into(), error("Unknown command: None")),
        ("[1]".into(), error("Invalid request: expected a JSON object")),
        (r#"{"command":"ping"}"#.into(), ok("\"pong\"")),
    ]
}

#[test]
fn every_row_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(folder.path().join("db")).unwrap();
    let engines: [Arc<dyn StorageEngine>; 3] =
        [Arc::new(MemoryEngine::new()), GatedEngine::blocking(), Arc::new(LsmEngine::new(db))];
    for engine in engines {
        let server = serve(engine, Config::default());
        let mut client = server.connect();
        for (request, reply) in conversation() {
            client.check(&request, &reply);
        }
    }
}

#[test]
fn keys_and_batches_over_a_limit_of_the_store_are_refused() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut client = server.connect();
    let long = "k".repeat(65_536);
    let most = "k".repeat(65_535);
    client.check(&format!(r#"{{"command":"put","key":"{most}","value":1}}"#), &ok("true"));
    client.check(
        &format!(r#"{{"command":"put","key":"{long}","value":1}}"#),
        &error_false("Failed to put key-value pair"),
    );
    client.check(
        &format!(r#"{{"command":"batch_put","keys":["fine","{long}"],"values":[1,2]}}"#),
        &error_false("Failed to batch put key-value pairs"),
    );
    client.check(
        &format!(r#"{{"command":"delete","key":"{long}"}}"#),
        &error_false("Failed to delete key or key not found"),
    );
    client.check(r#"{"command":"read","key":"fine"}"#, &ok("null"));
}

#[test]
fn what_the_library_stored_is_read_as_text_or_refused() {
    let engine = Arc::new(MemoryEngine::new());
    let mut batch = WriteBatch::new();
    batch.put("a", "text");
    batch.put("b", b"\xff\x00");
    batch.put(b"c\xff", "binary key");
    engine.write(batch, None).unwrap().wait().unwrap();
    let server = serve(engine.clone(), Config::default());
    let mut client = server.connect();
    client.check(r#"{"command":"read","key":"a"}"#, &ok("\"text\""));
    client.check(r#"{"command":"read","key":"b"}"#, &error("Value is not valid UTF-8"));
    client.check(&range("a", "b", ""), &error("Value is not valid UTF-8"));
    client.check(&range("c", "d", ""), &error("Key is not valid UTF-8"));
    client.check(r#"{"command":"put","key":"b","value":"new"}"#, &ok("true"));
    assert_eq!(engine.get(b"b").unwrap().unwrap(), "new");
}
