//! `bench`: how fast a server answers, or how fast the library works on this machine.
//!
//! ```text
//! workload    what is asked, and which keys          load       many connections asking a server
//! embedded    the library in this process            report     what came of it
//! ```
//!
//! (B1) A latency is the time from when a request was handed to the system to when its reply was read. With a pipeline
//!      the requests of one go share their beginning.
//! (B2) A number is told with what it is worth: replies that were errors, and keys that were not there.

mod embedded;
mod load;
mod report;
mod workload;

use super::config::units;
use super::open::DataDir;
use super::output;
use super::server_access::{self, Login};
use anyhow::bail;
use clap::{Args, ValueEnum};
use report::Report;
use std::io::Write;
use std::time::Duration;
use workload::Workload;

/// Measure how fast a server answers, or the library works
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Bench {
    /// Ask the server there; the one of the configuration when no address follows
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = "")]
    server: Option<String>,
    /// What to do, in this order
    #[arg(long = "test", value_enum, value_delimiter = ',', value_name = "TEST,...")]
    tests: Vec<Workload>,
    /// How many connections ask at a time
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// How many threads they are spread over; one for each two processors when not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    threads: Option<u32>,
    /// How many requests a connection sends before it awaits the replies
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pipeline: u32,
    /// How many requests, or entries, of each test
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    requests: u64,
    /// How long each test goes on, instead of --requests
    #[arg(long, value_name = "N", value_parser = seconds, conflicts_with = "requests")]
    seconds: Option<Duration>,
    /// How many different keys there are
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// How many bytes a value has
    #[arg(long, value_name = "SIZE", default_value = "100", value_parser = units::size)]
    value_size: u64,
    /// What a write of the embedded tests survives
    #[arg(long, value_enum, default_value = "sync")]
    durability: Survives,
    /// One JSON object a line for each test
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    login: Login,
}

/// What a write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Survives {
    /// A power cut
    Sync,
    /// The end of the process
    Os,
}

const HELP: &str = r"With --server it asks a server: set, get, incr, hset, mget and ping work with
Redis as well, range (of ten entries) with siltstone only. Keys are taken at
random. get, mget and range tell how many keys were there: let set come first.
IT WRITES INTO THE SERVER'S DATABASE, under key:*, counter:* and hash:*.

Without --server it measures the library in this process, on a new database in
the folder of --data-dir, which must not exist yet and is left there: fillseq,
fillrandom, readrandom, scan.

A number means something only on a machine that has nothing else to do.

Examples:
  siltstone bench --server 127.0.0.1:9999
  siltstone bench --server --test set,get --pipeline 16 --seconds 10
  siltstone bench --server 127.0.0.1:6379 --test set,get --json
  siltstone bench --data-dir bench-data --durability os";

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number")?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "it is no length of time".into())
}

impl Bench {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        let mut out = Out { json: self.json, errors: 0 };
        let given = |fits: fn(&Workload) -> bool| -> anyhow::Result<Vec<Workload>> {
            match self.tests.iter().find(|test| !fits(test)) {
                Some(test) => bail!(
                    "{test} is no test {}",
                    if test.asks_server() { "without --server" } else { "of a server" }
                ),
                None if self.tests.is_empty() => {
                    Ok(Workload::value_variants().iter().copied().filter(fits).collect())
                }
                None => Ok(self.tests.clone()),
            }
        };
        match &self.server {
            Some(address) => {
                let given_address = Some(address.as_str()).filter(|address| !address.is_empty());
                let address = server_access::address(given_address, data_dir)?;
                load::run(self, &address, &given(Workload::asks_server)?, &mut out)?;
            }
            None => embedded::run(self, data_dir, &given(|test| !test.asks_server())?, &mut out)?,
        }
        if out.errors > 0 {
            bail!("{} requests were answered by an error: the numbers mean little", out.errors);
        }
        Ok(())
    }
}

/// Where results go.
struct Out {
    json: bool,
    errors: u64,
}

impl Out {
    fn write(&mut self, report: &Report) -> anyhow::Result<()> {
        self.errors += report.errors;
        let mut out = output::stdout();
        if self.json {
            serde_json::to_writer(&mut out, report)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{report}")?;
        }
        Ok(out.flush()?)
    }
}
