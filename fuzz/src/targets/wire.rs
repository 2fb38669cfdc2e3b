//! The JSON lines protocol: requests out of any bytes, and whole conversations with a server.

use crate::memory::bounded;
use siltstone::Slice;
use siltstone::protocol::json_lines::{Decoded, Decoder, encode};
use siltstone::protocol::{Pairs, RangeRequest, Reply, Request};
use siltstone::server::{Config, Server};
use siltstone::store::{MemoryEngine, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// A line has at most so many bytes here, so that the fuzzer meets the limit.
const MAX_LINE: usize = 512;

/// Where the whole input ends, in the lines and bytes that were decoded.
#[derive(Debug, PartialEq, Eq)]
struct Parsed {
    /// Each request or refusal, and where in the input the decoder was after it.
    outcomes: Vec<(String, usize)>,
    /// Nothing after the last outcome can be understood.
    broken: bool,
    /// How many bytes are done with at the end; 0 when it is broken.
    consumed: usize,
}

/// Requests do not depend on how the bytes arrive; each line that is not blank has exactly one; none is longer than it may
/// be; what was understood is understood again when it is written anew.
pub fn wire_request(input: &[u8]) {
    bounded((1 << 20) + 256 * input.len(), || {
        let whole = parse(input, &[input.len()]);
        check_lines(input, &whole);
        let bytes: Vec<usize> = (1..=input.len()).collect();
        assert_eq!(parse(input, &bytes), whole, "byte by byte");
        assert_eq!(parse(input, &arrivals(input)), whole, "in pieces that end at {:?}", arrivals(input));
    });
}

/// Where pieces of the input end: different for different inputs, the same for the same.
fn arrivals(input: &[u8]) -> Vec<usize> {
    let mut random = u64::from(crc32fast::hash(input)) | 1 << 40;
    let mut ends = Vec::new();
    let mut at = 0;
    while at < input.len() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        at = (at + 1 + random as usize % 40).min(input.len());
        ends.push(at);
    }
    ends
}

fn parse(input: &[u8], arrivals: &[usize]) -> Parsed {
    let mut decoder = Decoder::new(MAX_LINE);
    let mut parsed = Parsed { outcomes: Vec::new(), broken: false, consumed: 0 };
    for arrived in arrivals {
        loop {
            let decoded = decoder.decode(&input[parsed.consumed..*arrived]);
            let (outcome, consumed) = match decoded {
                Decoded::Incomplete { consumed } => {
                    parsed.consumed += consumed;
                    break;
                }
                Decoded::Request { request, consumed } => {
                    check_again(&request);
                    (format!("{request:?}"), consumed)
                }
                Decoded::Refused { refusal, consumed } => {
                    check_reply(&refused(&refusal));
                    (format!("{refusal:?}"), consumed)
                }
                Decoded::Broken { refusal } => {
                    check_reply(&refused(&refusal));
                    // Blank lines before it may be done with or not.
                    parsed.consumed = 0;
                    parsed.outcomes.push((format!("{refusal:?}"), 0));
                    parsed.broken = true;
                    return parsed;
                }
            };
            parsed.consumed += consumed;
            parsed.outcomes.push((outcome, parsed.consumed));
        }
    }
    parsed
}

/// One outcome for each line, and none longer than the limit.
fn check_lines(input: &[u8], parsed: &Parsed) {
    let mut outcomes = parsed.outcomes.iter();
    let mut at = 0;
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        let whole = line.ends_with(b"\n");
        at += line.len();
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        if content.len() > MAX_LINE {
            assert!(parsed.broken && outcomes.next().is_some());
            break;
        }
        if !whole || content.trim_ascii().is_empty() {
            continue;
        }
        let Some((_, end)) = outcomes.next() else { panic!("no answer to {}", content.escape_ascii()) };
        if parsed.broken && outcomes.len() == 0 {
            return;
        }
        assert_eq!(*end, at, "an answer that belongs to another line");
    }
    assert_eq!(outcomes.len(), 0, "more answers than lines");
}

/// A request written anew is the same request.
fn check_again(request: &Request<'_>) {
    let Some(mut line) = write_request(request) else { return };
    line.push(b'\n');
    let text = format!("{request:?}");
    // The plain form may be longer than the one it came in: control characters are escaped with six bytes.
    match Decoder::new(8 * MAX_LINE).decode(&line) {
        Decoded::Request { request, consumed } => {
            assert_eq!((format!("{request:?}"), consumed), (text, line.len()), "{}", line.escape_ascii());
        }
        other => panic!("{other:?} of {}", line.escape_ascii()),
    }
}

/// A request as a line, without its end.
fn write_request(request: &Request<'_>) -> Option<Vec<u8>> {
    let text = |bytes: &[u8]| serde_json::to_string(std::str::from_utf8(bytes).ok()?).ok();
    let member = |value: &Value<'_>| match value {
        Value::Bytes(bytes) => text(bytes),
        Value::Json(json) => Some(json.to_string()),
    };
    let line = match request {
        Request::Ping => r#"{"command":"ping"}"#.into(),
        Request::Get { key } => format!(r#"{{"command":"read","key":{}}}"#, text(key)?),
        Request::Delete { key } => format!(r#"{{"command":"delete","key":{}}}"#, text(key)?),
        Request::Put { key, value } => {
            format!(r#"{{"command":"put","key":{},"value":{}}}"#, text(key)?, member(value)?)
        }
        Request::Range(RangeRequest { start, end, limit, reverse }) => {
            let limit = limit.map_or("null".into(), |limit| limit.to_string());
            let (start, end) = (text(start)?, text(end)?);
            format!(
                r#"{{"command":"read_key_range","start_key":{start},"end_key":{end},"limit":{limit},"reverse":{reverse}}}"#
            )
        }
        Request::Batch(pairs) => {
            let keys: Vec<String> = pairs.iter().map(|(key, _)| text(key)).collect::<Option<_>>()?;
            let values = pairs.iter().map(|(_, value)| member(&Value::decode(value)));
            let values: Vec<String> = values.collect::<Option<_>>()?;
            format!(
                r#"{{"command":"batch_put","keys":[{}],"values":[{}]}}"#,
                keys.join(","),
                values.join(",")
            )
        }
    };
    Some(line.into_bytes())
}

fn refused(refusal: &siltstone::protocol::json_lines::Refusal) -> Vec<u8> {
    let mut out = Vec::new();
    refusal.encode(&mut out);
    out
}

fn answered(reply: &Reply) -> Vec<u8> {
    let mut out = Vec::new();
    encode(reply, &mut out);
    check_reply(&out);
    out
}

/// A reply is one line of ASCII, and an object with a status.
fn check_reply(line: &[u8]) {
    let (end, content) = line.split_last().expect("a reply has bytes");
    assert!(*end == b'\n' && content.is_ascii() && !content.contains(&b'\n'), "{}", line.escape_ascii());
    let parsed: BTreeMap<String, &serde_json::value::RawValue> =
        serde_json::from_slice(content).unwrap_or_else(|e| panic!("{e} in {}", line.escape_ascii()));
    assert!(parsed.contains_key("status"));
}

thread_local! {
    static RUNTIME: Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
}

/// A conversation with a server over a socket: its answers are those of a map to the requests, in their order, each once.
pub fn wire_session(input: &[u8]) {
    let expected = expected_answers(input);
    let found = RUNTIME.with(|runtime| runtime.block_on(converse(input)));
    assert!(
        found == expected,
        "found\n{}\nexpected\n{}",
        String::from_utf8_lossy(&found),
        String::from_utf8_lossy(&expected)
    );
}

async fn converse(input: &[u8]) -> Vec<u8> {
    let mut config = Config::default();
    config.max_line_bytes = MAX_LINE;
    let server =
        Server::bind("127.0.0.1:0", Arc::new(MemoryEngine::new()), config).await.expect("a free port");
    let address = server.local_addr();
    let client = async {
        let stream = TcpStream::connect(address).await.expect("a server that listens");
        let (mut reader, mut writer) = stream.into_split();
        let mut answers = Vec::new();
        let send = async {
            let mut sent = 0;
            for end in arrivals(input) {
                // A server that has closed takes no more.
                if writer.write_all(&input[sent..end]).await.is_err() {
                    break;
                }
                sent = end;
            }
            let _ = writer.shutdown().await;
        };
        let (_, read) = tokio::join!(send, reader.read_to_end(&mut answers));
        read.expect("answers to the end");
        answers
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serve = server.run(async { drop(stopped.await) });
    let talk = async {
        let answers = client.await;
        let _ = stop.send(());
        answers
    };
    tokio::join!(serve, talk).1
}

fn expected_answers(input: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(MAX_LINE);
    let mut map = BTreeMap::new();
    let (mut out, mut at) = (Vec::new(), 0);
    loop {
        match decoder.decode(&input[at..]) {
            Decoded::Incomplete { .. } => return out,
            Decoded::Request { request, consumed } => {
                out.extend(answered(&answer(&mut map, request)));
                at += consumed;
            }
            Decoded::Refused { refusal, consumed } => {
                out.extend(refused(&refusal));
                at += consumed;
            }
            Decoded::Broken { refusal } => {
                out.extend(refused(&refusal));
                return out;
            }
        }
    }
}

/// What a map answers; lines here are too short for keys and values over a limit.
fn answer(map: &mut BTreeMap<Vec<u8>, Vec<u8>>, request: Request<'_>) -> Reply {
    match request {
        Request::Ping => Reply::Pong,
        Request::Get { key } => Reply::Value(map.get(&*key).cloned().map(Slice::from)),
        Request::Put { key, value } => {
            map.insert(key.into_owned(), value.encode().into_owned());
            Reply::Done
        }
        Request::Delete { key } => match map.remove(&*key) {
            Some(_) => Reply::Done,
            None => Reply::NotFound,
        },
        Request::Batch(pairs) => {
            insert_all(map, &pairs);
            Reply::Done
        }
        Request::Range(RangeRequest { start, end, limit, reverse }) => {
            let inside = map.iter().filter(|(key, _)| key[..] >= *start && key[..] <= *end);
            let mut entries: Vec<_> =
                inside.map(|(key, value)| (Slice::copy_of(key), Slice::copy_of(value))).collect();
            if reverse {
                entries.reverse();
            }
            entries.truncate(limit.unwrap_or(usize::MAX));
            Reply::Entries(entries)
        }
    }
}

fn insert_all(map: &mut BTreeMap<Vec<u8>, Vec<u8>>, pairs: &Pairs) {
    map.extend(pairs.iter().map(|(key, value)| (key.to_vec(), value.to_vec())));
}
