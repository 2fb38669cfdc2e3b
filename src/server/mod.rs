//! The network server, and the only async code there is.
//!
//! ```text
//! Server::run       accepts, limits, stops          one task
//! connection        reads, waits, sends             one task a client
//! pass              from input to answers, without waiting
//! door              which protocol it is
//! answers           what one pass has to say
//! execute, requests a request to a reply
//! service           the data, and all that is known of it and of clients
//! commands          those of Redis
//! documents, opened what is asked of tables
//! session, clients  what is known of a client, by itself and by others
//! users, password, tokens, gate    who may do what, and who is let in
//! upkeep, counting, slow_log, metrics, tally, rate, pause    what operators ask for
//! stream, tls       a socket, encrypted or not
//! web               what monitoring asks for, over HTTP
//! budget            the memory that all connections share
//! failure           what a client may read of an error
//! muffle            what the log is told now and then
//! config            every limit, with its default
//! ```
//!
//! (N1) A write is answered with success only after its commit was (store S1, S2). A client that goes away in the
//!      middle of a request leaves it undone; one that goes away after it may leave it done.
//! (N2) Replies come in the order of the requests, those of one pass in one write to the socket as long as they are short.
//! (N3) A waiting write occupies no thread: the task awaits room before it writes, and the commit after. What takes long
//!      occupies no thread of the runtime (pass A1), and a client that always has more to ask gives way to others.
//! (N4) What all clients together can make the server hold is bounded by [`Config`], and a client that does not read is not
//!      read from.
//! (N5) No client's doing ends another's connection, or the server.
//!
//! Without users everybody may do everything, so [`Server::bind`] refuses addresses then that other machines can reach,
//! unless told otherwise.

mod answers;
mod begin;
mod budget;
mod clients;
mod commands;
mod config;
mod connection;
mod counting;
mod cursors;
mod documents;
mod door;
mod execute;
mod failure;
mod gate;
mod long_range;
mod metrics;
mod muffle;
mod opened;
mod outcome;
mod pass;
mod password;
mod pause;
mod place;
mod rate;
mod requests;
mod service;
mod session;
mod slow_log;
mod snapshots;
mod stopper;
mod stream;
mod tally;
mod tls;
mod tokens;
mod upkeep;
mod users;
mod waits;
mod web;

pub use begin::Ensured;
pub use config::Config;
pub use door::Protocol;
pub use password::PasswordHash;
pub use tls::Tls;

use crate::protocol::{Form, Reply, json_lines};
use crate::store::StorageEngine;
use crate::{Error, Result};
use budget::Budget;
use connection::Connection;
use metrics::Metrics;
use muffle::Muffle;
use pass::Pass;
use service::Service;
use session::Session;
use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use stopper::Stopper;
use stream::Stream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

/// How long the accept loop rests after the system refused a connection, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A server that is bound to its address and does not serve yet.
///
/// ```no_run
/// # async fn serve() -> siltstone::Result<()> {
/// use siltstone::{server::{Config, Server}, store::MemoryEngine};
/// use std::sync::Arc;
///
/// let server = Server::bind("127.0.0.1:9999", Arc::new(MemoryEngine::new()), Config::default()).await?;
/// server.run(async { drop(tokio::signal::ctrl_c().await) }).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    shared: Arc<Shared>,
    /// One permit for each connection there may be.
    slots: Arc<Semaphore>,
    refused: Arc<Muffle>,
    /// Where monitoring asks how it is.
    web: Option<TcpListener>,
}

/// A port, and what is spoken there.
#[derive(Debug)]
struct Listener {
    listener: TcpListener,
    local_addr: SocketAddr,
    protocol: Protocol,
    /// What its connections are encrypted with.
    tls: Option<Tls>,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    service: Service,
    budget: Arc<Budget>,
    /// One permit for each long range that is gathered at a time.
    long_ranges: Semaphore,
    /// One permit for each password that is looked at at a time.
    verifying: Semaphore,
}

/// How many long ranges are gathered at a time, and passwords looked at: they keep processors busy, and few machines have
/// fewer.
const LONG_RANGES: usize = 2;
const VERIFYING: usize = 2;

impl Server {
    /// Listens on `addr`, a host and a port; port 0 takes a free one. Clients can connect from now on, and are served
    /// when the server runs. Which protocol a client speaks shows in its first bytes.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when other machines can reach the address, there are no users, and [`Config::allow_remote`]
    /// is not set; [`Error::Io`] when the system does not give the address; what kept the engine from answering.
    pub async fn bind(addr: &str, engine: Arc<dyn StorageEngine>, config: Config) -> Result<Server> {
        let slots = Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS)));
        let budget = Budget::new(config.max_buffered_bytes);
        let first = listen(addr, &config, config.protocol).await?;
        let stopper = Stopper::new(first.local_addr);
        // It may read, and write, and so wait for a disk.
        let opened = {
            let budget = Arc::clone(&budget);
            tokio::task::spawn_blocking(move || Service::new(engine, config, budget, stopper)).await
        };
        let service =
            opened.map_err(|error| Error::invalid(format!("the server could not begin: {error}")))??;
        let (long_ranges, verifying) = (Semaphore::new(LONG_RANGES), Semaphore::new(VERIFYING));
        let shared = Arc::new(Shared { service, budget, long_ranges, verifying });
        Ok(Server { listeners: vec![first], shared, slots, refused: Arc::new(Muffle::new()), web: None })
    }

    /// Listens on another address as well, for one protocol or for all; the address with the port that the system chose.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub async fn listen(&mut self, addr: &str, protocol: Protocol) -> Result<SocketAddr> {
        self.add(addr, protocol, None).await
    }

    /// As [`Server::listen`], where connections are encrypted.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub async fn listen_tls(&mut self, addr: &str, protocol: Protocol, tls: Tls) -> Result<SocketAddr> {
        self.add(addr, protocol, Some(tls)).await
    }

    async fn add(&mut self, addr: &str, protocol: Protocol, tls: Option<Tls>) -> Result<SocketAddr> {
        let listener = Listener { tls, ..listen(addr, &self.shared.service.config, protocol).await? };
        let local_addr = listener.local_addr;
        self.shared.service.stopper.also(local_addr);
        self.listeners.push(listener);
        Ok(local_addr)
    }

    /// The first address it listens on, with the port the system chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.service.stopper.address()
    }

    /// Serves until `shutdown` resolves, or a client says so that may; then answers what has arrived, closes all connections and
    /// returns. What still runs after [`Config::drain_timeout`] is cut off. The engine stays open: closing it is its owner's.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (stop, stopping) = watch::channel(false);
        let Server { listeners, shared, slots, refused, web } = self;
        // Connections that are accepted; when this one and all of the listeners' are gone, no more come.
        let (accepted, mut arrivals) = mpsc::channel(1);
        let mut accepting = JoinSet::new();
        for listener in listeners {
            tracing::info!(address = %listener.local_addr, protocol = ?listener.protocol, "serving");
            accepting.spawn(accept(listener, accepted.clone(), Arc::clone(&refused)));
        }
        let mut tasks = JoinSet::new();
        let upkeep = tokio::spawn(upkeep::run(Arc::clone(&shared), stopping.clone()));
        // Nobody waits for it: it may have more to do than a server that stops has time for, and goes on with the next one.
        let (building, stop_building) = (Arc::clone(&shared), stopping.clone());
        drop(tokio::task::spawn_blocking(move || building.resume_indexes(&stop_building)));
        let mut beside = JoinSet::new();
        if let Some(port) = web {
            beside.spawn(web::run(port, Arc::clone(&shared), stopping.clone()));
        }
        let door = Reception { shared: Arc::clone(&shared), slots, refused, stopping };
        door.admit_until(shutdown, &mut arrivals, &mut tasks).await;
        // Ports are free from here on.
        accepting.shutdown().await;
        stop.send_replace(true);
        shared.service.clients.tell_all();
        tracing::info!(connections = tasks.len(), "stopping");
        let drained = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(shared.service.config.drain_timeout, drained).await.is_err() {
            tracing::warn!(connections = tasks.len(), "cut off what was not done in time");
            tasks.shutdown().await;
        }
        // It ends by itself, at the latest after a step of its work.
        drop(upkeep.await);
    }
}

async fn listen(addr: &str, config: &Config, protocol: Protocol) -> Result<Listener> {
    let refused = |error| Error::io("listen on", Path::new(addr), error);
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(addr).await.map_err(refused)?.collect();
    if !config.allow_remote
        && config.users.is_empty()
        && let Some(remote) = addresses.iter().find(|address| !address.ip().is_loopback())
    {
        return Err(Error::invalid(format!(
            "refusing to listen on {remote}: other machines could reach it, and there is no authentication; \
             set a password, listen on 127.0.0.1, or allow remote clients in the configuration if the network keeps \
             strangers out"
        )));
    }
    let listener = TcpListener::bind(addresses.as_slice()).await.map_err(refused)?;
    let local_addr = listener.local_addr().map_err(refused)?;
    Ok(Listener { listener, local_addr, protocol, tls: None })
}

/// A client that has come.
struct Arrival {
    stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    protocol: Protocol,
    tls: Option<Tls>,
}

/// Hands on whoever comes to a port.
async fn accept(port: Listener, arrivals: mpsc::Sender<Arrival>, refused: Arc<Muffle>) {
    loop {
        match port.listener.accept().await {
            Ok((stream, peer)) => {
                let local = stream.local_addr().unwrap_or(port.local_addr);
                let arrival = Arrival { stream, peer, local, protocol: port.protocol, tls: port.tls.clone() };
                if arrivals.send(arrival).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                refused.tell(|missed| tracing::warn!(%error, missed, "could not accept a connection"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Where clients are let in.
struct Reception {
    shared: Arc<Shared>,
    slots: Arc<Semaphore>,
    refused: Arc<Muffle>,
    stopping: watch::Receiver<bool>,
}

impl Reception {
    async fn admit_until(
        &self,
        shutdown: impl Future<Output = ()>,
        arrivals: &mut mpsc::Receiver<Arrival>,
        tasks: &mut JoinSet<()>,
    ) {
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                () = self.shared.service.stopper.stopped() => return,
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection ended by a bug of the server");
                    }
                }
                arrival = arrivals.recv() => match arrival {
                    Some(arrival) => self.admit(arrival, tasks),
                    // Nobody listens any more.
                    None => return,
                },
            }
        }
    }

    /// Gives the client a task of its own, or a reply that there are too many.
    fn admit(&self, arrival: Arrival, tasks: &mut JoinSet<()>) {
        let Arrival { stream, peer, local, protocol, tls } = arrival;
        let service = &self.shared.service;
        Metrics::add(&service.metrics.connections, 1);
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            let limit = service.config.max_connections;
            Metrics::add(&service.metrics.rejected, 1);
            self.refused.tell(|missed| tracing::warn!(%peer, limit, missed, "refused: too many connections"));
            if tls.is_none() {
                drop(refuse(stream, limit, protocol));
            }
            return;
        };
        let session = Session::new(service.clients.enter(peer, local));
        let pass = Box::new(Pass::new(Arc::clone(&self.shared), session, protocol));
        let (shared, stopping) = (Arc::clone(&self.shared), self.stopping.clone());
        tasks.spawn(async move {
            let served = async {
                let stream = match tls {
                    None => Stream::Plain(stream),
                    Some(tls) => encrypt(tls, stream, &shared, stopping.clone()).await?,
                };
                Connection::new(stream, shared, stopping).serve(pass).await
            };
            match served.await {
                Ok(()) => tracing::debug!(%peer, "closed"),
                Err(error) => tracing::debug!(%peer, %error, "lost"),
            }
            drop(slot);
        });
    }
}

/// Agrees with a client on how to encrypt, for which it has as long as for a first request, and only while the server runs.
async fn encrypt(
    tls: Tls,
    stream: TcpStream,
    shared: &Shared,
    mut stopping: watch::Receiver<bool>,
) -> io::Result<Stream> {
    tokio::select! {
        encrypted = tls.accept(stream) => Ok(Stream::Tls(Box::new(encrypted?))),
        _ = stopping.wait_for(|stopping| *stopping) => Err(io::ErrorKind::Interrupted.into()),
        () = tokio::time::sleep(shared.service.config.handshake_timeout) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Says why and closes. A fresh socket has room for a line, so nothing waits.
fn refuse(stream: TcpStream, limit: usize, protocol: Protocol) -> io::Result<()> {
    let mut line = Vec::new();
    let why = format!("too many connections, at most {limit} are served: try again later");
    let form = match protocol {
        Protocol::Resp => Form::Resp(crate::protocol::resp::Version::V2),
        Protocol::Text => Form::Text(crate::protocol::text::Asked::Other),
        Protocol::Framed => Form::Framed(crate::protocol::framed::Asked::Other),
        Protocol::Auto | Protocol::JsonLines => Form::Json(json_lines::Asked::Other),
    };
    form.encode(&Reply::Failed(why.into()), &mut line);
    stream.into_std()?.write_all(&line)
}
