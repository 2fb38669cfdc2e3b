//! Transactions and conditions: what they see, when they conflict, and that they happen whole or not at all.
//!
//! [`conflicts`] goes through what may happen to something that was read; [`walks`] compares iterators, and what of a walk counts
//! as read, with a sorted map; [`conditions`] is about batches that require something. Whether threads see a serial order is
//! checked in [`linear`](super::linear).

mod conditions;
mod conflicts;
mod tasks;
mod walks;

use siltstone::vfs::Clock;
use siltstone::vfs::mem::{MemVfs, SimClock};
use siltstone::{Background, Db, Durability, Error, KeyspaceOptions, Options, Result, Slice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

const SECOND: Duration = Duration::from_secs(1);

/// Buffers, tables and blocks that are small, and no threads.
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

fn new() -> (Db, Arc<SimClock>) {
    let clock = Arc::new(SimClock::new(1));
    (open(&MemVfs::new(), &clock), clock)
}

/// A database that has nothing to do with the others.
fn stranger() -> Db {
    open(&MemVfs::new(), &Arc::new(SimClock::new(99)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// `a=1 b=2`, of any walk.
fn shown(walk: impl Iterator<Item = Result<(Slice, Slice)>>) -> String {
    let pairs = walk.map(|pair| pair.map(|(key, value)| format!("{}={}", text(&key), text(&value))).unwrap());
    pairs.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_transaction_sees_its_own_writes_and_nobody_else_does() {
    let (db, _) = new();
    db.put("a", "1").unwrap();
    db.put("b", "2").unwrap();
    let mut tx = db.transaction();
    tx.put("c", "3").unwrap();
    tx.delete("a").unwrap();
    tx.put("b", "first").unwrap();
    tx.put("b", "second").unwrap();
    assert_eq!(tx.get("a").unwrap(), None);
    assert_eq!(tx.get("b").unwrap().unwrap(), "second");
    assert_eq!(shown(tx.iter()), "b=second c=3");
    assert_eq!(shown(tx.range("b".."c").rev()), "b=second");
    assert_eq!(shown(db.iter()), "a=1 b=2");
    tx.commit().unwrap();
    assert_eq!(shown(db.iter()), "b=second c=3");
}

#[test]
fn a_rollback_or_a_drop_leaves_nothing() {
    let (db, _) = new();
    db.put("a", "1").unwrap();
    let written = db.stats().last_sequence;
    let mut tx = db.transaction();
    tx.put("a", "2").unwrap();
    tx.rollback();
    let mut tx = db.transaction();
    tx.delete("a").unwrap();
    assert_eq!(db.stats().snapshots, 1);
    drop(tx);
    assert_eq!(
        (shown(db.iter()), db.stats().last_sequence, db.stats().snapshots),
        ("a=1".into(), written, 0)
    );
}

#[test]
fn reads_stand_at_the_beginning_whatever_is_written_meanwhile() {
    let (db, _) = new();
    db.put("a", "1").unwrap();
    let tx = db.transaction();
    db.put("a", "2").unwrap();
    db.put("b", "2").unwrap();
    db.compact_range::<&str>(..).unwrap();
    assert_eq!(tx.get("a").unwrap().unwrap(), "1");
    assert_eq!(tx.get("b").unwrap(), None);
    assert_eq!(shown(tx.iter()), "a=1");
    tx.commit().expect("it only read, and stands at its beginning");
}

#[test]
fn it_is_atomic_across_keyspaces() {
    let (db, _) = new();
    let (a, b) = (db.keyspace("a").unwrap(), db.keyspace("b").unwrap());
    a.put("k", "of a").unwrap();
    let mut tx = db.transaction();
    assert_eq!(tx.within(&a).unwrap().get("k").unwrap().unwrap(), "of a");
    assert_eq!(tx.within(&b).unwrap().get("k").unwrap(), None);
    tx.put("k", "of none").unwrap();
    tx.within(&b).unwrap().put("k", "of b").unwrap();
    tx.within(&a).unwrap().delete("k").unwrap();
    tx.within(&a).unwrap().put("l", "new").unwrap();
    assert_eq!(shown(tx.within(&a).unwrap().iter()), "l=new");
    assert_eq!(shown(tx.within(&b).unwrap().prefix("k")), "k=of b");
    assert_eq!(shown(tx.iter()), "k=of none");
    tx.commit().unwrap();
    assert_eq!([shown(a.iter()), shown(b.iter()), shown(db.iter())], ["l=new", "k=of b", "k=of none"]);

    let other = stranger();
    let mut tx = db.transaction();
    for stranger in [other.keyspace("a").unwrap(), (*other).clone()] {
        let refused = tx.within(&stranger).expect_err("it is of another database");
        assert!(refused.to_string().contains("another database"), "{refused}");
    }
}

#[test]
fn a_dropped_keyspace_is_an_error_whenever_it_goes() {
    let (db, _) = new();
    let drafts = db.keyspace("drafts").unwrap();
    drafts.put("1", "text").unwrap();
    let (mut reading, mut writing, mut deleting) = (db.transaction(), db.transaction(), db.transaction());
    let walk = reading.within(&drafts).unwrap().iter();
    writing.within(&drafts).unwrap().put("2", "more").unwrap();
    writing.put("2", "more").unwrap();
    deleting.within(&drafts).unwrap().delete_range::<&str>(..).unwrap();
    db.drop_keyspace("drafts").unwrap();
    let is_dropped = |refused: Error| matches!(refused, Error::KeyspaceDropped { .. });
    assert!(is_dropped(reading.within(&drafts).unwrap_err()));
    assert_eq!(shown(walk), "1=text", "as any iterator that exists");
    assert!(is_dropped(writing.commit().unwrap_err()));
    assert!(is_dropped(deleting.commit().unwrap_err()));
    assert_eq!(shown(db.iter()), "", "nothing half done");
}

#[test]
fn a_deleted_range_is_gone_for_the_transaction_and_then_for_all() {
    let (db, _) = new();
    let named = db.keyspace("named").unwrap();
    for key in ["a", "b", "c", "d"] {
        db.put(key, "old").unwrap();
        named.put(key, "old").unwrap();
    }
    let mut tx = db.transaction();
    tx.put("b", "early").unwrap();
    tx.delete_range("b".."d").unwrap();
    tx.put("c", "late").unwrap();
    tx.within(&named).unwrap().delete_range::<&str>(.."c").unwrap();
    assert_eq!(tx.get("b").unwrap(), None);
    assert_eq!(tx.get("c").unwrap().unwrap(), "late");
    assert_eq!(shown(tx.iter()), "a=old c=late d=old");
    assert_eq!(shown(tx.within(&named).unwrap().iter().rev()), "d=old c=old");
    assert_eq!(shown(db.iter()), "a=old b=old c=old d=old");
    // It has read neither: what others write there meanwhile goes as well, and is no conflict.
    db.put("b", "of others").unwrap();
    tx.rollback();
    assert_eq!(shown(db.iter()), "a=old b=of others c=old d=old");

    let mut tx = db.transaction();
    tx.delete_range("b".."d").unwrap();
    assert_eq!(tx.get("b").unwrap(), None);
    db.put("bb", "of others").unwrap();
    tx.commit().expect("what it deletes itself it has not read");
    assert_eq!(shown(db.iter()), "a=old d=old");

    let mut tx = db.transaction();
    tx.delete_range::<&str>(..).unwrap();
    assert_eq!(shown(tx.iter()), "");
    db.put("bb", "of others").unwrap();
    let refused = tx.commit().expect_err("it has walked over what it had deleted");
    assert!(refused.is_conflict(), "{refused}");

    let mut tx = db.transaction();
    tx.delete_range("d".."b").unwrap();
    let written = db.stats().last_sequence;
    tx.commit().expect("there is nothing to delete");
    assert_eq!(db.stats().last_sequence, written);
}

#[test]
fn what_expires_counts_from_the_commit_and_by_the_time_of_the_beginning() {
    let (db, clock) = new();
    let short = db.keyspace_with("short", KeyspaceOptions::default().ttl(Some(5 * SECOND))).unwrap();
    db.put_with_ttl("old", "1", 2 * SECOND).unwrap();
    let mut tx = db.transaction();
    tx.put_with_ttl("new", "2", SECOND).unwrap();
    tx.put_with_ttl("gone", "3", Duration::ZERO).unwrap();
    tx.within(&short).unwrap().put("k", "4").unwrap();
    clock.advance(10 * SECOND);
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(clock.wall_ms());
    assert_eq!(tx.get_with_expiry("old").unwrap().unwrap().0, "1", "its time is that of its beginning");
    assert_eq!(tx.get_with_expiry("new").unwrap().unwrap().1, Some(now + SECOND));
    assert_eq!(tx.get("gone").unwrap(), None);
    assert_eq!(shown(tx.iter()), "new=2 old=1");
    tx.commit().expect("that something expires is no conflict");
    assert_eq!(db.get_with_expiry("new").unwrap().unwrap().1, Some(now + SECOND));
    assert_eq!(short.get_with_expiry("k").unwrap().unwrap().1, Some(now + 5 * SECOND));
    assert_eq!(shown(db.iter()), "new=2");
    clock.advance(SECOND);
    assert_eq!((db.get("new").unwrap(), db.get("gone").unwrap()), (None, None));
}

#[test]
fn limits_are_errors_and_the_transaction_goes_on() {
    let (db, _) = new();
    let mut tx = db.transaction();
    tx.put("a", "1").unwrap();
    let refused = tx.put(vec![b'k'; 70_000], "v").unwrap_err().to_string();
    assert!(refused.contains("70000") && refused.contains("65535"), "{refused}");
    assert_eq!(tx.get(vec![b'k'; 70_000]).unwrap(), None);
    let large = vec![b'v'; 40 << 20];
    tx.put("large", &large).unwrap();
    let refused = tx.put("more", &large).unwrap_err().to_string();
    assert!(refused.contains("67108864") && refused.contains("less in one transaction"), "{refused}");
    tx.put("large", "replaced").unwrap();
    tx.put("more", &large).unwrap();
    tx.delete_range("more"..).unwrap();
    let ends = |n: u32| [n, n + 1].map(|n| [&n.to_be_bytes()[..], &[0; 60_000]].concat());
    let refused = (0..2000).step_by(2).find_map(|n| {
        let [start, end] = ends(n);
        tx.delete_range(start..end).err()
    });
    let refused = refused.expect("they are more than it may keep").to_string();
    assert!(refused.contains("67108864") && refused.contains("less in one transaction"), "{refused}");
    tx.delete_range(..4000u32.to_be_bytes()).expect("it takes the place of all of them");
    tx.put("a", "1").unwrap();
    tx.commit().unwrap();
    assert_eq!(shown(db.iter()), "a=1 large=replaced");
}

#[test]
fn after_close_every_call_says_so() {
    let (db, _) = new();
    db.put("a", "1").unwrap();
    let (mut written, reading) = (db.transaction(), db.transaction());
    written.put("b", "2").unwrap();
    let mut walk = reading.iter();
    db.close().unwrap();
    assert!(matches!(reading.get("a"), Err(Error::Closed)));
    assert!(matches!(reading.iter().next(), Some(Err(Error::Closed))));
    written.delete_range::<&str>(..).unwrap();
    assert!(matches!(written.iter().next(), Some(Err(Error::Closed))));
    assert_eq!(text(&walk.next().unwrap().unwrap().0), "a", "as any iterator that exists");
    assert!(matches!(reading.commit(), Err(Error::Closed)));
    assert!(matches!(written.commit(), Err(Error::Closed)));
    assert!(matches!(db.transaction().get("a"), Err(Error::Closed)));
    assert!(matches!(db.transact(|tx| tx.get("a")), Err(Error::Closed)));
}

#[test]
fn a_read_only_database_refuses_the_commit_and_not_the_reading() {
    let vfs = siltstone::vfs::fault::FaultVfs::over_mem(MemVfs::new());
    let db =
        Options::default().vfs(Arc::new(vfs.clone())).background(Background::Stepped).open("/db").unwrap();
    db.put("a", "1").unwrap();
    vfs.inject(siltstone::vfs::fault::Fault::nth(0).on(siltstone::vfs::fault::Op::Sync).named(".log"));
    let mut tx = db.transaction();
    tx.put("a", "2").unwrap();
    assert!(tx.commit().is_err());
    let mut tx = db.transaction();
    assert!(tx.get("a").unwrap().is_some());
    tx.put("b", "2").unwrap();
    assert!(matches!(tx.commit(), Err(Error::ReadOnly { .. })));
    assert_eq!(db.get("b").unwrap(), None);
}

#[test]
fn transact_runs_again_until_it_succeeds() {
    let (db, _) = new();
    let mut runs = 0;
    let answer = db.transact(|tx| {
        runs += 1;
        let count = tx.get("n")?.map_or(0, |value| value.len());
        if runs < 4 {
            db.put("n", "x".repeat(runs))?;
        }
        tx.put("n", "x".repeat(count + 1))?;
        Ok::<_, Error>(count)
    });
    assert_eq!((answer.unwrap(), runs, db.get("n").unwrap().unwrap().len()), (3, 4, 4));
}

#[test]
fn transact_gives_up_in_the_end_and_pauses_longer_each_time() {
    let (db, clock) = new();
    let (mut runs, mut pauses) = (0, Vec::new());
    let mut last = clock.monotonic();
    let refused = db.transact(|tx| {
        runs += 1;
        pauses.push(clock.monotonic() - last);
        tx.get("n")?;
        db.put("n", runs.to_string())?;
        tx.put("n", "mine")?;
        last = clock.monotonic();
        Ok::<_, Error>(())
    });
    let refused = refused.unwrap_err();
    assert!(refused.is_conflict() && refused.to_string().contains("\"n\""), "{refused}");
    assert_eq!((runs, db.get("n").unwrap().unwrap().len()), (32, 2));
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_millis(10)), "{pauses:?}");
    assert!(pauses[1] <= Duration::from_micros(40) && pauses.iter().max().unwrap() > &(SECOND / 1000));
}

#[test]
fn an_error_of_the_closure_ends_it() {
    #[derive(Debug)]
    enum Mine {
        Enough,
        Other,
    }
    impl From<Error> for Mine {
        fn from(_: Error) -> Mine {
            Mine::Other
        }
    }
    let (db, _) = new();
    let mut runs = 0;
    let ended = db.transact(|tx| {
        runs += 1;
        tx.put("a", "1")?;
        if tx.get("b")?.is_none() { Err(Mine::Enough) } else { Ok(()) }
    });
    assert!(matches!(ended, Err(Mine::Enough)) && runs == 1);
    assert_eq!(db.get("a").unwrap(), None);
    let large = db.transact(|tx| Ok::<_, Mine>(tx.put(vec![0; 70_000], "")?));
    assert!(matches!(large, Err(Mine::Other)));
}

/// Threads that increment one counter, and walk over all entries that they have made: nothing is lost or seen twice.
#[test]
fn increments_by_many_threads_are_all_there() {
    let vfs = MemVfs::new();
    let options = Options::default().memtable_bytes(4 << 10).durability(Durability::Os);
    let db = options.vfs(Arc::new(vfs)).open("/db").unwrap();
    let (threads, each, conflicts) = (4, 200, AtomicU64::new(0));
    let work = |who: usize| {
        for n in 0..each {
            loop {
                let done = db.transact(|tx| {
                    let count: u64 = tx.get("count")?.map_or(0, |value| text(&value).parse().unwrap());
                    assert_eq!(tx.prefix("entry:").count() as u64, count, "counted and walked at one moment");
                    tx.put("count", (count + 1).to_string())?;
                    tx.put(format!("entry:{who}:{n}"), "")?;
                    Ok::<_, Error>(())
                });
                match done {
                    Ok(()) => break,
                    Err(Error::Conflict { .. }) => _ = conflicts.fetch_add(1, Ordering::Relaxed),
                    Err(other) => panic!("{other}"),
                }
            }
        }
    };
    thread::scope(|scope| (0..threads).for_each(|who| drop(scope.spawn(move || work(who)))));
    assert_eq!(text(&db.get("count").unwrap().unwrap()), (threads * each).to_string());
    assert_eq!(db.prefix("entry:").count(), threads * each);
    println!("{} transactions gave up and were begun anew", conflicts.into_inner());
}
