//! The same work on Siltstone's documents and their peers, side by side. README.md of the folder above has the method.
//!
//! Reading order: [`packages`] (the documents), [`engine`] (what is asked of an engine, and one file for each), [`work`] (what is
//! done, and what has to come of it), [`record`] (one line of result); then [`child`], which does a group of it on one engine,
//! [`parent`], which starts children in turn, and [`report`], which prints tables.

mod args;
mod child;
mod engine;
mod packages;
mod parent;
mod record;
mod report;
mod work;

use anyhow::Result;

fn main() -> Result<()> {
    let args = args::Args::read()?;
    match (args.child, args.group) {
        (Some(engine), Some(group)) => child::run(&args, engine, group),
        _ => parent::run(&args),
    }
}
