//! MULTI, EXEC and WATCH.

use super::{Talker, on_each_engine};
use crate::harness::serve;
use siltstone::server::Config;
use siltstone::store::MemoryEngine;
use std::sync::Arc;

#[test]
fn queues() {
    on_each_engine(|client| {
        client.talk(
            "
            EXEC -> -ERR EXEC without MULTI
            DISCARD -> -ERR DISCARD without MULTI
            MULTI -> +OK
            MULTI -> -ERR MULTI calls can not be nested
            SET a 1 -> +QUEUED
            INCR a -> +QUEUED
            GET a -> +QUEUED
            HSET h f v g w -> +QUEUED
            HDEL h f -> +QUEUED
            HGETALL h -> +QUEUED
            LPUSHX -> -ERR unknown command 'LPUSHX', with args beginning with:
            EXEC -> -EXECABORT Transaction discarded because of previous errors.
            GET a -> $-1
            MULTI -> +OK
            GET -> -ERR wrong number of arguments for 'get' command
            EXEC -> -EXECABORT Transaction discarded because of previous errors.
            MULTI -> +OK
            SET a 1 -> +QUEUED
            INCR a -> +QUEUED
            HSET h f v g w -> +QUEUED
            HDEL h f -> +QUEUED
            HGETALL h -> +QUEUED
            INCR h -> +QUEUED
            KEYS * -> +QUEUED
            DEL h a -> +QUEUED
            HSET h z 1 -> +QUEUED
            PING -> +QUEUED
            EXEC -> *10|+OK|:2|:2|:1|*2|$1|g|$1|w|-WRONGTYPE Operation against a key holding the wrong kind of value|*2|$1|a|$1|h|:2|:1|+PONG
            HGETALL h -> *2|$1|z|$1|1
            GET a -> $-1
            MULTI -> +OK
            SET b 1 -> +QUEUED
            DISCARD -> +OK
            GET b -> $-1
            MULTI -> +OK
            EXEC -> *0
            MULTI -> +OK
            SET k 0 -> +QUEUED
            SELECT 1 -> +QUEUED
            SET k 1 -> +QUEUED
            EXEC -> *3|+OK|+OK|+OK
            GET k -> $1|1
            SELECT 0 -> +OK
            GET k -> $1|0
            MULTI -> +OK
            FLUSHDB -> +QUEUED
            SET only 1 -> +QUEUED
            EXEC -> *2|+OK|+OK
            DBSIZE -> :1
            MULTI -> +OK
            SWAPDB 0 1 -> -ERR SWAPDB is not possible inside a transaction
            EXEC -> -EXECABORT Transaction discarded because of previous errors.
            ",
        );
    });
}

#[test]
fn watches() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let (mut one, mut other) = (Talker::to(server.addr), Talker::to(server.addr));
    let attempt = |one: &mut Talker, other: &mut Talker, change: &str, expected: &str| {
        one.check("WATCH k", "+OK");
        if !change.is_empty() {
            assert!(!other.ask(change).starts_with('-'), "{change}");
        }
        one.check("MULTI", "+OK");
        one.check("SET mine 1", "+QUEUED");
        one.check("EXEC", expected);
    };
    let (kept, lost) = ("*1|+OK", "*-1");
    other.check("SET k v", "+OK");
    attempt(&mut one, &mut other, "", kept);
    attempt(&mut one, &mut other, "GET k", kept);
    attempt(&mut one, &mut other, "SET other v", kept);
    attempt(&mut one, &mut other, "SET k v", lost);
    attempt(&mut one, &mut other, "APPEND k x", lost);
    attempt(&mut one, &mut other, "EXPIRE k 100", lost);
    attempt(&mut one, &mut other, "DEL nothing", kept);
    attempt(&mut one, &mut other, "DEL k", lost);
    // It is not there any more.
    attempt(&mut one, &mut other, "DEL k", kept);
    attempt(&mut one, &mut other, "FLUSHALL", kept);
    attempt(&mut one, &mut other, "SET k v", lost);
    attempt(&mut one, &mut other, "FLUSHALL", lost);
    attempt(&mut one, &mut other, "HSET k f v", lost);
    attempt(&mut one, &mut other, "HSET k f v", lost);
    attempt(&mut one, &mut other, "RENAME k elsewhere", lost);
    attempt(&mut one, &mut other, "SS.DELRANGE - +", kept);
    attempt(&mut one, &mut other, "SET k v PX 1", lost);
    other.check("SET k v PX 30", "+OK");
    one.check("WATCH k", "+OK");
    while other.ask("EXISTS k") == ":1" {}
    one.talk("MULTI -> +OK");
    one.talk("PING -> +QUEUED");
    one.talk("EXEC -> *-1");
    other.check("SET k v", "+OK");
    one.talk("WATCH k -> +OK");
    other.check("SET k w", "+OK");
    one.talk("UNWATCH -> +OK");
    one.talk("MULTI -> +OK");
    one.talk("WATCH k -> -ERR WATCH inside MULTI is not allowed");
    one.talk("GET k -> +QUEUED");
    one.talk("EXEC -> *1|$1|w");
}

#[test]
fn transfers_keep_the_sum() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let addr = server.addr;
    Talker::to(addr).check("MSET a 1000 b 1000", "+OK");
    let movers: Vec<_> = [("a", "b"), ("b", "a"), ("a", "b")]
        .map(|(from, to)| {
            std::thread::spawn(move || {
                let mut client = Talker::to(addr);
                for _ in 0..200 {
                    client.check("MULTI", "+OK");
                    client.check(&format!("DECR {from}"), "+QUEUED");
                    client.check(&format!("INCR {to}"), "+QUEUED");
                    assert!(client.ask("EXEC").starts_with("*2|:"));
                }
            })
        })
        .into();
    let mut client = Talker::to(addr);
    for _ in 0..300 {
        let reply = client.ask("MGET a b");
        let parts: Vec<&str> = reply.split('|').collect();
        let sum: i64 = [parts[2], parts[4]].iter().map(|part| part.parse::<i64>().unwrap()).sum();
        assert_eq!(sum, 2000, "{reply}");
    }
    movers.into_iter().for_each(|mover| mover.join().unwrap());
    client.check("MGET a b", "*2|$3|800|$4|1200");
}
