//! Opening for reading only, beside one who writes: a state of that moment, nothing changed, and nobody kept waiting.
//!
//! [`beside`] lets the one who writes act before every single operation.

mod beside;

use crate::history::{Map, assert_holds, assert_same, scan};
use siltstone::vfs::Vfs;
use siltstone::vfs::fault::{Failure, Fault, FaultVfs, Op};
use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::{Background, Db, Durability, Error, Options, WriteBatch};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

fn small() -> Options {
    Options::default().memtable_bytes(4 << 10).table_bytes(1 << 10).block_bytes(200).level_ratio(2)
}

fn stepped(vfs: &Arc<dyn Vfs>) -> Options {
    small().vfs(Arc::clone(vfs)).clock(Arc::new(SimClock::new(1))).background(Background::Stepped)
}

fn on_mem(mem: &MemVfs) -> Options {
    stepped(&(Arc::new(mem.clone()) as Arc<dyn Vfs>))
}

/// Writes batch number `n`: the same number under two keys.
fn write_number(db: &Db, n: u64) {
    let mut batch = WriteBatch::new();
    for half in ["a", "z"] {
        batch.put(format!("{half}{:03}", n % 50), n.to_le_bytes().repeat(10));
    }
    db.write(batch).unwrap();
}

/// The number of the last batch; each key must have the last one that wrote it.
fn check_numbers(db: &Db) -> u64 {
    let number = |value: &[u8]| u64::from_le_bytes(value[..8].try_into().unwrap());
    let halves = ["a", "z"].map(|half| {
        let pairs = db.prefix(half).map(|pair| pair.map(|(key, value)| (key[1..].to_vec(), number(&value))));
        pairs.collect::<Result<Vec<_>, _>>().unwrap()
    });
    assert_eq!(halves[0], halves[1], "batches are whole");
    let last = halves[0].iter().map(|(_, n)| *n).max().unwrap_or(0);
    for (key, n) in &halves[0] {
        let slot: u64 = std::str::from_utf8(key).unwrap().parse().unwrap();
        assert_eq!(*n, last - (last + 50 - slot) % 50, "slot {slot} of the state after {last}");
    }
    assert_eq!(halves[0].len() as u64, last.min(50));
    last
}

#[test]
fn it_shows_everything_and_changes_nothing() {
    let mem = MemVfs::new();
    let db = on_mem(&mem).durability(Durability::Os).open("/db").unwrap();
    (1..400).for_each(|n| write_number(&db, n));
    let orders = db.keyspace("orders").unwrap();
    orders.put("1", "two apples").unwrap();
    let expected = scan(&db).unwrap();
    let (ops, files) = (mem.op_count(), mem.files());

    let look = on_mem(&mem).open_read_only("/db").unwrap();
    assert_holds(&look, &expected, &|| "beside the writer".into());
    assert_eq!(check_numbers(&look), 399);
    assert_eq!(look.keyspaces().unwrap(), ["orders"]);
    assert_eq!(look.keyspace("orders").unwrap().get("1").unwrap().unwrap(), b"two apples");
    assert_eq!(look.snapshot().iter().count(), expected.len());
    assert_eq!(look.stats().last_sequence, db.stats().last_sequence);
    assert!(look.verify().unwrap().is_sound());
    let refused = |outcome: Result<(), Error>| {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
        assert!(error.to_string().contains("it was opened for reading only"), "{error}");
    };
    refused(look.put("k", "v"));
    refused(look.delete("k"));
    refused(look.write(WriteBatch::new()));
    refused(look.commit_now(&WriteBatch::new(), Durability::Sync).map(drop));
    refused(look.sync());
    refused(look.flush());
    refused(look.compact_range::<&str>(..));
    refused(look.checkpoint("/copy").map(drop));
    refused(look.keyspace("new").map(drop));
    look.wait_durable(1 << 40).unwrap();
    let again = look.clone();
    look.close().unwrap();
    assert!(matches!(again.get("a001"), Err(Error::Closed)));
    assert_eq!((mem.op_count(), mem.files()), (ops, files), "not a single operation that changes something");

    // The one who writes was not disturbed.
    write_number(&db, 400);
    let look = on_mem(&mem).open_read_only("/db").unwrap();
    assert_eq!(check_numbers(&look), 400);
    db.close().unwrap();
    assert_eq!(check_numbers(&look), 400, "and the other way round");
    let look = look.reopen().unwrap();
    assert!(look.recovery().clean && check_numbers(&look) == 400);
}

#[test]
fn where_there_is_no_database_there_is_none_afterwards() {
    let mem = MemVfs::new();
    let missing = on_mem(&mem).open_read_only("/nowhere").unwrap_err();
    assert!(matches!(missing, Error::NotADatabase { .. }), "{missing}");
    mem.create_dir_all(Path::new("/empty")).unwrap();
    let empty = on_mem(&mem).open_read_only("/empty").unwrap_err();
    assert!(matches!(empty, Error::NotADatabase { .. }), "{empty}");
    assert_eq!(mem.files().len(), 0);
    assert!(mem.list(Path::new("/nowhere")).is_err());
    let db = on_mem(&mem).open("/db").unwrap();
    assert!(matches!(db.reopen(), Err(Error::InvalidArgument { .. })), "it shows the present");
}

/// What an earlier look holds stays readable when all its tables have been replaced and removed.
#[test]
fn an_old_look_is_not_disturbed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let db = small().durability(Durability::Os).open(&path).unwrap();
    (1..300).for_each(|n| write_number(&db, n));
    db.flush().unwrap();
    let look = small().open_read_only(&path).unwrap();
    let then = scan(&look).unwrap();
    let walk = look.iter();
    for n in 300..900 {
        write_number(&db, n);
    }
    db.compact_range::<&str>(..).unwrap();
    assert_holds(&look, &then, &|| "the old look".into());
    assert_eq!(walk.count(), then.len());
    let report = look.verify().unwrap();
    assert!(report.problems.is_empty() && !report.unread.is_empty(), "{report}");
    let new = look.reopen().unwrap();
    assert_eq!(check_numbers(&new), 899);
    drop((look, db));
    std::fs::remove_dir_all(&path).unwrap();
    assert_eq!(check_numbers(&new), 899, "it needs the folder no more");
    assert!(matches!(new.reopen(), Err(Error::NotADatabase { .. })));
}

/// After a power cut the end of the log may be torn; that is left out, as by the next open.
#[test]
fn what_a_crash_left_is_read_as_the_next_open_reads_it() {
    for policy in CrashPolicy::EVERY {
        for seed in 0..40 {
            let mem = MemVfs::new();
            let db = on_mem(&mem).durability(Durability::Os).open("/db").unwrap();
            (1..60 + seed).for_each(|n| write_number(&db, n));
            db.sync().unwrap();
            (60 + seed..70 + seed).for_each(|n| write_number(&db, n));
            let image = mem.crash_image(policy, seed);
            let ops = image.op_count();
            let look = on_mem(&image).open_read_only("/db").unwrap();
            let found = scan(&look).unwrap();
            let last = check_numbers(&look);
            assert!((59 + seed..70 + seed).contains(&last), "{policy:?} {seed}: {last}");
            assert_eq!(image.op_count(), ops);
            let next = on_mem(&image).open("/db").unwrap();
            assert_same(&scan(&next).unwrap(), &found, &|| format!("{policy:?} {seed}"));
        }
    }
}

/// Damage is told, not taken for somebody who writes.
#[test]
fn damage_is_an_error() {
    let mem = MemVfs::new();
    let db = on_mem(&mem).open("/db").unwrap();
    (1..30).for_each(|n| write_number(&db, n));
    db.flush().unwrap();
    (30..60).for_each(|n| write_number(&db, n));
    let newest =
        |end: &str| mem.files().into_iter().filter(|f| f.to_string_lossy().ends_with(end)).max().unwrap();
    for (end, at) in [(".manifest", 50), ("CURRENT", 40), (".log", 400)] {
        let image = mem.crash_image(CrashPolicy::All, 0);
        let mut bytes = image.read_file(&newest(end)).unwrap();
        bytes[at] ^= 1;
        image.write_file(&newest(end), &bytes).unwrap();
        let error = on_mem(&image).open_read_only("/db").unwrap_err();
        assert!(error.is_corruption() && error.to_string().contains(end), "{error}");
    }
    let image = mem.crash_image(CrashPolicy::All, 0);
    image.remove_file(&newest(".table")).unwrap();
    let error = on_mem(&image).open_read_only("/db").unwrap_err();
    assert!(matches!(error, Error::Io { .. }) && error.to_string().contains(".table"), "{error}");
}

/// With threads: one writes, flushes, compacts; another looks again and again, anew or by going on.
#[test]
fn beside_a_busy_writer_it_never_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let options = || small().memtable_bytes(16 << 10).table_bytes(4 << 10).durability(Durability::Os);
    let db = options().open(&path).unwrap();
    let (begun, acknowledged, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                begun.store(n, Ordering::SeqCst);
                write_number(&db, n);
                acknowledged.store(n, Ordering::SeqCst);
            }
        });
        let mut look: Option<Db> = None;
        for n in 0..60 {
            let least = acknowledged.load(Ordering::SeqCst);
            let now = match &look {
                Some(look) if n % 4 != 0 => look.reopen().unwrap(),
                _ => options().open_read_only(&path).unwrap(),
            };
            let most = begun.load(Ordering::SeqCst);
            let found = check_numbers(&now);
            assert!((least..=most).contains(&found), "{found}, expected {least} to {most}");
            if let Some(before) = look.replace(now) {
                assert!(check_numbers(&before) <= found);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// A failure is reported, or was met in vain; the next try is as good as ever.
#[test]
fn any_operation_may_fail() {
    let mem = MemVfs::new();
    let db = on_mem(&mem).open("/db").unwrap();
    (1..100).for_each(|n| write_number(&db, n));
    let expected: Map = scan(&db).unwrap();
    let mut failed = 0;
    for op in [Op::Open, Op::Read, Op::Map, Op::Look] {
        for failure in [Failure::Device, Failure::Denied, Failure::TooManyFiles] {
            for forever in [false, true] {
                for nth in 0.. {
                    let vfs = FaultVfs::over_mem(mem.clone());
                    let fault = Fault::nth(nth).on(op).failing_with(failure);
                    vfs.inject(if forever { fault.forever() } else { fault });
                    let options = || stepped(&(Arc::new(vfs.clone()) as Arc<dyn Vfs>));
                    let look = options().open_read_only("/db");
                    if vfs.injected() == 0 {
                        break;
                    }
                    vfs.heal();
                    failed += u64::from(look.is_err());
                    let look = look.or_else(|_| options().open_read_only("/db")).unwrap();
                    assert_same(&scan(&look).unwrap(), &expected, &|| format!("{op:?} {failure:?} {nth}"));
                }
            }
        }
    }
    assert!(failed > 20, "{failed}");
}

/// The one who writes is another process.
#[cfg(feature = "cli")]
#[test]
fn beside_the_server() {
    use crate::program::{Place, Server};
    use std::io::{BufRead, BufReader, Write};
    let place = Place::new();
    let mut server = Server::start(&place, &[]);
    let mut client = std::net::TcpStream::connect(&server.address).unwrap();
    let mut replies = BufReader::new(client.try_clone().unwrap()).lines();
    let mut look: Option<Db> = None;
    for n in 0..200u64 {
        let value = vec!["7"; 2000].join(",");
        writeln!(client, "{{\"command\":\"put\",\"key\":\"k{n:03}\",\"value\":[{value}]}}").unwrap();
        let reply = replies.next().unwrap().unwrap();
        assert!(reply.contains("\"ok\""), "{reply}");
        if n % 10 == 0 {
            let now = match &look {
                Some(look) => look.reopen().unwrap(),
                None => Options::default().open_read_only(place.path().join("data")).unwrap(),
            };
            assert_eq!(now.prefix("k").count() as u64, n + 1);
            look = Some(now);
        }
    }
    server.kill();
    let look = look.unwrap();
    assert_eq!(look.prefix("k").count(), 191);
    assert_eq!(look.reopen().unwrap().prefix("k").count(), 200);
}
