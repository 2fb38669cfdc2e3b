//! A real file system that is too small, with the database's own threads. Where the system lets nobody mount one, nothing is
//! tested.

use super::*;
use crate::support::Random;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// A file system of its own, in memory, for as long as this lives.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(megabytes: usize) -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "none"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(SmallDisk(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_file_system_is_got_over_by_deleting_and_by_space_from_elsewhere() {
    let Some(disk) = SmallDisk::new(48) else {
        println!("no file system can be mounted here");
        return;
    };
    let watchdog = Watchdog::start();
    watchdog.watch(&"a small file system");
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![1; 8 << 20]).unwrap();
    let options = Options::default().memtable_bytes(1 << 20).table_bytes(1 << 20);
    let path = disk.0.path().join("db");
    let db = options.clone().open(&path).unwrap();
    let mut disk = Filler { random: Random::new(1), next: 0, map: Map::new() };

    disk.fill(&db);
    let trouble = db.stats().disk_full.expect("the state is told");
    assert!(trouble.error.kind() == "disk_full" && trouble.since_ms > 0);
    println!("full with {} entries: {trouble}", disk.map.len());
    assert_same(&scan(&db).unwrap(), &disk.map, &|| "on a full disk".into());
    let some: Vec<Vec<u8>> = disk.map.keys().take(disk.map.len() * 3 / 4).cloned().collect();
    for key in some {
        db.delete(&key).unwrap_or_else(|e| panic!("{e}\n{}", db.stats()));
        disk.map.remove(&key);
    }
    watchdog.watch(&"deleted");
    db.compact_range::<&[u8]>(..).unwrap_or_else(|e| panic!("{e}\n{}", db.stats()));
    disk.put_in_the_end(&db);
    watchdog.watch(&"compacted");

    disk.fill(&db);
    println!("full again with {} entries: {:?}", disk.map.len(), db.stats().disk_full);
    std::fs::remove_file(ballast).unwrap();
    disk.put_in_the_end(&db);
    watchdog.watch(&"without ballast");
    assert!(db.stats().read_only.is_none());
    assert_same(&scan(&db).unwrap(), &disk.map, &|| "with space again".into());
    db.close().unwrap();
    let db = options.open(&path).unwrap();
    assert!(db.recovery().clean && db.verify().unwrap().is_sound());
    assert_same(&scan(&db).unwrap(), &disk.map, &|| "opened anew".into());
}

struct Filler {
    random: Random,
    next: u64,
    map: Map,
}

impl Filler {
    /// Puts what nothing compresses.
    fn put(&mut self, db: &Db) -> siltstone::Result<()> {
        let key = format!("{:016x}", Random::new(self.next).next()).into_bytes();
        let value: Vec<u8> = (0..125).flat_map(|_| self.random.next().to_le_bytes()).collect();
        db.put(&key, &value)?;
        self.map.insert(key, value);
        self.next += 1;
        Ok(())
    }

    fn fill(&mut self, db: &Db) {
        let full = std::iter::repeat_with(|| self.put(db)).find_map(Result::err);
        assert!(matches!(full, Some(Error::DiskFull { .. })), "{full:?}");
    }

    /// There is space: the threads find it sooner or later.
    fn put_in_the_end(&mut self, db: &Db) {
        let begun = Instant::now();
        while let Err(error) = self.put(db) {
            assert!(matches!(error, Error::DiskFull { .. }), "{error}");
            assert!(begun.elapsed() < Duration::from_secs(50), "{error}\n{}", db.stats());
            std::thread::sleep(Duration::from_millis(20));
        }
        println!("{:?} until the next write", begun.elapsed());
    }
}
