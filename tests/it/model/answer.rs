//! What an operation answers, as one number, and in words when somebody is to read it.

use super::data::{Key, Look};
use siltstone::Slice;
use std::fmt::{self, Display};
use xxhash_rust::xxh3::xxh3_64;

/// An answer while it is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Equal for equal answers.
    pub number: u64,
    /// The same in words, when asked for.
    pub words: Option<String>,
}

impl Answer {
    /// One that is only compared.
    pub fn brief() -> Answer {
        Answer::default()
    }

    /// One that is read, too.
    pub fn in_words() -> Answer {
        Answer { number: 0, words: Some(String::new()) }
    }

    pub fn say(&mut self, number: u64, words: impl Display) {
        self.number = (self.number ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        if let Some(text) = &mut self.words {
            text.push_str(&format!("{words} "));
        }
    }

    /// A fact that has no number.
    pub fn fact(&mut self, fact: impl Display) {
        let text = fact.to_string();
        self.say(xxh3_64(text.as_bytes()), text);
    }

    pub fn value(&mut self, value: Option<Look>) {
        match value {
            Some(look) => self.say(look.number(), look),
            None => self.say(1, "-"),
        }
    }

    pub fn found(&mut self, value: Option<&Slice>) {
        self.value(value.map(|value| Look::of(value)));
    }

    /// A key of a walk over keys alone.
    pub fn key(&mut self, hash: u64, key: &[u8]) {
        self.say(hash, key[..key.len().min(30)].escape_ascii());
    }

    /// A pair of the map.
    pub fn pair(&mut self, key: &Key, look: Look) {
        self.entry(key.hash, &key.bytes, look);
    }

    /// A pair of the database.
    pub fn found_pair(&mut self, key: &[u8], value: &[u8]) {
        self.entry(xxh3_64(key), key, Look::of(value));
    }

    fn entry(&mut self, hash: u64, key: &[u8], look: Look) {
        self.say(hash ^ look.number().rotate_left(7), Pair(key, look));
    }
}

struct Pair<'a>(&'a [u8], Look);

impl Display for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pair(key, look) = self;
        write!(f, "{}", key[..key.len().min(30)].escape_ascii())?;
        if key.len() > 30 {
            write!(f, "…({})", key.len())?;
        }
        write!(f, "={look}")
    }
}
