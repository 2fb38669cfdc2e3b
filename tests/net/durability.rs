//! What is answered when, seen with an engine whose syncs and room the test opens by hand.

use crate::gated::GatedEngine;
use crate::harness::{OK, delete, error, error_false, ok, put, read, serve};
use siltstone::server::Config;
use siltstone::store::{LsmEngine, StorageEngine};
use siltstone::{Db, Error, WriteBatch};
use std::io::{ErrorKind, Read};
use std::sync::Arc;

fn read_only() -> Error {
    Error::ReadOnly { cause: Arc::new(Error::Closed) }
}

#[test]
fn a_pipeline_of_writes_waits_for_one_sync_and_holds_no_thread() {
    let engine = GatedEngine::shut();
    engine.buffer.open(u64::MAX);
    let server = serve(engine.clone(), Config::default());
    let mut client = server.connect();
    let pipeline: String = (0..100).map(|n| format!("{}\n", put(&format!("k{n}"), "x"))).collect();
    client.send(format!("{pipeline}{}\n", read("k7")));
    // Where the pipeline was cut in segments the writes of a segment are one batch, which is waited for.
    let mut other = server.connect();
    loop {
        let waiting = engine.log.waiting();
        assert_eq!(waiting, [engine.written()], "the last write of a pass is waited for, and no other");
        // The server's only thread is free, and the writes are visible, but not acknowledged.
        if other.ask(&read("k99")) == ok("\"x\"") {
            break;
        }
        engine.log.open(waiting[0]);
        while engine.log.waiting() == waiting {}
    }
    assert!(engine.written() < 100, "writes that follow one another are gathered");
    engine.log.open(100);
    for _ in 0..100 {
        assert_eq!(client.reply(), OK);
    }
    assert_eq!(client.reply(), ok("\"x\""));
}

#[test]
fn nothing_is_acknowledged_before_it_is_durable() {
    let engine = GatedEngine::shut();
    engine.buffer.open(u64::MAX);
    let server = serve(engine.clone(), Config::default());
    let mut client = server.connect();
    client.send(format!("{}\n", put("k", "x")));
    assert_eq!(engine.log.waiting(), [1]);
    server.connect().ping();
    client.stream.set_nonblocking(true).unwrap();
    assert_eq!((&client.stream).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    client.stream.set_nonblocking(false).unwrap();
    engine.log.open(1);
    assert_eq!(client.reply(), OK);
}

#[test]
fn a_failed_sync_fails_exactly_the_writes_it_was_for() {
    let engine = GatedEngine::shut();
    engine.buffer.open(u64::MAX);
    engine.log.open(1);
    let server = serve(engine.clone(), Config::default());
    let mut client = server.connect();
    client.put("first", "x");
    engine.log.fail(read_only());
    let failed = error("Server error: the database is read-only since a write to its files failed");
    client
        .send([put("k", "x"), read("first"), delete("first"), "{}".into()].map(|line| line + "\n").concat());
    assert_eq!(client.reply(), failed);
    assert_eq!(client.reply(), ok("\"x\""));
    assert_eq!(client.reply(), failed);
    assert_eq!(client.reply(), error("Unknown command: None"));
    client.ping();
}

#[test]
fn a_write_without_room_waits_alone() {
    let engine = GatedEngine::shut();
    engine.log.open(u64::MAX);
    let mut stored = WriteBatch::new();
    stored.put("there", "x");
    engine.write(stored, None).unwrap().wait().unwrap();
    let server = serve(engine.clone(), Config::default());
    let mut writers: Vec<_> = (0..10).map(|_| server.connect()).collect();
    for (n, writer) in writers.iter_mut().enumerate() {
        writer.send(format!("{}\n", put(&format!("k{n}"), "x")));
    }
    assert!(!engine.buffer.waiting().is_empty());
    let mut reader = server.connect();
    reader.check(&read("there"), &ok("\"x\""));
    reader.check(&read("k3"), &ok("null"));
    engine.buffer.open(u64::MAX);
    for writer in &mut writers {
        assert_eq!(writer.reply(), OK);
    }
    reader.check(&read("k3"), &ok("\"x\""));
}

#[test]
fn an_engine_that_takes_no_writes_says_so() {
    let engine = GatedEngine::shut();
    engine.buffer.fail(read_only());
    let server = serve(engine, Config::default());
    let mut client = server.connect();
    let refused = error("Server error: the database is read-only since a write to its files failed");
    client.check(&put("k", "x"), &refused);
    client.check(r#"{"command":"batch_put","keys":["k"],"values":[1]}"#, &refused);
    // Nothing has to be written for a key that is not there.
    client.check(&delete("k"), &error_false("Failed to delete key or key not found"));
    client.check(&read("k"), &ok("null"));
}

#[test]
fn a_closed_engine_says_so_and_the_connection_stays() {
    let engine = GatedEngine::blocking();
    let server = serve(engine.clone(), Config::default());
    let mut client = server.connect();
    client.put("k", "x");
    engine.close().unwrap();
    let closed = error("Server error: the database is closed");
    client.check(&read("k"), &closed);
    client.check(&put("k", "y"), &closed);
    client.check(&delete("k"), &closed);
    client.check(&crate::harness::range("a", "z", ""), &closed);
    client.ping();
}

#[test]
fn a_shutdown_answers_what_is_under_way() {
    let engine = GatedEngine::shut();
    engine.buffer.open(u64::MAX);
    let mut server = serve(engine.clone(), Config::default());
    let mut idle = server.connect();
    idle.ping();
    let mut client = server.connect();
    client.send(format!("{}\n{}\n", put("k", "x"), read("k")));
    engine.log.waiting();
    server.signal_stop();
    assert_eq!(idle.rest(), "", "an idle client is closed at once");
    engine.log.open(1);
    assert_eq!(client.rest(), format!("{OK}\n{}\n", ok("\"x\"")));
    server.join();
    assert!(std::net::TcpStream::connect(server.addr).is_err(), "nobody listens");
}

#[test]
fn a_shutdown_ends_though_a_write_does_not() {
    let engine = GatedEngine::shut();
    engine.buffer.open(u64::MAX);
    let mut config = Config::default();
    config.drain_timeout = std::time::Duration::from_millis(20);
    let mut server = serve(engine.clone(), config);
    let mut client = server.connect();
    client.send(format!("{}\n", put("k", "x")));
    engine.log.waiting();
    server.signal_stop();
    server.join();
    assert_eq!(client.rest(), "", "not acknowledged");
}

#[test]
fn what_was_acknowledged_is_there_after_the_next_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let lines: String = (0..500).map(|n| format!("{}\n", put(&format!("k{n}"), &n.to_string()))).collect();
    for _ in 0..2 {
        let db = Db::open(&path).unwrap();
        let server = serve(Arc::new(LsmEngine::new(db.clone())), Config::default());
        let mut client = server.connect();
        client.send(&lines);
        (0..500).for_each(|_| assert_eq!(client.reply(), OK));
        drop(server);
        db.close().unwrap();
        let db = Db::open(&path).unwrap();
        assert_eq!(db.get("k499").unwrap().unwrap(), "499");
        assert_eq!(db.iter().count(), 500);
    }
}
