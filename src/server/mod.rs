//! The network server, and the only async code there is.
//!
//! ```text
//! Server::run       accepts, limits, stops          one task
//! connection        reads, waits, sends             one task a client
//! pass              from input to answers, without waiting
//! answers           what one pass has to say
//! service           a request to a reply, over any StorageEngine
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
//! There is no authentication yet, so [`Server::bind`] refuses addresses that other machines can reach unless told
//! otherwise.

mod answers;
mod budget;
mod config;
mod connection;
mod failure;
mod muffle;
mod pass;
mod service;

pub use config::Config;

use crate::protocol::{Reply, json_lines};
use crate::store::StorageEngine;
use crate::{Error, Result};
use budget::Budget;
use connection::Connection;
use muffle::Muffle;
use service::Service;
use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
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
    listener: TcpListener,
    local_addr: SocketAddr,
    shared: Arc<Shared>,
    /// One permit for each connection there may be.
    slots: Arc<Semaphore>,
    refused: Muffle,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    service: Service,
    config: Config,
    budget: Arc<Budget>,
    /// One permit for each long range that is gathered at a time.
    long_ranges: Semaphore,
}

/// How many long ranges are gathered at a time: they keep processors busy, and few machines have fewer.
const LONG_RANGES: usize = 2;

impl Server {
    /// Listens on `addr`, a host and a port; port 0 takes a free one. Clients can connect from now on, and are served
    /// when the server runs.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when other machines can reach the address and [`Config::allow_remote`] is not set;
    /// [`Error::Io`] when the system does not give the address.
    pub async fn bind(addr: &str, engine: Arc<dyn StorageEngine>, config: Config) -> Result<Server> {
        let refused = |error| Error::io("listen on", Path::new(addr), error);
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host(addr).await.map_err(refused)?.collect();
        if !config.allow_remote
            && let Some(remote) = addresses.iter().find(|address| !address.ip().is_loopback())
        {
            return Err(Error::invalid(format!(
                "refusing to listen on {remote}: other machines could reach it, and there is no authentication; \
                 listen on 127.0.0.1, or allow remote clients in the configuration if the network keeps strangers out"
            )));
        }
        let listener = TcpListener::bind(addresses.as_slice()).await.map_err(refused)?;
        let local_addr = listener.local_addr().map_err(refused)?;
        let slots = Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS)));
        let budget = Budget::new(config.max_buffered_bytes);
        let service = Service::new(engine, config.max_range_bytes, Arc::clone(&budget));
        let shared = Shared { service, config, budget, long_ranges: Semaphore::new(LONG_RANGES) };
        Ok(Server { listener, local_addr, shared: Arc::new(shared), slots, refused: Muffle::new() })
    }

    /// The address it listens on, with the port the system chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown` resolves; then answers what has arrived, closes all connections and returns. What still
    /// runs after [`Config::drain_timeout`] is cut off. The engine stays open: closing it is its owner's.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tracing::info!(address = %self.local_addr, "serving");
        self.accept_until(shutdown, &stopping, &mut tasks).await;
        let Server { listener, shared, .. } = self;
        drop(listener);
        stop.send_replace(true);
        tracing::info!(connections = tasks.len(), "stopping");
        let drained = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(shared.config.drain_timeout, drained).await.is_err() {
            tracing::warn!(connections = tasks.len(), "cut off what was not done in time");
            tasks.shutdown().await;
        }
    }

    async fn accept_until(
        &self,
        shutdown: impl Future<Output = ()>,
        stopping: &watch::Receiver<bool>,
        tasks: &mut JoinSet<()>,
    ) {
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection ended by a bug of the server");
                    }
                }
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer, stopping, tasks),
                    Err(error) => {
                        self.refused.tell(|missed| {
                            tracing::warn!(%error, missed, "could not accept a connection");
                        });
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }

    /// Gives the client a task of its own, or a reply that there are too many.
    fn admit(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        stopping: &watch::Receiver<bool>,
        tasks: &mut JoinSet<()>,
    ) {
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            let limit = self.shared.config.max_connections;
            self.refused.tell(|missed| tracing::warn!(%peer, limit, missed, "refused: too many connections"));
            drop(refuse(stream, limit));
            return;
        };
        let connection = Connection::new(stream, Arc::clone(&self.shared), stopping.clone());
        tasks.spawn(async move {
            match connection.serve().await {
                Ok(()) => tracing::debug!(%peer, "closed"),
                Err(error) => tracing::debug!(%peer, %error, "lost"),
            }
            drop(slot);
        });
    }
}

/// Says why and closes. A fresh socket has room for a line, so nothing waits.
fn refuse(stream: TcpStream, limit: usize) -> io::Result<()> {
    let mut line = Vec::new();
    let why = format!("too many connections, at most {limit} are served: try again later");
    json_lines::encode(&Reply::Failed(why.into()), &mut line);
    stream.into_std()?.write_all(&line)
}
