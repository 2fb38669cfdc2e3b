//! `ping`: whether a server answers.

use super::open::DataDir;
use super::server_access;
use anyhow::{Context, bail};
use clap::Args;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

/// Ask a server whether it answers
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Ping {
    /// Where the server listens; what SILTSTONE_LISTEN or the file in SILTSTONE_CONFIG says when not given, or 127.0.0.1:9999
    #[arg(value_name = "HOST:PORT")]
    address: Option<String>,
}

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest answer that is looked at; that to a ping has some thirty bytes.
const LONGEST: u64 = 4096;

const HELP: &str = r"The status is 0 when it answers within 5 seconds, else 1: made for checks of
health, so nothing is printed when all is well.

Examples:
  siltstone ping
  siltstone ping 127.0.0.1:7000 && echo 'it is up'";

impl Ping {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        let address = server_access::address(self.address.as_deref(), data_dir)?;
        // A name may take long to look up, and an answer may come in drops: one clock for all of it.
        let (told, answer) = mpsc::channel();
        let asked = address.clone();
        std::thread::spawn(move || told.send(ask(&asked)));
        match answer.recv_timeout(LIMIT) {
            Ok(answered) => answered.with_context(|| format!("no answer from {address}")),
            Err(_) => bail!("no answer from {address} within {} seconds", LIMIT.as_secs()),
        }
    }
}

/// Asks, and looks at the answer.
fn ask(address: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(server_access::addresses(address)?.as_slice())?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"{\"command\":\"ping\"}\n")?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut line)?;
    let answer: serde_json::Value =
        serde_json::from_str(&line).with_context(|| format!("no JSON: {:?}", line.trim()))?;
    match answer.get("status").and_then(serde_json::Value::as_str) {
        Some("ok") => Ok(()),
        _ => bail!("it says {}", line.trim()),
    }
}
