//! A long mixed load, closed and opened every few minutes: does anything grow that should not, or stand still?
//!
//! Writers put, overwrite, delete and write batches on keys of their own; a reader gets and scans; a holder takes snapshots and
//! iterators, keeps them for a while and reads on in them. After each stretch of work all of it ends, everything is
//! compared with what the writers know, and the database is closed and opened. [`load`] is the work, [`samples`] what is
//! measured and what must hold of it.
//!
//! It runs in a process of its own (this test binary once more), so that memory, threads and descriptors are its own.
//!
//! | variable | what it sets | default |
//! |---|---|---|
//! | `SILTSTONE_SOAK_SECONDS` | how long it takes, checks not counted | 5 |
//! | `SILTSTONE_SOAK_STALL_MS` | the longest that one operation may take | 30,000 |
//! | `SILTSTONE_SOAK_FOLDER` | where the database is made and left | a folder that vanishes |
//!
//! The default bound finds an operation that hangs, on any machine. What a quiet one must show is 10 s.

mod load;
mod samples;

use crate::support::from_env;
use load::{Known, Work};
use samples::{Open, Sample, Samples};
use siltstone::{Compression, Db, Durability, Options};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Set for the process that does the work: the folder to do it in.
const CHILD: &str = "SILTSTONE_SOAK_CHILD";

/// How many stretches of work there are at least, and how long one is at most.
const STRETCHES: u64 = 10;
const LONGEST: Duration = Duration::from_secs(180);

#[test]
fn nothing_grows_and_nothing_stands_still() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return soak(&PathBuf::from(folder));
    }
    let own = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("SILTSTONE_SOAK_FOLDER").map_or(own.path().join("db"), PathBuf::from);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["soak::nothing_grows_and_nothing_stands_still", "--exact", "--nocapture"]);
    // The system's allocator may keep an arena for every thread there ever was, and what was freed in each: growth for as long
    // as there are more to come, which says nothing about us.
    let output = command.env(CHILD, &folder).env("MALLOC_ARENA_MAX", "1").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}");
    assert!(output.status.success(), "{err}");
}

/// Small, so that all that happens to a large database in days happens to this one in seconds. Two writers go on for as
/// long as they can, so level 0 may fill to where they are slowed down.
fn open(folder: &Path) -> Db {
    let options = Options::default().durability(Durability::Os).memory_budget(12 << 20);
    // What compression saves would hide how much room the files take.
    let options = options.compression(Compression::None);
    options.memtable_bytes(MEMTABLE_BYTES).table_bytes(1 << 20).open(folder).unwrap()
}

const MEMTABLE_BYTES: usize = 1 << 20;

fn soak(folder: &Path) {
    let seconds = from_env("SILTSTONE_SOAK_SECONDS", 5);
    let seed = from_env("SILTSTONE_SEED", 1);
    println!("SILTSTONE_SEED={seed} SILTSTONE_SOAK_SECONDS={seconds}");
    let total = Duration::from_secs(seconds);
    let stretch = (total / STRETCHES as u32).min(LONGEST);
    let stretches = total.as_millis().div_ceil(stretch.as_millis()) as u64;
    let (mut known, mut samples) = (Known::new(), Samples::new());
    let before = Open::now();
    for number in 0..stretches {
        let db = open(folder);
        let work = Work::new(&db, seed.wrapping_add(number * 1000));
        let (done, peak) = work.run(&mut known, stretch);
        known.check(&db);
        let busy = Sample::new(folder, &db, &known, peak);
        samples.push(busy, done);
        if number + 1 == stretches {
            // What was deleted and overwritten gives its room back, by itself and all the more when asked for.
            samples.wait_for_room(folder, &known);
            db.compact_range::<&[u8]>(..).unwrap();
            known.check(&db);
            samples.compacted(folder, &known);
            assert!(db.verify().unwrap().is_sound());
        }
        assert!(db.stats().last_background_error.is_none(), "{}", db.stats());
        db.close().unwrap();
        drop(db);
        before.wait_for();
    }
    samples.check(Duration::from_millis(from_env("SILTSTONE_SOAK_STALL_MS", 30_000)));
}
