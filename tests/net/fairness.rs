//! What takes long, or much memory, keeps nobody else waiting. The server has one thread for all clients.

use crate::gated::GatedEngine;
use crate::harness::{OK, PING, error, error_false, ok, put, range, read, serve};
use siltstone::WriteBatch;
use siltstone::server::Config;
use siltstone::store::{MemoryEngine, StorageEngine};
use std::io::Write;
use std::sync::Arc;

const BUSY: &str =
    "Server error: the server is busy with other large requests: try again later, or ask for less";

#[test]
fn a_range_that_takes_long_keeps_nobody_waiting() {
    let engine = GatedEngine::holding();
    let server = serve(engine.clone(), Config::default());
    let (mut slow, mut other) = (server.connect(), server.connect());
    other.put("k", "x");
    // What is deleted has to be stepped over before there is a first entry, so even the first may take long.
    slow.send(format!("{}\n{PING}\n", range("a", "z", "")));
    engine.work.waiting();
    other.check(&read("k"), &ok("\"x\""));
    other.put("l", "y");
    engine.work.open(1);
    assert_eq!(slow.reply(), ok(r#"{"k":"x"}"#));
    assert_eq!(slow.reply(), ok("\"pong\""));
}

#[test]
fn long_ranges_leave_threads_for_short_ones() {
    let engine = Arc::new(MemoryEngine::new());
    let mut batch = WriteBatch::new();
    (0..100_000).for_each(|n| batch.put(format!("k{n:05}"), "v"));
    engine.write(batch, None).unwrap().wait().unwrap();
    let server = serve(engine, Config::default());
    let long = format!("{}\n", range("k", "l", ""));
    let mut greedy: Vec<_> = (0..20).map(|_| server.connect()).collect();
    greedy.iter_mut().for_each(|client| client.send(&long));
    let mut other = server.connect();
    for _ in 0..20 {
        other.check(&range("k00007", "k00008", ""), &ok(r#"{"k00007":"v","k00008":"v"}"#));
    }
    for client in &mut greedy {
        assert_eq!(client.reply().matches(':').count(), 100_002);
    }
}

#[test]
fn a_write_that_takes_long_keeps_nobody_waiting() {
    let engine = GatedEngine::holding();
    let server = serve(engine.clone(), Config::default());
    let (mut slow, mut other) = (server.connect(), server.connect());
    let value = "v".repeat(400_000);
    // A blank line before it, and a short request behind it, go with it.
    slow.send(format!("\n{}\n{}\n", put("long", &value), read("short")));
    engine.work.waiting();
    other.put("short", "x");
    other.check(&read("long"), &ok("null"));
    engine.work.open(1);
    assert_eq!(slow.reply(), OK);
    assert_eq!(slow.reply(), ok("\"x\""));
    other.check(&read("long"), &ok(&format!("\"{value}\"")));
}

#[test]
fn a_long_write_waits_for_room_without_a_thread() {
    let engine = GatedEngine::shut();
    engine.log.open(u64::MAX);
    engine.work.open(u64::MAX);
    let server = serve(engine.clone(), Config::default());
    let mut slow = server.connect();
    slow.send(format!("{}\n", put("long", &"v".repeat(400_000))));
    engine.buffer.waiting();
    server.connect().check(&read("long"), &ok("null"));
    engine.buffer.open(u64::MAX);
    assert_eq!(slow.reply(), OK);
}

#[test]
fn a_client_that_always_asks_gives_way() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut other = server.connect();
    let mut greedy: Vec<_> = (0..4).map(|_| server.connect()).collect();
    let pipeline = format!("{PING}\n").repeat(50_000);
    std::thread::scope(|scope| {
        for client in &mut greedy {
            let (mut writer, pipeline) = (client.stream.try_clone().unwrap(), pipeline.as_bytes());
            scope.spawn(move || writer.write_all(pipeline).unwrap());
            scope.spawn(|| (0..50_000).for_each(|_| assert_eq!(client.reply(), ok("\"pong\""))));
        }
        (0..50).for_each(|_| other.ping());
    });
}

#[test]
fn what_the_memory_does_not_suffice_for_is_refused_and_the_rest_served() {
    let mut config = Config::default();
    config.max_buffered_bytes = 8 << 20;
    let server = serve(Arc::new(MemoryEngine::new()), config);
    let (mut greedy, mut other) = (server.connect(), server.connect());
    other.put("big", &"v".repeat(1_000_000));
    // What has arrived of a line takes memory though the line is not whole. How much of it is read nobody knows, but it ends.
    let mut lines = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect();
        let _ = client.stream.write_all(&vec![b'{'; 7 << 20]);
        lines.push(client);
    }
    let refused = lines.iter_mut().map(|client| {
        client.end_of_requests();
        client.rest()
    });
    let refused: Vec<String> = refused.filter(|said| !said.is_empty()).collect();
    assert!(refused.len() >= 2 && refused.iter().all(|said| *said == error(BUSY) + "\n"), "{refused:?}");
    // One that is whole, but takes more than there is to be carried out, is refused alone.
    greedy.send(format!("{}\n{PING}\n", put("huge", &"v".repeat(3 << 20))));
    assert_eq!(greedy.reply(), error(BUSY));
    assert_eq!(greedy.reply(), ok("\"pong\""));
    other.check(&read("huge"), &ok("null"));
    // Eight replies of a megabyte are not sent at once, but one after the other they are.
    other.send(format!("{}\n", read("big")).repeat(20));
    for _ in 0..20 {
        assert_eq!(other.reply().len(), 1_000_000 + ok("\"\"").len());
    }
    other.put("small", "x");
}

#[test]
fn a_range_that_the_memory_does_not_suffice_for_is_refused() {
    let mut config = Config::default();
    config.max_buffered_bytes = 1 << 20;
    let engine = Arc::new(MemoryEngine::new());
    let mut batch = WriteBatch::new();
    (0..20_000).for_each(|n| batch.put(format!("k{n:05}"), "value"));
    engine.write(batch, None).unwrap().wait().unwrap();
    let server = serve(engine, config);
    let mut client = server.connect();
    client.check(&range("k", "l", ""), &error(BUSY));
    assert_eq!(client.ask(&range("k", "l", r#","limit":1000"#)).matches(':').count(), 1002);
}

#[test]
fn a_batch_of_too_many_pairs_is_refused() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut client = server.connect();
    let batch = |count: usize| {
        let (keys, values) = (vec!["\"\""; count].join(","), vec!["1"; count].join(","));
        format!(r#"{{"command":"batch_put","keys":[{keys}],"values":[{values}]}}"#)
    };
    client.check(&batch(100_001), &error_false("Failed to batch put key-value pairs"));
    client.check(&read(""), &ok("null"));
    client.check(&batch(100_000), OK);
    client.check(&read(""), &ok("1"));
}
