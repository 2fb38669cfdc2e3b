//! The danger: what works on made-up keys does not work on real ones.
//!
//! The package index of a Debian machine, some sixty thousand records, goes through the program and is compared with a
//! sorted list: counts, ranges, prefixes, both ways. Machines without `apt-cache` do the same with two thousand made-up
//! stanzas, and so does every other one.

use crate::program::Place;
use crate::support::{Random, from_env};
use serde_json::Value;
use siltstone::store::Value as Stored;
use siltstone::{Db, Slice};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

#[path = "../../examples/packages.rs"]
#[allow(dead_code, reason = "its `main` is for users")]
mod example;

/// A package: its key and its document, as JSON.
pub struct Package {
    pub key: String,
    pub json: Arc<str>,
}

/// Packages as text, and as a list sorted by key.
pub struct Index {
    text: Vec<u8>,
    pub packages: Vec<Package>,
}

/// What apt-cache tells of real packages; made-up ones where it tells nothing.
pub fn index() -> &'static Index {
    real().unwrap_or_else(made_up)
}

fn real() -> Option<&'static Index> {
    static REAL: OnceLock<Option<Index>> = OnceLock::new();
    let read = || match example::ask_apt() {
        Ok(text) => Some(Index::new(text)),
        Err(why) => {
            println!("no real packages: {why}");
            None
        }
    };
    REAL.get_or_init(read).as_ref()
}

fn made_up() -> &'static Index {
    static MADE_UP: OnceLock<Index> = OnceLock::new();
    MADE_UP.get_or_init(|| Index::new(stanzas(2000)))
}

impl Index {
    fn new(text: Vec<u8>) -> Index {
        let documents = example::Documents::new(&*text).map(Result::unwrap);
        let by_key: BTreeMap<String, Arc<str>> =
            documents.map(|d| (example::key(&d), Value::Object(d).to_string().into())).collect();
        Index { text, packages: by_key.into_iter().map(|(key, json)| Package { key, json }).collect() }
    }
}

/// Stanzas with all that real ones have: epochs, tildes, several versions, fields of several lines, letters beyond ASCII.
fn stanzas(count: usize) -> Vec<u8> {
    let mut random = Random::new(17);
    let mut text = String::new();
    for n in 0..count {
        let start = random.pick(&["lib", "python3-", "golang-", "r-", "0", "gcc-", "z"]);
        let epoch = random.pick(&["", "", "1:", "2:"]);
        let tail = random.pick(&["", "~rc1", "+dfsg-1", "-1+b3"]);
        text += &format!("Package: {start}{}\nVersion: {epoch}{}.{n}{tail}\n", n / 3, random.below(30));
        text += &format!(
            "Maintainer: Åse \"Å\" Øy <a\\{n}@example.org>\nInstalled-Size: {}\n",
            random.below(100_000)
        );
        let rest: String = (0..random.below(6))
            .map(|i| format!(" line {i} of\tit\n .\n\t{}\n", "é".repeat(i + 1)))
            .collect();
        text += &format!("Description: something: of use\n{rest}Size: {}\n", random.next());
        text += *random.pick(&["\n", "\n\n", " \n"]);
    }
    text.into_bytes()
}

#[test]
fn stanzas_become_documents() {
    let text = "\nPackage: a\nVersion: 1:2.0~rc-1\nSize: 12\nTag: x,\n y,\n\tz\nInstalled-Size: many\r\n\n\nPackage: b\nVersion: 1";
    let read: Vec<_> = example::Documents::new(text.as_bytes()).map(Result::unwrap).collect();
    assert_eq!(
        Value::Object(read[0].clone()).to_string(),
        r#"{"Package":"a","Version":"1:2.0~rc-1","Size":12,"Tag":"x,\ny,\nz","Installed-Size":"many"}"#
    );
    let keys: Vec<_> = read.iter().map(example::key).collect();
    assert_eq!(keys, ["a:1:2.0~rc-1", "b:1"]);
    for (text, why) in [
        ("Package: a\nnonsense\n", "line 2: neither a field"),
        (" x\n", "line 1: neither a field"),
        ("\nPackage: a\n\n", "line 3: the stanza that ends here has no field `Version`"),
    ] {
        let error = example::Documents::new(text.as_bytes()).next().unwrap().unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn made_up_packages_are_read_as_they_were_loaded() {
    check(made_up());
}

#[test]
fn real_packages_are_read_as_they_were_loaded() {
    match real() {
        Some(index) => check(index),
        None => println!("skipped: there are no real packages here"),
    }
}

fn check(index: &Index) {
    let place = Place::new();
    let mut ndjson = Vec::new();
    example::write_ndjson(&index.text, &mut ndjson).unwrap();
    place.file("packages.ndjson", &ndjson);
    let run = place.run(&["load", "packages.ndjson", "--key", "Package", "--key", "Version"]);
    assert_eq!((run.status, run.stdout.len()), (0, 0), "{run:?}");
    let lines = ndjson.split(|byte| *byte == b'\n').count() - 1;
    let told: String =
        run.stderr.split(" entries").next().unwrap().chars().filter(char::is_ascii_digit).collect();
    assert_eq!(told, lines.to_string(), "{run:?}");

    check_dump(&place, index);
    check_scans(&place, index);
    place.ok(&["verify"]);
    let db = Db::open(place.path().join("data")).unwrap();
    check_ranges(&db, index);
    check_example(&place, index, &db);
    db.compact_range::<&str>(..).unwrap();
    check_ranges(&db, index);
    db.close().unwrap();
}

/// The whole database as text is the list as text.
fn check_dump(place: &Place, index: &Index) {
    let dump = place.ok(&["dump"]);
    let mut lines = dump.lines();
    for Package { key, json } in &index.packages {
        assert_eq!(
            lines.next(),
            Some(&*format!("{{\"key\":{},\"value\":{json}}}", Value::from(key.as_str())))
        );
    }
    assert_eq!(lines.next(), None);
}

/// What the command line prints of ranges and prefixes is what stands in the list.
fn check_scans(place: &Place, index: &Index) {
    let keys: Vec<&str> = index.packages.iter().map(|p| p.key.as_str()).collect();
    let check = |args: &[&str], mut expected: Vec<&str>| {
        let printed = place.ok(&[&["scan", "--keys-only"], args].concat());
        assert!(printed.lines().eq(expected.iter().copied()), "{args:?}");
        expected.reverse();
        let printed = place.ok(&[&["scan", "--keys-only", "--reverse"], args].concat());
        assert!(printed.lines().eq(expected.iter().copied()), "{args:?} --reverse");
    };
    let filtered = |wanted: &dyn Fn(&str) -> bool| keys.iter().copied().filter(|key| wanted(key)).collect();
    check(&[], keys.clone());
    check(&["--prefix", "python3-"], filtered(&|key| key.starts_with("python3-")));
    check(&["--from", "gcc", "--to", "lib"], filtered(&|key| ("gcc"..="lib").contains(&key)));
    let (first, last) = (keys[keys.len() / 3], keys[keys.len() / 2]);
    check(&["--from", first, "--to", last], filtered(&|key| (first..=last).contains(&key)));
    check(&["--prefix", first], filtered(&|key| key.starts_with(first)));
    check(&["--prefix", "no such package"], Vec::new());
    let printed = place.ok(&["scan", "--limit", "3", "--reverse", "--keys-only", "--to", last]);
    let expected: Vec<&str> = keys.iter().rev().copied().filter(|key| *key <= last).take(3).collect();
    assert!(printed.lines().eq(expected));
    assert_eq!(place.ok(&["get", first]), *index.packages[keys.len() / 3].json);
}

/// Random ranges and prefixes, each end open, closed or absent, forward, backward, and from both ends at once.
fn check_ranges(db: &Db, index: &Index) {
    let packages = &index.packages;
    let seed = from_env("SILTSTONE_SEED", 1);
    let random = &mut Random::new(seed);
    for round in 0..300 {
        let (from, to) = (bound(random, packages), bound(random, packages));
        let range = (from.as_ref().map(String::as_str), to.as_ref().map(String::as_str));
        let what = format!("range {round} of SILTSTONE_SEED={seed}: {range:?}");
        let start = match range.0 {
            Bound::Included(key) => packages.partition_point(|p| *p.key < *key),
            Bound::Excluded(key) => packages.partition_point(|p| *p.key <= *key),
            Bound::Unbounded => 0,
        };
        let end = match range.1 {
            Bound::Included(key) => packages.partition_point(|p| *p.key <= *key),
            Bound::Excluded(key) => packages.partition_point(|p| *p.key < *key),
            Bound::Unbounded => packages.len(),
        };
        // Long ranges are looked at near their ends; the whole of it all is compared once.
        let expected = packages.get(start..end).unwrap_or_default();
        let most = if round == 0 { usize::MAX } else { 500 };
        same(db.range::<&str>(range).take(most), expected.iter().take(most), &what);
        same(db.range::<&str>(range).rev().take(most), expected.iter().rev().take(most), &what);
        meet(db.range::<&str>(range), expected, random, &what);
    }
    same(db.iter(), packages.iter(), "everything");
    same(db.iter().rev(), packages.iter().rev(), "everything, backward");
    for _ in 0..300 {
        let key = &random.pick(packages).key;
        let prefix = &key[..random.below(key.len()) + 1];
        let begin = packages.partition_point(|p| *p.key < *prefix);
        let expected = packages[begin..].iter().take_while(|p| p.key.starts_with(prefix));
        let what = format!("prefix {prefix} of SILTSTONE_SEED={seed}");
        same(db.prefix(prefix), expected.clone(), &what);
        let backward: Vec<&Package> = expected.collect();
        same(db.prefix(prefix).rev(), backward.into_iter().rev(), &what);
    }
    for Package { key, json } in packages.iter().step_by(7) {
        assert_eq!(*document(&db.get(key).unwrap().unwrap()), **json, "{key}");
        assert!(db.get(format!("{key}\0")).unwrap().is_none(), "{key}");
    }
}

/// A key that is there, or lies between two that are, or nothing.
fn bound(random: &mut Random, packages: &[Package]) -> Bound<String> {
    let key = &random.pick(packages).key;
    match random.below(6) {
        0 => Bound::Included(key.clone()),
        1 => Bound::Excluded(key.clone()),
        2 => Bound::Included(key[..key.len() / 2].into()),
        3 => Bound::Excluded(key[..key.len() / 2].into()),
        4 => Bound::Excluded(format!("{key}\0")),
        _ => Bound::Unbounded,
    }
}

#[track_caller]
fn same<'a>(
    found: impl Iterator<Item = siltstone::Result<(Slice, Slice)>>,
    expected: impl Iterator<Item = &'a Package>,
    what: &str,
) {
    let mut found = found.map(Result::unwrap);
    for package in expected {
        let (key, value) = found.next().unwrap_or_else(|| panic!("{what}: no {}", package.key));
        assert!(key == package.key, "{what}: {key:?}, expected {}", package.key);
        assert_eq!(*document(&value), *package.json, "{what}: {key:?}");
    }
    assert!(found.next().is_none(), "{what}: one more");
}

/// Goes from both ends in random turns. Where the range is short they meet.
fn meet(mut range: siltstone::Range, mut expected: &[Package], random: &mut Random, what: &str) {
    for _ in 0..200 {
        let found = if random.one_in(2) {
            let first = expected.split_off_first();
            (range.next(), first)
        } else {
            (range.next_back(), expected.split_off_last())
        };
        match found {
            (Some(entry), Some(package)) => assert!(entry.unwrap().0 == package.key, "{what}"),
            (None, None) => break,
            (entry, package) => panic!("{what}: {entry:?}, expected {:?}", package.map(|p| &p.key)),
        }
    }
}

/// The text of a stored document.
pub fn document(stored: &[u8]) -> String {
    match Stored::decode(stored) {
        Stored::Json(text) => text.into_owned(),
        Stored::Hash(_) => panic!("nobody stored a hash"),
        Stored::Bytes(bytes) => Value::from(String::from_utf8_lossy(&bytes)).to_string(),
    }
}

/// The example stores the very bytes that `siltstone load` does, and its tour runs to the end.
fn check_example(place: &Place, index: &Index, loaded: &Db) {
    let db = Db::open(place.path().join("by-example")).unwrap();
    example::load(&db, &index.text).unwrap();
    let pairs = db.iter().map(Result::unwrap);
    assert!(pairs.eq(loaded.iter().map(Result::unwrap)));
    example::show(&db).unwrap();
    db.close().unwrap();
}
