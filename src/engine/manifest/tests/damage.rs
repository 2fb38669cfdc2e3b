//! Every cut and every flipped bit of the manifest and of `CURRENT`; files that are missing, older, or someone else's.

use super::format::full;
use super::{commit, create, dir, open, state};
use crate::Error;
use crate::engine::filename::FileName;
use crate::engine::manifest::current::Current;
use crate::engine::manifest::edit::Edit;
use crate::engine::manifest::files::{Presence, check_files, look};
use crate::engine::manifest::fixture::adding;
use crate::engine::manifest::set::Manifest;
use crate::vfs::mem::{MemVfs, SimClock};
use std::collections::BTreeMap;
use std::path::Path;

const MANIFEST: &str = "/000001.manifest";
const CURRENT: &str = "/CURRENT";

/// A database after three commits, and where each of its records begins.
fn sample() -> (MemVfs, Manifest<u64>, Vec<usize>) {
    let disk = MemVfs::new();
    let mut manifest = create(disk.clone());
    let len = || disk.read_file(Path::new(MANIFEST)).unwrap().len();
    let mut starts = vec![32, len()];
    let mut edit = full();
    (edit.removed, edit.retired, edit.dropped_keyspaces) = (Vec::new(), Vec::new(), Vec::new());
    for edit in
        [edit, adding(&[(0, "400[k-m]")]), Edit { removed: vec![(6, 300)], ..adding(&[(1, "401[x-z]")]) }]
    {
        commit(&mut manifest, &edit).unwrap();
        starts.push(len());
    }
    (disk, manifest, starts)
}

/// Opens `disk` with other bytes in one of its files.
fn open_with(disk: &MemVfs, path: &str, bytes: &[u8]) -> crate::Result<super::Opened<u64>> {
    let copy = disk.crash_image(crate::vfs::mem::CrashPolicy::All, 0);
    copy.write_file(Path::new(path), bytes).unwrap();
    open(&copy)
}

#[test]
fn after_a_clean_close_every_cut_and_every_flipped_bit_is_an_error() {
    let (disk, mut manifest, _) = sample();
    manifest.close(900).unwrap();
    let opened = open(&disk).unwrap();
    assert_eq!(state(&opened.manifest), state(&manifest));
    assert_eq!(opened.clean.unwrap().last_seq, 900);
    for path in [MANIFEST, CURRENT] {
        let bytes = disk.read_file(Path::new(path)).unwrap();
        for len in 0..bytes.len() {
            let e = open_with(&disk, path, &bytes[..len]).unwrap_err();
            assert!(e.is_corruption(), "{path} cut to {len}: {e}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let e = open_with(&disk, path, &bad).unwrap_err();
            assert!(e.is_corruption(), "{path}, bit {bit}: {e}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(open_with(&disk, path, &longer).unwrap_err().is_corruption());
    }
}

/// While the database was in use, only the last record can be torn: it is cut and reported. All else is damage.
#[test]
fn in_use_only_the_last_record_may_be_torn() {
    let (disk, manifest, starts) = sample();
    let bytes = disk.read_file(Path::new(MANIFEST)).unwrap();
    let last = starts[starts.len() - 2];
    for len in 0..bytes.len() {
        let opened = open_with(&disk, MANIFEST, &bytes[..len]);
        if len < starts[1] {
            assert!(opened.unwrap_err().is_corruption(), "cut to {len}: there is no snapshot");
            continue;
        }
        let kept = *starts.iter().rfind(|start| **start <= len).unwrap();
        let torn = opened.unwrap().torn.map(|torn| (torn.offset as usize, torn.len as usize));
        assert_eq!(torn, (kept < len).then_some((kept, len - kept)), "cut to {len}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        match open_with(&disk, MANIFEST, &bad) {
            Ok(opened) => assert!(bit / 8 >= last && opened.torn.is_some(), "bit {bit}"),
            Err(e) => assert!(bit / 8 < last && e.is_corruption(), "bit {bit}: {e}"),
        }
    }
    drop(manifest);
}

/// Whatever a crash leaves at the end, it is cut once, and what is written then can be read.
#[test]
fn after_a_cut_the_manifest_goes_on() {
    let (disk, mut manifest, _) = sample();
    let bytes = disk.read_file(Path::new(MANIFEST)).unwrap();
    commit(&mut manifest, &adding(&[(2, "500[a-b]")])).unwrap();
    let whole = disk.read_file(Path::new(MANIFEST)).unwrap();
    for tail in [&whole[bytes.len()..whole.len() - 1], &[0; 700], &[0xff; 5]] {
        disk.write_file(Path::new(MANIFEST), &[&bytes, tail].concat()).unwrap();
        let mut opened = open(&disk).unwrap();
        assert_eq!(opened.torn.unwrap().len, tail.len() as u64);
        assert_eq!(disk.read_file(Path::new(MANIFEST)).unwrap(), bytes);
        commit(&mut opened.manifest, &adding(&[(3, "600[a-b]")])).unwrap();
        let again = open(&disk).unwrap();
        assert_eq!(again.torn, None);
        assert_eq!(state(&again.manifest), state(&opened.manifest));
    }
}

/// Records that are intact but in the wrong place: exchanged, repeated, or left out.
#[test]
fn records_in_another_order_are_damage() {
    let (disk, _, at) = sample();
    let bytes = disk.read_file(Path::new(MANIFEST)).unwrap();
    let record = |i: usize| &bytes[at[i]..at[i + 1]];
    let start = &bytes[..at[1]];
    for order in [[2, 1, 3], [1, 1, 3], [1, 3, 3], [3, 2, 1]] {
        let bad = [start, record(order[0]), record(order[1]), record(order[2])].concat();
        assert_ne!(bad, bytes);
        match open_with(&disk, MANIFEST, &bad) {
            Ok(opened) => {
                // Nothing after the first exchanged record is one in its new place: that is what a torn tail is.
                let end = opened.torn.unwrap().offset as usize;
                assert_eq!(bad[..end], bytes[..end], "{order:?}");
            }
            Err(e) => assert!(e.is_corruption(), "{order:?}: {e}"),
        }
    }
}

#[test]
fn files_of_another_database_or_time_are_refused() {
    let (disk, mut manifest, _) = sample();
    let other = MemVfs::new();
    Manifest::<u64>::create(&dir(other.clone()), &SimClock::new(2)).unwrap();
    let theirs = other.read_file(Path::new(MANIFEST)).unwrap();
    assert!(open_with(&disk, MANIFEST, &theirs).unwrap_err().to_string().contains("database"));

    manifest.close(1).unwrap();
    let old_current = disk.read_file(Path::new(CURRENT)).unwrap();
    let old_manifest = disk.read_file(Path::new(MANIFEST)).unwrap();
    commit(&mut manifest, &adding(&[(2, "500[a-b]")])).unwrap();
    manifest.close(2).unwrap();
    for (path, old) in [(CURRENT, old_current), (MANIFEST, old_manifest)] {
        let e = open_with(&disk, path, &old).unwrap_err().to_string();
        assert!(e.contains("expected since the last close"), "{e}");
    }
    let swapped = disk.read_file(Path::new(MANIFEST)).unwrap();
    assert!(open_with(&disk, CURRENT, &swapped).unwrap_err().is_corruption());

    disk.remove_file(Path::new(MANIFEST)).unwrap();
    let e = open(&disk).unwrap_err();
    assert!(e.is_corruption() && e.to_string().contains("it does not exist, but CURRENT names it"), "{e}");
}

#[test]
fn newer_files_are_incompatible_not_damaged() {
    let (disk, ..) = sample();
    let mut newer = disk.read_file(Path::new(CURRENT)).unwrap();
    newer[9] = 2;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&newer[..12]);
    hasher.update(&newer[16..32]);
    newer[12..16].copy_from_slice(&hasher.finalize().to_le_bytes());
    let e = open_with(&disk, CURRENT, &newer).unwrap_err();
    assert!(matches!(e, Error::Incompatible { what: "format version", .. }), "{e}");
    assert!(Current::decode(Path::new("c"), &newer).is_err());
}

#[test]
fn a_folder_that_lost_its_current_is_not_taken_for_an_empty_one() {
    let names = |names: &[&str]| {
        let disk = MemVfs::new();
        names.iter().for_each(|name| disk.write_file(&Path::new("/").join(name), b"x").unwrap());
        look(&dir(disk))
    };
    assert_eq!(names(&[]).unwrap(), Presence::Nothing);
    assert_eq!(
        names(&["LOCK", "CURRENT.tmp", "000001.manifest", "notes.txt", "1.log"]).unwrap(),
        Presence::Nothing
    );
    assert_eq!(names(&["CURRENT", "000001.table"]).unwrap(), Presence::Database);
    for remains in ["000001.table", "000001.log", "000001.spare", "000002.manifest"] {
        let e = names(&[remains, "notes.txt"]).unwrap_err();
        assert!(matches!(e, Error::NotADatabase { .. }) && e.to_string().contains(remains), "{e}");
    }
    let (disk, ..) = sample();
    disk.remove_file(Path::new(CURRENT)).unwrap();
    assert!(look(&dir(disk)).is_err(), "a manifest with edits is more than an interrupted creation");
}

#[test]
fn missing_and_shortened_files_are_all_named() {
    let (disk, manifest, _) = sample();
    let registry = manifest.registry();
    assert_eq!((registry.min_log, registry.newest_log), (3, 4));
    let good: BTreeMap<FileName, u64> = [
        (FileName::Table(400), 10),
        (FileName::Table(401), 10),
        (FileName::Log(3), 512),
        (FileName::Log(4), 0),
    ]
    .into();
    let check = |lens: &BTreeMap<FileName, u64>| -> Vec<String> {
        let found = check_files(&dir(disk.clone()), manifest.version(), registry, lens);
        assert!(found.iter().all(Error::is_corruption));
        found.iter().map(ToString::to_string).collect()
    };
    assert_eq!(check(&good), [""; 0]);
    for name in good.keys() {
        let mut lens = good.clone();
        lens.remove(name);
        let found = check(&lens);
        assert!(found.len() == 1 && found[0].contains(&name.to_string()), "{found:?}");
    }
    let mut lens = good.clone();
    lens.extend([(FileName::Table(400), 9), (FileName::Log(3), 511), (FileName::Table(7), 1)]);
    assert_eq!(check(&lens).len(), 2);
    assert_eq!(check(&BTreeMap::new()).len(), 4);
}
