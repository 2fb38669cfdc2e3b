//! The rules of the protocol, as cases: a line and the exact bytes of its reply.

use super::*;
use crate::Slice;
use crate::protocol::{Credentials, Denial, Reply};

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn bytes(refusal: &Refusal) -> String {
    let mut out = Vec::new();
    refusal.encode(&mut out);
    String::from_utf8(out).unwrap()
}

/// A request in a few words, or the bytes of a refusal.
fn describe(decoded: Decoded<'_>) -> String {
    let (request, asked) = match decoded {
        Decoded::Request { request, asked } => (request, asked),
        Decoded::Refused(refusal) => return bytes(&refusal),
        Decoded::Broken(refusal) => return format!("close {}", bytes(&refusal)),
    };
    let words = match &request {
        Request::Get { key } => format!("get {}", show(key)),
        Request::Put { key, value, ttl } => format!("put {}={} {ttl:?}", show(key), show(&value.encode())),
        Request::Delete { key } => format!("delete {}", show(key)),
        Request::Expire { key, ttl } => format!("expire {} {ttl:?}", show(key)),
        Request::Authenticate(Credentials { user, password }) => format!("auth {user:?} {}", show(password)),
        other => format!("{other:?}"),
    };
    format!("{words} {asked:?}")
}

/// All that a decoder gives for `input` when its bytes have arrived up to each of these places.
fn decode(input: &[u8], arrivals: &[usize]) -> Vec<String> {
    let mut decoder = Decoder::new(60);
    let (mut start, mut seen) = (0, Vec::new());
    for arrived in arrivals {
        loop {
            let rest = &input[start..*arrived];
            match decoder.frame(rest) {
                Frame::Incomplete => break,
                Frame::Whole { len } => {
                    assert_eq!(decoder.frame(rest), Frame::Whole { len }, "asked again");
                    seen.push(describe(decoder.decode(&rest[..len])));
                    decoder.done();
                    start += len;
                }
                Frame::Broken(refusal) => {
                    seen.push(bytes(&refusal));
                    return seen;
                }
            }
        }
    }
    seen
}

/// What `input` is taken for however it is split in two, and byte by byte.
#[track_caller]
fn conversation(input: &[u8], expected: &[&str]) {
    for at in 0..=input.len() {
        assert_eq!(decode(input, &[at, input.len()]), expected, "{} split at {at}", input.escape_ascii());
    }
    let every: Vec<usize> = (0..=input.len()).collect();
    assert_eq!(decode(input, &every), expected, "{} byte by byte", input.escape_ascii());
}

#[track_caller]
fn line(line: &str, expected: &str) {
    conversation(format!("{line}\n").as_bytes(), &[expected]);
}

#[test]
fn greeting() {
    assert_eq!(GREETING, b"Welcome to KVStore Server\n");
    assert_eq!(GREETING.len(), 26);
}

#[test]
fn requests() {
    line("GET k", "get k Other");
    line("get k\r", "get k Other");
    line(" \tgEt  K ", "get K Other");
    line("PUT k v", "put k=v None Other");
    line("PUT m  a \t b ", "put m=a b None Other");
    line("put k é\u{a0}😀", "put k=é\u{a0}😀 None Other");
    line("PUT k {\"a\": 1}", "put k={\"a\": 1} None Other");
    line("DEL k", "delete k Delete");
    line("TTL k 5", "expire k Some(5) Expire");
    line("ttl k -1", "expire k Some(-1) Expire");
    line("TTL k 0", "expire k None Expire");
    line("STATS", "Stats Other");
    line("stats now", "Stats Other");
    line("COMPACT", "Compact Other");
    line("SHUTDOWN please", "Shutdown Shutdown");
    line("exit", "Quit Other");
    line("AUTH secret", "auth None secret Other");
    line("auth  ann  secret ", "auth Some(\"ann\") secret Other");
}

#[test]
fn the_suffix_of_a_put() {
    line("PUT session:abc token123 TTL 60", "put session:abc=token123 Some(60) Other");
    line("PUT k a  b tTl 3", "put k=a b Some(3) Other");
    line("PUT k TTL 60", "put k=TTL 60 None Other");
    line("PUT k TTL TTL 60", "put k=TTL Some(60) Other");
    line("PUT k v TTL 3 x", "put k=v TTL 3 x None Other");
    line("PUT k v TTL", "put k=v TTL None Other");
    line("PUT k v TTL 0", "put k=v None Other");
    line("PUT k v TTL -5", "put k=v Some(-5) Other");
    line("PUT k v\tTTL\t+5", "put k=v Some(5) Other");
    for wrong in ["x", "1.5", "99999999999999999999", "--1", "1s"] {
        line(&format!("PUT k v TTL {wrong}"), "ERROR: TTL must be an integer number of seconds\n");
        line(&format!("TTL k {wrong}"), "ERROR: TTL must be an integer number of seconds\n");
    }
}

#[test]
fn refusals() {
    for text in ["PUT", "PUT a", "put a "] {
        line(text, "ERROR: PUT requires: PUT key value\n");
    }
    for text in ["GET", "GET a b"] {
        line(text, "ERROR: GET requires: GET key\n");
    }
    for text in ["DEL", "del a b"] {
        line(text, "ERROR: DEL requires: DEL key\n");
    }
    for text in ["TTL", "TTL k", "TTL k 1 2"] {
        line(text, "ERROR: TTL requires: TTL key seconds\n");
    }
    for text in ["AUTH", "AUTH a b c"] {
        line(text, "ERROR: AUTH requires: AUTH [user] password\n");
    }
    for text in ["", " ", "\r"] {
        line(text, "ERROR: Unknown command\n");
    }
    line("foo bar", "ERROR: Unknown command: FOO\n");
    line("größe", "ERROR: Unknown command: GRÖSSE\n");
    conversation(b"PUT k \xff\nGET k\n", &["ERROR: The line is not valid UTF-8\n", "get k Other"]);
}

#[test]
fn browsers_are_cut_off() {
    let close = "close ERROR: This is not an HTTP server\n";
    for text in ["POST / HTTP/1.1\r", "post x", "Host: localhost:5000\r", "HOST:\u{e9}"] {
        line(text, close);
    }
    line("PUT k HTTP/1.1", "put k=HTTP/1.1 None Other");
    line("POSTAL code", "ERROR: Unknown command: POSTAL\n");
}

#[test]
fn any_split_gives_the_same_requests() {
    let input = "PUT é😀 v  w\r\n\nget é😀\nbad\r\n\u{1}\nDEL é😀\nGET";
    let expected = [
        "put é😀=v w None Other",
        "ERROR: Unknown command\n",
        "get é😀 Other",
        "ERROR: Unknown command: BAD\n",
        "ERROR: Unknown command: \u{1}\n",
        "delete é😀 Delete",
    ];
    conversation(input.as_bytes(), &expected);
    let long = format!("GET k\nPUT k {}", "v".repeat(60));
    conversation(long.as_bytes(), &["get k Other", "ERROR: The line is longer than 60 bytes\n"]);
    conversation(
        format!("{long}\nGET k\n").as_bytes(),
        &["get k Other", "ERROR: The line is longer than 60 bytes\n"],
    );
    line(&format!("GET {}", "k".repeat(56)), &format!("get {} Other", "k".repeat(56)));
}

#[track_caller]
fn reply(reply: &Reply, asked: Asked, expected: &str) {
    let mut out = b"before".to_vec();
    encode(reply, asked, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), format!("before{expected}"), "{reply:?}");
    assert!(expected.len() <= most_bytes(reply), "{reply:?}");
}

#[test]
fn replies() {
    let value = |bytes: &[u8]| Reply::Value(Some(Slice::copy_of(bytes)));
    let other = |given: &Reply, expected| reply(given, Asked::Other, expected);
    other(&Reply::Done, "OK\n");
    other(&Reply::Value(None), "NOT_FOUND\n");
    other(&value(b"token123"), "VALUE token123\n");
    other(&value(b""), "VALUE \n");
    other(&value("é 😀".as_bytes()), "VALUE é 😀\n");
    other(&value(b"\xffJ{\n\"a\":\r\n1}"), "VALUE { \"a\":  1}\n");
    other(&value(b"a\nOK"), "ERROR: The value has several lines\n");
    other(&value(b"a\r"), "ERROR: The value has several lines\n");
    other(&value(b"\xfe"), "ERROR: The value is not valid UTF-8\n");
    let hash = [&b"\xffH"[..], &[0; 16]].concat();
    other(&value(&hash), "ERROR: The value is a hash, which has no form in one line\n");
    other(&Reply::LoginFirst, "ERROR: Authentication required\n");
    other(&Reply::Denied(Denial::WrongCredentials), "ERROR: Authentication failed\n");
    other(&Reply::Denied(Denial::Disabled), "ERROR: This is switched off on this server\n");
    other(&Reply::Failed("the disk\nis full".into()), "ERROR: the disk is full\n");
    other(&Reply::error("ERR max number of clients reached"), "ERROR: ERR max number of clients reached\n");
    other(&Reply::TooLarge("too large".into()), "ERROR: too large\n");
    let rows = vec![("keys_in_index", "3".into()), ("last_compaction_time", "None".into())];
    other(&Reply::Table(rows), "keys_in_index: 3\nlast_compaction_time: None\n");
    other(&Reply::Table(Vec::new()), "OK\n");
    other(&Reply::List(Vec::new()), "ERROR: The reply has no form in one line\n");
    other(&Reply::Token("t".into()), "ERROR: The reply has no form in one line\n");
    other(&Reply::Number(-7), "-7\n");
    for number in [0, 1] {
        reply(&Reply::Number(number), Asked::Delete, "DELETED\n");
    }
    reply(&Reply::Number(0), Asked::Expire, "NOT_FOUND\n");
    reply(&Reply::Number(1), Asked::Expire, "OK\n");
    reply(&Reply::Done, Asked::Shutdown, "OK\n");
    reply(&Reply::Denied(Denial::Disabled), Asked::Shutdown, "ERROR: SHUTDOWN is disabled\n");
}
