//! Whole tables, against the entries they were built from.

mod salvage;

use super::block_builder::MAX_COUNT;
use super::format::Footer;
use super::*;
use crate::engine::cache::{Cache, Weigh};
use crate::engine::checksum::Place;
use crate::engine::header::FileKind;
use crate::engine::iter::Cursor;
use crate::engine::key::{self, Kind, MAX_SEQ, Trailer};
use crate::engine::memory::Memory;
use crate::engine::options::Compression;
use crate::vfs::mem::MemVfs;
use crate::vfs::{Dir, Mode, OpenFile};
use crate::{Error, Result};
use std::cmp::Reverse;
use std::path::Path;
use std::sync::Arc;

type Entry = (Vec<u8>, Trailer, Vec<u8>);

const PLACE: Place = Place { database: 0x5eed, kind: FileKind::Table, number: 31 };

fn options(block_bytes: usize, compression: Compression, filter_bits: u32) -> TableOptions {
    TableOptions { place: PLACE, block_bytes, compression, filter_bits, clean_seq: 5 }
}

fn entry(key: &[u8], seq: u64, kind: Kind, value: &[u8]) -> Entry {
    (key.to_vec(), Trailer::new(seq, kind), value.to_vec())
}

fn new_file() -> OpenFile {
    Dir::new(Arc::new(MemVfs::new()), "/").open("000031.table", Mode::CreateNew).unwrap()
}

fn file_of(bytes: &[u8]) -> OpenFile {
    let vfs = MemVfs::new();
    vfs.write_file(Path::new("/000031.table"), bytes).unwrap();
    Dir::new(Arc::new(vfs), "/").open("000031.table", Mode::Read).unwrap()
}

fn build(entries: &[Entry], options: TableOptions) -> (OpenFile, TableSummary) {
    let file = new_file();
    let mut builder = TableBuilder::new(file.clone(), options).unwrap();
    for (i, (key, trailer, value)) in entries.iter().enumerate() {
        // The hash is given or left out in turn.
        let hash = (i % 2 == 0).then(|| key::hash(key));
        builder.add(key, hash, *trailer, value).unwrap();
    }
    let estimated = builder.estimated_len();
    let summary = builder.finish().unwrap();
    assert_eq!(file.len().unwrap(), summary.len);
    if summary.len > 20_000 && options.compression == Compression::None && options.block_bytes <= 4096 {
        let off = estimated.abs_diff(summary.len);
        assert!(off < summary.len / 10, "{estimated} was estimated, {} came", summary.len);
    }
    (file, summary)
}

fn open(bytes: &[u8], budget: usize) -> Result<Arc<Table>> {
    Table::open(&file_of(bytes), PLACE, bytes.len() as u64, &Cache::new(move || budget), &Memory::unlimited())
}

/// Checks every byte: what the table is, or the first thing that is wrong.
fn verify(file: &OpenFile) -> Result<TableSummary> {
    let (mut troubles, mut done) = (Vec::new(), 0);
    let table = TableFile::new(file.clone(), PLACE).unwrap();
    let found = table.verify(&mut |trouble| troubles.push(trouble), &mut |bytes| done += bytes);
    assert_eq!(done, table.len, "progress");
    assert_eq!(found.summary.is_none(), !troubles.is_empty(), "{troubles:?}");
    assert!(found.unchecked.is_none() || !troubles.is_empty());
    match troubles.into_iter().next() {
        None => Ok(found.summary.unwrap()),
        Some(first) => Err(first.error),
    }
}

fn bytes_of(file: &OpenFile) -> Vec<u8> {
    file.read_all(1 << 30).unwrap()
}

fn current(cursor: &TableCursor) -> Option<Entry> {
    let of = |c: &TableCursor| (c.key().to_vec(), c.trailer(), c.value().to_vec());
    cursor.valid().then(|| of(cursor))
}

/// A random table: few letters, so that prefixes, versions and equal heads are common.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn key(&mut self, letters: usize, longest: usize) -> Vec<u8> {
        (0..self.below(longest)).map(|_| b'a' + self.below(letters) as u8).collect()
    }

    fn entries(&mut self, count: usize) -> Vec<Entry> {
        let (letters, longest, value) = (1 + self.below(4), 1 + self.below(14), 1 + self.below(200));
        let fixed = self.below(2) == 0;
        let mut entries: Vec<Entry> = (0..count)
            .map(|_| {
                let key =
                    if fixed { self.below(count).to_be_bytes().to_vec() } else { self.key(letters, longest) };
                let kind = if self.below(5) == 0 && !fixed { Kind::Delete } else { Kind::Put };
                let len = if fixed { value } else { self.below(value) };
                let byte = self.below(256) as u8;
                entry(&key, self.below(1000) as u64, kind, &vec![byte; len])
            })
            .collect();
        entries.sort_by(|a, b| (&a.0, Reverse(a.1)).cmp(&(&b.0, Reverse(b.1))));
        entries.dedup_by(|a, b| a.0 == b.0 && a.1.seq() == b.1.seq());
        entries
    }
}

fn position(entries: &[Entry], key: &[u8], at: Trailer) -> usize {
    entries.partition_point(|e| (e.0.as_slice(), Reverse(e.1)) < (key, Reverse(at)))
}

/// Everything a table can be asked, against the list.
fn check(entries: &[Entry], options: TableOptions, budget: usize, random: &mut Random) {
    let (file, summary) = build(entries, options);
    let table =
        Table::open(&file, PLACE, summary.len, &Cache::new(move || budget), &Memory::unlimited()).unwrap();
    assert_eq!(verify(&file).unwrap(), summary);
    check_summary(entries, &summary);
    check_scans(entries, &table);
    for _ in 0..300 {
        let mut key = match random.below(3) {
            0 => random.key(4, 14),
            _ => entries.get(random.below(entries.len().max(1))).map(|e| e.0.clone()).unwrap_or_default(),
        };
        if random.below(4) == 0 {
            key.push(0);
        }
        let seq = [MAX_SEQ, random.below(1000) as u64][random.below(2)];
        check_searches(entries, &table, &key, seq);
    }
}

fn check_summary(entries: &[Entry], summary: &TableSummary) {
    let seqs = || entries.iter().map(|e| e.1.seq());
    let deletes = entries.iter().filter(|e| e.1.kind() == Ok(Kind::Delete)).count() as u64;
    assert_eq!((summary.entries, summary.tombstones), (entries.len() as u64, deletes));
    assert_eq!((summary.number, summary.clean_seq), (31, 5));
    assert_eq!(Some(&summary.smallest), entries.first().map(|e| &e.0).or(Some(&Vec::new())));
    assert_eq!(Some(&summary.largest), entries.last().map(|e| &e.0).or(Some(&Vec::new())));
    assert_eq!((summary.min_seq, summary.max_seq), (seqs().min().unwrap_or(0), seqs().max().unwrap_or(0)));
    let raw: usize = entries.iter().map(|e| e.0.len() + e.2.len()).sum();
    assert_eq!(summary.raw_bytes, raw as u64);
}

fn check_scans(entries: &[Entry], table: &Arc<Table>) {
    let mut cursor = table.cursor();
    assert!(!cursor.valid());
    cursor.seek_first().unwrap();
    for e in entries {
        assert_eq!(current(&cursor).as_ref(), Some(e));
        assert_eq!(cursor.value_slice(), e.2);
        cursor.next().unwrap();
    }
    assert!(!cursor.valid());
    cursor.seek_last().unwrap();
    for e in entries.iter().rev() {
        assert_eq!(current(&cursor).as_ref(), Some(e));
        cursor.prev().unwrap();
    }
    assert!(!cursor.valid());
}

fn check_searches(entries: &[Entry], table: &Arc<Table>, key: &[u8], seq: u64) {
    let at = Trailer::upper(seq);
    let i = position(entries, key, at);
    let expected = entries.get(i).filter(|e| e.0 == key).map(|e| (e.1, e.2.clone()));
    let found = table.get(key, key::hash(key), seq).unwrap();
    assert_eq!(found.map(|(trailer, value)| (trailer, value.to_vec())), expected, "{key:?} at {seq}");

    let mut cursor = table.cursor();
    cursor.seek(key, at).unwrap();
    assert_eq!(current(&cursor).as_ref(), entries.get(i), "{key:?} at {seq}");
    if cursor.valid() {
        cursor.prev().unwrap();
        assert_eq!(current(&cursor).as_ref(), i.checked_sub(1).and_then(|i| entries.get(i)));
    }
    cursor.seek_before(key, at).unwrap();
    assert_eq!(current(&cursor).as_ref(), i.checked_sub(1).and_then(|i| entries.get(i)), "{key:?} at {seq}");
    if cursor.valid() {
        cursor.next().unwrap();
        assert_eq!(current(&cursor).as_ref(), entries.get(i));
    }
    // Bounds are those of any entry, from wherever one stands.
    for bound in entries.iter().step_by(1 + entries.len() / 9).map(|e| &e.0) {
        cursor.seek(key, at).unwrap();
        if cursor.valid() {
            let (up, down) = (cursor.steps_below(bound), cursor.steps_above(bound));
            assert!(up == 0 || entries[i..=i + up].iter().all(|e| e.0 < *bound), "{key:?} below {bound:?}");
            assert!(
                down == 0 || entries[i - down..=i].iter().all(|e| e.0 >= *bound),
                "{key:?} above {bound:?}"
            );
        }
    }
}

fn built_in() -> Vec<Compression> {
    let all = [Compression::None, Compression::Lz4, Compression::Zstd(-1), Compression::Zstd(1)];
    all.into_iter().filter(|c| compression::check_built_in(*c).is_ok()).collect()
}

#[test]
fn random_tables_answer_like_a_list() {
    for seed in 0..24 {
        println!("seed {seed}");
        let mut random = Random(seed);
        let (count, block) = (1 + random.below(3000), [1, 64, 300, 4096, 1 << 30][random.below(5)]);
        let entries = random.entries(count);
        let compressions = built_in();
        let compression = compressions[seed as usize % compressions.len()];
        let (bits, budget) = ([0, 10][random.below(2)], [0, 3000, 1 << 20][random.below(3)]);
        check(&entries, options(block, compression, bits), budget, &mut random);
    }
}

#[test]
fn a_table_without_entries_answers_nothing() {
    check(&[], options(4096, Compression::None, 10), 1 << 20, &mut Random(1));
}

#[test]
fn extreme_entries_come_back() {
    let noise =
        |len: usize, mut random: Random| (0..len).map(|_| random.below(256) as u8).collect::<Vec<_>>();
    let long_key = [&vec![7; 65_000][..], &noise(539, Random(3))].concat();
    let mut entries = vec![
        entry(b"", 9, Kind::Put, b""),
        entry(b"", 8, Kind::Delete, b""),
        entry(b"\0", 7, Kind::Put, &noise(1 << 20, Random(5))),
        entry(&vec![7; 65_539], 3, Kind::Put, b"v"),
        entry(&long_key, 2, Kind::Put, &vec![1; 1 << 20]),
        entry(&[0xff; 65_539], MAX_SEQ, Kind::Delete, b""),
    ];
    entries.sort_by(|a, b| (&a.0, Reverse(a.1)).cmp(&(&b.0, Reverse(b.1))));
    for compression in built_in() {
        check(&entries, options(4096, compression, 10), 1 << 22, &mut Random(2));
    }
}

#[test]
fn versions_of_one_key_that_span_blocks_are_all_found() {
    let mut entries = vec![entry(b"hos", 5, Kind::Put, b"before")];
    entries.extend((0..3000).rev().map(|i| entry(b"hot", i * 2, Kind::Put, format!("v{i}").as_bytes())));
    entries.push(entry(b"hot\0", 5, Kind::Put, b"after"));
    let (file, summary) = build(&entries, options(256, Compression::None, 10));
    let cache = Cache::none();
    let table = Table::open(&file, PLACE, summary.len, &cache, &Memory::unlimited()).unwrap();
    assert!(table.meta().index.len() > 100);
    for seq in (0..6000).step_by(7).chain([0, 1, 5999, MAX_SEQ]) {
        for key in [&b"hos"[..], b"hot", b"hot\0", b"hota", b"ho"] {
            check_searches(&entries, &table, key, seq);
        }
    }
    assert_eq!(verify(&file).unwrap(), summary);
}

#[test]
fn a_block_of_very_many_small_entries_is_cut() {
    let entries: Vec<Entry> =
        (0..2 * MAX_COUNT as u64).rev().map(|seq| entry(b"", seq, Kind::Delete, b"")).collect();
    let (file, summary) = build(&entries, options(1 << 24, Compression::None, 10));
    let table = Table::open(&file, PLACE, summary.len, &Cache::none(), &Memory::unlimited()).unwrap();
    assert_eq!(table.meta().index.len(), 2);
    check_scans(&entries, &table);
}

#[test]
fn golden_table() {
    let entries = [
        entry(b"\0apple", 3, Kind::Put, b"red"),
        entry(b"\0apple", 1, Kind::Put, b"green"),
        entry(b"\0pear", 2, Kind::Delete, b""),
    ];
    let (file, summary) = build(&entries, options(50, Compression::None, 10));
    let golden: Vec<&[u8]> = include_str!("golden_table.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once("  ").map_or(line, |(hex, _)| hex).as_bytes())
        .collect();
    let hex: String = bytes_of(&file).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, String::from_utf8(golden.concat()).unwrap());
    assert_eq!(summary.checksum, crc32fast::hash(&bytes_of(&file)));
}

#[test]
fn every_flipped_bit_and_every_truncation_is_noticed() {
    let entries: Vec<Entry> = (0..40u64)
        .map(|i| entry(format!("key{:02}", i / 2).as_bytes(), 90 - i, Kind::Put, b"valuevaluevalue"))
        .collect();
    for compression in built_in() {
        let (file, _) = build(&entries, options(500, compression, 10));
        let good = bytes_of(&file);
        for len in 0..good.len() {
            assert!(open(&good[..len], 0).is_err(), "{compression:?} cut to {len}");
            assert!(verify(&file_of(&good[..len])).is_err(), "{compression:?} cut to {len}");
            assert!(
                Table::open(
                    &file_of(&good[..len]),
                    PLACE,
                    good.len() as u64,
                    &Cache::none(),
                    &Memory::unlimited()
                )
                .is_err()
            );
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&file_of(&bad)).is_err(), "{compression:?} bit {bit}");
            let Ok(table) = open(&bad, 1 << 20) else { continue };
            for (key, trailer, value) in &entries {
                if let Ok(found) = table.get(key, key::hash(key), trailer.seq()) {
                    let found = found.map(|(trailer, value)| (trailer, value.to_vec()));
                    assert_eq!(found, Some((*trailer, value.clone())), "{compression:?} bit {bit}");
                }
            }
            let mut cursor = table.cursor();
            let mut seen = Vec::new();
            let mut step = cursor.seek_first();
            while step.is_ok() && cursor.valid() {
                seen.extend(current(&cursor));
                step = cursor.next();
            }
            assert!(!cursor.valid());
            assert!(step.is_err() || seen == entries, "{compression:?} bit {bit}");
        }
    }
}

#[test]
fn errors_name_file_and_offset() {
    let entries = [entry(b"a", 1, Kind::Put, b"value")];
    let (file, summary) = build(&entries, options(4096, Compression::None, 0));
    let mut bad = bytes_of(&file);
    bad[33] ^= 1;
    let table = open(&bad, 0).unwrap();
    let Err(Error::Corruption(found)) = table.get(b"a", 0, 5) else { panic!("not noticed") };
    assert_eq!((found.offset, found.path.as_path()), (32, Path::new("/000031.table")));
    let elsewhere = Place { number: 32, ..PLACE };
    let file = file_of(&bytes_of(&file));
    assert!(Table::open(&file, elsewhere, summary.len, &Cache::none(), &Memory::unlimited()).is_err());
}

#[test]
fn a_block_of_an_unknown_compression_is_incompatible() {
    let (file, _) = build(&[entry(b"a", 1, Kind::Put, b"value")], options(4096, Compression::None, 0));
    let mut bytes = bytes_of(&file);
    let handle = open(&bytes, 0).unwrap().meta().index.handle(0);
    let (start, end) = (handle.offset as usize, (handle.offset + handle.len) as usize);
    let trailer = format::trailer(&PLACE, handle.offset, &bytes[start..end], 9);
    bytes[end..end + 5].copy_from_slice(&trailer);
    let table = open(&bytes, 0).unwrap();
    assert!(matches!(table.get(b"a", key::hash(b"a"), 5), Err(Error::Incompatible { .. })));
    assert!(matches!(verify(&file_of(&bytes)), Err(Error::Incompatible { .. })));
}

#[test]
fn verify_finds_what_checksums_cannot() {
    // Tables whose checksums are right, but whose parts do not agree: each is built with one part of another table.
    let table = |last: char| {
        let keys = (0..40u8).map(|i| format!("{}{i:02}", if i == 39 { last } else { 'a' }));
        let entries: Vec<Entry> = keys.map(|key| entry(key.as_bytes(), 1, Kind::Put, b"v")).collect();
        build(&entries, options(4096, Compression::None, 10)).0
    };
    let (a, b) = (table('c'), table('b'));
    let (a, b) = (bytes_of(&a), bytes_of(&b));
    assert_eq!(a.len(), b.len(), "so that offsets agree");
    let (footer, data_end) = Footer::decode(&PLACE, &a).unwrap();
    let ends = [data_end, footer.index.offset, footer.properties.offset, Footer::offset(a.len() as u64)];
    let mut start = 32;
    for end in ends.map(|end| end as usize) {
        let mixed = [&a[..start], &b[start..end], &a[end..]].concat();
        start = end;
        assert!(open(&mixed, 0).is_ok(), "what opening checks is right");
        assert!(verify(&file_of(&mixed)).is_err_and(|e| e.is_corruption()), "{end}");
    }
}

#[test]
fn uncompressed_blocks_are_checked_once_and_cost_little() {
    let entries: Vec<Entry> =
        (0..1000u32).map(|i| entry(&i.to_be_bytes(), 1, Kind::Put, &[7; 100])).collect();
    for (compression, most) in [(Compression::None, 30 * 350), (Compression::Lz4, 200_000)] {
        if compression::check_built_in(compression).is_err() {
            continue;
        }
        let (file, summary) = build(&entries, options(4096, compression, 10));
        let cache = Cache::new(|| 1 << 20);
        let table = Table::open(&file, PLACE, summary.len, &cache, &Memory::unlimited()).unwrap();
        for e in &entries {
            assert!(table.get(&e.0, key::hash(&e.0), 9).unwrap().is_some());
        }
        let stats = cache.stats();
        assert_eq!(stats.inserts, table.meta().index.len() as u64);
        assert!(stats.bytes <= most, "{stats:?}");
        assert!((1000..6000).contains(&table.weight()), "{}", table.weight());
        drop(table);
        assert_eq!(cache.stats().bytes, 0);
    }
}

/// A reader's scan takes the room there is and pushes nothing out; that of who replaces the table does not even that.
#[test]
fn a_long_scan_displaces_nothing() {
    let entries: Vec<Entry> =
        (0..2000u32).map(|i| entry(&i.to_be_bytes(), 1, Kind::Put, &[7; 100])).collect();
    let (file, summary) = build(&entries, options(4096, Compression::None, 10));
    let scan = |most: usize, is_reader: bool| {
        let cache = Cache::new(move || most);
        let table = Table::open(&file, PLACE, summary.len, &cache, &Memory::unlimited()).unwrap();
        let cursor = table.cursor();
        let mut cursor = if is_reader { cursor } else { cursor.leaving_no_trace() };
        cursor.seek_first().unwrap();
        while cursor.valid() {
            cursor.next().unwrap();
        }
        let stats = cache.stats();
        assert_eq!(stats.evictions, 0);
        (stats.inserts, stats.bytes)
    };
    let (blocks, bytes) = scan(1 << 20, true);
    assert!(blocks > 40, "{blocks}");
    let (some, taken) = scan(bytes / 2, true);
    assert!((10..blocks).contains(&some) && taken <= bytes / 2, "{some}, {taken}");
    // The first block and eight steps.
    assert_eq!(scan(1 << 20, false).0, 9);
}

#[test]
fn values_outlive_table_and_cache() {
    let entries = [entry(b"a", 1, Kind::Put, &[1; 10]), entry(b"b", 1, Kind::Put, &[2; 5000])];
    for compression in built_in() {
        let (file, summary) = build(&entries, options(4096, compression, 10));
        let table = Table::open(&file, PLACE, summary.len, &Cache::none(), &Memory::unlimited()).unwrap();
        drop(file);
        let get = |key: &[u8]| table.get(key, key::hash(key), 9).unwrap().unwrap().1;
        let (a, b) = (get(b"a"), get(b"b"));
        let mut cursor = table.cursor();
        drop(table);
        cursor.seek(b"b", Trailer::upper(9)).unwrap();
        assert_eq!(cursor.value_slice(), [2; 5000]);
        drop(cursor);
        assert_eq!((a.to_vec(), b.to_vec()), (vec![1; 10], vec![2; 5000]));
    }
}

#[test]
fn expiries_are_counted() {
    let expiring = |at: u64| [&at.to_le_bytes()[..], b"value"].concat();
    let entries = [
        entry(b"a", 1, Kind::PutExpiring, &expiring(700)),
        entry(b"b", 1, Kind::Put, b"stays"),
        entry(b"c", 1, Kind::PutExpiring, &expiring(300)),
    ];
    let (file, summary) = build(&entries, options(4096, Compression::None, 10));
    assert_eq!((summary.min_expiry, summary.max_expiry), (300, 700));
    let table = Table::open(&file, PLACE, summary.len, &Cache::none(), &Memory::unlimited()).unwrap();
    assert_eq!(table.meta().properties.expiring, 2);
    assert_eq!(verify(&file).unwrap(), summary);
}

#[test]
fn a_builder_refuses_what_it_cannot_write() {
    let mut builder = TableBuilder::new(new_file(), options(4096, Compression::None, 10)).unwrap();
    let put = Trailer::new(5, Kind::Put);
    assert!(builder.add(&vec![0; 65_540], None, put, b"").is_err());
    assert!(builder.add(b"a", None, Trailer::new(5, Kind::PutExpiring), b"short").is_err());
    assert!(builder.add(b"a", None, Trailer(0x5ff), b"").is_err());
}

#[test]
fn a_builder_refuses_entries_out_of_order() {
    let put = |seq| Trailer::new(seq, Kind::Put);
    for (key, trailer) in [(&b"a"[..], put(9)), (b"b", put(5)), (b"b", put(6)), (b"", put(1))] {
        let mut builder = TableBuilder::new(new_file(), options(4096, Compression::None, 10)).unwrap();
        builder.add(b"b", None, put(5), b"").unwrap();
        let refused = builder.add(key, None, trailer, b"").unwrap_err();
        assert!(refused.is_corruption() && refused.to_string().contains("comes after"), "{refused}");
    }
}

#[test]
fn nothing_is_promised_before_the_one_sync() {
    use crate::vfs::mem::CrashPolicy;
    let vfs = MemVfs::new();
    let dir = Dir::new(Arc::new(vfs.clone()), "/");
    let file = dir.open("000031.table", Mode::CreateNew).unwrap();
    dir.sync().unwrap();
    let mut builder = TableBuilder::new(file, options(4096, Compression::None, 10)).unwrap();
    let before = vfs.op_count();
    for i in 0..40_000u32 {
        builder.add(&i.to_be_bytes(), None, Trailer::new(1, Kind::Put), &[7; 100]).unwrap();
    }
    let summary = builder.finish().unwrap();
    let writes = summary.len.div_ceil(1 << 20);
    assert!(vfs.op_count() - before <= writes + 1, "{} operations", vfs.op_count() - before);
    let after = vfs.crash_image(CrashPolicy::Strict, 0);
    let survived = after.read_file(Path::new("/000031.table")).unwrap();
    assert_eq!(verify(&file_of(&survived)).unwrap(), summary);
}

#[test]
fn a_description_tells_blocks_and_entries() {
    let entries = [
        entry(b"\0apple", 3, Kind::Put, b"red"),
        entry(b"\0apple", 1, Kind::Put, b"green"),
        entry(b"\0pear", 2, Kind::Delete, b""),
    ];
    let (file, summary) = build(&entries, options(50, Compression::None, 10));
    let table = Table::open(&file, PLACE, summary.len, &Cache::none(), &Memory::unlimited()).unwrap();
    let mut out = String::new();
    table.describe(Detail::Entries, &mut out).unwrap();
    for line in [
        "table 31 of database 0000000000005eed",
        "entries 3, tombstones 1",
        "compression None",
        "keys \"\\x00apple\" to \"\\x00pear\"",
        "  \"\\x00apple\" @ 1 Put \"green\"",
        "  \"\\x00pear\" @ 2 Delete \"\"",
        "\"\\x00apple\" to \"\\x00apple\", bound \"\\x00apple\" @ 3",
    ] {
        assert!(out.contains(line), "{line} is not in\n{out}");
    }
    let mut blocks = String::new();
    table.describe(Detail::Blocks, &mut blocks).unwrap();
    assert!(out.starts_with(&blocks) && blocks.len() < out.len());
}
