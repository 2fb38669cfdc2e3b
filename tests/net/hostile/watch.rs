//! What the system says of a process, where it says it in files.

use crate::footprint;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often memory is looked at.
const EVERY: Duration = Duration::from_millis(20);

/// A process to look at from outside. Where there is no `/proc` nothing is seen, and nothing held against it.
pub struct Process {
    id: u32,
    folder: PathBuf,
}

/// What a process has open.
#[derive(Debug, PartialEq, Eq)]
pub struct Descriptors {
    pub sockets: usize,
    pub others: usize,
}

impl Process {
    pub fn new(id: u32) -> Process {
        Process { id, folder: format!("/proc/{id}").into() }
    }

    /// Bytes of memory that are not of a file.
    pub fn memory(&self) -> u64 {
        footprint::of(&self.id.to_string(), footprint::ANONYMOUS)
    }

    /// The most memory it has until it is over.
    pub fn peak_memory_until(&self, over: impl Fn() -> bool) -> u64 {
        let mut peak = 0;
        while !over() {
            peak = peak.max(self.memory());
            std::thread::sleep(EVERY);
        }
        peak
    }

    pub fn descriptors(&self) -> Descriptors {
        let links = fs::read_dir(self.folder.join("fd")).into_iter().flatten().flatten();
        let names: Vec<PathBuf> = links.filter_map(|link| fs::read_link(link.path()).ok()).collect();
        let sockets = names.iter().filter(|name| name.to_string_lossy().starts_with("socket:")).count();
        Descriptors { sockets, others: names.len() - sockets }
    }

    /// Waits until it has no more sockets open than before, and about as many files: the log and tables come and go.
    #[track_caller]
    pub fn wait_for_descriptors(&self, before: &Descriptors, patience: Duration) {
        const FILES: usize = 8;
        let since = Instant::now();
        loop {
            let now = self.descriptors();
            if now.sockets <= before.sockets && now.others <= before.others + FILES {
                return;
            }
            assert!(since.elapsed() < patience, "{now:?}, but before {before:?}");
            std::thread::sleep(EVERY);
        }
    }
}
