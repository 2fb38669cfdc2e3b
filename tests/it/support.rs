//! What several modules need: randomness from a seed, keys that collide, and how large a run is.

/// SplitMix64: small, fast, and the same everywhere.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A key from a small space where keys are prefixes of each other, begin alike, and reach the limits.
pub fn key(random: &mut Random, space: usize) -> Vec<u8> {
    let n = random.below(space);
    match n % 16 {
        0 => vec![b'a'; n / 16 % 12],
        1 => vec![0; n / 16 % 5],
        2 => vec![0xff; n / 16 % 5],
        3 => [&b"long"[..], &vec![b'x'; 200 + n % 7]].concat(),
        4..8 => format!("user:{:04}:name", n).into_bytes(),
        _ => format!("{n:x}").into_bytes(),
    }
}

/// A value: mostly short, seldom large, different for every `stamp`.
pub fn value(random: &mut Random, stamp: u64) -> Vec<u8> {
    let len = match random.below(100) {
        0..10 => 0,
        10..90 => random.below(60),
        90..99 => random.below(1000),
        _ => random.below(20_000),
    };
    let mut value = stamp.to_le_bytes().repeat(len / 8 + 1);
    value.truncate(len);
    value
}

/// A number from the environment, for runs longer than CI's.
pub fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a whole number"))
}
