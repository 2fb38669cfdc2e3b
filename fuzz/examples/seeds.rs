//! Writes inputs to begin with, out of real databases: `cargo run --manifest-path fuzz/Cargo.toml --example seeds -- FOLDER`
//! makes a folder for each target in FOLDER. What is committed as `fuzz/corpus` began with these.

use siltstone::vfs::mem::MemVfs;
use siltstone::{Compression, Db, Options, WriteBatch};
use siltstone_fuzz::format::{LOG, Place, log, manifest, table};
use siltstone_fuzz::store::{FOLDER, options};
use siltstone_fuzz::targets::{ALL, files, pieces};
use std::fs;
use std::path::PathBuf;

fn main() {
    let seeds = Seeds { folder: std::env::args().nth(1).expect("a folder to write to").into() };
    for (name, _) in ALL {
        fs::create_dir_all(seeds.folder.join(name)).expect("a folder");
    }
    for life in &LIVES {
        seeds.of_database(life);
    }
    seeds.of_extremes();
    seeds.of_pieces();
    seeds.of_values();
    seeds.of_conversations();
    seeds.of_choices();
}

/// A database: its name, what is chosen for it, and what is done to it.
struct Life {
    name: &'static str,
    choose: fn(Options) -> Options,
    live: fn(&Db),
}

const LIVES: [Life; 7] = [
    Life { name: "new", choose: |options| options, live: |_| {} },
    Life {
        name: "plain",
        choose: |options| options.compression(Compression::None).filter_bits(0),
        live: fill,
    },
    Life {
        name: "lz4",
        choose: |options| options.compression(Compression::Lz4).block_bytes(900),
        live: fill,
    },
    Life {
        name: "zstd",
        choose: |options| options.compression(Compression::Zstd(3)).block_bytes(900),
        live: fill,
    },
    Life {
        name: "versions",
        choose: |options| options.compression(Compression::None).block_bytes(40),
        live: versions,
    },
    Life { name: "batches", choose: |options| options, live: batches },
    Life {
        name: "levels",
        choose: |options| options.memtable_bytes(4096 + 512 + 64 * 12).table_bytes(300),
        live: levels,
    },
];

fn put(db: &Db, n: u8) {
    db.put(format!("key:{:02}", n % 20), [n; 12]).expect("room");
}

fn fill(db: &Db) {
    (0..20).for_each(|n| put(db, n));
    db.delete("key:03").expect("room");
}

/// Snapshots keep every version.
fn versions(db: &Db) {
    let mut kept = Vec::new();
    for n in 0..12u8 {
        db.put("key", [n]).expect("room");
        kept.push(db.snapshot());
    }
    db.flush().expect("nothing fails");
}

fn batches(db: &Db) {
    for n in 0..4u8 {
        let mut batch = WriteBatch::new();
        batch.put([n], "value".repeat(usize::from(n)));
        batch.put("", [n; 2]);
        batch.delete([n.wrapping_sub(1)]);
        batch.within(&db.keyspace(&format!("space {n}")).expect("a new name")).put([n], "within");
        db.write(batch).expect("room");
    }
}

fn levels(db: &Db) {
    (0..60).for_each(|n| put(db, n % 40));
    db.compact_range::<&[u8]>(..).expect("nothing fails");
    (0..5).for_each(|n| put(db, n));
}

struct Seeds {
    folder: PathBuf,
}

impl Seeds {
    fn write(&self, target: &str, name: &str, bytes: &[u8]) {
        fs::write(self.folder.join(target).join(name), bytes).expect("a file");
    }

    /// Files of a database in the middle of its life, and at its end.
    fn of_database(&self, life: &Life) {
        let vfs = MemVfs::new();
        let db = (life.choose)(options(&vfs)).open(FOLDER).expect("a new database");
        (life.live)(&db);
        self.of_files(&vfs, life.name, "open");
        db.flush().expect("nothing fails");
        self.of_files(&vfs, life.name, "flushed");
        db.close().expect("nothing fails");
        self.of_files(&vfs, life.name, "closed");
    }

    fn of_files(&self, vfs: &MemVfs, life: &str, when: &str) {
        for path in vfs.files() {
            let mut bytes = vfs.read_file(&path).expect("it was listed");
            let name = format!("{life}-{when}-{}", path.file_name().expect("a file").to_string_lossy());
            match path.extension().and_then(|ending| ending.to_str()) {
                Some("log") => {
                    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
                    bytes.truncate(used + 9);
                    self.of_log(&name, &bytes);
                }
                Some("manifest") => self.write("manifest_reader", &name, &bytes),
                Some("table") => self.of_table(&name, &bytes),
                _ => continue,
            }
            if bytes.len() < 600 {
                self.write("inspect", &name, &bytes);
            }
        }
    }

    fn of_log(&self, name: &str, segment: &[u8]) {
        self.write("log_reader", name, segment);
        let place = Place::of(segment).expect("a header");
        for record in log::chain(&place, segment).iter().filter(|record| record.kind == log::BATCH).take(4) {
            self.write("batch_decode", &format!("{name}-{}", record.offset), record.payload);
        }
    }

    fn of_table(&self, name: &str, file: &[u8]) {
        self.write("table_scan", name, file);
        let layout = table::Layout::of(file).expect("a table");
        for handle in layout.blocks.iter().take(2) {
            let payload = &file[handle.offset..handle.offset + handle.len];
            let compression = file[handle.offset + handle.len];
            let name = format!("{name}-{}", handle.offset);
            match compression {
                0 => self.write("block_decode", &name, payload),
                _ => self.write("compression_frame", &name, &[&[compression - 1], payload].concat()),
            }
        }
    }

    /// Numbers as great as they can be, wherever there is one.
    fn of_extremes(&self) {
        for great in [u64::MAX, 1 << 63, (1 << 56) - 1] {
            for tag in [3, 4, 5, 6, 9, 13] {
                let mut edit = Vec::new();
                manifest::number(&mut edit, tag, great);
                self.write(
                    "manifest_reader",
                    &format!("great-{great:x}-{tag}"),
                    &manifest::file(7, 1, &[edit]),
                );
            }
            let table = |number, key: u8| manifest::Summary {
                number,
                len: 0,
                checksum: 0,
                counts: [great; 3],
                smallest: vec![0, key],
                largest: vec![0, key],
                numbers: [1, 1, 0, great, great, great],
            };
            let mut edit = manifest::logs(1, 0);
            manifest::add_table(&mut edit, 1, &table(1, 1));
            manifest::add_table(&mut edit, 1, &table(2, 2));
            self.write(
                "manifest_reader",
                &format!("great-{great:x}-tables"),
                &manifest::file(7, 1, &[edit.clone()]),
            );
            let mut edit = manifest::logs(1, 0);
            manifest::add_table(&mut edit, 0, &manifest::Summary { numbers: [great; 6], ..table(great, 3) });
            self.write("manifest_reader", &format!("great-{great:x}-table"), &manifest::file(7, 1, &[edit]));
            self.write(
                "manifest_reader",
                &format!("great-{great:x}-file"),
                &manifest::file(7, great, &[Vec::new()]),
            );
            self.of_great_records(great);
        }
    }

    fn of_great_records(&self, great: u64) {
        let place = Place { kind: LOG, database: 7, number: 1 };
        let put = log::batch(&[(b"k".to_vec(), Some(b"v".to_vec()))]);
        let batch = |first_seq, count, synced| log::NewRecord {
            kind: log::BATCH,
            flags: 1,
            count,
            first_seq,
            synced,
            payload: put.clone(),
        };
        let records = [
            ("start", log::start(0, 0, 0, great), batch(great, 1, 0)),
            ("base", log::start(great, great, 0, 1), batch(1, 1, 0)),
            ("capacity", log::start(0, 0, great, 1), batch(1, 1, 0)),
            ("number", log::start(0, 0, 0, 1), batch(great, 1, 0)),
            ("count", log::start(0, 0, 0, 1), batch(1, u32::MAX, 0)),
            ("synced", log::start(0, 0, 0, 1), batch(1, 1, great)),
        ];
        for (name, start, batch) in records {
            let mut segment = place.header();
            log::append(&place, &mut segment, &start);
            log::append(&place, &mut segment, &batch);
            self.write("log_reader", &format!("great-{great:x}-{name}"), &segment);
        }
    }

    fn of_pieces(&self) {
        let [index, filter, properties, block] = pieces::originals();
        self.write("index_decode", "original", &index);
        self.write("filter_decode", "original", &filter);
        self.write("properties_decode", "original", &properties);
        self.write("block_decode", "original", &block);
        self.write("current", "closed", &files::a_current());
        self.write("inspect", "current", &files::a_current());
        for (how, level) in [(0, 0), (1, 0), (2, 255), (2, 3)] {
            let content =
                [&[how, level], &b"a value that comes again, and again, and again".repeat(4)[..]].concat();
            self.write("compression_round_trip", &format!("{how}-{level}"), &content);
        }
    }

    fn of_values(&self) {
        let values: [&[u8]; 6] =
            [b"text", b"\xffJ{\"a\":[1.0,null]}", b"\xffB\xffJ1", b"\xffJ\"string\"", b"[1, 2]", b"\xff"];
        for (n, value) in values.iter().enumerate() {
            self.write("value_codec", &n.to_string(), value);
        }
    }

    fn of_conversations(&self) {
        for (n, lines) in CONVERSATIONS.iter().enumerate() {
            for target in ["wire_request", "wire_session"] {
                self.write(target, &n.to_string(), lines.as_bytes());
            }
        }
        for (target, conversations) in
            [("wire_resp", &COMMANDS), ("wire_text", &TEXTS), ("wire_framed", &MESSAGES)]
        {
            for (n, bytes) in conversations.iter().enumerate() {
                self.write(target, &n.to_string(), bytes.as_bytes());
            }
        }
    }

    /// What is chosen by bytes begins with some that were drawn.
    fn of_choices(&self) {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        for target in ["bounds", "log_chain", "ops_crash", "ops_faults", "ops_model"] {
            for n in 0..20 {
                let drawn: Vec<u8> = std::iter::repeat_with(|| {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    (random >> 32) as u8
                })
                .take(60 + n * 20)
                .collect();
                self.write(target, &n.to_string(), &drawn);
            }
        }
    }
}

const CONVERSATIONS: [&str; 7] = [
    "{\"command\":\"put\",\"key\":\"fruit:apple\",\"value\":{\"colour\":\"red\",\"grams\":182.0}}\n\
     {\"command\":\"read\",\"key\":\"fruit:apple\"}\n{\"command\":\"delete\",\"key\":\"fruit:apple\"}\n\
     {\"command\":\"delete\",\"key\":\"fruit:apple\"}\n",
    "{\"command\":\"batch_put\",\"keys\":[\"a\",\"b\",\"a\"],\"values\":[1,\"two\",null]}\r\n\n\
     {\"command\":\"read_key_range\",\"start_key\":\"a\",\"end_key\":\"z\",\"limit\":1,\"reverse\":true}\n",
    "{\"command\":\"put\",\"key\":\"\\u00e9\\ud83d\\ude00\",\"value\":\"\\u0000\\n\"} \n\
     {\"command\":\"read\",\"key\":\"\u{e9}\u{1f600}\"}\n{\"command\":\"read\",\"key\":\"\\ud800\"}\n",
    "{\"command\":\"ping\"}\n{\"command\":\"unknown\"}\n{}\n[]\n1\nnull\n{\"command\":\"read\"}\n{\"command\":\"put\",\"key\":7,\"value\":1}\n",
    "{\"command\":\"put\",\"key\":\"k\",\"value\":[[[[{\"a\":1,\"a\":2}]]],1e400,-0,\"x\"]}\n{\"command\":\"read\",\"key\":\"k\"}\n{\"comm",
    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n{\"command\":\"ping\"}\n",
    "\u{fffd}\n{\"command\":\"batch_put\",\"keys\":\"a\",\"values\":[]}\n{\"command\":\"batch_put\",\"keys\":[\"a\"],\"values\":[]}\n\
     {\"command\":\"read_key_range\",\"start_key\":\"b\",\"end_key\":\"a\",\"limit\":-1}\n",
];

const COMMANDS: [&str; 7] = [
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n",
    "\r\nPING\r\nSET 'k v' \"\\x00\\n\\\"\" ''\nGET k",
    "*0\r\n*-1\r\n*2\r\n$3\r\nGET\r\n$5\r\nab\r\nc\r\n*2\r\n$3",
    "*21\r\n$1\r\nx\r\n",
    "*1\r\n$201\r\n",
    "*2\n$3\nGET\r\n:1\r\n",
    "SET \"k\r\n*x\r\n",
];

const TEXTS: [&str; 7] = [
    "PUT session:abc token123 TTL 60\nget session:abc\r\nTTL session:abc 0\nDEL session:abc\n",
    "PUT m  a \t b\nPUT k TTL 60\nPUT k v TTL 3 x\nPUT k v ttl -1\nPUT k v TTL x\nPUT a\n",
    "STATS\nCOMPACT\nSHUTDOWN now\nEXIT\nAUTH secret\nAUTH user secret\nAUTH a b c\n",
    "\n \r\nFOO bar\nGET\nGET a b\nDEL\nTTL k\nTTL k 1.5\n\u{e9}t\u{e9} \u{df}\nGET \u{1f600}",
    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nDEL k\n",
    "POST / HTTP/1.1\r\n\r\nDEL k\n",
    "PUT k v\u{a0}w\nTTL k +9223372036854775807\nTTL k 9223372036854775808\n",
];

const MESSAGES: [&str; 7] = [
    "QUERY_LENGTH: 30\r\n\r\n{\"action\": \"PING\", \"auth\": {}}QUERY_LENGTH: 17\r\n\r\n{\"action\":\"PING\"}QUERY",
    "query_length:90\r\n\r\n{\"action\":\"LOGIN\",\"payload\":{\"user\":\"root\",\"password\":\"\\u00e9\",\"database\":\"d\"},\"auth\":null}",
    "x: 1\nQUERY_LENGTH : 101 \nQUERY_LENGTH: x\n\n{\"action\":\"CREATE_DATABASE\",\"payload\":{\"NAME\":\"n\",\"USER\":\"u\",\"PASSWORD\":\"p\"},\"auth\":{\"token\":\"T\"}}",
    "QUERY_LENGTH: 17\r\n\r\n{\"action\":\"\u{e9}\u{1f600}\u{20ac}x\"}\r\nQUERY_LENGTH: 2\r\n\r\n{}QUERY_LENGTH: 3\r\n\r\n[1]",
    "QUERY_LENGTH: 513\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nQUERY_LENGTH: 2\r\n\r\n{}",
    "QUERY_LENGTH: 12\r\n\r\n{\"action\":1}QUERY_LENGTH: 4\r\n\r\nnullQUERY_LENGTH: 2\r\n\r\n{\u{e9}",
];
