//! Each limit of the configuration: what happens at it, and that others do not notice.

use crate::harness::{OK, PING, error, ok, put, range, serve};
use siltstone::Error;
use siltstone::server::{Config, Server};
use siltstone::store::MemoryEngine;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

#[test]
fn a_line_over_the_limit_is_answered_and_the_connection_closed() {
    let server = serve(Arc::new(MemoryEngine::new()), config(|c| c.max_line_bytes = 1000));
    let mut other = server.connect();
    let mut client = server.connect();
    client.check(&format!("{PING}{}", " ".repeat(1000 - PING.len())), &ok("\"pong\""));
    let too_long = error("Server error: the line is longer than 1000 bytes");
    client.send(format!("{}\n{PING}\n{}", put("before", "x"), "x".repeat(100_000)));
    assert_eq!(client.rest(), format!("{OK}\n{}\n{too_long}\n", ok("\"pong\"")));
    other.ping();
}

#[test]
fn the_longest_line_goes_both_ways() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut client = server.connect();
    let value = "v".repeat(Config::default().max_line_bytes - put("k", "").len());
    client.put("k", &value);
    assert_eq!(client.ask(r#"{"command":"read","key":"k"}"#), ok(&format!("\"{value}\"")));
    client.ping();
}

#[test]
fn a_range_over_the_limit_says_what_to_do() {
    let server = serve(Arc::new(MemoryEngine::new()), config(|c| c.max_range_bytes = 100_000));
    let mut client = server.connect();
    for n in 0..500 {
        client.put(&format!("k{n:03}"), &"v".repeat(200));
    }
    let reply = client.ask(&range("k", "l", ""));
    let why = r#"the range is larger than 100000 bytes: ask for a narrower one, or set \"limit\""#;
    assert_eq!(reply, error(&format!("Server error: {why}")));
    let some = client.ask(&range("k", "l", r#","limit":200"#));
    assert_eq!(some.matches("\"k").count(), 200);
    assert!(client.ask(&range("k100", "k299", "")).starts_with(r#"{"status":"ok","result":{"k100":"v"#));
}

#[test]
fn a_long_range_is_whole_and_sorted() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut client = server.connect();
    let keys: Vec<String> = (0..5000).map(|n| format!("\"k{n:04}\"")).collect();
    let batch =
        |keys: &[String]| format!(r#"{{"command":"batch_put","keys":[{0}],"values":[{0}]}}"#, keys.join(","));
    client.check(&batch(&keys), OK);
    let entries: Vec<String> = keys.iter().map(|key| format!("{key}:{key}")).collect();
    client.check(&range("k", "l", ""), &ok(&format!("{{{}}}", entries.join(","))));
    let reversed: Vec<String> = entries.iter().rev().take(3000).cloned().collect();
    client.check(
        &range("k", "l", r#","reverse":true,"limit":3000"#),
        &ok(&format!("{{{}}}", reversed.join(","))),
    );
}

#[test]
fn one_connection_too_many_is_told_so() {
    let server = serve(Arc::new(MemoryEngine::new()), config(|c| c.max_connections = 2));
    let (mut first, mut second) = (server.connect(), server.connect());
    first.ping();
    second.ping();
    let why = "Server error: too many connections, at most 2 are served: try again later";
    assert_eq!(server.connect().rest(), format!("{}\n", error(why)));
    first.ping();
    drop(second);
    // The place is free when the server has seen the end, which is soon.
    let served = (0..100_000).any(|_| try_ping(server.addr).is_ok());
    assert!(served, "a place that became free is given away again");
    first.ping();
}

fn try_ping(addr: std::net::SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(addr)?;
    stream.write_all(format!("{PING}\n").as_bytes())?;
    let mut reply = [0; 15];
    stream.read_exact(&mut reply)?;
    if reply == *b"{\"status\":\"ok\"," { Ok(()) } else { Err(ErrorKind::ConnectionRefused.into()) }
}

#[test]
fn a_client_that_completes_no_request_is_closed() {
    let soon = Duration::from_millis(50);
    let server = serve(Arc::new(MemoryEngine::new()), config(|c| c.handshake_timeout = soon));
    server.connect().check_closed();
    // A part of a request does not count. Sending it fails when the time was over before.
    let mut slow = server.connect();
    let _ = slow.stream.write_all(b"{\"command\":");
    slow.check_closed();

    let server = serve(Arc::new(MemoryEngine::new()), config(|c| c.idle_timeout = soon));
    let mut idle = server.connect();
    idle.ping();
    let _ = idle.stream.write_all(b"\n\n{");
    idle.check_closed();
}

#[test]
fn times_without_end_are_possible() {
    let endless = config(|c| {
        c.handshake_timeout = Duration::MAX;
        c.idle_timeout = Duration::MAX;
        c.drain_timeout = Duration::MAX;
    });
    serve(Arc::new(MemoryEngine::new()), endless).connect().ping();
}

#[test]
fn an_address_that_others_can_reach_needs_consent() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bind = |addr: &'static str, allow: bool| {
        let config = config(|c| c.allow_remote = allow);
        runtime.block_on(Server::bind(addr, Arc::new(MemoryEngine::new()), config)).map(drop)
    };
    for addr in ["0.0.0.0:0", "[::]:0"] {
        let refused = bind(addr, false).unwrap_err();
        assert!(matches!(refused, Error::InvalidArgument { .. }), "{refused}");
        assert!(refused.to_string().contains("listen on 127.0.0.1, or allow remote clients"), "{refused}");
    }
    bind("0.0.0.0:0", true).unwrap();
    bind("localhost:0", false).unwrap();
    assert!(bind("127.0.0.1", false).is_err(), "no port");
}
