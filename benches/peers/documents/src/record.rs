//! One piece of work that was measured: a line of JSON, from the child that did it to the parent, and to whoever asked for a file.

use crate::engine::EngineKind;
use crate::work::Work;
use serde::{Deserialize, Serialize};

/// What was done, and what it cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub engine: EngineKind,
    pub version: String,
    pub work: Work,
    pub round: u32,
    /// Documents of a load; otherwise questions or updates.
    pub ops: u64,
    pub seconds: f64,
    /// Waiting for flush, compaction or checkpoint after it; not part of `seconds`.
    pub settle_seconds: f64,
    /// Of a batch in a load.
    pub p50_ns: u64,
    pub p99_ns: u64,
    /// User and system time of the process, background work and settling included.
    pub cpu_seconds: f64,
    /// After settling.
    pub disk_bytes: u64,
    /// Processor the rest of the machine used meanwhile, in cores.
    pub foreign_cores: f64,
}

impl Record {
    /// Operations a second.
    pub fn rate(&self) -> f64 {
        self.ops as f64 / self.seconds
    }

    /// True when the rest of the machine was busy enough to move the numbers.
    pub fn is_disturbed(&self) -> bool {
        self.foreign_cores > 0.15
    }
}
