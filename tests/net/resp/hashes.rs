//! Hashes.

use super::{Talker, on_each_engine};
use crate::harness::serve;
use siltstone::server::Config;
use siltstone::store::MemoryEngine;
use std::sync::Arc;

#[test]
fn fields() {
    on_each_engine(|client| {
        client.talk(
            r#"
            HSET h a 1 b 2 a 3 -> :2
            HSET h a 4 -> :0
            HSET h a -> -ERR wrong number of arguments for 'hset' command
            HSET h a 1 b -> -ERR wrong number of arguments for 'hset' command
            HGET h a -> $1|4
            HGET h none -> $-1
            HGET none a -> $-1
            HMSET h c 5 "" empty -> +OK
            HGET h "" -> $5|empty
            HMGET h a none c -> *3|$1|4|$-1|$1|5
            HMGET none a b -> *2|$-1|$-1
            HLEN h -> :4
            HSTRLEN h "" -> :5
            HEXISTS h a -> :1
            HEXISTS h none -> :0
            HKEYS h -> *4|$0||$1|a|$1|b|$1|c
            HVALS h -> *4|$5|empty|$1|4|$1|2|$1|5
            HGETALL h -> *8|$0||$5|empty|$1|a|$1|4|$1|b|$1|2|$1|c|$1|5
            HGETALL none -> *0
            HSETNX h a x -> :0
            HSETNX h d x -> :1
            HINCRBY h a 6 -> :10
            HINCRBY h new -1 -> :-1
            HINCRBY h d 1 -> -ERR hash value is not an integer
            HINCRBYFLOAT h a 0.5 -> $4|10.5
            HINCRBYFLOAT h d 1 -> -ERR hash value is not a float
            HDEL h a b none a -> :2
            HLEN h -> :4
            HRANDFIELD none -> $-1
            HRANDFIELD none 3 -> *0
            SET s text -> +OK
            HGET s f -> -WRONGTYPE Operation against a key holding the wrong kind of value
            HSET s f v -> -WRONGTYPE Operation against a key holding the wrong kind of value
            GET h -> -WRONGTYPE Operation against a key holding the wrong kind of value
            INCR h -> -WRONGTYPE Operation against a key holding the wrong kind of value
            MGET s h -> *2|$4|text|$-1
            SET h text -> +OK
            GET h -> $4|text
            DEL h -> :1
            HSET h a 1 -> :1
            HGETALL h -> *2|$1|a|$1|1
            HDEL h a -> :1
            EXISTS h -> :0
            TYPE h -> +none
            "#,
        );
        client.check("HSET r a 1 b 2 c 3", ":3");
        assert_eq!(client.ask("HRANDFIELD r 2").matches('|').count(), 4);
        assert_eq!(client.ask("HRANDFIELD r 10").matches('|').count(), 6);
        assert!(client.ask("HRANDFIELD r -10").starts_with("*10|"));
        assert!(client.ask("HRANDFIELD r 2 WITHVALUES").starts_with("*4|"));
    });
}

#[test]
fn a_large_hash_goes_as_a_whole() {
    on_each_engine(|client| {
        for n in 0..500 {
            client.check(&format!("HSET big field:{n} {n}"), ":1");
        }
        client.check("HLEN big", ":500");
        assert!(client.ask("HGETALL big").starts_with("*1000|"));
        let (mut cursor, mut found) = ("0".to_owned(), 0);
        loop {
            let reply = client.ask(&format!("HSCAN big {cursor} COUNT 50"));
            let parts: Vec<&str> = reply.split('|').collect();
            cursor = parts[2].to_owned();
            found += parts[3][1..].parse::<usize>().unwrap() / 2;
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found, 500);
        client.talk(
            "
            DEL big -> :1
            HSET big one 1 -> :1
            HGETALL big -> *2|$3|one|$1|1
            HSCAN big 0 -> *2|$1|0|*2|$3|one|$1|1
            HSCAN big 0 MATCH x* -> *2|$1|0|*0
            HSCAN big 0 NOVALUES -> *2|$1|0|*1|$3|one
            HSCAN none 0 -> *2|$1|0|*0
            ",
        );
    });
}

#[test]
fn counts_hold_under_many_writers() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let addr = server.addr;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            std::thread::spawn(move || {
                let mut client = Talker::to(addr);
                for n in 0..200 {
                    client.check(&format!("HSET h own:{writer}:{n} x"), ":1");
                    client.ask(&format!("HSET h shared:{n} {writer}"));
                    client.ask("HINCRBY h count 1");
                    if n % 3 == 0 {
                        client.check(&format!("HDEL h own:{writer}:{n}"), ":1");
                    }
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let mut client = Talker::to(addr);
    client.check("HGET h count", "$3|800");
    let expected = 1 + 200 + 4 * (200 - 67);
    client.check("HLEN h", &format!(":{expected}"));
    assert!(client.ask("HKEYS h").starts_with(&format!("*{expected}|")));
}
