//! `serve`: the database on the network.

use super::descriptors;
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

/// What takes long shares the processors among so many threads: enough that short things among it do not wait for the long
/// ones, and few enough that those who never block get their turn.
const BLOCKING_THREADS: usize = 64;

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
        let config = self.config()?;
        let options = Options::default().durability(self.durability());
        data_dir.with_options(options, |db| {
            let runtime = runtime().context("could not start the server's threads")?;
            runtime.block_on(self.serve(db, config))
        })
    }

    fn durability(&self) -> Durability {
        match self.durability {
            Level::Sync => Durability::Sync,
            Level::Interval => Durability::Interval(Duration::from_secs(1)),
            Level::Os => Durability::Os,
        }
    }

    fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::default();
        config.allow_remote = self.allow_remote;
        let wanted = config.max_connections;
        config.max_connections = descriptors::room_for(wanted)?;
        if config.max_connections < wanted {
            tracing::warn!(
                "the system's limit on open files leaves room for {} clients at a time: raise it (`ulimit -n`) for {wanted}",
                config.max_connections
            );
        }
        Ok(config)
    }

    async fn serve(&self, db: &Db, config: Config) -> anyhow::Result<()> {
        let stop = stop_signal()?;
        let server = Server::bind(&self.listen, Arc::new(LsmEngine::new(db.clone())), config).await?;
        greet(server.local_addr())?;
        server.run(stop).await;
        Ok(())
    }
}

/// Threads that never block, as many as there are processors, and up to [`BLOCKING_THREADS`] that may.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_name("siltstone-serve").max_blocking_threads(BLOCKING_THREADS).build()
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
