//! What the database counts about itself, and the forms that others read it in.

use crate::support::Random;
use siltstone::vfs::fault::{Fault, FaultVfs, Op};
use siltstone::vfs::mem::{MemVfs, SimClock};
use siltstone::{Background, Compression, Db, Error, Options, Stats};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

fn options(vfs: &MemVfs, clock: &Arc<SimClock>) -> Options {
    Options::default()
        .vfs(Arc::new(vfs.clone()))
        .clock(Arc::clone(clock) as Arc<_>)
        .background(Background::Stepped)
        .memtable_bytes(64 << 10)
        .table_bytes(16 << 10)
        .compression(Compression::None)
}

fn load(db: &Db, entries: u32) {
    let mut random = Random::new(1);
    for n in 0..entries {
        db.put(format!("key{:05}", random.below(20_000)), [n as u8; 100]).unwrap();
    }
}

/// One sample of a page: its labels and its value.
type Sample = (BTreeMap<String, String>, f64);

/// Reads a page of the exposition format 0.0.4 as strictly as it is written down, and our own rules for names (X1, X2).
fn parse(page: &str) -> BTreeMap<String, Vec<Sample>> {
    let mut families: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    let mut lines = page.strip_suffix('\n').expect("a page ends with a line feed").split('\n').peekable();
    while let Some(help) = lines.next() {
        let (name, words) = help.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')).expect(help);
        assert!(words.ends_with('.') && !words.contains(['\\', '\n']), "{help}");
        let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE ")).expect(help);
        let kind = kind.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')).expect(kind);
        assert!(matches!(kind, "gauge" | "counter"), "{kind}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert!(name.starts_with("siltstone_"), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
        let mut samples = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let rest = line.strip_prefix(name).expect(line);
            let (labels, value) = sample(rest);
            let value: f64 = value.parse().expect(line);
            assert!(value.is_finite() && (kind == "gauge" || value >= 0.0), "{line}");
            samples.push((labels, value));
        }
        let distinct: BTreeSet<_> = samples.iter().map(|(labels, _)| labels.clone()).collect();
        assert!(!samples.is_empty() && distinct.len() == samples.len(), "{name}: {samples:?}");
        assert!(families.insert(name.to_string(), samples).is_none(), "{name} is there twice");
    }
    families
}

/// What follows the name on a line: labels, and the text of the value.
fn sample(rest: &str) -> (BTreeMap<String, String>, &str) {
    let mut labels = BTreeMap::new();
    let Some(mut rest) = rest.strip_prefix('{') else { return (labels, rest.strip_prefix(' ').unwrap()) };
    loop {
        let (name, after) = rest.split_once("=\"").unwrap();
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !name.is_empty(), "{name}");
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().unwrap().1 {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    other => panic!("\\{other} is no escape"),
                }),
                (_, other) => value.push(other),
            }
        };
        assert!(labels.insert(name.to_string(), value).is_none());
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (labels, rest.strip_prefix("} ").unwrap()),
        }
    }
}

#[track_caller]
fn one(page: &BTreeMap<String, Vec<Sample>>, name: &str) -> f64 {
    page[name].iter().map(|(_, value)| value).sum()
}

/// The three forms say the same.
fn check_forms(stats: &Stats) -> BTreeMap<String, Vec<Sample>> {
    let page = parse(&stats.prometheus());
    let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(stats).unwrap()).unwrap();
    for (name, field) in [
        ("siltstone_sequence", "/last_sequence"),
        ("siltstone_table_bytes", "/table_bytes"),
        ("siltstone_flushes_total", "/flushes"),
        ("siltstone_written_bytes_total", "/written_bytes"),
        ("siltstone_log_bytes", "/log/bytes"),
        ("siltstone_memory_budget_bytes", "/memory/budget_bytes"),
        ("siltstone_cache_misses_total", "/cache/misses"),
        ("siltstone_snapshots", "/snapshots"),
    ] {
        assert_eq!(Some(one(&page, name)), json.pointer(field).and_then(|v| v.as_f64()), "{name}");
    }
    assert_eq!(one(&page, "siltstone_memory_bytes"), stats.memory.used_bytes() as f64);
    let levels: u64 = stats.levels.iter().map(|level| level.bytes).sum();
    assert_eq!(levels, stats.table_bytes);
    assert!(!stats.to_string().is_empty());
    page
}

#[test]
fn all_forms_agree_at_every_stage() {
    let (vfs, clock) = (MemVfs::new(), Arc::new(SimClock::new(1)));
    let db = options(&vfs, &clock).open("/db").unwrap();
    let empty = check_forms(&db.stats());
    assert!(!empty.contains_key("siltstone_level_bytes") && !empty.contains_key("siltstone_stalls_total"));
    load(&db, 5000);
    let stats = db.stats();
    let page = check_forms(&stats);
    assert!(stats.flushes > 0 && page["siltstone_level_bytes"].len() == 1);
    assert!(stats.stalls["write_buffers_full"].times > 0 && stats.stalled.is_none(), "{:?}", stats.stalls);
    db.compact_range::<&str>(..).unwrap();
    let stats = db.stats();
    check_forms(&stats);
    assert!(stats.compactions > 0);
    assert_eq!((stats.amplification.space, stats.amplification.read), (Some(1.0), 2));
    let write = stats.amplification.write.unwrap();
    assert!(write > 2.0 && write < 50.0, "{write}: at least once to the log and once to a table");
    assert!(stats.written_bytes > 5000 * 108 && stats.log.written_bytes > stats.written_bytes);
    assert!(stats.log.bytes < 128 << 10, "all is in tables, so a segment is needed at most: {:?}", stats.log);
}

#[test]
fn hits_and_misses_are_counted() {
    let (vfs, clock) = (MemVfs::new(), Arc::new(SimClock::new(1)));
    let db = options(&vfs, &clock).open("/db").unwrap();
    load(&db, 2000);
    db.compact_range::<&str>(..).unwrap();
    let count = || {
        let cache = db.stats().cache;
        (cache.hits, cache.misses)
    };
    let before = count();
    let keys: Vec<_> = db.iter().map(|entry| entry.unwrap().0).collect();
    let scanned = count();
    assert!(scanned.1 > before.1);
    keys.iter().for_each(|key| assert!(db.get(key).unwrap().is_some()));
    let first = count();
    keys.iter().for_each(|key| assert!(db.get(key).unwrap().is_some()));
    let second = count();
    assert_eq!((second.0 - first.0, second.1), (keys.len() as u64, first.1), "all are in the cache now");
}

#[test]
fn the_oldest_snapshot_has_an_age() {
    let (vfs, clock) = (MemVfs::new(), Arc::new(SimClock::new(1)));
    let db = options(&vfs, &clock).open("/db").unwrap();
    db.put("a", "1").unwrap();
    assert_eq!(db.stats().oldest_snapshot_seconds, None);
    let snapshot = db.snapshot();
    assert_eq!(db.stats().oldest_snapshot_seconds, Some(0.0));
    clock.advance(Duration::from_secs(90));
    db.put("b", "2").unwrap();
    let _younger = db.snapshot();
    let stats = db.stats();
    assert_eq!((stats.snapshots, stats.oldest_snapshot), (2, Some(1)));
    let page = check_forms(&stats);
    assert!(one(&page, "siltstone_oldest_snapshot_age_seconds") >= 90.0);
    drop(snapshot);
    assert!(db.stats().oldest_snapshot_seconds.unwrap() < 90.0);
}

#[test]
fn troubles_are_told_in_all_forms() {
    let vfs = FaultVfs::over_mem(MemVfs::new());
    let clock = Arc::new(SimClock::new(1));
    let db = options(&MemVfs::new(), &clock).vfs(Arc::new(vfs.clone())).open("/a \"b\"\\\nc").unwrap();
    db.put("a", "1").unwrap();
    vfs.inject(Fault::nth(0).on(Op::Sync).named(".log"));
    assert!(matches!(db.put("b", "2"), Err(Error::ReadOnly { .. })));
    let page = check_forms(&db.stats());
    let (labels, value) = &page["siltstone_read_only"][0];
    assert!(labels["cause"].contains("/a \"b\"\\\nc") && *value == 1.0, "{labels:?}");
    assert_eq!(one(&page, "siltstone_disk_full"), 0.0);
}

#[test]
fn recovery_is_told() {
    let (vfs, clock) = (MemVfs::new(), Arc::new(SimClock::new(1)));
    let db = options(&vfs, &clock).open("/db").unwrap();
    db.put("a", "1").unwrap();
    std::mem::forget(db);
    let image = vfs.crash_image(siltstone::vfs::mem::CrashPolicy::Strict, 0);
    let db = options(&image, &clock).open("/db").unwrap();
    let page = check_forms(&db.stats());
    assert_eq!(
        (one(&page, "siltstone_recovery_clean"), one(&page, "siltstone_recovery_batches")),
        (0.0, 1.0)
    );
}
