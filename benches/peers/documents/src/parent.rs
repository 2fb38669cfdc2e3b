//! The process that starts the others, one at a time, and reports.
//!
//! Engines take turns within a round, group by group, and a round starts with the next engine: what the machine does meanwhile hits all
//! of them alike. An engine that fails is reported, and the others go on.

use crate::args::Args;
use crate::child::folder;
use crate::engine::EngineKind;
use crate::record::Record;
use crate::report;
use crate::work::Group;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// Runs all rounds and prints the report.
pub fn run(args: &Args) -> Result<()> {
    let mut json = args.json.as_ref().map(File::create).transpose().context("--json")?;
    let (mut records, mut failures) = (Vec::new(), Vec::new());
    for round in 0..args.rounds {
        let mut engines = args.engines.clone();
        let first = round as usize % engines.len();
        engines.rotate_left(first);
        for group in Group::ALL {
            for engine in engines.iter().filter(|engine| group != Group::Sync || engine.syncs()) {
                let ended = child(*engine, group, round, &mut |line| {
                    let record: Record =
                        serde_json::from_str(line).context("a child printed something else")?;
                    eprintln!("{}", report::progress(&record, args.rounds));
                    if let Some(json) = &mut json {
                        writeln!(json, "{line}")?;
                    }
                    records.push(record);
                    Ok(())
                });
                if let Err(error) = ended {
                    let failure = format!("{engine}, {group:?}, round {}: {error:#}", round + 1);
                    eprintln!("{failure}");
                    failures.push(failure);
                }
                let dir = folder(args, *engine);
                if group != Group::Load && dir.exists() {
                    std::fs::remove_dir_all(dir)?;
                }
            }
        }
    }
    // Fails when something else is in it, which is then not ours to remove.
    let _ = std::fs::remove_dir(&args.dir);
    println!("{}", report::tables(args, &records));
    ensure!(failures.is_empty(), "some runs failed:\n{}", failures.join("\n"));
    Ok(())
}

fn child(
    engine: EngineKind,
    group: Group,
    round: u32,
    keep: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .args(["--child", &engine.to_string()])
        .args(["--group", &format!("{group:?}").to_lowercase()])
        .args(["--round", &round.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let records = child.stdout.take().context("a child has no output")?;
    for line in BufReader::new(records).lines() {
        keep(&line?)?;
    }
    let status = child.wait()?;
    ensure!(status.success(), "it ended with {status}; its message is above");
    Ok(())
}
