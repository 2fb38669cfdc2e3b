//! What goes wrong while a checkpoint is made: a file operation, the power, the disk.

use super::*;
use siltstone::vfs::fault::{Effect, Failure, Fault, FaultVfs, Op};
use siltstone::vfs::mem::CrashPolicy;

fn faulty(vfs: &FaultVfs) -> Options {
    let clock = Arc::new(SimClock::new(1));
    small().vfs(Arc::new(vfs.clone())).clock(clock).background(Background::Stepped)
}

/// A database with tables on several levels, a keyspace, and something that is in a write buffer only.
fn filled(options: Options) -> (Db, Map) {
    let db = options.open("/db").unwrap();
    fill(&db, 40, 1);
    db.keyspace("other").unwrap().put("k", "v").unwrap();
    db.compact_range::<&str>(..).unwrap();
    fill(&db, 25, 2);
    db.put("last", "in a buffer").unwrap();
    let map = scan(&db).unwrap();
    (db, map)
}

/// Whether the copy is there; if so it is whole. Anything else is refused in words that help.
fn is_whole(options: Options, expected: &Map, what: &dyn Fn() -> String) -> bool {
    match existing(options).open("/copy") {
        Ok(copy) => {
            assert_same(&scan(&copy).unwrap(), expected, what);
            assert_eq!(copy.keyspace("other").unwrap().get("k").unwrap().unwrap(), b"v", "{}", what());
            assert!(copy.verify().unwrap().is_sound(), "{}", what());
            copy.put("alive", "yes").unwrap();
            true
        }
        Err(Error::NotADatabase { .. }) => false,
        Err(e) => panic!("{e}; {}", what()),
    }
}

#[test]
fn a_power_cut_at_any_operation_leaves_all_or_nothing() {
    let mut images = 0;
    for copied in [false, true] {
        let mem = MemVfs::new();
        let vfs = FaultVfs::over_mem(mem.clone());
        if copied {
            vfs.inject(Fault::nth(0).on(Op::Link).failing_with(Failure::Denied).forever());
        }
        let (db, expected) = filled(faulty(&vfs));
        let begin = mem.op_count();
        mem.schedule_crashes(begin..begin + 2000, &CrashPolicy::EVERY, 7);
        let made = db.checkpoint("/copy").unwrap();
        let end = mem.op_count();
        assert_eq!(made.copied_bytes > 0, copied);
        assert!(made.tables > 3 && end < begin + 2000);
        fill(&db, 30, 3);
        db.close().unwrap();
        let mut whole = [0, 0];
        for image in mem.take_crash_images() {
            images += 1;
            let what = || format!("copied: {copied}, before {} of {end}, {:?}", image.at_op, image.policy);
            let there = is_whole(stepped(&image.vfs), &expected, &what);
            assert!(there || image.at_op < end, "it had returned; {}", what());
            whole[usize::from(there)] += 1;
            let db = existing(stepped(&image.vfs)).open("/db").unwrap_or_else(|e| panic!("{e}; {}", what()));
            let found = scan(&db).unwrap();
            if image.at_op <= end {
                assert_same(&found, &expected, &what);
            }
            assert!(db.verify().unwrap().is_sound(), "{}", what());
            // A folder that was left half done is refused, and another one is taken.
            let again = db.checkpoint("/copy");
            assert!(there || image.at_op >= end || again.is_ok() || is_refused(&again), "{}", what());
            db.checkpoint("/another").unwrap_or_else(|e| panic!("{e}; {}", what()));
        }
        assert!(whole[0] > 50 && whole[1] > 50, "{whole:?}");
    }
    println!("{images} crash images");
}

fn is_refused<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::InvalidArgument { .. }))
}

#[test]
fn any_operation_may_fail() {
    use Effect::{Done, NotDone, ShortWrite};
    use Failure::{Denied, Device, NoSpace, TooManyFiles};
    let ops = [
        Op::Open,
        Op::Create,
        Op::Read,
        Op::Write,
        Op::SetLen,
        Op::Sync,
        Op::Map,
        Op::SyncDir,
        Op::Rename,
        Op::Link,
        Op::Remove,
        Op::Look,
        Op::Lock,
    ];
    let ways = [
        (Device, NotDone),
        (Device, Done),
        (NoSpace, ShortWrite(40)),
        (Denied, NotDone),
        (TooManyFiles, NotDone),
    ];
    let (mut injected, mut failed) = (0, 0);
    for copied in [false, true] {
        for op in ops {
            for (failure, effect) in ways {
                for forever in [false, true] {
                    for nth in 0.. {
                        let fault = Fault::nth(nth).on(op).failing_with(failure).with(effect);
                        let fault = if forever { fault.forever() } else { fault };
                        match fail_one(&fault, copied) {
                            None => break,
                            Some(Err(_)) => failed += 1,
                            Some(Ok(())) => {}
                        }
                        injected += 1;
                    }
                }
            }
        }
    }
    println!("{injected} failures, {failed} of which failed the checkpoint");
    assert!(failed > 300);
}

/// Makes a checkpoint while one operation fails; `None` when there were fewer operations than that.
fn fail_one(fault: &Fault, copied: bool) -> Option<Result<(), Error>> {
    let what = || format!("{fault:?}, copied: {copied}");
    let vfs = FaultVfs::over_mem(MemVfs::new());
    let (db, expected) = filled(faulty(&vfs));
    if copied {
        vfs.inject(Fault::nth(0).on(Op::Link).failing_with(Failure::Denied).forever());
    }
    let before = vfs.injected();
    vfs.inject(fault.clone());
    let made = db.checkpoint("/copy");
    let links = if copied { made.as_ref().map_or(0, |made| made.tables as u64) } else { 0 };
    let injected = vfs.injected() - before > links;
    vfs.heal();
    if made.is_ok() {
        assert!(is_whole(faulty(&vfs), &expected, &what), "{}", what());
    } else {
        // Not even when what was to be removed could not be.
        assert!(!is_whole(faulty(&vfs), &expected, &what), "{}: it failed, and yet it is there", what());
    }
    // The first database is what it was; only a failed sync of its own files makes it read-only.
    assert_same(&scan(&db).unwrap(), &expected, &what);
    if db.stats().read_only.is_none() {
        db.put("more", "!").unwrap_or_else(|e| panic!("{e}; {}", what()));
        db.checkpoint("/another").unwrap_or_else(|e| panic!("{e}; {}", what()));
        db.delete("more").unwrap();
    }
    drop(db);
    let db = faulty(&vfs).open("/db").unwrap_or_else(|e| panic!("{e}; {}", what()));
    assert_same(&scan(&db).unwrap(), &expected, &what);
    (injected || made.is_err()).then_some(made.map(drop))
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing() {
    let mut full = 0;
    for copied in [false, true] {
        for space in (0..).step_by(211) {
            let mem = MemVfs::new();
            let vfs = FaultVfs::over_mem(mem.clone());
            let (db, expected) = filled(faulty(&vfs));
            if copied {
                vfs.inject(Fault::nth(0).on(Op::Link).failing_with(Failure::Denied).forever());
            }
            vfs.set_free_space(Some(space));
            let made = db.checkpoint("/copy");
            let what = || format!("{space} bytes left, copied: {copied}");
            match &made {
                Ok(_) => assert!(is_whole(stepped(&mem), &expected, &what)),
                Err(Error::DiskFull { .. }) => {
                    full += 1;
                    let left = mem.files().into_iter().filter(|file| file.starts_with("/copy"));
                    assert_eq!(left.count(), 0, "{}", what());
                }
                Err(e) => panic!("{e}; {}", what()),
            }
            vfs.set_free_space(None);
            assert_same(&scan(&db).unwrap(), &expected, &what);
            for n in 0..4 {
                db.put(format!("more{n}"), "!").unwrap_or_else(|e| panic!("{e}; {}", what()));
            }
            if made.is_ok() {
                break;
            }
            db.checkpoint("/copy").unwrap_or_else(|e| panic!("{e}; {}", what()));
        }
    }
    assert!(full > 10, "{full}");
}
