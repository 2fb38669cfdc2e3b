//! A disk that runs full, with a budget swept in small steps, and space that comes back.

use super::*;

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
