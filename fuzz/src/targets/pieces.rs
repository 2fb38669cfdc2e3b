//! Pieces of files: each input is one piece, in a file that is whole around it, so that no checksum and no other piece
//! stands before its decoder.

use crate::format::block::{self, Entry};
use crate::format::{LOG, Place, TABLE, log, split_key, table, value_at};
use crate::memory::bounded;
use crate::store::{FOLDER, Folder, MEMORY, Map, NOW, SEGMENT, options, read_all};
use siltstone::{Compression, WriteBatch};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

const TABLE_PLACE: Place = Place { kind: TABLE, database: 7, number: 1 };
const LOG_PLACE: Place = Place { kind: LOG, database: 7, number: 1 };

/// The content of a data block. It is sound for `verify` exactly when it is for this package's reader, and then reads as
/// that says.
pub fn block(input: &[u8]) {
    bounded(MEMORY + 64 * input.len(), || {
        let entries = block::entries(input).unwrap_or_default();
        let file = block::table(&TABLE_PLACE, 0, input, &entries);
        let Ok(db) = Folder::of_table(&file, 1).open() else {
            // The manifest's bounds of a level are the table's; nothing else of it is looked at.
            assert!(!is_sound(&entries), "a sound block is refused");
            return;
        };
        let sound = db.verify().expect("an open database").is_sound();
        assert_eq!(sound, is_sound(&entries), "{entries:?}");
        let found = read_all(&db, usize::from(u16::MAX));
        if sound {
            assert_eq!(found, newest(&entries));
        }
    });
}

fn is_sound(entries: &[Entry]) -> bool {
    !entries.is_empty() && block::are_sound(entries)
}

/// What a database over these entries holds; `None` when it must refuse to say, since a kind is not built yet.
fn newest(entries: &[Entry]) -> Option<Map> {
    let mut newest: BTreeMap<&[u8], &Entry> = BTreeMap::new();
    for entry in entries {
        if let Some((0, key)) = split_key(&entry.key) {
            newest.entry(key).or_insert(entry);
        }
    }
    let mut map = Map::new();
    for (key, entry) in newest {
        if let Some(value) = value_at(entry.kind, &entry.value, NOW)? {
            map.insert(key.to_vec(), value.to_vec());
        }
    }
    Some(map)
}

/// A packed block: the first byte says how, the rest is the payload. What it takes to unpack it is bounded by what the
/// compression can make of so many bytes, whatever length is claimed.
pub fn compression_frame(input: &[u8]) {
    let Some((how, payload)) = input.split_first() else { return };
    let kind = 1 + how % 2;
    let factor = if kind == 1 { 255 } else { 1 << 16 };
    bounded(MEMORY + 4 * factor * payload.len(), || {
        let file = block::table(&TABLE_PLACE, kind, payload, &[]);
        if let Ok(db) = Folder::of_table(&file, 1).open() {
            // Its properties are those of no entries at all, so it is never sound.
            assert_eq!(read_all(&db, usize::from(u16::MAX)), None);
        }
    });
}

/// Any content is the same after a round trip through a table: the first byte says the compression, the second its
/// level, and the rest are values.
pub fn compression_round_trip(input: &[u8]) {
    let [how, level, content @ ..] = input else { return };
    let compression = match how % 3 {
        0 => Compression::None,
        1 => Compression::Lz4,
        _ => Compression::Zstd(level.cast_signed()),
    };
    let expected: Map = content
        .chunks(1 + usize::from(*how))
        .take(200)
        .enumerate()
        .map(|(n, value)| (key(n), value.to_vec()))
        .collect();
    let folder = Folder::default();
    let options = options(folder.vfs()).compression(compression);
    let db = options.open(FOLDER).expect("a new database");
    let mut batch = WriteBatch::new();
    expected.iter().for_each(|(key, value)| batch.put(key, value));
    db.write(batch).expect("room");
    db.compact_range::<&[u8]>(..).expect("nothing fails");
    assert_eq!(read_all(&db, expected.len()), Some(expected));
}

fn key(n: usize) -> Vec<u8> {
    format!("{n:03}").into_bytes()
}

/// A real table of several blocks, one of whose pieces the fuzzer exchanges, and what the database with it holds.
struct Original {
    file: Vec<u8>,
    layout: table::Layout,
    expected: Map,
}

static ORIGINAL: LazyLock<Original> = LazyLock::new(|| {
    let folder = Folder::default();
    let db = options(folder.vfs()).block_bytes(60).open(FOLDER).expect("a new database");
    // Snapshots keep versions, so many of one key that they go on in the next block.
    let mut snapshots = Vec::new();
    for n in 0..24u8 {
        let key = if n % 3 == 0 { b"many versions".to_vec() } else { vec![b'k', n % 10, 0xff] };
        if n % 7 == 6 { db.delete(&key) } else { db.put(&key, [n; 9]) }.expect("room");
        snapshots.push(db.snapshot());
    }
    db.flush().expect("nothing fails");
    let expected = read_all(&db, 24).expect("a sound database");
    let file = folder.vfs().read_file(Path::new("/db/000001.table")).expect("what was flushed");
    let layout = table::Layout::of(&file).expect("a table");
    Original { file, layout, expected }
});

impl Original {
    fn piece(&self, handle: table::Handle) -> &[u8] {
        &self.file[handle.offset..handle.offset + handle.len]
    }

    /// The table with other pieces.
    fn with(&self, filter: Option<&[u8]>, index: &[u8], properties: &[u8]) -> Vec<u8> {
        let place = Place::of(&self.file).expect("a table");
        let compression = |handle: &table::Handle| self.file[handle.offset + handle.len];
        let blocks =
            self.layout.blocks.iter().map(|handle| (compression(handle), self.piece(*handle).to_vec()));
        table::file(&place, &blocks.collect::<Vec<_>>(), filter, index, properties)
    }

    fn filter(&self) -> Option<&[u8]> {
        self.layout.filter.map(|handle| self.piece(handle))
    }

    /// `verify` finds what is wrong, or everything is read as it was written.
    fn check(&self, file: &[u8]) {
        bounded(MEMORY + 64 * file.len(), || {
            let mut summary = table::summary(&self.file).expect("a table");
            (summary.len, summary.checksum) = (file.len() as u64, crc32fast::hash(file));
            let Ok(db) = Folder::described(file, 1, summary).open() else { return };
            let found = read_all(&db, 100 * self.expected.len());
            if db.verify().expect("an open database").is_sound() {
                assert_eq!(found.as_ref(), Some(&self.expected));
            }
        });
    }
}

/// The index of a table.
pub fn index(input: &[u8]) {
    let it = &*ORIGINAL;
    it.check(&it.with(it.filter(), input, it.piece(it.layout.properties)));
}

/// The filter of a table: none that `verify` accepts hides a key.
pub fn filter(input: &[u8]) {
    let it = &*ORIGINAL;
    it.check(&it.with(Some(input), it.piece(it.layout.index), it.piece(it.layout.properties)));
}

/// The properties of a table.
pub fn properties(input: &[u8]) {
    let it = &*ORIGINAL;
    it.check(&it.with(it.filter(), it.piece(it.layout.index), input));
}

/// The pieces that [`index`], [`filter`] and [`properties`] begin with, for seeds; and a block that is not packed.
pub fn originals() -> [Vec<u8>; 4] {
    let it = &*ORIGINAL;
    let pieces =
        [it.layout.index, it.layout.filter.expect("a filter"), it.layout.properties, it.layout.blocks[0]];
    pieces.map(|handle| it.piece(handle).to_vec())
}

/// The bytes of a batch, as the payload of a record in a log that is whole. They are read exactly when this package's reader
/// can, to the same entries; and what the library makes of these entries are the same bytes.
pub fn batch(input: &[u8]) {
    bounded(MEMORY + 64 * input.len(), || {
        let entries = log::entries(input);
        let count = entries.as_ref().map_or(1, |entries| entries.len() as u32);
        let expected = log::entries(input).filter(|all| all.iter().all(log::is_supported));
        let mut segment = LOG_PLACE.header();
        log::append(&LOG_PLACE, &mut segment, &log::start(0, 0, SEGMENT as u64, 1));
        let record = log::NewRecord {
            kind: log::BATCH,
            count,
            first_seq: 1,
            payload: input.to_vec(),
            ..Default::default()
        };
        log::append(&LOG_PLACE, &mut segment, &record);
        let opened = Folder::of_log(&segment).open();
        assert_eq!(opened.is_ok(), expected.is_some(), "{entries:?}: {:?}", opened.err());
        let (Ok(db), Some(entries)) = (opened, expected) else { return };
        let map = log::replay(log::chain(&LOG_PLACE, &segment), NOW);
        assert_eq!(read_all(&db, entries.len()), map);
        encode_again(&entries, input);
    });
}

/// Entries of the default keyspace are the same bytes when the library encodes them.
fn encode_again(entries: &[log::Entry<'_>], payload: &[u8]) {
    let mut batch = WriteBatch::new();
    for entry in entries {
        match split_key(entry.key) {
            Some((0, key)) if entry.kind == 1 => batch.put(key, entry.value),
            Some((0, key)) if entry.kind == 0 => batch.delete(key),
            _ => return,
        }
    }
    let writes = batch.iter().map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec)));
    assert_eq!(log::batch(&writes.collect::<Vec<_>>()), payload);
    assert_eq!(batch.byte_len(), payload.len());
    if entries.is_empty() {
        return;
    }
    let folder = Folder::default();
    let db = folder.open().expect("a new database");
    db.write(batch).expect("room");
    let segment = folder.vfs().read_file(Path::new("/db/000001.log")).expect("the log");
    let place = Place::of(&segment).expect("a header");
    let written = log::chain(&place, &segment).into_iter().rfind(|record| record.kind == log::BATCH);
    assert_eq!(written.expect("a record").payload, payload);
}
