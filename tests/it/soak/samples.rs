//! What is measured after each stretch of work, and what must hold of it.

use super::MEMTABLE_BYTES;
use super::load::{Done, Known};
use siltstone::Db;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a process has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    descriptors: usize,
    threads: usize,
}

impl Open {
    pub fn now() -> Open {
        Open { descriptors: count("/proc/self/fd"), threads: count("/proc/self/task") }
    }

    /// Waits until there is no more open than this; threads of a pool end a moment after it.
    pub fn wait_for(&self) {
        let since = Instant::now();
        loop {
            let now = Open::now();
            if now.descriptors <= self.descriptors && now.threads <= self.threads {
                return;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "{now:?} after closing, and {self:?} before it was ever opened"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What is not over by then never is.
const PATIENCE: Duration = Duration::from_secs(60);

/// The database and the process at the end of a stretch.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    open: Open,
    /// The most memory that is not of a file.
    memory: u64,
    files: usize,
    /// Bytes of all files.
    disk: u64,
    /// Bytes of keys and values that are there.
    live: u64,
    /// Tables in level 0, and the longest time a write stood still.
    level0: usize,
    stall: f64,
}

pub struct Samples(Vec<(Sample, Done)>);

/// How many times the live data the files may take once background work has caught up and nobody holds a snapshot: each
/// level is a tenth of the next, but for the deepest one while it is small.
const TIMES: u64 = 2;

/// And how much beside: the log of three buffers, a segment ahead and one to be written again, each of them longer than a buffer
/// where the next one was not ready in time.
const BESIDE: u64 = 8 * MEMTABLE_BYTES as u64;

impl Sample {
    pub fn new(folder: &Path, db: &Db, known: &Known, memory: u64) -> Sample {
        let (files, disk) = size(folder);
        let stats = db.stats();
        let level0 = stats.levels.iter().find(|level| level.level == 0).map_or(0, |level| level.tables);
        Sample {
            open: Open::now(),
            memory,
            files,
            disk,
            live: known.bytes(),
            level0,
            stall: stats.longest_stall_seconds,
        }
    }
}

impl Samples {
    pub fn new() -> Samples {
        println!(
            "{:>7} {:>9} {:>9} {:>10} {:>10} {:>5} {:>7} {:>6} {:>8} {:>8} {:>5} {:>6} {:>8}",
            "stretch",
            "writes",
            "reads",
            "longest",
            "stood",
            "fds",
            "threads",
            "files",
            "live",
            "disk",
            "amp",
            "level0",
            "memory"
        );
        Samples(Vec::new())
    }

    pub fn push(&mut self, busy: Sample, done: Done) {
        let mib = |bytes: u64| format!("{:.1}M", bytes as f64 / f64::from(1 << 20));
        println!(
            "{:7} {:9} {:9} {:>10.1?} {:>9.2}s {:5} {:7} {:6} {:>8} {:>8} {:5.2} {:6} {:>8}",
            self.0.len(),
            done.writes,
            done.reads,
            done.longest,
            busy.stall,
            busy.open.descriptors,
            busy.open.threads,
            busy.files,
            mib(busy.live),
            mib(busy.disk),
            busy.disk as f64 / busy.live as f64,
            busy.level0,
            mib(busy.memory),
        );
        self.0.push((busy, done));
    }

    /// Waits until no more room is taken than should be.
    pub fn wait_for_room(&self, folder: &Path, known: &Known) {
        let (since, live) = (Instant::now(), known.bytes());
        loop {
            let (files, disk) = size(folder);
            if disk <= TIMES * live + BESIDE {
                println!("settled: {files} files of {disk} bytes for {live} bytes of data");
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{disk} bytes for {live}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The room that is left when everything is compacted: tables hold live data only.
    pub fn compacted(&self, folder: &Path, known: &Known) {
        let (files, disk) = size(folder);
        let live = known.bytes();
        println!("compacted: {files} files of {disk} bytes for {live} bytes of data");
        assert!(disk <= live + live / 20 + BESIDE, "{disk} bytes for {live}");
    }

    pub fn check(&self, longest: Duration) {
        for (_, done) in &self.0 {
            assert!(done.writes > 0 && done.reads > 0, "nothing was done");
            assert!(done.longest <= longest, "an operation took {:?}", done.longest);
        }
        // After a third of the time nothing grows any more.
        let third = self.0.len().div_ceil(3);
        let (first, later) = self.0.split_at(third);
        let memory = |part: &[(Sample, Done)]| part.iter().map(|(busy, _)| busy.memory).max().unwrap_or(0);
        let (memory, memory_later) = (memory(first), memory(later));
        let files = first.iter().map(|(busy, _)| busy.files).max().unwrap_or(0);
        // A reader that is kept from running for long holds the tables of several compactions, so one sample says nothing: 72
        // files were seen in one of ten, and 30 at most in the others. What grows does so in most of them.
        let mut all: Vec<usize> = later.iter().map(|(busy, _)| busy.files).collect();
        all.sort_unstable();
        let files_later = all.get(all.len() / 2).copied().unwrap_or(0);
        assert!(memory_later <= memory + memory / 4 + (8 << 20), "memory: {memory}, later {memory_later}");
        assert!(files_later <= 2 * files + 20, "files: {files}, later {files_later}");
    }
}

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Files and their bytes.
fn size(folder: &Path) -> (usize, u64) {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let lens: Vec<u64> = files.filter_map(|file| file.metadata().ok()).map(|found| found.len()).collect();
    (lens.len(), lens.iter().sum())
}
