//! What is taken out of damaged tables: sound entries only, and whatever is missing lies in a range that is told.

use super::*;
use crate::engine::sstable::salvage::{Lost, Salvor};
use std::ops::RangeBounds;

#[derive(Default)]
struct Salvaged {
    entries: Vec<Entry>,
    lost: Vec<Lost>,
    harmless: usize,
    done: u64,
}

impl Salvor for Salvaged {
    fn entry(&mut self, key: &[u8], trailer: Trailer, value: &[u8]) -> Result<()> {
        self.entries.push((key.to_vec(), trailer, value.to_vec()));
        Ok(())
    }

    fn lost(&mut self, lost: Lost) {
        self.lost.push(lost);
    }

    fn harmless(&mut self, _: crate::engine::sstable::pieces::Trouble) {
        self.harmless += 1;
    }

    fn done(&mut self, bytes: u64) {
        self.done += bytes;
    }
}

fn salvage(bytes: &[u8]) -> Salvaged {
    let mut salvaged = Salvaged::default();
    TableFile::new(file_of(bytes), PLACE).unwrap().salvage(&mut salvaged).unwrap();
    salvaged
}

/// Every entry that was taken is one of `entries`, in order, and every other one lies in a range that is told.
#[track_caller]
fn assert_accounted_for(salvaged: &Salvaged, entries: &[Entry], what: &str) {
    let mut taken = salvaged.entries.iter().peekable();
    for e in entries {
        if taken.next_if_eq(&e).is_none() {
            let told = salvaged.lost.iter().any(|lost| lost.keys.contains(&e.0));
            assert!(told, "{what}: {} @ {} is gone, {:?}", e.0.escape_ascii(), e.1.seq(), salvaged.lost);
        }
    }
    assert_eq!(taken.next(), None, "{what}: an entry that was never written");
}

/// Some versions of each key; their blocks are of different sizes.
fn entries() -> Vec<Entry> {
    let key = |i: u64| format!("key{:02}", i / 3);
    let value = |i: u64| vec![b'a' + (i % 26) as u8; (i * 7 % 40) as usize];
    (0..60).map(|i| entry(key(i).as_bytes(), 900 - i, Kind::Put, &value(i))).collect()
}

#[test]
fn every_flipped_bit_costs_one_block_at_most() {
    let entries = entries();
    for (compression, filter_bits) in built_in().into_iter().flat_map(|c| [(c, 0), (c, 10)]) {
        let (file, summary) = build(&entries, options(200, compression, filter_bits));
        let good = bytes_of(&file);
        let whole = salvage(&good);
        assert!(whole.entries == entries && whole.lost.is_empty() && whole.harmless == 0);
        assert_eq!(whole.done, summary.len);
        let (footer, data_end) = Footer::decode(&PLACE, &good).unwrap();
        let filter = footer.filter.map_or(0..0, |filter| filter.offset..filter.end());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            let found = salvage(&bad);
            let what = format!("{compression:?}, byte {at} of {}, data ends at {data_end}", good.len());
            assert_accounted_for(&found, &entries, &what);
            assert_eq!(found.lost.len() + found.harmless, 1, "{what}");
            let in_data = (32..data_end).contains(&(at as u64));
            assert_eq!(found.lost.len(), usize::from(in_data), "{what}: {:?}", found.lost);
            assert!(entries.len() - found.entries.len() < 20, "{what}");
            assert!(in_data || found.entries == entries, "{what}, filter at {filter:?}");
        }
    }
}

#[test]
fn without_an_index_blocks_are_found_behind_damaged_ones() {
    let entries = entries();
    for compression in built_in() {
        let (file, _) = build(&entries, options(200, compression, 10));
        let good = bytes_of(&file);
        let (footer, data_end) = Footer::decode(&PLACE, &good).unwrap();
        let lost_parts =
            [vec![footer.index.offset as usize + 3], vec![footer.index.offset as usize + 3, good.len() - 40]];
        for parts in lost_parts {
            for at in 32..data_end as usize {
                let mut bad = good.clone();
                parts.iter().chain([&at]).for_each(|at| bad[*at] ^= 0x10);
                let found = salvage(&bad);
                let what = format!("{compression:?}, byte {at}, and {parts:?}");
                assert_accounted_for(&found, &entries, &what);
                assert!(entries.len() - found.entries.len() < 20, "{what}: {:?}", found.lost);
                assert!(!found.lost.is_empty());
            }
        }
    }
}

#[test]
fn every_truncation_leaves_the_blocks_before_it() {
    let entries = entries();
    for compression in built_in() {
        let (file, _) = build(&entries, options(200, compression, 10));
        let good = bytes_of(&file);
        let (mut before, handles) = (0, open(&good, 0).unwrap());
        for len in 0..good.len() {
            let found = salvage(&good[..len]);
            assert_accounted_for(&found, &entries, &format!("{compression:?} cut to {len}"));
            assert!(found.entries.len() >= before, "{compression:?} cut to {len}");
            before = found.entries.len();
        }
        assert_eq!(before, entries.len());
        assert!(handles.meta().index.len() > 3);
    }
}

#[test]
fn what_is_newer_is_not_guessed_at() {
    let (file, _) = build(&entries(), options(200, Compression::None, 10));
    let mut bytes = bytes_of(&file);
    // A handle of range tombstones, with the right checksum.
    let at = Footer::offset(bytes.len() as u64) as usize;
    bytes[at + 48] = 1;
    let crc = PLACE.crc(at as u64, &[&bytes[at..at + 76]]);
    bytes[at + 76..at + 80].copy_from_slice(&crc.to_le_bytes());
    let found = salvage(&bytes);
    assert!(found.entries.is_empty() && found.lost.len() == 1);
    assert!(matches!(found.lost[0].trouble.error, Error::Incompatible { .. }));
    // Entries of a kind that this build cannot answer.
    let merged = [entry(b"a", 1, Kind::Put, b"v"), entry(b"b", 2, Kind::Merge, b"v")];
    let (file, _) = build(&merged, options(10, Compression::None, 10));
    let found = salvage(&bytes_of(&file));
    assert_eq!(found.entries, merged[..1]);
    assert_eq!(found.lost.len(), 1);
}

#[test]
fn a_table_of_another_place_gives_nothing() {
    let (file, _) = build(&entries(), options(200, Compression::None, 10));
    let elsewhere = Place { number: 32, ..PLACE };
    let mut found = Salvaged::default();
    TableFile::new(file_of(&bytes_of(&file)), elsewhere).unwrap().salvage(&mut found).unwrap();
    assert!(found.entries.is_empty() && found.lost.len() == 1, "{:?}", found.lost);
}
