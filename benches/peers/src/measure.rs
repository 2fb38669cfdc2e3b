//! What a piece of work costs: time, latencies, processor, memory, disk.
//!
//! All of it is the kernel's own count for this process, which runs one engine and nothing else:
//!
//! | what | where it comes from |
//! |---|---|
//! | latency | one reading of the time-stamp counter per operation; the end of one is the start of the next |
//! | processor | `CLOCK_PROCESS_CPUTIME_ID`: user and system, all threads, background work included |
//! | resident memory | `VmHWM`, reset before each workload through `clear_refs`; `RssAnon` sampled and at the end |
//! | bytes written | `write_bytes` of `/proc/self/io`: bytes that made a page dirty, or went past the page cache |
//! | bytes on disk | allocated blocks of the folder's files, so a file set long in advance counts what it takes |
//! | foreign | the machine's busy time that was not ours, in cores: says whether a run was disturbed |

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use quanta::Clock;
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Latencies of consecutive operations.
///
/// A lap reaches from the end of one operation to the end of the next, so it includes making the key and the value:
/// some tens of nanoseconds, alike for all engines.
pub struct Laps {
    clock: Clock,
    last: u64,
    histogram: Histogram<u64>,
}

impl Laps {
    /// Starts the first lap.
    pub fn start(clock: &Clock) -> Result<Laps> {
        // Two digits keep the counts that matter in the first-level cache; the longest lap that fits is a minute.
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 2)?;
        histogram.auto(true);
        Ok(Laps { clock: clock.clone(), last: clock.raw(), histogram })
    }

    /// Ends a lap and starts the next.
    #[inline]
    pub fn lap(&mut self) {
        let now = self.clock.raw();
        self.histogram.saturating_record(self.clock.delta_as_nanos(self.last, now));
        self.last = now;
    }

    /// The laps so far.
    pub fn into_histogram(self) -> Histogram<u64> {
        self.histogram
    }
}

/// The counters of the process and the machine at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Counters {
    at: Instant,
    cpu: Duration,
    bytes_written: u64,
    machine_busy: Duration,
}

/// What was used between two moments.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Processor time of this process.
    pub cpu: Duration,
    /// Bytes this process wrote.
    pub bytes_written: u64,
    /// Processor time of everything else on the machine, for each second of time.
    pub foreign_cores: f64,
}

impl Counters {
    /// The counters now.
    pub fn now() -> Result<Counters> {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Ok(Counters {
            at: Instant::now(),
            cpu: Duration::new(cpu.tv_sec.try_into()?, cpu.tv_nsec.try_into()?),
            bytes_written: field("/proc/self/io", "write_bytes:")?,
            machine_busy: machine_busy()?,
        })
    }

    /// What was used since.
    pub fn used(&self) -> Result<Used> {
        let now = Counters::now()?;
        let cpu = now.cpu - self.cpu;
        let foreign = now.machine_busy.saturating_sub(self.machine_busy).saturating_sub(cpu);
        Ok(Used {
            cpu,
            bytes_written: now.bytes_written - self.bytes_written,
            foreign_cores: foreign.as_secs_f64() / (now.at - self.at).as_secs_f64(),
        })
    }
}

/// Time the machine's processors were busy since it started: the first line of `/proc/stat` without idle and iowait.
fn machine_busy() -> Result<Duration> {
    const IDLE: usize = 3;
    const IOWAIT: usize = 4;
    const STEAL: usize = 7;
    // Always 100 to user space on Linux, whatever the kernel's own rate.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat is empty")?;
    let ticks: u64 = line
        .split_whitespace()
        .skip(1)
        .enumerate()
        .filter(|(column, _)| *column <= STEAL && *column != IDLE && *column != IOWAIT)
        .filter_map(|(_, ticks)| ticks.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND))
}

/// The number behind `name` in a file of lines.
fn field(path: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(path).with_context(|| format!("could not read {path}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
        .with_context(|| format!("{path} has no {name}"))
}

fn anonymous_bytes() -> Result<u64> {
    Ok(field("/proc/self/status", "RssAnon:")? << 10)
}

/// Watches the memory of the process.
pub struct MemoryWatch {
    peak_anonymous: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Memory of the process, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// The most that was resident, mapped files included.
    pub peak_resident: u64,
    /// The most anonymous memory seen.
    pub peak_anonymous: u64,
    /// Anonymous memory at the end.
    pub anonymous: u64,
}

impl MemoryWatch {
    const INTERVAL: Duration = Duration::from_millis(20);

    /// Forgets earlier peaks and starts to watch.
    pub fn start() -> Result<MemoryWatch> {
        fs::write("/proc/self/clear_refs", "5").context("could not reset the peak of resident memory")?;
        let peak_anonymous = Arc::new(AtomicU64::new(anonymous_bytes()?));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (peak, stop) = (Arc::clone(&peak_anonymous), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    peak.fetch_max(anonymous_bytes().unwrap_or(0), Ordering::Relaxed);
                    std::thread::park_timeout(MemoryWatch::INTERVAL);
                }
            }
        });
        Ok(MemoryWatch { peak_anonymous, stop, thread })
    }

    /// What was seen since the start.
    pub fn finish(self) -> Result<Memory> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        anyhow::ensure!(self.thread.join().is_ok(), "the memory watch died");
        let anonymous = anonymous_bytes()?;
        Ok(Memory {
            peak_resident: field("/proc/self/status", "VmHWM:")? << 10,
            peak_anonymous: self.peak_anonymous.load(Ordering::Relaxed).max(anonymous),
            anonymous,
        })
    }
}

/// Bytes the files in `dir` and below take on disk. Files that vanish meanwhile are not counted.
pub fn disk_bytes(dir: &Path) -> Result<u64> {
    const BLOCK: u64 = 512;
    let mut bytes = 0;
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => dirs.push(path),
                Ok(metadata) => bytes += metadata.blocks() * BLOCK,
                Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_memory_can_be_read_here() {
        let counters = Counters::now().unwrap();
        let watch = MemoryWatch::start().unwrap();
        let memory = watch.finish().unwrap();
        assert!(memory.peak_resident >= memory.anonymous);
        assert!(memory.peak_anonymous >= memory.anonymous);
        assert!(counters.used().unwrap().cpu <= Duration::from_secs(60));
    }
}
