//! Blocks against the entries they were built from.

use super::super::block_builder::BlockBuilder;
use super::*;
use crate::engine::key::{self, Kind};

type Entry = (Vec<u8>, Trailer, Vec<u8>);

fn entry(key: &[u8], seq: u64, kind: Kind, value: &[u8]) -> Entry {
    (key.to_vec(), Trailer::new(seq, kind), value.to_vec())
}

fn encoded(entries: &[Entry]) -> Vec<u8> {
    let mut builder = BlockBuilder::default();
    for (key, trailer, value) in entries {
        builder.add(key, tag(key::hash(key)), *trailer, value);
    }
    let mut out = Vec::new();
    builder.finish(&mut out);
    out
}

fn decoded(content: &[u8]) -> Result<Block, Damage> {
    Block::decode(Bytes::Owned(content.into()))
}

fn entries_of(block: &Block) -> Vec<Entry> {
    let view = block.view();
    let key = |i| [view.prefix(), view.suffix(i)].concat();
    (0..block.len()).map(|i| (key(i), view.trailer(i), view.value(i).to_vec())).collect()
}

/// All entries, all searches around each key, and all versions, against the plain list.
fn check(entries: &[Entry]) {
    let block = decoded(&encoded(entries)).unwrap();
    assert_eq!(entries_of(&block), entries);
    let view = block.view();
    let mut probes: Vec<Vec<u8>> = entries.iter().map(|e| e.0.clone()).collect();
    for (key, _, _) in entries {
        probes.push([key, &b"\0"[..]].concat());
        probes.push(key.get(..key.len().saturating_sub(1)).unwrap_or_default().to_vec());
        probes.push(key.iter().map(|b| b.wrapping_add(1)).collect());
    }
    let seqs: Vec<u64> = entries.iter().flat_map(|e| [e.1.seq(), e.1.seq().saturating_sub(1)]).collect();
    for key in &probes {
        for seq in [0, MAX_SEQ].iter().chain(seqs.iter().take(20)) {
            let at = Trailer::upper(*seq);
            let after = |e: &Entry| (&e.0, std::cmp::Reverse(e.1)) >= (key, std::cmp::Reverse(at));
            let expected = entries.iter().position(after).unwrap_or(entries.len());
            assert_eq!(view.seek(key, at), expected, "{key:?} {seq}");
            let found = entries.get(expected).filter(|e| e.0 == *key).map(|_| expected);
            assert_eq!(view.find(key, key::hash(key), at), found, "{key:?} {seq}");
        }
    }
}

#[test]
fn alike_and_unlike_blocks_answer_like_a_list() {
    use Kind::{Delete, Put};
    check(&[entry(b"", 0, Put, b"")]);
    check(&[entry(b"only", MAX_SEQ, Delete, b"")]);
    check(&[entry(b"", 3, Put, b"x"), entry(b"", 2, Delete, b""), entry(b"\0", 1, Put, b"yy")]);
    let alike: Vec<Entry> =
        (0..40).map(|i| entry(format!("user{i:04}").as_bytes(), 7, Put, b"value")).collect();
    check(&alike);
    let versions: Vec<Entry> = (0..300).rev().map(|seq| entry(b"hot", seq * 3, Put, b"v")).collect();
    check(&versions);
    let long: Vec<Entry> = (1..5).map(|n| entry(&vec![7; n * 16_000], n as u64, Put, b"")).collect();
    check(&long);
    let wide = [entry(b"a", 0, Put, b""), entry(b"b", MAX_SEQ, Put, &[1; 70_000])];
    check(&wide);
}

#[test]
fn random_blocks_answer_like_a_list() {
    let mut x = 20_261_120u64;
    println!("seed {x}");
    let mut random = |n: u64| {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (x >> 33) % n
    };
    for _ in 0..60 {
        let (letters, longest, seqs) = (1 + random(3), 1 + random(12), 1 + random(1 << 20));
        let mut entries: Vec<Entry> = (0..1 + random(60))
            .map(|_| {
                let key: Vec<u8> = (0..random(longest)).map(|_| random(letters) as u8 * 0x7f).collect();
                let kind = if random(4) == 0 { Kind::Delete } else { Kind::Put };
                entry(&key, random(seqs), kind, &vec![random(256) as u8; random(300) as usize])
            })
            .collect();
        entries.sort_by(|a, b| (&a.0, std::cmp::Reverse(a.1)).cmp(&(&b.0, std::cmp::Reverse(b.1))));
        entries.dedup_by(|a, b| a.0 == b.0 && a.1.seq() == b.1.seq());
        check(&entries);
    }
}

#[test]
fn a_block_in_a_map_is_not_copied() {
    struct Map(Vec<u8>);
    impl Mapped for Map {
        fn bytes(&self) -> &[u8] {
            &self.0
        }
    }
    let content = encoded(&[entry(b"a", 1, Kind::Put, &[9; 4000])]);
    let len = content.len();
    let map = Arc::new(Map([b"before".to_vec(), content.clone(), b"after".to_vec()].concat()));
    let block = Block::decode(Bytes::Mapped { map, range: 6..6 + len }).unwrap();
    assert_eq!(block.view().value(0), [9; 4000]);
    assert!(block.weight() < 400, "{}", block.weight());
    assert!(decoded(&content).unwrap().weight() > 4000);
}

#[test]
fn damage_is_an_error_or_harmless() {
    use Kind::{Delete, Put};
    let mixed =
        [entry(b"key", 900, Put, b"new"), entry(b"key", 1, Delete, b""), entry(b"key2", 2, Put, b"v")];
    let alike = [entry(b"k1", 9, Put, b"v"), entry(b"k2", 9, Put, b"w")];
    for entries in [&mixed[..], &alike] {
        let good = encoded(entries);
        for len in 0..good.len() {
            // Now and then a piece of a block looks like a whole one; its checksum tells.
            use_freely(&good[..len]);
            use_freely(&good[good.len() - len..]);
        }
        for bit in 0..good.len() * 8 {
            for second in (0..good.len() * 8).step_by(7) {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                bad[second / 8] ^= 1 << (second % 8);
                use_freely(&bad);
            }
        }
    }
}

/// Asks a block that may be damaged for everything, also beyond its end (D1).
fn use_freely(content: &[u8]) {
    let Ok(block) = decoded(content) else { return };
    let view = block.view();
    for i in [0, block.len() - 1, block.len(), 1 << 40] {
        let _ = (view.suffix(i), view.value(i), view.trailer(i), view.tag(i));
    }
    let _ = view.find(b"key", key::hash(b"key"), Trailer::upper(5));
    let _ = view.seek(b"key2", Trailer(0));
}

#[test]
fn a_tail_that_cannot_be_is_refused() {
    let mut out = Vec::new();
    let tail = Tail { value_len: u32::MAX, count: u16::MAX, ..Tail::default() };
    for tail in [
        Tail { count: 0, ..tail },
        tail,
        Tail { suffix_len: u32::MAX, prefix_len: u32::MAX, ..tail },
        Tail { widths: [5, 0, 0], value_len: 0, count: 1, ..tail },
    ] {
        out.clear();
        out.extend_from_slice(&[0; 9]);
        tail.encode(&mut out);
        assert!(matches!(decoded(&out), Err(Damage::Corrupt(_))), "{tail:?}");
    }
    let good = encoded(&[entry(b"a", 1, Kind::Put, b"")]);
    let flagged = [&good[..good.len() - 1], &[1]].concat();
    assert!(matches!(decoded(&flagged), Err(Damage::Unknown { .. })));
}

#[test]
fn a_sequence_number_over_the_limit_is_refused() {
    let good = encoded(&[entry(b"a", MAX_SEQ - 255, Kind::Put, b""), entry(b"b", MAX_SEQ, Kind::Put, b"")]);
    assert!(decoded(&good).is_ok(), "255 more than the base is the limit itself");
    let at = good.len() - TAIL_LEN + 1;
    let mut bad = good.clone();
    bad[at] = 1;
    assert!(matches!(decoded(&bad), Err(Damage::Corrupt(detail)) if detail.contains("sequence")));
}
