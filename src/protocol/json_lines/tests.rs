//! The rules of the protocol, as cases: a request line and the exact bytes of its reply.

use super::*;
use crate::Slice;
use crate::protocol::{Credentials, RangeRequest, Reply};

const LIMIT: usize = 1 << 20;

/// What one line is taken for: a request in a few words, or the bytes of its refusal.
fn read(line: &str) -> String {
    let input = format!("{line}\n");
    match Decoder::new(LIMIT).decode(input.as_bytes()) {
        Decoded::Request { request, consumed, .. } => {
            assert_eq!(consumed, input.len());
            describe(&request)
        }
        Decoded::Refused { refusal, consumed } => {
            assert_eq!(consumed, input.len());
            bytes(&refusal)
        }
        Decoded::Broken { refusal } => format!("close {}", bytes(&refusal)),
        Decoded::Incomplete { consumed } => {
            assert_eq!(consumed, input.len());
            String::new()
        }
    }
}

fn bytes(refusal: &Refusal) -> String {
    let mut out = Vec::new();
    refusal.encode(&mut out);
    assert!(out.is_ascii());
    String::from_utf8(out).unwrap().trim_end().to_owned()
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\u{fffd}', "!")
}

fn describe(request: &Request<'_>) -> String {
    match request {
        Request::Ping => "ping".into(),
        Request::Get { key } => format!("get {}", show(key)),
        Request::Put { key, value, ttl: None } => format!("put {} {}", show(key), show(&value.encode())),
        Request::Put { key, value, ttl: Some(ttl) } => {
            format!("put {} {} for {ttl} s", show(key), show(&value.encode()))
        }
        Request::Authenticate(Credentials { user, password }) => format!("auth {user:?} {}", show(password)),
        Request::Delete { key } => format!("delete {}", show(key)),
        Request::Range(RangeRequest { start, end, limit, reverse }) => {
            format!("range {} {} {limit:?} {reverse}", show(start), show(end))
        }
        Request::Batch(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("{}={}", show(k), show(v))).collect();
            format!("batch {}", pairs.join(" "))
        }
        other => panic!("no line asks for {other:?}"),
    }
}

fn error(message: &str) -> String {
    format!("{{\"status\":\"error\",\"message\":\"{message}\"}}")
}

fn error_false(message: &str) -> String {
    format!("{{\"status\":\"error\",\"message\":\"{message}\",\"result\":false}}")
}

#[test]
fn requests() {
    // A value that is not a string is shown as it is stored, its first byte as `!`.
    let cases = [
        (r#"{"command":"ping"}"#, "ping"),
        (r#"{"command":"put","key":"k","value":"v"}"#, "put k v"),
        (r#" { "value" : "v" , "key" : "k" , "command" : "put" } "#, "put k v"),
        ("{\"command\":\"put\",\"key\":\"\",\"value\":\"\"}\r", "put  "),
        (r#"{"command":"put","key":"k","value":0}"#, "put k !J0"),
        (r#"{"command":"put","key":"k","value":false}"#, "put k !Jfalse"),
        (r#"{"command":"put","key":"k","value":1.0}"#, "put k !J1.0"),
        (r#"{"command":"put","key":"k","value":"12"}"#, "put k 12"),
        (
            r#"{"command":"put","key":"k","value": [ null , {"b":1, "a":2} ] }"#,
            r#"put k !J[null,{"b":1,"a":2}]"#,
        ),
        (r#"{"command":"put","key":"k","value":{}}"#, "put k !J{}"),
        (
            r#"{"command":"put","key":"k","value":123456789012345678901234567890.10}"#,
            "put k !J123456789012345678901234567890.10",
        ),
        (r#"{"command":"put","key":"\u00e9\ud83d\ude00","value":"\n\u0000"}"#, "put é😀 \n\0"),
        (r#"{"command":"put","key":"é😀","value":"x"}"#, "put é😀 x"),
        (r#"{"command":"put","key":"a","key":"b","value":"x"}"#, "put b x"),
        (r#"{"comm\u0061nd":"p\u0075t","key":"a","value":"x"}"#, "put a x"),
        (r#"{"command":"put","key":"k","value":"v","hint":{"any":[1]},"":null}"#, "put k v"),
        (r#"{"command":"read","key":"k"}"#, "get k"),
        (r#"{"command":"delete","key":"k"}"#, "delete k"),
        (r#"{"command":"read_key_range","start_key":"a","end_key":"b"}"#, "range a b None false"),
        (
            r#"{"command":"read_key_range","start_key":"a","end_key":"b","limit":3,"reverse":true}"#,
            "range a b Some(3) true",
        ),
        (
            r#"{"command":"read_key_range","start_key":"b","end_key":"","limit":null,"reverse":null}"#,
            "range b  None false",
        ),
        (r#"{"command":"batch_put","keys":[],"values":[]}"#, "batch "),
        (
            r#"{"command":"batch_put","keys":[ "a" , "\u0062" ,"a"],"values":[ null, [ 1 ] ,"x,]"]}"#,
            "batch a=!Jnull b=!J[1] a=x,]",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(read(line), expected, "{line}");
    }
}

#[test]
fn refusals() {
    let key_or_value = error("Missing key or value");
    let missing_key = error("Missing key");
    let ends = error("Missing start_key or end_key");
    let arrays = error("Missing keys or values");
    let not_string = error_false("Key must be a string");
    let not_array = error_false("Keys and values must be arrays");
    let lengths = error_false("Failed to batch put key-value pairs");
    let limit = error("Limit must be a whole number of entries");
    let cases = [
        (r#"{"command":"put"}"#, &key_or_value),
        (r#"{"command":"put","key":"k"}"#, &key_or_value),
        (r#"{"command":"put","value":"v"}"#, &key_or_value),
        (r#"{"command":"put","key":null,"value":"v"}"#, &key_or_value),
        (r#"{"command":"put","key":"k","value":null}"#, &key_or_value),
        (r#"{"command":"put","key":"k","value":1,"value":null}"#, &key_or_value),
        (r#"{"command":"put","key":1,"value":null}"#, &key_or_value),
        (r#"{"command":"put","key":1,"value":1}"#, &not_string),
        (r#"{"command":"put","key":["k"],"value":1}"#, &not_string),
        (r#"{"command":"read"}"#, &missing_key),
        (r#"{"command":"read","key":null}"#, &missing_key),
        (r#"{"command":"read","key":true}"#, &not_string),
        (r#"{"command":"delete"}"#, &missing_key),
        (r#"{"command":"delete","key":1.5}"#, &not_string),
        (r#"{"command":"read_key_range","start_key":"a"}"#, &ends),
        (r#"{"command":"read_key_range","start_key":null,"end_key":"b"}"#, &ends),
        (r#"{"command":"read_key_range","start_key":"a","end_key":9}"#, &not_string),
        (r#"{"command":"read_key_range","start_key":"a","end_key":"b","limit":-1}"#, &limit),
        (r#"{"command":"read_key_range","start_key":"a","end_key":"b","limit":"1"}"#, &limit),
        (
            r#"{"command":"read_key_range","start_key":"a","end_key":"b","limit":99999999999999999999}"#,
            &limit,
        ),
        (
            r#"{"command":"read_key_range","start_key":"a","end_key":"b","reverse":1}"#,
            &error("Reverse must be true or false"),
        ),
        (r#"{"command":"batch_put","keys":["a"]}"#, &arrays),
        (r#"{"command":"batch_put","keys":null,"values":[]}"#, &arrays),
        (r#"{"command":"batch_put","keys":"ab","values":[1,2]}"#, &not_array),
        (r#"{"command":"batch_put","keys":["a"],"values":{"a":1}}"#, &not_array),
        (r#"{"command":"batch_put","keys":["a"],"values":[]}"#, &lengths),
        (r#"{"command":"batch_put","keys":[],"values":[1]}"#, &lengths),
        (r#"{"command":"batch_put","keys":["a",1],"values":[1,2]}"#, &not_string),
        (r#"{"command":"batch_put","keys":["a",null],"values":[1,2]}"#, &not_string),
        (r#"{"command":"PUT","key":"k","value":"v"}"#, &error("Unknown command: PUT")),
        (r#"{"command":"é\n"}"#, &error(r"Unknown command: \u00e9\n")),
        (r#"{"command":""}"#, &error("Unknown command: ")),
        (r#"{"command":7}"#, &error("Unknown command: 7")),
        (r#"{"command":null}"#, &error("Unknown command: None")),
        (r#"{}"#, &error("Unknown command: None")),
        (r#"{"key":"k"}"#, &error("Unknown command: None")),
        ("[1]", &error("Invalid request: expected a JSON object")),
        ("\"x\"", &error("Invalid request: expected a JSON object")),
        ("12", &error("Invalid request: expected a JSON object")),
        ("null", &error("Invalid request: expected a JSON object")),
    ];
    for (line, expected) in cases {
        assert_eq!(read(line), *expected, "{line}");
    }
}

#[test]
fn what_is_not_json_is_said_to_be_so() {
    let deep_value =
        format!(r#"{{"command":"put","key":"k","value":{}1{}}}"#, "[".repeat(100), "]".repeat(100));
    let deep_elsewhere = format!(r#"{{"command":"ping","x":{}"#, "{\"a\":".repeat(100_000));
    let cases = [
        "{",
        "nonsense",
        "{\"command\":\"ping\"",
        "{\"command\":\"ping\"}}",
        "{\"command\":\"ping\"} {\"command\":\"ping\"}",
        "{'command':'ping'}",
        "{\"command\":\"ping\",}",
        "[1",
        r#"{"command":"put","key":"k","value":NaN}"#,
        r#"{"command":"put","key":"k","value":Infinity}"#,
        r#"{"command":"put","key":"k","value":[-Infinity]}"#,
        r#"{"command":"put","key":"k","value":01}"#,
        r#"{"command":"put","key":"k","value":"\ud800"}"#,
        r#"{"command":"put","key":"\udc00","value":1}"#,
        r#"{"command":"put","key":"k","value":[{"\ud800x":1}]}"#,
        r#"{"command":"ping","x":"\ud800"}"#,
        r#"{"command":"put","key":"k","value":"\x"}"#,
        "{\"command\":\"put\",\"key\":\"a\tb\",\"value\":1}",
        "\0",
        &deep_value,
        &deep_elsewhere,
    ];
    for line in cases {
        assert!(
            read(line).starts_with(r#"{"status":"error","message":"Invalid JSON: "#),
            "{line}: {}",
            read(line)
        );
    }
    let input = b"{\"command\":\"put\",\"key\":\"\xff\",\"value\":1}\n";
    assert!(matches!(
        Decoder::new(LIMIT).decode(input),
        Decoded::Refused { refusal: Refusal::InvalidJson(_), consumed } if consumed == input.len()
    ));
}

#[test]
fn the_deepest_value_is_taken() {
    let depth = MAX_DEPTH - 1;
    let line = format!(r#"{{"command":"put","key":"k","value":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(read(&line).starts_with("put k"));
}

#[test]
fn http_is_cut_off() {
    let lines = [
        "GET / HTTP/1.1\r",
        "POST /x HTTP/1.1\r",
        "post x",
        "host: localhost:9999\r",
        "PUT /a%20b HTTP/2.0\r",
    ];
    for line in lines {
        assert_eq!(
            read(line),
            format!("close {}", error("Invalid request: this is not an HTTP server")),
            "{line}"
        );
    }
    // What only looks like it is still no JSON.
    assert!(read("GET k").starts_with(r#"{"status":"error","message":"Invalid JSON"#));
}

#[test]
fn replies() {
    let value = |value: &[u8]| Reply::Value(Some(Slice::copy_of(value)));
    let entries = |list: &[(&str, &[u8])]| {
        Reply::Entries(list.iter().map(|(k, v)| (Slice::copy_of(k.as_bytes()), Slice::copy_of(v))).collect())
    };
    let ok = |result: &str| format!("{{\"status\":\"ok\",\"result\":{result}}}");
    let cases = [
        (Reply::Done, ok("true")),
        (Reply::Pong, ok("\"pong\"")),
        (Reply::Value(None), ok("null")),
        (value(b""), ok("\"\"")),
        (value(b"text"), ok("\"text\"")),
        (value("é\"\n😀".as_bytes()), ok(r#""\u00e9\"\n\ud83d\ude00""#)),
        (value(b"12"), ok("\"12\"")),
        (value(b"\xffJ12.50"), ok("12.50")),
        (value(b"\xffJnull"), ok("null")),
        (value("\u{ff}".as_bytes()), ok(r#""\u00ff""#)),
        (value(b"\xffJ{\n\"a\": [\"\xc3\xa9\"]\r\n}"), ok(r#"{"a": ["\u00e9"]}"#)),
        (value(b"\xfe"), error("Value is not valid UTF-8")),
        (value(b"\xffB\xff"), error("Value is not valid UTF-8")),
        (value(b"\xffJ{\"a\":"), error("Value is not valid UTF-8")),
        (value(b"\xffJ1}\n{"), error("Value is not valid UTF-8")),
        (entries(&[]), ok("{}")),
        (entries(&[("a", b"1"), ("é", b"\xffJ[1]")]), ok(r#"{"a":"1","\u00e9":[1]}"#)),
        (entries(&[("a", b"1"), ("b", b"\x80")]), error("Value is not valid UTF-8")),
        (
            Reply::Entries(vec![(Slice::copy_of(b"\xff"), Slice::copy_of(b""))]),
            error("Key is not valid UTF-8"),
        ),
        (Reply::Failed("why \u{e9}".into()), error(r"Server error: why \u00e9")),
        (Reply::LoginFirst, error("Authentication required")),
        (Reply::Number(0), ok("0")),
        (Reply::Map(vec![(Reply::bytes("a"), Reply::List(vec![Reply::Double(1.5)]))]), ok(r#"{"a":[1.5]}"#)),
    ];
    for (reply, expected) in cases {
        check_reply(&reply, Asked::Other, &expected);
    }
    let too_large = Reply::TooLarge("x".into());
    check_reply(&Reply::Number(1), Asked::Delete, &ok("true"));
    check_reply(&Reply::Number(0), Asked::Delete, &error_false("Failed to delete key or key not found"));
    check_reply(&too_large, Asked::Delete, &error_false("Failed to delete key or key not found"));
    check_reply(&too_large, Asked::Put, &error_false("Failed to put key-value pair"));
    check_reply(&too_large, Asked::Batch, &error_false("Failed to batch put key-value pairs"));
}

#[track_caller]
fn check_reply(reply: &Reply, asked: Asked, expected: &str) {
    let mut out = b"before".to_vec();
    encode(reply, asked, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), format!("before{expected}\n"), "{reply:?}");
}

/// All that a decoder gives for `input` when it arrives in pieces of the given length.
fn decode_in_pieces(input: &[u8], piece: usize) -> Vec<String> {
    let mut decoder = Decoder::new(100);
    let (mut start, mut end, mut seen) = (0, 0, Vec::new());
    loop {
        match decoder.decode(&input[start..end]) {
            Decoded::Incomplete { consumed } => {
                start += consumed;
                if end == input.len() {
                    return seen;
                }
                end = input.len().min(end + piece);
            }
            Decoded::Request { request, consumed, .. } => {
                seen.push(describe(&request));
                start += consumed;
            }
            Decoded::Refused { refusal, consumed } => {
                seen.push(bytes(&refusal));
                start += consumed;
            }
            Decoded::Broken { refusal } => {
                seen.push(bytes(&refusal));
                return seen;
            }
        }
    }
}

#[test]
fn any_split_gives_the_same_requests() {
    let mut input = Vec::new();
    input.extend_from_slice("\n\r\n  \t\n{\"command\":\"read\",\"key\":\"é😀\"}\r\n".as_bytes());
    input.extend_from_slice(b"bad\n{\"command\":\"ping\"}\n\n{\"command\":\"ping\"}\n\xff\xfe\n");
    input.extend_from_slice(&[b' '; 101]);
    let whole = decode_in_pieces(&input, input.len());
    assert_eq!(whole.len(), 6);
    assert_eq!(whole[0], "get é😀");
    assert_eq!(whole[5], error("Server error: the line is longer than 100 bytes"));
    for piece in 1..input.len() {
        assert_eq!(decode_in_pieces(&input, piece), whole, "pieces of {piece}");
    }
}

#[test]
fn a_line_of_exactly_the_limit_is_taken() {
    let line = format!("{:<100}\n", "{\"command\":\"ping\"}");
    assert_eq!(decode_in_pieces(line.as_bytes(), 7), ["ping"]);
    let longer = format!(" {line}");
    assert!(decode_in_pieces(longer.as_bytes(), 7)[0].contains("longer than 100 bytes"));
    assert!(decode_in_pieces(longer.as_bytes(), 1000)[0].contains("longer than 100 bytes"));
}

/// What `serde_json` finds in a request, and in a reply.
fn member(object: &[u8], name: &str) -> serde_json::Value {
    let mut object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(object).unwrap();
    object.remove(name).unwrap()
}

/// Mutated requests give one reply each (J2), in one line of ASCII, and a value that was taken comes back as the same
/// JSON that `serde_json` reads in the request.
#[test]
fn mutated_lines_give_one_answer_each() {
    let seeds: [&[u8]; 5] = [
        r#"{"command":"put","key":"k\u00e9","value":{"a":[1.0,"\ud83d\ude00",null],"a":"é"}}"#.as_bytes(),
        br#"{"command":"batch_put","keys":["a","b"],"values":[{"x":[{}]},-1e+5]}"#,
        br#"{"command":"read_key_range","start_key":"a","end_key":"b","limit":10,"reverse":false}"#,
        br#"{"command":"delete","key":"\\\"k"}"#,
        b"GET / HTTP/1.1",
    ];
    let seed = 0x5117_5709_u64;
    let mut state = seed;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..20_000 {
        let mut line = seeds[random(seeds.len())].to_vec();
        for _ in 0..=random(3) {
            let at = random(line.len());
            match random(4) {
                0 => line[at] = b"\"\\{}[]:,u0n \xff"[random(13)],
                1 => line[at] ^= 1 << random(8),
                2 => drop(line.remove(at)),
                _ => line.insert(at, b"\"\\{}[]:,u0n \xff"[random(13)]),
            }
            if line.is_empty() {
                line.push(b'x');
            }
        }
        line.retain(|byte| *byte != b'\n');
        line.push(b'\n');
        let mut out = Vec::new();
        match Decoder::new(LIMIT).decode(&line) {
            Decoded::Request { request: Request::Put { value, .. }, .. } => {
                encode(&Reply::Value(Some(Slice::copy_of(&value.encode()))), Asked::Other, &mut out);
                assert_eq!(
                    member(&out, "result"),
                    member(&line, "value"),
                    "seed {seed} round {round}: {}",
                    show(&line)
                );
            }
            Decoded::Request { .. } => encode(&Reply::Done, Asked::Other, &mut out),
            Decoded::Refused { refusal, .. } | Decoded::Broken { refusal } => refusal.encode(&mut out),
            Decoded::Incomplete { consumed } => {
                assert!(line.trim_ascii().is_empty() && consumed == line.len(), "seed {seed} round {round}");
                continue;
            }
        }
        assert!(out.is_ascii() && out.ends_with(b"}\n"), "seed {seed} round {round}: {}", show(&line));
        assert_eq!(memchr::memchr_iter(b'\n', &out).count(), 1);
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&out).is_ok(), "{}", show(&out));
    }
}
