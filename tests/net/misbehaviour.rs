//! Clients that do wrong, beside one that does right and must not notice.

use crate::harness::{OK, PING, error, json_lines, ok, put, read, serve};
use siltstone::server::Config;
use siltstone::store::{MemoryEngine, StorageEngine};
use std::io::{ErrorKind, Write};
use std::sync::Arc;

#[test]
fn a_client_that_does_not_read_cannot_send_for_long() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut other = server.connect();
    other.put("big", &"v".repeat(100_000));
    let mut greedy = server.connect();
    greedy.stream.set_nonblocking(true).unwrap();
    let request = format!("{}\n", read("big")).repeat(100);
    let (mut sent, mut refused_in_a_row) = (0, 0);
    // The server's one thread has had a turn with every ping, so it would have read if it wanted to.
    while refused_in_a_row < 1000 {
        match greedy.stream.write(request.as_bytes()) {
            Ok(n) => {
                sent += n;
                refused_in_a_row = 0;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => refused_in_a_row += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 64 << 20, "the server goes on reading from a client that takes no replies");
        other.ping();
    }
    drop(greedy);
    other.check(&put("k", "x"), OK);
}

#[test]
fn a_client_that_reads_late_gets_everything() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut client = server.connect();
    let value = "v".repeat(1 << 20);
    client.put("big", &value);
    client.send(format!("{}\n", read("big")).repeat(100));
    server.connect().ping();
    for _ in 0..100 {
        assert_eq!(client.reply(), ok(&format!("\"{value}\"")));
    }
}

#[test]
fn a_web_page_cannot_make_a_browser_write() {
    let engine = Arc::new(MemoryEngine::new());
    let server = serve(engine.clone(), Config::default());
    let lines = serve(engine.clone(), json_lines());
    let body = put("k", "forged");
    for head in ["POST / HTTP/1.1", "GET /x HTTP/1.1", "PUT / HTTP/1.1\r\nHost: localhost"] {
        let mut client = server.connect();
        client
            .send(format!("{head}\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}\n", body.len() + 1));
        assert_eq!(client.rest(), "-ERR Invalid request: this is not an HTTP server\r\n");
        let mut client = lines.connect();
        client.send(format!("{head}\r\n\r\n{body}\n"));
        assert_eq!(client.rest(), format!("{}\n", error("Invalid request: this is not an HTTP server")));
    }
    assert!(engine.get(b"k").unwrap().is_none());
}

#[test]
fn clients_that_come_and_go_leave_nothing() {
    let mut config = Config::default();
    config.max_connections = 50;
    let server = serve(Arc::new(MemoryEngine::new()), config);
    let mut steady = server.connect();
    steady.put("big", &"v".repeat(100_000));
    let starts =
        [String::new(), "{".into(), format!("{PING}\n"), format!("{}\n", read("big")), "\0\n{\n".into()];
    for n in 0..500 {
        let mut client = server.connect();
        // The server may have refused it, being one too many: that is an end of its own.
        let _ = client.stream.write_all(starts[n % starts.len()].as_bytes());
        steady.ping();
    }
    // Dropping with unread replies resets the connection in the middle of them.
    steady.ping();
}

#[test]
fn random_bytes_leave_the_server_standing() {
    let server = serve(Arc::new(MemoryEngine::new()), json_lines());
    let mut steady = server.connect();
    let seed = 0x0051_1757_u64;
    let mut state = seed;
    for _ in 0..200 {
        let mut client = server.connect();
        let bytes: Vec<u8> = (0..500)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                b"{}[]\",:\\\n\xff\x00\x80ntf1-.eu {"[(state >> 33) as usize % 22]
            })
            .collect();
        client.send(&bytes);
        client.send("\n");
        client.end_of_requests();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        assert_eq!(client.rest().lines().count(), lines, "seed {seed}");
        steady.ping();
    }
}
