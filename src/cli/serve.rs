//! `serve`: the database on the network.

use super::open::DataDir;
use anyhow::Context;
use clap::{Args, ValueEnum};
use siltstone::server::{Config, Server};
use siltstone::store::LsmEngine;
use siltstone::{Db, Durability, Options};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Serve the database to the network until told to stop
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Serve {
    /// Where to listen; port 0 takes a free one, which is then printed
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9999")]
    listen: String,
    /// What an acknowledged write survives
    #[arg(long, value_enum, default_value = "sync")]
    durability: Level,
    /// Listen also where other machines can connect; there is no authentication, so whoever can connect can change everything
    #[arg(long)]
    allow_remote: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    /// A power cut: the write is on stable storage; clients that wait at the same time share one sync
    Sync,
    /// The end of the process; a power cut takes at most the last second
    Interval,
    /// The end of the process; a power cut leaves what the system has written by then
    Os,
}

const HELP: &str = r#"The protocol is one JSON object a line, each answered by one line:
  {"command":"put","key":"hello","value":"world"}
  {"command":"read","key":"hello"}
  {"command":"read_key_range","start_key":"a","end_key":"z"}
  {"command":"batch_put","keys":["a","b"],"values":[1,{"x":2}]}
  {"command":"delete","key":"hello"}
Ctrl-C or SIGTERM stops it: what has arrived is answered, and the database is
closed. It is made if there is none.

Examples:
  siltstone serve
  siltstone serve --listen 127.0.0.1:0 --data-dir /var/lib/shop
  siltstone serve --durability interval"#;

impl Serve {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        let options = Options::default().durability(self.durability());
        data_dir.with_options(options, |db| {
            let runtime = tokio::runtime::Runtime::new().context("could not start the server's threads")?;
            runtime.block_on(self.serve(db))
        })
    }

    fn durability(&self) -> Durability {
        match self.durability {
            Level::Sync => Durability::Sync,
            Level::Interval => Durability::Interval(Duration::from_secs(1)),
            Level::Os => Durability::Os,
        }
    }

    async fn serve(&self, db: &Db) -> anyhow::Result<()> {
        let mut config = Config::default();
        config.allow_remote = self.allow_remote;
        let stop = stop_signal()?;
        let server = Server::bind(&self.listen, Arc::new(LsmEngine::new(db.clone())), config).await?;
        greet(server.local_addr())?;
        server.run(stop).await;
        Ok(())
    }
}

/// Says where the server listens, and gives a line to try it with that needs nothing but bash.
fn greet(address: SocketAddr) -> std::io::Result<()> {
    let (host, port) = (address.ip(), address.port());
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {address}")?;
    writeln!(out, "to try it, paste into another terminal:")?;
    writeln!(
        out,
        r#"  bash -c 'exec 3<>/dev/tcp/{host}/{port}; echo "$0" >&3; head -n 1 <&3' '{{"command":"put","key":"hello","value":"world"}}'"#
    )?;
    out.flush()
}

/// Resolves at the first Ctrl-C or SIGTERM. From now on neither ends the process by itself.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}
