//! The contract every implementation keeps, as one test that each of them runs.

use super::{Dir, Mode, Vfs};
use crate::Error;
use ::std::io::ErrorKind;
use ::std::path::Path;
use ::std::sync::Arc;

/// Runs through everything that can be seen without a crash. `root` must exist and be empty.
pub(super) fn check_contract(vfs: Arc<dyn Vfs>, root: &Path) {
    let dir = Dir::new(Arc::clone(&vfs), root.join("a").join("b"));
    assert!(dir.list().is_err());
    dir.create_all().unwrap();
    dir.create_all().unwrap();
    dir.sync().unwrap();
    check_opening(&dir);
    check_content(&dir);
    check_names(&dir);
    check_links(&dir);
    check_directories(&*vfs, &dir);
    check_locks(&dir);
}

fn kind(error: Error) -> ErrorKind {
    match error {
        Error::Io { source, .. } => source.kind(),
        other => panic!("not an I/O error: {other}"),
    }
}

fn check_opening(dir: &Dir) {
    assert_eq!(kind(dir.open("f", Mode::Read).unwrap_err()), ErrorKind::NotFound);
    assert_eq!(kind(dir.open("f", Mode::Write).unwrap_err()), ErrorKind::NotFound);
    assert_eq!(dir.len("f").unwrap(), None);
    dir.open("f", Mode::CreateNew).unwrap().write_at(b"old", 0).unwrap();
    assert_eq!(kind(dir.open("f", Mode::CreateNew).unwrap_err()), ErrorKind::AlreadyExists);
    assert_eq!(dir.len("f").unwrap(), Some(3));
    assert!(dir.open("f", Mode::Read).unwrap().write_at(b"x", 0).is_err());
    assert!(dir.open("f", Mode::Read).unwrap().set_len(0).is_err());
    assert_eq!(dir.open("f", Mode::Write).unwrap().read_all(10).unwrap(), b"old");
    check_log(dir);
    assert_eq!(dir.open("f", Mode::Truncate).unwrap().len().unwrap(), 0);
    dir.open("g", Mode::Truncate).unwrap();
    let mut names = dir.list().unwrap();
    names.sort();
    assert_eq!(names, ["f", "g"]);
    dir.remove("g").unwrap();
}

fn check_log(dir: &Dir) {
    assert_eq!(kind(dir.open("no log", Mode::Log).unwrap_err()), ErrorKind::NotFound);
    let file = dir.open("f", Mode::Log).unwrap();
    file.write_at(b"new and longer", 0).unwrap();
    file.write_at(b"N", 0).unwrap();
    file.sync().unwrap();
    assert_eq!(dir.open("f", Mode::Read).unwrap().read_all(20).unwrap(), b"New and longer");
}

fn check_content(dir: &Dir) {
    let file = dir.open("f", Mode::Write).unwrap();
    assert_eq!(file.map().unwrap().bytes(), b"");
    file.write_at(b"hello", 10_000).unwrap();
    file.write_at(b"", 20_000).unwrap();
    assert_eq!(file.len().unwrap(), 10_005);
    let mut buf = [1; 8];
    assert_eq!(file.read_at(&mut buf, 9_998).unwrap(), 7);
    assert_eq!(&buf[..7], b"\0\0hello");
    assert_eq!(file.read_at(&mut buf, 10_005).unwrap(), 0);
    assert_eq!(file.read_at(&mut buf, 1 << 40).unwrap(), 0);
    file.set_len(10_002).unwrap();
    file.set_len(10_006).unwrap();
    assert_eq!(file.read_at(&mut buf, 9_999).unwrap(), 7);
    assert_eq!(&buf[..7], b"\0he\0\0\0\0");
    file.sync().unwrap();
    let map = file.map().unwrap();
    assert_eq!(map.bytes().len(), 10_006);
    assert_eq!(&map.bytes()[10_000..10_002], b"he");
}

fn check_names(dir: &Dir) {
    let kept = dir.open("f", Mode::Read).unwrap();
    dir.open("h", Mode::CreateNew).unwrap().write_at(b"new", 0).unwrap();
    dir.rename("h", "f").unwrap();
    assert_eq!(dir.len("h").unwrap(), None);
    assert_eq!(dir.open("f", Mode::Read).unwrap().read_all(10).unwrap(), b"new");
    assert_eq!(kept.len().unwrap(), 10_006, "a handle stays with its file");
    assert_eq!(kind(dir.rename("h", "f").unwrap_err()), ErrorKind::NotFound);
    dir.rename("f", "f").unwrap();
    let kept = dir.open("f", Mode::Write).unwrap();
    dir.remove("f").unwrap();
    assert_eq!(kind(dir.remove("f").unwrap_err()), ErrorKind::NotFound);
    assert_eq!(kept.read_all(10).unwrap(), b"new");
    kept.write_at(b"more", 3).unwrap();
    kept.sync().unwrap();
    dir.sync().unwrap();
    assert!(dir.list().unwrap().is_empty());
}

fn check_links(dir: &Dir) {
    let elsewhere = Dir::new(Arc::clone(dir.vfs()), dir.join("c"));
    elsewhere.create_all().unwrap();
    dir.open("f", Mode::CreateNew).unwrap().write_at(b"one", 0).unwrap();
    dir.link("f", &elsewhere).unwrap();
    assert_eq!(kind(dir.link("f", &elsewhere).unwrap_err()), ErrorKind::AlreadyExists);
    assert_eq!(kind(dir.link("missing", &elsewhere).unwrap_err()), ErrorKind::NotFound);
    dir.open("f", Mode::Write).unwrap().write_at(b"two", 0).unwrap();
    assert_eq!(elsewhere.open("f", Mode::Read).unwrap().read_all(10).unwrap(), b"two", "one file");
    dir.remove("f").unwrap();
    assert_eq!(dir.len("f").unwrap(), None);
    assert_eq!(elsewhere.open("f", Mode::Read).unwrap().read_all(10).unwrap(), b"two");
    dir.open("f", Mode::CreateNew).unwrap();
    assert_eq!(elsewhere.len("f").unwrap(), Some(3), "another file under the old name");
    dir.remove("f").unwrap();
    elsewhere.remove("f").unwrap();
}

fn check_directories(vfs: &dyn Vfs, dir: &Dir) {
    assert!(vfs.open(dir.path(), Mode::Read).is_err());
    assert!(vfs.open(dir.path(), Mode::Write).is_err());
    assert!(vfs.len(dir.path()).is_err());
    assert!(vfs.remove(dir.path()).is_err());
    assert_eq!(vfs.list(dir.path().parent().unwrap()).unwrap(), ["b"]);
    assert_eq!(vfs.list(&dir.path().join("..")).unwrap(), ["b"]);
    let missing = dir.path().join("missing");
    assert_eq!(vfs.list(&missing).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(vfs.sync_dir(&missing).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(vfs.open(&missing.join("f"), Mode::CreateNew).is_err());
    assert_eq!(vfs.len(&missing.join("f")).unwrap(), None);
    dir.open("file", Mode::CreateNew).unwrap();
    assert!(vfs.create_dir_all(&dir.join("file")).is_err());
    assert!(vfs.create_dir_all(&dir.join("file").join("below")).is_err());
    dir.remove("file").unwrap();
}

fn check_locks(dir: &Dir) {
    let lock = dir.lock("LOCK").unwrap();
    assert!(matches!(dir.lock("LOCK"), Err(Error::Locked { .. })));
    assert_eq!(dir.len("LOCK").unwrap(), Some(0));
    let other = dir.lock("LOCK2").unwrap();
    drop(lock);
    let lock = dir.lock("LOCK").unwrap();
    assert!(matches!(dir.lock("LOCK2"), Err(Error::Locked { .. })));
    drop((lock, other));
    dir.remove("LOCK").unwrap();
    dir.remove("LOCK2").unwrap();
}
