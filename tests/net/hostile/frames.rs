//! What hostile clients send: valid requests, what random changes make of them, and what other protocols say.

use crate::support::Random;

/// How many keys the hostile clients write. They never write those of the good one.
const KEYS: usize = 2000;

/// A name that many replies are asked of.
pub const BIG: &str = "big";
/// How long its value is.
pub const BIG_BYTES: usize = 100_000;

/// A request that is right, with its line end.
pub fn valid(random: &mut Random) -> Vec<u8> {
    let key = format!("h:{}", random.below(KEYS));
    let other = format!("h:{}", random.below(KEYS));
    let text = match random.below(12) {
        0..4 => format!(r#"{{"command":"put","key":"{key}","value":{}}}"#, value(random)),
        4..7 => format!(r#"{{"command":"read","key":"{key}"}}"#),
        7 => format!(r#"{{"command":"delete","key":"{key}"}}"#),
        8 => {
            let (a, b) = (value(random), value(random));
            format!(r#"{{"command":"batch_put","keys":["{key}","{other}"],"values":[{a},{b}]}}"#)
        }
        9 | 10 => format!(
            r#"{{"command":"read_key_range","start_key":"{key}","end_key":"{other}","limit":{},"reverse":{}}}"#,
            random.below(50),
            random.one_in(2)
        ),
        _ => r#"{"command":"ping"}"#.into(),
    };
    (text + "\n").into_bytes()
}

fn value(random: &mut Random) -> String {
    match random.below(6) {
        0 => "12.50".into(),
        1 => r#"{"a":[1,{"b":null}],"c":"\u00e9\ud83d\ude00"}"#.into(),
        2 => format!("\"{}\"", "v".repeat(random.below(5000))),
        _ => format!("\"{}\"", random.next()),
    }
}

/// Changes a line in one to three places; its end may go, and others come.
pub fn mutate(random: &mut Random, line: &mut Vec<u8>) {
    const PIECES: [&[u8]; 14] = [
        b"\"",
        b"\\",
        b"\n",
        b"\0",
        b"\xff",
        b"\xc3",
        b"\\ud800",
        b"\\u0000",
        b"null",
        b"[[[[",
        b"}}",
        b"1e999999",
        b",",
        b"18446744073709551616",
    ];
    for _ in 0..1 + random.below(3) {
        let at = random.below(line.len() + 1);
        match random.below(6) {
            0 if at < line.len() => line[at] ^= 1 << random.below(8),
            1 if at < line.len() => _ = line.remove(at),
            2 => line.truncate(at),
            3 => {
                let end = (at + random.below(20)).min(line.len());
                let again = line[at..end].to_vec();
                line.splice(at..at, again);
            }
            4 => line.insert(at, random.next() as u8),
            _ => _ = line.splice(at..at, random.pick(&PIECES).iter().copied()),
        }
    }
}

/// How many replies these bytes get: one for each line that is not blank.
pub fn replies(bytes: &[u8]) -> usize {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count()
}

/// Lines that are nested without end, or hold numbers without end.
pub fn extreme(random: &mut Random) -> Vec<u8> {
    const DEEP: usize = 100_000;
    let number = |digits: usize| "9".repeat(digits);
    let put = |value: &str| format!(r#"{{"command":"put","key":"h:0","value":{value}}}"#);
    let line = match random.below(10) {
        0 => put(&format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP))),
        1 => put(&"{\"a\":".repeat(DEEP)),
        2 => "[".repeat(DEEP),
        3 => format!("{}{}", "{\"command\":".repeat(DEEP), "}".repeat(DEEP)),
        4 => put(&number(DEEP)),
        5 => put(&format!("-{}.{}e-{}", number(300), number(300), number(30))),
        6 => format!(
            r#"{{"command":"read_key_range","start_key":"h","end_key":"i","limit":{}}}"#,
            number(1 + random.below(60))
        ),
        7 => r#"{"command":"read_key_range","start_key":"h","end_key":"i","limit":-1}"#.into(),
        8 => put(&format!("{{{}\"z\":0}}", "\"a\":1,".repeat(10_000))),
        _ => put(&format!("\"{}\"", "\\u0041".repeat(20_000))),
    };
    (line + "\n").into_bytes()
}

/// What clients of other servers say first.
pub fn foreign(random: &mut Random) -> Vec<u8> {
    let first: [&[u8]; 11] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /db HTTP/1.1\r\nContent-Length: 18\r\n\r\n{\"command\":\"ping\"}\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03random random random random rando\x20\x00\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"*2147483648\r\n$18446744073709551615\r\n",
        b"*-1\r\n$-2147483649\r\n",
        b"QUERY_LENGTH 99999999999999999999\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        b"set k 0 0 18446744073709551615\r\n",
    ];
    let mut bytes = random.pick(&first).to_vec();
    if random.one_in(3) {
        bytes.extend((0..random.below(300)).map(|_| random.next() as u8));
    }
    bytes
}

/// A batch of `count` keys that begin with `prefix`.
pub fn batch(prefix: &str, count: usize) -> Vec<u8> {
    let keys: Vec<String> = (0..count).map(|n| format!("\"{prefix}:{n}\"")).collect();
    let values = vec!["\"x\""; count];
    format!("{{\"command\":\"batch_put\",\"keys\":[{}],\"values\":[{}]}}\n", keys.join(","), values.join(","))
        .into_bytes()
}
