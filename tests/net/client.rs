//! Our own client against our own server: what one means, the other understands.

use crate::harness::serve;
use siltstone::client::{Batch, Client, ClientOptions, Error, Pipeline, Value};
use siltstone::server::Config;
use siltstone::store::MemoryEngine;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

fn keys(range: siltstone::client::Range<'_>) -> Vec<String> {
    range.map(|entry| String::from_utf8(entry.unwrap().0).unwrap()).collect()
}

#[test]
fn every_method_does_what_it_says() {
    let server = serve(Arc::new(MemoryEngine::default()), Config::default());
    let mut client = Client::connect(server.addr).unwrap();
    assert_eq!(client.version(), 3);
    client.ping().unwrap();
    client.put(b"bytes\0\r\n", b"\xff\0\r\n").unwrap();
    assert_eq!(client.get(b"bytes\0\r\n").unwrap().unwrap(), b"\xff\0\r\n");
    assert_eq!(client.get("none").unwrap(), None);
    client.put_with_ttl("short", "v", Duration::from_secs(100)).unwrap();
    let left = client.command(["TTL", "short"]).unwrap().as_int().unwrap();
    assert!((98..=100).contains(&left), "{left}");
    assert!(client.exists("short").unwrap() && client.delete("short").unwrap());
    assert!(!client.delete("short").unwrap());
    assert_eq!(client.increment("n", 5).unwrap() + client.increment("n", -7).unwrap(), 3);
    assert!(client.hset("h", "f", "1").unwrap() && !client.hset("h", "f", "2").unwrap());
    assert_eq!(client.hget("h", "f").unwrap().unwrap(), b"2");
    assert_eq!(client.hgetall("h").unwrap(), [(b"f".to_vec(), b"2".to_vec())]);
    assert!(client.hdel("h", "f").unwrap());
    client.hset("h", "f", "3").unwrap();
    assert!(client.get("h").unwrap_err().is_server_code("WRONGTYPE"));
    let mut batch = Batch::new();
    batch.put("a", "1").put_with_ttl("b", "2", Duration::from_secs(50)).delete("n");
    client.batch(&batch).unwrap();
    assert_eq!((client.get("a").unwrap().unwrap(), client.get("n").unwrap()), (b"1".to_vec(), None));
    let mut pipeline = Pipeline::new();
    pipeline.command(["INCR", "h"]).unwrap().command(["STRLEN", "a"]).unwrap();
    let replies = client.run(&pipeline).unwrap();
    assert!(matches!(&replies[0], Value::Error { code, .. } if code == "WRONGTYPE"));
    assert_eq!(replies[1], Value::Int(1));
}

#[test]
fn ranges_are_whole_in_both_directions_whatever_their_bounds() {
    let server = serve(Arc::new(MemoryEngine::default()), Config::default());
    let mut client = Client::connect(server.addr).unwrap();
    let mut wanted: Vec<String> = (0..2500).map(|n| format!("k{n:05}")).collect();
    wanted.extend(["+", "-", ",z", "."].map(String::from));
    wanted.sort();
    let mut pipeline = Pipeline::new();
    for key in &wanted {
        pipeline.command(["SET", key, "v"]).unwrap();
    }
    assert!(client.run(&pipeline).unwrap().iter().all(|reply| *reply == Value::Text("OK".into())));
    assert_eq!(keys(client.range::<&str>(..)), wanted);
    let backward: Vec<String> = wanted.iter().rev().cloned().collect();
    assert_eq!(keys(client.range::<&str>(..).rev()), backward);
    assert_eq!(keys(client.prefix("k000").rev().limit(2)), ["k00099", "k00098"]);
    assert_eq!(keys(client.prefix("k0")).len(), 2500);
    assert_eq!(keys(client.range("+"..="-")), ["+", ",z", "-"]);
    assert_eq!(keys(client.range("-".."k").rev()), [".", "-"]);
    assert_eq!(keys(client.range(..="+")), ["+"]);
    let between = (Bound::Excluded("k00010"), Bound::Excluded("k00013"));
    assert_eq!(keys(client.range::<&str>(between)), ["k00011", "k00012"]);
    assert_eq!(keys(client.range("z".."a")), Vec::<String>::new());
}

#[test]
fn large_values_come_in_smaller_pages() {
    let mut config = Config::default();
    config.max_range_bytes = 1 << 20;
    let server = serve(Arc::new(MemoryEngine::default()), config);
    let mut client = Client::connect(server.addr).unwrap();
    for number in 0..20 {
        client.put(format!("k{number:02}"), vec![b'x'; 200 << 10]).unwrap();
    }
    assert_eq!(keys(client.range::<&str>(..)).len(), 20);
    assert_eq!(keys(client.range::<&str>(..).rev().limit(7)).len(), 7);
}

#[test]
fn databases_are_apart_and_a_stopped_server_is_noticed() {
    let mut server = serve(Arc::new(MemoryEngine::default()), Config::default());
    let mut client = Client::connect(server.addr).unwrap();
    let options = ClientOptions::default().database(3).name("other");
    let mut other = Client::connect_with(server.addr, &options).unwrap();
    client.put("k", "first").unwrap();
    assert_eq!(other.get("k").unwrap(), None);
    assert_eq!(other.command(["CLIENT", "GETNAME"]).unwrap().as_text(), Some("other"));
    let refused = Client::connect_with(server.addr, &ClientOptions::default().password("x")).unwrap_err();
    assert!(matches!(refused, Error::Server { .. }), "{refused}");
    server.signal_stop();
    server.join();
    assert!(!client.is_open());
    assert!(!client.ping().unwrap_err().leaves_connection());
    assert!(matches!(client.ping(), Err(Error::Poisoned { .. })));
}
