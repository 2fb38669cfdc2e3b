//! The protocols of text lines and of framed JSON over sockets, as their clients use them: one call to send, one to receive.

use crate::harness::{Running, serve};
use crate::resp::Talker;
use siltstone::server::{Config, Protocol};
use siltstone::store::MemoryEngine;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

fn speaking(protocol: Protocol) -> Running {
    let mut config = Config::default();
    config.protocol = protocol;
    serve(Arc::new(MemoryEngine::new()), config)
}

/// A client that takes what one call gives for the whole reply, as the old clients do.
struct OneCall(TcpStream);

impl OneCall {
    fn to(server: &Running) -> OneCall {
        let stream = TcpStream::connect(server.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        OneCall(stream)
    }

    fn receive(&mut self) -> String {
        let mut bytes = [0; 1024];
        let read = self.0.read(&mut bytes).unwrap();
        String::from_utf8(bytes[..read].to_vec()).unwrap()
    }

    fn ask(&mut self, request: &str) -> String {
        self.0.write_all(request.as_bytes()).unwrap();
        self.receive()
    }

    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest
    }
}

const GREETING: &str = "Welcome to KVStore Server\n";

/// A conversation in lines of text, each with its reply.
const LINES: &[(&str, &str)] = &[
    ("PUT session:abc token123 TTL 60\n", "OK\n"),
    ("get session:abc\n", "VALUE token123\n"),
    ("GET missing\n", "NOT_FOUND\n"),
    ("PUT m  a   b\r\n", "OK\n"),
    ("GET m\n", "VALUE a b\n"),
    ("PUT k TTL 60\n", "OK\n"),
    ("GET k\n", "VALUE TTL 60\n"),
    ("PUT k v TTL 3 x\n", "OK\n"),
    ("GET k\n", "VALUE v TTL 3 x\n"),
    ("PUT k v TTL x\n", "ERROR: TTL must be an integer number of seconds\n"),
    ("GET k\n", "VALUE v TTL 3 x\n"),
    ("TTL k 5\n", "OK\n"),
    ("TTL k 0\n", "OK\n"),
    ("TTL missing 5\n", "NOT_FOUND\n"),
    ("TTL k x\n", "ERROR: TTL must be an integer number of seconds\n"),
    ("PUT k v TTL -1\n", "OK\n"),
    ("GET k\n", "NOT_FOUND\n"),
    ("DEL m\n", "DELETED\n"),
    ("DEL m\n", "DELETED\n"),
    ("PUT a\n", "ERROR: PUT requires: PUT key value\n"),
    ("GET\n", "ERROR: GET requires: GET key\n"),
    ("DEL a b\n", "ERROR: DEL requires: DEL key\n"),
    ("TTL a\n", "ERROR: TTL requires: TTL key seconds\n"),
    ("foo bar\n", "ERROR: Unknown command: FOO\n"),
    ("\n", "ERROR: Unknown command\n"),
    ("COMPACT\n", "OK\n"),
];

#[test]
fn lines_of_text() {
    let server = speaking(Protocol::Text);
    let mut client = OneCall::to(&server);
    assert_eq!(client.receive(), GREETING);
    for (request, reply) in LINES {
        assert_eq!(client.ask(request), *reply, "{request}");
    }
    let stats = client.ask("STATS\n");
    let names: Vec<&str> = stats.lines().map(|line| line.split_once(": ").unwrap().0).collect();
    let expected = [
        "keys_in_index",
        "keys_in_cache",
        "put_count",
        "delete_count",
        "file_size_bytes",
        "last_compaction_time",
    ];
    assert_eq!(names, expected);
    assert!(stats.contains("keys_in_index: 1\n"), "{stats}");
    // Five puts and three changes of an expiry, one of them of a key that is not there; two deletions, one of nothing.
    assert!(stats.contains("put_count: 8\ndelete_count: 2\n"), "{stats}");
    // Many at a time: none waits for another to end.
    let mut other = OneCall::to(&server);
    assert_eq!(other.receive(), GREETING);
    assert_eq!(other.ask("GET session:abc\n"), "VALUE token123\n");
    assert_eq!(client.ask("EXIT\n"), "OK\n");
    assert_eq!(client.rest(), "");
}

#[test]
fn lines_of_text_in_one_piece_and_split_at_every_byte() {
    let requests: String = LINES.iter().map(|(request, _)| *request).collect();
    let replies: String = LINES.iter().map(|(_, reply)| *reply).collect();
    let whole = requests + "EXIT\n";
    let expected = format!("{GREETING}{replies}OK\n");
    for at in (0..whole.len()).filter(|at| at % 7 == 0 || *at < 120) {
        let server = speaking(Protocol::Text);
        let (mut client, mut other) = (OneCall::to(&server), OneCall::to(&server));
        assert_eq!(other.receive(), GREETING);
        client.0.write_all(&whole.as_bytes()[..at]).unwrap();
        // The server has one thread, so it has looked at the first part by now.
        assert_eq!(other.ask("GET nothing\n"), "NOT_FOUND\n");
        client.0.write_all(&whole.as_bytes()[at..]).unwrap();
        assert_eq!(client.rest(), expected, "split at {at}");
    }
}

#[test]
fn a_client_that_says_so_stops_the_server() {
    let mut server = speaking(Protocol::Text);
    let mut client = OneCall::to(&server);
    assert_eq!(client.receive(), GREETING);
    assert_eq!(client.ask("PUT k v\n"), "OK\n");
    assert_eq!(client.ask("SHUTDOWN\n"), "OK\n");
    assert_eq!(client.rest(), "");
    server.join();
}

fn framed(body: &str) -> String {
    format!("QUERY_LENGTH: {}\r\n\r\n{body}", body.len())
}

#[test]
fn framed_json_is_found_out_by_its_first_bytes() {
    let server = speaking(Protocol::Auto);
    let mut client = OneCall::to(&server);
    let ping = framed(r#"{"action": "PING", "auth": {}}"#);
    let pong = client.ask(&ping);
    assert!(pong.starts_with("QUERY_LENGTH: ") && pong.contains("PONG"), "{pong}");
    // A token is asked for before it is looked at what for.
    let denied = client.ask(&framed(r#"{"action": "NOPE", "payload": null, "auth": null}"#));
    assert!(
        denied.contains("AUTHENTICATION_FAILED") && denied.contains("Authentication Failed."),
        "{denied}"
    );
    let wrong = client.ask(&framed("nonsense"));
    assert!(wrong.contains("INVALID_REQUEST"), "{wrong}");
    assert_eq!(client.ask(&ping), pong);
    for at in 1..ping.len() {
        let (mut client, mut other) = (OneCall::to(&server), Talker::to(server.addr));
        client.0.write_all(&ping.as_bytes()[..at]).unwrap();
        other.check("PING", "+PONG");
        client.0.write_all(&ping.as_bytes()[at..]).unwrap();
        assert_eq!(client.receive(), pong, "split at {at}");
    }
    let mut client = OneCall::to(&server);
    let broken = client.ask("QUERY_LENGTH: x\r\n\r\n");
    assert!(broken.contains("Invalid Query Length."), "{broken}");
    assert_eq!(client.rest(), "");
}
