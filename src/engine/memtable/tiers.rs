//! Which runs of a memtable become one.
//!
//! A list that is full becomes a run of so many entries, and a large batch becomes one of its own size. So runs come in all
//! sizes, and each time one is added its newer end is looked at:
//!
//! ```text
//! newest ─▶ oldest     4  3  4  1 │ 16  40      the newest, and those behind it that are at most twice as large, up to the
//!                      └── 12 ───┘              limit: when they are four, or one more would not fit, they become one,
//!                     12 │ 16  40               and that one is looked at in the same way
//! ```
//!
//! (T1) No run is made of runs that has more than `most` entries: what an insert pays for merging is bounded, for all that happens
//!      at once is one merge.
//! (T2) Behind a run and at most two of its like lies one of more than twice its size, or one that does not fit together
//!      with it: there are at most three for each doubling from the smallest run to the limit, and two for each time the
//!      limit fits into all entries.

/// How many runs of about one size become one.
pub const FAN_IN: usize = 4;

/// How many of the newest runs are to become one; 1 when none are. `lens`: how many entries each has, the newest first.
pub fn to_merge(lens: &[usize], most: usize) -> usize {
    let (mut merged, mut newest) = (1, lens.first().copied().unwrap_or(0));
    loop {
        let (mut end, mut total) = (merged, newest);
        while let Some(next) = lens.get(end).filter(|next| **next <= 2 * newest && total + **next <= most) {
            total += next;
            end += 1;
        }
        let count = 1 + end - merged;
        if count == 1 || (count < FAN_IN && total + newest <= most) {
            return merged;
        }
        (merged, newest) = (end, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::key;

    #[test]
    fn runs_of_like_size_become_one_when_there_are_four_or_one_more_would_not_fit() {
        let cases: [(&[usize], usize); 14] = [
            (&[], 1),
            (&[16], 1),
            (&[16, 16, 16, 64, 64], 1),
            (&[16, 16, 16, 16, 64, 64], 4),
            (&[20, 20, 60], 1),
            (&[20, 20, 20, 60], 3),
            (&[30, 30, 60], 2),
            (&[40, 40], 1),
            (&[5, 20, 1, 1], 1),
            (&[20, 20, 1, 1], 4),
            (&[1, 1, 1, 1, 4, 4, 4, 16, 16, 16], 10),
            (&[1, 1, 1, 1, 4, 4, 8], 7),
            (&[5, 5, 5, 5, 20, 20, 60], 6),
            (&[64, 1, 64], 1),
        ];
        for (lens, expected) in cases {
            assert_eq!(to_merge(lens, 64), expected, "{lens:?}");
        }
    }

    /// Runs of random sizes are added for a long while: T1, T2, and how often an entry is moved.
    #[test]
    fn runs_are_few_and_merges_are_small_and_seldom() {
        const MOST: usize = 64 << 10;
        for seed in 0..60u64 {
            let mut drawn = seed << 32;
            let mut draw = |below: u64| {
                drawn += 1;
                (key::hash(&drawn.to_le_bytes()) % below) as usize
            };
            let (least, octaves) = (64usize, 1 + seed % 10);
            let (mut runs, mut entries, mut moved) = (Vec::new(), 0, 0);
            for _ in 0..2000 {
                let scale = least << draw(octaves);
                let len = scale + draw(scale as u64);
                runs.insert(0, len);
                entries += len;
                let merged = to_merge(&runs, MOST);
                let total: usize = runs.drain(..merged).sum();
                runs.insert(0, total);
                if merged > 1 {
                    moved += total;
                    assert!(total <= MOST, "seed {seed}: a run of {total}");
                }
                let bound = 3 * (MOST / least).ilog2() as usize + 2 * entries / MOST + 1;
                assert!(runs.len() <= bound, "seed {seed}: {} runs of {entries}: {runs:?}", runs.len());
            }
            assert!(moved <= 5 * entries, "seed {seed}: {moved} moves of {entries} entries");
        }
    }
}
