//! The memtable against a sorted map, its readers against its writer, its limits; and its figures.

mod batches;

use super::*;
use crate::engine::iter::{Cursor, Merge};
use crate::engine::key::{self, Kind};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// Random numbers that depend on nothing but the seed.
fn rng(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut drawn = seed << 32;
    move |below| {
        drawn += 1;
        key::hash(&drawn.to_le_bytes()) % below
    }
}

type Model = BTreeMap<(Vec<u8>, Reverse<u64>), (Kind, Vec<u8>)>;

fn put(writer: &mut Writer, key: &[u8], seq: u64, value: &[u8]) {
    writer.insert(key, key::hash(key), Trailer::new(seq, Kind::Put), value);
}

fn merged(memtable: &Memtable) -> Merge<MemCursor> {
    Merge::new(memtable.cursors())
}

fn random_key(draw: &mut impl FnMut(u64) -> u64) -> Vec<u8> {
    let (family, number) = (draw(6), draw(400));
    match family {
        0 => vec![],
        1 => vec![0; number as usize % 12],
        2 => format!("user:profile:{number:06}").into_bytes(),
        3 => format!("user:{number:03}").into_bytes(),
        4 => [&b"user:profile:"[..], &number.to_be_bytes(), &vec![0xff; number as usize % 9]].concat(),
        _ => key::hash(&number.to_le_bytes()).to_be_bytes()[..number as usize % 9].to_vec(),
    }
}

/// One random history, and the questions after it.
fn check_history(seed: u64, list_limit: usize, count: u64, key_of: impl Fn(u64, Vec<u8>) -> Vec<u8>) {
    let mut draw = rng(seed);
    let mut writer =
        Writer::<AnyIndex>::with_list_limit(None, draw(2) as usize * 5000, list_limit, &Memory::unlimited());
    let memtable = Arc::clone(writer.memtable());
    let (mut model, mut seq) = (Model::new(), draw(3));
    for i in 0..count {
        let key = key_of(i, random_key(&mut draw));
        let kind = if draw(5) == 0 { Kind::Delete } else { Kind::Put };
        let value = vec![i as u8; draw(3) as usize * draw(200) as usize];
        writer.insert(&key, key::hash(&key), Trailer::new(seq, kind), &value);
        model.insert((key, Reverse(seq)), (kind, value));
        seq += 1 + draw(3);
    }
    let what = format!("seed {seed}, list of {list_limit}");
    assert_eq!(
        (memtable.entries(), memtable.max_seq()),
        (count, model.keys().map(|k| k.1.0).max()),
        "{what}"
    );
    assert_eq!(memtable.min_seq(), model.keys().map(|k| k.1.0).min(), "{what}");
    for _ in 0..500 {
        let (key, snapshot) = (key_of(draw(count), random_key(&mut draw)), draw(seq + 2));
        check_get(&memtable, &model, &key, snapshot, &what);
        check_seeks(&memtable, &model, &key, Trailer::upper(snapshot), &what);
    }
    check_walks(&memtable, &model, &what);
}

fn check_get(memtable: &Memtable, model: &Model, key: &[u8], snapshot: u64, what: &str) {
    let mut versions = model.range((key.to_vec(), Reverse(snapshot))..);
    let expected = versions.next().filter(|((k, _), _)| k == key);
    let expected = expected.map(|((_, seq), (kind, value))| (Trailer::new(seq.0, *kind), &value[..]));
    assert_eq!(memtable.get(key, key::hash(key), snapshot), expected, "{what}: {key:?} at {snapshot}");
}

fn check_seeks(memtable: &Memtable, model: &Model, key: &[u8], trailer: Trailer, what: &str) {
    let bound = (key.to_vec(), Reverse(trailer.seq()));
    let mut cursor = merged(memtable);
    cursor.seek(key, trailer).unwrap();
    for (expected, _) in model.range(bound.clone()..).take(5) {
        assert_eq!(
            (cursor.key(), cursor.trailer().seq()),
            (&expected.0[..], expected.1.0),
            "{what}: {bound:?}"
        );
        cursor.next().unwrap();
    }
    cursor.seek_before(key, trailer).unwrap();
    for (expected, _) in model.range(..bound.clone()).rev().take(5) {
        assert_eq!(
            (cursor.key(), cursor.trailer().seq()),
            (&expected.0[..], expected.1.0),
            "{what}: {bound:?}"
        );
        cursor.prev().unwrap();
    }
}

fn check_walks(memtable: &Memtable, model: &Model, what: &str) {
    let at = |c: &Merge<MemCursor>| (c.key().to_vec(), c.trailer(), c.value_slice().to_vec());
    let expected = model.iter().map(|((k, s), (kind, v))| (k.clone(), Trailer::new(s.0, *kind), v.clone()));
    let (mut forward, mut backward) = (merged(memtable), merged(memtable));
    forward.seek_first().unwrap();
    for entry in expected.clone() {
        assert_eq!(at(&forward), entry, "{what}");
        forward.next().unwrap();
    }
    backward.seek_last().unwrap();
    for entry in expected.rev() {
        assert_eq!(at(&backward), entry, "{what}");
        backward.prev().unwrap();
    }
    assert!(!forward.valid() && !backward.valid(), "{what}");
}

#[test]
fn agrees_with_a_sorted_map() {
    for (seed, list_limit) in [1, 2, 3, 7, 64, 333, 1 << 20].into_iter().enumerate() {
        check_history(seed as u64, list_limit, 2500, |_, key| key);
    }
}

/// Prefixes that change on the way make the list's guess wrong, and heads must be taken anew.
#[test]
fn agrees_with_a_sorted_map_when_prefixes_change() {
    let ascending = |i: u64, key: Vec<u8>| [&b"log/2024/"[..], &i.to_be_bytes(), &key].concat();
    let descending = |i: u64, key: Vec<u8>| [&(1_000_000 - i).to_be_bytes()[..], &key].concat();
    let in_turns =
        |i: u64, key: Vec<u8>| [&b"aaaaaaaaaaaabbbbbbbbbbbb"[..(i / 200) as usize % 24], &key].concat();
    let far_apart =
        |i: u64, key: Vec<u8>| [&[(i / 300 * 77) as u8][..], b"sharedsharedshared", &key].concat();
    check_history(11, 100, 2500, ascending);
    check_history(12, 100, 2500, descending);
    check_history(13, 100, 2500, in_turns);
    check_history(14, 100, 2500, far_apart);
}

/// What was written from a number on is in the parts that are asked for it, and not many others are.
#[test]
fn parts_without_newer_entries_are_passed_over() {
    for list_limit in [1, 3, 64] {
        let mut writer = Writer::<AnyIndex>::with_list_limit(None, 0, list_limit, &Memory::unlimited());
        let memtable = Arc::clone(writer.memtable());
        let mut draw = rng(list_limit as u64);
        for seq in 1..=1000 {
            put(&mut writer, &random_key(&mut draw), seq, b"");
        }
        for from in (0..=1001).step_by(77).chain([1, 1000]) {
            let mut found: Vec<u64> = Vec::new();
            let parts = memtable.cursors_from(from);
            for mut part in parts {
                part.seek_first().unwrap();
                while part.valid() {
                    found.push(part.trailer().seq());
                    part.next().unwrap();
                }
            }
            let newer = found.iter().filter(|seq| **seq >= from).count() as u64;
            assert_eq!(newer, 1001 - from.max(1), "from {from}, lists of {list_limit}");
            let spare = found.len() as u64 - newer;
            assert!(spare <= 5 * list_limit as u64, "from {from}, lists of {list_limit}: {spare} older ones");
        }
    }
}

/// What lies in a range is in the parts that are asked for it, and a part that lies beside it is not.
#[test]
fn parts_beside_a_range_are_passed_over() {
    let mut draw = rng(7);
    let mut writer = Writer::<AnyIndex>::with_list_limit(None, 0, 32, &Memory::unlimited());
    let memtable = Arc::clone(writer.memtable());
    let mut all = Vec::new();
    for seq in 1..=1000 {
        // Older ones lie lower, mostly.
        let key = match draw(20) {
            0 => random_key(&mut draw),
            _ => format!("queue:{:05}", seq + draw(40)).into_bytes(),
        };
        put(&mut writer, &key, seq, b"");
        all.push(key);
    }
    let mut fewest = usize::MAX;
    for _ in 0..500 {
        let [lower, end] = [(); 2].map(|()| all[draw(1000) as usize].clone());
        let upper = Some(end).filter(|_| draw(3) > 0);
        let within = |key: &[u8]| *lower <= *key && upper.as_ref().is_none_or(|upper| *key < **upper);
        let parts = memtable.cursors_between(&lower, upper.as_deref());
        fewest = fewest.min(parts.len());
        let mut found = 0;
        for mut part in parts {
            part.seek(&lower, Trailer::upper(u64::MAX >> 8)).unwrap();
            let (mut known, mut steps) = (0, 0);
            while part.valid() && within(part.key()) {
                found += 1;
                known = known.max(upper.as_ref().map_or(0, |upper| steps + part.steps_below(upper)));
                part.next().unwrap();
                steps += 1;
            }
            assert!(
                steps > known || steps == 0,
                "{known} steps were said to stay below {upper:?}, {steps} did"
            );
            if part.valid() && *part.key() >= *lower {
                let down = part.steps_above(&lower);
                (0..down).for_each(|_| part.prev().unwrap());
                assert!(*part.key() >= *lower, "{down} steps were said to stay above {lower:?}");
            }
        }
        assert_eq!(found, all.iter().filter(|key| within(key)).count(), "{lower:?} {upper:?}");
    }
    assert!(fewest < memtable.cursors().len(), "{fewest} parts at least");
}

#[test]
fn an_empty_memtable_answers() {
    let (_writer, memtable) = Memtable::new(Config::default(), &Memory::unlimited());
    assert!(memtable.is_empty() && memtable.min_seq().is_none() && memtable.max_seq().is_none());
    assert!(memtable.get(b"", key::hash(b""), u64::MAX >> 8).is_none());
    let mut cursor = merged(&memtable);
    cursor.seek_first().unwrap();
    assert!(!cursor.valid());
    cursor.seek_last().unwrap();
    assert!(!cursor.valid());
}

#[test]
#[should_panic(expected = "sequence number 7 follows 7")]
fn a_sequence_number_may_not_repeat() {
    let (mut writer, _) = Memtable::new(Config::default(), &Memory::unlimited());
    put(&mut writer, b"a", 7, b"");
    put(&mut writer, b"b", 7, b"");
}

#[test]
fn lists_are_sealed_and_runs_merged_at_their_limits() {
    let (mut writer, memtable) = Memtable::new(Config::default(), &Memory::unlimited());
    let list = 16u64 << 10;
    let mut shapes = Vec::new();
    for seq in 0..list * 9 + 1 {
        if seq % list < 2 {
            let runs: Vec<u64> = memtable.parts.load().runs.iter().map(|r| r.len() as u64 / list).collect();
            shapes.push(runs);
        }
        put(&mut writer, &key::hash(&seq.to_le_bytes()).to_be_bytes(), seq, b"value");
    }
    let expected: [&[u64]; 10] =
        [&[], &[1], &[1, 1], &[1, 1, 1], &[4], &[1, 4], &[1, 1, 4], &[1, 1, 1, 4], &[4, 4], &[1, 4, 4]];
    // The list is sealed by the entry after the one that filled it.
    let after: Vec<&[u64]> = shapes.iter().skip(1).step_by(2).map(|s| &s[..]).collect();
    let before: Vec<&[u64]> = shapes.iter().skip(2).step_by(2).map(|s| &s[..]).collect();
    assert_eq!(after, expected[..after.len()]);
    assert_eq!(before, expected[..before.len()]);
    assert_eq!(memtable.parts.load().runs.len(), 3);
    let mut cursor = merged(&memtable);
    cursor.seek_first().unwrap();
    let (mut count, mut last) = (0, Vec::new());
    while cursor.valid() {
        assert!(last.as_slice() < cursor.key());
        last = cursor.key().to_vec();
        count += 1;
        cursor.next().unwrap();
    }
    assert_eq!(count, list * 9 + 1);
}

#[test]
fn values_of_a_mebibyte_are_held_and_counted() {
    let (mut writer, memtable) = Memtable::new(Config::default(), &Memory::unlimited());
    let value: Vec<u8> = (0..1 << 20).map(|i| (i * 7 % 253) as u8).collect();
    let before = memtable.bytes();
    for seq in 1..=8u64 {
        put(&mut writer, b"small", seq * 2 - 1, b"x");
        put(&mut writer, b"large", seq * 2, &value[..value.len() - seq as usize]);
    }
    for seq in 1..=8u64 {
        let (trailer, found) = memtable.get(b"large", key::hash(b"large"), seq * 2).unwrap();
        assert_eq!((trailer.seq(), found), (seq * 2, &value[..value.len() - seq as usize]));
    }
    let grown = memtable.bytes() - before;
    assert!((8 << 20..9 << 20).contains(&grown), "{grown}");
}

#[test]
fn bytes_count_arena_table_runs_and_list() {
    let mut writer = Writer::<AnyIndex>::with_list_limit(None, 0, 100, &Memory::unlimited());
    let memtable = Arc::clone(writer.memtable());
    for seq in 0..1000u64 {
        put(&mut writer, &seq.to_be_bytes(), seq, &[0; 100]);
    }
    let parts = memtable.parts.load();
    let runs: usize = parts.runs.iter().map(|run| run.bytes()).sum();
    assert_eq!(runs, 900 * 16);
    let list = 100 * 64;
    assert_eq!(memtable.bytes(), memtable.arena.bytes() + memtable.table.bytes() + runs + list);
    assert!(memtable.arena.bytes() >= 1000 * (28 + 8 + 100));
}

/// What is read stays good after the writer, and cursors stay good after the memtable.
#[test]
fn cursors_keep_alive_what_they_read() {
    let mut writer = Writer::<AnyIndex>::with_list_limit(None, 0, 10, &Memory::unlimited());
    for seq in 0..95u64 {
        put(&mut writer, &seq.to_be_bytes(), seq, b"value");
    }
    let mut cursor = merged(writer.memtable());
    drop(writer);
    let walked = thread::spawn(move || {
        cursor.seek_last().unwrap();
        let mut count = 0;
        while cursor.valid() {
            assert_eq!(cursor.value(), b"value");
            count += 1;
            cursor.prev().unwrap();
        }
        count
    });
    assert_eq!(walked.join().unwrap(), 95);
}

/// One writer publishes sequence numbers, two readers hold it to M1. The list is sealed, runs are merged and the hash
/// table grows all the while.
fn race(list_limit: usize, count: u64, key_of: fn(u64) -> [u8; 8]) {
    let mut writer = Writer::<AnyIndex>::with_list_limit(None, 0, list_limit, &Memory::unlimited());
    let memtable = Arc::clone(writer.memtable());
    let visible = AtomicU64::new(0);
    thread::scope(|scope| {
        for reader in 0..2 {
            let (memtable, visible) = (&memtable, &visible);
            scope.spawn(move || {
                let mut draw = rng(reader);
                let mut done = false;
                while !done {
                    let seen = visible.load(Ordering::Acquire);
                    done = seen == count;
                    for _ in 0..200.min(seen) {
                        check_published(memtable, 1 + draw(seen), seen, key_of);
                    }
                    check_complete(memtable, seen);
                }
            });
        }
        for seq in 1..=count {
            put(&mut writer, &key_of(seq), seq, &seq.to_le_bytes());
            visible.store(seq, Ordering::Release);
        }
    });
}

/// A get at the snapshot in which `seq` was the newest finds it, and one at `seen` finds it or a newer one.
fn check_published(memtable: &Memtable, seq: u64, seen: u64, key_of: fn(u64) -> [u8; 8]) {
    let key = key_of(seq);
    let (trailer, value) = memtable.get(&key, key::hash(&key), seq).expect("published, so found");
    assert_eq!((trailer.seq(), value), (seq, &seq.to_le_bytes()[..]));
    let (newest, _) = memtable.get(&key, key::hash(&key), seen).expect("published, so found");
    assert!((seq..=seen).contains(&newest.seq()));
    let mut cursor = merged(memtable);
    cursor.seek(&key, Trailer::upper(seq)).unwrap();
    assert_eq!((cursor.key(), cursor.trailer().seq()), (&key[..], seq));
}

/// Cursors made after `seen` was learnt meet each sequence number up to it once.
fn check_complete(memtable: &Memtable, seen: u64) {
    let mut cursor = merged(memtable);
    cursor.seek_first().unwrap();
    let (mut met, mut sum) = (0, 0);
    while cursor.valid() {
        let seq = cursor.trailer().seq();
        if seq <= seen {
            (met, sum) = (met + 1, sum + seq);
        }
        cursor.next().unwrap();
    }
    assert_eq!((met, sum), (seen, seen * (seen + 1) / 2), "of {seen} published");
}

#[test]
fn readers_find_all_that_was_published() {
    race(64, 20_000, |seq| key::hash(&seq.to_le_bytes()).to_be_bytes());
    race(1, 3_000, |seq| key::hash(&seq.to_le_bytes()).to_be_bytes());
}

/// The skip list loses entries when one is overwritten. Versions of one key are different entries, so none may be lost
/// (skiplist S1).
#[test]
fn versions_of_few_keys_are_never_lost() {
    race(1 << 20, 10_000, |_| *b"the only");
    race(500, 20_000, |seq| (seq % 3).to_be_bytes());
}

/// Skiplist S1: no method that overwrites, removes or frees is called, and nobody else gets at the list.
#[test]
fn the_skip_list_is_only_added_to() {
    let source = include_str!("skiplist.rs");
    let forbidden =
        [".insert(", "compare_insert", ".remove(", ".pop_", ".clear(", ".release", ".pin(", ".into_iter("];
    for call in forbidden {
        assert!(!source.contains(call), "skiplist.rs calls {call}…)");
    }
    assert_eq!(source.matches("get_or_insert(").count(), 1);
    assert!(!source.contains("pub list") && !source.contains("pub(super)"), "the list stays in its file");
    let others = [
        include_str!("mod.rs"),
        include_str!("writer.rs"),
        include_str!("run.rs"),
        include_str!("cursor.rs"),
        include_str!("index.rs"),
    ];
    assert!(others.iter().all(|source| !source.contains("crossbeam_skiplist::")));
}

fn timed<T>(what: &str, count: u64, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    println!("{what:<24}{:8.1} ns", begun.elapsed().as_nanos() as f64 / count as f64);
    result
}

/// Prints figures: `cargo test --release --lib memtable::tests::figures -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and asserts nothing"]
fn figures() {
    const COUNT: u64 = 480_000;
    type KeyOf = fn(u64) -> [u8; 16];
    let shapes: [(&str, KeyOf); 3] = [
        ("random", |i| (u128::from(key::hash(&i.to_le_bytes())) << 64 | u128::from(i)).to_be_bytes()),
        ("user + 12 digits", |i| {
            format!("user{:012}", key::hash(&i.to_le_bytes()) % 1_000_000_000_000)
                .as_bytes()
                .try_into()
                .unwrap()
        }),
        ("ascending", |i| format!("{i:016}").as_bytes().try_into().unwrap()),
    ];
    for (name, key_of) in shapes {
        println!("{name} keys of 16 bytes, values of 100");
        for _ in 0..3 {
            figures_of(&(0..2 * COUNT).map(key_of).collect::<Vec<_>>());
        }
    }
}

fn figures_of(keys: &[[u8; 16]]) {
    let (present, absent) = keys.split_at(keys.len() / 2);
    let count = present.len() as u64;
    let (mut writer, memtable) =
        Memtable::new(Config { expected_keys: present.len(), index: None }, &Memory::unlimited());
    timed("insert", count, || {
        for (key, seq) in present.iter().zip(1..) {
            writer.insert(key, key::hash(key), Trailer::new(seq, Kind::Put), &[b'v'; 100]);
        }
    });
    for (what, expected) in [("longest insert", present.len()), ("the same, table grows", 0)] {
        println!("{what:<24}{:8.1} µs", longest_insert(present, expected).as_nanos() as f64 / 1000.0);
    }
    let mut shuffled = present.to_vec();
    shuffled.sort_by_key(|key| key::hash(&key::hash(key).to_le_bytes()));
    let get = |key: &[u8; 16]| memtable.get(key, key::hash(key), count).map_or(0, |(_, v)| u64::from(v[0]));
    assert_eq!(timed("get, hit", count, || shuffled.iter().map(get).sum::<u64>()), count * 118);
    std::hint::black_box(timed("get, miss", count, || absent.iter().map(get).sum::<u64>()));
    for way in ["forward", "backward"] {
        timed(&format!("walk {way}, copy out"), count, || walk(&memtable, way == "forward"));
    }
    let mut cursor = merged(&memtable);
    timed("seek + 10 next", count / 10, || {
        for key in shuffled.iter().take(present.len() / 10) {
            cursor.seek(key, Trailer(u64::MAX)).unwrap();
            for _ in 0..10 {
                if cursor.valid() {
                    std::hint::black_box(cursor.value().first());
                    cursor.next().unwrap();
                }
            }
        }
    });
    println!(
        "{} runs, {:.1} MiB",
        memtable.parts.load().runs.len(),
        memtable.bytes() as f64 / (1 << 20) as f64
    );
    drop((cursor, writer));
    timed("drop", count, || drop(memtable));
}

/// The insert that seals and merges. Each insert is timed five times and its best time taken, so that what else the
/// machine does stays out.
fn longest_insert(keys: &[[u8; 16]], expected_keys: usize) -> Duration {
    let mut best = vec![Duration::MAX; keys.len()];
    for _ in 0..5 {
        let (mut writer, _) = Memtable::new(Config { expected_keys, index: None }, &Memory::unlimited());
        for ((key, seq), best) in keys.iter().zip(1..).zip(&mut best) {
            let begun = Instant::now();
            writer.insert(key, key::hash(key), Trailer::new(seq, Kind::Put), &[b'v'; 100]);
            *best = begun.elapsed().min(*best);
        }
    }
    best.into_iter().max().unwrap_or_default()
}

fn walk(memtable: &Memtable, forward: bool) {
    let (mut cursor, mut out) = (merged(memtable), Vec::with_capacity(1 << 16));
    if forward { cursor.seek_first() } else { cursor.seek_last() }.unwrap();
    while cursor.valid() {
        if out.len() > 60_000 {
            out.clear();
        }
        out.extend_from_slice(cursor.key());
        out.extend_from_slice(cursor.value());
        if forward { cursor.next() } else { cursor.prev() }.unwrap();
    }
    std::hint::black_box(&out);
}
