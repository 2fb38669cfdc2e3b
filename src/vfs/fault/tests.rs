use super::*;
use crate::Error;
use crate::vfs::mem::CrashPolicy;
use crate::vfs::{Dir, OpenFile};
use std::io::ErrorKind;

fn faulty() -> (MemVfs, FaultVfs, Dir) {
    let mem = MemVfs::new();
    let vfs = FaultVfs::over_mem(mem.clone());
    let dir = Dir::new(Arc::new(vfs.clone()), "/");
    (mem, vfs, dir)
}

fn file(dir: &Dir, name: &str) -> OpenFile {
    dir.open(name, Mode::CreateNew).unwrap()
}

fn kind<T>(result: crate::Result<T>) -> ErrorKind {
    match result.err().unwrap() {
        Error::Io { source, .. } => source.kind(),
        Error::DiskFull { .. } => ErrorKind::StorageFull,
        other => panic!("{other}"),
    }
}

/// Which of ten writes fail.
fn failures(fault: Fault) -> Vec<u64> {
    let (_, vfs, dir) = faulty();
    let file = file(&dir, "1.log");
    vfs.inject(fault);
    let failed = (0..10).filter(|i| file.write_at(b"x", *i).is_err()).collect::<Vec<_>>();
    assert_eq!(vfs.injected(), failed.len() as u64);
    assert_eq!(vfs.op_count(), 11);
    failed
}

#[test]
fn keeps_the_contract_without_rules() {
    let mem = MemVfs::new();
    crate::vfs::tests::check_contract(Arc::new(FaultVfs::over_mem(mem)), Path::new("/"));
    let dir = tempfile::tempdir().unwrap();
    let vfs = FaultVfs::new(Arc::new(crate::vfs::std::StdVfs));
    vfs.set_free_space(Some(1 << 20));
    crate::vfs::tests::check_contract(Arc::new(vfs.clone()), dir.path());
    assert_eq!(vfs.injected(), 0);
}

#[test]
fn rules_say_when() {
    assert_eq!(failures(Fault::nth(3)), [3]);
    assert_eq!(failures(Fault::nth(0)), [0]);
    assert_eq!(failures(Fault::nth(10)), [0; 0]);
    assert_eq!(failures(Fault::nth(8).forever()), [8, 9]);
    assert_eq!(failures(Fault::nth(2).times(3)), [2, 3, 4]);
    assert_eq!(failures(Fault::nth(2).times(0)), [0; 0]);
}

#[test]
fn rules_say_which() {
    assert_eq!(failures(Fault::nth(3).on(Op::Write).named(".log")), [3]);
    assert_eq!(failures(Fault::nth(3).on(Op::Sync)), [0; 0]);
    assert_eq!(failures(Fault::nth(3).named(".table")), [0; 0]);
    let (_, vfs, dir) = faulty();
    vfs.inject(Fault::nth(1).on(Op::Sync).named(".log"));
    let (log, table) = (file(&dir, "1.log"), file(&dir, "2.table"));
    log.sync().unwrap();
    table.sync().unwrap();
    table.sync().unwrap();
    assert_eq!(kind(log.sync()), ErrorKind::Other);
    log.sync().unwrap();
}

#[test]
fn every_operation_can_fail() {
    type Call = fn(&Dir, &OpenFile) -> crate::Result<()>;
    let calls: [(Op, Call); 16] = [
        (Op::Open, |dir, _| dir.open("f", Mode::Read).map(drop)),
        (Op::Open, |dir, _| dir.open("f", Mode::Write).map(drop)),
        (Op::Create, |dir, _| dir.open("new", Mode::CreateNew).map(drop)),
        (Op::Create, |dir, _| dir.open("f", Mode::Truncate).map(drop)),
        (Op::Create, |dir, _| Dir::new(Arc::clone(dir.vfs()), "/sub").create_all()),
        (Op::Read, |_, file| file.read_at(&mut [0], 0).map(drop)),
        (Op::Write, |_, file| file.write_at(b"x", 0)),
        (Op::SetLen, |_, file| file.set_len(1)),
        (Op::Sync, |_, file| file.sync()),
        (Op::Map, |_, file| file.map().map(drop)),
        (Op::SyncDir, |dir, _| dir.sync()),
        (Op::Look, |dir, file| dir.list().and(dir.len("f")).and(file.len()).map(drop)),
        (Op::Lock, |dir, _| dir.lock("LOCK").map(drop)),
        (Op::Rename, |dir, _| dir.rename("f", "g")),
        (Op::Link, |dir, _| {
            let (from, to) = (dir.join("f"), dir.join("f2"));
            dir.vfs().hard_link(&from, &to).map_err(|e| crate::Error::io("link", &to, e))
        }),
        (Op::Remove, |dir, _| dir.remove("f")),
    ];
    for (op, call) in calls {
        let (mem, vfs, dir) = faulty();
        let file = file(&dir, "f");
        let before = (mem.op_count(), mem.files());
        vfs.inject(Fault::nth(0).on(op).failing_with(Failure::Denied));
        assert_eq!(kind(call(&dir, &file)), ErrorKind::PermissionDenied, "{op:?}");
        assert_eq!((mem.op_count(), mem.files()), before, "{op:?}: it must not be done");
        call(&dir, &file).unwrap_or_else(|e| panic!("{op:?} fails once: {e}"));
    }
}

#[test]
fn reasons_are_recognisable() {
    let (_, vfs, dir) = faulty();
    let file = file(&dir, "f");
    for (failure, expected) in [
        (Failure::Device, ErrorKind::Other),
        (Failure::NoSpace, ErrorKind::StorageFull),
        (Failure::Denied, ErrorKind::PermissionDenied),
        (Failure::Interrupted, ErrorKind::Interrupted),
    ] {
        vfs.inject(Fault::nth(0).on(Op::Sync).failing_with(failure));
        assert_eq!(kind(file.sync()), expected);
    }
    let many = io::Error::from(Failure::TooManyFiles);
    assert!(many.to_string().to_lowercase().contains("too many open files"), "{many}");
}

#[test]
fn the_first_rule_decides_and_all_count() {
    let (_, vfs, dir) = faulty();
    let file = file(&dir, "f");
    vfs.inject(Fault::nth(0).on(Op::Sync).failing_with(Failure::Denied));
    vfs.inject(Fault::nth(1).failing_with(Failure::NoSpace));
    assert_eq!(kind(file.sync()), ErrorKind::PermissionDenied);
    assert_eq!(kind(file.sync()), ErrorKind::StorageFull);
    file.sync().unwrap();
}

#[test]
fn a_short_write_leaves_a_prefix() {
    for (kept, expected) in [(0, &b""[..]), (3, b"abc"), (usize::MAX, b"abcdef")] {
        let (mem, vfs, dir) = faulty();
        let file = file(&dir, "f");
        vfs.inject(Fault::nth(0).on(Op::Write).with(Effect::ShortWrite(kept)));
        assert_eq!(kind(file.write_at(b"abcdef", 0)), ErrorKind::Other);
        assert_eq!(mem.read_file(Path::new("f")).unwrap(), expected);
    }
}

#[test]
fn a_short_read_and_an_interruption_are_no_failure() {
    let (_, vfs, dir) = faulty();
    let file = file(&dir, "f");
    file.write_at(b"abcdefg", 0).unwrap();
    // The sync and the look at the length are left alone, but they count (F1, F3).
    vfs.inject(Fault::nth(0).with(Effect::ShortRead).times(4));
    vfs.inject(Fault::nth(2).on(Op::Read).failing_with(Failure::Interrupted));
    file.sync().unwrap();
    assert_eq!(vfs.injected(), 0);
    assert_eq!(file.read_all(100).unwrap(), b"abcdefg");
    assert_eq!(vfs.injected(), 3, "four bytes, two, an interruption, and the last one");
}

#[test]
fn a_failed_sync_can_lose_the_writes() {
    let (mem, vfs, dir) = faulty();
    let file = file(&dir, "f");
    dir.sync().unwrap();
    file.write_at(b"old!", 0).unwrap();
    file.sync().unwrap();
    file.write_at(b"new and longer", 0).unwrap();
    // The file is found by its handle, even under a new name.
    dir.rename("f", "g").unwrap();
    vfs.inject(Fault::nth(0).on(Op::Sync).with(Effect::DropUnsynced));
    assert_eq!(kind(file.sync()), ErrorKind::Other);
    file.sync().unwrap();
    dir.sync().unwrap();
    let after = mem.crash_image(CrashPolicy::Strict, 0);
    assert_eq!(after.read_file(Path::new("g")).unwrap(), b"old!\0\0\0\0\0\0\0\0\0\0");
}

#[test]
fn a_failed_rename_may_have_happened() {
    let (mem, vfs, dir) = faulty();
    file(&dir, "CURRENT.tmp");
    vfs.inject(Fault::nth(0).on(Op::Rename).named("CURRENT").with(Effect::Done));
    assert_eq!(kind(dir.rename("CURRENT.tmp", "CURRENT")), ErrorKind::Other);
    assert_eq!(mem.files(), [Path::new("/CURRENT")]);
    vfs.inject(Fault::nth(0).on(Op::Remove).with(Effect::Done));
    assert_eq!(kind(dir.remove("CURRENT")), ErrorKind::Other);
    assert!(mem.files().is_empty());
}

#[test]
fn the_disk_fills_and_space_comes_back() {
    let (_, vfs, dir) = faulty();
    let (a, b) = (file(&dir, "a"), file(&dir, "b"));
    vfs.set_free_space(Some(10));
    a.write_at(b"123456", 0).unwrap();
    a.write_at(b"654321", 0).unwrap();
    assert_eq!(vfs.free_space(), Some(4), "an overwrite takes no space");
    assert_eq!(kind(b.write_at(b"123456", 0)), ErrorKind::StorageFull);
    assert_eq!((b.len().unwrap(), vfs.free_space()), (4, Some(0)), "what fits arrives");
    assert_eq!(kind(a.write_at(b"x", 100)), ErrorKind::StorageFull);
    assert_eq!(kind(a.set_len(7)), ErrorKind::StorageFull);
    assert_eq!(a.len().unwrap(), 6);
    a.set_len(5).unwrap();
    dir.rename("a", "b").unwrap();
    assert_eq!(vfs.free_space(), Some(5), "the replaced file is gone");
    dir.rename("b", "b").unwrap();
    dir.open("b", Mode::Truncate).unwrap();
    assert_eq!(vfs.free_space(), Some(10));
    a.set_len(10).unwrap();
    dir.remove("b").unwrap();
    assert_eq!(vfs.free_space(), Some(10));
    vfs.set_free_space(Some(0));
    vfs.heal();
    file(&dir, "c").write_at(b"x", 0).unwrap();
}

#[test]
fn healing_forgets_the_rules() {
    let (_, vfs, dir) = faulty();
    let file = file(&dir, "f");
    vfs.inject(Fault::nth(0).forever());
    assert!(file.sync().is_err());
    vfs.heal();
    file.sync().unwrap();
    assert_eq!((vfs.op_count(), vfs.injected()), (3, 1));
}
