use super::*;

fn tombstone(seq: u64, start: u16, end: u16) -> Tombstone {
    let key = |n: u16| n.to_be_bytes().as_slice().into();
    Tombstone { seq, start: key(start), end: key(end) }
}

/// T1.
fn check_form(set: &Fragments) {
    let all: Vec<_> = set.iter().collect();
    assert!(all.iter().all(|f| f.start < f.end));
    assert!(all.windows(2).all(|pair| pair[0].end <= pair[1].start));
    assert!(all.iter().all(|f| f.seqs().collect::<Vec<_>>().is_sorted_by(|a, b| a > b)));
    assert!(set.chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= 2 * CHUNK));
}

/// Any tombstones, added and taken away in any order, cover what each of them covers.
#[test]
fn sets_cover_what_their_tombstones_cover() {
    for seed in 1..40u64 {
        let mut random = seed;
        let mut below = |n: u64| {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (random >> 33) % n
        };
        let keys = [20, 300, 2000][seed as usize % 3];
        let (mut layered, mut painted) = (Fragments::default(), Fragments::default());
        let mut live: Vec<Tombstone> = Vec::new();
        for seq in 1..=400 {
            let start = below(keys);
            let most = [2, 40, keys][below(3) as usize].min(keys - start);
            let len = 1 + below(most);
            let new = tombstone(seq, start as u16, (start + len) as u16);
            layered = layered.layered(&new);
            painted = painted.painted(&new);
            live.push(new);
            if below(3) == 0 {
                let old = live.swap_remove(below(live.len() as u64) as usize);
                layered = layered.without(&old);
            }
        }
        check_form(&layered);
        check_form(&painted);
        let covers = |t: &Tombstone, key: &[u8]| &*t.start <= key && key < &*t.end;
        for n in 0..keys as u16 {
            let key = n.to_be_bytes();
            for reader in [0, 17, 200, 399, 400, u64::MAX] {
                let expected =
                    live.iter().filter(|t| covers(t, &key) && t.seq <= reader).map(|t| t.seq).max();
                assert_eq!(layered.covering(&key, reader), expected, "seed {seed}, key {n}, reader {reader}");
            }
            let newest = live.iter().filter(|t| covers(t, &key)).map(|t| t.seq).max();
            assert!(painted.covering(&key, u64::MAX) >= newest);
            let from = layered.from(&key).filter(|f| f.start[..] <= key[..]).cloned();
            let before = layered.before(&key).filter(|f| f.end[..] > key[..]).cloned();
            assert_eq!(from, before, "seed {seed}, key {n}");
        }
        for old in &live {
            layered = layered.without(old);
        }
        assert!(layered.is_empty(), "seed {seed}: {layered:?}");
    }
}

#[test]
fn a_set_painted_over_forgets() {
    let mut set = Fragments::default();
    for seq in 1..1000u64 {
        set = set.painted(&tombstone(seq, 0, seq as u16));
        assert!(set.iter().count() == 1, "a range that grows stays one fragment");
    }
    let key = |n: u16| n.to_be_bytes();
    assert!(set.cover_all(&key(0), &key(998), 998, 999));
    assert!(!set.cover_all(&key(0), &key(999), 998, 999));
    assert!(!set.cover_all(&key(0), &key(9), 999, 999), "it hides what is older only");
}

#[test]
fn chunks_are_shared() {
    let all: Vec<_> = (0..5000).map(|n| tombstone(u64::from(n) + 1, 4 * n, 4 * n + 2)).collect();
    let set: Fragments = all.iter().collect();
    let next = set.layered(&tombstone(6000, 9999, 10_003));
    let shared = next.chunks.iter().filter(|chunk| set.chunks.iter().any(|old| Arc::ptr_eq(old, chunk)));
    assert!(shared.count() + 3 >= set.chunks.len());
    assert_eq!(next.covering(&9999u16.to_be_bytes(), u64::MAX), Some(6000));
}
