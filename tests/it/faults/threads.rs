//! The same with the database's own threads, which nobody steps: nothing hangs.

use super::*;

/// With threads of its own, nothing hangs either: every wait has a deadline, and an error ends it.
#[test]
fn threads_do_not_hang_when_files_fail() {
    let watchdog = Watchdog::start();
    for (op, name) in [
        (Op::Sync, ".log"),
        (Op::Sync, ".table"),
        (Op::Sync, ".manifest"),
        (Op::Sync, ".spare"),
        (Op::Write, ".log"),
        (Op::Write, ".table"),
        (Op::Write, ".manifest"),
        (Op::Create, ".table"),
        (Op::SyncDir, ""),
        (Op::Remove, ""),
        (Op::Map, ".table"),
    ] {
        for failure in [Failure::Device, Failure::NoSpace] {
            watchdog.watch(&(op, name, failure));
            threads_meet(op, name, failure);
        }
    }
}

fn threads_meet(op: Op, name: &str, failure: Failure) {
    let vfs = FaultVfs::over_mem(MemVfs::new());
    let open = || {
        let options = options(&vfs, Durability::Sync).background(Background::Threads);
        let clock = Arc::new(siltstone::vfs::std::StdClock::new());
        options.clock(clock).stall_deadline(Duration::from_millis(50)).open("/db").unwrap()
    };
    let db = open();
    vfs.inject(Fault::nth(3).on(op).named(name).failing_with(failure).forever());
    let written: Vec<Vec<usize>> = std::thread::scope(|scope| {
        let writers = (0..3).map(|t| {
            let db = db.clone();
            let write = move |n: &usize| db.put(format!("{t}-{n}"), n.to_le_bytes());
            scope.spawn(move || (0..60).take_while(|n| write(n).is_ok()).collect())
        });
        let writers: Vec<_> = writers.collect();
        let _ = db.flush();
        writers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    for (t, written) in written.iter().enumerate() {
        for n in written.iter().filter(|_| op != Op::Map) {
            assert_eq!(db.get(format!("{t}-{n}")).unwrap().unwrap(), n.to_le_bytes());
        }
    }
    let _ = db.close();
    vfs.heal();
    drop(db);
    let db = open();
    for (t, written) in written.iter().enumerate() {
        for n in written {
            let found = db.get(format!("{t}-{n}")).unwrap();
            assert_eq!(found.as_deref(), Some(&n.to_le_bytes()[..]), "{op:?} {name} {failure:?}: {t}-{n}");
        }
    }
    db.put("alive", "yes").unwrap();
}
