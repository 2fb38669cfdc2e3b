//! Walks that are interrupted and gone on with, brought to the present, or over keys alone.

use siltstone::vfs::Clock;
use siltstone::vfs::mem::{MemVfs, SimClock};
use siltstone::{Background, Db, Error, Keyspace, Options, Page, Range, Slice};
use std::sync::Arc;
use std::time::Duration;

fn options(vfs: &MemVfs, clock: &Arc<SimClock>) -> Options {
    Options::default()
        .vfs(Arc::new(vfs.clone()))
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
        .background(Background::Stepped)
        .memtable_bytes(4 << 10)
        .table_bytes(1 << 10)
        .block_bytes(200)
}

fn filled() -> (MemVfs, Arc<SimClock>, Db) {
    let (vfs, clock) = (MemVfs::new(), Arc::new(SimClock::new(1)));
    let db = options(&vfs, &clock).open("/db").unwrap();
    for n in 0..300 {
        db.put(format!("k{n:03}"), vec![n as u8; n % 90]).unwrap();
    }
    (vfs, clock, db)
}

fn names(pairs: &[(Slice, Slice)]) -> Vec<String> {
    pairs.iter().map(|(key, _)| String::from_utf8(key.to_vec()).unwrap()).collect()
}

/// All keys of a walk in pages, up or down.
fn in_pages(keyspace: &Keyspace, first: Range, limit: usize, down: bool) -> Vec<String> {
    let page = |range: Range| if down { range.page_back(limit) } else { range.page(limit) };
    let (mut all, mut next) = (Vec::new(), Some(page(first).unwrap()));
    while let Some(Page { pairs, next: token }) = next {
        assert!(pairs.len() == limit || token.is_none(), "a page is full, or the last one");
        all.extend(names(&pairs));
        next = token.map(|token| page(keyspace.resume(&token).unwrap()).unwrap());
    }
    all
}

#[test]
fn pages_are_the_whole_in_pieces() {
    let (_, _, db) = filled();
    for limit in [1, 7, 100, 299, 300, 301] {
        for (from, to) in [("", "z"), ("k010", "k290"), ("k1", "k100"), ("x", "z")] {
            let whole = || db.range(from..to);
            let mut expected = names(&whole().collect::<Result<Vec<_>, _>>().unwrap());
            assert_eq!(in_pages(&db, whole(), limit, false), expected);
            expected.reverse();
            assert_eq!(in_pages(&db, whole(), limit, true), expected);
        }
    }
    assert_eq!(in_pages(&db, db.prefix("k29"), 3, false).len(), 10);
    let none = db.iter().page(0).unwrap();
    assert!(none.pairs.is_empty() && none.next.is_some());
}

/// A token says what is left at both ends, and means the present: what was added there shows, what is gone does not.
#[test]
fn a_token_goes_on_where_the_walk_was() {
    let (vfs, clock, db) = filled();
    let snapshot = db.snapshot();
    let mut range = db.range("k100".."k200");
    assert_eq!(range.next().unwrap().unwrap().0, b"k100");
    assert_eq!(range.next_back().unwrap().unwrap().0, b"k199");
    let token = range.resume_token().unwrap();
    for gone in ["k100", "k101", "k198", "k199"] {
        db.delete(gone).unwrap();
    }
    for new in ["k100!", "k0995", "k1985", "k1999"] {
        db.put(new, "new").unwrap();
    }
    let rest = names(&db.resume(&token).unwrap().collect::<Result<Vec<_>, _>>().unwrap());
    assert_eq!((&*rest[0], &*rest[1]), ("k100!", "k102"));
    assert_eq!(rest.last().unwrap(), "k1985");
    assert_eq!(snapshot.resume(&token).unwrap().next().unwrap().unwrap().0, b"k101", "a snapshot stays");
    assert_eq!(range.next().unwrap().unwrap().0, b"k101", "and so does the walk itself");

    // It outlives the process, and is as good for a copy.
    db.checkpoint("/copy").unwrap();
    db.close().unwrap();
    for path in ["/db", "/copy"] {
        let db = options(&vfs, &clock).open(path).unwrap();
        assert_eq!(names(&db.resume(&token).unwrap().collect::<Result<Vec<_>, _>>().unwrap()), rest);
    }
}

#[test]
fn wrong_tokens_are_refused_in_words_that_help() {
    let (vfs, clock, db) = filled();
    let orders = db.keyspace("orders").unwrap();
    let token = db.iter().resume_token().unwrap();
    let refused = |keyspace: &Keyspace, token: &[u8], why: &str| {
        let error = keyspace.resume(token).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    };
    refused(&db, b"", "is none");
    refused(&db, b"k100", "is none");
    refused(&db, &token[..token.len() - 1], "cut off or changed");
    refused(&orders, &token, "belongs to the keyspace \"\" and not to \"orders\": go on there");
    refused(&db, &orders.iter().resume_token().unwrap(), "belongs to the keyspace \"orders\"");
    let another = options(&vfs, &clock).open("/another").unwrap();
    refused(&another, &token, "belongs to another database");
    let error = db.snapshot().within(&orders).unwrap().resume(&token).unwrap_err();
    assert!(error.to_string().contains("belongs to the keyspace"), "{error}");
    db.close().unwrap();
    assert!(matches!(db.iter().resume_token(), Err(Error::Closed)));
    assert!(matches!(db.iter().page(1), Err(Error::Closed)));
}

#[test]
fn keys_alone_are_the_same_keys() {
    let (_, clock, db) = filled();
    db.put_with_ttl("k0005", vec![7; 200], Duration::from_secs(9)).unwrap();
    db.put_with_ttl("k0006", vec![7; 200], Duration::from_secs(999)).unwrap();
    for n in 0..40 {
        db.put("k150", vec![n; 100]).unwrap();
    }
    clock.advance(Duration::from_secs(10));
    let check = || {
        let pairs = db.iter().collect::<Result<Vec<_>, _>>().unwrap();
        let keys: Vec<Slice> = db.iter().keys().collect::<Result<_, _>>().unwrap();
        assert!(pairs.iter().map(|(key, _)| key).eq(&keys));
        let mut down: Vec<Slice> = db.iter().keys().rev().collect::<Result<_, _>>().unwrap();
        down.reverse();
        assert_eq!(down, keys);
        assert_eq!(db.prefix("k000").keys().count(), 2, "one of them has expired");
        assert_eq!(db.snapshot().prefix("k000").keys().rev().count(), 2);
    };
    check();
    db.flush().unwrap();
    check();
    db.compact_range::<&str>(..).unwrap();
    check();
    // In the middle of a walk.
    let mut range = db.range("k010"..);
    range.next().unwrap().unwrap();
    range.next_back().unwrap().unwrap();
    let mut keys = range.keys();
    assert_eq!(keys.next().unwrap().unwrap(), b"k011");
    assert_eq!(keys.next_back().unwrap().unwrap(), b"k298");
}

#[test]
fn a_refreshed_walk_goes_on_in_the_present() {
    let (_, _, db) = filled();
    let mut range = db.range("k290"..);
    assert_eq!(range.by_ref().count(), 10);
    range.refresh().unwrap();
    assert!(range.next().is_none(), "nothing was written");
    db.put("k299!", "new").unwrap();
    db.put("k290!", "behind what was given out").unwrap();
    assert!(range.next().is_none(), "it shows its moment");
    range.refresh().unwrap();
    assert_eq!(range.next().unwrap().unwrap().0, b"k299!");
    assert!(range.next().is_none());

    // Both ends, over flushes and compactions.
    let mut range = db.range("k100"..="k110");
    assert_eq!(range.next().unwrap().unwrap().0, b"k100");
    assert_eq!(range.next_back().unwrap().unwrap().0, b"k110");
    for gone in ["k101", "k105", "k109"] {
        db.delete(gone).unwrap();
    }
    db.put("k1005", "new").unwrap();
    db.compact_range::<&str>(..).unwrap();
    range.refresh().unwrap();
    let rest = names(&range.by_ref().collect::<Result<Vec<_>, _>>().unwrap());
    assert_eq!(rest, ["k1005", "k102", "k103", "k104", "k106", "k107", "k108"]);
    // The ends have met: there is room between them again.
    db.put("k1081", "new").unwrap();
    range.refresh().unwrap();
    assert_eq!(range.next_back().unwrap().unwrap().0, b"k1081");
    assert!(range.next().is_none());

    // A walk over a snapshot leaves it; a snapshot itself can be brought to the present, too.
    let mut snapshot = db.snapshot();
    let copy = snapshot.clone();
    db.put("z", "new").unwrap();
    let mut range = snapshot.prefix("z");
    assert!(range.next().is_none());
    range.refresh().unwrap();
    assert_eq!(range.next().unwrap().unwrap().0, b"z");
    snapshot.refresh().unwrap();
    assert_eq!((snapshot.get("z").unwrap().is_some(), copy.get("z").unwrap()), (true, None));
    assert_eq!(db.stats().snapshots, 2);
    drop((snapshot, copy));
    assert_eq!(db.stats().snapshots, 0);

    let mut range = db.iter();
    range.next().unwrap().unwrap();
    db.close().unwrap();
    assert!(matches!(range.refresh(), Err(Error::Closed)));
    assert_eq!(range.next().unwrap().unwrap().0, b"k001", "it is as it was");
}
