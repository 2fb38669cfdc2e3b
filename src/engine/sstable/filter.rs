//! The filter of a table: "this key is certainly not here", for a few bits a key.
//!
//! ```text
//! filter   kind u8, content
//! kind 1   a Bloom filter as the crate `bloomfilter` 3 writes it: its header of 45 bytes, then the bits
//! ```
//!
//! The filter never sees keys, only `key::hash` of the engine key, which a read computes once for all tables.
//!
//! (F1) The two halves of the seed differ. The crate derives its two hashes from them; with equal halves they are one,
//!      and the rate of false positives was four times as high.
//! (F2) A filter is accepted only with at least one bit and a bounded number of probes, so that a probe cannot divide
//!      by zero or take long.

use super::format::Damage;
use crate::planted::{Bug, planted};
use bloomfilter::Bloom;

/// The kind of filter this build writes. On disk: never renumber.
const BLOOM: u8 = 1;
/// More bits a key than this make no difference worth their memory.
const MAX_BITS: u32 = 32;
const MAX_PROBES: u32 = 64;
const SEED: [u8; 32] = *b"siltstone table filter, seed one";

/// A filter, ready to be asked.
pub struct Filter {
    bloom: Bloom<u64>,
}

/// A new filter over the hashes of all keys of a table, as it is written: `bits` for each key. `None` without bits or
/// keys: no filter is needed.
#[must_use]
pub fn build(hashes: &[u64], bits: u32) -> Option<Vec<u8>> {
    if hashes.is_empty() || bits == 0 {
        return None;
    }
    let bytes = (hashes.len() * bits.min(MAX_BITS) as usize).div_ceil(8);
    let mut bloom = Bloom::<u64>::new_with_seed(bytes, hashes.len(), &SEED).ok()?;
    for hash in hashes.iter().skip(usize::from(planted(Bug::FilterMissesFirstKey))) {
        bloom.set(&hash.to_le());
    }
    let mut out = vec![BLOOM];
    out.extend_from_slice(bloom.as_slice());
    Some(out)
}

/// About how many bytes [`build`] will make of so many keys.
#[must_use]
pub fn estimated_len(keys: usize, bits: u32) -> u64 {
    keys as u64 * u64::from(bits.min(MAX_BITS)) / 8
}

impl Filter {
    /// Reads what [`build`] wrote.
    ///
    /// # Errors
    /// [`Damage`] of either kind.
    pub fn decode(bytes: &[u8]) -> Result<Filter, Damage> {
        let Some((kind, content)) = bytes.split_first() else {
            return Damage::corrupt("it is empty");
        };
        if *kind != BLOOM {
            let found = format!("number {kind}");
            return Err(Damage::Unknown { what: "filter kind", found, supported: "kind 1" });
        }
        let bloom = Bloom::from_slice(content).map_err(|e| Damage::Corrupt(e.into()))?;
        // Not `is_empty`, which asks whether any bit is set.
        if bloom.len() < 8 || bloom.number_of_hash_functions() > MAX_PROBES {
            let probes = bloom.number_of_hash_functions();
            return Damage::corrupt(format!("{} bits and {probes} probes", bloom.len()));
        }
        Ok(Filter { bloom })
    }

    /// False when the key with this hash is certainly not in the table.
    #[must_use]
    pub fn may_contain(&self, hash: u64) -> bool {
        self.bloom.check(&hash.to_le())
    }

    /// How many bytes of memory it takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bloom.as_slice().len()
    }

    /// What it is, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let Filter { bloom } = self;
        format!("bloom, {} bits, {} probes", bloom.len(), bloom.number_of_hash_functions())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::key;

    fn hashes(range: std::ops::Range<u32>) -> Vec<u64> {
        range.map(|i| key::hash(&i.to_le_bytes())).collect()
    }

    #[test]
    fn all_keys_are_in_and_few_others() {
        for (count, bits, most) in [(1u32, 10, 500), (10_000, 10, 150), (10_000, 5, 1300), (10_000, 99, 1)] {
            let filter = Filter::decode(&build(&hashes(0..count), bits).unwrap()).unwrap();
            assert!(hashes(0..count).iter().all(|h| filter.may_contain(*h)));
            let wrong = hashes(count..count + 10_000).iter().filter(|h| filter.may_contain(**h)).count();
            assert!(wrong <= most, "{wrong} of 10000 with {bits} bits");
        }
    }

    #[test]
    fn golden() {
        let golden = b"\x01\x01\x04\0\0\0\0\0\0\0\x07\0\0\0siltstone table filter, seed one\xad0I\xd6";
        let built = build(&[1, 2, u64::MAX], 10).unwrap();
        assert_eq!(built.escape_ascii().to_string(), golden.escape_ascii().to_string());
        assert_ne!(SEED[..16], SEED[16..], "F1");
    }

    #[test]
    fn no_keys_or_no_bits_make_no_filter() {
        assert_eq!(build(&[], 10), None);
        assert_eq!(build(&[1], 0), None);
    }

    #[test]
    fn damage_is_an_error_or_a_harmless_answer() {
        let good = build(&hashes(0..20), 10).unwrap();
        for len in 0..good.len() {
            assert!(Filter::decode(&good[..len]).is_err(), "{len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(filter) = Filter::decode(&bad) {
                let _ = filter.may_contain(7);
            }
        }
        // No bits, and a number of probes that would take seconds.
        let mut empty = good[..46].to_vec();
        empty[2..10].fill(0);
        assert!(Filter::decode(&empty).is_err());
        let mut slow = good.clone();
        slow[10..14].fill(0xff);
        assert!(Filter::decode(&slow).is_err());
    }
}
