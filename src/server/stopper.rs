//! Stops the server from inside, and knows where it listens.

use crate::sync::plain::Mutex;
use std::net::SocketAddr;
use tokio::sync::Notify;

/// What stops the server.
#[derive(Debug)]
pub(super) struct Stopper {
    stop: Notify,
    /// The first is the main one.
    addresses: Mutex<Vec<SocketAddr>>,
    first: SocketAddr,
}

impl Stopper {
    /// For a server that listens on this address first.
    pub(super) fn new(first: SocketAddr) -> Stopper {
        Stopper { stop: Notify::new(), addresses: Mutex::new(vec![first]), first }
    }

    /// It listens on this one as well.
    pub(super) fn also(&self, address: SocketAddr) {
        self.addresses.lock().push(address);
    }

    /// Where it listens first.
    pub(super) fn address(&self) -> SocketAddr {
        self.first
    }

    /// The port of that.
    pub(super) fn port(&self) -> u16 {
        self.first.port()
    }

    /// Whether only this machine can reach it.
    pub(super) fn is_local(&self) -> bool {
        self.addresses.lock().iter().all(|address| address.ip().is_loopback())
    }

    /// Stops the server soon.
    pub(super) fn stop(&self) {
        self.stop.notify_one();
    }

    /// Resolves when it is to stop.
    pub(super) async fn stopped(&self) {
        self.stop.notified().await;
    }
}
