//! The second reading of the formats agrees with files that the library wrote.

use siltstone::vfs::mem::MemVfs;
use siltstone_fuzz::format::{self, Place, block, log, manifest, table};
use siltstone_fuzz::store::{FOLDER, Folder, options, read_all, replay};
use std::collections::BTreeMap;
use std::time::Duration;

/// The files of a database, with two writes in the log.
fn files() -> BTreeMap<String, Vec<u8>> {
    let vfs = MemVfs::new();
    let db = options(&vfs).compression(siltstone::Compression::None).open(FOLDER).unwrap();
    for n in 0..30u8 {
        db.put([b'k', n % 20], [n; 5]).unwrap();
    }
    db.delete("absent").unwrap();
    let snapshot = db.snapshot();
    db.delete_range("k\x05".."k\x07").unwrap();
    db.put_with_ttl("for a while", "in a table", Duration::from_secs(1)).unwrap();
    db.flush().unwrap();
    drop(snapshot);
    db.put("deleted", "in the log").unwrap();
    db.delete_range("d"..="deleted").unwrap();
    db.put("in the log", "alone").unwrap();
    db.put_with_ttl("for a minute", "in the log", Duration::from_secs(60)).unwrap();
    let named = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_string();
    vfs.files().iter().map(|path| (named(path), vfs.read_file(path).unwrap())).collect()
}

#[test]
fn whole_files_have_right_checksums_and_repair_brings_them_back() {
    for (name, good) in files().into_iter().filter(|(name, _)| name != "LOCK") {
        let mut repaired = good.clone();
        format::repair(&mut repaired);
        assert!(repaired == good, "{name} is not as the documents say");
        // Any checksum that is spoilt comes back, so all of them are known.
        let mut spoilt = good.clone();
        spoilt[12..16].fill(0xa5);
        match Place::of(&good).unwrap().kind {
            format::LOG => spoilt[32..36].fill(0xa5),
            format::CURRENT | format::MANIFEST => {
                let at = if name == "CURRENT" { 64 } else { 32 };
                spoilt[at..at + 4].fill(0xa5);
            }
            _ => {
                for piece in table::Layout::of(&good).unwrap().pieces() {
                    let at = piece.offset + piece.len + 1;
                    spoilt[at..at + 4].fill(0xa5);
                }
                let at = good.len() - 12;
                spoilt[at..at + 4].fill(0xa5);
            }
        }
        assert!(spoilt != good);
        format::repair(&mut spoilt);
        assert!(spoilt == good, "{name} is not repaired");
    }
}

#[test]
fn manifest_table_block_and_log_say_what_was_written() {
    let files = files();
    let state = manifest::state(&files["000001.manifest"]).unwrap();
    let file = &files["000001.table"];
    let summary = table::summary(file).unwrap();
    assert_eq!(state.tables, BTreeMap::from([(1, (0, summary.clone()))]));
    let deleted: Vec<_> = state.deleted.values().cloned().collect();
    assert_eq!(deleted, [(b"\0k\x05".to_vec(), b"\0k\x07".to_vec())]);
    let layout = table::Layout::of(file).unwrap();
    let contents = layout.blocks.iter().map(|handle| &file[handle.offset..handle.offset + handle.len]);
    let entries: Vec<_> = contents.flat_map(|content| block::entries(content).unwrap()).collect();
    assert!(block::are_sound(&entries));
    assert_eq!(entries.len() as u64, summary.counts[0]);
    let map = replay(&files["000001.log"]).unwrap();
    assert_eq!(map[&b"in the log"[..]], b"alone");
    assert_eq!(map[&b"for a minute"[..]], b"in the log");
    assert!(!map.contains_key(&b"deleted"[..]));
}

#[test]
fn files_that_are_made_here_are_taken() {
    let files = files();
    let file = &files["000001.table"];
    let found = read_all(&Folder::of_table(file, 1).open().unwrap(), 100).unwrap();
    assert_eq!(found.len(), 21);
    let layout = table::Layout::of(file).unwrap();
    let first = layout.blocks[0];
    let content = &file[first.offset..first.offset + first.len];
    let entries = block::entries(content).unwrap();
    let place = Place::of(file).unwrap();
    let single = block::table(&place, 0, content, &entries);
    let found = read_all(&Folder::of_table(&single, 1).open().unwrap(), 100).unwrap();
    assert!(!found.is_empty() && found.len() <= entries.len());
    let log = &files["000001.log"];
    let place = Place::of(log).unwrap();
    assert!(log::chain(&place, log).len() > 30);
    assert_eq!(read_all(&Folder::of_log(log).open().unwrap(), 100), replay(log));
}
