//! The command line.

use crate::engine::{Compression, Durability, EngineKind, Settings};
use crate::run::Load;
use crate::workload::{Group, Workload};
use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Runs the same work on Siltstone and its peers, and prints tables of what it cost.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Entries of the database (16-byte keys, 100-byte values).
    #[arg(long, default_value_t = 5_000_000)]
    pub n: u64,

    /// Engines to run, separated by commas; all that were compiled in by default.
    #[arg(long, value_delimiter = ',')]
    pub engines: Vec<EngineKind>,

    /// Workloads to run, separated by commas; all by default.
    #[arg(long, value_delimiter = ',')]
    pub workloads: Vec<Workload>,

    /// Compression of blocks, the same on every level.
    #[arg(long, value_enum, default_value_t = Compression::Lz4)]
    pub compression: Compression,

    /// Room for cached blocks, in MiB.
    #[arg(long, default_value_t = 256)]
    pub cache_mib: usize,

    /// Size of a memtable, in MiB.
    #[arg(long, default_value_t = 64)]
    pub memtable_mib: usize,

    /// How often to run everything; medians are reported.
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,

    /// Reads of a workload that draws keys to read; a fifth of --n by default.
    #[arg(long)]
    pub reads: Option<u64>,

    /// Folder for the databases, on the file system to be measured. Those in it are replaced, and removed at the end.
    #[arg(long, default_value = "peers-data")]
    pub dir: PathBuf,

    /// File to write one line of JSON to for each engine, workload and round.
    #[arg(long)]
    pub json: Option<PathBuf>,

    /// Run this engine and --group in this process. Used by the program to start itself.
    #[arg(long, hide = true, requires = "group")]
    pub child: Option<EngineKind>,

    /// See --child.
    #[arg(long, hide = true)]
    pub group: Option<Group>,

    /// See --child.
    #[arg(long, hide = true, default_value_t = 0)]
    pub round: u32,
}

impl Args {
    /// The least number of entries with which every workload has something to do.
    const LEAST: u64 = 1000;

    /// Reads the command line, and fills in what was left out.
    pub fn read() -> Result<Args> {
        let mut args = Args::parse();
        if args.engines.is_empty() {
            args.engines = EngineKind::available();
        }
        if args.workloads.is_empty() {
            args.workloads = Workload::value_variants().to_vec();
        }
        ensure!(args.n >= Args::LEAST, "--n {} is too small: at least {}", args.n, Args::LEAST);
        ensure!(args.rounds > 0, "--rounds 0 would measure nothing");
        for engine in &args.engines {
            let there = EngineKind::available().contains(engine);
            ensure!(there, "{engine} is not compiled in: build with --features {engine}");
        }
        Ok(args)
    }

    /// How much is to be done in this round.
    pub fn load(&self) -> Load {
        const SEED: u64 = 0x5117_570e;
        let reads = self.reads.unwrap_or(self.n / 5).max(1);
        Load { n: self.n, reads, seed: SEED + u64::from(self.round) }
    }

    /// How engines are opened for `group`.
    pub fn settings(&self, group: Group) -> Settings {
        Settings {
            durability: if group == Group::Sync { Durability::Sync } else { Durability::Os },
            compression: self.compression,
            cache_bytes: self.cache_mib << 20,
            memtable_bytes: self.memtable_mib << 20,
        }
    }
}
