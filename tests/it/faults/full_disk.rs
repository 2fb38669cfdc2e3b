//! A disk that runs full, with a budget swept in small steps, and space that comes back.

use super::*;
use crate::support::{Random, from_env};

#[test]
fn a_full_disk_is_an_error_that_passes() {
    let watchdog = Watchdog::start();
    let (mut sizes, mut opened, mut reopened) = (0, 0, 0);
    for durability in [Durability::Sync, Durability::Os] {
        for space in (0..).step_by(701) {
            watchdog.watch(&("space", space));
            let mem = MemVfs::new();
            let vfs = FaultVfs::over_mem(mem.clone());
            vfs.set_free_space(Some(space));
            let case = Case {
                seed: 0,
                durability,
                op: Op::Write,
                nth: space,
                failure: Failure::NoSpace,
                effect: Effect::NotDone,
                forever: true,
            };
            let mut run = Run::new(&case, mem, vfs);
            run.workload();
            sizes += 1;
            if run.errors.is_empty() {
                break;
            }
            opened += u64::from(run.db.is_some());
            reopened += u64::from(!run.fill_and_make_room());
        }
    }
    println!("{sizes} sizes of a disk, {opened} with an open database; {reopened} needed reopening");
    assert!(sizes > 300 && opened > 150);
    assert_eq!(reopened, 0);
}

impl Run<'_> {
    /// The disk is full. Gives whether writes went on without reopening once it was not.
    fn fill_and_make_room(&mut self) -> bool {
        for e in &self.errors {
            assert!(matches!(e, Error::DiskFull { .. }), "{:?}: {e}", self.case);
        }
        let mut went_on = true;
        if let Some(db) = self.db.clone() {
            let found = scan(&db).unwrap();
            self.assert_possible(&found, "with a full disk");
            self.vfs.heal();
            for n in 0..12 {
                let more = put(&format!("k{n}"), n + 100);
                match write(&db, &more, None) {
                    Ok(()) => self.possible.iter_mut().for_each(|map| apply(map, &more)),
                    Err(Error::ReadOnly { .. }) => went_on = false,
                    Err(e) => panic!("{:?}: with space again: {e}", self.case),
                }
            }
            if went_on {
                db.flush().unwrap();
                db.compact_range::<&[u8]>(..).unwrap();
                let found = scan(&db).unwrap();
                self.assert_possible(&found, "with space again");
                self.possible = vec![found];
            }
        }
        self.vfs.heal();
        self.reopen_healed();
        went_on
    }
}

/// A database of which the disk is full gets space back by deleting: nobody else has to give any, and nothing is opened anew.
#[test]
fn deleting_makes_room_on_a_full_disk() {
    let watchdog = Watchdog::start();
    for space in (4_000_000..8_000_000).step_by(from_env("SILTSTONE_FULL_DISK_STEP", 400_009) as usize) {
        watchdog.watch(&("space", space));
        let vfs = FaultVfs::over_mem(MemVfs::new());
        vfs.set_free_space(Some(space));
        fill_and_delete(&vfs);
    }
}

fn fill_and_delete(vfs: &FaultVfs) {
    let options = options(vfs, Durability::Sync).memtable_bytes(256 << 10);
    let db = options.clone().table_bytes(64 << 10).block_bytes(4 << 10).open("/db").unwrap();
    let mut random = Random::new(1);
    // Nothing compresses these.
    let mut value = || (0..125).flat_map(|_| random.next().to_le_bytes()).collect::<Vec<u8>>();
    let mut kept = Map::new();
    let full = (0..).find_map(|n| {
        let (key, value) = (format!("key{n:06}").into_bytes(), value());
        let put = db.put(&key, &value);
        put.map(|()| kept.insert(key, value)).err()
    });
    assert!(matches!(full, Some(Error::DiskFull { .. })), "{full:?}");
    let trouble = db.stats().disk_full.expect("the state is told");
    assert_eq!(trouble.error.kind(), "disk_full");
    assert!(matches!(db.put("more", "!"), Err(Error::DiskFull { .. })));
    assert_same(&scan(&db).unwrap(), &kept, &|| "on a full disk".into());

    // What survives is written anew, and has to fit beside what it replaces.
    let most: Vec<Vec<u8>> = kept.keys().take(kept.len() - 20).cloned().collect();
    for key in most {
        db.delete(&key).unwrap_or_else(|e| panic!("{:?} left: {e}\n{}", vfs.free_space(), db.stats()));
        kept.remove(&key);
    }
    assert_same(&scan(&db).unwrap(), &kept, &|| "after deleting".into());
    db.compact_range::<&[u8]>(..)
        .unwrap_or_else(|e| panic!("{:?} left: {e}\n{}", vfs.free_space(), db.stats()));
    for n in 0..100 {
        let (key, value) = (format!("new{n:06}").into_bytes(), value());
        db.put(&key, &value).unwrap_or_else(|e| panic!("{:?} left: {e}\n{}", vfs.free_space(), db.stats()));
        kept.insert(key, value);
    }
    assert!(db.stats().disk_full.is_none());
    db.close().unwrap();
    let db = options.open("/db").unwrap();
    assert_same(&scan(&db).unwrap(), &kept, &|| "opened anew".into());
    assert!(db.verify().unwrap().is_sound());
}
