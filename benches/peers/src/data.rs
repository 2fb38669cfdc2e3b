//! The keys and values every engine is given, and how a reader knows that a value belongs to its key.
//!
//! ```text
//! key   = number      8 bytes, big-endian, so that the order of bytes is the order of numbers
//!         filler      8 bytes, all '0'; ends in '.' in a key that is never written       (as db_bench does)
//! value = number      8 bytes, little-endian
//!         random     42 bytes, from the number and the version of the value
//!         the first 50 bytes again
//! ```
//!
//! (D1) A database of `n` entries holds the keys of 0..n, without a gap, so a scan knows what comes next.
//! (D2) A value is a pure function of key and version, and about half of it is redundant to a compressor.
//!
//! Rejected: slices of one random buffer as values, as db_bench has them. They are cheaper to make, but say nothing
//! about the key they belong to.

/// Bytes of a key.
pub const KEY_LEN: usize = 16;
/// Bytes of a value.
pub const VALUE_LEN: usize = 100;
/// Bytes of an entry as the user sees them.
pub const ENTRY_BYTES: u64 = (KEY_LEN + VALUE_LEN) as u64;

/// A key.
pub type Key = [u8; KEY_LEN];
/// A value.
pub type Value = [u8; VALUE_LEN];

const NUMBER_LEN: usize = 8;
const HALF: usize = VALUE_LEN / 2;

/// The key of `number`.
#[inline]
pub fn key(number: u64) -> Key {
    let mut key = [b'0'; KEY_LEN];
    key[..NUMBER_LEN].copy_from_slice(&number.to_be_bytes());
    key
}

/// A key that is never written and lies right before the key of `number`.
#[inline]
pub fn missing_key(number: u64) -> Key {
    let mut key = key(number);
    key[KEY_LEN - 1] = b'.';
    key
}

/// The number of a key that was written by this program.
#[inline]
pub fn number_of(key: &[u8]) -> Option<u64> {
    let (number, filler) = key.split_first_chunk()?;
    (*filler == [b'0'; KEY_LEN - NUMBER_LEN]).then(|| u64::from_be_bytes(*number))
}

/// The value of `number` in its `version`th edition.
#[inline]
pub fn value(number: u64, version: u64) -> Value {
    let mut value = [0; VALUE_LEN];
    let (first, second) = value.split_at_mut(HALF);
    first[..NUMBER_LEN].copy_from_slice(&number.to_le_bytes());
    fastrand::Rng::with_seed(number ^ version.rotate_right(8)).fill(&mut first[NUMBER_LEN..]);
    second.copy_from_slice(first);
    value
}

/// True when `value` is one that was written under the key of `number`.
#[inline]
pub fn belongs(value: &[u8], number: u64) -> bool {
    let number = number.to_le_bytes();
    value.len() == VALUE_LEN && value[..NUMBER_LEN] == number && value[HALF..HALF + NUMBER_LEN] == number
}

/// The numbers 0..n, each once, in an order that looks random: a bijection on the next power of two, walked again
/// when it leads beyond `n`. A shuffled list would need no arithmetic, but megabytes of the caches the engines use.
pub struct Permutation {
    n: u64,
    mask: u64,
    shift: u32,
    offset: u64,
    multipliers: [u64; 3],
}

impl Permutation {
    /// The permutation of 0..`n` that belongs to `seed`.
    pub fn new(n: u64, seed: u64) -> Permutation {
        let mask = n.next_power_of_two() - 1;
        let mut random = fastrand::Rng::with_seed(seed);
        Permutation {
            n,
            mask,
            shift: (mask.count_ones() / 2).max(1),
            offset: random.u64(..),
            multipliers: std::array::from_fn(|_| random.u64(..) | 1),
        }
    }

    /// The number at place `index`, which is below `n`.
    #[inline]
    pub fn get(&self, index: u64) -> u64 {
        let mut number = index;
        loop {
            number = self.step(number);
            if number < self.n {
                return number;
            }
        }
    }

    /// A bijection on 0..=mask: odd factors and shifted xors can both be undone.
    #[inline]
    fn step(&self, number: u64) -> u64 {
        let mut x = number.wrapping_add(self.offset) & self.mask;
        for factor in self.multipliers {
            x = x.wrapping_mul(factor) & self.mask;
            x ^= x >> self.shift;
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_gives_every_number_once() {
        for n in [1, 2, 3, 7, 8, 9, 1000, 1024, 65_537] {
            for seed in 0..5 {
                let permutation = Permutation::new(n, seed);
                let mut seen: Vec<u64> = (0..n).map(|index| permutation.get(index)).collect();
                seen.sort_unstable();
                assert!(seen.into_iter().eq(0..n), "n {n}, seed {seed}");
            }
        }
    }

    #[test]
    fn keys_are_in_the_order_of_their_numbers_and_missing_ones_between() {
        for number in [1, 255, 256, 1 << 40] {
            assert!(key(number - 1) < missing_key(number));
            assert!(missing_key(number) < key(number));
            assert_eq!(number_of(&key(number)), Some(number));
            assert_eq!(number_of(&missing_key(number)), None);
        }
    }

    #[test]
    fn a_value_belongs_to_its_key_only() {
        for version in 0..3 {
            assert!(belongs(&value(7, version), 7));
            assert!(!belongs(&value(7, version), 8));
        }
        assert_ne!(value(7, 0), value(7, 1));
        assert!(!belongs(&value(7, 0)[..99], 7));
        assert!(!belongs(b"", 0));
    }
}
