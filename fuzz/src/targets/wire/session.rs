//! Whole conversations with a server, over a socket.

use super::arrivals;
use super::json_lines::{MAX_LINE, check_reply, refused};
use siltstone::Slice;
use siltstone::protocol::json_lines::{Asked, Decoded, Decoder, encode};
use siltstone::protocol::{Denial, Pairs, RangeRequest, Reply, Request};
use siltstone::server::{Config, Protocol, Server};
use siltstone::store::MemoryEngine;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

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
    config.protocol = Protocol::JsonLines;
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
            Decoded::Request { request, asked, consumed } => {
                out.extend(answered(&answer(&mut map, request), asked));
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
        Request::Put { key, value, ttl } => {
            // No conversation lasts a second.
            if ttl.is_none_or(|seconds| seconds > 0) {
                map.insert(key.into_owned(), value.encode().into_owned());
            } else {
                map.remove(&*key);
            }
            Reply::Done
        }
        Request::Delete { key } => Reply::Number(i64::from(map.remove(&*key).is_some())),
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
        Request::Authenticate(_) => Reply::Denied(Denial::NoUsers),
        other => panic!("no line asks for {other:?}"),
    }
}

fn answered(reply: &Reply, asked: Asked) -> Vec<u8> {
    let mut out = Vec::new();
    encode(reply, asked, &mut out);
    check_reply(&out);
    out
}

fn insert_all(map: &mut BTreeMap<Vec<u8>, Vec<u8>>, pairs: &Pairs) {
    map.extend(pairs.iter().map(|(key, value)| (key.to_vec(), value.to_vec())));
}
