//! Batches, large ones above all: against a sorted map, beside readers; and what an entry costs in them.

use super::*;
use crate::engine::memtable::writer::LARGE_BATCH;
use crate::engine::tombstones::Tombstone;

/// What was written: entries, and deletions of ranges.
#[derive(Default)]
struct Written {
    entries: Model,
    deleted: Vec<Tombstone>,
    seq: u64,
    earliest: Option<u64>,
}

impl Written {
    /// One random change, as part of whatever `writer` is in.
    fn change(&mut self, writer: &mut Writer, draw: &mut impl FnMut(u64) -> u64) {
        self.seq += 1 + draw(2);
        if draw(60) == 0 {
            return self.delete_range(writer, draw);
        }
        let key = random_key(draw);
        let expiry = 1 + draw(1 << 40);
        let (kind, value) = match draw(6) {
            0 => (Kind::Delete, Vec::new()),
            1 => (Kind::PutExpiring, [&expiry.to_le_bytes()[..], b"value"].concat()),
            _ => (Kind::Put, vec![self.seq as u8; draw(50) as usize]),
        };
        if kind == Kind::PutExpiring {
            let expiry = key::expiry(&value).unwrap();
            self.earliest = Some(self.earliest.map_or(expiry, |earliest| earliest.min(expiry)));
        }
        writer.insert(&key, key::hash(&key), Trailer::new(self.seq, kind), &value);
        self.entries.insert((key, Reverse(self.seq)), (kind, value));
    }

    fn delete_range(&mut self, writer: &mut Writer, draw: &mut impl FnMut(u64) -> u64) {
        let mut ends = [random_key(draw), random_key(draw)];
        ends.sort();
        writer.delete_range(&ends[0], &ends[1], self.seq);
        let [start, end] = ends.map(Into::into);
        self.deleted.push(Tombstone { seq: self.seq, start, end });
    }

    /// The newest deletion that covers a key for a reader.
    fn covered(&self, key: &[u8], seq: u64) -> Option<u64> {
        let covers =
            |deleted: &&Tombstone| deleted.seq <= seq && *deleted.start <= *key && *key < *deleted.end;
        self.deleted.iter().rev().find(covers).map(|deleted| deleted.seq)
    }

    fn check(&self, memtable: &Memtable, draw: &mut impl FnMut(u64) -> u64, what: &str) {
        for _ in 0..60 {
            let (key, snapshot) = (random_key(draw), draw(self.seq + 2));
            check_get(memtable, &self.entries, &key, snapshot, what);
            check_seeks(memtable, &self.entries, &key, Trailer::upper(snapshot), what);
            let covered = memtable.covered(snapshot).and_then(|covered| {
                let fragment = covered.iter().find(|f| *f.start <= *key && *key < *f.end)?;
                fragment.newest_up_to(snapshot)
            });
            assert_eq!(covered, self.covered(&key, snapshot), "{what}: {key:?} at {snapshot}");
        }
        check_walks(memtable, &self.entries, what);
        assert_eq!(memtable.entries(), (self.entries.len() + self.deleted.len()) as u64, "{what}");
        assert_eq!(memtable.max_seq(), Some(self.seq), "{what}");
        assert_eq!(memtable.min_expiry(), self.earliest, "{what}");
    }
}

/// What a cursor that was made at `seq` meets must not depend on what is written afterwards.
fn check_old_cursor(cursor: &mut Merge<MemCursor>, seq: u64, written: &Written, what: &str) {
    let visible = |at: u64| at <= seq;
    let expected = || written.entries.keys().filter(|(_, at)| visible(at.0)).map(|(k, at)| (k.clone(), at.0));
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    cursor.seek_first().unwrap();
    while cursor.valid() {
        forward.push((cursor.key().to_vec(), cursor.trailer().seq()));
        cursor.next().unwrap();
    }
    cursor.seek_last().unwrap();
    while cursor.valid() {
        backward.push((cursor.key().to_vec(), cursor.trailer().seq()));
        cursor.prev().unwrap();
    }
    assert!(forward.into_iter().filter(|(_, at)| visible(*at)).eq(expected()), "{what}, of {seq}");
    let expected: Vec<_> = expected().collect();
    let backward = backward.into_iter().filter(|(_, at)| visible(*at));
    assert!(backward.eq(expected.into_iter().rev()), "{what}, of {seq}, backward");
}

/// What it says that it takes is what it takes, and there are few runs, none of them small.
fn check_shape(memtable: &Memtable, list_limit: usize, what: &str) {
    let parts = memtable.parts.load();
    let lens: Vec<usize> = parts.runs.iter().map(|run| run.len()).collect();
    let (total, most) = (lens.iter().sum::<usize>(), 4 * list_limit);
    let least = list_limit.min(LARGE_BATCH);
    assert!(lens.iter().all(|len| (least..=most).contains(len)), "{what}: {lens:?}");
    let bound = 3 * (1 + (most / least).ilog2() as usize) + 2 * total / most;
    assert!(lens.len() <= bound, "{what}: {lens:?}");
    let runs: usize = parts.runs.iter().map(|run| run.bytes()).sum();
    let entries = memtable.entries() as usize - memtable.range_tombstones();
    let list = (entries - total) * 64;
    let known = memtable.arena.bytes() + memtable.table.bytes() + runs + list;
    let deleted = memtable.bytes() - known;
    assert_eq!(deleted > 0, memtable.range_tombstones() > 0, "{what}: {deleted} bytes of deleted ranges");
}

#[test]
fn batches_of_all_sizes_agree_with_a_sorted_map() {
    for (seed, list_limit) in [1, 2, 3, 10, 64, 333, 1000, 16 << 10].into_iter().enumerate() {
        let what = format!("seed {seed}, lists of {list_limit}");
        let mut draw = rng(100 + seed as u64);
        let mut writer = Writer::<AnyIndex>::with_list_limit(None, 0, list_limit, &Memory::unlimited());
        let memtable = Arc::clone(writer.memtable());
        let (mut written, mut old) = (Written::default(), Vec::new());
        for round in 0..14 {
            for _ in 0..draw(40) {
                written.change(&mut writer, &mut draw);
            }
            old.push((merged(&memtable), written.seq));
            let count = 1 + draw([5, 100, 600][round % 3]) as usize;
            writer.batch(count, |writer| {
                (0..count).for_each(|_| written.change(writer, &mut draw));
            });
            written.check(&memtable, &mut draw, &what);
            check_shape(&memtable, list_limit, &what);
        }
        for (mut cursor, seq) in old {
            check_old_cursor(&mut cursor, seq, &written, &what);
        }
    }
}

/// A batch that is said to be large, and deletes ranges only, but for a few entries.
#[test]
fn a_large_batch_with_few_entries_makes_no_small_run() {
    let mut writer = Writer::<AnyIndex>::with_list_limit(None, 0, 300, &Memory::unlimited());
    let memtable = Arc::clone(writer.memtable());
    let mut seq = 0;
    for round in 0..400u64 {
        writer.batch(300, |writer| {
            for _ in 0..3 {
                seq += 1;
                put(writer, &(round % 7 * 50 + seq % 3).to_be_bytes(), seq, b"");
                seq += 1;
                writer.delete_range(b"a", b"b", seq);
            }
        });
    }
    let lens: Vec<usize> = memtable.parts.load().runs.iter().map(|run| run.len()).collect();
    assert_eq!((lens, memtable.entries()), (vec![300, 300, 300], 2400));
    check_complete_but(&memtable, seq);
}

/// All entries are there, which have the odd numbers.
fn check_complete_but(memtable: &Memtable, seq: u64) {
    let mut cursor = merged(memtable);
    cursor.seek_first().unwrap();
    let mut sum = 0;
    while cursor.valid() {
        sum += cursor.trailer().seq();
        cursor.next().unwrap();
    }
    assert_eq!(sum, (seq / 2) * (seq / 2));
}

/// Batches of many entries become visible as a whole, to readers beside the writer (M1).
#[test]
fn readers_find_all_of_a_batch_that_was_published() {
    let key_of: fn(u64) -> [u8; 8] = |seq| key::hash(&(seq % 9000).to_le_bytes()).to_be_bytes();
    for (list_limit, count) in [(64, 20_000), (2, 4_000), (1000, 30_000)] {
        let mut writer = Writer::<AnyIndex>::with_list_limit(None, 0, list_limit, &Memory::unlimited());
        let memtable = Arc::clone(writer.memtable());
        let visible = AtomicU64::new(0);
        thread::scope(|scope| {
            for reader in 0..2 {
                let (memtable, visible) = (&memtable, &visible);
                scope.spawn(move || {
                    let (mut draw, mut seen) = (rng(reader), 0);
                    while seen < count {
                        seen = visible.load(Ordering::Acquire);
                        for _ in 0..100.min(seen) {
                            check_published(memtable, 1 + draw(seen), seen, key_of);
                        }
                        check_complete(memtable, seen);
                    }
                });
            }
            let (mut draw, mut seq) = (rng(7), 0);
            while seq < count {
                let most = [3, 500][draw(2) as usize];
                let end = count.min(seq + 1 + draw(most));
                writer.batch((end - seq) as usize, |writer| {
                    for seq in seq + 1..=end {
                        put(writer, &key_of(seq), seq, &seq.to_le_bytes());
                    }
                });
                seq = end;
                visible.store(seq, Ordering::Release);
            }
        });
    }
}

/// Prints what an entry costs in batches of several sizes, by the list and as runs of their own:
/// `cargo test --release --lib memtable::tests::batches::figures_of_batches -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and asserts nothing"]
fn figures_of_batches() {
    const COUNT: u64 = 350_000;
    let random: Vec<Vec<u8>> = (0..COUNT)
        .map(|i| (u128::from(key::hash(&i.to_le_bytes())) << 64 | u128::from(i)).to_be_bytes().to_vec())
        .collect();
    let documents: Vec<Vec<u8>> = (0..COUNT).map(document_key).collect();
    for (name, keys) in [("random, 16 bytes", random), ("of documents", documents)] {
        println!("keys {name}; ns an entry, longest batch in µs, runs, ns to walk, to seek and step 10");
        for size in [10, 64, 100, 1000, 5000, 20_000] {
            for round in 0..4 {
                batches_of(&keys, size, round % 2 == 1);
            }
        }
    }
}

/// As of a table of documents with four indexes: the document, then an entry of each index.
fn document_key(i: u64) -> Vec<u8> {
    let (number, space) = (i / 5, i % 5);
    let mixed = key::hash(&number.to_le_bytes());
    let front = [&[7u8, space as u8][..]].concat();
    match space {
        0 => [&front[..], &number.to_be_bytes()[4..]].concat(),
        1 => [&front[..], format!("lib{mixed:x}-dev").as_bytes(), &number.to_be_bytes()[4..]].concat(),
        2 => [&front[..], format!("s{}", mixed % 50).as_bytes(), &number.to_be_bytes()[4..]].concat(),
        3 => [&front[..], &(mixed % 100_000).to_be_bytes()[4..], &number.to_be_bytes()[4..]].concat(),
        _ => [&front[..], &number.to_be_bytes()[4..], &number.to_be_bytes()[4..]].concat(),
    }
}

fn batches_of(keys: &[Vec<u8>], size: usize, whole: bool) {
    let config = Config { expected_keys: keys.len(), index: None };
    let (mut writer, memtable) = Memtable::new(config, &Memory::unlimited());
    let (mut seq, mut longest, begun) = (1, Duration::ZERO, Instant::now());
    for batch in keys.chunks(size) {
        let batch_begun = Instant::now();
        writer.batch(if whole { size } else { 0 }, |writer| {
            for key in batch {
                writer.insert(key, key::hash(key), Trailer::new(seq, Kind::Put), &[b'v'; 100]);
                seq += 1;
            }
        });
        longest = longest.max(batch_begun.elapsed());
    }
    let insert = begun.elapsed().as_nanos() as f64 / keys.len() as f64;
    let begun = Instant::now();
    walk(&memtable, true);
    let walked = begun.elapsed().as_nanos() as f64 / keys.len() as f64;
    let (begun, seeks) = (Instant::now(), keys.len() / 10);
    let mut cursor = merged(&memtable);
    for at in 0..seeks {
        cursor.seek(&keys[at * 7919 % keys.len()], Trailer(u64::MAX)).unwrap();
        for _ in 0..10 {
            if cursor.valid() {
                std::hint::black_box(cursor.value().first());
                cursor.next().unwrap();
            }
        }
    }
    let sought = begun.elapsed().as_nanos() as f64 / seeks as f64;
    let (way, runs) = (if whole { "whole" } else { "list" }, memtable.parts.load().runs.len());
    println!(
        "{size:>6} {way:<6}{insert:>8.1}{:>10.1}{runs:>4}{walked:>8.1}{sought:>10.1}",
        longest.as_nanos() as f64 / 1000.0
    );
}
