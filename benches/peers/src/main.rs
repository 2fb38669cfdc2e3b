//! The same work on Siltstone and its peers, side by side. README.md has the method.
//!
//! Reading order: [`data`] (keys and values), [`engine`] (what is asked of an engine, and one file for each),
//! [`workload`] (names and groups), [`run`] (the workloads), [`siltstone_peers::measure`] (what they cost), [`record`] (one line of
//! result); then [`child`], which runs a group on an engine, [`parent`], which starts children in turn, and
//! [`report`], which prints tables.

mod args;
mod child;
mod data;
mod engine;
mod parent;
mod record;
mod report;
mod run;
mod workload;

use anyhow::Result;

fn main() -> Result<()> {
    let args = args::Args::read()?;
    match (args.child, args.group) {
        (Some(engine), Some(group)) => child::run(&args, engine, group),
        _ => parent::run(&args),
    }
}
