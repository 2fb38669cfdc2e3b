//! Strings.

use super::{Talker, on_each_engine};
use crate::harness::serve;
use siltstone::server::Config;
use siltstone::store::MemoryEngine;
use std::sync::Arc;

#[test]
fn setting_and_getting() {
    on_each_engine(|client| {
        client.talk(
            r#"
            GET k -> $-1
            SET k v -> +OK
            GET k -> $1|v
            get K -> $-1
            SET k "a b\r\nc" -> +OK
            STRLEN k -> :6
            SET k v NX -> $-1
            SET n v NX -> +OK
            SET missing v XX -> $-1
            SET k w XX GET -> $6|a b|c
            SET k x NX GET -> $1|w
            GET k -> $1|w
            SET fresh v GET -> $-1
            SET k v NX XX -> -ERR syntax error
            SET k v EX -> -ERR syntax error
            SET k v EX 0 -> -ERR invalid expire time in 'set' command
            SET k v EX x -> -ERR value is not an integer or out of range
            SET k v EX 1 PX 1 -> -ERR syntax error
            SET k v EX 9223372036854775807 -> -ERR invalid expire time in 'set' command
            SETNX k z -> :0
            SETNX k2 z -> :1
            SETEX k 0 v -> -ERR invalid expire time in 'setex' command
            SETEX e 100 v -> +OK
            TTL e -> :100
            SET e w KEEPTTL -> +OK
            TTL e -> :100
            SET e w -> +OK
            TTL e -> :-1
            PSETEX e 100000 v -> +OK
            TTL e -> :100
            GETSET k new -> $1|w
            GETSET none new -> $-1
            GETDEL k -> $3|new
            GETDEL k -> $-1
            GETEX e EX 50 -> $1|v
            TTL e -> :50
            GETEX e PERSIST -> $1|v
            TTL e -> :-1
            GETEX e EX 1 EX 2 -> -ERR syntax error
            MSET a 1 b 2 a 3 -> +OK
            MGET a b nothing a -> *4|$1|3|$1|2|$-1|$1|3
            MSET a -> -ERR wrong number of arguments for 'mset' command
            MSET a 1 b -> -ERR wrong number of arguments for 'mset' command
            MSETNX x 1 a 2 -> :0
            GET x -> $-1
            MSETNX x 1 y 2 -> :1
            GET -> -ERR wrong number of arguments for 'get' command
            "#,
        );
    });
}

#[test]
fn numbers() {
    on_each_engine(|client| {
        client.talk(
            "
            INCR n -> :1
            INCRBY n 41 -> :42
            DECR n -> :41
            DECRBY n 1 -> :40
            GET n -> $2|40
            INCRBY n x -> -ERR value is not an integer or out of range
            SET n 9223372036854775807 -> +OK
            INCR n -> -ERR increment or decrement would overflow
            DECRBY n -9223372036854775808 -> -ERR decrement would overflow
            SET n text -> +OK
            INCR n -> -ERR value is not an integer or out of range
            SET n 10.50 EX 100 -> +OK
            INCRBYFLOAT n 0.1 -> $4|10.6
            TTL n -> :100
            INCRBYFLOAT n -5 -> $3|5.6
            SET n 5.0e3 -> +OK
            INCRBYFLOAT n 2.0e2 -> $4|5200
            INCRBYFLOAT n x -> -ERR value is not a valid float
            SET f 0.1 -> +OK
            INCRBYFLOAT f 0.2 -> $3|0.3
            INCRBYFLOAT f inf -> -ERR increment would produce NaN or Infinity
            ",
        );
    });
}

#[test]
fn parts() {
    on_each_engine(|client| {
        client.talk(
            r#"
            APPEND a Hello -> :5
            APPEND a " World" -> :11
            GETRANGE a 0 4 -> $5|Hello
            GETRANGE a -5 -1 -> $5|World
            GETRANGE a 0 -1 -> $11|Hello World
            GETRANGE a 5 2 -> $0|
            GETRANGE a 20 30 -> $0|
            SUBSTR a 0 0 -> $1|H
            GETRANGE none 0 -1 -> $0|
            SETRANGE a 6 Redis -> :11
            GET a -> $11|Hello Redis
            SETRANGE z 3 x -> :4
            GET z -> $4|   x
            SETRANGE z -1 x -> -ERR offset is out of range
            SETRANGE nothing 5 "" -> :0
            EXISTS nothing -> :0
            SETRANGE z 536870912 x -> -ERR string exceeds maximum allowed size (proto-max-bulk-len)
            SETBIT b 7 1 -> :0
            SETBIT b 7 0 -> :1
            SETBIT b 7 2 -> -ERR bit is not an integer or out of range
            SETBIT b x 1 -> -ERR bit offset is not an integer or out of range
            GETBIT b 100 -> :0
            SET b foobar -> +OK
            BITCOUNT b -> :26
            BITCOUNT b 0 0 -> :4
            BITCOUNT b 1 1 BYTE -> :6
            BITCOUNT b 5 30 BIT -> :17
            BITCOUNT b 5 -> -ERR syntax error
            MSET k1 ohmytext k2 mynewtext -> +OK
            LCS k1 k2 -> $6|mytext
            LCS k1 k2 LEN -> :6
            LCS k1 k2 IDX MINMATCHLEN 4 WITHMATCHLEN -> *4|$7|matches|*1|*3|*2|:4|:7|*2|:5|:8|:4|$3|len|:6
            "#
            .replace("   x", "\u{0}\u{0}\u{0}x")
            .as_str(),
        );
    });
}

#[test]
fn what_one_door_stores_the_others_read() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let (mut json, mut redis) = (server.connect(), Talker::to(server.addr));
    json.put("s", "text");
    redis.check("GET s", "$4|text");
    json.check(r#"{"command":"put","key":"n","value":41}"#, crate::harness::OK);
    redis.check("GET n", "$2|41");
    redis.check("INCR n", ":42");
    json.check(r#"{"command":"read","key":"n"}"#, r#"{"status":"ok","result":42}"#);
    redis.check("HSET h f v", ":1");
    assert!(json.ask(r#"{"command":"read","key":"h"}"#).contains("a hash"));
    redis.check("SET bytes \"\\xff\\x00\"", "+OK");
    assert!(json.ask(r#"{"command":"read","key":"bytes"}"#).contains("not valid UTF-8"));
    json.check(r#"{"command":"put","key":"t","value":"x","ttl":100}"#, crate::harness::OK);
    redis.check("TTL t", ":100");
}
