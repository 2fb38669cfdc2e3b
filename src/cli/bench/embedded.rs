//! The library in this process, on a database of its own.

use super::report::Tally;
use super::workload::{Random, Workload, named};
use super::{Bench, Out, Survives};
use crate::cli::open::DataDir;
use anyhow::{Context, bail};
use siltstone::{Db, Durability, Options};
use std::time::Instant;

/// Runs the tests one after the other.
pub fn run(bench: &Bench, data_dir: &DataDir, tests: &[Workload], out: &mut Out) -> anyhow::Result<()> {
    let path = data_dir.given().context(
        "say what to measure: a server with --server, or the library with --data-dir and a folder that does not exist yet",
    )?;
    if path.exists() {
        bail!("{} exists: measure in a new folder, which is left there", path.display());
    }
    let durability = match bench.durability {
        Survives::Sync => Durability::Sync,
        Survives::Os => Durability::Os,
    };
    data_dir.with_options(Options::default().durability(durability), |db| {
        tests.iter().try_for_each(|test| {
            let begin = Instant::now();
            let tally = measure(bench, *test, db)?;
            out.write(&tally.report(test.to_string(), begin.elapsed()))
        })
    })
}

fn measure(bench: &Bench, test: Workload, db: &Db) -> anyhow::Result<Tally> {
    let mut tally = Tally::new()?;
    let mut random = Random::new(1);
    let value = random.value(usize::try_from(bench.value_size)?);
    let begin = Instant::now();
    let goes_on = |done: u64| match bench.seconds {
        Some(seconds) => begin.elapsed() < seconds,
        None => done < bench.requests,
    };
    if test == Workload::Scan {
        let mut last = Instant::now();
        for (done, entry) in (0..).zip(db.range::<&[u8]>(..)) {
            if !goes_on(done) {
                break;
            }
            entry?;
            let now = Instant::now();
            tally.record(now - last);
            last = now;
        }
        return Ok(tally);
    }
    let mut done = 0;
    while goes_on(done) {
        let number = if test == Workload::Fillseq { done % bench.keys } else { random.below(bench.keys) };
        let key = named("key", number);
        let asked = Instant::now();
        if test == Workload::Readrandom {
            let found = db.get(&key)?.is_some();
            tally.asked += 1;
            tally.found += u64::from(found);
        } else {
            db.put(&key, &value)?;
        }
        tally.record(asked.elapsed());
        done += 1;
    }
    Ok(tally)
}
