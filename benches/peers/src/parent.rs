//! The process that starts the others, one at a time, and reports.
//!
//! Engines take turns within a round, group by group, and a round starts with the next engine: what the machine does
//! meanwhile hits all of them alike. An engine that fails is reported and skipped for the rest of the round.

use crate::args::Args;
use crate::child::folder;
use crate::engine::EngineKind;
use crate::record::Record;
use crate::report;
use crate::workload::Group;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// Runs all rounds and prints the report.
pub fn run(args: &Args) -> Result<()> {
    let json = args.json.as_ref().map(|path| File::create(path).with_context(|| path.display().to_string()));
    let mut run = Run { args, json: json.transpose()?, records: Vec::new(), failures: Vec::new() };
    for round in 0..args.rounds {
        run.round(round)?;
    }
    for engine in &args.engines {
        run.remove(*engine, Group::ALL.as_slice())?;
    }
    // Fails when something else is in it, which is then not ours to remove.
    let _ = std::fs::remove_dir(&args.dir);
    println!("{}", report::tables(args, &run.records));
    ensure!(run.failures.is_empty(), "some runs failed:\n{}", run.failures.join("\n"));
    Ok(())
}

struct Run<'a> {
    args: &'a Args,
    json: Option<File>,
    records: Vec<Record>,
    failures: Vec<String>,
}

impl Run<'_> {
    fn round(&mut self, round: u32) -> Result<()> {
        let mut engines = self.args.engines.clone();
        let first = round as usize % engines.len();
        engines.rotate_left(first);
        for group in Group::ALL.into_iter().filter(|group| group.is_needed(&self.args.workloads)) {
            for engine in engines.clone() {
                if let Err(error) = self.child(engine, group, round) {
                    let failure = format!("{engine}, {group:?}, round {}: {error:#}", round + 1);
                    eprintln!("{failure}");
                    self.failures.push(failure);
                    engines.retain(|other| *other != engine);
                }
                if !matches!(group, Group::Load | Group::Read) {
                    self.remove(engine, &[group])?;
                }
            }
        }
        Ok(())
    }

    fn child(&mut self, engine: EngineKind, group: Group, round: u32) -> Result<()> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(std::env::args_os().skip(1))
            .args(["--child", &engine.to_string()])
            .args(["--group", &format!("{group:?}").to_lowercase()])
            .args(["--round", &round.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let records = child.stdout.take().context("a child has no output")?;
        for line in BufReader::new(records).lines() {
            self.keep(&line?)?;
        }
        let status = child.wait()?;
        ensure!(status.success(), "it ended with {status}; its message is above");
        Ok(())
    }

    fn keep(&mut self, line: &str) -> Result<()> {
        let record: Record = serde_json::from_str(line).context("a child printed something else")?;
        if !self.args.workloads.contains(&record.workload) {
            return Ok(());
        }
        eprintln!("{}", report::progress(&record, self.args.rounds));
        if let Some(json) = &mut self.json {
            writeln!(json, "{line}")?;
        }
        self.records.push(record);
        Ok(())
    }

    fn remove(&self, engine: EngineKind, groups: &[Group]) -> Result<()> {
        for group in groups {
            let dir = folder(self.args, engine, *group);
            if dir.exists() {
                std::fs::remove_dir_all(dir)?;
            }
        }
        // Fails while another group's database is in it.
        let _ = std::fs::remove_dir(self.args.dir.join(engine.to_string()));
        Ok(())
    }
}
