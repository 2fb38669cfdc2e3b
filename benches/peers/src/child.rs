//! The process that runs one group of workloads on one engine, and prints a record for each.
//!
//! A process of its own, so that memory, processor time and bytes written are this engine's and this group's.

use crate::args::Args;
use crate::data;
use crate::engine::{Engine, EngineKind, Settings, Visitor};
use crate::record::{Fixed, Measured, Record};
use crate::run::Load;
use crate::workload::{Group, Workload};
use anyhow::{Context, Result};
use quanta::Clock;
use siltstone_peers::measure::{Counters, MemoryWatch, disk_bytes};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Runs `group` on `engine`, and prints its records to standard output.
pub fn run(args: &Args, engine: EngineKind, group: Group) -> Result<()> {
    engine.visit(Child {
        args,
        engine,
        group,
        load: args.load(),
        settings: args.settings(group),
        dir: folder(args, engine, group),
        clock: Clock::new(),
    })
}

/// The folder of an engine's database.
pub fn folder(args: &Args, engine: EngineKind, group: Group) -> PathBuf {
    args.dir.join(engine.to_string()).join(group.folder())
}

struct Child<'a> {
    args: &'a Args,
    engine: EngineKind,
    group: Group,
    load: Load,
    settings: Settings,
    dir: PathBuf,
    clock: Clock,
}

impl Visitor for Child<'_> {
    fn visit<E: Engine>(self) -> Result<()> {
        let context = || format!("{} {} in {}", self.engine, E::VERSION, self.dir.display());
        self.run_group::<E>().with_context(context)
    }
}

impl Child<'_> {
    fn run_group<E: Engine>(&self) -> Result<()> {
        if !self.group.reopens() {
            renew(&self.dir)?;
        }
        let workloads = self.workloads();
        let engine = E::open(&self.dir, &self.settings)?;
        if self.group.reopens() {
            engine.settle()?;
        }
        if self.group == Group::Read {
            self.load.warm_up(&engine)?;
        }
        for workload in &workloads {
            let measured = self.measure(&engine, *workload)?;
            let record =
                Record::new((self.engine, E::VERSION), (*workload, self.args.round), self.fixed(), &measured);
            println!("{}", serde_json::to_string(&record)?);
        }
        self.load.verify(&engine, self.group, &workloads)?;
        engine.close()
    }

    /// Those asked for; the load also when it was not, because others read what it leaves.
    fn workloads(&self) -> Vec<Workload> {
        let asked =
            |workload: &&Workload| self.group == Group::Load || self.args.workloads.contains(workload);
        self.group.workloads().iter().filter(asked).copied().collect()
    }

    fn measure<E: Engine>(&self, engine: &E, workload: Workload) -> Result<Measured> {
        let memory = MemoryWatch::start()?;
        let counters = Counters::now()?;
        let done = self.load.run(engine, &self.clock, workload).with_context(|| workload.to_string())?;
        let start = Instant::now();
        let settle = match workload.writes() {
            true => engine.settle().map(|watching| start.elapsed().saturating_sub(watching))?,
            false => Duration::ZERO,
        };
        Ok(Measured {
            done,
            settle,
            used: counters.used()?,
            memory: memory.finish()?,
            disk_bytes: disk_bytes(&self.dir)?,
        })
    }

    fn fixed(&self) -> Fixed {
        Fixed {
            n: self.load.n,
            entry_bytes: data::ENTRY_BYTES,
            compression: self.settings.compression,
            cache_mib: self.args.cache_mib,
            memtable_mib: self.args.memtable_mib,
            sync: self.settings.durability.is_sync(),
        }
    }
}

fn renew(dir: &Path) -> Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir)?;
    }
    Ok(std::fs::create_dir_all(dir)?)
}
