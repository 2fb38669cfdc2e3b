//! The process that does a group of work on one engine, and prints a record for each piece.
//!
//! A process of its own, so that processor time is this engine's and this group's.

use crate::args::Args;
use crate::engine::{Engine, EngineKind, Visitor};
use crate::packages::Packages;
use crate::record::Record;
use crate::work::{Group, Round, Work};
use anyhow::{Context, Result};
use siltstone_peers::measure::{Counters, disk_bytes};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Does `group` on `engine`, and prints its records to standard output.
pub fn run(args: &Args, engine: EngineKind, group: Group) -> Result<()> {
    engine.visit(Child { args, engine, group, dir: folder(args, engine) })
}

/// The folder of an engine's database.
pub fn folder(args: &Args, engine: EngineKind) -> PathBuf {
    args.dir.join(engine.to_string())
}

struct Child<'a> {
    args: &'a Args,
    engine: EngineKind,
    group: Group,
    dir: PathBuf,
}

impl Visitor for Child<'_> {
    fn visit<E: Engine>(self) -> Result<()> {
        self.run_group::<E>().with_context(|| format!("{} in {}", self.engine, self.dir.display()))
    }
}

impl Child<'_> {
    fn run_group<E: Engine>(&self) -> Result<()> {
        let packages = Packages::read(&self.args.packages)?;
        let mut round = Round::new(&packages, self.args.limits());
        let settings = self.args.settings(self.group);
        if let Some(load) = self.group.load() {
            if self.dir.exists() {
                std::fs::remove_dir_all(&self.dir)?;
            }
            std::fs::create_dir_all(&self.dir)?;
            let engine = E::create(&self.dir, &settings, &packages.columns)?;
            self.measure(&engine, &mut round, load)?;
            engine.close()?;
        }
        let engine = E::open(&self.dir, &settings)?;
        if !self.group.rest().is_empty() {
            round.warm_up(&engine)?;
        }
        for work in self.group.rest() {
            self.measure(&engine, &mut round, *work)?;
        }
        round.verify(&engine)?;
        engine.close()
    }

    fn measure<E: Engine>(&self, engine: &E, round: &mut Round, work: Work) -> Result<()> {
        let counters = Counters::now()?;
        let done = round.run(engine, work).with_context(|| work.name())?;
        let start = Instant::now();
        let settle = match work {
            Work::Find | Work::Range | Work::Filter => Duration::ZERO,
            _ => engine.settle().map(|watching| start.elapsed().saturating_sub(watching))?,
        };
        let used = counters.used()?;
        let latencies = done.laps.into_histogram();
        let record = Record {
            engine: self.engine,
            version: E::version(),
            work,
            round: self.args.round,
            ops: done.ops,
            seconds: done.elapsed.as_secs_f64(),
            settle_seconds: settle.as_secs_f64(),
            p50_ns: latencies.value_at_quantile(0.5),
            p99_ns: latencies.value_at_quantile(0.99),
            cpu_seconds: used.cpu.as_secs_f64(),
            disk_bytes: disk_bytes(&self.dir)?,
            foreign_cores: used.foreign_cores,
        };
        println!("{}", serde_json::to_string(&record)?);
        Ok(())
    }
}
