//! A merge walks like the sorted whole, both ways and with turns; an error of a source ends it.

use super::*;
use crate::Error;

/// A sorted array as a cursor, which may fail after some steps.
struct Array {
    entries: Vec<(Vec<u8>, Trailer)>,
    at: usize,
    fails_after: Option<u32>,
}

impl Array {
    fn go(&mut self, at: usize) -> Result<()> {
        self.at = at;
        match &mut self.fails_after {
            Some(0) => {
                self.at = usize::MAX;
                Err(Error::Closed)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn lower_bound(&self, key: &[u8], trailer: Trailer) -> usize {
        self.entries.partition_point(|(k, t)| (&k[..], trailer) < (key, *t))
    }
}

impl Cursor for Array {
    fn seek_first(&mut self) -> Result<()> {
        self.go(0)
    }
    fn seek_last(&mut self) -> Result<()> {
        self.go(self.entries.len().wrapping_sub(1))
    }
    fn seek(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        self.go(self.lower_bound(key, trailer))
    }
    fn seek_before(&mut self, key: &[u8], trailer: Trailer) -> Result<()> {
        self.go(self.lower_bound(key, trailer).wrapping_sub(1))
    }
    fn next(&mut self) -> Result<()> {
        assert!(self.valid(), "C3");
        self.go(self.at + 1)
    }
    fn prev(&mut self) -> Result<()> {
        assert!(self.valid(), "C3");
        self.go(self.at.wrapping_sub(1))
    }
    /// As a table does, in blocks of seven.
    fn steps_below(&self, upper: &[u8]) -> usize {
        let last = (self.at / 7 * 7 + 6).min(self.entries.len() - 1);
        if *self.entries[last].0 < *upper { last - self.at } else { 0 }
    }
    fn steps_above(&self, lower: &[u8]) -> usize {
        if *self.entries[self.at / 7 * 7].0 >= *lower { self.at % 7 } else { 0 }
    }
    fn valid(&self) -> bool {
        self.at < self.entries.len()
    }
    fn key(&self) -> &[u8] {
        &self.entries[self.at].0
    }
    fn trailer(&self) -> Trailer {
        self.entries[self.at].1
    }
    fn value(&self) -> &[u8] {
        &self.entries[self.at].0
    }
    fn value_slice(&self) -> Slice {
        Slice::copy_of(b"forwarded")
    }
}

/// Random numbers that depend on nothing but the seed.
fn rng(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut drawn = seed << 32;
    move |below| {
        drawn += 1;
        key::hash(&drawn.to_le_bytes()) % below
    }
}

type Entries = Vec<(Vec<u8>, Trailer)>;

/// Entries dealt out to sources in stretches, and all of them sorted.
fn random_sources(draw: &mut impl FnMut(u64) -> u64) -> (Vec<Array>, Entries) {
    let (count, stretch, tails) = (1 + draw(9), 1 + draw(20), 1 + draw(60));
    let mut all: Entries = (0..draw(300))
        .map(|seq| {
            let shared = &b"a long prefix"[..draw(3) as usize * 6];
            let tail = vec![b'0' + draw(2) as u8; draw(tails) as usize % 10];
            ([shared, &tail].concat(), Trailer(seq << 8))
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    let mut arrays: Vec<Array> =
        (0..count).map(|_| Array { entries: Vec::new(), at: usize::MAX, fails_after: None }).collect();
    let mut to = 0;
    for entry in &all {
        if draw(stretch) == 0 {
            to = draw(count) as usize;
        }
        arrays[to].entries.push(entry.clone());
    }
    (arrays, all)
}

fn check(merge: &Merge<Array>, all: &Entries, at: usize, seed: u64) {
    assert_eq!(merge.valid(), at < all.len(), "seed {seed}");
    if let Some((key, trailer)) = all.get(at) {
        assert_eq!((merge.key(), merge.trailer()), (&key[..], *trailer), "seed {seed}");
        assert_eq!((merge.value(), &*merge.value_slice()), (&key[..], &b"forwarded"[..]));
    }
}

#[test]
fn any_walk_over_a_merge_is_that_over_the_sorted_whole() {
    for seed in 0..300 {
        let mut draw = rng(seed);
        let (sources, all) = random_sources(&mut draw);
        let mut merge = Merge::new(sources);
        assert!(!merge.valid());
        let mut at = usize::MAX;
        for _ in 0..300 {
            let probe = all.get(draw(all.len() as u64 + 1) as usize).cloned();
            let (key, trailer) = probe.unwrap_or((b"a".to_vec(), Trailer(draw(300) << 8 | 0xff)));
            let bound = all.partition_point(|(k, t)| (k, trailer) < (&key, *t));
            let steps = draw(30);
            (at, _) = match draw(8) {
                0 => (0, merge.seek_first().unwrap()),
                1 => (all.len().wrapping_sub(1), merge.seek_last().unwrap()),
                2 => (bound, merge.seek(&key, trailer).unwrap()),
                3 => (bound.wrapping_sub(1), merge.seek_before(&key, trailer).unwrap()),
                _ => (at, ()),
            };
            if merge.valid() {
                let (up, down) = (merge.steps_below(&key), merge.steps_above(&key));
                let (first, last) = (at.saturating_sub(down), (at + up).min(all.len() - 1));
                assert!(up == 0 || all[at..=last].iter().all(|(k, _)| *k < key), "seed {seed}");
                assert!(down == 0 || all[first..=at].iter().all(|(k, _)| *k >= key), "seed {seed}");
            }
            let forward = draw(2) == 0;
            for _ in 0..steps {
                check(&merge, &all, at, seed);
                if at < all.len() {
                    if forward { merge.next() } else { merge.prev() }.unwrap();
                    at = if forward { at + 1 } else { at.wrapping_sub(1) };
                }
            }
            check(&merge, &all, at, seed);
        }
    }
}

#[test]
fn an_error_of_a_source_is_returned_and_leaves_no_position() {
    for seed in 0..50 {
        for fails_after in 0..20 {
            let mut draw = rng(seed);
            let (mut sources, all) = random_sources(&mut draw);
            let which = draw(sources.len() as u64) as usize;
            sources[which].fails_after = Some(fails_after);
            let mut merge = Merge::new(sources);
            let mut result = merge.seek_first();
            let mut at = 0;
            while result.is_ok() && merge.valid() {
                check(&merge, &all, at, seed);
                // Back and forth at every third entry, so that turning fails as well.
                if at % 3 == 1 {
                    result = merge.prev().and_then(|()| merge.next());
                }
                result = result.and_then(|()| merge.next());
                at += 1;
            }
            assert!(!merge.valid());
            match result {
                Ok(()) => assert_eq!(at, all.len(), "seed {seed}"),
                Err(error) => assert!(matches!(error, Error::Closed)),
            }
        }
    }
}
