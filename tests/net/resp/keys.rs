//! Keys: being there, names, databases, time.

use super::{Talker, on_each_engine};
use crate::harness::serve;
use siltstone::server::Config;
use siltstone::store::MemoryEngine;
use std::collections::BTreeSet;
use std::sync::Arc;

#[test]
fn keys_of_any_kind() {
    on_each_engine(|client| {
        client.talk(
            "
            MSET a 1 b 2 c 3 -> +OK
            HSET h f v g w -> :2
            EXISTS a b a none -> :3
            TOUCH a none -> :1
            TYPE a -> +string
            TYPE h -> +hash
            TYPE none -> +none
            DEL a a none -> :1
            UNLINK b -> :1
            RENAME none x -> -ERR no such key
            RENAME h moved -> +OK
            HGETALL moved -> *4|$1|f|$1|v|$1|g|$1|w
            EXISTS h -> :0
            RENAME c moved -> +OK
            TYPE moved -> +string
            SET d 1 -> +OK
            RENAMENX d moved -> :0
            RENAMENX d free -> :1
            COPY free copy -> :1
            COPY free copy -> :0
            COPY free copy REPLACE -> :1
            COPY free free -> -ERR source and destination objects are the same
            HSET h2 f v -> :1
            COPY h2 h3 -> :1
            HSET h3 f changed -> :0
            HGET h2 f -> $1|v
            HGET h3 f -> $7|changed
            OBJECT ENCODING free -> $3|int
            OBJECT ENCODING h2 -> $8|listpack
            OBJECT REFCOUNT free -> :1
            OBJECT FREQ none -> $-1
            DBSIZE -> :5
            KEYS h* -> *2|$2|h2|$2|h3
            KEYS * -> *5|$4|copy|$4|free|$2|h2|$2|h3|$5|moved
            FLUSHDB -> +OK
            DBSIZE -> :0
            RANDOMKEY -> $-1
            SET one 1 -> +OK
            RANDOMKEY -> $3|one
            ",
        );
    });
}

#[test]
fn time() {
    on_each_engine(|client| {
        client.talk(
            "
            SET k v -> +OK
            TTL k -> :-1
            TTL none -> :-2
            EXPIRE none 10 -> :0
            EXPIRE k 100 -> :1
            TTL k -> :100
            EXPIRE k 200 NX -> :0
            EXPIRE k 200 XX GT -> :1
            EXPIRE k 100 GT -> :0
            EXPIRE k 100 LT -> :1
            EXPIRE k 1 NX XX -> -ERR NX and XX, GT or LT options at the same time are not compatible
            EXPIRE k 1 GT LT -> -ERR GT and LT options at the same time are not compatible
            EXPIRE k 1 ZZ -> -ERR Unsupported option ZZ
            EXPIRE k 9223372036854775807 -> -ERR invalid expire time in 'expire' command
            PEXPIRE k 300000 -> :1
            TTL k -> :300
            PERSIST k -> :1
            PERSIST k -> :0
            EXPIRE k 5 GT -> :0
            EXPIREAT k 4102444800 -> :1
            EXPIRETIME k -> :4102444800
            PEXPIRETIME k -> :4102444800000
            EXPIRETIME none -> :-2
            PEXPIREAT k 4102444800123 -> :1
            PEXPIRETIME k -> :4102444800123
            HSET h f v -> :1
            EXPIRE h 100 -> :1
            HSET h g w -> :1
            TTL h -> :100
            EXPIRE h -1 -> :1
            EXISTS h -> :0
            HSET h f again -> :1
            HLEN h -> :1
            EXPIREAT k 1 -> :1
            EXISTS k -> :0
            SET p v PX 1 -> +OK
            ",
        );
        while client.ask("EXISTS p") == ":1" {}
        client.check("GET p", "$-1");
        client.check("TTL p", ":-2");
    });
}

#[test]
fn databases() {
    on_each_engine(|client| {
        client.talk(
            "
            SET k zero -> +OK
            SELECT 16 -> -ERR DB index is out of range
            SELECT x -> -ERR invalid DB index
            SELECT 1 -> +OK
            GET k -> $-1
            SET k one -> +OK
            HSET h f v -> :1
            SELECT 0 -> +OK
            GET k -> $4|zero
            MOVE k 1 -> :0
            SET m v -> +OK
            MOVE m 1 -> :1
            MOVE m 0 -> -ERR source and destination objects are the same
            EXISTS m -> :0
            COPY k copied DB 2 -> :1
            SWAPDB 0 1 -> +OK
            GET k -> $3|one
            HGET h f -> $1|v
            KEYS * -> *3|$1|h|$1|k|$1|m
            SELECT 2 -> +OK
            GET copied -> $4|zero
            FLUSHALL -> +OK
            SELECT 1 -> +OK
            DBSIZE -> :0
            ",
        );
    });
}

#[test]
fn a_scan_meets_each_key_once() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let mut client = Talker::to(server.addr);
    let mut expected = BTreeSet::new();
    for n in 0..1000 {
        client.check(&format!("SET key:{n} {n}"), "+OK");
        expected.insert(format!("key:{n}"));
    }
    client.check("HSET hash f v", ":1");
    let (mut cursor, mut found, mut steps) = ("0".to_owned(), Vec::new(), 0);
    loop {
        let reply = client.ask(&format!("SCAN {cursor} MATCH key:* COUNT 100 TYPE string"));
        let parts: Vec<&str> = reply.split('|').collect();
        cursor = parts[2].to_owned();
        found.extend(parts[4..].iter().skip(1).step_by(2).map(|key| (*key).to_owned()));
        // What is written meanwhile must neither hide nor double anything.
        client.check(&format!("SET other:{steps} x"), "+OK");
        steps += 1;
        if cursor == "0" {
            break;
        }
    }
    assert!(steps >= 10);
    assert_eq!(found.len(), expected.len());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    client.talk(
        "
        SCAN x -> -ERR invalid cursor
        SCAN 12345 -> -ERR this cursor is no longer known: begin again at 0
        SCAN 0 COUNT 0 -> -ERR syntax error
        SCAN 0 WRONG 1 -> -ERR syntax error
        ",
    );
}
