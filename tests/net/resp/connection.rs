//! Connections: framing, greeting, names, leaving.

use super::{Talker, array};
use crate::harness::serve;
use siltstone::server::Config;
use siltstone::store::MemoryEngine;
use std::sync::Arc;

fn server() -> crate::harness::Running {
    serve(Arc::new(MemoryEngine::new()), Config::default())
}

#[test]
fn greetings() {
    let server = server();
    let mut client = Talker::to(server.addr);
    client.talk(
        r#"
        PING -> +PONG
        PING "a b" -> $3|a b
        PING a b -> -ERR wrong number of arguments for 'ping' command
        ECHO x -> $1|x
        FOO bar "b z" -> -ERR unknown command 'FOO', with args beginning with: 'bar' 'b z'
        HELLO 4 -> -NOPROTO unsupported protocol version
        HELLO x -> -ERR Protocol version is not an integer or out of range
        HELLO 3 WRONG -> -ERR Syntax error in HELLO option 'WRONG'
        HELLO 3 SETNAME me -> %7|$6|server|$5|redis|$7|version|$5|7.2.0|$5|proto|:3|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*0
        CLIENT GETNAME -> $2|me
        GET none -> _
        HGETALL none -> %0
        MGET none -> *1|_
        HRANDFIELD none 1 WITHVALUES -> *0
        HSET h f v -> :1
        HRANDFIELD h 1 WITHVALUES -> *1|*2|$1|f|$1|v
        HGETALL h -> %1|$1|f|$1|v
        CONFIG GET save -> %1|$4|save|$0|
        WATCH h -> +OK
        HSET h f w -> :0
        MULTI -> +OK
        EXEC -> _
        RESET -> +RESET
        GET none -> $-1
        CLIENT SETINFO lib-name test -> +OK
        CLIENT SETINFO lib-ver 1.0 -> +OK
        CLIENT SETINFO wrong 1.0 -> -ERR Unrecognized option
        CLIENT SETNAME "a b" -> -ERR Client names cannot contain spaces, newlines or special characters.
        CLIENT ID -> :1
        CLIENT NO-EVICT ON -> +OK
        CLIENT UNBLOCK 1 -> :0
        CLIENT WRONG -> -ERR unknown subcommand 'WRONG'. Try CLIENT HELP.
        CLIENT KILL 1.2.3.4:5 -> -ERR No such client
        CLIENT KILL ID 99 -> :0
        AUTH x -> -ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
        "#,
    );
    let info = client.ask("CLIENT INFO");
    assert!(
        info.contains("id=1 ") && info.contains(" cmd=") && info.contains("lib-name=test lib-ver=1.0"),
        "{info}"
    );
    let mut other = Talker::to(server.addr);
    other.check("CLIENT KILL ID 1", ":1");
    assert_eq!(client.rest(), "");
    other.check("QUIT", "+OK");
    assert_eq!(other.rest(), "");
}

#[test]
fn replies_can_be_switched_off() {
    let server = server();
    let mut client = Talker::to(server.addr);
    client.say("CLIENT REPLY SKIP\r\nSET a 1\r\nGET a");
    assert_eq!(client.hear(), "$1|1");
    client.say("CLIENT REPLY OFF\r\nSET a 2\r\nGET a\r\nCLIENT REPLY ON\r\nGET a");
    assert_eq!(client.hear(), "+OK");
    assert_eq!(client.hear(), "$1|2");
}

/// A conversation in the form of libraries, and all its replies.
fn conversation() -> (Vec<u8>, String) {
    let requests = [
        array(&[b"SET", b"k\r\n", b"\x00\xff\r\n$3\r\n"]),
        array(&[b"GET", b"k\r\n"]),
        b"*0\r\n\r\n".to_vec(),
        b"GET \"k\\r\\n\"\r\n".to_vec(),
        array(&[b"HSET", b"h", b"", b""]),
        array(&[b"SET", b"page", b"HTTP/1.1 200 OK"]),
        array(&[b"INCR", b"n"]),
        array(&[b"MGET", b"n", b"none"]),
        array(&[b"nonsense"]),
        array(&[b"QUIT"]),
    ];
    let value = "$8\r\n\u{0}\u{fffd}\r\n$3\r\n\r\n";
    let replies = format!(
        "+OK\r\n{value}{value}:1\r\n+OK\r\n:1\r\n*2\r\n$1\r\n1\r\n$-1\r\n-ERR unknown command 'nonsense', with args beginning with: \r\n+OK\r\n"
    );
    (requests.concat(), replies.replace("\r\n", "|"))
}

#[test]
fn a_conversation_split_at_every_byte() {
    let (requests, replies) = conversation();
    for at in 1..requests.len() {
        let server = server();
        let (mut client, mut other) = (Talker::to(server.addr), Talker::to(server.addr));
        client.send(&requests[..at]);
        // The server has one thread, so it has looked at the first part by now.
        other.check("PING", "+PONG");
        client.send(&requests[at..]);
        assert_eq!(client.rest(), replies, "split at {at}");
    }
}

#[test]
fn a_conversation_in_one_piece() {
    let (requests, replies) = conversation();
    let server = server();
    let mut client = Talker::to(server.addr);
    client.send(&requests);
    assert_eq!(client.rest(), replies);
}

#[test]
fn what_cannot_be_understood_ends_the_connection() {
    let server = server();
    let cases: [(&[u8], &str); 6] = [
        (b"*1\r\n$4\r\nPING\r\n*x\r\n", "+PONG|-ERR Protocol error: invalid multibulk length|"),
        (b"*1\r\n$x\r\n", "-ERR Protocol error: invalid bulk length|"),
        (b"*1\r\nx\r\n", "-ERR Protocol error: expected '$', got 'x'|"),
        (b"SET \"k\r\n", "-ERR Protocol error: unbalanced quotes in request|"),
        (b"\x16\x03\x01", "-ERR this port does not speak TLS|"),
        (b"\x01", "-ERR unknown protocol|"),
    ];
    for (sent, expected) in cases {
        let mut client = Talker::to(server.addr);
        client.send(sent);
        assert_eq!(client.rest(), expected);
    }
}
