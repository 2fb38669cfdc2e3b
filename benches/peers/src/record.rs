//! One measured workload: a line of JSON, from the child that ran it to the parent, and to whoever asked for a file.

use crate::engine::{Compression, Durability, EngineKind};
use crate::run::Done;
use crate::workload::Workload;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use siltstone_peers::measure::{Memory, Used};
use std::time::Duration;

/// What was run, and what it cost. Sizes in bytes, times in seconds unless the name says otherwise.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub engine: EngineKind,
    pub version: String,
    pub workload: Workload,
    pub round: u32,
    pub settings: Fixed,
    pub ops: u64,
    pub seconds: f64,
    /// Waiting for flush and compaction after the last operation; not part of `seconds`.
    pub settle_seconds: f64,
    pub ops_per_second: f64,
    /// Puts of the thread that wrote beside, for each second.
    pub writes_beside_per_second: Option<f64>,
    pub latency_ns: Option<Latency>,
    /// User and system time of the process, background work and settling included.
    pub cpu_seconds: f64,
    /// Keys and values handed over to be written.
    pub user_bytes: u64,
    pub bytes_written: u64,
    pub peak_resident: u64,
    pub peak_anonymous: u64,
    pub anonymous: u64,
    /// After settling.
    pub disk_bytes: u64,
    /// Processor the rest of the machine used meanwhile, in cores.
    pub foreign_cores: f64,
}

/// What was the same for every engine of the run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fixed {
    pub n: u64,
    pub entry_bytes: u64,
    pub compression: Compression,
    pub cache_mib: usize,
    pub memtable_mib: usize,
    pub sync: bool,
}

/// Percentiles, in nanoseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Latency {
    pub p50: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

/// What the harness knows of a workload when it has settled.
pub struct Measured {
    pub done: Done,
    pub settle: Duration,
    pub used: Used,
    pub memory: Memory,
    pub disk_bytes: u64,
}

impl Record {
    /// Puts it all on one line.
    pub fn new(
        (engine, version): (EngineKind, &str),
        (workload, round): (Workload, u32),
        settings: Fixed,
        measured: &Measured,
    ) -> Record {
        let Measured { done, settle, used, memory, disk_bytes } = measured;
        let seconds = done.elapsed.as_secs_f64();
        Record {
            engine,
            version: version.to_string(),
            workload,
            round,
            settings,
            ops: done.ops,
            seconds,
            settle_seconds: settle.as_secs_f64(),
            ops_per_second: done.ops as f64 / seconds,
            writes_beside_per_second: done.writes_beside.map(|writes| writes as f64 / seconds),
            latency_ns: done.latencies.as_ref().map(Latency::of),
            cpu_seconds: used.cpu.as_secs_f64(),
            user_bytes: done.user_bytes(workload),
            bytes_written: used.bytes_written,
            peak_resident: memory.peak_resident,
            peak_anonymous: memory.peak_anonymous,
            anonymous: memory.anonymous,
            disk_bytes: *disk_bytes,
            foreign_cores: used.foreign_cores,
        }
    }

    /// True when the rest of the machine was busy enough to move the numbers.
    pub fn is_disturbed(&self) -> bool {
        self.foreign_cores > 0.15
    }
}

impl Latency {
    fn of(laps: &Histogram<u64>) -> Latency {
        Latency {
            p50: laps.value_at_quantile(0.5),
            p99: laps.value_at_quantile(0.99),
            p999: laps.value_at_quantile(0.999),
            max: laps.max(),
        }
    }
}

impl Durability {
    /// True when a write waits for the disk.
    pub fn is_sync(self) -> bool {
        self == Durability::Sync
    }
}
