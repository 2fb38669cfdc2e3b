//! Where lines begin and end, however they arrive.

use crate::harness::{OK, PING, error, ok, put, read, serve};
use crate::talk::conversation;
use siltstone::server::Config;
use siltstone::store::{MemoryEngine, StorageEngine};
use std::io::Write;
use std::sync::Arc;

#[test]
fn a_conversation_split_at_every_byte() {
    let requests: String = [
        put("é😀", "x"),
        "\r\n".into(),
        read("é😀"),
        "nonsense".into(),
        r#"{"command":"delete","key":"\u00e9\ud83d\ude00"}"#.into(),
    ]
    .map(|line| format!("{line}\r\n"))
    .concat();
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut other = server.connect();
    for at in 1..requests.len() {
        let mut client = server.connect();
        client.send(&requests.as_bytes()[..at]);
        // The server has one thread, so it has looked at the first part by now.
        other.ping();
        client.send(&requests.as_bytes()[at..]);
        assert_eq!(client.reply(), OK, "split at {at}");
        assert_eq!(client.reply(), ok("\"x\""), "split at {at}");
        assert!(client.reply().contains("Invalid JSON: "), "split at {at}");
        assert_eq!(client.reply(), OK, "split at {at}");
    }
}

#[test]
fn a_pipeline_is_answered_in_order() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut client = server.connect();
    let whole: String = conversation().iter().map(|(request, _)| format!("{request}\n")).collect();
    client.send(whole);
    for (request, reply) in conversation() {
        assert_eq!(client.reply(), reply, "{request}");
    }
}

#[test]
fn a_long_pipeline_passes_many_times() {
    const COUNT: usize = 20_000;
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut client = server.connect();
    let mut writer = client.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        for n in 0..COUNT {
            let two = format!("{}\n{}\n", put("k", &n.to_string()), read("k"));
            writer.write_all(two.as_bytes()).unwrap();
        }
    });
    for n in 0..COUNT {
        assert_eq!(client.reply(), OK);
        assert_eq!(client.reply(), ok(&format!("\"{n}\"")));
    }
    sender.join().unwrap();
}

#[test]
fn line_ends_and_blank_lines() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut client = server.connect();
    client.send(format!("\n\r\n \t \r\n  {PING}  \r\n\n\n{PING}\n\n"));
    client.end_of_requests();
    let pong = ok("\"pong\"");
    assert_eq!(client.rest(), format!("{pong}\n{pong}\n"));
}

#[test]
fn a_line_that_is_no_request_leaves_the_connection_open() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut client = server.connect();
    let deep = format!(r#"{{"command":"put","key":"k","value":{}"#, "[".repeat(100_000));
    let lines: [&[u8]; 7] = [
        b"{\"command\":\"put\",\"key\":\"\xc3\",\"value\":1}",
        b"\xff",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"*1\r",
        b"{\"command\":\"put\",\"key\":\"k\",\"value\":NaN}",
        b"{\"command\":\"put\",\"key\":\"\\ud800\",\"value\":1}",
        deep.as_bytes(),
    ];
    for line in lines {
        client.send([line, b"\n"].concat());
        let reply = client.reply();
        assert!(reply.starts_with(r#"{"status":"error","message":"Invalid JSON: "#), "{reply}");
        assert!(reply.len() < 300);
    }
    client.ping();
    client.check("[]", &error("Invalid request: expected a JSON object"));
}

#[test]
fn after_a_half_close_everything_whole_is_answered() {
    let engine = Arc::new(MemoryEngine::new());
    let server = serve(engine.clone(), Config::default());
    let mut client = server.connect();
    client.send(format!("{}\n{}\n{}", put("whole", "x"), read("whole"), put("cut", "x")));
    client.end_of_requests();
    assert_eq!(client.rest(), format!("{OK}\n{}\n", ok("\"x\"")));
    assert!(engine.get(b"cut").unwrap().is_none(), "a line without its end is not carried out");
}
