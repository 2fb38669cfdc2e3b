//! Every byte of every file is damaged, one at a time, and every file is cut, lost, exchanged and prolonged.
//!
//! Two kinds of store are damaged: some that were closed, with tables on two levels, and some whose power was cut, with a log.
//! Whatever is done to them, opening and reading give the right data, or an error that names a file; never wrong, missing or
//! additional data, never a panic. Of a closed store, open or `verify` reports every single change. Of one that was not
//! closed, only the last write, which nothing in the files vouches for, may be left out, and only with a word about it.
//!
//! `SILTSTONE_DAMAGE_BITS=8` flips every bit instead of one in each byte.

use crate::history::{History, Map, Step, assert_holds, brief, run, write};
use crate::support::from_env;
use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::{Background, Compression, Db, Durability, Error, Options};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A store, and what it holds.
struct Store {
    name: &'static str,
    vfs: MemVfs,
    expected: Map,
    /// The state without the last write, which may be lost, where there is a log.
    without_last: Option<Map>,
    /// The same at an earlier time, and of another database.
    earlier: MemVfs,
    other: MemVfs,
}

fn options(vfs: &MemVfs, compression: Compression, filter_bits: u32, seed: u64) -> Options {
    Options::default()
        .vfs(Arc::new(vfs.clone()))
        .clock(Arc::new(SimClock::new(seed)))
        .background(Background::Stepped)
        .memtable_bytes(16 << 10)
        .memtable_entries(12)
        .table_bytes(500)
        .block_bytes(150)
        .level_ratio(2)
        .cache_bytes(0)
        .compression(compression)
        .bottom_compression(compression)
        .filter_bits(filter_bits)
}

/// Writes that leave tables in level 0 and at the bottom, deletions among them, and then some more.
fn steps() -> Vec<Step> {
    let key = |n: usize| format!("key{:03}", n * 37 % 60).into_bytes();
    let put = |n: usize| {
        let len = if n.is_multiple_of(17) { 700 } else { n % 30 };
        Step::Write(vec![(key(n), Some(vec![b'a' + (n % 26) as u8; len]))], None)
    };
    let delete = |n: usize| Step::Write(vec![(key(n), None)], None);
    let mut steps: Vec<Step> = (0..40).map(put).collect();
    steps.push(Step::Compact);
    steps.extend((40..50).map(put));
    steps.extend([delete(3), delete(41), Step::Flush]);
    steps.extend((50..54).map(put));
    steps
}

fn closed(name: &'static str, compression: Compression, filter_bits: u32) -> Store {
    let build = |seed: u64| {
        let vfs = MemVfs::new();
        let mut history = History::new(Map::new());
        let options = options(&vfs, compression, filter_bits, seed);
        vfs.schedule_crash(60, CrashPolicy::All, 0);
        run(&options, Durability::Sync, &steps(), &mut history, || vfs.op_count());
        (vfs, history)
    };
    let (vfs, history) = build(1);
    let earlier = vfs.take_crash_image().unwrap();
    Store { name, earlier, vfs, expected: history.map, without_last: None, other: build(2).0 }
}

/// As [`closed`], but the power was cut at the end, with two segments of log in use.
fn cut(name: &'static str, compression: Compression) -> Store {
    let build = |seed: u64| {
        let vfs = MemVfs::new();
        let db = options(&vfs, compression, 10, seed).durability(Durability::Sync).open("/db").unwrap();
        let mut history = History::new(Map::new());
        let mut one = |step: &Step| match step {
            Step::Write(writes, durability) => {
                history.begin(0, writes);
                write(&db, writes, *durability).unwrap();
            }
            Step::Flush => db.flush().unwrap(),
            _ => db.compact_range::<&[u8]>(..).unwrap(),
        };
        steps().iter().for_each(&mut one);
        let earlier = vfs.crash_image(CrashPolicy::All, 0);
        // A segment is in use when something follows its header.
        let is_used = |path: &PathBuf| {
            let log = path.extension() == Some("log".as_ref());
            log && vfs.read_file(path).unwrap().iter().skip(32).any(|byte| *byte != 0)
        };
        let logs = || vfs.files().iter().filter(|path| is_used(path)).count();
        // The log rotates when it is half full and a buffer is, so some long values are needed.
        let long = |n: usize| Step::Write(vec![(b"long".to_vec(), Some(vec![n as u8; 3000]))], None);
        (0..60).take_while(|_| logs() < 2).for_each(|n| one(&long(n)));
        steps()[1..4].iter().for_each(&mut one);
        assert!(logs() >= 2);
        (vfs.crash_image(CrashPolicy::Strict, 0), earlier, history)
    };
    let (vfs, earlier, history) = build(1);
    let (all, but_one) = (history.state(history.len()), history.state(history.len() - 1));
    Store { name, vfs, earlier, expected: all, without_last: Some(but_one), other: build(2).0 }
}

/// What became of a damaged store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// An error that named a file.
    Reported,
    /// The last write was left out, and the report of the recovery says so.
    Cut,
    /// All data was right, and nobody noticed.
    Unnoticed,
}

impl Store {
    fn files(&self, ending: &str) -> Vec<PathBuf> {
        self.vfs.files().into_iter().filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
    }

    /// Opens and reads the store after `change`.
    fn after(&self, what: &dyn Fn() -> String, change: impl FnOnce(&MemVfs)) -> Verdict {
        let vfs = self.vfs.crash_image(CrashPolicy::All, 0);
        change(&vfs);
        let what = || format!("{}: {}", self.name, what());
        let opened = options(&vfs, Compression::None, 10, 3).open("/db");
        match opened {
            Err(e) => reported(&e, &what),
            Ok(db) => self.read(&db, &what),
        }
    }

    /// As [`Store::after`], with another content of one file.
    fn with(&self, path: &Path, what: &str, bytes: &[u8]) -> Verdict {
        let what = || format!("{} {what}", path.display());
        self.after(&what, |vfs| vfs.write_file(path, bytes).unwrap())
    }

    fn read(&self, db: &Db, what: &dyn Fn() -> String) -> Verdict {
        let cut = !db.recovery().cuts.is_empty();
        let (forwards, failed) = collect(db.iter(), what);
        let shorter =
            self.without_last.as_ref().filter(|_| cut && !failed && forwards != pairs(&self.expected));
        let expected = shorter.unwrap_or(&self.expected);
        let wanted = pairs(expected);
        let is_right = |found: &[(Vec<u8>, Vec<u8>)], failed: bool, wanted: &[(Vec<u8>, Vec<u8>)]| {
            if failed { wanted.starts_with(found) } else { found == wanted }
        };
        let found = || brief(&forwards.iter().cloned().collect());
        assert!(
            is_right(&forwards, failed, &wanted),
            "{}: found {} expected {}",
            what(),
            found(),
            brief(expected)
        );
        let (backwards, failed_backwards) = collect(db.iter().rev(), what);
        let reversed: Vec<_> = wanted.iter().rev().cloned().collect();
        assert!(is_right(&backwards, failed_backwards, &reversed), "{}: backwards", what());
        let failed_get = self.get_all(db, expected, what);
        let sound = db.verify().unwrap();
        assert!(sound.problems.iter().all(|p| p.contains("/db/")), "{}: {:?}", what(), sound.problems);
        // What reading stumbles over, `verify` finds; so it need not be looked for by reading.
        let failed = failed || failed_backwards || failed_get;
        assert!(!failed || !sound.is_sound(), "{}: reading failed, but it is called sound", what());
        match () {
            () if !sound.is_sound() => Verdict::Reported,
            () if cut => Verdict::Cut,
            () => Verdict::Unnoticed,
        }
    }

    /// Asks for every key, and some that are not there; true when there was an error.
    fn get_all(&self, db: &Db, expected: &Map, what: &dyn Fn() -> String) -> bool {
        let mut failed = false;
        let absent = (0..60).step_by(7).map(|n| format!("key{n:03}x").into_bytes());
        for key in self.expected.keys().cloned().chain(absent) {
            match db.get(&key) {
                Ok(found) => {
                    let wanted = expected.get(&key).map(Vec::as_slice);
                    assert!(found.as_deref() == wanted, "{}: wrong value of {}", what(), key.escape_ascii());
                }
                Err(e) => {
                    reported(&e, what);
                    failed = true;
                }
            }
        }
        failed
    }
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn pairs(map: &Map) -> Pairs {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// What came before the end or the first error, and whether there was one.
fn collect(
    range: impl Iterator<Item = siltstone::Result<(siltstone::Slice, siltstone::Slice)>>,
    what: &dyn Fn() -> String,
) -> (Pairs, bool) {
    let mut found = Vec::new();
    for pair in range {
        match pair {
            Ok((key, value)) => found.push((key.to_vec(), value.to_vec())),
            Err(e) => {
                reported(&e, what);
                return (found, true);
            }
        }
    }
    (found, false)
}

fn reported(e: &Error, what: &dyn Fn() -> String) -> Verdict {
    let text = e.to_string();
    assert!(text.contains("/db"), "{}: no file is named: {text}", what());
    let of_a_kind = matches!(
        e,
        Error::Corruption(_) | Error::Incompatible { .. } | Error::NotADatabase { .. } | Error::Io { .. }
    );
    assert!(of_a_kind, "{}: {text}", what());
    Verdict::Reported
}

/// Counts verdicts.
#[derive(Default, Debug)]
struct Tally {
    trials: u64,
    cuts: u64,
    unnoticed: Vec<String>,
}

impl Tally {
    fn add(&mut self, verdict: Verdict, what: impl FnOnce() -> String) {
        self.trials += 1;
        match verdict {
            Verdict::Reported => {}
            Verdict::Cut => self.cuts += 1,
            Verdict::Unnoticed => self.unnoticed.push(what()),
        }
    }
}

/// Everything that is done to each file on its own.
fn damage_each_file(store: &Store, tally: &mut Tally) {
    let bits = from_env("SILTSTONE_DAMAGE_BITS", 1);
    for path in store.vfs.files() {
        let name = path.display().to_string();
        let good = store.vfs.read_file(&path).unwrap();
        let used = 100 + good.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        for at in 0..used.min(good.len()) {
            for bit in 0..bits {
                let bit = (at as u64 + bit) % 8;
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                let what = format!("bit {bit} of byte {at}");
                tally.add(store.with(&path, &what, &bad), || format!("{name}: {what}"));
            }
        }
        for len in (0..used.min(good.len())).step_by(1 + used / 1500).chain((used..good.len()).step_by(5003))
        {
            let what = format!("cut to {len} bytes");
            tally.add(store.with(&path, &what, &good[..len]), || format!("{name}: {what}"));
        }
        for junk in [vec![0], vec![1], vec![0xff; 100], good.clone(), vec![0; 4096]] {
            if junk.is_empty() {
                continue;
            }
            let what = format!("{} bytes appended", junk.len());
            tally.add(store.with(&path, &what, &[&good[..], &junk].concat()), || format!("{name}: {what}"));
        }
        let what = || format!("{name} lost");
        tally.add(store.after(&what, |vfs| vfs.remove_file(&path).unwrap()), what);
        if let Ok(bytes) = store.other.read_file(&path) {
            tally.add(store.with(&path, "of another database", &bytes), || {
                format!("{name} of another database")
            });
        }
    }
}

/// Two files of a kind change places.
fn exchange(store: &Store, ending: &str, tally: &mut Tally) {
    let files = store.files(ending);
    for (i, a) in files.iter().enumerate() {
        for b in &files[..i] {
            let what = || format!("{} and {} exchanged", a.display(), b.display());
            let verdict = store.after(&what, |vfs| {
                let (first, second) = (vfs.read_file(a).unwrap(), vfs.read_file(b).unwrap());
                vfs.write_file(a, &second).unwrap();
                vfs.write_file(b, &first).unwrap();
            });
            tally.add(verdict, what);
        }
    }
}

/// Ranges of a file become zeros, or what another part of it holds.
fn overwrite_ranges(store: &Store, ending: &str, tally: &mut Tally) {
    for path in store.files(ending) {
        let good = store.vfs.read_file(&path).unwrap();
        for at in (0..good.len()).step_by(64) {
            for len in [16, 512, 4096] {
                let end = (at + len).min(good.len());
                let from = (at + 128) % good.len();
                let mut copied = good.clone();
                copied.copy_within(from..(from + end - at).min(good.len()), at.min(from));
                let mut zeroed = good.clone();
                zeroed[at..end].fill(0);
                for (what, bad) in [("zeroed", zeroed), ("copied over", copied)] {
                    if bad != good {
                        let what = format!("{at}..{end} {what}");
                        tally.add(store.with(&path, &what, &bad), || format!("{}: {what}", path.display()));
                    }
                }
            }
        }
    }
}

/// Whether nobody needs this file: an empty lock, or a prepared log segment that is not used yet.
fn is_idle(unnoticed: &str) -> bool {
    unnoticed.starts_with("/db/LOCK")
}

#[test]
fn damage_to_a_closed_store_is_always_reported() {
    let stores = [
        closed("uncompressed", Compression::None, 10),
        closed("lz4", Compression::Lz4, 1),
        closed("zstd, no filter", Compression::Zstd(-1), 0),
    ];
    let mut tally = Tally::default();
    for store in &stores {
        let db = options(&store.vfs.crash_image(CrashPolicy::All, 0), Compression::None, 10, 3)
            .open("/db")
            .unwrap();
        assert!(db.recovery().clean && db.stats().levels.len() == 2 && db.stats().levels[1].tables > 2);
        assert_holds(&db, &store.expected, &|| store.name.into());
        damage_each_file(store, &mut tally);
        exchange(store, ".table", &mut tally);
        overwrite_ranges(store, "e", &mut tally);
        overwrite_ranges(store, "t", &mut tally);
        // An older manifest, left behind by a restore from a copy.
        for path in store.files(".manifest") {
            let old = store.earlier.read_file(&path).unwrap();
            tally.add(store.with(&path, "of earlier", &old), || "an earlier manifest".into());
        }
    }
    tally.unnoticed.retain(|what| !is_idle(what));
    println!("{} damages to closed stores, all reported", tally.trials);
    assert!(
        tally.unnoticed.is_empty() && tally.cuts == 0,
        "{} unnoticed: {:#?}",
        tally.unnoticed.len(),
        tally.unnoticed
    );
    assert!(tally.trials > 10_000);
}

#[test]
fn damage_to_a_store_without_power_costs_the_last_write_at_most() {
    let store = cut("power cut", Compression::None);
    assert!(store.files(".table").len() > 2);
    let mut tally = Tally::default();
    damage_each_file(&store, &mut tally);
    for ending in [".table", ".log"] {
        exchange(&store, ending, &mut tally);
    }
    println!(
        "{} damages to a store whose power was cut: {} cost the last write, {} nothing and were not noticed",
        tally.trials,
        tally.cuts,
        tally.unnoticed.len()
    );
    assert!(tally.trials > 3000 && tally.cuts > 0);
}
