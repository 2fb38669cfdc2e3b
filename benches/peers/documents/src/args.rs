//! The command line.

use crate::engine::{Durability, EngineKind, Settings};
use crate::work::{Group, Limits};
use anyhow::{Result, ensure};
use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;

/// Runs the same work on Siltstone's documents and their peers, and prints tables of what it cost.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Package index, one JSON object a line, as `cargo run --release --example packages -- --ndjson` writes it.
    pub packages: PathBuf,

    /// Engines to run, separated by commas; all that were compiled in by default.
    #[arg(long, value_delimiter = ',')]
    pub engines: Vec<EngineKind>,

    /// Finds of a document by its key. Other work is done in proportion.
    #[arg(long, default_value_t = 40_000)]
    pub finds: usize,

    /// Seconds after which a piece of work that is not done ends.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,

    /// Memory for cached pages or blocks, and all else that counts as such, in MiB.
    #[arg(long, default_value_t = 256)]
    pub memory_mib: usize,

    /// Have every engine give the documents it finds as JSON text, also those that hand out something else.
    #[arg(long)]
    pub text: bool,

    /// How often to run everything; medians are reported.
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,

    /// Folder for the databases, on the file system to be measured. Those in it are replaced, and removed at the end.
    #[arg(long, default_value = "peers-data")]
    pub dir: PathBuf,

    /// File to write one line of JSON to for each engine, piece of work and round.
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
    /// Reads the command line, and fills in what was left out.
    pub fn read() -> Result<Args> {
        let mut args = Args::parse();
        if args.engines.is_empty() {
            args.engines = EngineKind::available();
        }
        ensure!(args.rounds > 0, "--rounds 0 would measure nothing");
        for engine in &args.engines {
            ensure!(
                EngineKind::available().contains(engine),
                "{engine} is not compiled in: build with its feature"
            );
        }
        Ok(args)
    }

    /// How much is to be done in this round.
    pub fn limits(&self) -> Limits {
        const SEED: u64 = 0x5117_570e;
        Limits {
            finds: self.finds,
            most: Duration::from_secs(self.seconds),
            seed: SEED + u64::from(self.round),
        }
    }

    /// How engines are opened for `group`.
    pub fn settings(&self, group: Group) -> Settings {
        let durability = match group {
            Group::Sync => Durability::Sync,
            Group::Load | Group::Use => Durability::Os,
        };
        Settings { durability, memory_mib: self.memory_mib, text: self.text }
    }
}
