//! Expiry: nothing is seen after its time, nothing comes back, snapshots keep to their own time, and space is given back.

use crate::support::Random;
use siltstone::vfs::Clock;
use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::{Background, Db, Error, KeyspaceOptions, Options, Snapshot, WriteBatch};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const SECOND: Duration = Duration::from_secs(1);

fn open(vfs: &MemVfs, clock: &Arc<SimClock>) -> Db {
    Options::default()
        .vfs(Arc::new(vfs.clone()))
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
        .background(Background::Stepped)
        .memtable_bytes(16 << 10)
        .table_bytes(1 << 10)
        .block_bytes(200)
        .level_ratio(2)
        .expiry_lag(10 * SECOND)
        .open("/db")
        .unwrap()
}

fn keys(db: &Db) -> Vec<String> {
    let text = |pair: siltstone::Result<(siltstone::Slice, _)>| String::from_utf8(pair.unwrap().0.to_vec());
    let forwards: Vec<String> = db.iter().map(|pair| text(pair).unwrap()).collect();
    let mut backwards: Vec<String> = db.iter().rev().map(|pair| text(pair).unwrap()).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    forwards
}

#[test]
fn a_value_is_there_until_its_time_to_the_millisecond() {
    let (vfs, clock) = (MemVfs::new(), Arc::new(SimClock::new(1)));
    let db = open(&vfs, &clock);
    for flush in [false, true] {
        db.put("k", "for ever").unwrap();
        db.put_with_ttl("k", "short", SECOND).unwrap();
        if flush {
            db.flush().unwrap();
        }
        clock.advance(Duration::from_millis(999));
        let (value, expiry) = db.get_with_expiry("k").unwrap().unwrap();
        assert_eq!(value, "short");
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(clock.wall_ms() + 1);
        assert_eq!(expiry, Some(at));
        assert_eq!(keys(&db), ["k"]);
        clock.advance(Duration::from_millis(1));
        assert_eq!(db.get("k").unwrap(), None, "what it replaced does not come back");
        assert!(keys(&db).is_empty());
        assert_eq!(db.get_with_expiry("k").unwrap(), None);
    }
    db.put_with_ttl("k", "gone at once", Duration::ZERO).unwrap();
    assert_eq!(db.get("k").unwrap(), None);
    db.put("k", "for ever").unwrap();
    assert_eq!(db.get_with_expiry("k").unwrap().unwrap().1, None);
}

#[test]
fn a_clock_that_is_set_back_brings_nothing_back() {
    let (vfs, clock) = (MemVfs::new(), Arc::new(SimClock::new(1)));
    let db = open(&vfs, &clock);
    let start = clock.wall_ms();
    db.put_with_ttl("k", "v", 5 * SECOND).unwrap();
    clock.advance(6 * SECOND);
    assert_eq!(db.get("k").unwrap(), None);
    clock.set_wall_ms(start);
    assert_eq!(db.get("k").unwrap(), None);
    db.put_with_ttl("later", "v", SECOND).unwrap();
    assert!(db.get("later").unwrap().is_some());
    db.close().unwrap();
    drop(db);
    let db = open(&vfs, &clock);
    assert_eq!(db.get("k").unwrap(), None, "nor after the database was opened again");
    assert!(db.get("later").unwrap().is_some());
}

#[test]
fn a_snapshot_keeps_to_the_time_it_was_taken_at() {
    let (vfs, clock) = (MemVfs::new(), Arc::new(SimClock::new(1)));
    let db = open(&vfs, &clock);
    db.put_with_ttl("a", "v", SECOND).unwrap();
    db.put_with_ttl("b", "v", 3 * SECOND).unwrap();
    let before = db.snapshot();
    clock.advance(2 * SECOND);
    let between = db.snapshot();
    clock.advance(2 * SECOND);
    let check = |snapshot: &Snapshot, expected: &[&str]| {
        let found: Vec<_> = snapshot.iter().map(|pair| pair.unwrap().0).collect();
        assert_eq!(found, expected);
        let got: Vec<_> = ["a", "b"].into_iter().filter(|k| snapshot.get(k).unwrap().is_some()).collect();
        assert_eq!(got, expected);
    };
    for _ in 0..3 {
        check(&before, &["a", "b"]);
        check(&between, &["b"]);
        assert!(keys(&db).is_empty());
        db.compact_range::<&str>(..).unwrap();
    }
    drop((before, between));
    db.put("z", "").unwrap();
    db.compact_range::<&str>(..).unwrap();
    assert_eq!(db.stats().expiring, 0);
}

#[test]
fn keyspaces_and_batches_have_times_of_their_own() {
    let (vfs, clock) = (MemVfs::new(), Arc::new(SimClock::new(1)));
    let db = open(&vfs, &clock);
    let cache = db.keyspace_with("cache", KeyspaceOptions::default().ttl(Some(2 * SECOND))).unwrap();
    assert_eq!(cache.ttl(), Some(2 * SECOND));
    cache.put("a", "").unwrap();
    cache.put_with_ttl("b", "", 9 * SECOND).unwrap();
    let mut batch = WriteBatch::new();
    batch.within(&cache).put("c", "");
    batch.within(&cache).put_with_ttl("d", "", 9 * SECOND);
    batch.put_until("e", "", SystemTime::UNIX_EPOCH + Duration::from_millis(clock.wall_ms() + 2000));
    batch.put("f", "");
    clock.advance(SECOND);
    db.write(batch).unwrap();
    let there = |db: &Db| {
        let cache = db.keyspace("cache").unwrap();
        let names = |space: &siltstone::Keyspace| -> String {
            space.iter().map(|pair| String::from_utf8(pair.unwrap().0.to_vec()).unwrap()).collect()
        };
        names(&cache) + &names(db)
    };
    assert_eq!(there(&db), "abcdef");
    clock.advance(SECOND);
    assert_eq!(there(&db), "bcdf");
    clock.advance(SECOND);
    assert_eq!(there(&db), "bdf");
    db.close().unwrap();
    drop((db, cache));

    let db = open(&vfs, &clock);
    assert_eq!(there(&db), "bdf");
    let cache = db.keyspace("cache").unwrap();
    assert_eq!(cache.ttl(), Some(2 * SECOND), "options are kept");
    let asked = KeyspaceOptions::default();
    let refused = db.keyspace_with("cache", asked).unwrap_err();
    assert!(matches!(&refused, Error::OptionsDiffer { keyspace, .. } if keyspace == "cache"), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("for 2s") && text.contains("for ever") && text.contains("set_options"), "{text}");
    assert_eq!(cache.ttl(), Some(2 * SECOND), "and not changed in passing");
    db.keyspace_with("cache", asked.ttl(Some(2 * SECOND))).unwrap();
    db.keyspace("cache").unwrap().set_options(asked).unwrap();
    assert_eq!(cache.ttl(), None, "but for every handle, when that is asked for");
    db.keyspace_with("cache", asked).unwrap();
    let refused = db.set_options(asked).unwrap_err();
    assert!(matches!(&refused, Error::InvalidArgument { .. }), "{refused}");
    let gone = db.keyspace("gone").unwrap();
    db.drop_keyspace("gone").unwrap();
    assert!(matches!(gone.set_options(asked), Err(Error::KeyspaceDropped { .. })));
    drop(gone);
    cache.put("g", "").unwrap();
    clock.advance(100 * SECOND);
    assert_eq!(there(&db), "gf");
    drop((db, cache));
    assert_eq!(open(&vfs, &clock).keyspace("cache").unwrap().ttl(), None);
}

/// Random writes, with and without a time to live, against a map; with flushes, compactions, power cuts and a clock that
/// jumps both ways.
#[test]
fn random_expiries_agree_with_a_map() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let clock = Arc::new(SimClock::new(seed));
        let mut vfs = MemVfs::new();
        // The database's time is the latest that it has looked at. So that the map has the same it looks at each step.
        let look = |db: &Db| db.put_with_ttl("unseen", "", Duration::ZERO).unwrap();
        let mut db = open(&vfs, &clock);
        let mut map: BTreeMap<String, (u32, u64)> = BTreeMap::new();
        let (mut latest, mut snapshots) = (clock.wall_ms(), Vec::new());
        for stamp in 0..1500u32 {
            latest = latest.max(clock.wall_ms());
            look(&db);
            let key = format!("key{:02}", random.below(40));
            match random.below(100) {
                0..30 => {
                    let ttl = random.below(20_000) as u64;
                    db.put_with_ttl(&key, stamp.to_le_bytes(), Duration::from_millis(ttl)).unwrap();
                    map.insert(key, (stamp, latest + ttl));
                }
                30..50 => {
                    db.put(&key, stamp.to_le_bytes()).unwrap();
                    map.insert(key, (stamp, u64::MAX));
                }
                50..60 => {
                    db.delete(&key).unwrap();
                    map.remove(&key);
                }
                60..75 => clock.advance(Duration::from_millis(random.below(3000) as u64)),
                75..77 => clock.set_wall_ms(clock.wall_ms() - random.below(10_000) as u64),
                77..80 => db.flush().unwrap(),
                80..82 => db.compact_range::<&str>(..).unwrap(),
                82..84 if snapshots.len() > 3 => drop(snapshots.remove(0)),
                82..84 => snapshots.push((db.snapshot(), alive(&map, latest))),
                84 => {
                    snapshots.clear();
                    drop(db);
                    vfs = vfs.crash_image(CrashPolicy::Strict, u64::from(stamp));
                    // What was seen to have expired may only be known to the manifest.
                    clock.set_wall_ms(clock.wall_ms().max(latest));
                    db = open(&vfs, &clock);
                }
                _ => {
                    let expected =
                        map.get(&key).filter(|(_, end)| *end > latest).map(|(v, _)| v.to_le_bytes());
                    let found = db.get(&key).unwrap();
                    assert_eq!(found.as_deref(), expected.as_ref().map(|v| &v[..]), "seed {seed}, {stamp}");
                }
            }
            if stamp % 50 == 0 {
                latest = latest.max(clock.wall_ms());
                look(&db);
                let names: Vec<String> = alive(&map, latest).into_iter().map(|(key, _)| key).collect();
                assert_eq!(keys(&db), names, "seed {seed}, {stamp}");
                check_snapshots(&snapshots, seed);
            }
        }
    }
}

/// The keys that have not expired, and their values.
fn alive(map: &BTreeMap<String, (u32, u64)>, now: u64) -> Vec<(String, u32)> {
    map.iter().filter(|(_, (_, end))| *end > now).map(|(key, (value, _))| (key.clone(), *value)).collect()
}

/// What snapshots see does not change.
fn check_snapshots(snapshots: &[(Snapshot, Vec<(String, u32)>)], seed: u64) {
    let pair = |pair: siltstone::Result<(siltstone::Slice, siltstone::Slice)>| {
        let (key, value) = pair.unwrap();
        (String::from_utf8(key.to_vec()).unwrap(), u32::from_le_bytes(value[..].try_into().unwrap()))
    };
    for (snapshot, expected) in snapshots {
        let found: Vec<_> = snapshot.iter().map(pair).collect();
        assert_eq!(found, *expected, "seed {seed}");
    }
}

/// With threads and the real clock: what has expired goes by itself, whatever was in buffers and tables, and nobody reads it.
#[test]
fn expired_data_goes_without_anybody_reading_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default().expiry_lag(SECOND).memtable_bytes(64 << 10).table_bytes(16 << 10);
    let db = options.open(folder.path().join("db")).unwrap();
    db.put("stays", "").unwrap();
    for n in 0..2000 {
        let mut batch = WriteBatch::new();
        batch.put_with_ttl(format!("key{n:05}"), [7; 100], Duration::from_millis(500));
        db.write_with(batch, siltstone::Durability::Os).unwrap();
    }
    let started = std::time::Instant::now();
    loop {
        let stats = db.stats();
        if stats.expiring == 0 && stats.expiry_lag_seconds == 0.0 && stats.table_bytes < 4096 {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "expired data stays: {stats}");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(keys(&db), ["stays"]);
}
