//! Commands and replies as literal bytes.

use super::*;
use crate::Slice;
use crate::protocol::Reply;

/// All commands of `input` when its first `n` bytes arrive, then the rest, and what broke it.
fn commands(input: &[u8], arrivals: &[usize]) -> (Vec<Vec<Vec<u8>>>, Option<String>) {
    let mut decoder = Decoder::new(Limits::of(1 << 20));
    let (mut found, mut start) = (Vec::new(), 0);
    for arrived in arrivals {
        loop {
            let rest = &input[start..*arrived];
            match decoder.frame(rest) {
                Frame::Incomplete { skip } => {
                    start += skip;
                    break;
                }
                Frame::Whole { len } => {
                    let args = decoder.args(rest).from(0).map(<[u8]>::to_vec).collect::<Vec<_>>();
                    found.push(args);
                    decoder.done();
                    start += len;
                }
                Frame::Broken(error) => return (found, Some(error.to_string())),
            }
        }
    }
    (found, None)
}

/// The commands of `input`, however it is split in two, and byte by byte.
#[track_caller]
fn check(input: &str, expected: &[&[&str]], broken: Option<&str>) {
    let bytes = input.as_bytes();
    let expected: Vec<Vec<Vec<u8>>> =
        expected.iter().map(|args| args.iter().map(|arg| arg.as_bytes().to_vec()).collect()).collect();
    let expected = (expected, broken.map(|text| format!("Protocol error: {text}")));
    for at in 0..=bytes.len() {
        assert_eq!(commands(bytes, &[at, bytes.len()]), expected, "{input:?} split at {at}");
    }
    let every: Vec<usize> = (0..=bytes.len()).collect();
    assert_eq!(commands(bytes, &every), expected, "{input:?} byte by byte");
}

#[test]
fn commands_however_they_arrive() {
    check("*1\r\n$4\r\nPING\r\n", &[&["PING"]], None);
    check("*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n", &[&["GET", ""], &["PING"]], None);
    check("PING\r\n\r\nSET k \"a b\"\n", &[&["PING"], &["SET", "k", "a b"]], None);
    check("\r\n\r\n*1\r\n$1\r\n\n\r\n", &[&["\n"]], None);
    check("*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n", &[&[], &[], &["PING"]], None);
    check("*2\r\n$3\r\nGET\r\n$5\r\nab", &[], None);
    check("GET '' \"\"\r\n", &[&["GET", "", ""]], None);
    check("''\r\n", &[&[""]], None);
}

#[test]
fn what_cannot_be_understood() {
    check("*x\r\n", &[], Some("invalid multibulk length"));
    check("*1\r\n$4\r\nPING\r\n*99999999999\r\n", &[&["PING"]], Some("invalid multibulk length"));
    check("*1\r\n:4\r\n", &[], Some("expected '$', got ':'"));
    check("*1\r\n\r\n", &[], Some("expected '$', got '?'"));
    check("*1\r\n$-1\r\n", &[], Some("invalid bulk length"));
    check("*1\r\n$9999999\r\n", &[], Some("invalid bulk length"));
    check("SET \"k\r\n", &[], Some("unbalanced quotes in request"));
}

#[test]
fn strangers_may_send_little() {
    let broken = |input: &str| {
        let mut decoder = Decoder::new(Limits::STRANGER);
        let Frame::Broken(error) = decoder.frame(input.as_bytes()) else { panic!("{input}") };
        error.to_string()
    };
    assert_eq!(broken("*11\r\n"), "Protocol error: unauthenticated multibulk length");
    assert_eq!(broken("*2\r\n$16385\r\n"), "Protocol error: unauthenticated bulk length");
    let endless = "x".repeat(MAX_LINE + 1);
    assert_eq!(broken(&endless), "Protocol error: too big inline request");
}

/// Line ends before a command were counted with it, if they came in one piece, and not if they came before it.
#[test]
fn what_is_before_a_command_is_no_part_of_it() {
    let limits = Limits { args: 10, bulk: 100, command: 20 };
    let (blank, command) = ("\r\n".repeat(20), "*1\r\n$4\r\nPING\r\n");
    let whole = Frame::Whole { len: blank.len() + command.len() };
    assert_eq!(Decoder::new(limits).frame((blank + command).as_bytes()), whole);
}

#[track_caller]
fn written(reply: &Reply, v2: &str, v3: &str) {
    for (version, expected) in [(Version::V2, v2), (Version::V3, v3)] {
        let mut out = Vec::new();
        encode(reply, version, &mut out);
        assert_eq!(String::from_utf8(out.clone()).unwrap(), expected);
        assert!(out.len() <= most_bytes(reply), "{reply:?}");
    }
}

#[test]
fn replies() {
    let same = |reply: &Reply, text: &str| written(reply, text, text);
    same(&Reply::Done, "+OK\r\n");
    same(&Reply::Pong, "+PONG\r\n");
    same(&Reply::Number(-7), ":-7\r\n");
    same(&Reply::Number(i64::MIN), ":-9223372036854775808\r\n");
    same(&Reply::bytes("a\r\n"), "$3\r\na\r\n\r\n");
    same(&Reply::error("ERR two\r\nlines"), "-ERR two  lines\r\n");
    same(&Reply::Failed("why".into()), "-ERR why\r\n");
    same(&Reply::List(vec![Reply::Number(1), Reply::bytes("")]), "*2\r\n:1\r\n$0\r\n\r\n");
    written(&Reply::Null, "$-1\r\n", "_\r\n");
    written(&Reply::Value(None), "$-1\r\n", "_\r\n");
    written(&Reply::NullList, "*-1\r\n", "_\r\n");
    written(&Reply::Double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
    written(&Reply::Verbatim("ab".into()), "$2\r\nab\r\n", "=6\r\ntxt:ab\r\n");
    let map = Reply::Map(vec![(Reply::bytes("k"), Reply::Null)]);
    written(&map, "*2\r\n$1\r\nk\r\n$-1\r\n", "%1\r\n$1\r\nk\r\n_\r\n");
    written(&Reply::Set(vec![Reply::Pong]), "*1\r\n+PONG\r\n", "~1\r\n+PONG\r\n");
    let stored = |bytes: &[u8]| Reply::Value(Some(Slice::copy_of(bytes)));
    same(&stored(b"text"), "$4\r\ntext\r\n");
    same(&stored(b"\xffJ[1]"), "$3\r\n[1]\r\n");
    // The error is longer than what is stored of a hash.
    same(&stored(&[&b"\xffH"[..], &[0; 16]].concat()), &format!("-{WRONG_TYPE}\r\n"));
}
