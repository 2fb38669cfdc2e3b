//! The workloads, named and meant as in db_bench, and the groups that share a process and a database.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// One piece of work, measured on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Workload {
    /// Put every key once, in order.
    FillSeq,
    /// Put every key once, in batches of 100, in random order.
    FillBatch,
    /// Put every key once, in random order.
    FillRandom,
    /// Get keys that are there, drawn at random.
    ReadRandom,
    /// Get keys that are not there but lie between others, drawn at random.
    ReadMissing,
    /// A new iterator, a seek to a random key, and ten entries.
    SeekRandom10,
    /// Visit all entries in order.
    ReadSeq,
    /// Visit all entries in reverse order.
    ReadReverse,
    /// Put keys drawn at random, all of which are there.
    Overwrite,
    /// Get as in readrandom, while another thread puts as in overwrite, as fast as it can.
    ReadWhileWriting,
    /// Delete keys drawn at random, the same one perhaps twice.
    DeleteRandom,
    /// Put with a sync for each, from one thread.
    FillSync1,
    /// Put with a sync for each, from eight threads.
    FillSync8,
}

/// Workloads that run one after the other in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// On a new database.
    Seq,
    /// On a new database.
    Batch,
    /// On a new database.
    Sync,
    /// On a new database, which is kept for the next two.
    Load,
    /// On the loaded database, opened again.
    Read,
    /// On the loaded database, opened again; ends its use.
    Update,
}

impl Group {
    /// All groups, in the order they have to run in.
    pub const ALL: [Group; 6] =
        [Group::Seq, Group::Batch, Group::Sync, Group::Load, Group::Read, Group::Update];

    /// Its workloads, in the order they have to run in.
    pub fn workloads(self) -> &'static [Workload] {
        match self {
            Group::Seq => &[Workload::FillSeq],
            Group::Batch => &[Workload::FillBatch],
            Group::Sync => &[Workload::FillSync1, Workload::FillSync8],
            Group::Load => &[Workload::FillRandom],
            Group::Read => &[
                Workload::ReadRandom,
                Workload::ReadMissing,
                Workload::SeekRandom10,
                Workload::ReadSeq,
                Workload::ReadReverse,
            ],
            Group::Update => &[Workload::Overwrite, Workload::ReadWhileWriting, Workload::DeleteRandom],
        }
    }

    /// True when something in it is asked for, or builds on it.
    pub fn is_needed(self, asked: &[Workload]) -> bool {
        let has = |group: Group| group.workloads().iter().any(|workload| asked.contains(workload));
        has(self) || (self == Group::Load && (has(Group::Read) || has(Group::Update)))
    }

    /// The folder of its database, below the engine's.
    pub fn folder(self) -> &'static str {
        match self {
            Group::Seq => "seq",
            Group::Batch => "batch",
            Group::Sync => "sync",
            Group::Load | Group::Read | Group::Update => "main",
        }
    }

    /// True when it opens what another group left.
    pub fn reopens(self) -> bool {
        matches!(self, Group::Read | Group::Update)
    }
}

impl Workload {
    /// True when it writes, so that waiting for flush and compaction belongs to its cost.
    pub fn writes(self) -> bool {
        !Group::Read.workloads().contains(&self)
    }
}

impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.to_possible_value() {
            Some(value) => f.write_str(value.get_name()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_is_in_exactly_one_group() {
        for workload in Workload::value_variants() {
            let groups = Group::ALL.iter().filter(|group| group.workloads().contains(workload));
            assert_eq!(groups.count(), 1, "{workload}");
        }
    }

    #[test]
    fn reads_need_the_load() {
        assert!(Group::Load.is_needed(&[Workload::ReadSeq]));
        assert!(!Group::Load.is_needed(&[Workload::FillSync1]));
    }
}
