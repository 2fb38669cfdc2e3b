//! Keys and values as small numbers, so that a list of operations is short to print, and what a value looks like.
//!
//! Keys collide on purpose: prefixes of each other, runs of zeros and of 0xff, the empty key, and, in some streams, the
//! longest there can be. A value begins with its stamp and goes on with what follows from it, so that it is known by its
//! stamp and its length alone, and a wrong byte in it is seen.

use crate::support::Random;
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Which keys a stream of operations uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// So many numbers stand for keys that are written; a quarter more for keys that are only looked for.
    pub keys: u32,
    /// Whether some are as long as a key can be.
    pub longest: bool,
}

/// The keys of a space.
pub struct Keys {
    all: Vec<Key>,
}

/// A key and its hash, ordered by its bytes.
#[derive(Clone)]
pub struct Key {
    pub bytes: Arc<[u8]>,
    pub hash: u64,
}

impl Space {
    pub fn random(random: &mut Random) -> Space {
        Space { keys: *random.pick(&[20, 60, 200, 200, 600]), longest: random.one_in(8) }
    }

    /// A key that may be written.
    pub fn key(self, random: &mut Random) -> u32 {
        random.below(self.keys as usize) as u32
    }

    /// Any key, also one that is never written.
    pub fn any(self, random: &mut Random) -> u32 {
        random.below(self.len()) as u32
    }

    fn len(self) -> usize {
        self.keys as usize * 5 / 4
    }

    fn bytes(self, n: u32) -> Vec<u8> {
        let run = |byte: u8, most: u32| vec![byte; (n / 16 % most) as usize];
        match n % 16 {
            // Runs of any length up to the limit, so that some are equal but for their last bytes.
            5 if self.longest => vec![b'm'; 65_535 - (n / 16 % 3) as usize],
            0 => run(b'a', 12),
            1 => run(0, 5),
            2 => run(0xff, 5),
            3 => [&b"long"[..], &vec![b'x'; 200 + n as usize % 7]].concat(),
            4..8 => format!("user:{n:04}:name").into_bytes(),
            8 => [&n.to_be_bytes()[2..], &[0, 0xff, 0]].concat(),
            _ => format!("{n:x}").into_bytes(),
        }
    }
}

impl Keys {
    pub fn new(space: Space) -> Keys {
        Keys { all: (0..space.len() as u32).map(|n| Key::new(&space.bytes(n))).collect() }
    }

    pub fn get(&self, n: u32) -> &Key {
        &self.all[n as usize % self.all.len()]
    }

    pub fn bytes(&self, n: u32) -> &[u8] {
        &self.get(n).bytes
    }

    pub fn all(&self) -> &[Key] {
        &self.all
    }
}

impl Key {
    pub fn new(bytes: &[u8]) -> Key {
        Key { bytes: bytes.into(), hash: xxh3_64(bytes) }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> std::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.bytes
    }
}

/// A value to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct V {
    pub stamp: u32,
    pub len: u32,
}

/// What a value looks like: equal only for equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Look {
    len: u32,
    /// The stamp as far as there is room for it, or a hash of bytes that are no value.
    stamp: u64,
}

/// A step of a stream of bytes that no compression makes smaller.
fn noise(word: u64) -> u64 {
    (word.rotate_left(23) ^ 0x94d0_49bb_1331_11eb).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Every third value is noise, the others repeat themselves.
fn is_noise(stamp: u64) -> bool {
    stamp.is_multiple_of(3)
}

impl V {
    /// Of a power law: each size class is half as frequent as the one of half its size, up to a mebibyte.
    pub fn random(random: &mut Random, stamp: u32) -> V {
        let class = random.next().trailing_zeros().min(16);
        let len = match random.below(40_000) {
            0 => 1 << 20,
            1..4000 => 0,
            _ => random.below(16 << class) as u32,
        };
        V { stamp, len }
    }

    pub fn bytes(self) -> Vec<u8> {
        let (mut word, noisy) = (u64::from(self.stamp), is_noise(self.stamp.into()));
        let mut bytes = Vec::with_capacity(self.len as usize + 8);
        while bytes.len() < self.len as usize {
            bytes.extend_from_slice(&word.to_le_bytes());
            word = if noisy { noise(word) } else { word };
        }
        bytes.truncate(self.len as usize);
        bytes
    }

    pub fn look(self) -> Look {
        let room = u64::MAX.checked_shr(64 - 8 * self.len.min(8)).unwrap_or(0);
        Look { len: self.len, stamp: u64::from(self.stamp) & room }
    }
}

impl Look {
    pub fn of(bytes: &[u8]) -> Look {
        let len = bytes.len() as u32;
        let Some((first, rest)) = bytes.split_first_chunk::<8>() else {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            return Look { len, stamp: u64::from_le_bytes(word) };
        };
        let stamp = u64::from_le_bytes(*first);
        let whole = if is_noise(stamp) {
            let mut word = stamp;
            rest.chunks(8).all(|chunk| {
                word = noise(word);
                *chunk == word.to_le_bytes()[..chunk.len()]
            })
        } else {
            *rest == bytes[..rest.len()]
        };
        Look { len, stamp: if whole { stamp } else { !xxh3_64(bytes) } }
    }

    pub fn number(self) -> u64 {
        (u64::from(self.len) << 40 ^ self.stamp).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}*{}", self.stamp, self.len)
    }
}

#[test]
fn a_value_is_known_by_its_look() {
    for (stamp, len) in [(7, 0), (7, 1), (7, 7), (7, 8), (700, 1), (700, 61), (6, 100), (6, 8), (1 << 31, 3)]
    {
        let value = V { stamp, len };
        let bytes = value.bytes();
        assert_eq!(Look::of(&bytes), value.look(), "{value:?}");
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0x10;
            assert_ne!(Look::of(&wrong), value.look(), "{value:?} with byte {at} changed");
        }
    }
}
