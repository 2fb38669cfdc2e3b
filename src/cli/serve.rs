//! `serve`: the database on the network.

use super::config::{self, Config, Flags, When, apply};
use super::initial::{Initial, WELL_KNOWN};
use super::open::{self, DataDir};
use super::{descriptors, log, notify, signals, tls};
use anyhow::Context;
use clap::Args;
use siltstone::server::{self, Protocol, Server, Tls};
use siltstone::store::LsmEngine;
use siltstone::{Db, Options};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Serve the database to the network until told to stop
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Serve {
    #[command(flatten)]
    flags: Flags,
    /// A file of databases and their tables that are made if they are not there: {"DATABASE": [{"NAME": N, "USER": U, "PASSWORD": P,
    /// "TABLES": {NAME: SCHEMA}}]}
    #[arg(long, value_name = "FILE")]
    load_initial_data: Option<PathBuf>,
}

/// What takes long shares the processors among so many threads: enough that short things among it do not wait for the long
/// ones, and few enough that those who never block get their turn.
const BLOCKING_THREADS: usize = 64;

const HELP: &str = r#"Every client of Redis can talk to it, and whoever writes a JSON object a line:
  redis-cli -p 9999 SET hello world
  {"command":"read","key":"hello"}
  {"command":"read_key_range","start_key":"a","end_key":"z"}
`siltstone shell` is a client, docs/protocols.md has all protocols.
Ctrl-C or SIGTERM stops it: what has arrived is answered, and the database is
closed; a second one stops it at once. It is made if there is none.

A flag wins over an environment variable (SILTSTONE_LISTEN, SILTSTONE_MEMORY and
so on), and that over the file given with --config: `siltstone config sample`
prints all settings. SIGHUP reads them again.

Examples:
  siltstone serve
  siltstone serve --listen 127.0.0.1:0 --data-dir /var/lib/shop
  siltstone serve --durability interval
  siltstone serve --config /etc/siltstone.toml"#;

impl Serve {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        let config = config::load(&self.flags, data_dir)?;
        log::start(config.text("log.level")?, config.text("log.format")? == "json");
        config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let allowed = allowed(&config)?;
        let options = Options::default().durability(apply::durability(&config)?);
        let memory = config.optional("memory", Config::number)?;
        let options = memory.into_iter().fold(options, Options::memory_budget);
        // The runtime outlives the database: a signal counts also while that is closed.
        let runtime = runtime().context("could not start the server's threads")?;
        let listen = config.list("listen")?.first().context("there is no address to listen on")?.clone();
        let path = config.path("data_dir")?.to_path_buf();
        let initial = self.load_initial_data.as_deref().map(Initial::read).transpose()?;
        let well_known = config
            .optional("auth.password", Config::secret)?
            .is_some_and(|password| password.reveal() == WELL_KNOWN)
            || initial.as_ref().is_some_and(Initial::has_well_known);
        let encrypted = tls::read(&config)?;
        let renewed = encrypted.as_ref().map(|(_, tls)| tls.clone());
        let metrics = config.optional("metrics.listen", Config::list)?.and_then(<[String]>::first).cloned();
        let others = [
            ("listen_text", Protocol::Text),
            ("listen_json", Protocol::JsonLines),
            ("listen_framed", Protocol::Framed),
            ("listen_resp", Protocol::Resp),
        ];
        let mut besides = Vec::new();
        for (setting, protocol) in others {
            let address = config.optional(setting, Config::list)?.and_then(<[String]>::first);
            besides.extend(address.map(|address| (address.clone(), protocol)));
        }
        let start = Start { listen, besides, allowed, initial, well_known, encrypted, metrics };
        let reload = reload(self.flags.clone(), data_dir.clone(), config, renewed);
        open::at(&path, options, |db| runtime.block_on(serve(db, start, reload)))
    }
}

/// What the server allows, with no more clients than there are descriptors for.
fn allowed(config: &Config) -> anyhow::Result<server::Config> {
    let mut allowed = apply::server(config)?;
    let wanted = allowed.max_connections;
    allowed.max_connections = descriptors::room_for(wanted)?;
    if allowed.max_connections < wanted {
        tracing::warn!(
            "the system's limit on open files leaves room for {} clients at a time: raise it (`ulimit -n`) for {wanted}",
            allowed.max_connections
        );
    }
    Ok(allowed)
}

/// What a server begins with.
struct Start {
    listen: String,
    /// Ports for one protocol each.
    besides: Vec<(String, Protocol)>,
    allowed: server::Config,
    initial: Option<Initial>,
    /// Whether a password is one that everybody knows.
    well_known: bool,
    /// Where connections are encrypted, and with what.
    encrypted: Option<(String, Tls)>,
    /// Where monitoring asks.
    metrics: Option<String>,
}

async fn serve(db: &Db, start: Start, reload: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    let stop = signals::stop()?;
    signals::on_reload(reload)?;
    let mut server = Server::bind(&start.listen, Arc::new(LsmEngine::new(db.clone())), start.allowed).await?;
    let mut remote = !server.local_addr().ip().is_loopback();
    for (listen, protocol) in &start.besides {
        let address = server.listen(listen, *protocol).await?;
        remote |= !address.ip().is_loopback();
        writeln!(std::io::stdout().lock(), "listening on {address} for {}", name(*protocol))?;
    }
    if let Some((listen, tls)) = start.encrypted {
        let address = server.listen_tls(&listen, Protocol::Auto, tls).await?;
        remote |= !address.ip().is_loopback();
    }
    if let Some(listen) = start.metrics {
        let address = server.listen_metrics(&listen).await?;
        tracing::info!(%address, "metrics over HTTP");
    }
    if let Some(initial) = &start.initial {
        initial.make(&server).await?;
    }
    if start.well_known && remote {
        tracing::warn!(
            "the password {WELL_KNOWN} is known to everybody, and other machines can reach this server: choose another one"
        );
    }
    greet(server.local_addr())?;
    notify::ready(&server.local_addr().to_string());
    server.run(stop).await;
    Ok(())
}

/// What a port is for.
fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Text => "lines of text",
        Protocol::JsonLines => "JSON lines",
        Protocol::Framed => "framed JSON",
        Protocol::Resp => "RESP",
        _ => "any protocol",
    }
}

/// Reads the configuration again and applies what can be applied; a wrong one changes nothing.
fn reload(flags: Flags, data_dir: DataDir, started: Config, tls: Option<Tls>) -> impl Fn() + Send {
    move || match config::load(&flags, &data_dir) {
        Err(problems) => tracing::error!("the configuration stays as it was: {problems}"),
        Ok(config) => {
            let changed = config.changed(&started).filter(|setting| setting.when == When::Start);
            changed.for_each(|setting| {
                tracing::warn!("{} has changed, which counts from the next start on", setting.name)
            });
            if let Some(tls) = &tls
                && let Err(error) = tls::renew(&config, tls)
            {
                tracing::error!("the certificates stay as they were: {error:#}");
            }
            match config.text("log.level").and_then(log::change) {
                Ok(()) => tracing::info!("read the configuration again"),
                Err(error) => tracing::error!("could not change what is logged: {error}"),
            }
        }
    }
}

/// Threads that never block, one for two processors, and up to [`BLOCKING_THREADS`] that may block. The other half is for flushes and
/// compactions, and what the system does for the network: with a thread for each of two processors SET was a tenth
/// to a third slower, for they were in each other's way.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // Whoever runs it may know better; the runtime reads this by itself.
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        builder.worker_threads((processors / 2).max(1));
    }
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
