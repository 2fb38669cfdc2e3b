//! The literal bytes of an edit, a manifest and a `CURRENT`. They must never change.

use super::{commit, create, dir};
use crate::Error;
use crate::engine::coding::put_varint;
use crate::engine::filename::MAX_NUMBER;
use crate::engine::key::{KeyspaceId, MAX_SEQ};
use crate::engine::manifest::current::{CleanEnd, Current, State};
use crate::engine::manifest::describe::{describe_current, describe_manifest};
use crate::engine::manifest::edit::{Edit, SealedLog};
use crate::engine::manifest::fixture::table;
use crate::engine::sstable::summary::TableSummary;
use crate::engine::tombstones::Tombstone;
use crate::vfs::mem::MemVfs;
use std::path::Path;

/// An edit with every field, and its bytes.
pub(super) fn full() -> Edit {
    let mut added = table("300[a-b]:1000@5-600x2/7");
    (added.expiring, added.min_expiry, added.max_expiry) = (1, 3, 4);
    (added.clean_seq, added.raw_bytes) = (8, 2000);
    Edit {
        added: vec![(6, added)],
        removed: vec![(0, 9), (1, 200)],
        tombstones: vec![Tombstone { seq: 300, start: b"\x02a"[..].into(), end: b"\x03"[..].into() }],
        retired: vec![7],
        min_log: Some(3),
        log_base: Some(128),
        newest_log: Some(4),
        last_seq: Some(700),
        next_table: Some(301),
        created_keyspaces: vec![(KeyspaceId(2), "ö".into())],
        dropped_keyspaces: vec![KeyspaceId(1)],
        keyspace_ttls: vec![(KeyspaceId(2), 1000)],
        time: Some(700),
        next_keyspace: Some(3),
        sealed_logs: vec![SealedLog { number: 3, len: 512, checksum: 0x0102_0304 }],
    }
}

const GOLDEN_EDIT: &[u8] = b"\x02\x02\x00\x09\x02\x03\x01\xc8\x01\
    \x01\x18\x06\xac\x02\xe8\x07\xcd\xab\x00\x00\x07\x02\x01\x01a\x01b\x05\xd8\x04\x08\x03\x04\xd0\x0f\
    \x03\x01\x03\x04\x01\x04\x05\x02\xbc\x05\x06\x02\xad\x02\x09\x01\x03\x0d\x02\x80\x01\x11\x02\xbc\x05\
    \x0e\x01\x07\x0b\x07\xac\x02\x02\x02a\x01\x03\x07\x03\x02\xc3\xb6\x10\x03\x02\xe8\x07\x08\x01\x01\x0a\x07\x03\x80\x04\x04\x03\x02\x01";

#[test]
fn golden_edit() {
    let bytes = full().encode();
    assert_eq!(bytes, GOLDEN_EDIT, "{}", bytes.escape_ascii());
    assert_eq!(Edit::decode(Path::new("m"), 0, &bytes).unwrap(), full());
}

#[test]
fn unknown_fields_are_refused_below_128_and_skipped_above() {
    let with = |tag: &[u8]| [tag, &[3, 1, 2, 3], &[4, 1, 9]].concat();
    for tag in [&[0][..], &[12], &[15], &[127]] {
        let e = Edit::decode(Path::new("m"), 0, &with(tag)).unwrap_err();
        assert!(matches!(e, Error::Incompatible { what: "manifest field", .. }), "{e}");
    }
    for tag in [&[0x80, 1][..], &[0xff, 0x7f]] {
        let edit = Edit::decode(Path::new("m"), 0, &with(tag)).unwrap();
        assert_eq!(edit, Edit { newest_log: Some(9), ..Edit::default() });
    }
}

#[test]
fn fields_are_used_to_the_end_and_not_repeated() {
    let cases: [&[u8]; 10] = [
        b"\x03\x02\x01\x01",             // a byte too many
        b"\x03\x01\x01\x03\x01\x02",     // min log twice
        b"\x03\x00",                     // empty
        b"\x03\x02\x81\x00",             // a varint longer than needed
        b"\x02\x02\x07\x01",             // level 7
        b"\x07\x02\x02\xff",             // a name that is no text
        b"\x08\x05\x80\x80\x80\x80\x04", // a keyspace id of 31 bits
        b"\x09\x05\x80\x80\x80\x80\x10", // a keyspace id of 33 bits
        b"\x0a\x03\x01\x01\x01",         // a checksum cut off
        b"\x03\x05\x01",                 // a length beyond the end
    ];
    for bytes in cases {
        let e = Edit::decode(Path::new("m"), 100, bytes).unwrap_err();
        assert!(e.is_corruption() && e.to_string().contains("offset 10"), "{bytes:?}: {e}");
    }
}

/// Found by fuzzing: the number after such a one did not fit, and opening panicked.
#[test]
fn numbers_that_there_cannot_be_are_refused() {
    let cases = [(3, MAX_NUMBER), (4, MAX_NUMBER), (5, MAX_SEQ), (6, MAX_NUMBER), (13, 1 << 62)];
    for (tag, most) in cases {
        let edit = |number| {
            let mut body = Vec::new();
            put_varint(&mut body, number);
            [&[tag, body.len() as u8], &body[..]].concat()
        };
        assert!(Edit::decode(Path::new("m"), 0, &edit(most)).is_ok(), "field {tag}");
        for number in [most + 1, u64::MAX] {
            let e = Edit::decode(Path::new("m"), 0, &edit(number)).unwrap_err();
            assert!(e.is_corruption() && e.to_string().contains("out of range"), "field {tag}: {e}");
        }
    }
    let good = full();
    for change in [|t: &mut TableSummary| t.number = u64::MAX, |t: &mut TableSummary| t.max_seq = MAX_SEQ + 1]
    {
        let mut edit = good.clone();
        change(&mut edit.added[0].1);
        assert!(Edit::decode(Path::new("m"), 0, &edit.encode()).unwrap_err().is_corruption());
    }
}

const GOLDEN_CURRENT: &[u8] =
    b"siltston\x04\x01\0\0\x60\x0d\x68\x39\x08\x07\x06\x05\x04\x03\x02\x01\x09\0\0\0\0\0\0\0\
    \x01\0\0\0\0\0\0\0\x22\x11\0\0\0\0\0\0\x66\x55\x44\x33\x05\0\0\0\x77\0\0\0\0\0\0\0\x2d\x2a\xd2\xd5";

#[test]
fn golden_current() {
    let end = CleanEnd { manifest_len: 0x1122, chain: 0x3344_5566, last_seq: 0x77, deletions: 5 };
    let current = Current { database: 0x0102_0304_0506_0708, manifest: 9, state: State::Clean(end) };
    let bytes = current.encode();
    assert_eq!(bytes, GOLDEN_CURRENT, "{}", bytes.escape_ascii());
    assert_eq!(Current::decode(Path::new("c"), &bytes).unwrap(), current);
    assert_eq!(
        describe_current(Path::new("c"), &bytes).unwrap(),
        "current of database 0102030405060708\n  manifest 9\n  clean: the manifest has 4386 bytes and ends with 33445566; \
         last sequence number 119; 5 deletions in the manifest alone\n"
    );
    let dirty = Current { state: State::Dirty, ..current };
    assert_eq!(Current::decode(Path::new("c"), &dirty.encode()).unwrap(), dirty);
}

const GOLDEN_MANIFEST: &[u8] =
    b"siltston\x03\x01\0\0\xa0\x27\x11\x94\xc1\x5c\x02\x89\xec\x2d\x0a\x91\x01\0\0\0\0\0\0\0\
    \x19\xfd\x6d\x39\x12\0\0\0\0\0\0\0\
    \x03\x01\x01\x04\x01\x00\x05\x01\x00\x06\x01\x01\x09\x01\x01\x0d\x01\x00\
    \x01\xf1\xc0\x56\x4f\0\0\0\x19\xfd\x6d\x39\
    \x01\x18\x06\xac\x02\xe8\x07\xcd\xab\x00\x00\x07\x02\x01\x01a\x01b\x05\xd8\x04\x08\x03\x04\xd0\x0f\
    \x03\x01\x03\x04\x01\x04\x05\x02\xbc\x05\x06\x02\xad\x02\x09\x01\x03\x0d\x02\x80\x01\x11\x02\xbc\x05\
    \x0b\x07\xac\x02\x02\x02a\x01\x03\x07\x03\x02\xc3\xb6\x10\x03\x02\xe8\x07\x0a\x07\x03\x80\x04\x04\x03\x02\x01";

/// A manifest with two records, its bytes and how it reads as text.
#[test]
fn golden_manifest() {
    let disk = MemVfs::new();
    let mut manifest = create(disk.clone());
    let mut edit = full();
    (edit.removed, edit.retired, edit.dropped_keyspaces) = (Vec::new(), Vec::new(), Vec::new());
    commit(&mut manifest, &edit).unwrap();
    let mut bytes = disk.read_file(&dir(disk.clone()).join("000001.manifest")).unwrap();
    assert_eq!(bytes, GOLDEN_MANIFEST, "{}", bytes.escape_ascii());
    bytes.extend_from_slice(b"torn");
    assert_eq!(describe_manifest(Path::new("m"), &bytes).unwrap(), GOLDEN_TEXT);
}

const GOLDEN_TEXT: &str = "\
manifest 1 of database 910a2dec89025cc1
record 32: 18 bytes, checksum 396dfd19 after 00000000
  min log 1
  first position in it 0
  newest log 0
  last sequence number 0
  next table 1
  next keyspace 1
record 62: 79 bytes, checksum 56c0f101 after 396dfd19
  add to level 6 table 300: 1000 bytes, checksum 0000abcd, 7 entries (2 tombstones, 1 expiring), \"a\" to \"b\", \
sequence numbers 5 to 600, expiry 3 to 4, range deletions applied up to 8, 2000 bytes raw
  range deletion 300: from \"\\x02a\" up to, without, \"\\x03\"
  min log 3
  first position in it 128
  newest log 4
  last sequence number 700
  next table 301
  next keyspace 3
  time 700
  create keyspace 2 \"ö\"
  values of keyspace 2 live for 1000 ms
  seal log 3: 512 bytes, checksum 01020304
torn 153: 4 bytes, 12 expected
";
