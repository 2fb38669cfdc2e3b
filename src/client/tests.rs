//! The client against a peer on the loopback address that says what a test tells it to.

use super::*;
use crate::sync::thread;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Bound;

/// What a peer expects, and what it says to it.
type Script = Vec<(Vec<u8>, Vec<u8>)>;

const HELLO: &[u8] = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";

/// A command as it is sent.
fn sent(args: &[&str]) -> Vec<u8> {
    let mut pipeline = Pipeline::new();
    pipeline.command(args).unwrap();
    pipeline.bytes().to_vec()
}

/// A step: this command, and this reply to it.
fn step(command: &str, reply: &str) -> (Vec<u8>, Vec<u8>) {
    (sent(&command.split(' ').collect::<Vec<_>>()), reply.into())
}

fn play(mut stream: TcpStream, script: Script) {
    stream.set_nodelay(true).unwrap();
    for (wanted, reply) in script {
        let mut got = vec![0; wanted.len()];
        stream.read_exact(&mut got).unwrap();
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&wanted));
        stream.write_all(&reply).unwrap();
    }
}

/// Does `work` with a client of a peer that follows a script and then closes; fails when the peer found otherwise.
fn with_peer_as(options: &ClientOptions, script: Script, work: impl FnOnce(Result<Client>)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = thread::spawn(move || play(listener.accept().unwrap().0, script));
    work(Client::connect_with(address, options));
    peer.join().unwrap();
}

fn with_peer(script: Script, work: impl FnOnce(&mut Client)) {
    let script = [vec![(HELLO.to_vec(), b"%1\r\n+proto\r\n:3\r\n".to_vec())], script].concat();
    with_peer_as(&ClientOptions::default(), script, |client| work(&mut client.unwrap()));
}

#[test]
fn methods_send_their_commands_and_understand_the_replies() {
    let script = vec![
        step("PING", "+PONG\r\n"),
        step("GET k", "$1\r\nv\r\n"),
        step("GET none", "_\r\n"),
        step("SET k v", "+OK\r\n"),
        step("SET k v PX 1500", "+OK\r\n"),
        step("DEL k", ":1\r\n"),
        step("EXISTS k", ":0\r\n"),
        step("INCRBY n -5", ":-5\r\n"),
        step("HSET h f v", ":1\r\n"),
        step("HGET h f", "$1\r\nv\r\n"),
        step("HGETALL h", "%1\r\n$1\r\nf\r\n$1\r\nv\r\n"),
        step("HGETALL h", "*2\r\n$1\r\nf\r\n$1\r\nv\r\n"),
        step("HDEL h f", ":0\r\n"),
        step("ECHO x", "$1\r\nx\r\n"),
    ];
    with_peer(script, |client| {
        assert_eq!(client.version(), 3);
        client.ping().unwrap();
        assert_eq!(client.get("k").unwrap().unwrap(), b"v");
        assert_eq!(client.get(b"none").unwrap(), None);
        client.put("k", "v").unwrap();
        client.put_with_ttl("k", "v", Duration::from_millis(1500)).unwrap();
        assert!(client.delete("k").unwrap());
        assert!(!client.exists("k").unwrap());
        assert_eq!(client.increment("n", -5).unwrap(), -5);
        assert!(client.hset("h", "f", "v").unwrap());
        assert_eq!(client.hget("h", "f").unwrap().unwrap(), b"v");
        for _ in 0..2 {
            assert_eq!(client.hgetall("h").unwrap(), [(b"f".to_vec(), b"v".to_vec())]);
        }
        assert!(!client.hdel("h", "f").unwrap());
        assert_eq!(client.command(["ECHO", "x"]).unwrap().as_text(), Some("x"));
    });
}

#[test]
fn it_says_who_it_is_and_falls_back_to_version_2() {
    let options = ClientOptions::default().user("ada").password("secret").database(2).name("tests");
    assert!(!format!("{options:?}").contains("secret"));
    let script = vec![
        step("AUTH ada secret", "+OK\r\n"),
        (HELLO.to_vec(), b"-ERR unknown command 'HELLO'\r\n".to_vec()),
        step("CLIENT SETNAME tests", "+OK\r\n"),
        step("SELECT 2", "+OK\r\n"),
    ];
    with_peer_as(&options, script, |client| assert_eq!(client.unwrap().version(), 2));
    let script = vec![step("AUTH ada secret", "-WRONGPASS no\r\n")];
    with_peer_as(&options, script, |client| assert!(client.unwrap_err().is_server_code("WRONGPASS")));
    let script = vec![(HELLO.to_vec(), b"-NOAUTH log in first\r\n".to_vec())];
    with_peer_as(&ClientOptions::default(), script, |client| {
        assert_eq!(client.unwrap_err().to_string(), "NOAUTH log in first");
    });
}

#[test]
fn errors_of_the_server_and_surprises_leave_the_connection() {
    let script = vec![
        step("GET h", "-WRONGTYPE not that kind\r\n"),
        step("GET k", ":7\r\n"),
        step("SET k v", "+QUEUED\r\n"),
        step("PING", ">2\r\n+invalidate\r\n*1\r\n+k\r\n+PONG\r\n"),
    ];
    with_peer(script, |client| {
        assert!(client.get("h").unwrap_err().is_server_code("WRONGTYPE"));
        let error = client.get("k").unwrap_err();
        assert!(error.leaves_connection() && error.to_string().starts_with("bytes was expected"), "{error}");
        assert!(client.put("k", "v").unwrap_err().to_string().contains("`QUEUED`"));
        assert!(client.command(["MONITOR"]).unwrap_err().leaves_connection());
        client.ping().unwrap();
        assert_eq!(client.take_pushes().len(), 1);
    });
}

#[test]
fn after_a_failure_the_connection_says_so_and_why() {
    for (reply, told) in [("", "closed"), ("+PO", "closed"), ("{\"error\":1}\n", "begins with `{`")] {
        with_peer(vec![step("PING", reply)], |client| {
            let first = client.ping().unwrap_err();
            assert!(first.to_string().contains(told) && !first.leaves_connection(), "{first}");
            let again = client.get("k").unwrap_err();
            assert!(matches!(again, Error::Poisoned { .. }) && again.to_string().contains(told), "{again}");
            assert!(!client.is_open());
        });
    }
    // Nobody listens there any more.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Client::connect(address).unwrap_err();
    assert!(matches!(error, Error::Io { operation: "connect to", .. }), "{error}");
    assert!(error.to_string().contains(&address.to_string()));
}

#[test]
fn silence_has_a_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = ClientOptions::default().read_timeout(Duration::from_millis(20));
    // The system takes the connection, and nobody ever answers.
    let error = Client::connect_with(listener.local_addr().unwrap(), &options).unwrap_err();
    assert!(matches!(error, Error::Timeout { operation: "read from", .. }), "{error}");
}

#[test]
fn an_open_connection_is_told_from_a_closed_one_without_asking() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.read_exact(&mut [0; HELLO.len()]).unwrap();
        stream.write_all(b"*0\r\n").unwrap();
        stream
    });
    let client = Client::connect(address).unwrap();
    let stream = peer.join().unwrap();
    assert!(client.is_open());
    drop(stream);
    while client.is_open() {
        thread::yield_now();
    }
}

#[test]
fn a_reply_that_is_too_large_is_refused_before_it_comes() {
    let options = ClientOptions::default().max_reply_bytes(1000);
    let script = vec![(HELLO.to_vec(), b"*0\r\n".to_vec()), step("GET k", "$1000000\r\n")];
    with_peer_as(&options, script, |client| {
        let error = client.unwrap().get("k").unwrap_err();
        assert!(matches!(error, Error::Protocol { found: ReplyError::TooLarge(1000), .. }), "{error}");
    });
}

#[test]
fn a_batch_is_all_or_nothing() {
    let mut batch = Batch::new();
    batch.put("a", "1").delete("b");
    let script =
        || vec![step("MULTI", "+OK\r\n"), step("SET a 1", "+QUEUED\r\n"), step("DEL b", "+QUEUED\r\n")];
    let ended = |reply: &str| [script(), vec![step("EXEC", reply)]].concat();
    with_peer(ended("*2\r\n+OK\r\n:0\r\n"), |client| client.batch(&batch).unwrap());
    with_peer(ended("*2\r\n+OK\r\n-ERR disk on fire\r\n"), |client| {
        assert_eq!(client.batch(&batch).unwrap_err().to_string(), "ERR disk on fire");
    });
    let mut refused = ended("-EXECABORT earlier errors\r\n");
    refused[1].1 = b"-OOM full\r\n".to_vec();
    with_peer(refused, |client| assert!(client.batch(&batch).unwrap_err().is_server_code("OOM")));
    with_peer(vec![], |client| client.batch(&Batch::new()).unwrap());
}

#[test]
fn a_pipeline_of_any_size_comes_to_its_end() {
    // The peer answers each command with much, and reads nothing while nobody takes that.
    const COMMANDS: usize = 3000;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let value = "v".repeat(3000);
    let command = sent(&["SET", "k", &value]);
    let length = command.len();
    let peer = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.set_nodelay(true).unwrap();
        stream.read_exact(&mut [0; HELLO.len()]).unwrap();
        stream.write_all(b"*0\r\n").unwrap();
        let mut got = vec![0; length];
        for number in 0..COMMANDS {
            stream.read_exact(&mut got).unwrap();
            let filler = "x".repeat(5000);
            stream.write_all(format!("*2\r\n:{number}\r\n$5000\r\n{filler}\r\n").as_bytes()).unwrap();
        }
    });
    let mut client = Client::connect(address).unwrap();
    let mut pipeline = Pipeline::new();
    for _ in 0..COMMANDS {
        pipeline.command(["SET", "k", &value]).unwrap();
    }
    let replies = client.run(&pipeline).unwrap();
    let numbers = replies.iter().map(|reply| reply.items().unwrap()[0].as_int().unwrap());
    assert!(numbers.eq(0..COMMANDS as i64));
    peer.join().unwrap();
}

#[test]
fn what_was_sent_has_to_be_received_before_anything_is_asked() {
    with_peer(
        vec![step("INCR a", ":1\r\n"), step("INCR a", ":2\r\n"), step("PING", "+PONG\r\n")],
        |client| {
            let mut pipeline = Pipeline::new();
            pipeline.command(["INCR", "a"]).unwrap().command(["INCR", "a"]).unwrap();
            client.send(&pipeline).unwrap();
            assert!(matches!(client.ping(), Err(Error::Refused { .. })));
            assert_eq!(client.receive().unwrap(), Value::Int(1));
            assert_eq!((client.awaited(), client.receive().unwrap()), (1, Value::Int(2)));
            assert!(matches!(client.receive(), Err(Error::Refused { .. })));
            client.ping().unwrap();
        },
    );
}

/// A reply of entries, in version 3.
fn entries(keys: &[&str]) -> String {
    let entry = |key: &&str| format!("${}\r\n{key}\r\n$1\r\nv\r\n", key.len());
    format!("%{}\r\n{}", keys.len(), keys.iter().map(entry).collect::<String>())
}

fn keys(range: Range<'_>) -> Vec<String> {
    range.map(|entry| String::from_utf8(entry.unwrap().0).unwrap()).collect()
}

#[test]
fn ranges_are_read_page_by_page() {
    let script = vec![
        step("SS.RANGE a d\0 LIMIT 3", &entries(&["a", "b", "c"])),
        step("SS.RANGE c\0 d\0 LIMIT 1001", &entries(&["d"])),
        step("SS.RANGE - d LIMIT 4 REV", &entries(&["d", "c", "b", "a"])),
        step("SS.RANGE user: user; LIMIT 1001", &entries(&["user:1", "user;"])),
        step("SS.RANGE a\0 + LIMIT 1001", "*4\r\n$1\r\nb\r\n$1\r\nv\r\n$1\r\nh\r\n+hash\r\n"),
        step("SS.RANGE a b LIMIT 1001", "-ERR unknown command\r\n"),
    ];
    with_peer(script, |client| {
        assert_eq!(keys(client.range("a"..="d\0").limit(2)), ["a", "b"]);
        assert_eq!(keys(client.range::<&str>((Bound::Excluded("c"), Bound::Included("d\0")))), ["d"]);
        assert_eq!(keys(client.range(.."d").rev().limit(3)), ["c", "b", "a"]);
        assert_eq!(keys(client.prefix("user:")), ["user:1"]);
        let after_a = (Bound::Excluded("a"), Bound::Unbounded);
        let found: Result<Vec<_>> = client.range::<&str>(after_a).collect();
        assert_eq!(found.unwrap()[1], (b"h".to_vec(), Value::Text("hash".into())));
        let mut refused = client.range("a"..="b");
        assert!(refused.next().unwrap().unwrap_err().is_server_code("ERR"));
        assert!(refused.next().is_none());
    });
}

#[test]
fn pages_follow_one_another_and_shrink_when_values_are_large() {
    let many: Vec<String> = (0..1001).map(|n| format!("k{n:04}")).collect();
    let page: Vec<&str> = many.iter().map(String::as_str).collect();
    let large = "-ERR the range is larger than 10 bytes: ask for a narrower one, or set LIMIT\r\n";
    let script = vec![
        step("SS.RANGE - + LIMIT 1001", &entries(&page)),
        step("SS.RANGE k1000\0 + LIMIT 1001", &entries(&["l"])),
        step("SS.RANGE - + LIMIT 1001", large),
        step("SS.RANGE - + LIMIT 251", &entries(&["a"])),
        step("SS.RANGE - + LIMIT 2 REV", &entries(&["b", "a"])),
    ];
    with_peer(script, |client| {
        assert_eq!(keys(client.range::<&str>(..)).len(), 1002);
        assert_eq!(keys(client.range::<&str>(..)), ["a"]);
        assert_eq!(keys(client.range::<&str>(..).rev().limit(1)), ["b"]);
    });
}

#[test]
fn the_signs_for_open_ends_are_keys_as_well() {
    let start = [&b","[..], &[0xff; 64]].concat();
    let mut from_minus = Pipeline::new();
    from_minus.command([&b"SS.RANGE"[..], &start, b"z", b"LIMIT", b"1001"]).unwrap();
    let script = vec![
        (from_minus.bytes().to_vec(), entries(&[",~", "-", "a"]).into_bytes()),
        step("SS.RANGE ! +\0 LIMIT 1001", &entries(&["!", "+", "+\0"])),
        step("SS.RANGE -\0 + LIMIT 1001", &entries(&["a"])),
        step("SS.RANGE + - LIMIT 1001", &entries(&["+", "-"])),
    ];
    with_peer(script, |client| {
        assert_eq!(keys(client.range("-"..="z")), ["-", "a"]);
        assert_eq!(keys(client.range("!"..="+")), ["!", "+"]);
        assert_eq!(keys(client.range::<&str>((Bound::Excluded("-"), Bound::Unbounded))), ["a"]);
        // Where they are the other bound, the server takes them for what they are.
        assert_eq!(keys(client.range("+"..="-")), ["+", "-"]);
    });
}
