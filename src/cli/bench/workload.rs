//! What is asked, and with which keys.

use clap::ValueEnum;
use siltstone::client::{Pipeline, Result, Value};
use std::fmt;

/// One test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// PING
    Ping,
    /// SET of a key to a value
    Set,
    /// GET of a key
    Get,
    /// INCR of a counter
    Incr,
    /// HSET of one of ten fields of a hash
    Hset,
    /// MGET of ten keys
    Mget,
    /// SS.RANGE of ten entries; siltstone only
    Range,
    /// Embedded: entries in the order of their keys
    Fillseq,
    /// Embedded: entries in any order
    Fillrandom,
    /// Embedded: values of keys in any order
    Readrandom,
    /// Embedded: all entries in order
    Scan,
}

/// How many keys MGET asks for, entries SS.RANGE, and how many fields a hash has.
const MANY: u64 = 10;

impl Workload {
    /// Whether it is for a server, and not for the library.
    pub fn asks_server(&self) -> bool {
        !matches!(self, Workload::Fillseq | Workload::Fillrandom | Workload::Readrandom | Workload::Scan)
    }

    /// Adds one request.
    pub fn push(self, out: &mut Pipeline, random: &mut Random, keys: u64, value: &[u8]) -> Result<()> {
        let mut name = |prefix: &str| named(prefix, random.below(keys));
        match self {
            Workload::Set => out.command([b"SET", name("key").as_slice(), value])?,
            Workload::Get => out.command([b"GET", name("key").as_slice()])?,
            Workload::Incr => out.command([b"INCR", name("counter").as_slice()])?,
            Workload::Hset => {
                let key = name("hash");
                let field = named("field", random.below(MANY));
                out.command([b"HSET", key.as_slice(), &field, value])?
            }
            Workload::Mget => {
                let wanted = (0..MANY).map(|_| name("key"));
                out.command(std::iter::once(b"MGET".to_vec()).chain(wanted))?
            }
            Workload::Range => {
                let limit = MANY.to_string();
                out.command([&b"SS.RANGE"[..], &name("key"), b"+", b"LIMIT", limit.as_bytes()])?
            }
            _ => out.command(["PING"])?,
        };
        Ok(())
    }

    /// How many keys a reply was asked for, and how many of them were there; nothing for tests that do not look for any.
    pub fn found(self, reply: &Value) -> (u64, u64) {
        match (self, reply) {
            (Workload::Get, Value::Null) => (1, 0),
            (Workload::Get, _) => (1, 1),
            (Workload::Mget, Value::List(items)) => {
                (MANY, items.iter().filter(|item| **item != Value::Null).count() as u64)
            }
            (Workload::Range, Value::Map(pairs)) => (MANY, pairs.len() as u64),
            (Workload::Range, Value::List(items)) => (MANY, items.len() as u64 / 2),
            _ => (0, 0),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.to_possible_value().map(|value| value.get_name().to_string());
        f.write_str(&name.unwrap_or_default())
    }
}

/// The name of a thing by its number, of the same length for all.
pub fn named(prefix: &str, number: u64) -> Vec<u8> {
    format!("{prefix}:{number:012}").into_bytes()
}

/// Numbers that look like chance, the same for each run (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One below a limit, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// Bytes of which half can be guessed from the others, as of many real values.
    pub fn value(&mut self, size: usize) -> Vec<u8> {
        let half: Vec<u8> = (0..size.div_ceil(2)).map(|_| b'a' + (self.next() % 26) as u8).collect();
        half.iter().chain(&half).copied().take(size).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_of_a_server_is_one_request() {
        let mut random = Random::new(1);
        for test in Workload::value_variants().iter().filter(|test| test.asks_server()) {
            let mut out = Pipeline::new();
            test.push(&mut out, &mut random, 100, b"value").unwrap();
            assert_eq!(out.len(), 1, "{test}");
        }
        assert_eq!(random.value(5).len(), 5);
        assert!((0..1000).all(|_| random.below(7) < 7));
    }

    #[test]
    fn what_was_there_is_counted() {
        let list = Value::List(vec![Value::Null, Value::Bytes(vec![])]);
        assert_eq!(Workload::Mget.found(&list), (10, 1));
        assert_eq!(Workload::Get.found(&Value::Null), (1, 0));
        assert_eq!(Workload::Set.found(&Value::Text("OK".into())), (0, 0));
    }
}
